# SPDX-License-Identifier: Apache-2.0
"""How long planning takes: 100 to 10,000 models, of which no two are the same.

The models are those of tests/support/facts.yaml that a plan takes, each copy at a commit of its own, so that nothing is
surveyed once for several. Absolute times depend on the machine; the growth from row to row is what to compare.
"""

import math
import random
import time
from pathlib import Path

from hubstack.errors import PlanError
from hubstack.lock import Lock
from hubstack.planner import plan_stack
from hubstack.request import Request
from tests.support.facts import ask, catalog, hub, hub_ids, plan_one, target

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks" / "plan_speed.md"
SIZES = (100, 300, 1000, 3000, 10_000)


def planned() -> list[str]:
    """Return the models that one node takes whatever is asked of them below."""
    kept: list[str] = []
    for repo_id in hub_ids():
        try:
            plan_one(hub(repo_id), concurrency=8)
            kept.append(repo_id)
        except PlanError:
            continue
    return kept


def build(ids: list[str], size: int) -> tuple[Request, Lock]:
    rng = random.Random(size)
    facts, models = [], []
    for number in range(size):
        repo_id = rng.choice(ids)
        copy = hub(repo_id, id=f"{repo_id}-{number}", commit=f"{number:040x}")
        facts.append(copy)
        models.append(
            ask(copy.id, key=f"m{number:05d}", concurrency=rng.choice((1, 2, 4)), replicas_max=rng.choice((1, 2)))
        )
    return Request(path="x", models=tuple(models)), Lock(path="x", models=tuple(facts))


def main() -> None:
    ids = planned()
    plan_stack(*build(ids, 10), catalog(), target())
    lines = ["| models | s | s per 1,000 | growth (exponent since the row above) |", "| --- | --- | --- | --- |"]
    before: tuple[int, float] | None = None
    for size in SIZES:
        request, lock = build(ids, size)
        start = time.perf_counter()
        plan_stack(request, lock, catalog(), target())
        seconds = time.perf_counter() - start
        growth = f"{math.log(seconds / before[1]) / math.log(size / before[0]):.2f}" if before else ""
        lines.append(f"| {size:,} | {seconds:.2f} | {seconds / size * 1000:.2f} | {growth} |")
        before = size, seconds
    print("\n".join(lines))
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(
        "\n".join(["# Planning many models", "", "Written by `python -m benchmarks.plan_speed`.", "", *lines])
        + "\n"
    )


if __name__ == "__main__":
    main()
