# SPDX-License-Identifier: Apache-2.0
"""When GKE may upgrade: the setting `hubstack:maintenanceWindow` as the recurrence that GKE takes.

Owns its rules. GKE's own: at least 48 hours of window in any 32 days, in pieces of at least 4 hours
(https://docs.cloud.google.com/kubernetes-engine/docs/concepts/maintenance-windows-and-exclusions).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hubstack.files.documents import Document
from hubstack.files.schema_errors import schema_problems
from hubstack.plan.settings import MaintenancePlan

Day = Literal["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
_WEEK: Sequence[Day] = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
FIRST_DAY = "2026-01-01"
"""A recurrence needs a first day in the past; which one has no effect."""
WEEKS, HOURS_NEEDED, SHORTEST_HOURS = 4, 48, 4
"""Whole weeks of any 32 days, what they must hold, and the shortest piece of it."""
EXAMPLE = '{"days":["SA","SU"],"start":"02:00","hours":8}'


class _Window(BaseModel):
    """`{days: [SA, SU], start: "02:00", hours: 8}`; UTC."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    days: Annotated[list[Day], Field(min_length=1, max_length=7)]
    start: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    hours: Annotated[int, Field(ge=SHORTEST_HOURS, le=24)]


def read_window(value: Any) -> MaintenancePlan | list[str]:
    """Return the window, or a sentence about each thing that is wrong with it."""
    try:
        window = _Window.model_validate(value)
    except ValidationError as error:
        found = schema_problems(Document("", value, {}, {}), error, _Window, EXAMPLE)
        return [f"is wrong: {each.message}".replace("is wrong: the file must", "must", 1) for each in found]
    total = WEEKS * window.hours * len(set(window.days))
    if total < HOURS_NEEDED:
        return [
            f"holds {total} hours in 4 weeks; GKE wants {HOURS_NEEDED} in any 32 days: more days, or more hours"
        ]
    start = datetime.fromisoformat(f"{FIRST_DAY}T{window.start}:00+00:00")
    return MaintenancePlan(
        start_time=_text(start),
        end_time=_text(start + timedelta(hours=window.hours)),
        # In the order of the week, so that another order of the setting changes nothing.
        recurrence=f"FREQ=WEEKLY;BYDAY={','.join(day for day in _WEEK if day in window.days)}",
    )


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
