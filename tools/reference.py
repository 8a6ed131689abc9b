# SPDX-License-Identifier: Apache-2.0
"""Generates the reference from the pydantic models and the rules: `python -m tools.reference [--check]`.

Owns docs/reference: the JSON Schemas for editors and scripts, and the tables for people; and the policy pack's copy
of the rules. Also writes docs/proven.md (`tools.proven`) and docs/guides/not-starting.md (`tools.causes_page`). The
text of each key is the docstring of its field.
"""

import json
import sys
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from hubstack.files.write import write_text_atomically
from hubstack.inputs import settings
from hubstack.inputs.existing_cluster import ExistingClusterSettings
from hubstack.inputs.gateway import GatewaySettings
from hubstack.inputs.maintenance import MaintenanceWindow
from hubstack.inputs.models_schema import (
    Canary,
    CapacityStep,
    EntryRequest,
    Lora,
    Replicas,
    RequestFile,
    Scaling,
    Settings,
    Slo,
    Speculative,
    json_schema,
)
from hubstack.inputs.network import NetworkSettings
from hubstack.review.check import reference as policy_reference
from hubstack.review.check.rules import pack_text
from hubstack.review.diff import change
from tools import library_reference, proven
from tools.causes_page import causes_page
from tools.cli_reference import cli_page

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
PACK = Path(__file__).resolve().parents[1] / "policy" / "rules.yaml"
"""The policy pack's copy of the rules."""

HEAD = """# models.yaml

<!-- Written by `./dev gen` from hubstack/inputs/models_schema.py; do not edit. -->

A list of Hub models and how to serve them. With the schema in the first line, editors complete and validate keys:

```yaml
# yaml-language-server: $schema=../docs/reference/models.schema.json
extends: base.models.yaml            # the list that this one is based on
defaults:                            # settings shared by all models
  capacity: [spot, on-demand]
overrides:                           # settings that override the list, by key; `*` is every model
  "*": {replicas: {min: 0, max: 1}}
  qwen3-8b: {context: 16384}
models:
  - Qwen/Qwen3-8B                    # a Hub ID
  - id: BAAI/bge-large-en-v1.5       # or a mapping
    name: embeddings
```

Later values take precedence: `defaults` of the base, `defaults` of this file, the model's own entry,
`overrides["*"]`, `overrides[key]`; overrides of the base apply before those of this file. `replicas` is merged by
`min` and `max`; every other key is replaced. YAML aliases and unknown keys are errors.
"""


def schema_text() -> str:
    """Return the JSON Schema as sorted, indented text."""
    return json.dumps(json_schema(), indent=2, sort_keys=True) + "\n"


def page_text() -> str:
    """Return the reference page of models.yaml."""
    own = {name: field for name, field in EntryRequest.model_fields.items() if name not in Settings.model_fields}
    parts = [
        HEAD,
        _table("The file", RequestFile, list(RequestFile.model_fields)),
        _table("A model: identity", EntryRequest, list(own)),
        _table("A model: serving (also under `defaults` and `overrides`)", Settings, list(Settings.model_fields)),
        _table("`replicas`", Replicas, list(Replicas.model_fields)),
        _table("`scaling`", Scaling, list(Scaling.model_fields)),
        _table("A step of `capacity`", CapacityStep, list(CapacityStep.model_fields)),
        _table("`canary`", Canary, list(Canary.model_fields)),
        _table("`lora`", Lora, list(Lora.model_fields)),
        _table("`speculative`", Speculative, list(Speculative.model_fields)),
        _table("`slo`", Slo, list(Slo.model_fields)),
    ]
    return "\n".join(parts)


SETTINGS_HEAD = """# Stack settings

<!-- Written by `./dev gen` from hubstack/inputs/settings.py; do not edit. -->

The settings of one stack, in `stacks/Pulumi.<stack>.yaml`. Set one with `pulumi config set KEY VALUE`, a secret
with `pulumi config set --secret KEY`, or edit the file; with the schema, editors complete and validate keys:

```yaml
# yaml-language-server: $schema=../docs/reference/settings.schema.json
config:
  gcp:project: my-project-id
  gcp:region: us-central1
  hubstack:budget: 5000
  hubstack:zones: [us-central1-a]
```

Only `gcp:project` and `gcp:region` are required. Unknown settings and plain-text secrets are errors.
"""


def settings_schema_text() -> str:
    """Return the JSON Schema of a settings file."""
    return json.dumps(settings.json_schema(), indent=2, sort_keys=True) + "\n"


def settings_page_text() -> str:
    """Return the reference page of the settings."""
    return "\n".join(
        [
            SETTINGS_HEAD,
            _settings_table("Settings", settings.StackSettings),
            _settings_table("`hubstack:gateway`", GatewaySettings),
            _settings_table("`hubstack:maintenanceWindow`", MaintenanceWindow),
            _settings_table("`hubstack:network`", NetworkSettings),
            _settings_table("`hubstack:cluster`", ExistingClusterSettings),
        ]
    )


def _settings_table(title: str, model: type[BaseModel]) -> str:
    return _table(title, model, [name for name, field in model.model_fields.items() if not field.exclude])


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    extra = field.json_schema_extra
    value = extra["default"] if isinstance(extra, dict) and "default" in extra else field.default
    if value in (None, (), PydanticUndefined):
        return "" if "Default: " in (field.description or "") else "none"
    return f"`{_yaml(value)}`"


def _yaml(value: Any) -> str:
    """Return a default as one would write it."""
    if isinstance(value, BaseModel):
        fields = (f"{key}: {_yaml(each)}" for key, each in value if each is not None)
        return f"{{{', '.join(fields)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value.value if isinstance(value, Enum) else f"{value:g}" if isinstance(value, float) else value)


def change_schema_text() -> str:
    """Return the JSON Schema of `hubstack diff --json`."""
    return json.dumps(change.json_schema(), indent=2, sort_keys=True) + "\n"


def _table(title: str, model: type[BaseModel], fields: list[str]) -> str:
    rows = ["| key | default | description |", "| --- | --- | --- |"]
    for name in fields:
        field = model.model_fields[name]
        text = " ".join((field.description or "").split())
        key = field.validation_alias if isinstance(field.validation_alias, str) else name
        rows.append(f"| `{key}` | {_default(field)} | {text} |")
    return f"## {title}\n\n" + "\n".join(rows) + "\n"


def main(arguments: list[str]) -> int:
    """Write the files, or with `--check` report stale ones; return the exit code."""
    texts = {
        FOLDER / "models.schema.json": schema_text(),
        FOLDER / "models.md": page_text(),
        FOLDER / "settings.schema.json": settings_schema_text(),
        FOLDER / "settings.md": settings_page_text(),
        FOLDER / "change.schema.json": change_schema_text(),
        FOLDER / "policy.schema.json": policy_reference.schema_text(),
        FOLDER / "policy.md": policy_reference.page_text(),
        FOLDER / "cli.md": cli_page(),
        FOLDER / "library.md": library_reference.page_text(),
        PACK: pack_text(),
        proven.PAGE: proven.page_text(),
        FOLDER.parent / "guides" / "not-starting.md": causes_page(),
    }
    stale = [path for path, text in texts.items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in arguments:
        for path in stale:
            sys.stderr.write(f"{path.name} is stale: run ./dev gen\n")
        return 1 if stale else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in stale:
        write_text_atomically(path, texts[path])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
