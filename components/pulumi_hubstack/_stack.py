# SPDX-License-Identifier: Apache-2.0
"""The running stack: its config, as Pulumi passes it, and the files of its project, planned."""

from pathlib import Path

import pulumi

from hubstack.files.errors import HubstackError
from hubstack.inputs.pulumi_config import SECRET_PLACEHOLDER
from hubstack.inputs.stack import Stack
from hubstack.plan import Plan
from hubstack.planner.inputs import StackInputs
from hubstack.planner.planner import plan_inputs


def plan_stack() -> Plan:
    """Return the plan of the running stack, from its config and the files of its project.

    Raises:
        RunError: the files are invalid, or the plan is over its budget.
    """
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
    return plan
