# SPDX-License-Identifier: Apache-2.0
"""Resolves a container's commands into words, with variables substituted.

Owns the environment, substitution by Kubernetes, and which of a container's fields start something. Scripts are
read by `hubstack.inputs.init.shell`. A word keeps its `$` if the manifests do not contain the value.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from hubstack.files.documents import Mark
from hubstack.inputs.init.objects import Part
from hubstack.inputs.init.shell import Shell, script_at
from hubstack.inputs.init.workloads import ConfigMaps

_KUBERNETES = re.compile(r"(?<!\$)\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command."""

    text: str
    mark: Mark
    """Its place; for a word of a script, the place of the script."""


@dataclass(frozen=True, slots=True)
class Line:
    """One command."""

    words: tuple[Word, ...]
    is_branch: bool = False
    """Whether a condition of a script decides if it runs."""


@dataclass(frozen=True, slots=True)
class Commands:
    """What a container runs."""

    lines: tuple[Line, ...]
    files: Mapping[str, str]
    """Text by path: files of ConfigMaps, and those that its script writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable of a container."""

    name: str
    value: str | None
    """None if it comes from a Secret or is not in the manifests."""
    mark: Mark


def variables(container: Part, namespace: str, maps: ConfigMaps) -> dict[str, Variable]:
    """Return a container's environment variables; later ones take precedence and may refer to earlier ones."""
    found: dict[str, Variable] = {}
    for source in container.at("envFrom").items():
        held = maps.get((namespace, source.at("configMapRef", "name").text), {})
        prefix = source.at("prefix").text
        found |= {prefix + k: Variable(name=prefix + k, value=v, mark=source.mark) for k, v in held.items()}
    for each in container.at("env").items():
        name = each.at("name").text
        value: str | None = each.at("value").text
        if each.at("valueFrom").is_mapping:
            ref = each.at("valueFrom", "configMapKeyRef")
            value = maps.get((namespace, ref.at("name").text), {}).get(ref.at("key").text)
        if value is not None:
            value = _kubernetes(value, found)
        found[name] = Variable(name=name, value=value, mark=each.mark)
    return found


def commands(container: Part, env: Mapping[str, Variable], files: Mapping[str, str]) -> Commands:
    """Return the commands that a container runs; several only for a shell script or a hook after its start.

    Args:
        container: the container.
        env: its variables.
        files: text by path, of the ConfigMaps that it mounts.

    Raises:
        ValueError: its script has an unclosed quote.
    """
    shell = Shell({name: each.value for name, each in env.items()}, dict(files))
    found: list[Line] = []
    hook = container.at("lifecycle", "postStart", "exec")
    for parts in ([*container.at("command").items(), *container.at("args").items()], hook.at("command").items()):
        words = [Word(_kubernetes(part.text, env), part.mark) for part in parts]
        if words:
            found += _lines(words, shell)
    return Commands(tuple(found), shell.files)


def _lines(words: list[Word], shell: Shell) -> list[Line]:
    texts = [word.text for word in words]
    before = len(shell.commands)
    shell.start(texts)
    started = shell.commands[before:]
    if [each.words for each in started] == [tuple(texts)]:
        return [Line(tuple(words))]
    at = next((i for i in range(len(words)) if script_at(texts[i:]) is not None), None)
    mark = words[0 if at is None else at + (script_at(texts[at:]) or 0)].mark
    return [Line(tuple(Word(text, mark) for text in each.words), each.is_branch) for each in started]


def _kubernetes(text: str, env: Mapping[str, Variable]) -> str:
    def value(match: re.Match[str]) -> str:
        held = env.get(match[1])
        return match[0] if held is None or held.value is None else held.value

    return _KUBERNETES.sub(value, text)


def as_words(text: str, mark: Mark) -> list[Word]:
    """Split a text as a shell would.

    Raises:
        ValueError: the text has an unclosed quote.
    """
    return [Word(word, mark) for word in shlex.split(text)]
