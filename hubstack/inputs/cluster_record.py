# SPDX-License-Identifier: Apache-2.0
"""Which cluster took each model that no cluster names, kept in a file beside the list, so that it stays there.

Owns the format, reading and writing of `<environment>.clusters.yaml`. It is reviewed like the placement: a line
that changes is a model whose weights are copied anew elsewhere. Does not own the choice
(`hubstack.planner.placement.choose_clusters`).
"""

from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hubstack.files.documents import parse_document, read_text
from hubstack.files.errors import InputError
from hubstack.files.schema_errors import schema_problems
from hubstack.files.write import write_text_atomically

FORMAT = 1
HEAD = """# Where models are that no cluster names. Written by `hubstack lock` and `hubstack place`; commit it.
# A model stays in its cluster while that takes such models; to move one, name it under a cluster's `models:`.
"""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    format: int = Field(ge=FORMAT, le=FORMAT)
    models: dict[str, str]


def clusters_path(models_path: Path, environment: str) -> Path:
    """Return the file of an environment: beside its list."""
    return models_path.with_name(f"{environment}.clusters.yaml")


def load_clusters_file(path: Path, name: str) -> dict[str, str]:
    """Read the file, key of a model to key of a cluster; an absent one holds nothing.

    Raises:
        InputError: with every problem found.
    """
    if not path.exists():
        return {}
    hint = "take it from git, or delete it and run `hubstack place`: models may then move"
    document = parse_document(read_text(path, name, hint), name)
    try:
        return _File.model_validate(document.value).models
    except ValidationError as error:
        raise InputError(schema_problems(document, error, _File, hint, is_generated=True)) from None


def write_clusters_file(path: Path, models: Mapping[str, str]) -> None:
    """Write the file, sorted by key, at once or not at all."""
    body = yaml.safe_dump({"format": FORMAT, "models": dict(sorted(models.items()))}, sort_keys=False, width=116)
    write_text_atomically(path, HEAD + body)
