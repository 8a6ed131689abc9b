# SPDX-License-Identifier: Apache-2.0
"""Resolves a container's commands into words, with variables substituted.

Owns word splitting and substitution by Kubernetes and shells, as far as a manifest determines them. Executes
nothing. A word keeps its `$` if the manifests do not contain the value.
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hubstack.files.documents import Mark
from hubstack.inputs.init.objects import Part
from hubstack.inputs.init.workloads import ConfigMaps

_SHELLS = frozenset({"sh", "bash", "ash", "dash", "zsh"})
_PREFIXES = frozenset({"exec", "env", "nohup", "time", "sudo"})
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_KUBERNETES = re.compile(r"(?<!\$)\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
_SHELL = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::?-([^}]*))?\}|\$([A-Za-z_][A-Za-z0-9_]*)")


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command."""

    text: str
    mark: Mark
    """Its place; for a word of a script, the place of the script."""


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


def commands(container: Part, env: Mapping[str, Variable]) -> list[list[Word]]:
    """Return the commands that a container runs, each as a list of words; several only for a shell script.

    Raises:
        ValueError: its script has an unclosed quote.
    """
    words = [
        Word(_kubernetes(part.text, env), part.mark)
        for key in ("command", "args")
        for part in container.at(key).items()
    ]
    at = _script_at(words)
    return [words] if at is None else _script(words[at], words[at + 1 :], env)


def _script_at(words: Sequence[Word]) -> int | None:
    """Return the index of the script's word if the command is a shell with an inline script."""
    if not words or words[0].text.rpartition("/")[2] not in _SHELLS:
        return None
    index = 1
    while index < len(words) - 1 and words[index].text[:1] in {"-", "+"}:
        option = words[index].text
        if re.fullmatch(r"-[a-zA-Z]*c", option):
            return index + 1
        # In `-o pipefail` and `-euo pipefail` the next word belongs to the option.
        index += 2 if re.fullmatch(r"[-+][a-zA-Z]*[oO]", option) else 1
        if option != "-c" and re.fullmatch(r"[-+][a-zA-Z]*c[a-zA-Z]*[oO]", option):
            return index
    return None


def _script(script: Word, arguments: Sequence[Word], env: Mapping[str, Variable]) -> list[list[Word]]:
    held = {name: each.value for name, each in env.items()}
    found: list[list[Word]] = []
    for texts in _split(script.text):
        rest, local = list(texts), dict(held)
        while rest and (rest[0] in {*_PREFIXES, "export"} or _ASSIGNMENT.fullmatch(rest[0])):
            if assigned := _ASSIGNMENT.fullmatch(rest[0]):
                local[assigned[1]] = _shell(assigned[2], local)
            rest.pop(0)
        if not rest:
            held = local  # an assignment on its own applies to later commands
            continue
        words = [Word(_shell(text, local), script.mark) for text in rest]
        # In `sh -c SCRIPT NAME A B`, "$@" is A B.
        found.append([w for word in words for w in (arguments[1:] if word.text in {"$@", "$*"} else [word])])
    return found


def _split(script: str) -> Iterator[list[str]]:
    """Yield the commands of a script as words; line ends, `;`, `&` and `|` separate commands."""
    lexer = shlex.shlex(_plain(script), posix=True, punctuation_chars=";&|\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    words: list[str] = []
    for token in lexer:
        if set(token) <= set(";&|\n") and token:
            if words:
                yield words
            words = []
        else:
            words.append(token)
    if words:
        yield words


_REDIRECTION = re.compile(r"(?:&|\d*)>>?(?:&\d|\s*[^\s;&|<>]+)|\d*<<?<?\s*[^\s;&|<>]+")


def _plain(script: str) -> str:
    """Return a script without comments and redirections, with continued lines joined; quoted text is unchanged."""
    text, kept, quote, at = script.replace("\\\n", " "), list[str](), "", 0
    while at < len(text):
        char = text[at]
        if quote:
            quote = "" if char == quote and not (quote == '"' and text[at - 1] == "\\") else quote
        elif char in "'\"" and text[at - 1 : at] != "\\":
            quote = char
        elif char == "#" and (at == 0 or text[at - 1] in " \t\n;&|"):
            at = end if (end := text.find("\n", at)) >= 0 else len(text)
            continue
        elif (found := _REDIRECTION.match(text, at)) and (char in "<>&" or text[at - 1 : at] in {" ", "\t", ""}):
            at = found.end()
            continue
        kept.append(char)
        at += 1
    return "".join(kept)


def _kubernetes(text: str, env: Mapping[str, Variable]) -> str:
    def value(match: re.Match[str]) -> str:
        held = env.get(match[1])
        return match[0] if held is None or held.value is None else held.value

    return _KUBERNETES.sub(value, text)


def _shell(text: str, held: Mapping[str, str | None]) -> str:
    def value(match: re.Match[str]) -> str:
        known = held.get(match[1] or match[3])
        return known or match[2] or match[0]

    return _SHELL.sub(value, text)


def as_words(text: str, mark: Mark) -> list[Word]:
    """Split a text as a shell would.

    Raises:
        ValueError: the text has an unclosed quote.
    """
    return [Word(word, mark) for word in shlex.split(text)]
