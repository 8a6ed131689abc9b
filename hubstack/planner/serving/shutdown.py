# SPDX-License-Identifier: Apache-2.0
"""How a server shuts down without interrupting responses.

Owns three durations: how long it still accepts requests, how long it finishes responses, and the grace period that
covers both. Does not own how an engine is stopped (its row in catalog/engines.yaml) or how long a response takes
(`hubstack.planner.serving.container`). Behaviour per engine: docs/concepts/serving.md, "Stopping".
"""

from dataclasses import dataclass

from hubstack.catalog import Engine, Termination
from hubstack.inputs.models import ModelRequest
from hubstack.kinds import CapacityKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Shutdown:
    """Shutdown durations in seconds."""

    pre_stop: int
    """Delay before the engine is signalled; it still serves, because load balancers still send requests."""
    drain: int
    """Time to finish responses after that."""
    grace: int
    """Total: both, plus the engine's exit."""


def plan_shutdown(engine: Engine, request: ModelRequest, answer_seconds: int, limits: Termination) -> Shutdown:
    """Return the shutdown durations, within the limits of platform and capacity kind.

    An engine without draining spends the whole time in the delay before the signal: it keeps serving, and new
    requests stop once load balancers have removed it.
    """
    total, pre_stop = _allowance(request, limits)
    if total is None:
        total = pre_stop + answer_seconds + limits.exit_seconds
    if not engine.drains:
        pre_stop = total - limits.exit_seconds if pre_stop else 0
    return Shutdown(pre_stop=pre_stop, drain=max(total - pre_stop - limits.exit_seconds, 0), grace=total)


def _allowance(request: ModelRequest, limits: Termination) -> tuple[int | None, int]:
    """Return the total time in seconds (None if unlimited) and the delay before the engine is signalled."""
    if request.settings.platform in limits.total_seconds:  # these stop sending requests before the signal
        return limits.total_seconds[request.settings.platform], 0
    if all(step.kind is CapacityKind.SPOT for step in request.settings.capacity):
        return limits.spot_total_seconds, limits.spot_pre_stop_seconds
    return None, limits.pre_stop_seconds
