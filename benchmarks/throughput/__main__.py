# SPDX-License-Identifier: Apache-2.0
"""`python -m benchmarks.throughput [--rows FILE] [--fit] [--families]`: the throughput predictor compared with public measurements.

Without an option it judges ../shared/facts/throughput.yaml, which is beside the checkout and no part of it, and writes
docs/benchmarks/throughput.md. `--rows` judges other rows and only prints. `--fit` fits the constants first (numpy, scipy).
"""

import argparse
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median, quantiles

import yaml

from benchmarks.throughput.beside import ANSWERS
from benchmarks.throughput.judge import (
    Judged,
    Measures,
    by,
    family,
    first_token_within_two,
    judge,
    measure,
    order,
    without_own_family,
    without_own_model,
)
from benchmarks.throughput.rows import ROWS, Measured, read_rows

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks" / "throughput.md"
MANY = 20
NOTES = """
How to read it:

- *Fitted*: rows of this collection with the constants that hubstack ships, which were fitted to them. *Model left out*: the same rows, each with constants
  fitted without any row of its model (twins with the same geometry count as one model): what to expect of a model that nobody measured.
- *Family left out*: constants fitted without any row of the model's family (all Qwen, all Llama ...), whose members share much of their architecture.
- A row is judged by its output tokens a second, by its time per token where it gives no throughput. The error of half as fast is that of twice as fast.
- The engines' defaults stand in for what a row leaves out; a batch is what the sizing says the memory holds.
- 80 % ranges are the 10th and the 90th percentile of the errors with the model left out, by class; they hold more of the fitted rows than that.
- *Noise*: rows of the same model, accelerator, layout, engine, format, lengths and callers, of another date or release.
"""


def main() -> None:
    """Evaluate the rows, print the measures and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("--rows", type=Path, default=ROWS, help="rows in the form of throughput.yaml")
    parser.add_argument("--fit", action="store_true", help="fit the constants first")
    parser.add_argument("--families", action="store_true", help="fit without each family, which takes minutes")
    asked = parser.parse_args()
    if not asked.rows.is_file():
        sys.exit(f"{asked.rows} is not there: the measurements are collected beside the checkout, not in it")
    rows, left = read_rows(asked.rows)
    if asked.fit:
        from benchmarks.throughput.learn import learn  # noqa: PLC0415  numpy and scipy are only needed here

        learn(rows)
    if asked.families:
        from benchmarks.throughput.learn import leave_families_out  # noqa: PLC0415  numpy and scipy as well

        leave_families_out(rows)
    left += [(row.row["id"], "quality C: incomplete or not comparable") for row in rows if row.quality == "C"]
    judged = [judge(row) for row in rows if row.quality != "C"]
    is_ours = asked.rows == ROWS
    lines = page(judged, without_own_model(judged) if is_ours else [], left)
    if is_ours:
        PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    print(f"{len(judged)} rows judged, {len(left)} not")


def page(judged: Sequence[Judged], out: Sequence[Judged], left: Sequence[tuple[str, str]]) -> list[str]:
    """Return the lines of the page."""
    columns = [("fitted" if out else "these rows", judged), *([("model left out", out)] if out else [])]
    return [
        "# Throughput against public measurements",
        "",
        "Written by `python -m benchmarks.throughput`.",
        "",
        *_summary(columns),
        NOTES.strip(),
        "",
        *_noise([each.row for each in judged]),
        *_pairs(columns),
        *_classes(columns),
        *_models(columns),
        *(_families(judged, columns[1][1]) if out else []),
        *(_beside(out) if out else []),
        *_unjudged(left),
        *_sources(judged),
    ]


def _summary(columns: Sequence[tuple[str, Sequence[Judged]]]) -> list[str]:
    lines = [
        f"| measure | must hold | aim | {' | '.join(name for name, _ in columns)} |",
        f"| --- | --- | --- |{' --- |' * len(columns)}",
    ]

    def line(name: str, must: str, aim: str, cells: Sequence[str]) -> None:
        lines.append(f"| {name} | {must} | {aim} | {' | '.join(cells)} |")

    for name, has_experts, must, aim, widths in (
        ("dense", False, "22 %; 55 %", "15 %; 40 %", ("2.5", "2")),
        ("mixture of experts", True, "30 %; 85 %", "22 %; 60 %", ("4", "3")),
    ):
        found = [measure([e for e in each if e.row.has_experts is has_experts]) for _, each in columns]
        line(
            f"{name} ({found[0].rows if found[0] else 0} rows): median error; 80th percentile",
            must,
            aim,
            [f"{m.median:.0%}; {m.p80:.0%}" if m else "-" for m in found],
        )
        line(
            f"{name}: width of the 80 % range",
            widths[0],
            widths[1],
            [f"{m.width:.2f}" if m else "-" for m in found],
        )
    whole = [measure(each) for _, each in columns]
    line("within a factor of two", "0.88", "0.93", [f"{m.within_two:.2f}" if m else "-" for m in whole])
    line(
        "largest bias of an accelerator and engine with 20 rows",
        "20 %",
        "10 %",
        [_worst(each) for _, each in columns],
    )
    line(
        "the 80 % range holds the row: least of the classes",
        "70 %",
        "75 to 88 %",
        [_least(each) for _, each in columns],
    )
    line(
        "order of two layouts that differ by more than 25 %",
        "94 %",
        "97 %",
        [f"{order(each)[1]:.1%}" for _, each in columns],
    )
    first = [first_token_within_two(columns[0][1])]
    line(
        f"first token within a factor of two, at most 32 callers ({first[0][0]} rows)",
        "0.55",
        "0.70",
        [f"{first[0][1]:.2f}", *["-"] * (len(columns) - 1)],
    )
    return [*lines, ""]


def _pair(judged: Judged) -> str:
    return f"{judged.row.accelerator} / {judged.row.row['engine']}"


def _worst(judged: Sequence[Judged]) -> str:
    found = {name: m.bias for name, rows in by(judged, _pair).items() if len(rows) >= MANY and (m := measure(rows))}
    worst = max(found, key=lambda name: abs(found[name]), default=None)
    return f"{found[worst]:+.0%} ({worst})" if worst else "-"


def _least(judged: Sequence[Judged]) -> str:
    found = {name: m.held for name, rows in by(judged, lambda each: each.kind).items() if (m := measure(rows))}
    least = min(found, key=lambda name: found[name], default=None)
    return f"{found[least]:.0%} ({least})" if least else "-"


def _table(title: str, groups: Sequence[dict[str, list[Judged]]], columns: Sequence[str], least: int) -> list[str]:
    lines = [
        f"## {title}",
        "",
        f"| | rows |{''.join(f' {name}: median; 80th; within 2; bias; held |' for name in columns)}",
        f"| --- | --- |{' --- |' * len(columns)}",
    ]
    for name, rows in groups[0].items():
        if len(rows) < least:
            continue
        cells = [_cell(measure(each.get(name, []))) for each in groups]
        lines.append(f"| {name} | {len(rows)} | {' | '.join(cells)} |")
    return [*lines, ""]


def _cell(found: Measures | None) -> str:
    if found is None:
        return "-"
    return f"{found.median:.0%}; {found.p80:.0%}; {found.within_two:.2f}; {found.bias:+.0%}; {found.held:.0%}"


def _pairs(columns: Sequence[tuple[str, Sequence[Judged]]]) -> list[str]:
    return _table("By accelerator and engine", [by(each, _pair) for _, each in columns], [n for n, _ in columns], 2)


def _classes(columns: Sequence[tuple[str, Sequence[Judged]]]) -> list[str]:
    groups = [by(each, lambda one: f"{one.kind}, {one.row.mode}") for _, each in columns]
    return _table("By class", groups, [name for name, _ in columns], 2)


def _models(columns: Sequence[tuple[str, Sequence[Judged]]]) -> list[str]:
    groups = [by(each, lambda one: one.row.model) for _, each in columns]
    return _table("By model", groups, [name for name, _ in columns], 2)


def _families(judged: Sequence[Judged], models_out: Sequence[Judged]) -> list[str]:
    """Compare the error with a row's model left out with that of its whole family, its relatives too."""
    columns = ("model left out", "family left out")
    groups = [by(each, lambda one: family(one.row.model)) for each in (models_out, without_own_family(judged))]
    return _table("By family", groups, columns, 2)


