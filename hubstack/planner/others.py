# SPDX-License-Identifier: Apache-2.0
"""The plan of a list's remaining models if some are refused: shown to the user, never deployed.

Owns which models are omitted. Does not own the refusals (`hubstack.planner.planner`).
"""

from dataclasses import replace

from hubstack.files.errors import InputError
from hubstack.inputs.models import Request
from hubstack.plan import Plan
from hubstack.planner.inputs import StackInputs
from hubstack.planner.planner import plan_inputs


def plan_valid_models(
    inputs: StackInputs, refused: InputError, *, rebalance: bool = False
) -> tuple[Plan | None, tuple[InputError, ...]]:
    """Plan the models without errors.

    Args:
        inputs: the inputs of the whole list.
        refused: the error of the whole list.
        rebalance: see `plan_inputs`.

    Returns:
        The plan, or None if no models remain or the error concerns the whole list; and all errors.
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
    """Return the request without these models and their canaries."""
    kept = tuple(model for model in request.models if model.key not in keys and model.canary_of not in keys)
    out = tuple(model for model in request.models if model not in kept)
    return replace(request, models=kept, left_out=(*request.left_out, *out))
