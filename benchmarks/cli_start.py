# SPDX-License-Identifier: Apache-2.0
"""How long `hubstack --help` takes. Goal: at most twice the time of an empty Python process plus 0.1 s.

Runs alternate; each is a whole process.
"""

import sys

from benchmarks.processes import median, run, table, write_page

RUNS = 15
ALLOWED_S = 0.1
EMPTY = "python -c pass"
COMMANDS = {
    EMPTY: [sys.executable, "-c", "pass"],
    "hubstack --help": [sys.executable, "-m", "hubstack", "--help"],
    "hubstack plan examples/quickstart": [sys.executable, "-m", "hubstack", "plan", "examples/quickstart"],
}


def main() -> None:
    for command in COMMANDS.values():
        run(command)  # fill the file cache
    rounds = [{name: run(command) for name, command in COMMANDS.items()} for _ in range(RUNS)]
    costs = {name: median(each[name] for each in rounds) for name in COMMANDS}
    goal = 2 * costs[EMPTY].cpu_s + ALLOWED_S
    rows = [[name, f"{cost.cpu_s * 1000:.0f}", f"{cost.peak_mib:.0f}"] for name, cost in costs.items()]
    write_page(
        "cli_start",
        "The start of the command",
        f"CPU time, median of {RUNS} runs that alternate.",
        table(["command", "ms", "MiB"], *rows),
        f"Goal for `--help`: at most 2 x `{EMPTY}` + {ALLOWED_S * 1000:.0f} ms = {goal * 1000:.0f} ms.",
    )


if __name__ == "__main__":
    main()
