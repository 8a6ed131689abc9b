# SPDX-License-Identifier: Apache-2.0
"""The shipped constants against sixty public measurements: what all of them show, these must show too."""

import math
from pathlib import Path
from statistics import median

import pytest

from benchmarks.throughput.judge import Judged, judge, measure
from benchmarks.throughput.rows import read_rows

ROWS = Path(__file__).with_name("rows.yaml")


@pytest.fixture(scope="module")
def judged() -> list[Judged]:
    rows, left = read_rows(ROWS)
    assert not left, f"rows without a prediction: {left}"
    return [judge(row) for row in rows]


@pytest.mark.parametrize(("has_experts", "most"), [(False, 0.22), (True, 0.30)])
def test_the_median_error_is_what_the_benchmark_demands(
    judged: list[Judged], has_experts: bool, most: float
) -> None:
    assert median(each.miss for each in judged if each.row.has_experts is has_experts) <= most


def test_nine_of_ten_are_right_within_a_factor_of_two_and_the_ranges_hold_seven_of_ten(
    judged: list[Judged],
) -> None:
    found = measure(judged)
    assert found is not None
    assert found.within_two >= 0.88
    assert found.held >= 0.70


def test_half_of_the_first_tokens_come_within_a_factor_of_two(judged: list[Judged]) -> None:
    errors = [each.first_error for each in judged if each.first_error is not None and each.row.callers <= 32]
    assert sum(abs(error) <= math.log(2) for error in errors) / len(errors) >= 0.55
