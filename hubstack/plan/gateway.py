# SPDX-License-Identifier: Apache-2.0
"""The gateway of a stack as plain data: the part of a Plan that says how models are reached.

Owns the types. `hubstack.inputs.gateway` reads them from the stack's settings.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class GatewayMode(StrEnum):
    """How a request finds a server of its model."""

    SERVICES = "services"
    """The load balancer spreads requests evenly over a Service's pods."""
    INFERENCE = "inference"
    """An endpoint picker chooses the pod by queue, KV cache and prefix (GKE inference gateway)."""


class Exposure(StrEnum):
    """Who can reach the gateway's address."""

    INTERNAL = "internal"
    EXTERNAL = "external"


class GatewayAuth(StrEnum):
    """Who is let in through an external gateway."""

    IAP = "iap"
    API_KEYS = "api-keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPlan:
    """The one address of all models; read from `hubstack:gateway` by `hubstack.inputs.gateway`."""

    mode: GatewayMode = GatewayMode.SERVICES
    exposure: Exposure = Exposure.INTERNAL
    host: str | None = None
    """DNS name that requests must carry; None takes any. The record is the user's to make."""
    auth: GatewayAuth | None = None
    """Of an external gateway always; of an internal one never."""
    certificate: str | None = None
    """Name of a regional certificate in Certificate Manager; None serves plain HTTP, inside the network only."""
    timeout_seconds: int
    """Longest time of one answer, streamed or not, at the load balancer."""
    address: str | None = None
    """IP address inside the subnet; None lets Google choose one, which then stays."""
    iap_client_id: str | None = None
    """OAuth client of IAP; None takes Google's own client, which knows people of the organization only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficPlan:
    """Which names lead to which model, and where an endpoint picker chooses the server."""

    names: Mapping[str, tuple[str, ...]]
    """Key of each model on GKE to the names that requests may carry; a canary has none of its own."""
    picked: tuple[str, ...]
    """Keys of the models with an endpoint picker, sorted."""
