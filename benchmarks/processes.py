# SPDX-License-Identifier: Apache-2.0
"""CPU time and memory of a process and its children.

Benchmarks compare CPU time rather than time on the clock: on a machine that others use too, the clock measures them.
"""

import os
import statistics
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
PAGES = PROJECT / "docs" / "benchmarks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Cost of a process and its children."""

    cpu_s: float
    """User and system time in seconds."""
    peak_mib: float
    """Largest resident memory of any one of these processes."""
    clock_s: float
    """Wall-clock seconds, for commands that run several processes."""


def run(command: Sequence[str], *, cwd: Path = PROJECT, env: Mapping[str, str] | None = None) -> Cost:
    """Run a command without its output and return its cost.

    Raises:
        RuntimeError: it failed.
    """
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    clock = time.perf_counter() - start
    return Cost(cpu_s=used.ru_utime + used.ru_stime, peak_mib=used.ru_maxrss / 1024, clock_s=clock)


def median(costs: Iterable[Cost]) -> Cost:
    """Return the medians of several runs."""
    held = list(costs)
    return Cost(
        cpu_s=statistics.median(cost.cpu_s for cost in held),
        peak_mib=statistics.median(cost.peak_mib for cost in held),
        clock_s=statistics.median(cost.clock_s for cost in held),
    )


def table(*rows: Sequence[str]) -> list[str]:
    """Return the lines of a Markdown table; the first row is the header."""
    head, *body = rows
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *body)]


def write_page(name: str, title: str, *paragraphs: str | Sequence[str]) -> None:
    """Write docs/benchmarks/<name>.md and print it."""
    parts = [part if isinstance(part, str) else "\n".join(part) for part in paragraphs]
    text = "\n\n".join([f"# {title}", f"Written by `python -m benchmarks.{name}`.", *parts]) + "\n"
    PAGES.mkdir(exist_ok=True)
    (PAGES / f"{name}.md").write_text(text)
    print(text)
