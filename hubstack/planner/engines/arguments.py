# SPDX-License-Identifier: Apache-2.0
"""Flags shared by several engines: those in the engine's catalogue row, and the response parsers."""

from hubstack import names
from hubstack.inputs.models_schema import Settings
from hubstack.planner.engines.spec import Serving


def of_row(serving: Serving) -> tuple[str, ...]:
    """Return the `arguments` of the engine's catalogue row, with placeholders replaced by the model's values."""
    values = _values(serving)
    return tuple(text.format_map(values) for text in serving.choice.engine.arguments)


def _values(serving: Serving) -> dict[str, str | int]:
    memory, context, concurrency = serving.load.engine, serving.need.context, serving.settings.concurrency
    return {
        "batch_tokens": max(memory.batch_tokens or serving.load.batch_tokens, context),
        "cache_tokens": context * concurrency,
        "concurrency": concurrency,
        "context": context,
        "dtype": _dtype(serving),
        "model_path": serving.model_path,
        "name": serving.name,
        "port": port_of(serving.choice.engine.port),
    }


def _dtype(serving: Serving) -> str:
    support = serving.choice.engine.model_types.get(serving.geometry.model_type)
    return (support and support.dtype) or "float16"


def port_of(port: int) -> int:
    """Return a port that a non-root user can bind."""
    return port if port >= 1024 else 8000 + port


def parser_flags(settings: Settings, model_dir: str) -> list[str]:
    """Return the flags for tool calls, reasoning and chat template, which vLLM and SGLang share."""
    flags: list[str] = []
    if settings.tool_call_parser:
        flags += ["--tool-call-parser", settings.tool_call_parser]
    if settings.reasoning_parser:
        flags += ["--reasoning-parser", settings.reasoning_parser]
    if settings.chat_template:
        mounted = f"{names.FILES_DIR}/{settings.chat_template.rpartition('/')[2]}"
        path = mounted if settings.is_template_mounted else f"{model_dir}/{settings.chat_template}"
        flags += ["--chat-template", path]
    return flags
