# SPDX-License-Identifier: Apache-2.0
"""Preview of 10, 100 and 1,000 models, compared with a hand-written Pulumi program of the same resources.

Both run under the same monitor, one after the other; each run's graph is compared, so both registered the same.
The hand-written program is benchmarks/plain/program.py: it plans nothing and builds no object, but reads each from a
line of JSON. Goals: at most 1.10 of its time, 1.3 of its memory, and an exponent of growth of at most 1.05.

    python -m benchmarks.preview_scale [SIZE ...]
"""

import json
import math
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.plain.data import write_project
from benchmarks.processes import PROJECT, table, write_page
from benchmarks.stacks import STACK, cost, make_project, write_stack

RUNS = {10: 15, 100: 7, 1000: 3}
"""Rounds per size; a thousand models take a minute each."""
OURS, PLAIN = "hubstack", "hand-written"


def measured(project: Path, settings: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.plain.run", str(project), str(settings)]
    return json.loads(subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.PIPE, text=True).stdout)


def compare(size: int, folder: Path) -> dict[str, dict[str, float]]:
    """Run both programs alternately and return the minimum of each."""
    project, plain = make_project(folder / f"ours-{size}"), folder / f"plain-{size}"
    settings = write_stack(project / STACK, size)
    cost(project, "place", STACK)  # as `hubstack lock` does
    write_project(plain, project, STACK, settings)
    sides = {OURS: (project, settings), PLAIN: (plain, plain / settings.name)}
    rounds = [{name: measured(*where) for name, where in sides.items()} for _ in range(RUNS.get(size, 1))]
    for each in rounds:
        assert each[OURS]["digest"] == each[PLAIN]["digest"], "the two programs register different resources"
    least: dict[str, dict[str, float]] = {
        name: {
            key: min(each[name][key] for each in rounds)
            for key in ("program_s", "monitor_s", "program_mib", "resources")
        }
        for name in sides
    }
    least[OURS]["command_s"] = cost(project, "preview", STACK).cpu_s
    return least


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """Return the exponent: the slope of a line fitted to the logarithms."""
    return statistics.linear_regression([math.log(n) for n in sizes], [math.log(s) for s in seconds]).slope


def row(size: int, found: dict[str, dict[str, float]]) -> list[str]:
    ours, plain = found[OURS], found[PLAIN]
    total, other = (side["program_s"] + side["monitor_s"] for side in (ours, plain))
    return [
        f"{size:,}",
        f"{ours['resources']:,.0f}",
        f"{total:.1f}",
        f"{other:.1f}",
        f"{total / other:.2f}",
        f"{ours['program_mib']:.0f}",
        f"{plain['program_mib']:.0f}",
        f"{ours['program_mib'] / plain['program_mib']:.2f}",
        f"{total / ours['resources'] * 1000:.1f}",
        f"{ours['command_s']:.1f}",
    ]


def main() -> None:
    sizes = [int(word) for word in sys.argv[1:]] or list(RUNS)
    with tempfile.TemporaryDirectory() as folder:
        found = {size: compare(size, Path(folder)) for size in sizes}
    head = [
        "models",
        "resources",
        "hubstack s",
        "hand-written s",
        "ratio",
        "hubstack MiB",
        "hand-written MiB",
        "ratio",
        "ms a resource",
        "`hubstack preview` s",
    ]
    growth = {
        name: exponent(sizes, [found[size][name]["program_s"] + found[size][name]["monitor_s"] for size in sizes])
        for name in (OURS, PLAIN)
        if len(sizes) > 1
    }
    said = ", ".join(f"{name} {slope:.2f}" for name, slope in growth.items())
    write_page(
        "preview_scale",
        "Previews of many models",
        "CPU time of program and monitor, and the largest memory of the program, beside a hand-written program that "
        "registers the same resources (`benchmarks/plain/program.py`); the least of runs that alternate (15, 7 and 3). The last column "
        "is the whole command, which plans once more for its tables and draws the tree.",
        table(head, *(row(size, each) for size, each in found.items())),
        *([f"Growth with the number of models, as an exponent: {said}."] if said else []),
    )


if __name__ == "__main__":
    main()
