# SPDX-License-Identifier: Apache-2.0
"""The stack setting `hubstack:gateway`: one address for all models.

Owns its keys and their rules. Does not own the objects that it becomes (`hubstack.deploy.manifests.traffic`) nor
whether a list of models goes with it (`hubstack.planner.serving.routing`).
"""

import ipaddress
from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from hubstack.inputs.setting_types import form, refusal
from hubstack.plan.addresses import NODES_RANGE
from hubstack.plan.gateway import Exposure, GatewayAuth, GatewayMode, GatewayPlan

SETTING = "hubstack:gateway"
DEFAULT_TIMEOUT_SECONDS = 3600
"""Google's own default of 30 s covers a whole answer, streamed or not, and cuts it while the engine computes on
(Cloud Load Balancing docs, "Backend service timeout"). A reasoning model may write for minutes; an hour is above
what any engine here needs."""
MAX_TIMEOUT_SECONDS = 86_400
_HOST = r"(?=.{1,253}$)([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
_NAME = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
_CLIENT = r"[0-9]+-[a-z0-9]+\.apps\.googleusercontent\.com"
_GOOGLES = 2
"""Addresses at each end of a subnet's range that Google keeps (VPC docs, "Unusable addresses in IPv4 subnet
ranges")."""


def _is_in_subnet(value: str) -> str:
    try:
        address = ipaddress.IPv4Address(value)
    except ValueError:
        raise refusal(f"must be an IPv4 address, not `{value}`") from None
    subnet = ipaddress.IPv4Network(NODES_RANGE)
    if not subnet[_GOOGLES] <= address < subnet[-_GOOGLES]:
        range_ = f"{subnet[_GOOGLES]} to {subnet[-_GOOGLES - 1]}"
        raise refusal(f"must be a free address of the stack's subnet ({range_}), not `{value}`")
    return str(address)


class GatewaySettings(BaseModel):
    """One address for all models (docs/concepts/gateway.md)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)

    mode: GatewayMode = Field(GatewayMode.SERVICES, strict=False)
    """`services` spreads requests evenly over a model's replicas; `inference` picks a replica by its queue, KV
    cache and prefixes (GKE Inference Gateway)."""
    exposure: Exposure = Field(Exposure.INTERNAL, strict=False)
    """`internal` is reached from inside the network, `external` from the internet."""
    host: Annotated[str, form(_HOST, "a DNS name such as models.example.com")] | None = None
    """DNS name that requests must carry; you create its record. Default: any name."""
    auth: GatewayAuth | None = Field(None, strict=False)
    """How callers of an external gateway are authenticated: `iap` or `api-keys`."""
    certificate: Annotated[str, form(_NAME, "the name of a certificate in Certificate Manager")] | None = None
    """Name of a regional certificate in Certificate Manager. Default: plain HTTP, for an internal gateway only."""
    timeout_seconds: int = Field(DEFAULT_TIMEOUT_SECONDS, ge=1, le=MAX_TIMEOUT_SECONDS)
    """Longest time of one answer, streamed or not."""
    address: Annotated[str, AfterValidator(_is_in_subnet)] | None = None
    """Internal IP address in the stack's subnet. Default: Google chooses one, which then stays."""
    iap_client_id: Annotated[str, form(_CLIENT, "the ID of an OAuth client")] | None = None
    """OAuth client of IAP. Default: Google's own, which lets in people of your organization only."""

    @property
    def plan(self) -> GatewayPlan:
        """The gateway as a part of a plan."""
        return GatewayPlan(**{name: getattr(self, name) for name in GatewaySettings.model_fields})


def gateway_problems(g: GatewaySettings) -> Iterator[tuple[str, str, str]]:
    """Yield key, message and hint for each key that does not go with the others."""
    external = g.exposure is Exposure.EXTERNAL
    if external and not g.auth:
        yield ("auth", "is missing: an external gateway without it serves everyone",
               "`auth: iap` or `auth: api-keys`")  # fmt: skip
    if not external and g.auth:
        message = "applies to an external gateway: inside the network, callers are told apart by the network"
        yield "auth", message, "remove it, or set `exposure: external`"
    if external and not g.certificate:
        yield ("certificate", "is missing: an external gateway serves HTTPS only",
               "create a regional certificate in Certificate Manager and set its name")  # fmt: skip
    if (external or g.certificate) and not g.host:
        yield "host", "is missing: a certificate is for a name", "set the DNS name that the certificate is for"
    if external and g.address:
        yield ("address", "applies to an internal gateway: Google chooses external addresses",
               "remove it; an external address stays once it is created")  # fmt: skip
    if g.auth is GatewayAuth.IAP and g.mode is GatewayMode.INFERENCE:
        message = "is `iap`, which is not known to guard an InferencePool: unguarded, it is open to everyone"
        yield "auth", message, "`mode: services`, or `auth: api-keys`"
    if g.iap_client_id and g.auth is not GatewayAuth.IAP:
        yield "iap_client_id", "applies to `auth: iap` only", "remove it"
