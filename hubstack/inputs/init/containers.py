# SPDX-License-Identifier: Apache-2.0
"""Finds the container of a workload that is a model server, and its flags.

Owns how an engine is recognized. Does not own the meaning of the flags.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from hubstack.files.documents import parse_documents
from hubstack.files.errors import InputError
from hubstack.inputs.init.command_line import Commands, Variable, Word, as_words
from hubstack.inputs.init.flags import EngineFlags, Flag, engine_rows, read_flags
from hubstack.inputs.init.objects import Part
from hubstack.inputs.init.workloads import Workload

_NO_SERVER = re.compile(r"router|exporter|benchmark|-sim\b|lmcache")
"""Images with an engine's name that are not the engine."""
_MAX_VALUES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A container that runs an engine."""

    workload: Workload
    container: Part
    row: EngineFlags
    flags: tuple[Flag, ...]
    bare: tuple[Word, ...]
    """Positional arguments."""
    env: dict[str, Variable]
    run: Commands
    """All that the container runs."""
    is_branch: bool
    """Whether a condition of its script decides if it starts."""
    unread: str = ""
    """Path of the file with its flags, if that is not in the manifests."""


def containers(workload: Workload) -> list[Part]:
    """Return the containers that may be a server; KServe kinds have a `model` instead."""
    held = workload.pod.at("containers").items()
    if workload.kind == "InferenceService" and workload.pod.at("model").is_mapping:
        return [workload.pod.at("model"), *held]
    if workload.kind == "LLMInferenceService":  # its server is named `main`; otherwise KServe's default is used
        main = [part for part in held if part.at("name").text == "main"]
        return main[:1] or [workload.root.at("spec", "model")]
    main = workload.pod.at("mainContainer")  # of Dynamo's extraPodSpec
    return [main, *held] if main.is_mapping else held


def find_servers(workload: Workload, container: Part, env: dict[str, Variable], run: Commands) -> list[Server]:
    """Return the model servers that a container runs; none if it runs no known engine."""
    found = [(row, words, line.is_branch) for line in run.lines for row, words in _programs(line.words)]
    is_by_image = not found
    if is_by_image:
        row = _row_of_image(workload, container)
        if row is None:
            return []
        lines = [line.words for line in run.lines]
        is_args = bool(lines) and not container.at("command").items()
        found = [(row, lines[0] if is_args else _after_model_flag(lines, row), False)]
    more = env.pop("VLLM_ADDITIONAL_ARGS", None)  # from KServe's LLMInferenceService
    added = as_words(more.value, more.mark) if more and more.value else []
    servers: list[Server] = []
    for row, words, is_branch in found:
        flags, bare = read_flags([*words, *added], many=row.names)
        flags, unread = _with_config(flags, bare, row, run)
        told = {flag.name for flag in flags}
        for name, flag in row.variables.items():
            if name in env and flag not in told:
                each = env[name]
                flags.append(Flag(name=flag, values=(each.value or f"$({name})",), mark=each.mark))
        names_model = (bare and row.positional) or any(flag.name in (*row.model, *row.path) for flag in flags)
        if is_by_image and workload.role and not names_model:
            continue  # in a role, an image alone may be a frontend or a worker
        servers.append(
            Server(
                workload=workload,
                container=container,
                row=row,
                flags=tuple(flags),
                bare=tuple(bare),
                env=env,
                run=run,
                is_branch=is_branch,
                unread=unread,
            )
        )
    return servers


def _with_config(
    flags: list[Flag], bare: Sequence[Word], row: EngineFlags, run: Commands
) -> tuple[list[Flag], str]:
    """Return flags after those of their YAML file, which they override and the file's path if it is missing."""
    at = next((flag for flag in reversed(flags) if flag.name in row.config and flag.values), None)
    if at is None:
        return flags, ""
    path = at.values[-1]
    try:
        documents = parse_documents(run.files.get(path, ""), path, _MAX_VALUES)
    except InputError:
        documents = []
    config: Any = documents[0].value if documents else None
    if not isinstance(config, dict):
        return flags, path
    held: list[Flag] = []
    for key, value in cast("dict[str, Any]", config).items():
        name = f"--{key.replace('_', '-')}"
        if value is False or value is None or (bare and row.positional and name in row.model):
            continue
        values = cast("list[Any]", value) if isinstance(value, list) else [] if value is True else [value]
        held.append(Flag(name=name, values=tuple(_scalar(each) for each in values), mark=at.mark))
    return [*held, *(flag for flag in flags if flag is not at)], ""


def _scalar(value: Any) -> str:
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def _programs(words: Sequence[Word]) -> Iterator[tuple[EngineFlags, Sequence[Word]]]:
    """Yield the engine that a command starts, and its arguments."""
    for index, word in enumerate(words):
        after = words[index + 1 :]
        for row in engine_rows():
            if word.text in row.modules:
                yield row, after
            for phrase in row.programs.get(word.text.rpartition("/")[2], ()):
                told = phrase.split()
                if [each.text for each in after[: len(told)]] == told:
                    yield row, after[len(told) :]
                    break


def _row_of_image(workload: Workload, container: Part) -> EngineFlags | None:
    if workload.kind == "LLMInferenceService":
        runtime = workload.root.at("spec", "runtime").text
        return _row("SGLang" if runtime == "sglang" else "vLLM")
    if workload.kind == "InferenceService" and container.at("modelFormat").is_mapping:
        known = {"huggingface": "KServe's Hugging Face server", "vllm": "vLLM"}
        if name := known.get(container.at("modelFormat", "name").text.lower()):
            return _row(name)
    image = re.split(r"@|:(?=[^/]*$)", container.at("image").text)[0]
    if _NO_SERVER.search(image):
        return None
    return next((row for row in engine_rows() if any(part in image for part in row.images)), None)


def _row(name: str) -> EngineFlags:
    return next(row for row in engine_rows() if row.name == name)


def _after_model_flag(lines: Sequence[Sequence[Word]], row: EngineFlags) -> Sequence[Word]:
    """Return the flags of the command that names a model, for images whose entrypoint starts the engine."""
    for line in lines:
        if any(word.text.partition("=")[0].replace("_", "-") in row.model for word in line):
            return line[next(i for i, word in enumerate(line) if word.text.startswith("-")) :]
    return ()
