# SPDX-License-Identifier: Apache-2.0
"""The config of a stack, as the Pulumi CLI would hand it to a program.

Owns the reading of Pulumi.yaml and Pulumi.<stack>.yaml: declared types, defaults and texts. Secrets are
encrypted there and stay so: the program is given a placeholder in their place.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from hubstack.documents import Document, parse_document, read_text
from hubstack.errors import InputError
from hubstack.problems import Problem, nearest

SECRET_PLACEHOLDER = "[secret]"  # noqa: S105  shown in place of one

UNDECLARED = (
    "alerts",
    "apiKey",
    "billingAccount",
    "budget",
    "clusters",
    "gateway",
    "hfToken",
    "iapClientSecret",
    "maintenanceWindow",
    "models",
    "monitoring",
    "regions",
    "runIngress",
    "runInvokers",
    "shardOf",
    "zones",
)
"""Settings that may be missing. The CLI asks for a value of every key that Pulumi.yaml declares without a default
(seen in pulumi 3.2xx, 2026-11), so these are not declared there."""

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,), "boolean": (bool,), "integer": (int,), "number": (int, float), "array": (list,),
    "object": (dict,),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class StackConfig:
    """What a program is given."""

    project: str
    main: str
    """Program file or folder, relative to Pulumi.yaml."""
    config: Mapping[str, str]
    """Full key (`gcp:project`) to text; JSON for lists and mappings."""
    secret_keys: tuple[str, ...]


def load_stack_config(project_dir: Path, config_file: Path) -> StackConfig:
    """Read the config of a stack.

    Raises:
        InputError: every problem of both files.
    """
    project = _mapping(project_dir / "Pulumi.yaml", "Pulumi.yaml")
    shown = config_file.relative_to(project_dir) if config_file.is_relative_to(project_dir) else config_file
    held = _mapping(config_file, str(shown))
    name = str(project.value.get("name") or "")
    declared = _declared(project, name)
    problems: list[Problem] = []
    config = _defaults(declared)
    secret: set[str] = set()
    for key, value in _config_of(held).items():
        full = _full(key, name)
        _check(held, key, value, name, declared, problems)
        if _is_secure(value):
            secret.add(full)
            config[full] = SECRET_PLACEHOLDER
        else:
            config[full] = config_text(value)
    problems += [
        held.mark(("config",)).problem(f"`{key}` is missing", f"pulumi config set {key} VALUE, or edit the file")
        for key in declared
        if key not in config
    ]
    if problems:
        raise InputError(problems)
    main = str(project.value.get("main") or ".")
    return StackConfig(project=name, main=main, config=config, secret_keys=tuple(sorted(secret)))


def load_defaults(project_dir: Path) -> dict[str, str]:
    """Return what every stack of a project is given that says nothing else."""
    project = _mapping(project_dir / "Pulumi.yaml", "Pulumi.yaml")
    return _defaults(_declared(project, str(project.value.get("name") or "")))


def _defaults(declared: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {
        key: config_text(default)
        for key, said in declared.items()
        if (default := said.get("default", said.get("value"))) is not None
    }


def _mapping(path: Path, name: str) -> Document:
    document = parse_document(read_text(path, name), name)
    value: Any = document.value or {}
    config = cast("dict[str, Any]", value).get("config") if isinstance(value, dict) else value
    if not isinstance(value, dict) or not isinstance(config, dict | None):
        raise InputError([document.mark(("config",)).problem("must be a mapping (`key: value` lines)")])
    return replace(document, value=value)


def _config_of(document: Document) -> dict[str, Any]:
    return cast("dict[str, Any]", document.value.get("config") or {})


def _declared(project: Document, name: str) -> dict[str, dict[str, Any]]:
    """Return full key to declaration; a plain value is a default."""
    return {
        _full(key, name): cast("dict[str, Any]", said) if isinstance(said, dict) else {"default": said}
        for key, said in _config_of(project).items()
    }


def _is_secure(value: Any) -> bool:
    return isinstance(value, dict) and set(cast("dict[str, Any]", value)) == {"secure"}


def _full(key: str, project: str) -> str:
    return key if ":" in key else f"{project}:{key}"


def config_text(value: Any) -> str:
    """Return a value as a program is given it: text, with JSON for all else."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _check(
    document: Document, key: str, value: Any, project: str, declared: Mapping[str, Mapping[str, Any]],
    problems: list[Problem],
) -> None:  # fmt: skip
    full = _full(key, project)
    if full not in declared:
        if full.startswith(f"{project}:") and full.split(":", 1)[1] not in UNDECLARED:
            known = sorted([*declared, *(f"{project}:{word}" for word in UNDECLARED)])
            near = nearest(full, known)
            hint = f"did you mean `{near}`?" if near else f"known: {', '.join(known)}"
            problems.append(document.key_mark(("config", key)).problem(f"unknown setting `{full}`", hint))
        return
    wanted = str(declared[full].get("type", "string"))
    fits = _fits(value, wanted)
    if not fits and not _is_secure(value):
        problems.append(document.mark(("config", key)).problem(f"`{full}` must be of type {wanted}"))


def _fits(value: Any, wanted: str) -> bool:
    """Return whether a value is of a declared type; as text too, as `pulumi config set` writes them."""
    if isinstance(value, str) and wanted != "string":
        try:
            value = json.loads(value)
        except ValueError:
            return False
    kinds = _TYPES.get(wanted, (object,))
    return isinstance(value, kinds) and (wanted == "boolean" or not isinstance(value, bool))
