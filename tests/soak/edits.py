# SPDX-License-Identifier: Apache-2.0
"""A list of models on disk and random edits of it, each of which says what it touches."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from hubstack.hub.facts import ModelFacts
from hubstack.hub.lock import render_lock
from tests.support.facts import hub

CHAT = (
    "Qwen/Qwen3-8B",
    "Qwen/Qwen3-4B-Instruct-2507",
    "allenai/Olmo-3-7B-Instruct",
    "microsoft/Phi-3.5-mini-instruct",
)
EMBEDDING = ("BAAI/bge-large-en-v1.5", "Qwen/Qwen3-Embedding-0.6B")
STACK = "soak"
SETTINGS: Mapping[str, str] = {
    "gcp:project": "acme-models-soak",
    "gcp:region": "us-central1",
    "hubstack:models": "soak.models.yaml",
    # Scaled models have three objects more each; examples and the other tests have them.
    "hubstack:autoscaling": "false",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What an edit of the list does, by key."""

    what: str
    touched: frozenset[str] = frozenset()
    """Models of the new list that may be others than before."""
    added: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    renamed: Mapping[str, str] = field(default_factory=dict[str, str])
    """New key to old key."""


class Stack:
    """A list, its lock and its settings, in a folder; no two models are the same."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self.models: list[dict[str, Any]] = []
        self.facts: dict[str, ModelFacts] = {}
        self._number = 0
        rng = random.Random(size)  # noqa: S311
        for _ in range(size):
            self._new(rng)

    def write(self) -> None:
        """Write list and lock as their users and `hubstack lock` do."""
        used = [self.facts[model["id"]] for model in self.models]
        (self.folder / "soak.models.yaml").write_text(yaml.safe_dump({"models": self.models}, sort_keys=False))
        (self.folder / "soak.models.lock.yaml").write_text(render_lock(used))

    def edit(self, seed: int) -> Edit:
        """Change the list at random."""
        rng = random.Random(seed)  # noqa: S311
        return rng.choice(EDITS)(self, rng)

    def keys(self) -> set[str]:
        return {model["name"] for model in self.models}

    def _new(self, rng: random.Random) -> dict[str, Any]:
        self._number += 1
        source = rng.choice(EMBEDDING if rng.random() < 0.3 else CHAT)
        facts = hub(source, id=f"{source}-{self._number}", commit=f"{self._number:040x}")
        model = {
            "id": facts.id,
            "name": f"m{self._number}",
            "replicas": {"min": 1, "max": rng.choice((1, 2))},
            "capacity": rng.choice((["spot", "on-demand"], ["on-demand"])),
        }
        if source in CHAT:
            model["context"] = rng.choice((2048, 4096))
        self.facts[facts.id] = facts
        self.models.insert(rng.randint(0, len(self.models)), model)
        return model

    def add(self, rng: random.Random) -> Edit:
        key = self._new(rng)["name"]
        return Edit(what="add", touched=frozenset({key}), added=frozenset({key}))

    def remove(self, rng: random.Random) -> Edit:
        if len(self.models) < 40:
            return self.add(rng)
        key = self.models.pop(rng.randrange(len(self.models)))["name"]
        return Edit(what="remove", removed=frozenset({key}))

    def rename(self, rng: random.Random) -> Edit:
        model = rng.choice(self.models)
        old, new = model["name"], f"{model['name']}r"
        if len(new) > 8:
            return self.reorder(rng)
        model["was"] = [*model.get("was", ()), old]
        model["name"] = new
        return Edit(what="rename", touched=frozenset({new}), renamed={new: old})

    def rename_without_alias(self, rng: random.Random) -> Edit:
        model = rng.choice(self.models)
        old = model["name"]
        self._number += 1
        model["name"] = f"n{self._number}"
        model.pop("was", None)
        return Edit(
            what="rename without was",
            touched=frozenset({model["name"]}),
            added=frozenset({model["name"]}),
            removed=frozenset({old}),
        )

    def reorder(self, rng: random.Random) -> Edit:
        rng.shuffle(self.models)
        return Edit(what="reorder")

    def context(self, rng: random.Random) -> Edit:
        model = rng.choice([each for each in self.models if "context" in each])
        model["context"] = rng.choice((2048, 3072, 4096, 8192))
        return Edit(what="context", touched=frozenset({model["name"]}))

    def replicas(self, rng: random.Random) -> Edit:
        model = rng.choice(self.models)
        low = rng.choice((1, 2))
        model["replicas"] = {"min": low, "max": low + rng.choice((0, 1, 3))}
        return Edit(what="replicas", touched=frozenset({model["name"]}))

    def capacity(self, rng: random.Random) -> Edit:
        model = rng.choice(self.models)
        model["capacity"] = rng.choice((["spot"], ["spot", "on-demand"], ["on-demand", "spot"], ["on-demand"]))
        return Edit(what="capacity", touched=frozenset({model["name"]}))

    def accelerator(self, rng: random.Random) -> Edit:
        model = rng.choice(self.models)
        model["accelerator"] = rng.choice(("l4", "a100-40gb", "h100-80gb"))
        return Edit(what="accelerator", touched=frozenset({model["name"]}))

    def commit(self, rng: random.Random) -> Edit:
        model = rng.choice(self.models)
        facts = self.facts[model["id"]]
        self._number += 1
        self.facts[facts.id] = hub(facts.id.rpartition("-")[0], id=facts.id, commit=f"{self._number:040x}")
        return Edit(what="commit", touched=frozenset({model["name"]}))

    def concurrency(self, rng: random.Random) -> Edit:
        model = rng.choice(self.models)
        model["concurrency"] = rng.choice((1, 2, 3))
        return Edit(what="concurrency", touched=frozenset({model["name"]}))


EDITS: tuple[Callable[[Stack, random.Random], Edit], ...] = (
    Stack.add,
    Stack.add,
    Stack.remove,
    Stack.remove,
    Stack.rename,
    Stack.rename_without_alias,
    Stack.reorder,
    Stack.context,
    Stack.replicas,
    Stack.capacity,
    Stack.accelerator,
    Stack.commit,
    Stack.concurrency,
)
