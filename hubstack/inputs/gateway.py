# SPDX-License-Identifier: Apache-2.0
"""The stack setting `hubstack:gateway`: one address for all models.

Owns its keys and their rules. Does not own the Kubernetes objects (`hubstack.deploy.manifests.traffic`) or whether
a model list works with it (`hubstack.planner.serving.routing`).
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from hubstack.inputs.setting_types import form, refusal
from hubstack.names import certificate_name
from hubstack.plan.gateway import Exposure, GatewayAuth, GatewayMode, GatewayPlan

SETTING = "hubstack:gateway"
DEFAULT_TIMEOUT_SECONDS = 3600
"""Google's default of 30 s applies to the whole response, streamed or not, and cuts it off while the engine is
still generating (Cloud Load Balancing docs, "Backend service timeout"). A reasoning model may generate for minutes;
an hour is more than any supported engine needs."""
MAX_TIMEOUT_SECONDS = 86_400
_HOST = r"(?=.{1,253}$)([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
_NAME = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
_CLIENT = r"[0-9]+-[a-z0-9]+\.apps\.googleusercontent\.com"


def _is_address(value: str) -> str:
    try:
        return str(ipaddress.IPv4Address(value))
    except ValueError:
        raise refusal(f"must be an IPv4 address, not `{value}`") from None


class GatewaySettings(BaseModel):
    """One address for all models (docs/concepts/gateway.md)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)

    mode: GatewayMode = Field(GatewayMode.SERVICES, strict=False)
    """`services` spreads requests evenly over a model's replicas; `inference` picks a replica by queue length, KV
    cache use and cached prefixes (GKE Inference Gateway)."""
    exposure: Exposure = Field(Exposure.INTERNAL, strict=False)
    """Who can reach it: `internal` from inside the network only, `external` from the internet."""
    host: Annotated[str, form(_HOST, "a DNS name such as models.example.com")] | None = None
    """DNS name that requests must use; you create the DNS record. Default: any name."""
    auth: GatewayAuth | None = Field(None, strict=False)
    """How an external gateway authenticates callers: `iap` or `api-keys`."""
    certificate: Annotated[str, form(_NAME, "the name of a certificate in Certificate Manager")] | None = None
    """Name of a regional certificate in Certificate Manager. Default: plain HTTP (internal gateways only)."""
    timeout_seconds: int = Field(DEFAULT_TIMEOUT_SECONDS, ge=1, le=MAX_TIMEOUT_SECONDS)
    """Maximum duration of one response in seconds, streamed or not."""
    address: Annotated[str, AfterValidator(_is_address)] | None = None
    """Internal IP address in the stack's subnet. Default: Google assigns one, which is then kept."""
    dns_zone: Annotated[str, form(_NAME, "the name of a zone in Cloud DNS")] | None = None
    """Name of a Cloud DNS zone of the project that contains `host`: it gets the address record and, without
    `certificate`, the record by which Google issues one."""
    security_policy: Annotated[str, form(_NAME, "the name of a Cloud Armor policy")] | None = None
    """Name of a regional Cloud Armor policy that guards every backend of an external gateway."""
    iap_client_id: Annotated[str, form(_CLIENT, "the ID of an OAuth client")] | None = None
    """OAuth client for IAP. Default: Google's, which admits only members of your organization."""

    def plan(self, stack: str) -> GatewayPlan:
        """Return the gateway as part of a stack's plan."""
        asked = GatewayPlan(**{name: getattr(self, name) for name in GatewaySettings.model_fields})
        if asked.dns_zone is None or asked.host is None or asked.certificate:
            return asked
        return replace(asked, certificate=certificate_name(stack, asked.host), issues_certificate=True)


def gateway_problems(g: GatewaySettings, *, has_callers: bool = False) -> Iterator[tuple[str, str, str]]:
    """Yield key, message and hint for each key that conflicts with the others.

    Args:
        g: the settings.
        has_callers: whether `hubstack:callers` gives keys to each caller.
    """
    external = g.exposure is Exposure.EXTERNAL
    if external and not g.auth and not has_callers:
        yield (
            "auth",
            "is missing: without it, an external gateway is open to everyone",
            "set `auth: iap` or `auth: api-keys`, or list the teams that may call it under `hubstack:callers`",
        )
    if not external and g.auth:
        message = "applies to an external gateway only: the network controls who reaches an internal one"
        yield "auth", message, "remove it, or set `exposure: external`"
    if external and not g.certificate and not g.dns_zone:
        yield (
            "certificate",
            "is missing: an external gateway serves HTTPS only",
            "set `dns_zone:` so that Google issues one, or the name of one in Certificate Manager",
        )
    if g.dns_zone and not g.host:
        yield "host", "is missing: the zone's record needs a name", "set a DNS name in the zone"
    elif (external or g.certificate) and not g.host:
        yield "host", "is missing: a certificate is issued for a name", "set the DNS name of the certificate"
    if g.security_policy and not external:
        message = "applies to an external gateway only: an internal gateway is not reachable from the internet"
        yield "security_policy", message, "remove it, or set `exposure: external`"
    if external and g.address:
        yield (
            "address",
            "applies to an internal gateway only: Google assigns external addresses",
            "remove it; an external address is kept once created",
        )
    if g.auth is GatewayAuth.IAP and g.mode is GatewayMode.INFERENCE:
        message = (
            "is `iap`, which is not known to protect an InferencePool: without it, the gateway is open to everyone"
        )
        yield "auth", message, "set `mode: services`, or `auth: api-keys`"
    if g.iap_client_id and g.auth is not GatewayAuth.IAP:
        yield "iap_client_id", "applies to `auth: iap` only", "remove it"
