# SPDX-License-Identifier: Apache-2.0
"""Time of `hubstack diff` on a stack of 200 models, relative to one preview. Goal: at most a factor of 2.

The models are those of benchmarks/stacks.py, in a scratch repository. Each run is a whole process; runs of the commands
alternate, and the ratio of the medians is what to compare.
"""

import sys
import tempfile
from pathlib import Path

from benchmarks.processes import Cost, median, run, table, write_page
from benchmarks.stacks import STACK, write_stack
from tests.support.pull_requests import make_repository

MODELS, RUNS = 200, 3


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        repository = make_repository(Path(scratch) / "clone")
        folder = repository.path / STACK
        write_stack(folder, MODELS, max_replicas=1)
        repository.git("add", "--all")
        repository.git("commit", "--quiet", "--message", "bench")

        def cost(*arguments: str) -> Cost:
            return run([sys.executable, "-m", "hubstack", *arguments, "--json"], cwd=repository.path)

        taken: dict[str, list[Cost]] = {"hubstack preview": [], "hubstack diff, every model changed": []}
        write_stack(folder, MODELS, max_replicas=2)
        for _ in range(RUNS):
            taken["hubstack preview"].append(cost("preview", STACK))
            taken["hubstack diff, every model changed"].append(cost("diff", STACK, "--against", "HEAD"))
        repository.reset()
        repository.git("checkout", "--quiet", "main")
        taken["hubstack diff, nothing changed"] = [cost("diff", STACK, "--against", "HEAD") for _ in range(RUNS)]
    medians = {name: median(costs) for name, costs in taken.items()}
    first = medians["hubstack preview"]
    rows = [
        [
            name,
            f"{cost.clock_s:.1f}",
            f"{cost.clock_s / first.clock_s:.2f} x",
            f"{cost.cpu_s:.1f}",
            f"{cost.cpu_s / first.cpu_s:.2f} x",
        ]
        for name, cost in medians.items()
    ]
    write_page(
        "diff_speed",
        "Comparing two sides",
        f"{MODELS} models, median of {RUNS} runs. Both sides run at once, each on a core where there are two.",
        table(["command", "s on the clock", "of one preview", "CPU s", "of one preview"], *rows),
    )


if __name__ == "__main__":
    main()
