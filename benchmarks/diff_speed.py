# SPDX-License-Identifier: Apache-2.0
"""How long `hubstack diff` takes on a stack of 200 models, against one preview of it.

The models are those of benchmarks/plan_speed.py, each at a commit of its own, in a scratch repository. Each run is a
whole process; runs of the two commands alternate, and the ratio of the medians is what to compare. Goal: at most 2.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from benchmarks.plan_speed import build, planned
from hubstack.lock import render_lock
from tests.support.pull_requests import Repository, make_repository

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks" / "diff_speed.md"
MODELS, RUNS = 200, 3
CONFIG = {"config": {"gcp:project": "acme-models-bench", "gcp:region": "us-central1",
                     "hubstack:models": "bench/models.yaml"}}  # fmt: skip


def write_stack(repository: Repository, replicas: int) -> None:
    """Write the list, its lock and the config of the stack."""
    request, lock = build(planned(), MODELS)
    folder = repository.path / "bench"
    folder.mkdir(exist_ok=True)
    models = [
        {
            "id": model.id,
            "name": model.key,
            "concurrency": model.concurrency,
            "replicas": {"min": 0, "max": replicas},
        }
        for model in request.models
    ]
    (folder / "models.yaml").write_text(yaml.safe_dump({"models": models}, sort_keys=False))
    (folder / "models.lock.yaml").write_text(render_lock(lock.models))
    (folder / "Pulumi.bench.yaml").write_text(yaml.safe_dump(CONFIG))


def seconds(repository: Repository, *arguments: str) -> float:
    command = [sys.executable, "-m", "hubstack", *arguments, "--json"]
    start = time.perf_counter()
    subprocess.run(command, cwd=repository.path, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        repository = make_repository(Path(folder) / "clone")
        write_stack(repository, 1)
        repository.git("add", "--all")
        repository.git("commit", "--quiet", "--message", "bench")
        write_stack(repository, 2)
        cases = {
            "hubstack preview bench": ("preview", "bench"),
            "hubstack diff bench, every model changed": ("diff", "bench", "--against", "HEAD"),
        }
        taken: dict[str, list[float]] = {name: [] for name in cases}
        for _ in range(RUNS):
            for name, arguments in cases.items():
                taken[name].append(seconds(repository, *arguments))
        repository.reset()
        repository.git("checkout", "--quiet", "main")
        same = "hubstack diff bench, nothing changed"
        taken[same] = [seconds(repository, "diff", "bench", "--against", "HEAD") for _ in range(RUNS)]
    lines = ["| command | median s | of one preview |", "| --- | --- | --- |"]
    first = statistics.median(taken["hubstack preview bench"])
    lines += [f"| {name} | {statistics.median(each):.1f} | {statistics.median(each) / first:.2f} x |"
              for name, each in taken.items()]  # fmt: skip
    print("\n".join(lines))
    head = [
        "# Comparing two sides",
        "",
        f"Written by `python -m benchmarks.diff_speed` ({MODELS} models, {RUNS} runs each).",
        "",
    ]
    PAGE.write_text("\n".join([*head, *lines]) + "\n")


if __name__ == "__main__":
    main()
