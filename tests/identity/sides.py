# SPDX-License-Identifier: Apache-2.0
"""Examples with an edit of their files: what each side of a change plans and registers.

Every edit is one of the list or the lock, read as a user's files are, in a folder of its own.
"""

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from hubstack import names
from hubstack.hub.facts import ModelFacts
from hubstack.hub.lock import load_lock, render_lock
from hubstack.inputs.environment import PROJECT_FILE
from hubstack.inputs.stack import Stack
from hubstack.plan import ModelPlan, Plan
from hubstack.planner.inputs import StackInputs
from hubstack.planner.planner import plan_inputs
from hubstack.review.diff.state import State
from tests.support.golden import environment
from tests.support.in_process import graph_of

NEW_COMMIT = "0123456789abcdef0123456789abcdef01234567"
ADDED = "added"
"""Key of the model that is added."""
ENTRIES: dict[str, tuple[str, str]] = {
    "quickstart": ("fleet", "Qwen/Qwen3-8B"),
    "fleet": ("quickstart", "Qwen/Qwen3-4B-Instruct-2507"),
    "production": ("fleet", "microsoft/Phi-3.5-mini-instruct"),
    "multi-host": ("quickstart", "BAAI/bge-small-en-v1.5"),
    "cloud-run": ("fleet", "Qwen/Qwen3-8B"),
    "vertex": ("fleet", "Qwen/Qwen3-8B"),
    "sharded/eu": ("quickstart", "BAAI/bge-small-en-v1.5"),
    "sharded/us": ("quickstart", "BAAI/bge-small-en-v1.5"),
}
"""The model that is added to an example: another example's lock has it."""
EDITED = {
    "quickstart": "qwen3-4b-instruct-2507",
    "fleet": "llama-3-3-70b-instruct",
    "production": "support",
    "multi-host": "deepseek-v3",
    "cloud-run": "qwen3-4b-instruct-2507",
    "vertex": "qwen3-4b-instruct-2507",
    "sharded/eu": "bge-reranker-v2-m3",
    "sharded/us": "qwen3-4b-instruct-2507",
}
"""Key of the model that is removed, gets another context and another commit: with a canary, gated, on a disk, over
nodes where the example has such a one."""


@dataclass(slots=True)
class Files:
    """What an edit may change."""

    example: str
    said: dict[str, Any]
    """Of models.yaml."""
    lock: list[ModelFacts]

    @property
    def entries(self) -> list[dict[str, Any]]:
        return self.said["models"]

    def entry(self, key: str) -> dict[str, Any]:
        return next(each for each in self.entries if key_of(each) == key)


@dataclass(frozen=True)
class Side:
    """One side of a change."""

    plan: Plan
    state: State

    @cached_property
    def sdk_aliases(self) -> dict[str, frozenset[str]]:
        """URN to the URNs that it may have had, as Pulumi's SDK computes them."""
        asked = graph_of(self.plan, resolves_aliases=False)
        return {each.urn: frozenset(each.aliases) for each in asked.resources}

    @property
    def resources(self) -> dict[str, Any]:
        return self.state.all_resources

    def model(self, key: str) -> ModelPlan:
        return next(model for model in self.plan.models if model.key == key)


def key_of(entry: dict[str, Any]) -> str:
    return entry.get("name") or names.key_of(entry["id"])


def renamed_key(key: str) -> str:
    """Return a key that sorts the other way round, and that no name of the stack begins with."""
    return "".join(chr(ord("a") + ord("z") - ord(c)) if c.isalpha() else c for c in key)


def _reorder(files: Files) -> None:
    files.entries.reverse()


def _rename(files: Files) -> None:
    for entry in files.entries:
        former = key_of(entry)
        entry |= {"name": renamed_key(former), "was": former}


def _rename_again(files: Files) -> None:
    for entry in files.entries:
        former = key_of(entry)
        entry |= {"name": f"{former[:20]}-2", "was": [former, renamed_key(former)]}


