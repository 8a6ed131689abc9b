# SPDX-License-Identifier: Apache-2.0
"""Where each model was placed, kept in a file beside the list, so that a new model moves no other.

Owns the format, reading and writing of `<stack>.placement.yaml`. It is reviewed like the lock: a line of it that
changes is a model that moves. Does not own the choice (`hubstack.planner.placement.solver`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hubstack.files.documents import parse_document, read_text
from hubstack.files.errors import InputError
from hubstack.files.schema_errors import schema_problems
from hubstack.files.write import write_text_atomically
from hubstack.inputs.renames import current_keys
from hubstack.names import Keyed
from hubstack.planner.placement.offers import Offer

FORMAT = 1
HEAD = """# Where hubstack placed each model. Written by `hubstack lock` and `hubstack place`; commit this file.
# A model keeps its place while it fits; `hubstack place --rebalance` places all models again.
"""


class Place(BaseModel):
    """What one model stands on."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    machine_type: str
    accelerators: int = Field(ge=1)
    """Of each node."""
    nodes: int = Field(1, ge=1)
    servers_per_accelerator: int = Field(1, ge=1)

    @classmethod
    def of(cls, offer: Offer) -> "Place":
        """Return the place that an offer is."""
        return cls(
            machine_type=offer.machine.name,
            accelerators=offer.count,
            nodes=offer.hosts,
            servers_per_accelerator=offer.servers_per_accelerator,
        )


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    format: int = Field(ge=FORMAT, le=FORMAT)
    models: dict[str, Place]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The places by the key of a model; empty where there is no file."""

    models: Mapping[str, Place] = field(default_factory=dict[str, Place])

    def following(self, models: Iterable[Keyed]) -> "Placement":
        """Return the places under the models' present keys: a rename moves none."""
        present = current_keys(models)
        former = {present[key]: place for key, place in self.models.items() if key in present}
        return Placement(models=former | {key: each for key, each in self.models.items() if key not in present})


def placement_path(models_path: Path, stack: str) -> Path:
    """Return the file of a stack: beside its list."""
    return models_path.with_name(f"{stack}.placement.yaml")


def load_placement(path: Path, name: str) -> Placement:
    """Read the file; an absent one holds nothing.

    Raises:
        InputError: with every problem found.
    """
    if not path.exists():
        return Placement()
    document = parse_document(read_text(path, name, "recreate it with `hubstack place`"), name)
    try:
        return Placement(models=_File.model_validate(document.value).models)
    except ValidationError as error:
        raise InputError(schema_problems(document, error, _File, _AGAIN, is_generated=True)) from None


_AGAIN = "restore the file from git, or delete it and run `hubstack place`"


def write_placement(path: Path, models: Mapping[str, Place]) -> None:
    """Write the file, sorted by key, at once or not at all."""
    held = {key: models[key].model_dump(exclude_defaults=True) for key in sorted(models)}
    body = yaml.safe_dump({"format": FORMAT, "models": held}, sort_keys=False, width=116)
    write_text_atomically(path, HEAD + body)
