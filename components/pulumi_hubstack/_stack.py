# SPDX-License-Identifier: Apache-2.0
"""A stack's plan, inside a Pulumi program: from the running stack's config, or from settings made in code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi

from hubstack.files.errors import HubstackError
from hubstack.inputs.pulumi_config import SECRET_PLACEHOLDER, config_text
from hubstack.inputs.stack import Stack
from hubstack.plan import Plan
from hubstack.planner.inputs import StackInputs
from hubstack.planner.planner import plan_inputs


def plan_stack(
    settings: Mapping[str, Any] | None = None, *, folder: str | Path | None = None, name: str | None = None
) -> Plan:
    """Return the plan of a stack: what its settings, model list and lock decide.

    Args:
        settings: full key (`gcp:region`) to value, as in a settings file; by default the running stack's config.
        folder: the folder to which paths in the settings are relative; by default the Pulumi project's.
        name: name of the stack in the names of resources; by default the running stack's.

    Raises:
        RunError: the files are invalid, or the plan is over its budget and this is no preview.
    """
    config = _running_config() if settings is None else {key: config_text(each) for key, each in settings.items()}
    root = Path(folder) if folder is not None else Path(pulumi.runtime.get_root_directory())
    try:
        stack = Stack.of_program(root, name or pulumi.get_stack(), config)
        plan = plan_inputs(StackInputs.of(stack))
    except HubstackError as error:
        raise pulumi.RunError(str(error)) from None
    if plan.cost.over_budget_usd and not pulumi.runtime.is_dry_run():  # a preview shows it, with the warning
        raise pulumi.RunError(plan.warnings[0])
    return plan


def _running_config() -> dict[str, str]:
    secret_keys = pulumi.runtime.get_config_secret_keys_env()
    return {
        key: SECRET_PLACEHOLDER if key in secret_keys else value
        for key, value in pulumi.runtime.get_config_env().items()
    }
