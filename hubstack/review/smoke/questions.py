# SPDX-License-Identifier: Apache-2.0
"""What each model is asked, by its task, and at which URL.

Owns the requests and the paths. Does not send them nor judge the answers: `hubstack.deploy.smoke_job` does, also
inside the cluster. Pure.
"""

import base64
import math
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hubstack.deploy.manifests.scaling import scales_to_zero
from hubstack.hub.facts import ModelFacts
from hubstack.plan import ModelPlan, Plan
from hubstack.planner.engines import spec_of
from hubstack.planner.engines.tasks import POOL, RANK, TRANSCRIBE, is_for_texts
from hubstack.planner.platforms import platform_of
from hubstack.review.callers import Address

WAIT_SECONDS = 120
"""How long a model that should always run is waited for. Our choice."""
MAX_TOKENS = 32
TOOL = "get_weather"
_QUERY = "What is the capital of France?"
_DOCUMENTS = ["A cello has four strings.", "Paris is the capital of France.", "Copper melts at 1,085 °C."]
_BEST = 1
_TEXTS = ["Paris is the capital of France.", "A cello has four strings."]

Question = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A model, or a question, that is not asked."""

    key: str
    why: str


def ask_of(
    plan: Plan,
    facts: Mapping[str, ModelFacts],
    addresses: Mapping[str, Address],
    requests: int,
    timeout: int | None,
    only: str | None = None,
) -> tuple[dict[str, Any], list[Skipped]]:
    """Return what `ask_models` is given, and what is not asked.

    Args:
        plan: the plan.
        facts: key to locked facts.
        addresses: key to address; a model without one is not asked.
        requests: how often the first question is asked, for the median time to the first token.
        timeout: seconds for which a model is waited for. Default: what its cold start may take.
        only: key of the only model that is asked.
    """
    models: list[dict[str, Any]] = []
    skipped: list[Skipped] = []
    for model in plan.models:
        if only not in {None, model.key}:
            continue
        if model.canary_of:
            skipped.append(Skipped(key=model.key, why=f"gets its share of the requests for {model.canary_of}"))
            continue
        if other := platform_of(model.platform).own_api:
            skipped.append(Skipped(key=model.key, why=f"{other} is not OpenAI's"))
            continue
        if model.key not in addresses:
            skipped.append(Skipped(key=model.key, why="cannot be checked from here with this key"))
            continue
        address, questions = addresses[model.key], list[Question]()
        for question in _questions(model, facts[model.key]):
            if address.is_gateway and not question["path"].startswith(model.server.open_paths):
                skipped.append(Skipped(key=model.key, why=f"the gateway does not expose {question['path']}"))
            else:
                questions.append(_placed(question, model, address))
        if not questions:
            continue
        questions[0]["repeat"] = requests
        models.append(
            {
                "key": model.key,
                "timeout": timeout or wait_seconds(model),
                "token": address.token,
                "questions": questions,
                "list": f"{address.url}{f'/{model.key}' if address.is_gateway else ''}/v1/models",
            }
        )
    return {"models": models}, skipped


def _placed(question: Question, model: ModelPlan, address: Address) -> Question:
    """Return a question with its URL: by the model's path where the gateway reads no name from the body."""
    path = question["path"]
    by_path = address.is_gateway and (not path.startswith("/v1") or "form" in question)
    placed: Question = {**question, "url": f"{address.url}{f'/{model.key}' if by_path else ''}{path}"}
    other = placed.pop("otherwise", None)
    if other and (not address.is_gateway or other["path"].startswith(model.server.open_paths)):
        placed["otherwise"] = _placed(other, model, address)
    return placed


def wait_seconds(model: ModelPlan) -> int:
    """Return how long a model is waited for: its cold start, if it scales to zero."""
    scaling = model.scaling
    return scaling.activation_timeout_seconds if scaling and scales_to_zero(model) else WAIT_SECONDS


def _questions(model: ModelPlan, facts: ModelFacts) -> Iterator[Question]:
    """Yield what a model is asked, then one question for each of its adapters."""
    yield from _by_task(model, facts, model.key)
    for adapter in model.adapters:
        first = next(_by_task(model, facts, adapter.name))
        yield {**first, "what": f"{first['what']}, {adapter.name}"}


