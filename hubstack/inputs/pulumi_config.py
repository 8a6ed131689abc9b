# SPDX-License-Identifier: Apache-2.0
"""A stack's config, as the Pulumi CLI passes it to a program.

Owns reading Pulumi.yaml and Pulumi.<stack>.yaml: declared types, defaults and values. Secrets are never decrypted:
a placeholder replaces each.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

from hubstack.files.documents import Document, Loc, Mark, parse_document, read_text
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem, shown
from hubstack.files.secrets import kind_of_secret, without_secrets
from hubstack.files.yaml_reader import Place
from hubstack.inputs import deprecated

SECRET_PLACEHOLDER = "[secret]"  # noqa: S105  shown instead of a secret

Config = TypeVar("Config", bound=Mapping[str, str])

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
}
_WORDS = {
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "array": "a list",
    "object": "a mapping",
}

_EXAMPLES = {"boolean": "true", "integer": "3", "number": "3"}


class Settings(dict[str, str]):
    """A stack's settings: full key to text, with the value and place of each in its file."""

    def __init__(self, texts: Mapping[str, str], document: Document, warnings: tuple[str, ...] = ()) -> None:
        """Take the texts, a document whose locations start with a full key, and warnings about deprecated keys."""
        super().__init__(texts)
        self.document = document
        self.warnings = warnings

    def mark(self, setting: str) -> Mark:
        """Return the place of a setting or of a key in it (`hubstack:gateway.host`), or of whatever encloses it."""
        full, _, rest = setting.partition(".")
        return self.document.mark((full, *(rest.split(".") if rest else ())))

    def overlaid(self, texts: Mapping[str, str], own: "Settings") -> "Settings":
        """Return these settings overridden by those of one cluster.

        Args:
            texts: full key to text, of all settings.
            own: the cluster's settings, with their places.
        """
        kept = {key: value for key, value in self.document.value.items() if key in texts and key not in own}
        document = replace(
            self.document,
            value={**kept, **own.document.value},
            places=_overlaid(self.document.places, own.document.places, own),
            key_places=_overlaid(self.document.key_places, own.document.key_places, own),
        )
        return Settings(texts, document, (*self.warnings, *own.warnings))


def current_names(config: Config, name: str) -> Config | Settings:
    """Return settings with the new name of each deprecated key: the same ones if there is none.

    Args:
        config: full key to text, or `Settings`.
        name: name of the settings in messages if no file was read.

    Raises:
        InputError: a key is no longer read, or has both names.
    """
    given = settings_document(config, name)
    had = config.warnings if isinstance(config, Settings) else ()
    nested = {row.key.partition(".")[0] for row in deprecated.SETTINGS if "." in row.key}
    whole = {key: parse_json(value) if key in nested else value for key, value in given.value.items()}
    found, warnings = deprecated.read_deprecated(replace(given, value=whole), deprecated.SETTINGS, [()])
    if not warnings:
        return config
    empty = {key: text for key, text in config.items() if key not in whole}
    texts = empty | {key: config_text(value) for key, value in found.value.items()}
    return Settings(texts, found, (*had, *warnings))


def _overlaid(places: Mapping[Loc, Place], over: Mapping[Loc, Place], own: Mapping[str, str]) -> dict[Loc, Place]:
    return {**{loc: place for loc, place in places.items() if not loc or loc[0] not in own}, **over}


def rooted(document: Document, roots: Mapping[Loc, str], around: Loc) -> Document:
    """Return part of a document with locations that start with the full keys of settings.

    Args:
        document: a settings file.
        roots: location of each setting's value to its full key.
        around: location of the mapping that contains the settings, used as the place of missing ones.
    """

    def moved(places: Mapping[Loc, Place]) -> dict[Loc, Place]:
        return {
            (roots[loc[:end]], *loc[end:]): place
            for loc, place in places.items()
            for end in range(1, len(loc) + 1)
            if loc[:end] in roots
        }

    mark = document.mark(around)
    return replace(
        document,
        value={},
        places={(): (mark.line - 1, mark.column - 1), **moved(document.places)},
        key_places=moved(document.key_places),
    )


def settings_document(config: Mapping[str, str], name: str) -> Document:
    """Return settings as a document: full key to value, with places if they were read from a file.

    Args:
        config: full key to text, or `Settings`.
        name: name of the settings in messages if no file was read.
    """
    document = config.document if isinstance(config, Settings) else Document(name, {}, {}, {})
    values = {**config, **document.value}
    return replace(document, value={key: value for key, value in values.items() if value not in ("", None)})


def plain_secrets(document: Document) -> Iterator[Problem]:
    """Yield a problem for each text in the settings that looks like a secret; the messages do not repeat it."""
    for full, value in document.value.items():
        yield from _plain_secrets(document, (full,), value)


def _plain_secrets(document: Document, loc: Loc, value: Any) -> Iterator[Problem]:
    if isinstance(value, dict):
        for key, each in cast("dict[str, Any]", value).items():
            if not _is_secure(each):
                yield from _plain_secrets(document, (*loc, str(key)), each)
    elif isinstance(value, list):
        for at, each in enumerate(cast("list[Any]", value)):
            yield from _plain_secrets(document, (*loc, at), each)
    elif isinstance(value, str) and (kind := kind_of_secret(value)):
        full, inside = loc[0], ".".join(str(each) for each in loc[1:])
        place = f"--path '{full}.{inside}'" if inside else full
        message = f"`{full}` contains what looks like {kind} in plain text"
        hint = f"pulumi config set --secret {place}, or remove it; then revoke the value where it was issued"
        yield document.mark(loc).problem(message, hint)


