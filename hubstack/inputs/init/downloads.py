# SPDX-License-Identifier: Apache-2.0
"""Finds the Hub repositories that commands download, and where to.

Owns the command lines of the clients of the Hub and AIBrix, git, curl, wget and aria2c, and the calls of
huggingface_hub in Python.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_ID = r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)"
_HOST = r"https?://(?:[^@/\s]*@)?(?:www\.)?(?:huggingface\.co|hf\.co)/"
_FILE_URL = re.compile(rf"{_HOST}{_ID}/(?:resolve|raw|blob)/([^/?\s]+)/([^?\s]+)")
_REPOSITORY_URL = re.compile(rf"{_HOST}{_ID}?/?")
_PYTHON = re.compile(r"\b(?:snapshot_download|hf_hub_download)\(([^()]*)\)")
_PYTHON_ID = re.compile(rf"(?:^\s*|\brepo_id\s*=\s*)[\"']{_ID}[\"']")
_VALUED = frozenset(
    {"--cache-dir", "--exclude", "--include", "--local-dir", "--local-dir-use-symlinks", "--max-workers"}
    | {"--repo-type", "--revision", "--token"}
)
"""Options of `hf download` that take a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A repository, or one of its files, and where it is stored."""

    repo_id: str
    revision: str = ""
    """Empty if none is given."""
    file: str = ""
    """Path in the repository if only one file is downloaded."""
    path: str = ""
    """The folder, or the file if there is one; empty for the Hub's cache."""


def downloads(words: Sequence[str], files: Mapping[str, str]) -> Iterator[Download]:
    """Yield what a command downloads from the Hub.

    Args:
        words: the command.
        files: text by path, for scripts in Python.
    """
    for index, word in enumerate(words):
        program, rest = word.rpartition("/")[2], words[index + 1 :]
        if program in {"hf", "huggingface-cli"} and rest[:1] == ["download"]:
            yield from _of_client(rest[1:])
        elif program == "git" and "clone" in rest:
            yield from _of_git(rest[rest.index("clone") + 1 :])
        elif program in {"aria2c", "curl", "wget"}:
            yield from _of_url(program, rest)
        elif program in {"aibrix_download", "aibrix.downloader"}:
            yield from _of_aibrix(rest)
        yield from _of_python(files.get(word, word) if word.endswith(".py") else word)


def _options(words: Sequence[str], valued: frozenset[str]) -> tuple[dict[str, str], list[str]]:
    """Return the values of options, and the other words."""
    told: dict[str, str] = {}
    bare: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, given, value = word.partition("=")
        if name in valued:
            told[name] = value if given else rest.pop(0) if rest else ""
        elif not word.startswith("-"):
            bare.append(word)
    return told, bare


def _of_client(words: Sequence[str]) -> Iterator[Download]:
    told, bare = _options(words, _VALUED)
    if not bare or told.get("--repo-type", "model") != "model" or not re.fullmatch(_ID, bare[0]):
        return
    file, folder = bare[1] if len(bare) == 2 else "", told.get("--local-dir", "")
    path = posixpath.join(folder, file) if folder else ""
    yield Download(repo_id=bare[0], revision=told.get("--revision", ""), file=file, path=path)


def _of_git(words: Sequence[str]) -> Iterator[Download]:
    told, bare = _options(words, frozenset({"-b", "--branch", "--depth", "--config", "-c", "--filter"}))
    match = _REPOSITORY_URL.fullmatch(bare[0].removesuffix(".git")) if bare else None
    if match and match[1]:
        path = bare[1] if len(bare) > 1 else ""
        yield Download(repo_id=match[1], revision=told.get("-b", told.get("--branch", "")), path=path)


def _of_url(program: str, words: Sequence[str]) -> Iterator[Download]:
    output = {"curl": ("-o", "--output"), "wget": ("-O", "--output-document"), "aria2c": ("-o", "--out")}[program]
    folder = {"curl": ("--output-dir",), "wget": ("-P", "--directory-prefix"), "aria2c": ("-d", "--dir")}[program]
    # In `-Lo PATH` and `-fLo PATH` the last letter is the option.
    plain = [re.sub(rf"^-[a-zA-Z]+{output[0][1]}$", output[0], word) for word in words]
    told, bare = _options(plain, frozenset({*output, *folder}))
    found = [match for word in bare if (match := _FILE_URL.match(word))]
    name = next((told[each] for each in output if each in told), "")
    into = next((told[each] for each in folder if each in told), "")
    for match in found:
        path = posixpath.join(into, (name if len(found) == 1 else "") or posixpath.basename(match[3]))
        yield Download(repo_id=match[1], revision=match[2], file=match[3], path=path)


def _of_aibrix(words: Sequence[str]) -> Iterator[Download]:
    told, _ = _options(words, frozenset({"--local-dir", "--model-name", "--model-uri"}))
    uri = told.get("--model-uri", "").removeprefix("huggingface://")
    if re.fullmatch(_ID, uri):
        name = told.get("--model-name", uri.rpartition("/")[2])
        yield Download(repo_id=uri, path=posixpath.join(told.get("--local-dir", ""), name))


def _of_python(text: str) -> Iterator[Download]:
    for call in _PYTHON.finditer(text):
        if match := _PYTHON_ID.search(call[1]):
            told = {
                name: found[1]
                for name in ("revision", "filename", "local_dir")
                if (found := re.search(rf"\b{name}\s*=\s*[\"']([^\"']+)[\"']", call[1]))
            }
            file, folder = told.get("filename", ""), told.get("local_dir", "")
            path = posixpath.join(folder, file) if folder else ""
            yield Download(repo_id=match[1], revision=told.get("revision", ""), file=file, path=path)
