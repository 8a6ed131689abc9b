# SPDX-License-Identifier: Apache-2.0
"""Reads a shell script as the commands that it would run.

Owns quotes, variables, arrays, functions, here-documents, nested shells and branches, as far as the text determines
them. Executes nothing: a word keeps its `$` if its value is not known, and a branch is a command that may not run.
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

_SHELLS = frozenset({"sh", "bash", "ash", "dash", "zsh"})
_PREFIXES = frozenset({"command", "exec", "env", "nohup", "sudo", "time"})
_DECLARE = frozenset({"declare", "export", "local", "readonly", "typeset"})
_KEYWORDS = frozenset({"!", "do", "elif", "else", "if", "then", "until", "while", "{"})
_OPENS, _CLOSES = frozenset({"case", "if"}), frozenset({"esac", "fi"})
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\+?)=(.*)", re.DOTALL)
_MAX_DEPTH, _MAX_RUNS = 6, 500
"""Bounds of shells, functions and scripts that start each other."""
_MAX_TEXT, _MAX_DEFAULT = 30_000, 1_000
"""Maximum characters of a script in which functions and here-documents are looked for, and of a variable's default:
each of them may be searched to the end of the text."""

_QUOTED, _LITERAL = "\ue000", "\ue001"
"""What stands for `$` within double quotes, whose value is one word, and within single quotes, where it is no
variable, until words are expanded."""
_VARIABLE = re.compile(
    rf"[${_QUOTED}](?:\{{([A-Za-z_]\w*|[1-9])(?::?([-=?+])([^}}]{{0,{_MAX_DEFAULT}}}))?\}}"
    r"|([A-Za-z_]\w*|[1-9]))"
)
_ARRAY = re.compile(rf"[${_QUOTED}]\{{([A-Za-z_]\w*)\[[@*]\]\}}")
_ARRAY_VALUE = re.compile(r"(?:^|(?<=[\s;&|]))([A-Za-z_]\w*)(\+?)=\(([^()]*)\)", re.MULTILINE)
_FUNCTION = re.compile(
    r"^[ \t]*(?:function[ \t]+)?([A-Za-z_][\w-]*)[ \t]*\(\)\s*\{(.*?)[;\n][ \t]*\}[ \t]*(?=$|;)",
    re.MULTILINE | re.DOTALL,
)
_HERE = re.compile(r"(?<!<)<<(-?)[ \t]*(['\"\\]?)([A-Za-z_]\w*)(?:['\"])?")
_INTO = re.compile(r"(?<![<>\d&])>[ \t]*([^\s;&|<>]+)|\btee[ \t]+([^\s;&|<>-][^\s;&|<>]*)")
_SUBSTITUTION = re.compile(r"\$\(([^()]*)\)|`([^`]*)`")
_PRINTS_FILE = re.compile(r"\s*(?:cat\s+|<\s*)[\"']?([^\s\"']+)[\"']?\s*")
_REDIRECTION = re.compile(r"(?:&|\d*)>>?(?:&\d|\s*[^\s;&|<>]+)|\d*<<?<?\s*[^\s;&|<>]+")


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a script."""

    words: tuple[str, ...]
    is_branch: bool = False
    """Whether a condition decides if it runs."""


