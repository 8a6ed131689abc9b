# SPDX-License-Identifier: Apache-2.0
"""The whole stack of a Plan: foundation, models, and the resources around them. Decides nothing.

Every name is derived from a key of the plan, so the order of the list does not matter.
"""

from dataclasses import dataclass

import pulumi

from hubstack.plan import Plan
from hubstack.plan.gateway import GatewayAuth
from pulumi_hubstack._options import child
from pulumi_hubstack._stack import plan_stack
from pulumi_hubstack.edge import build_gateway, build_observability, build_perimeter
from pulumi_hubstack.foundation import build_foundation
from pulumi_hubstack.managed_models import ManagedParts
from pulumi_hubstack.node_models import build_models
from pulumi_hubstack.platforms import create_models
from pulumi_hubstack.protection import Protection, ProtectionArgs

TOKEN = "hubstack:fleet:Fleet"  # noqa: S105  a type token


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetArgs:
    """Inputs of a fleet."""

    plan: Plan
    """What to register; `plan_stack` returns one."""
    hub_token: pulumi.Input[str] | None = None
    """Secret Hub token; used only for gated models."""
    api_key: pulumi.Input[str] | None = None
    """Secret API key; used only for a gateway with `auth: api-keys`."""
    iap_client_secret: pulumi.Input[str] | None = None
    """Secret of the OAuth client; used only for a gateway with `iap_client_id`."""


class Fleet(pulumi.ComponentResource):
    """Network, cluster, pools, weights and servers; without models on GKE there is no network, cluster or pool."""

    cluster_name: pulumi.Output[str] | None
    """None if no model is on GKE."""
    endpoints: dict[str, pulumi.Input[str]]
    """Model key to the address of its API: inside the cluster (the interceptor's if the model scales to zero), on
    Cloud Run, or Vertex AI's endpoint."""
    buckets: dict[str, str]
    """Model key to its weights bucket."""
    gateway: dict[str, pulumi.Output[str]] | None
    """Address and base URL of the gateway; None without one."""
    over_budget: str | None
    """By how much the plan exceeds the stack's budget, and its largest items; None if it does not."""

    def __init__(self, name: str, args: FleetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        plan = args.plan
        base = build_foundation(self, plan, args.hub_token)
        models = build_models(self, plan, base)
        secrets = {GatewayAuth.API_KEYS: args.api_key, GatewayAuth.IAP: args.iap_client_secret}
        gateway = build_gateway(self, plan, base, models.servers, secrets)
        managed = create_models(
            ManagedParts(
                plan=plan,
                google=base.google,
                hub_secret_id=base.hub_secret_id,
                token=base.token,
                hub_token=args.hub_token,
            )
        )
        watch = build_observability(self, plan, base)
        # Nothing else depends on these.
        last = [*models.collectors, gateway, *(each.server for each in managed.values()), watch]
        made = [*models.servers.values(), *(each for each in last if each)]
        perimeter = build_perimeter(self, plan, base.project, made)
        # Depends on every leaf resource: Pulumi removes it first, or refuses to and removes nothing.
        Protection(
            "protection",
            ProtectionArgs(is_on=plan.target.deletion_protection),
            child(self, depends_on=[*made, *([perimeter] if perimeter else [])]),
        )
        self.cluster_name = base.nodes.cluster.name if base.nodes else None
        self.endpoints = {**plan.endpoints, **{key: each.address for key, each in managed.items()}}
        self.buckets = dict(plan.buckets)
        self.gateway = {"address": gateway.address, "url": gateway.url} if gateway else None
        outputs = {"endpoints": self.endpoints, "buckets": self.buckets}
        outputs |= {"cluster_name": self.cluster_name} if base.nodes else {}
        self.register_outputs(outputs | ({"gateway": self.gateway} if self.gateway else {}))
        self._plan = plan
        self.over_budget = plan.warnings[0] if plan.cost.over_budget_usd else None

    @classmethod
    def from_stack(cls, name: str = "fleet", opts: pulumi.ResourceOptions | None = None) -> "Fleet":
        """Register the fleet of the running stack: its settings, model list and lock, planned.

        Args:
            name: logical name; `fleet` if the stack has only one. Another name is a different fleet.
            opts: options of the component.

        Raises:
            RunError: the files are invalid, or the plan is over the stack's budget.
        """
        plan, secrets = plan_stack(), pulumi.Config("hubstack")
        args = FleetArgs(
            plan=plan,
            hub_token=secrets.get_secret("hfToken"),
            api_key=secrets.get_secret("apiKey"),
            iap_client_secret=secrets.get_secret("iapClientSecret"),
        )
        fleet = cls(name, args, opts)
        for warning in plan.warnings:
            pulumi.log.warn(warning)
        return fleet

    def export(self) -> None:
        """Export the stack's outputs: `cluster`, `endpoints`, `gateway` and `usdPerMonth`."""
        if self.cluster_name is not None:
            pulumi.export("cluster", self.cluster_name)
        pulumi.export("endpoints", self.endpoints)
        if self.gateway:
            pulumi.export("gateway", self.gateway)
        cost = self._plan.cost
        pulumi.export("usdPerMonth", {"min": cost.usd_per_month_min, "max": cost.usd_per_month_max})
