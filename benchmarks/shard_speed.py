# SPDX-License-Identifier: Apache-2.0
"""Preview of a list in one cluster compared with the same list in four, and the plan of a list in four.

Each row is a whole command in processes of its own; memory is the largest of any one process, as the kernel counts
it. Absolute times depend on the machine; the ratios in one run are what to compare. The number of models that are
previewed may be given.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.stacks import build, make_project
from hubstack.hub.lock import render_lock

PROJECT = Path(__file__).resolve().parents[1]
PAGE = PROJECT / "docs" / "benchmarks" / "shard_speed.md"
REGIONS = {"a": "us-central1", "b": "us-east4", "c": "europe-west4", "d": "asia-southeast1"}
PREVIEWED, PLANNED = 200, (1000, 4000)


def write(folder: Path, size: int) -> None:
    """Write a project with the same list in one cluster (`one`) and in four (`four`)."""
    stacks = make_project(folder) / "stacks"
    stacks.mkdir()
    request, lock = build(size)
    rows = [
        f"  - {{id: {m.id}, name: {m.key}, concurrency: {m.settings.concurrency}, "
        f"replicas: {{min: 1, max: {m.settings.replicas.max}}}}}"
        for m in request.models
    ]
    (stacks / "list.models.yaml").write_text("\n".join(["models:", *rows, ""]))
    (stacks / "list.models.lock.yaml").write_text(render_lock(lock.models))
    base = "config:\n  gcp:project: acme-models\n  hubstack:models: stacks/list.models.yaml\n"
    (stacks / "Pulumi.one.yaml").write_text(f"{base}  gcp:region: us-central1\n")
    clusters = "".join(f"    {key}: {{region: {region}}}\n" for key, region in REGIONS.items())
    (stacks / "Pulumi.four.yaml").write_text(f"{base}  hubstack:clusters:\n{clusters}")
    for key in REGIONS:
        text = "config:\n  hubstack:shardOf: stacks/Pulumi.four.yaml\n"
        (stacks / f"Pulumi.four-{key}.yaml").write_text(text)


def measure(folder: Path, *words: str) -> tuple[float, float]:
    """Return the seconds of a command and the MiB of its largest process, measured by a process of its own."""
    code = (
        "import resource, subprocess, sys, time; start = time.perf_counter();"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL);"
        "print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)"
    )
    command = [sys.executable, "-c", code, sys.executable, "-m", "hubstack", *words, "--json"]
    env = {**os.environ, "PYTHONPATH": str(PROJECT)}
    said = subprocess.run(command, check=True, cwd=folder, env=env, capture_output=True, text=True).stdout.split()
    return float(said[0]), float(said[1])


def rows(sizes: tuple[int, ...], command: str) -> list[str]:
    lines: list[str] = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name).resolve()
            write(folder, size)
            one, four = (measure(folder, command, stack) for stack in ("one", "four"))
        for what, (seconds, mib) in (("one cluster", one), ("four clusters", four)):
            lines.append(f"| {command} | {size:,} | {what} | {seconds:.1f} | {seconds / one[0]:.2f} | {mib:,.0f} |")
            print(lines[-1], flush=True)
    return lines


def main() -> None:
    previewed = int(sys.argv[1]) if len(sys.argv) > 1 else PREVIEWED
    found = [*rows(PLANNED, "plan"), *rows((previewed,), "preview")]
    head = [
        "| command | models | in | s | of one cluster | MiB of the largest process |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    intro = f"Written by `python -m benchmarks.shard_speed` on {len(os.sched_getaffinity(0))} processors: compare ratios only."
    PAGE.write_text("\n".join(["# Several clusters", "", intro, "", *head, *found]) + "\n")


if __name__ == "__main__":
    main()