@dataclass(slots=True)
class Shell:
    """A shell's state; `run` reads scripts one after another."""

    variables: dict[str, str | None]
    """None: it exists, and its value is not known."""
    files: dict[str, str]
    """Text by path; here-documents add to it."""
    commands: list[Command] = field(default_factory=list[Command])
    _functions: dict[str, str] = field(default_factory=dict[str, str])
    _arrays: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    _depth: int = 0
    _runs: int = 0

    def run(self, script: str, arguments: Sequence[str] = (), *, is_branch: bool = False) -> None:
        """Add the commands of a script.

        Args:
            script: its text.
            arguments: `$1` and those after it.
            is_branch: whether a condition decides if the script runs.

        Raises:
            ValueError: a quote is not closed.
        """
        if self._depth == _MAX_DEPTH or self._runs == _MAX_RUNS:
            return
        self._depth += 1
        self._runs += 1
        text = script.replace("\\\n", " ")
        if len(text) <= _MAX_TEXT:
            text = _FUNCTION.sub(self._function, self._without_here_documents(text))
        text = _ARRAY_VALUE.sub(self._array, text)
        while _SUBSTITUTION.search(text):
            text = _SUBSTITUTION.sub(self._substitution, text)
        depth = 0
        for separator, words in _split(text):
            depth += len(_OPENS & {words[0]})
            self._command(words, arguments, is_branch=is_branch or depth > 0 or separator == "||")
            depth -= len(_CLOSES & {words[0]})
        self._depth -= 1

    def start(self, words: Sequence[str], *, is_branch: bool = False) -> None:
        """Add a command; in place of a shell, a script or a function, the commands that it runs.

        Raises:
            ValueError: a quote is not closed.
        """
        for index, word in enumerate(words):
            program, rest = word.rpartition("/")[2], words[index:]
            if program in _SHELLS and (at := script_at(rest)) is not None:
                return self.run(rest[at], rest[at + 2 :], is_branch=is_branch)
            if program == "su" and "-c" in rest[:-1]:
                return self.run(rest[rest.index("-c") + 1], is_branch=is_branch)
        first = next((i for i, w in enumerate(words) if self._is_script(w) or w in self._functions), None)
        named = words[0].rpartition("/")[2] if words else ""
        if first is not None and (first == 0 or named in _SHELLS | {".", "source", "tini", "dumb-init"}):
            word = words[first]
            script = self._functions.get(word) or self.files[word]
            return self.run(script, words[first + 1 :], is_branch=is_branch)
        self.commands.append(Command(tuple(words), is_branch))
        return None

    def _is_script(self, path: str) -> bool:
        if path not in self.files or path.endswith((".json", ".py", ".yaml", ".yml")):
            return False
        head = self.files[path].partition("\n")[0]
        return not head.startswith("#!") or "sh" in head.rpartition("/")[2]

    def _command(self, texts: Sequence[str], arguments: Sequence[str], *, is_branch: bool) -> None:
        rest, local = list(texts), dict(self.variables)
        local |= {str(number): value for number, value in enumerate(arguments, 1) if number <= 9}
        while rest and (rest[0] in _KEYWORDS or (is_branch and re.fullmatch(r"[^$]*[^(]\)", rest[0]))):
            rest.pop(0)  # also the pattern of a case
        if rest and rest[0].startswith("("):
            rest = [rest[0].lstrip("("), *rest[1:]]
            rest[-1] = rest[-1].rstrip(")")
        assigned: dict[str, str | None] = {}
        while rest and (rest[0] in _PREFIXES | _DECLARE or _ASSIGNMENT.fullmatch(rest[0])):
            if match := _ASSIGNMENT.fullmatch(rest[0]):
                before = (local.get(match[1]) or "") if match[2] else ""
                local[match[1]] = assigned[match[1]] = before + _expand(match[3], local)
            rest.pop(0)
        if rest:
            words = [word for text in rest for word in self._words(text, local, arguments)]
            self.start([word for word in words if word], is_branch=is_branch)
            return
        for name, value in assigned.items():  # on their own they apply to later commands
            known = self.variables.get(name)
            self.variables[name] = None if is_branch and known is not None and known != value else value

    def _words(self, text: str, held: Mapping[str, str | None], arguments: Sequence[str]) -> list[str]:
        if text in {"$@", "$*", f"{_QUOTED}@", f"{_QUOTED}*"}:
            return list(arguments)
        if (array := _ARRAY.fullmatch(text)) and array[1] in self._arrays:
            return [_expand(each, held) for each in self._arrays[array[1]]]
        value = _expand(text, held)
        # A value that is not quoted is split.
        is_split = text.startswith("$") and _VARIABLE.fullmatch(text) and value.strip() and "$" not in value
        return shlex.split(value) if is_split else [value]

    def _without_here_documents(self, script: str) -> str:
        lines, kept = script.split("\n"), list[str]()
        while lines:
            line = lines.pop(0)
            if (here := _HERE.search(line)) and here[3] in (each.strip() for each in lines):
                end = next(i for i, each in enumerate(lines) if each.strip() == here[3])
                body, lines = "\n".join(lines[:end]), lines[end + 1 :]
                line = line[: here.start()] + line[here.end() :]
                if into := _INTO.search(line):
                    path = (into[1] or into[2]).strip("\"'")
                    self.files[path] = body if here[2] else _expand(body, self.variables)
                else:
                    line += f" {shlex.quote(body)}"
            kept.append(line)
        return "\n".join(kept)

    def _function(self, match: re.Match[str]) -> str:
        self._functions[match[1]] = match[2]
        return ""

    def _array(self, match: re.Match[str]) -> str:
        before = self._arrays.get(match[1], []) if match[2] else []
        self._arrays[match[1]] = [*before, *_marked_words(match[3])]
        return ""

    def _substitution(self, match: re.Match[str]) -> str:
        told = _PRINTS_FILE.fullmatch(match[1] or match[2] or "")
        held = self.files.get(told[1]) if told else None
        return "$..." if held is None else held.strip()


def script_at(words: Sequence[str]) -> int | None:
    """Return the index of the script's text if the command is a shell with an inline script."""
    if not words or words[0].rpartition("/")[2] not in _SHELLS:
        return None
    index = 1
    while index < len(words) - 1 and words[index][:1] in {"-", "+"}:
        option = words[index]
        if re.fullmatch(r"-[a-zA-Z]*c", option):
            ends_options = words[index + 1] == "--" and index + 2 < len(words)
            return index + 2 if ends_options else index + 1
        # In `-o pipefail` and `-euo pipefail` the next word belongs to the option.
        index += 2 if re.fullmatch(r"[-+][a-zA-Z]*[oO]", option) else 1
        if option != "-c" and re.fullmatch(r"[-+][a-zA-Z]*c[a-zA-Z]*[oO]", option):
            return index
    return None


def _split(script: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each command's words, and what separates it from the one before."""
    lexer = shlex.shlex(_plain(script), posix=True, punctuation_chars=";&|\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    words: list[str] = []
    separator = ""
    for token in lexer:
        if token and set(token) <= set(";&|\n"):
            if words:
                yield separator, words
            words, separator = [], token.strip("\n")
        else:
            words.append(token)
    if words:
        yield separator, words


def _marked_words(text: str) -> list[str]:
    return [word for _, words in _split(text) for word in words]


def _plain(script: str) -> str:
    """Return a script without comments and redirections, with `$` marked by its quotes."""
    text, kept, quote, at = script, list[str](), "", 0
    while at < len(text):
        char = text[at]
        if quote:
            quote = "" if char == quote and not (quote == '"' and text[at - 1] == "\\") else quote
            if char == "$":
                char = _QUOTED if quote == '"' else _LITERAL
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


def _expand(text: str, held: Mapping[str, str | None]) -> str:
    def value(match: re.Match[str]) -> str:
        known, operator, other = held.get(match[1] or match[4]), match[2], match[3]
        if operator == "+":
            return other if known else ""
        return known or (other if operator in {"-", "="} else None) or match[0]

    return _VARIABLE.sub(value, text).replace(_QUOTED, "$").replace(_LITERAL, "$")
