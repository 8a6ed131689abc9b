# SPDX-License-Identifier: Apache-2.0
"""What the other models of a list would get where some are refused: shown, never deployed.

Owns which models are left out. Does not own the refusals (`hubstack.planner.planner`).
"""

from dataclasses import replace

from hubstack.files.errors import InputError
from hubstack.inputs.models import Request
from hubstack.plan import Plan
from hubstack.planner.inputs import StackInputs
from hubstack.planner.planner import plan_inputs


def plan_others(
    inputs: StackInputs, refused: InputError, *, rebalance: bool = False
) -> tuple[Plan | None, tuple[InputError, ...]]:
    """Plan the models that no error is about.

    Args:
        inputs: of the whole list.
        refused: what the whole list was refused for.
        rebalance: see `plan_inputs`.

    Returns:
        Their plan, None where none is left or where the error is about the whole list; and every error.
    """
    errors, request = [refused], inputs.request
    while errors[-1].models:
        left = _without(request, errors[-1].models)
        if not left.models or len(left.models) == len(request.models):
            break
        request = left
        try:
            return plan_inputs(replace(inputs, request=request), rebalance=rebalance), tuple(errors)
        except InputError as error:
            errors.append(error)
    return None, tuple(errors)


def _without(request: Request, keys: frozenset[str]) -> Request:
    """Leave models out, and the canaries of those."""
    kept = tuple(model for model in request.models if model.key not in keys and model.canary_of not in keys)
    return replace(request, models=kept)
