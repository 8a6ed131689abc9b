# SPDX-License-Identifier: Apache-2.0
"""Stacks of many models for the benchmarks: list, lock and settings in a folder.

The models are those of tests/support/facts.yaml that a plan takes, each copy at a commit of its own, so that nothing
is surveyed once for several. Each has the files of a checkpoint in four parts, which those facts do not list.
"""

import os
import random
import shutil
import sys
from functools import cache
from pathlib import Path

import yaml

from benchmarks.processes import PROJECT, Cost, run
from hubstack.files.errors import PlanError
from hubstack.hub.facts import FileFacts, ModelFacts
from hubstack.hub.lock import Lock, render_lock
from hubstack.inputs.models import Request
from hubstack.planner.model.geometry import read_geometry
from hubstack.planner.model.weights import choose_files, weights_size
from tests.support.facts import ask, hub, hub_ids, plan_one

STACK = "bench"
SETTINGS = {"gcp:project": "acme-models-bench", "gcp:region": "us-central1"}
SMALL_FILES = (
    "config.json",
    "generation_config.json",
    "model.safetensors.index.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
)
PARTS = 4


@cache
def planned() -> tuple[str, ...]:
    """Return the models that fit on one node with all settings used below."""
    kept: list[str] = []
    for repo_id in hub_ids():
        try:
            plan_one(hub(repo_id), concurrency=8)
            kept.append(repo_id)
        except PlanError:
            continue
    return tuple(kept)


def build(size: int) -> tuple[Request, Lock]:
    """Return a list with this number of models, and its lock."""
    rng = random.Random(size)
    facts, models = [], []
    for number in range(size):
        repo_id = rng.choice(planned())
        copy = hub(repo_id, id=f"{repo_id}-{number}", commit=f"{number:040x}", files=_files(hub(repo_id), rng))
        facts.append(copy)
        models.append(
            ask(
                copy.id,
                key=f"m{number:05d}",
                concurrency=rng.choice((1, 2, 4)),
                replicas={"max": rng.choice((1, 2))},
            )
        )
    return Request(path="x", models=tuple(models)), Lock(path="x", models=tuple(facts))


def make_project(folder: Path) -> Path:
    """Write a hubstack project without stacks; create and return its folder."""
    folder.mkdir(exist_ok=True)
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(PROJECT / name, folder)
    (folder / "components").symlink_to(PROJECT / "components")
    return folder


def write_stack(folder: Path, size: int, *, max_replicas: int | None = None) -> Path:
    """Write list, lock and settings of a stack; return the file of the settings.

    Args:
        folder: of the project's own; made if it is not there.
        size: number of models.
        max_replicas: of every model; by default one or two.
    """
    request, lock = build(size)
    folder.mkdir(exist_ok=True)
    models = [
        {
            "id": model.id,
            "name": model.key,
            "concurrency": model.settings.concurrency,
            "replicas": {"min": 0, "max": max_replicas or model.settings.replicas.max},
        }
        for model in request.models
    ]
    path, settings = folder / "models.yaml", folder / f"Pulumi.{STACK}.yaml"
    path.write_text(yaml.safe_dump({"models": models}, sort_keys=False))
    (folder / "models.lock.yaml").write_text(render_lock(lock.models))
    settings.write_text(yaml.safe_dump({"config": {**SETTINGS, "hubstack:models": f"{folder.name}/{path.name}"}}))
    return settings


def cost(project: Path, *words: str) -> Cost:
    """Return the cost of a hubstack command in a project written by `make_project`."""
    command = [sys.executable, "-m", "hubstack", *words]
    return run(command, cwd=project, env={**os.environ, "PYTHONPATH": str(PROJECT)})


def _files(facts: ModelFacts, rng: random.Random) -> tuple[FileFacts, ...]:
    size = weights_size(facts, choose_files(facts), read_geometry(facts))
    assert size is not None
    parts = tuple(
        FileFacts(
            path=f"model-{number:05d}-of-{PARTS:05d}.safetensors",
            size_bytes=size.size_bytes // PARTS,
            sha256=f"{rng.getrandbits(256):064x}",
        )
        for number in range(1, PARTS + 1)
    )
    small = (
        FileFacts(path=path, size_bytes=rng.randrange(200, 20_000), git_oid=f"{rng.getrandbits(160):040x}")
        for path in SMALL_FILES
    )
    return (*small, *parts)
