# SPDX-License-Identifier: Apache-2.0
"""A stack's gateway as plain data: the part of a Plan that says how clients reach models.

Owns the types. `hubstack.inputs.gateway` reads them from the stack's settings.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hubstack.files.jsonable import OMITTED_IF_NONE


class GatewayMode(StrEnum):
    """How a request is routed to one of its model's servers."""

    SERVICES = "services"
    """The load balancer spreads requests evenly over a Service's pods."""
    INFERENCE = "inference"
    """An endpoint picker chooses the pod by queue, KV cache and prefix (GKE inference gateway)."""


class Exposure(StrEnum):
    """Which networks can reach the gateway's address."""

    INTERNAL = "internal"
    EXTERNAL = "external"


class GatewayAuth(StrEnum):
    """How an external gateway authenticates clients."""

    IAP = "iap"
    API_KEYS = "api-keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPlan:
    """The single address of all models, read from `hubstack:gateway` by `hubstack.inputs.gateway`."""

    mode: GatewayMode = GatewayMode.SERVICES
    exposure: Exposure = Exposure.INTERNAL
    host: str | None = None
    """Host name that requests must use; None accepts any. You create the DNS record."""
    auth: GatewayAuth | None = None
    """Authentication: always set for an external gateway, never for an internal one."""
    certificate: str | None = None
    """Name of a regional certificate in Certificate Manager; None serves plain HTTP, internal gateways only."""
    timeout_seconds: int
    """Maximum duration of a response at the load balancer, streamed or not, in seconds."""
    address: str | None = None
    """IP address in the subnet; with None, Google chooses one, which then does not change."""
    iap_client_id: str | None = None
    """OAuth client of IAP; None uses Google's own client, which admits only members of the organization."""
    dns_zone: str | None = field(default=None, metadata=OMITTED_IF_NONE)
    """Cloud DNS zone that gets the host's address record; None: you create the record."""
    issues_certificate: bool | None = field(default=None, metadata=OMITTED_IF_NONE)
    """True: the stack has Google issue the certificate, which the zone proves; None: it exists."""
    security_policy: str | None = field(default=None, metadata=OMITTED_IF_NONE)
    """Cloud Armor policy of every backend; None without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficPlan:
    """Which names lead to which model, and which models have an endpoint picker."""

    names: Mapping[str, tuple[str, ...]]
    """Key of each model on GKE to the names that requests may use; a canary has none of its own."""
    picked: tuple[str, ...]
    """Keys of models with an endpoint picker, sorted."""
