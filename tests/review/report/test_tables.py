# SPDX-License-Identifier: Apache-2.0
"""At every width the required columns stay whole, and what is dropped is named."""

import io

import pytest
from rich.console import Console

from hubstack.review.report.tables import Column, FittedTable

KEYS = ("chat", "a-model-with-a-name-of-forty-characters-x")


def table(**changes: object) -> FittedTable:
    money = Column(name="USD a month", cells=("1", "23,456"), footer="23,457", is_number=True)
    return FittedTable(
        [
            Column(name="model", cells=KEYS, footer="total"),
            Column(name="engine", cells=("vllm", "tei"), rank=1),
            Column(name="memory (█ weights)", cells=("██░░", "█░░░"), rank=3),
            Column(name="why", cells=("the cheapest option", "asked for"), rank=2, is_wrapped=True),
            Column(name="empty", cells=("", "")),
            money,
        ]
    )


def printed(width: int) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(table())
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


@pytest.mark.parametrize("width", range(20, 130, 3))
def test_no_width_cuts_a_name_or_the_cost(width: int) -> None:
    text = printed(width)
    for word in (*KEYS, "23,456", "23,457", "total"):
        whole = [line for line in text.splitlines() if word in line]
        assert whole or len(word) > width, word
    assert "…" not in text


@pytest.mark.parametrize("width", range(50, 130, 3))
def test_a_line_is_never_wider_than_the_terminal(width: int) -> None:
    assert max(map(len, printed(width).splitlines())) <= width


def test_the_least_important_column_goes_first_and_is_named() -> None:
    widths = {
        name: min(w for w in range(40, 140) if name in printed(w).splitlines()[0]) for name in ("why", "memory")
    }
    assert widths["memory"] > widths["why"]
    assert "Not shown at this width: memory." in printed(widths["memory"] - 1)
    assert "Not shown" not in printed(widths["memory"])


def test_a_terminal_narrower_than_the_required_columns_gets_a_line_for_each_field() -> None:
    text = printed(44)
    assert "chat\n  engine: vllm\n  USD a month: 1\n" in text
    assert "total\n  USD a month: 23,457\n" in text


def test_a_column_without_any_value_is_left_out() -> None:
    assert "empty" not in printed(200)
