# SPDX-License-Identifier: Apache-2.0
"""How a server goes without cutting an answer short.

Owns the three times: how long it still takes requests, how long it finishes answers, and the grace that counts
both. Does not own how an engine is told (its row in catalog/engines.yaml) nor how long an answer takes
(`hubstack.planner.serving.container`). What is known of each engine: docs/concepts/serving.md, "Stopping".
"""

from dataclasses import dataclass

from hubstack.catalog import Engine, Termination
from hubstack.inputs.models import ModelRequest
from hubstack.kinds import CapacityKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Shutdown:
    """Seconds from the moment that a server is chosen to go."""

    pre_stop: int
    """Before the engine hears of it; it still answers, since balancers still send."""
    drain: int
    """For the answers that have begun, from then on."""
    grace: int
    """Both, and the engine's own end."""


def plan_shutdown(engine: Engine, request: ModelRequest, answer_seconds: int, limits: Termination) -> Shutdown:
    """Return how a server stops, within what its platform and capacity give.

    An engine that does not drain answers on during the whole of the wait before: new requests no longer come once
    the balancers know.
    """
    total, pre_stop = _allowance(request, limits)
    if total is None:
        total = pre_stop + answer_seconds + limits.exit_seconds
    if not engine.drains:
        pre_stop = total - limits.exit_seconds if pre_stop else 0
    return Shutdown(pre_stop=pre_stop, drain=max(total - pre_stop - limits.exit_seconds, 0), grace=total)


def _allowance(request: ModelRequest, limits: Termination) -> tuple[int | None, int]:
    """Return all the time that there is, None where nothing limits it, and the wait before the engine is told."""
    if request.platform in limits.total_seconds:  # which takes no more requests when it sends the signal
        return limits.total_seconds[request.platform], 0
    if all(step.kind is CapacityKind.SPOT for step in request.capacity):
        return limits.spot_total_seconds, limits.spot_pre_stop_seconds
    return None, limits.pre_stop_seconds