def _rename_and_forget(files: Files) -> None:
    for entry in files.entries:
        former = key_of(entry)
        entry |= {"name": f"{former[:20]}-2", "was": renamed_key(former)}


def _rename_back(files: Files) -> None:
    for entry in files.entries:
        former = key_of(entry)
        entry |= {"name": former, "was": [former, renamed_key(former)]}


def _rename_for_good(files: Files) -> None:
    for entry in files.entries:
        entry["name"] = renamed_key(key_of(entry))


def _add(files: Files) -> None:
    source, repo_id = ENTRIES[files.example]
    path = environment(source).config_file.with_name("models.lock.yaml")
    files.lock += [facts for facts in load_lock(path).models if facts.id == repo_id]
    own = {"platform": "vertex", "accept_eula": True} if files.example == "vertex" else {}
    files.entries.append({"id": repo_id, "name": ADDED, **own})


def _remove(files: Files) -> None:
    gone = files.entry(EDITED[files.example])
    files.entries.remove(gone)
    files.lock = [facts for facts in files.lock if facts.id != gone["id"]]


def _context(files: Files) -> None:
    files.entry(EDITED[files.example])["context"] = 4096


def _commit(files: Files) -> None:
    """Move the lock as `hubstack lock --upgrade` does: the commit that was left stays known."""
    moved = files.entry(EDITED[files.example])
    wanted = (moved["id"], moved.get("revision", "main"))
    files.lock = [
        replace(facts, commit=NEW_COMMIT, revision="main", replaced=facts.commit)
        if (facts.id, facts.revision) == wanted
        else facts
        for facts in files.lock
    ]
    moved["revision"] = "main"


def _capacity(files: Files) -> None:
    files.entry(EDITED[files.example])["capacity"] = ["on-demand"]


def _engine(files: Files) -> None:
    """Another engine is another image, with other arguments."""
    files.entry(EDITED[files.example])["engine"] = "sglang"


EDITS: dict[str, Callable[[Files], None]] = {
    "base": lambda _: None,
    "reorder": _reorder,
    "rename": _rename,
    "rename again": _rename_again,
    "rename and forget": _rename_and_forget,
    "rename back": _rename_back,
    "rename without an alias": _rename_for_good,
    "add": _add,
    "remove": _remove,
    "context": _context,
    "commit": _commit,
    "capacity": _capacity,
    "engine": _engine,
}


@cache
def side(example: str, edit: str) -> Side:
    """Return an example after an edit."""
    env = environment(example)
    folder = env.config_file.parent
    with tempfile.TemporaryDirectory() as made:
        copy = Path(made) / folder.relative_to(env.project_dir)
        shutil.copytree(folder, copy)
        shutil.copy(env.project_dir / PROJECT_FILE, made)  # a cluster's stack reads its environment's settings
        write_edit(example, edit, copy)
        stack = Stack.of_program(Path(made), env.stack, Stack.load(env).config)
        plan = plan_inputs(StackInputs.of(stack))
    state = State(name=edit, plan=json.loads(plan.to_json()), graph=json.loads(graph_of(plan).to_json()))
    return Side(plan=plan, state=state)


def write_edit(example: str, edit: str, folder: Path) -> None:
    """Write list and lock of an edited example over those of a copy."""
    files = files_of(example)
    EDITS[edit](files)
    (folder / "models.yaml").write_text(yaml.safe_dump(files.said, sort_keys=False))
    (folder / "models.lock.yaml").write_text(render_lock(files.lock))


def files_of(example: str) -> Files:
    """Read list and lock of an example."""
    folder = environment(example).config_file.parent
    return Files(
        example,
        _entries(yaml.safe_load((folder / "models.yaml").read_text())),
        list(load_lock(folder / "models.lock.yaml").models),
    )


def _entries(said: dict[str, Any]) -> dict[str, Any]:
    said["models"] = [{"id": each} if isinstance(each, str) else each for each in said["models"]]
    return said