def placed(config: Mapping[str, str], problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems, each with the place of its setting if known."""
    if not isinstance(config, Settings):
        return list(problems)
    return [
        replace(config.mark(each.setting).problem(each.message, each.hint), setting=each.setting)
        if each.setting and each.line is None
        else each
        for each in problems
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class StackConfig:
    """The config that a program receives."""

    path: Path
    """The stack's settings file."""
    project: str
    main: str
    """Program file or folder, relative to Pulumi.yaml (`main:`)."""
    config: Settings
    """Full key (`gcp:project`) to text; lists and mappings as JSON."""
    secret_keys: tuple[str, ...]
    document: Document
    """The parsed file."""


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
        """Return the settings of a stack that sets nothing."""
        return {
            key: config_text(default)
            for key, declaration in self.declared.items()
            if (default := declaration.get("default", declaration.get("value"))) is not None
        }

    def load_config(self, config_file: Path) -> StackConfig:
        """Read the settings file of one stack.

        Raises:
            InputError: the file is invalid; lists every problem.
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
        held = _config_of(own)
        document = rooted(own, {("config", key): _full(key, self.name) for key in held}, ("config",))
        values = {_full(key, self.name): value for key, value in held.items() if not _is_secure(value)}
        given = Settings(config, replace(document, value=values))
        return StackConfig(
            path=config_file,
            project=self.name,
            main=self.main,
            secret_keys=tuple(sorted(secret)),
            document=own,
            config=current_names(given, own.path),
        )


def load_project(project_dir: Path) -> PulumiProject:
    """Read the Pulumi.yaml of a folder.

    Raises:
        InputError: the file is invalid; lists every problem.
    """
    document = _mapping(project_dir / "Pulumi.yaml", "Pulumi.yaml")
    name = _name(document)
    main = str(document.value.get("main") or ".")
    return PulumiProject(folder=project_dir, name=name, main=main, declared=_declared(document, name))


def load_stack_config(project_dir: Path, config_file: Path) -> StackConfig:
    """Read Pulumi.yaml and the settings file of one stack.

    Raises:
        InputError: lists every problem of the first invalid file.
    """
    return load_project(project_dir).load_config(config_file)


def _name(project: Document) -> str:
    name = project.value.get("name")
    if not isinstance(name, str) or not name:
        message = f"`name` must be text, not {shown(name)}"
        raise InputError([project.mark(("name",)).problem(message, "set the project's name: `name: hubstack`")])
    return name


_SECRET_LINE = re.compile(
    r"""((?:token|secret|password|api_?key)["']?\s*:\s*)(?!\{?\s*secure\b)\S.*|\bhf_\w{8,}""", re.IGNORECASE
)


def _without_secrets(line: str) -> str:
    """Return a line of a settings file with secrets masked, for use in a message."""
    return without_secrets(_SECRET_LINE.sub(lambda found: f"{found[1] or ''}***", line))


def _mapping(path: Path, name: str) -> Document:
    try:
        document = parse_document(read_text(path, name), name)
    except InputError as error:
        problems = [
            replace(each, source_line=each.source_line and _without_secrets(each.source_line))
            for each in error.problems
        ]
        raise InputError(problems) from None
    document = replace(document, lines=[_without_secrets(line) for line in document.lines])
    value: Any = {} if document.value is None else document.value
    config = cast("dict[str, Any]", value).get("config") if isinstance(value, dict) else value
    if not isinstance(value, dict) or not isinstance(config, dict | None):
        what = "`config`" if isinstance(value, dict) else "the file"
        hint = "put settings under `config:`, one per line: `  gcp:region: us-central1`"
        message = f"{what} must be a mapping (`key: value` lines), not {shown(config)}"
        raise InputError([document.mark(("config",)).problem(message, hint)])
    return replace(document, value=value)


def _config_of(document: Document) -> dict[str, Any]:
    return cast("dict[str, Any]", document.value.get("config") or {})


def _declared(project: Document, name: str) -> dict[str, dict[str, Any]]:
    """Return full key to declaration; a plain value declares a default."""
    return {
        _full(key, name): cast("dict[str, Any]", said) if isinstance(said, dict) else {"default": said}
        for key, said in _config_of(project).items()
    }


def _is_secure(value: Any) -> bool:
    return isinstance(value, dict) and set(cast("dict[str, Any]", value)) == {"secure"}


def _full(key: str, project: str) -> str:
    return key if ":" in key else f"{project}:{key}"


def config_text(value: Any) -> str:
    """Return a value as Pulumi passes it to a program: text as is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), default=str)


def parse_json(value: Any) -> Any:
    """Return the value of a JSON text; any other value is returned unchanged for the schema to check."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _check(
    document: Document,
    key: str,
    value: Any,
    project: str,
    declared: Mapping[str, Mapping[str, Any]],
    problems: list[Problem],
) -> None:
    full = _full(key, project)
    if full not in declared:
        return
    wanted = str(declared[full].get("type", "string"))
    fits = _fits(value, wanted)
    if not fits and not _is_secure(value):
        message = f"`{full}` must be {_WORDS.get(wanted, wanted)}, not {shown(value)}"
        hint = f"pulumi config set {full} {_EXAMPLES.get(wanted, 'VALUE')}, or edit the file"
        problems.append(document.mark(("config", key)).problem(message, hint))


def _fits(value: Any, wanted: str) -> bool:
    """Return whether a value has a declared type, also as text, which is what `pulumi config set` writes."""
    if isinstance(value, str) and wanted != "string":
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return False
    kinds = _TYPES.get(wanted, (object,))
    return isinstance(value, kinds) and (wanted == "boolean" or not isinstance(value, bool))
