# SPDX-License-Identifier: Apache-2.0
"""Time and memory of planning 100 to 10,000 distinct models (benchmarks/stacks.py).

Goal: at most 1 s for 1,000 models. The growth from row to row is what to compare between machines. The whole command reads
list and lock, plans, and prints its tables.
"""

import gc
import math
import tempfile
import time
from pathlib import Path

from benchmarks.processes import table, write_page
from benchmarks.stacks import build, cost, make_project, write_stack
from hubstack.planner.planner import plan_stack
from tests.support.facts import catalog, target

SIZES = (100, 300, 1000, 3000, 10_000)
COMMAND_SIZES, RUNS = (10, 100, 1000), 5


def planning_s(size: int) -> float:
    """Return the minimum CPU seconds of several runs of `plan_stack` alone."""
    request, lock = build(size)

    def once() -> float:
        start = time.process_time()
        plan_stack(request, lock, catalog(), target())
        return time.process_time() - start

    return min(once() for _ in range(RUNS))


def command_s(size: int, project: Path) -> float:
    """Return CPU seconds of `hubstack plan`."""
    write_stack(project / f"stack-{size}", size)
    return min(cost(project, "plan", f"stack-{size}").cpu_s for _ in range(RUNS))


def main() -> None:
    gc.set_threshold(100_000, 50, 100)  # as the command does
    planning_s(10)
    rows: list[list[str]] = []
    before: tuple[int, float] | None = None
    for size in SIZES:
        seconds = planning_s(size)
        growth = f"{math.log(seconds / before[1]) / math.log(size / before[0]):.2f}" if before else ""
        rows.append([f"{size:,}", f"{seconds:.2f}", f"{seconds / size * 1000:.2f}", growth])
        before = size, seconds
    with tempfile.TemporaryDirectory() as folder:
        project = make_project(Path(folder))
        whole = [[f"{size:,}", f"{command_s(size, project):.2f}"] for size in COMMAND_SIZES]
    write_page(
        "plan_speed",
        "Planning many models",
        f"CPU time of planning alone, with list and lock in memory (the least of {RUNS} runs):",
        table(["models", "s", "s per 1,000", "growth (exponent since the row above)"], *rows),
        f"CPU time of `hubstack plan`, the process: start, reading of list and lock, planning, tables (the least of {RUNS}):",
        table(["models", "s"], *whole),
    )


if __name__ == "__main__":
    main()
