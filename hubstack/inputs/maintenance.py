# SPDX-License-Identifier: Apache-2.0
"""The stack setting `hubstack:maintenanceWindow`: when GKE may upgrade.

Owns its keys and GKE's requirements for a window: at least 48 hours in any 32 days, in blocks of at least 4 hours
(GKE docs, "Maintenance windows and exclusions").
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hubstack.inputs.setting_types import DISTINCT, LIST, refusal
from hubstack.plan.settings import MaintenancePlan

Day = Literal["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
_WEEK: Sequence[Day] = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
FIRST_DAY = "2026-01-01"
"""A recurrence needs a start date in the past; any date has the same effect."""
WEEKS, HOURS_NEEDED, SHORTEST_HOURS = 4, 48, 4
"""Whole weeks in any 32 days, the hours that they must contain, and the shortest window in hours."""
EXAMPLE = '{"days":["SA","SU"],"start":"02:00","hours":8}'


class MaintenanceWindow(BaseModel):
    """The weekly window in which GKE may upgrade."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)

    days: Annotated[tuple[Day, ...], LIST, Field(min_length=1, max_length=7), DISTINCT]
    """Days on which the window opens: MO, TU, WE, TH, FR, SA, SU."""
    start: str = Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")
    """Time of day in UTC, in quotes: `"02:00"`."""
    hours: int = Field(ge=SHORTEST_HOURS, le=24)
    """Length of the window in hours."""

    @model_validator(mode="after")
    def _is_enough(self) -> "MaintenanceWindow":
        total = WEEKS * self.hours * len(self.days)
        if total < HOURS_NEEDED:
            raise refusal(
                f"allows {total} hours in 4 weeks, but GKE needs {HOURS_NEEDED} in any 32 days: add days or hours"
            )
        return self

    @property
    def plan(self) -> MaintenancePlan:
        """The window as part of a plan."""
        start = datetime.fromisoformat(f"{FIRST_DAY}T{self.start}:00+00:00")
        return MaintenancePlan(
            start_time=_text(start),
            end_time=_text(start + timedelta(hours=self.hours)),
            # In weekday order, so that reordering the setting changes nothing.
            recurrence=f"FREQ=WEEKLY;BYDAY={','.join(day for day in _WEEK if day in self.days)}",
        )


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
