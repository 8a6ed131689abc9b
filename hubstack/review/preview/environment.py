# SPDX-License-Identifier: Apache-2.0
"""Previews a hubstack stack and names the affected models if its program fails.

Separate from `run`, which knows programs but not models.
"""

from typing import Any

from hubstack.files.errors import HubstackError, PreviewError
from hubstack.inputs.stack import Stack
from hubstack.plan import Plan
from hubstack.planner.inputs import StackInputs
from hubstack.planner.planner import plan_inputs
from hubstack.review.preview.graph import Graph
from hubstack.review.preview.run import preview


def preview_stack(stack: Stack, plan: Plan | None = None, **options: Any) -> Graph:
    """Run a stack's program and return the registered resources.

    Args:
        stack: read from its files.
        plan: the stack's plan, if already computed; used to name models in errors.
        options: passed to `preview`.

    Raises:
        InputError: the config is wrong.
        PreviewError: the program failed; names the resources and their models.
    """
    try:
        return preview(stack.project_dir, stack=stack.name, config=stack.source, **options)
    except PreviewError as error:
        keys: set[str] = set()
        if error.resources:
            try:
                plan = plan or plan_inputs(StackInputs.of(stack))
            except HubstackError:
                raise error from None
            keys = {key for name in error.resources for key in models_of(name, plan)}
        if not keys:
            raise
        raise PreviewError(f"{error}\n(model {', '.join(sorted(keys))})", error.resources) from None


def models_of(name: str, plan: Plan) -> tuple[str, ...]:
    """Return the keys of the models that a resource serves; empty for stack-level resources.

    Args:
        name: the resource's logical name. It starts with the key of its model or node pool; a node pool serves the
            models on it (docs/concepts/identity.md).
        plan: the plan of the stack.
    """
    owners = {model.key: (model.key,) for model in plan.models}
    owners |= {pool.key: pool.models for pool in plan.pools}
    owners |= {
        f"class-{each.key}": tuple(model.key for model in plan.models if model.capacity_class == each.key)
        for each in plan.classes
    }
    found = [key for key in owners if name == key or name.startswith(f"{key}-")]
    return owners[max(found, key=len)] if found else ()
