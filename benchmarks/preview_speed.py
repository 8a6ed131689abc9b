# SPDX-License-Identifier: Apache-2.0
"""How long `hubstack preview examples/fleet` takes, against what it cannot do without.

Each run is a whole process. The floor is a process that only imports what the program imports. Absolute times
depend on the machine; the ratio in one run is what to compare.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
RUNS = 5
MORE = """
## More

- [Sizing against real boots](benchmarks/sizing.md), beside hf-mem, accelerate and weights x 1.2
- [The price of fleets](benchmarks/fleet_price.md), against a bound and against one pool a model
- [Planning many models](benchmarks/plan_speed.md)
"""
SDKS = ("pulumi_gcp.container", "pulumi_gcp.storage", "pulumi_kubernetes.apps.v1", "pulumi_kubernetes.batch.v1")
FLOOR = f"import pulumi, {', '.join(SDKS)}"
COMMANDS = {
    "floor: import the SDKs": [sys.executable, "-c", FLOOR],
    "hubstack plan examples/fleet": [sys.executable, "-m", "hubstack", "plan", "examples/fleet"],
    "hubstack preview examples/quickstart": [
        sys.executable,
        "-m",
        "hubstack",
        "preview",
        "examples/quickstart",
    ],
    "hubstack preview examples/fleet": [sys.executable, "-m", "hubstack", "preview", "examples/fleet"],
}


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    for command in COMMANDS.values():
        seconds(command)  # fill the file cache
    medians: dict[str, float] = {}
    lines = ["| command | median s | of the floor |", "| --- | --- | --- |"]
    for name, command in COMMANDS.items():
        medians[name] = statistics.median(seconds(command) for _ in range(RUNS))
        ratio = medians[name] / next(iter(medians.values()))
        lines.append(f"| {name} | {medians[name]:.2f} | {ratio:.1f} x |")
    print("\n".join(lines))
    text = "\n".join(lines)
    (PROJECT / "docs" / "benchmarks.md").write_text(
        f"# Benchmarks\n\nWritten by `./dev bench` ({RUNS} runs each, 2 cores).\n\n## Preview\n\n{text}\n{MORE}"
    )


if __name__ == "__main__":
    main()
