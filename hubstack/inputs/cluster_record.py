# SPDX-License-Identifier: Apache-2.0
"""The record of which cluster serves each model that no cluster names, so that models do not move between runs.

Owns the format, reading and writing of `<environment>.clusters.yaml`. Review it like the placement file: a changed
line means that a model's weights are copied to another cluster. Does not own the choice of cluster
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
HEAD = """# Clusters of models that no cluster names. Written by `hubstack lock` and `hubstack place`; commit it.
# A model keeps its cluster while that has `rest: true`. To move one, list it under another cluster's `models:`.
"""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    format: int = Field(ge=FORMAT, le=FORMAT)
    models: dict[str, str]


def clusters_path(models_path: Path, environment: str) -> Path:
    """Return the path of an environment's record, next to its model list."""
    return models_path.with_name(f"{environment}.clusters.yaml")


def load_clusters_file(path: Path, name: str) -> dict[str, str]:
    """Return model key to cluster key as recorded; empty if the file does not exist.

    Raises:
        InputError: with every problem found.
    """
    if not path.exists():
        return {}
    hint = "restore it from git, or delete it and run `hubstack place` (models may then move)"
    document = parse_document(read_text(path, name, hint), name)
    try:
        return _File.model_validate(document.value).models
    except ValidationError as error:
        raise InputError(schema_problems(document, error, _File, hint, is_generated=True)) from None


def write_clusters_file(path: Path, models: Mapping[str, str]) -> None:
    """Write the file atomically, sorted by key."""
    body = yaml.safe_dump({"format": FORMAT, "models": dict(sorted(models.items()))}, sort_keys=False, width=116)
    write_text_atomically(path, HEAD + body)