def _by_task(model: ModelPlan, facts: ModelFacts, name: str) -> Iterator[Question]:
    task = facts.pipeline_tag or ""
    if task in TRANSCRIBE:
        file = {"name": "tone.wav", "type": "audio/wav", "base64": _base64(wav())}
        yield _asked("transcription", "/v1/audio/transcriptions", "transcript", form={"model": name}, file=file)
    elif task in POOL:
        yield _asked("pooling", "/pooling", "vectors", body={"model": name, "input": _TEXTS})
    elif task == "text-ranking":
        yield _ranking(model, name)
    elif task in RANK:  # the Hub has one task for both, and config.json often does not tell
        yield {**_ranking(model, name), "otherwise": _classification(model, name)}
    elif is_for_texts(facts):
        yield _asked("embedding", "/v1/embeddings", "vectors", body={"model": name, "input": _TEXTS})
    else:
        yield from _generation(model, facts, name)


def _generation(model: ModelPlan, facts: ModelFacts, name: str) -> Iterator[Question]:
    limits = {"model": name, "max_tokens": MAX_TOKENS, "temperature": 0}
    if not _chats(model, facts):
        body = {**limits, "prompt": "The capital of France is", "stream": True}
        yield _asked("completion", "/v1/completions", "text", body=body)
        return
    chat = "/v1/chat/completions"
    hello = [{"role": "user", "content": "Say hello."}]
    yield _asked("chat", chat, "text", body={**limits, "messages": hello, "stream": True})
    if "--tool-call-parser" in model.server.args:
        said = "What is the weather in Paris? Use the tool."
        body = {
            **limits,
            "max_tokens": 512,
            "messages": [{"role": "user", "content": said}],
            "tools": [_TOOL],
            "tool_choice": "auto",
        }
        yield _asked("tools", chat, "tools", body=body, tool=TOOL)
    if _sees(model, facts):
        content = [
            {"type": "text", "text": "What colour is this?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_base64(png())}"}},
        ]
        body = {**limits, "messages": [{"role": "user", "content": content}], "stream": True}
        yield _asked("image", chat, "text", body=body)


_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": TOOL,
        "description": "Return the weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def _ranking(model: ModelPlan, name: str) -> Question:
    known = {"documents": len(_DOCUMENTS), "best": _BEST}
    if spec_of(model.server.engine).has_texts_api:
        return _asked("ranking", "/rerank", "ranking", body={"query": _QUERY, "texts": _DOCUMENTS}, **known)
    body = {"model": name, "query": _QUERY, "documents": _DOCUMENTS}
    return _asked("ranking", "/v1/rerank", "ranking", body=body, **known)


def _classification(model: ModelPlan, name: str) -> Question:
    if spec_of(model.server.engine).has_texts_api:
        return _asked("classification", "/predict", "classes", body={"inputs": _TEXTS[0]})
    return _asked("classification", "/classify", "classes", body={"model": name, "input": _TEXTS[0]})


def _asked(what: str, path: str, judge: str, **more: Any) -> Question:
    return {"what": what, "path": path, "judge": judge, **more}


def _chats(model: ModelPlan, facts: ModelFacts) -> bool:
    """Return whether a model renders chats: it has a template, or the engine has one for it."""
    if "--chat-template" in model.server.args or facts.tokenizer is None or facts.tokenizer.has_chat_template:
        return True
    beside = any(file.path.startswith("chat_template.") for file in facts.files)
    return beside or spec_of(model.server.engine).has_chat_templates or "mistral" in model.server.args


def _sees(model: ModelPlan, facts: ModelFacts) -> bool:
    if facts.pipeline_tag != "image-text-to-text" or "--language-model-only" in model.server.args:
        return False
    flag = spec_of(model.server.engine).sees_with
    return flag is None or flag in model.server.args


def png() -> bytes:
    """Return a red square of 64 pixels a side."""
    side = 64
    rows = (b"\0" + b"\xff\0\0" * side) * side
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    body = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def wav() -> bytes:
    """Return a second of a tone: 16 bits, 16 kHz, one channel."""
    rate = 16_000
    samples = b"".join(
        struct.pack("<h", int(8_000 * math.sin(2 * math.pi * 440 * at / rate))) for at in range(rate)
    )
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + len(samples),
        b"WAVE",
        b"fmt ",
        16,
        1,
        1,
        rate,
        2 * rate,
        2,
        16,
        b"data",
        len(samples),
    )
    return head + samples


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