def _beside(out: Sequence[Judged]) -> list[str]:
    """Compare with aiconfigurator on the rows that it answered, each with its model left out of hubstack's fit."""
    said = yaml.load(ANSWERS.read_bytes(), Loader=yaml.CSafeLoader)
    mine = [each for each in out if each.row.row["id"] in said]
    theirs = [replace(each, error=_their_error(each.row, *said[each.row.row["id"]])) for each in mine]
    groups = [by(each, lambda one: f"{one.row.row['accelerator']} / {one.row.engine}") for each in (mine, theirs)]
    whole = [{"all": list(each)} for each in (mine, theirs)]
    both = [first | second for first, second in zip(groups, whole, strict=True)]
    columns = ("hubstack, model left out", "aiconfigurator 0.12")
    return [
        *_table("Beside aiconfigurator", both, columns, 2),
        "aiconfigurator has measured kernels of these GPUs, and answers a sample of the rows with one replica "
        "(`python -m benchmarks.throughput.beside`); it gives no ranges, so *held* is of hubstack's. The sample is at most 6 rows of each accelerator and engine. "
        "Rows that it does not answer are not in its tables, need a model's config from the Hub, or do "
        "not fit by its memory model.",
        "",
    ]


def _their_error(row: Measured, tokens_per_second: float, token_ms: float) -> float:
    return math.log(tokens_per_second / row.value if row.is_output else 1e3 * row.value / token_ms)


def _noise(rows: Sequence[Measured]) -> list[str]:
    """Describe how far two measurements of one setup differ, which limits any prediction."""
    groups: dict[tuple[object, ...], list[float]] = defaultdict(list)
    for row in rows:
        said = row.row
        setup = (
            row.model,
            row.accelerator,
            row.layout,
            row.replicas,
            said["engine"],
            said["weights_format"],
            row.lengths,
            said["concurrency"],
            said["num_prompts"],
            said["request_rate"],
            row.is_output,
        )
        groups[setup].append(row.value)
    spread = [max(values) / min(values) - 1 for values in groups.values() if len(values) > 1]
    if len(spread) < 2:
        return []
    text = f"Noise: {len(spread)} set-ups were measured more than once; largest over smallest differ by {median(spread):.0%} in the"
    return [f"{text} median, {quantiles(spread, n=5)[3]:.0%} at the 80th percentile.", ""]


def _unjudged(left: Sequence[tuple[str, str]]) -> list[str]:
    lines = ["## Not judged", "", "| reason | rows | which |", "| --- | --- | --- |"]
    for reason, count in Counter(reason for _, reason in left).most_common():
        names = ", ".join(name for name, why in left if why == reason)
        lines.append(f"| {reason} | {count} | {names} |")
    return [*lines, ""]


def _sources(judged: Sequence[Judged]) -> list[str]:
    counts = Counter(each.row.row["source"].split("#")[0].split("@")[0] for each in judged)
    lines = ["## Sources", "", "Collected 2026-11; a row's identifier names its own page.", ""]
    lines += [f"- {source} ({count} rows)" for source, count in counts.most_common()]
    return lines


if __name__ == "__main__":
    main()
