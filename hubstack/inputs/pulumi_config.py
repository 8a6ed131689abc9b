# SPDX-License-Identifier: Apache-2.0
"""The config of a stack, as the Pulumi CLI would hand it to a program.

Owns the reading of Pulumi.yaml and Pulumi.<stack>.yaml: declared types, defaults and texts. Secrets are
encrypted there and stay so: the program is given a placeholder in their place.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from hubstack.files.documents import Document, Mark, parse_document, read_text
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem, nearest, shown

SECRET_PLACEHOLDER = "[secret]"  # noqa: S105  shown in place of one

UNDECLARED = (
    "alerts",
    "apiKey",
    "billingAccount",
    "billingBudget",
    "binaryAuthorization",
    "budget",
    "clusters",
    "gateway",
    "hfToken",
    "iapClientSecret",
    "kmsKey",
    "maintenanceWindow",
    "models",
    "monitoring",
    "regions",
    "restrictedApis",
    "runIngress",
    "runInvokers",
    "servicePerimeter",
    "shardOf",
    "zones",
)
"""Settings that may be missing. The CLI asks for a value of every key that Pulumi.yaml declares without a default
(seen in pulumi 3.2xx, 2026-11), so these are not declared there."""

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,), "boolean": (bool,), "integer": (int,), "number": (int, float), "array": (list,),
    "object": (dict,),
}  # fmt: skip
_WORDS = {"string": "text", "boolean": "true or false", "integer": "a whole number", "number": "a number",
          "array": "a list", "object": "a mapping"}  # fmt: skip

_EXAMPLES = {"boolean": "true", "integer": "3", "number": "3"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StackConfig:
    """What a program is given."""

    path: Path
    """The stack's own file."""
    project: str
    main: str
    """Program file or folder, relative to Pulumi.yaml."""
    config: Mapping[str, str]
    """Full key (`gcp:project`) to text; JSON for lists and mappings."""
    secret_keys: tuple[str, ...]
    document: Document
    """What the file holds."""


class Settings(dict[str, str]):
    """The settings of a stack, full key to text, that know where each stands in its file."""

    def __init__(self, texts: Mapping[str, str], document: Document, project: str) -> None:
        super().__init__(texts)
        self.document, self.project = document, project

    def mark(self, setting: str) -> Mark:
        """Return the place of a setting or of a part of it, else of the nearest thing around it."""
        full, _, rest = setting.partition(".")
        held = _config_of(self.document)
        key = full if full in held else full.removeprefix(f"{self.project}:")
        return self.document.mark(("config", key, *(rest.split(".") if rest else ())))


def placed(config: Mapping[str, str], problems: Iterable[Problem]) -> list[Problem]:
    """Return problems with the place of the setting that each is about, where the settings know it."""
    if not isinstance(config, Settings):
        return list(problems)
    return [
        replace(config.mark(each.setting).problem(each.message, each.hint), setting=each.setting)
        if each.setting and each.line is None else each
        for each in problems
    ]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PulumiProject:
    """Pulumi.yaml, read."""

    folder: Path
    name: str
    main: str
    declared: Mapping[str, Mapping[str, Any]]
    """Full key to declaration."""

    @property
    def defaults(self) -> dict[str, str]:
        """Return the settings of a stack that sets nothing itself."""
        return {
            key: config_text(default)
            for key, declaration in self.declared.items()
            if (default := declaration.get("default", declaration.get("value"))) is not None
        }

    def load_config(self, config_file: Path) -> StackConfig:
        """Read the settings file of one stack.

        Raises:
            InputError: every problem of the file.
        """
        is_inside = config_file.is_relative_to(self.folder)
        own = _mapping(config_file, str(config_file.relative_to(self.folder) if is_inside else config_file))
        problems: list[Problem] = []
        config, secret = self.defaults, set[str]()
        for key, value in _config_of(own).items():
            full = _full(key, self.name)
            _check(own, key, value, self.name, self.declared, problems)
            if _is_secure(value):
                secret.add(full)
                config[full] = SECRET_PLACEHOLDER
            else:
                config[full] = config_text(value)
        problems += [
            own.mark(("config",)).problem(f"`{key}` is missing", f"pulumi config set {key} VALUE, or edit the file")
            for key in self.declared
            if key not in config
        ]
        if problems:
            raise InputError(problems)
        settings = Settings(config, own, self.name)
        return StackConfig(
            path=config_file, project=self.name, main=self.main, config=settings,
            secret_keys=tuple(sorted(secret)), document=own,
        )  # fmt: skip


def load_project(project_dir: Path) -> PulumiProject:
    """Read the Pulumi.yaml of a folder.

    Raises:
        InputError: every problem of the file.
    """
    document = _mapping(project_dir / "Pulumi.yaml", "Pulumi.yaml")
    name = _name(document)
    main = str(document.value.get("main") or ".")
    return PulumiProject(folder=project_dir, name=name, main=main, declared=_declared(document, name))


def load_stack_config(project_dir: Path, config_file: Path) -> StackConfig:
    """Read Pulumi.yaml and the settings file of one stack.

    Raises:
        InputError: every problem of the first file that has any.
    """
    return load_project(project_dir).load_config(config_file)


def _name(project: Document) -> str:
    name = project.value.get("name")
    if not isinstance(name, str) or not name:
        message = f"`name` must be text, not {shown(name)}"
        raise InputError([project.mark(("name",)).problem(message, "the project's name: `name: hubstack`")])
    return name


def _mapping(path: Path, name: str) -> Document:
    document = parse_document(read_text(path, name), name)
    value: Any = {} if document.value is None else document.value
    config = cast("dict[str, Any]", value).get("config") if isinstance(value, dict) else value
    if not isinstance(value, dict) or not isinstance(config, dict | None):
        what = "`config`" if isinstance(value, dict) else "the file"
        hint = "settings stand under `config:`, one a line: `  gcp:region: us-central1`"
        message = f"{what} must be a mapping (`key: value` lines), not {shown(config)}"
        raise InputError([document.mark(("config",)).problem(message, hint)])
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
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), default=str)


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
        message = f"`{full}` must be {_WORDS.get(wanted, wanted)}, not {shown(value)}"
        hint = f"pulumi config set {full} {_EXAMPLES.get(wanted, 'VALUE')}, or edit the file"
        problems.append(document.mark(("config", key)).problem(message, hint))


def _fits(value: Any, wanted: str) -> bool:
    """Return whether a value is of a declared type; as text too, as `pulumi config set` writes them."""
    if isinstance(value, str) and wanted != "string":
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return False
    kinds = _TYPES.get(wanted, (object,))
    return isinstance(value, kinds) and (wanted == "boolean" or not isinstance(value, bool))
