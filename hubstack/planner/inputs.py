# SPDX-License-Identifier: Apache-2.0
"""Everything that a plan is made of, read once: what people wrote, what is locked and where models were placed.

Owns which files those are. Does not own their formats.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hubstack.hub.facts import ModelFacts
from hubstack.hub.lock import Lock, load_lock, lock_path
from hubstack.inputs.environment import Environment
from hubstack.inputs.models import Request
from hubstack.inputs.settings import StackSettings
from hubstack.inputs.stack import Stack
from hubstack.planner.placement.placement_file import Placement, load_placement, placement_path


@dataclass(frozen=True, slots=True, kw_only=True)
class StackInputs:
    """The files of one stack."""

    request: Request
    """Its models."""
    target: StackSettings
    """Its settings."""
    lock: Lock
    placement: Placement
    placement_path: Path
    placement_name: str
    """The same file, as messages name it."""

    @classmethod
    def load(cls, environment: Environment) -> "StackInputs":
        """Read the files of a stack.

        Raises:
            InputError: every problem of the first file that has any.
        """
        return cls.of(Stack.load(environment))

    @classmethod
    def of(cls, stack: Stack, lock: Lock | None = None) -> "StackInputs":
        """Read the other files of a stack.

        Args:
            stack: its settings and its list.
            lock: its lock, where that was read before.

        Raises:
            InputError: every problem of the first file that has any.
        """
        target, request = stack.settings, stack.request
        name = Path(target.models_path)
        path = placement_path(stack.project_dir / name, stack.name)
        shown = str(placement_path(name, stack.name))
        return cls(
            request=request, target=target, lock=lock or stack_lock(stack),
            placement=load_placement(path, shown), placement_path=path, placement_name=shown,
        )  # fmt: skip

    @property
    def facts(self) -> Mapping[str, ModelFacts]:
        """What is locked of each model, by its key; nothing for models that are not locked."""
        found = ((model.key, self.lock.get(model.id, model.revision)) for model in self.request.models)
        return {key: facts for key, facts in found if facts is not None}


def stack_lock(stack: Stack) -> Lock:
    """Read the lock beside a stack's list.

    Raises:
        LockError: every problem of the file, or that it does not exist.
    """
    path = Path(stack.models_path)
    return load_lock(lock_path(stack.project_dir / path), str(lock_path(path)))
