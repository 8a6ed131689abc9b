# SPDX-License-Identifier: Apache-2.0
"""`python -m benchmarks.sizing`: hubstack's sizing and today's common tools, compared with real engine starts.

Reads ../shared/facts, which is beside the checkout and no part of it.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.sizing import rivals
from benchmarks.sizing.judge import Estimate, Score, hubstack, logged_tokens, score
from benchmarks.sizing.rows import SHARED, Judged, read_rows

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks" / "sizing.md"
TOOLS: dict[str, Callable[[Judged], Estimate]] = {
    "hubstack": hubstack,
    "hf-mem": rivals.hf_mem,
    "accelerate estimate-memory": rivals.accelerate,
    "weights x 1.2": rivals.times_one_point_two,
}
NOTES = """
How to read it:

- hf-mem and x 1.2 are given hubstack's bytes of each checkpoint, and their total is split among the ranks for them, which none of them does
  itself: what is left between them and hubstack is what ranks hold whole and what a TPU leaves out.
- The rows are of some 60 hosts, several boots of one host among them: they are not independent. Some of the code's constants by class (sampler,
  indexer of DeepSeek-V4, what lies outside the share) were read from the same collection, so this is partly a fit; no constant is of a row or a model.
- An engine version that a source does not give is taken from how the row prints its tokens, or as before 0.21 (no graph estimate). NIM with
  recurrent layers is taken as the V0 engine, since V1 had none then; six rows hang on it.
- Sequences and tokens of a step that a row does not name are vLLM's defaults by memory: larger from 70 GiB on, but not on A100 and GB10.
- Boots of V0 with images are left out of the pool: it profiled an image for every sequence, which no engine does any more (we would miss by a factor).
- "Uncertain" counts as caught for a boot that failed, and as not refused for one that started.
"""
TARGETS = ("<= 0.5 %", "<= 2 %", ">= 88 %", ">= 95 %", "0 %")


def percent(value: float | None) -> str:
    return "gives none" if value is None else f"{value:.1%}"


def main() -> None:
    if not SHARED.is_dir():
        sys.exit(f"{SHARED} is not there: the boots are collected beside the checkout, not in it")
    rows, left = read_rows()
    scores = {name: score(rows, estimate) for name, estimate in TOOLS.items()}
    lines = [
        "# Sizing against real boots",
        "",
        "Written by `python -m benchmarks.sizing`.",
        "",
        *table(scores, scores["hubstack"]),
        NOTES.strip(),
        "",
        *details(scores["hubstack"]),
        *unjudged(rows, left, scores["hubstack"]),
    ]
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text("\n".join(lines) + "\n")
    print("\n".join(lines[4:13]))
    print(f"{len(rows)} rows judged, {len(left)} not; the rows are in {PAGE.relative_to(PAGE.parents[2])}")


def table(scores: dict[str, Score], ours: Score) -> list[str]:
    measures = (
        f"weights per rank, median error ({len(ours.weights)} rows)",
        f"KV tokens, median error ({len(ours.tokens)} rows)",
        "KV tokens within 10 %",
        f"failed boots refused or called uncertain ({len(ours.failed)} rows)",
        f"good boots refused ({len(ours.started)} rows)",
    )
    figures = [scores[name].figures() for name in scores]
    lines = [f"| measure | to reach | {' | '.join(scores)} |", f"| --- | --- |{' --- |' * len(scores)}"]
    for at, measure in enumerate(measures):
        lines.append(f"| {measure} | {TARGETS[at]} | {' | '.join(percent(each[at]) for each in figures)} |")
    return [*lines, ""]


def details(ours: Score) -> list[str]:
    lines = ["## Weights, GiB a rank", "", "| row | predicted | printed | error |", "| --- | --- | --- | --- |"]
    lines += [f"| {name} | {p:.2f} | {log:.2f} | {p / log - 1:+.1%} |" for name, p, log in ours.weights]
    lines += ["", "## KV tokens", "", "| row | predicted | printed | error |", "| --- | --- | --- | --- |"]
    lines += [f"| {name} | {p:,.0f} | {log:,.0f} | {p / log - 1:+.1%} |" for name, p, log in ours.tokens]
    lines += ["", "## Verdicts", "", "| row | it | hubstack |", "| --- | --- | --- |"]
    lines += [f"| {name} | failed | {verdict} |" for name, verdict in ours.failed]
    lines += [f"| {name} | started | {verdict} |" for name, verdict in ours.started]
    return [*lines, ""]


def unjudged(rows: list[Judged], left: list[tuple[dict, str]], ours: Score) -> list[str]:
    lines = ["## Not judged, or only in part", "", "| row | why |", "| --- | --- |"]
    lines += [f"| {row['id']} | {why} |" for row, why in left]
    judged = {name for name, _, _ in ours.tokens}
    for row in rows:
        if row.missing:
            lines.append(f"| {row.row['id']} | weights only; not said: {', '.join(row.missing)} |")
        elif row.missing_pool:
            lines.append(f"| {row.row['id']} | no tokens; not said: {', '.join(row.missing_pool)} |")
        elif row.reported.get("kv_cache_tokens") and row.row["outcome"] == "ok" and row.row["id"] not in judged:
            why = "one cache group is printed" if logged_tokens(row) is None else "hubstack gives no cache"
            lines.append(f"| {row.row['id']} | no tokens; {why} |")
    return lines


if __name__ == "__main__":
    main()
