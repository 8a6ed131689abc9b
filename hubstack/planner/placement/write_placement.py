# SPDX-License-Identifier: Apache-2.0
"""Write the placement file, so that adding a model later does not move existing ones.

Owns what `hubstack place` and the end of `hubstack lock` do with the placement file. Does not own the choice
(`hubstack.planner.planner`).
"""

from collections.abc import Mapping

from hubstack.inputs.renames import current_keys
from hubstack.planner.inputs import StackInputs
from hubstack.planner.placement.placement_file import Place, write_placement
from hubstack.planner.planner import places_of, plan_inputs


def write_places(inputs: StackInputs, *, rebalance: bool = False, check: bool = False) -> list[str]:
    """Place every model, write the file if it changed, and return one line per changed model.

    Args:
        inputs: the stack's files.
        rebalance: place all models again instead of keeping their places.
        check: do not write the file.

    Raises:
        InputError: all problems found; nothing was written.
    """
    plan = plan_inputs(inputs, rebalance=rebalance)
    places = places_of(plan)
    lines = differences(inputs.placement.models, places, current_keys(plan.models))
    if lines and not check:
        write_placement(inputs.placement_path, places)
    return lines


def differences(before: Mapping[str, Place], after: Mapping[str, Place], present: Mapping[str, str]) -> list[str]:
    """Return one line `KEY: what` for each model that is placed, removed, moved or renamed.

    Args:
        before: places by the models' earlier keys.
        after: places by the models' current keys.
        present: former key to present key.
    """
    renamed = {present[key]: key for key in before if present.get(key, key) not in before}
    before = {present.get(key, key) if key in renamed.values() else key: place for key, place in before.items()}
    lines = [f"{key}: renamed from {former}" for key, former in sorted(renamed.items())]
    for key in sorted({*before, *after}):
        old, new = before.get(key), after.get(key)
        if old is None and new is not None:
            lines.append(f"{key}: placed on {_said(new)}")
        elif new is None and old is not None:
            lines.append(f"{key}: removed from {_said(old)}")
        elif old != new and old is not None and new is not None:
            lines.append(f"{key}: moves from {_said(old)} to {_said(new)}")
    return lines


def _said(place: Place) -> str:
    part = f"1/{place.servers_per_accelerator} of " if place.servers_per_accelerator > 1 else ""
    nodes = f"{place.nodes} x " if place.nodes > 1 else ""
    return f"{part}{nodes}{place.machine_type} ({place.accelerators} of its accelerators)"
