# SPDX-License-Identifier: Apache-2.0
"""When GKE may upgrade: what the setting becomes, and what GKE would refuse."""

import json
from typing import Any

import pytest

from hubstack.files.errors import InputError
from hubstack.inputs.maintenance import EXAMPLE
from hubstack.inputs.settings import read_settings
from hubstack.plan.settings import MaintenancePlan

BASE = {"gcp:project": "acme-models", "gcp:region": "us-central1"}


def read(value: Any) -> MaintenancePlan | None:
    return read_settings("dev", {**BASE, "hubstack:maintenanceWindow": json.dumps(value)}).maintenance


def test_a_window_over_midnight_ends_on_the_next_day() -> None:
    assert read({"days": ["SU", "SA"], "start": "22:30", "hours": 6}) == MaintenancePlan(
        start_time="2026-01-01T22:30:00Z", end_time="2026-01-02T04:30:00Z", recurrence="FREQ=WEEKLY;BYDAY=SA,SU"
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"days": ["SA"], "start": "02:00", "hours": 8}, "allows 32 hours in 4 weeks"),
        ({"days": ["SA", "SA"], "start": "02:00", "hours": 12}, "contains `SA` more than once"),
        (
            {"days": ["SA", "SU"], "start": "02:00", "hours": 3},
            "`hubstack:maintenanceWindow.hours` must be at least 4",
        ),
        (
            {"days": ["SAT"], "start": "02:00", "hours": 12},
            "item 1 of `hubstack:maintenanceWindow.days` must be one of MO",
        ),
        (
            {"days": ["SA"], "start": "24:00", "hours": 12},
            '`hubstack:maintenanceWindow.start` may not be `"24:00"`',
        ),
        ({"days": ["SA"], "start": "02:00", "hours": 12, "tz": "CET"}, "unknown key `tz`"),
        ({"days": ["SA"], "hours": 12}, "`start` is missing"),
        ("SA", "must be a mapping"),
    ],
)
def test_what_gke_would_refuse_is_refused_first(value: Any, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read(value)
    assert said in str(caught.value)


def test_the_example_in_the_messages_is_a_good_one() -> None:
    target = read_settings("dev", {**BASE, "hubstack:maintenanceWindow": EXAMPLE})
    assert target.maintenance is not None
