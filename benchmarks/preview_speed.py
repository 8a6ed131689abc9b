# SPDX-License-Identifier: Apache-2.0
"""Time of `hubstack preview` on the examples, compared with the minimum it depends on.

Each run is a whole process. The floor is a process that only imports what the program imports. Absolute times depend on
the machine; the ratio in one run is what to compare. Writes the list of all pages too.
"""

import sys

from benchmarks.processes import PROJECT, median, run, table

RUNS = 5
MORE = """
## More

- [Previews of many models](../benchmarks/preview_scale.md), beside a hand-written program
- [Planning many models](../benchmarks/plan_speed.md)
- [Comparing two sides](../benchmarks/diff_speed.md)
- [Several clusters](../benchmarks/shard_speed.md)
- [Locking a thousand models](../benchmarks/lock_speed.md)
- [The start of the command](../benchmarks/cli_start.md)
- [Sizing against real boots](../benchmarks/sizing.md), beside hf-mem, accelerate and weights x 1.2
- [Throughput against public measurements](../benchmarks/throughput.md), with each model left out of the fit
- [Ten teams' requests](../benchmarks/team_requests.md) as `traffic:`, beside public measurements and recipes
- [The price of fleets](../benchmarks/fleet_price.md), against a bound and against one pool a model
"""
SDKS = ("pulumi_gcp.container", "pulumi_gcp.storage", "pulumi_kubernetes.apps.v1", "pulumi_kubernetes.batch.v1")
FLOOR = "floor: import the SDKs"
COMMANDS = {
    FLOOR: ["-c", f"import pulumi, {', '.join(SDKS)}"],
    **{
        f"hubstack {command}": ["-m", "hubstack", *command.split()]
        for command in ("plan examples/fleet", "preview examples/quickstart", "preview examples/fleet")
    },
}


def main() -> None:
    for arguments in COMMANDS.values():
        run([sys.executable, *arguments])  # fill the file cache
    rounds = [{n: run([sys.executable, *arguments]) for n, arguments in COMMANDS.items()} for _ in range(RUNS)]
    seconds = {name: median(each[name] for each in rounds).cpu_s for name in COMMANDS}
    rows = [[name, f"{s:.2f}", f"{s / seconds[FLOOR]:.1f} x"] for name, s in seconds.items()]
    text = "\n".join(table(["command", "median CPU s", "of the floor"], *rows))
    print(text)
    head = f"# Benchmarks\n\nWritten by `./dev bench` ({RUNS} runs each).\n\n## Preview\n\n"
    (PROJECT / "docs" / "reference" / "benchmarks.md").write_text(f"{head}{text}\n{MORE}")


if __name__ == "__main__":
    main()
