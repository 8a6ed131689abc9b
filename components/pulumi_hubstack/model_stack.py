# SPDX-License-Identifier: Apache-2.0
"""A fleet for programs in other languages: plain values in, addresses out.

Owns what crosses the border between languages; a Plan does not. In Python use `Fleet`.
"""

from typing import Any, NotRequired, TypedDict, cast

import pulumi

from hubstack.inputs.pulumi_config import SECRET_PLACEHOLDER
from pulumi_hubstack._stack import plan_stack
from pulumi_hubstack.fleet import Fleet, FleetArgs

TOKEN = "hubstack:index:ModelStack"  # noqa: S105  a type token; `index` is where Pulumi looks for a plug-in's


class ModelStackArgs(TypedDict):
    """Inputs of a stack of models."""

    folder: str
    """Absolute path of the folder with the model list and its lock: `${pulumi.cwd}` in Pulumi YAML."""
    settings: dict[str, Any]
    """As in a settings file: `gcp:project`, `gcp:region`, and `hubstack:models`, the list's path in `folder`."""
    hub_token: NotRequired[pulumi.Input[str]]
    """Secret Hub token; needed for gated models."""
    api_key: NotRequired[pulumi.Input[str]]
    """Secret API key; needed for a gateway with `auth: api-keys`."""
    iap_client_secret: NotRequired[pulumi.Input[str]]
    """Secret of the OAuth client; needed for a gateway with `iap_client_id`."""


class ModelStack(pulumi.ComponentResource):
    """The models of a list as an inference stack on Google Cloud; a Pulumi stack holds one."""

    endpoints: pulumi.Output[dict[str, str]]
    """Key of each model to the address of its API."""
    buckets: pulumi.Output[dict[str, str]]
    """Key of each model to its weights bucket."""
    gateway_url: pulumi.Output[str] | None
    """Base URL of the gateway; absent without one."""
    usd_per_month_max: pulumi.Output[float]
    """Price if every model runs its maximum number of replicas."""

    def __init__(self, name: str, args: ModelStackArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        secrets = {
            "hubstack:hfToken": args.get("hub_token"),
            "hubstack:apiKey": args.get("api_key"),
            "hubstack:iapClientSecret": args.get("iap_client_secret"),
        }
        settings = args["settings"] | {key: SECRET_PLACEHOLDER for key, value in secrets.items() if value}
        plan = plan_stack(settings, folder=args["folder"])
        for warning in plan.warnings:
            pulumi.log.warn(warning, self)
        fleet_args = FleetArgs(
            plan=plan,
            hub_token=secrets["hubstack:hfToken"],
            api_key=secrets["hubstack:apiKey"],
            iap_client_secret=secrets["hubstack:iapClientSecret"],
        )
        fleet = Fleet(name, fleet_args, pulumi.ResourceOptions(parent=self))
        self.endpoints = pulumi.Output.from_input(cast("dict[str, str]", fleet.endpoints))
        self.buckets = pulumi.Output.from_input(fleet.buckets)
        self.gateway_url = fleet.gateway["url"] if fleet.gateway else None
        self.usd_per_month_max = pulumi.Output.from_input(plan.cost.usd_per_month_max)
        outputs = {
            "endpoints": self.endpoints,
            "buckets": self.buckets,
            "usdPerMonthMax": self.usd_per_month_max,
        }
        self.register_outputs(outputs | ({"gatewayUrl": self.gateway_url} if fleet.gateway else {}))
