# SPDX-License-Identifier: Apache-2.0
"""Write where each model stands, so that a later model moves no other.

Owns what `hubstack place` and the end of `hubstack lock` do with the placement file. Does not own the choice
(`hubstack.planner.planner`).
"""

from collections.abc import Mapping

from hubstack.inputs.renames import present_keys
from hubstack.planner.inputs import StackInputs
from hubstack.planner.placement.placement_file import Place, write_placement
from hubstack.planner.planner import places_of, plan_inputs


def write_places(inputs: StackInputs, *, rebalance: bool = False, check: bool = False) -> list[str]:
    """Place every model and write the file where it changes; return one line for each model that is new or moves.

    Args:
        inputs: the stack's files.
        rebalance: place all models anew, rather than leave them where they are.
        check: write nothing.

    Raises:
        InputError: every problem found; nothing was written.
    """
    plan = plan_inputs(inputs, rebalance=rebalance)
    places = places_of(plan)
    lines = differences(inputs.placement.models, places, present_keys(plan.models))
    if lines and not check:
        write_placement(inputs.placement_path, places)
    return lines


def differences(before: Mapping[str, Place], after: Mapping[str, Place], present: Mapping[str, str]) -> list[str]:
    """Return one line for each model that is placed, leaves, moves or is renamed, as `KEY: what`.

    Args:
        before: by the keys that models had.
        after: by the keys that they have.
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
