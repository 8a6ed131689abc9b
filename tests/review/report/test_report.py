# SPDX-License-Identifier: Apache-2.0
"""What a terminal shows of models beside GKE; the rest is in tests/cli/test_cli.py and the README."""

import io

from rich.console import Console

from hubstack.kinds import PlatformKind
from hubstack.review.report import report
from tests.support.facts import ask, hub, llama, plan

SMALL, EMBED = "Qwen/Qwen3-4B-Instruct-2507", "Qwen/Qwen3-Embedding-0.6B"
LIGHT = (hub(SMALL), ask(SMALL, platform=PlatformKind.CLOUD_RUN, replicas={"min": 0}))
GARDEN = (hub(EMBED), ask(EMBED, platform=PlatformKind.VERTEX))


def printed(part: object) -> str:
    console = Console(width=200, file=io.StringIO())
    console.print(part)
    return console.file.getvalue()


def test_the_table_names_the_place_of_models_beside_gke_only() -> None:
    table = printed(report.plan_table(plan(LIGHT, GARDEN, llama())))
    assert "1 x l4 on cloud-run" in table
    assert "1 x l4 on vertex" in table
    (gke,) = [line for line in table.splitlines() if line.startswith("llama")]
    assert " on " not in gke


def test_the_rows_of_the_plan_add_up_to_its_total() -> None:
    decided = plan(hub("Qwen/Qwen3-4B-Instruct-2507"), llama())
    rows = [line.split() for line in printed(report.plan_table(decided)).splitlines()]
    amounts = {row[0]: int(row[-1].replace(",", "")) for row in rows[1:]}
    total = amounts.pop("total")
    assert "GKE" in amounts, "the control plane has a row"
    assert sum(amounts.values()) == total


def test_rounded_amounts_add_up_to_the_rounded_sum_and_differ_by_less_than_a_dollar() -> None:
    amounts = [0.5, 0.5, 0.5, 73.49, 1032.2, 0.0]
    rounded = report.whole_dollars(amounts)
    assert sum(rounded) == round(sum(amounts))
    assert all(abs(each - amount) < 1 for each, amount in zip(rounded, amounts, strict=True))


def test_a_narrow_table_names_its_missing_columns_and_cuts_no_name() -> None:
    table = report.plan_table(plan(hub("Qwen/Qwen3-4B-Instruct-2507")))
    console = Console(width=60, record=True)
    console.print(table)
    text = console.export_text()
    assert "qwen3-4b-instruct-2507" in text
    assert "Not shown at this width: memory, context, replicas." in text


def test_what_has_no_price_is_unknown_and_not_nothing() -> None:
    decided = plan(GARDEN)
    (row,) = [line for line in printed(report.plan_table(decided)).splitlines() if line.startswith("qwen3-emb")]
    assert row.rstrip().endswith("unknown")
    notes = report.cost_notes(decided)
    assert "unknown" in notes.splitlines()[0]
    assert " 0 USD" not in notes


def test_a_service_is_shown_with_its_instance_rate_and_who_reaches_it() -> None:
    row = printed(report.service_table(plan(LIGHT, llama()).models)).splitlines()[1]
    for part in ("nvidia-l4, 4 vCPU, 16 GiB", "0-1", "1.0465", "run-sku, 2026-08", "internal"):
        assert part in row


def test_the_break_even_is_among_the_reasons_of_a_plan() -> None:
    assert "break-even: Cloud Run costs $1.0465 an hour" in report.why_lines(plan(LIGHT))
    assert "break-even" not in report.why_lines(plan(llama()))


def test_an_explanation_shows_the_break_even_of_both_sides() -> None:
    light, gke = (printed(report.explanation(plan(each).models[0])) for each in (LIGHT, hub(SMALL)))
    assert "break-even" in light
    assert "on cloud-run" in light.splitlines()[0]
    assert "If it were the cluster's only model" in " ".join(gke.split())


def test_models_that_are_warned_of_the_same_share_a_line() -> None:
    warned = ["a: no pooling file", "the list is long: shorten it", "b: no pooling file", "c: old scan"]
    assert report.group_warnings(warned) == ["a, b: no pooling file", "the list is long: shorten it", "c: old scan"]
    many = [f"m{number}: no pooling file" for number in range(100)]
    (line,) = report.group_warnings(many)
    assert line.startswith("m0, m1, ")
    assert line.endswith(" more: no pooling file")
