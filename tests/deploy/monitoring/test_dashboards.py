# SPDX-License-Identifier: Apache-2.0
"""Dashboards hold what they should, laid out so that nothing overlaps. Proves nothing about their looks."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from hubstack.deploy.monitoring.dashboards import model_dashboard, stack_dashboard
from hubstack.kinds import EngineKind
from tests.support.observed import observed_plan, with_level
from tests.support.plans import CHAT

PLAN = observed_plan()
BOARDS = [stack_dashboard(PLAN), *(model_dashboard(PLAN, model) for model in PLAN.models)]


def titles(board: dict[str, Any]) -> list[str]:
    return [tile["widget"]["title"] for tile in board["mosaicLayout"]["tiles"]]


def text(board: dict[str, Any]) -> str:
    return str(board["mosaicLayout"]["tiles"][0]["widget"]["text"]["content"])


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board["displayName"])
def test_no_two_tiles_overlap_and_all_are_on_the_grid(board: dict[str, Any]) -> None:
    layout, taken = board["mosaicLayout"], set[tuple[int, int]]()
    for tile in layout["tiles"]:
        assert tile["xPos"] + tile["width"] <= layout["columns"] == 48
        cells = set(
            product(
                range(tile["xPos"], tile["xPos"] + tile["width"]),
                range(tile["yPos"], tile["yPos"] + tile["height"]),
            )
        )
        assert not cells & taken
        taken |= cells
    assert len(layout["tiles"]) <= 40


def test_a_generating_model_has_every_chart() -> None:
    assert titles(model_dashboard(PLAN, PLAN.models[0])) == [
        "hubstack test: chat",
        "Time to first token",
        "Time between tokens",
        "Request duration",
        "Requests per second",
        "Error budget burn rate over 1h",
        "Requests waiting and running",
        "KV cache in use",
        "Tokens per second",
        "Replicas",
        "Card utilization",
        "Card memory in use",
        "Restarts",
    ]


def test_what_an_engine_does_not_measure_has_no_chart_and_a_reason() -> None:
    model = with_level(CHAT, EngineKind.LLAMA_CPP)
    board = model_dashboard(PLAN, model)
    assert not {"Time to first token", "KV cache in use", "Requests per second"} & set(titles(board))
    assert "No chart for kv cache usage: newer builds export none." in text(board)


def test_a_shared_card_is_not_charted_by_container() -> None:
    board = model_dashboard(PLAN, replace(CHAT, servers_per_accelerator=4))
    assert not [title for title in titles(board) if title.startswith("Card")]
    assert "shared GPUs" in text(board)


def test_the_promise_is_a_line_at_the_bucket_that_is_watched() -> None:
    tile = model_dashboard(PLAN, PLAN.models[0])["mosaicLayout"]["tiles"][1]["widget"]
    assert tile["xyChart"]["thresholds"] == [{"value": 2.5, "label": "95 % within", "targetAxis": "Y1"}]


def test_a_query_of_a_model_looks_at_no_other() -> None:
    for tile in model_dashboard(PLAN, PLAN.models[0])["mosaicLayout"]["tiles"][1:]:
        for data in tile["widget"]["xyChart"]["dataSets"]:
            query = data["timeSeriesQuery"]["prometheusQuery"]
            assert 'model="chat"' in query or "chat-" in query or 'deployment="chat"' in query
            assert 'cluster="hubstack-test"' in query or 'cluster_name="hubstack-test"' in query


def test_the_stack_s_dashboard_does_not_grow_with_the_list() -> None:
    many = tuple(replace(PLAN.models[at % 4], key=f"model-{at:03}") for at in range(200))
    board = stack_dashboard(replace(PLAN, models=many))
    assert titles(board) == titles(BOARDS[0])
