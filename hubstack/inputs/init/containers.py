# SPDX-License-Identifier: Apache-2.0
"""Finds the container of a workload that is a model server, and its flags.

Owns how an engine is recognized. Does not own the meaning of the flags.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hubstack.inputs.init.command_line import Variable, Word, as_words, commands
from hubstack.inputs.init.flags import EngineFlags, Flag, engine_rows, read_flags
from hubstack.inputs.init.objects import Part
from hubstack.inputs.init.workloads import Workload

_NO_SERVER = re.compile(r"router|exporter|benchmark|-sim\b|lmcache")
"""Images with an engine's name that are not the engine."""


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


def containers(workload: Workload) -> list[Part]:
    """Return the containers that may be a server; KServe kinds have a `model` instead."""
    held = workload.pod.at("containers").items()
    if workload.kind == "InferenceService" and workload.pod.at("model").is_mapping:
        return [workload.pod.at("model"), *held]
    if workload.kind == "LLMInferenceService":  # its server is named `main`; otherwise KServe's default is used
        main = [part for part in held if part.at("name").text == "main"]
        return main[:1] or [workload.root.at("spec", "model")]
    return held


def find_server(workload: Workload, container: Part, env: dict[str, Variable]) -> Server | None:
    """Return the model server that a container runs, or None if it runs no known engine.

    Raises:
        ValueError: a script has an unclosed quote.
    """
    lines = commands(container, env)
    found = next((hit for line in lines for hit in _programs(line)), None)
    if found is None:
        row = _row_of_image(workload, container)
        if row is None:
            return None
        found = row, lines[0] if lines and not container.at("command").items() else _after_model_flag(lines, row)
    row, words = found
    if (more := env.pop("VLLM_ADDITIONAL_ARGS", None)) and more.value:  # from KServe's LLMInferenceService
        words = [*words, *as_words(more.value, more.mark)]
    flags, bare = read_flags(words, many=row.names)
    told = {flag.name for flag in flags}
    for name, flag in row.variables.items():
        if name in env and flag not in told:
            each = env[name]
            flags.append(Flag(name=flag, values=(each.value or f"$({name})",), mark=each.mark))
    return Server(workload=workload, container=container, row=row, flags=tuple(flags), bare=tuple(bare), env=env)


def _programs(words: Sequence[Word]) -> Iterator[tuple[EngineFlags, Sequence[Word]]]:
    """Yield the engine that a command starts, and its arguments."""
    for index, word in enumerate(words):
        after = words[index + 1 :]
        for row in engine_rows():
            if word.text in row.modules:
                yield row, after
            subcommand = row.programs.get(word.text.rpartition("/")[2])
            if subcommand == "" or (subcommand and after and after[0].text == subcommand):
                yield row, after[1:] if subcommand else after


def _row_of_image(workload: Workload, container: Part) -> EngineFlags | None:
    if workload.kind == "LLMInferenceService":
        runtime = workload.root.at("spec", "runtime").text
        return _row("SGLang" if runtime == "sglang" else "vLLM")
    if workload.kind == "InferenceService" and container.at("modelFormat").is_mapping:
        known = {"huggingface": "KServe's Hugging Face server", "vllm": "vLLM"}
        name = known.get(container.at("modelFormat", "name").text.lower())
        return _row(name) if name else None
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
