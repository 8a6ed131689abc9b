# SPDX-License-Identifier: Apache-2.0
"""The Pulumi program: config -> plan -> Fleet -> exports."""

from pathlib import Path

import pulumi
from pulumi_hubstack import Fleet, FleetArgs

from hubstack.catalog import load_catalog
from hubstack.files.errors import HubstackError
from hubstack.inputs.pulumi_config import SECRET_PLACEHOLDER
from hubstack.inputs.stack import Stack
from hubstack.planner.inputs import StackInputs
from hubstack.planner.planner import plan_inputs

secret_keys = pulumi.runtime.get_config_secret_keys_env()
config = {
    key: SECRET_PLACEHOLDER if key in secret_keys else value
    for key, value in pulumi.runtime.get_config_env().items()
}
try:
    stack = Stack.of_program(Path(pulumi.runtime.get_root_directory()), pulumi.get_stack(), config)
    plan = plan_inputs(StackInputs.of(stack))
except HubstackError as error:
    raise pulumi.RunError(str(error)) from None
if plan.cost.over_budget_usd and not pulumi.runtime.is_dry_run():  # a preview shows it, with the warning
    raise pulumi.RunError(plan.warnings[0])

secrets = pulumi.Config("hubstack")


async def program() -> None:
    """Register the fleet and wait until it is registered.

    Without the wait the SDK re-examines every open output each time one resolves, 30,000 for 200 models
    (pulumi/runtime/stack.py of 3.272.0; figures in docs/concepts/scale.md).
    """
    fleet = Fleet(
        "fleet",
        FleetArgs(
            plan=plan,
            engine_metrics=load_catalog().engine_metrics,
            hub_token=secrets.get_secret("hfToken"),
            api_key=secrets.get_secret("apiKey"),
            iap_client_secret=secrets.get_secret("iapClientSecret"),
        ),
    )
    for warning in plan.warnings:
        pulumi.log.warn(warning)

    if fleet.cluster_name is not None:
        pulumi.export("cluster", fleet.cluster_name)
    pulumi.export("endpoints", fleet.endpoints)
    if fleet.gateway:
        pulumi.export("gateway", fleet.gateway)
    pulumi.export("usdPerMonth", {"min": plan.cost.usd_per_month_min, "max": plan.cost.usd_per_month_max})
    await fleet.urn.future()


pulumi.run(program)
