# SPDX-License-Identifier: Apache-2.0
"""When GKE may upgrade: what the setting becomes, and what GKE would refuse."""

from typing import Any

import pytest

from hubstack.inputs.maintenance import EXAMPLE, read_window
from hubstack.inputs.settings import read_target
from hubstack.plan.settings import MaintenancePlan

BASE = {"gcp:project": "acme-models", "gcp:region": "us-central1"}


def test_a_window_over_midnight_ends_on_the_next_day() -> None:
    assert read_window({"days": ["SU", "SA"], "start": "22:30", "hours": 6}) == MaintenancePlan(
        start_time="2026-01-01T22:30:00Z", end_time="2026-01-02T04:30:00Z", recurrence="FREQ=WEEKLY;BYDAY=SA,SU"
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"days": ["SA"], "start": "02:00", "hours": 8}, "holds 32 hours in 4 weeks"),
        ({"days": ["SA", "SA"], "start": "02:00", "hours": 8}, "holds 32 hours in 4 weeks"),
        (
            {"days": ["SA", "SU"], "start": "02:00", "hours": 3},
            "`hours` must be at least 4",
        ),
        ({"days": ["SAT"], "start": "02:00", "hours": 12}, "item 1 of `days` must be one of MO"),
        ({"days": ["SA"], "start": "24:00", "hours": 12}, '`start` may not be `"24:00"`'),
        ({"days": ["SA"], "start": "02:00", "hours": 12, "tz": "CET"}, "unknown key `tz`"),
        ({"days": ["SA"], "hours": 12}, "`start` is missing"),
        ("SA", "must be a mapping"),
    ],
)
def test_what_gke_would_refuse_is_refused_first(value: Any, said: str) -> None:
    found = read_window(value)
    assert isinstance(found, list)
    assert said in found[0]


def test_the_example_in_the_messages_is_a_good_one() -> None:
    target = read_target("dev", {**BASE, "hubstack:maintenanceWindow": EXAMPLE})
    assert target.maintenance is not None
