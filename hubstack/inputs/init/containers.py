# SPDX-License-Identifier: Apache-2.0
"""Which container of a workload is a model server, and the flags that it is given.

Owns how an engine is recognised. Does not own what the flags mean.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hubstack.inputs.init.command_line import Variable, Word, as_words, commands
from hubstack.inputs.init.flags import EngineFlags, Flag, engine_rows, read_flags
from hubstack.inputs.init.objects import Part
from hubstack.inputs.init.workloads import Workload

_NO_SERVER = re.compile(r"router|exporter|benchmark|-sim\b|lmcache")
"""Images beside an engine that carry its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A container that an engine runs in."""

    workload: Workload
    container: Part
    row: EngineFlags
    flags: tuple[Flag, ...]
    bare: tuple[Word, ...]
    """Words that belong to no flag."""
    env: dict[str, Variable]


def containers(workload: Workload) -> list[Part]:
    """Return what may be a server; of KServe's kinds the model stands in a container's place."""
    held = workload.pod.at("containers").items()
    if workload.kind == "InferenceService" and workload.pod.at("model").is_mapping:
        return [workload.pod.at("model"), *held]
    if workload.kind == "LLMInferenceService":  # its server is called `main`; without one KServe's own is taken
        main = [part for part in held if part.at("name").text == "main"]
        return main[:1] or [workload.root.at("spec", "model")]
    return held


def find_server(workload: Workload, container: Part, env: dict[str, Variable]) -> Server | None:
    """Return the server that a container runs, None where it runs none that is known.

    Raises:
        ValueError: a script has a quote that is not closed.
    """
    lines = commands(container, env)
    found = next((hit for line in lines for hit in _programs(line)), None)
    if found is None:
        row = _row_of_image(workload, container)
        if row is None:
            return None
        found = row, lines[0] if lines and not container.at("command").items() else _after_model_flag(lines, row)
    row, words = found
    if (more := env.pop("VLLM_ADDITIONAL_ARGS", None)) and more.value:  # of KServe's LLMInferenceService
        words = [*words, *as_words(more.value, more.mark)]
    flags, bare = read_flags(words, many=row.names)
    told = {flag.name for flag in flags}
    for name, flag in row.variables.items():
        if name in env and flag not in told:
            each = env[name]
            flags.append(Flag(name=flag, values=(each.value or f"$({name})",), mark=each.mark))
    return Server(
        workload=workload, container=container, row=row, flags=tuple(flags), bare=tuple(bare), env=env
    )  # fmt: skip


def _programs(words: Sequence[Word]) -> Iterator[tuple[EngineFlags, Sequence[Word]]]:
    """Yield the engine that a command starts, and the words after it."""
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
    """Return the words from the first flag on of the command that names a model, as a start script takes them."""
    for line in lines:
        if any(word.text.partition("=")[0].replace("_", "-") in row.model for word in line):
            return line[next(i for i, word in enumerate(line) if word.text.startswith("-")) :]
    return ()
