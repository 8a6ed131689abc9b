# SPDX-License-Identifier: Apache-2.0
"""Sends requests to models over HTTP and checks the answers.

One file with the standard library only, because it also runs in a Job.

Owns how a request is sent, how long a model that is not there yet is waited for, and what makes an answer good.
`hubstack.review.smoke.questions` decides what to send. No key and no answer is printed: only whether it is
good, and what an error says.
"""

import base64
import json
import math
import os
import socket
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

RESULT_MARK = "hubstack-smoke-result: "
MODELS_AT_ONCE = 8
RETRY_SECONDS = 2.0
SAID_EVERY_SECONDS = 30.0
ANSWER_SECONDS = 120.0
"""How long an answer of a model that has answered before may take."""
MOST_BYTES = 8 << 20
_NOT_YET = frozenset({429, 502, 503, 504})
"""Statuses of a gateway whose model has no ready server, or of a server that is full."""
_NOT_THIS = frozenset({400, 404, 422, 424})
"""Statuses of a server whose model does something else than it was asked."""
_LONGEST = 300

Say = Callable[[str], None]
Asked = Mapping[str, Any]


class _StayHere(urllib.request.HTTPRedirectHandler):
    """Follows no redirect, which would carry the key to another host."""

    def redirect_request(self, *_: Any, **__: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        return None


OPENER = urllib.request.build_opener(_StayHere)


class RefusedError(Exception):
    """An answer that is not good; `status` is 0 without an HTTP answer."""

    def __init__(self, message: str, status: int = 0, *, is_passing: bool = False) -> None:
        super().__init__(message)
        self.status, self.is_passing = status, is_passing


def ask_all(asked: Asked, tokens: Mapping[str, str], say: Say) -> list[dict[str, Any]]:
    """Ask each model its questions; return a result for each, in the same order.

    Args:
        asked: what `hubstack.review.smoke.questions` returns.
        tokens: name of a key to the key.
        say: called with a line about what is waited for.
    """

    def ask(model: Asked) -> dict[str, Any]:
        return _ask_model(model, tokens.get(model["token"], ""), say)

    with ThreadPoolExecutor(MODELS_AT_ONCE) as pool:
        return list(pool.map(ask, asked["models"]))


def _ask_model(model: Asked, token: str, say: Say) -> dict[str, Any]:
    start = time.monotonic()
    checks: list[dict[str, Any]] = []
    for question in model["questions"]:
        checks.append(_check(model, question, token, start, say, is_first=not checks))
        if checks[-1].get("is_down"):
            break
    found: dict[str, Any] = {"key": model["key"], "checks": checks}
    if checks and not checks[-1].get("is_down") and model.get("list"):
        found["root"] = _root(model["list"], token)
    return found


def _check(model: Asked, question: Asked, token: str, start: float, say: Say, *, is_first: bool) -> dict[str, Any]:
    """Ask one question as often as it says; the first one of a model waits until the model is there."""
    found: dict[str, Any] = {"what": question["what"], "passed": False, "first_token_seconds": []}
    for _ in range(question.get("repeat", 1)):
        try:
            answer = (
                _waited(model, question, token, start, say) if is_first else _ask(question, token, ANSWER_SECONDS)
            )
        except RefusedError as refused:
            if refused.status in _NOT_THIS and "otherwise" in question:
                return _check(model, question["otherwise"], token, start, say, is_first=is_first)
            found |= {"note": str(refused), "status": refused.status, "is_down": is_first and refused.is_passing}
            return found
        is_first = False
        found["seconds"] = answer["seconds"]
        found["first_token_seconds"] += [answer["first"]] if answer["first"] is not None else []
        if problem := answer["problem"]:
            return found | {"note": problem}
        found |= {"note": answer["note"]}
    return found | {"passed": True}


def _waited(model: Asked, question: Asked, token: str, start: float, say: Say) -> dict[str, Any]:
    end, said = start + model["timeout"], start
    while True:
        left = end - time.monotonic()
        try:
            return _ask(question, token, max(left, 1.0))
        except RefusedError as refused:
            now = time.monotonic()
            if not refused.is_passing:
                raise
            if now + RETRY_SECONDS > end:
                waited = f"no answer within {model['timeout']:.0f} s: {refused}"
                raise RefusedError(waited, refused.status, is_passing=True) from None
            if now - said >= SAID_EVERY_SECONDS or said == start:
                said = now
                say(f"{model['key']}: {refused}; waiting for up to {end - now:.0f} s more")
            time.sleep(RETRY_SECONDS)


def _ask(question: Asked, token: str, timeout: float) -> dict[str, Any]:
    """Send one request; return the time to the first token and to the end, and what is wrong with the answer."""
    started = time.monotonic()
    try:
        with OPENER.open(_request(question, token), timeout=timeout) as response:
            if "text/event-stream" in response.headers.get("Content-Type", ""):
                text, first, calls = _streamed(events(response, token), started)
                said: Any = {"is_stream": True, "text": text, "calls": calls}
            else:
                first = None
                said = json.loads(_without(token, response.read(MOST_BYTES)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise refusal_of(error, token) from None
    problem, note = judge(question, said)
    return {"seconds": time.monotonic() - started, "first": first, "problem": problem, "note": note}


def _request(question: Asked, token: str) -> urllib.request.Request:
    headers = {"Accept": "application/json, text/event-stream", "User-Agent": "hubstack-smoke"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if "form" in question:
        boundary = uuid.uuid4().hex
        body = _form(question["form"], question["file"], boundary)
        headers["Content-Type"] = f"multipart/form-data; boundary={boundary}"
    else:
        body = json.dumps(question["body"]).encode()
        headers["Content-Type"] = "application/json"
    return urllib.request.Request(question["url"], body, headers)  # noqa: S310  http or https, checked by the caller


def _form(fields: Mapping[str, str], file: Mapping[str, str], boundary: str) -> bytes:
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{file["name"]}"\r\n'
    parts += [f"{head}Content-Type: {file['type']}\r\n\r\n".encode(), base64.b64decode(file["base64"]), b"\r\n"]
    return b"".join([*parts, f"--{boundary}--\r\n".encode()])


def _without(token: str, answer: bytes) -> bytes:
    """Return an answer without the key, which servers that refuse one like to repeat."""
    return answer.replace(token.encode(), b"(the key)") if token else answer


def events(response: Any, token: str) -> Iterator[Any]:
    """Yield the JSON of each server-sent event; reads no line without end."""
    total = 0
    while raw := response.readline(MOST_BYTES + 1):
        total += len(raw)
        if total > MOST_BYTES:
            raise ValueError(f"the answer is longer than {MOST_BYTES} bytes")
        line = _without(token, raw).decode("utf-8", "replace").strip()
        if line.startswith("data:"):
            data = line.removeprefix("data:").strip()
            if data == "[DONE]":
                return
            yield json.loads(data)


def delta_of(event: Any) -> tuple[str, list[Any]]:
    """Return the text and the tool calls that an event adds; the text of reasoning counts."""
    if "error" in event:
        raise ValueError(f"the connection broke: {_message(event)}")
    choices: list[Any] = event.get("choices") or [{}]
    choice = choices[0]
    delta: dict[str, Any] = choice.get("delta") or {}
    parts = (choice.get("text"), *(delta.get(key) for key in ("content", "reasoning_content", "reasoning")))
    return "".join(part for part in parts if isinstance(part, str)), delta.get("tool_calls") or []


def _streamed(found: Iterator[Any], started: float) -> tuple[str, float | None, list[Any]]:
    texts: list[str] = []
    calls: list[Any] = []
    first: float | None = None
    for event in found:
        text, called = delta_of(event)
        if first is None and (text or called):
            first = time.monotonic() - started
        texts.append(text)
        calls += called
    return "".join(texts), first, calls


def judge(question: Asked, said: Any) -> tuple[str | None, str]:
    """Return what is wrong with an answer, or None, and a note about a good one."""
    try:
        return _JUDGES[question["judge"]](question, said)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return f"unexpected response format: {_short(said)}", ""


def _text(_: Asked, said: Any) -> tuple[str | None, str]:
    if "is_stream" not in said:
        return "the answer was not streamed", ""
    return (None, "streamed") if said["text"] or said["calls"] else ("the stream held no token", "")


def _tools(question: Asked, said: Any) -> tuple[str | None, str]:
    message = said["choices"][0]["message"]
    text = str(message.get("content") or "")
    calls: list[Any] = message.get("tool_calls") or []
    if calls:
        function = calls[0]["function"]
        if function["name"] != question["tool"] or not isinstance(json.loads(function["arguments"]), dict):
            return f"the call is not a call of `{question['tool']}` with a JSON object", ""
        return None, "called the tool"
    if question["tool"] in text and any(
        mark in text for mark in ('"name"', "<tool_call", "<function", "[TOOL_CALLS]")
    ):
        return "the call arrived as text: `tool_call_parser` does not fit the model", ""
    return None, "answered without calling the tool"


def _vectors(question: Asked, said: Any) -> tuple[str | None, str]:
    rows = [_flat(row["embedding"] if "embedding" in row else row["data"]) for row in said["data"]]
    if len(rows) != len(question["body"]["input"]):
        return f"{len(rows)} vectors for {len(question['body']['input'])} texts", ""
    for row in rows:
        if not row or not all(math.isfinite(value) for value in row) or not any(row):
            return "a vector is empty, zero or not finite", ""
    return None, f"{len(rows[0]):,} dimensions"


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _flat(values: list[Any]) -> list[float]:
    return [float(value) for each in values for value in (each if hasattr(each, "__len__") else [each])]


def _ranking(question: Asked, said: Any) -> tuple[str | None, str]:
    rows = said["results"] if _is_object(said) else said
    scores = {int(row["index"]): float(row.get("relevance_score", row.get("score"))) for row in rows}
    if len(scores) < question["documents"] or not all(math.isfinite(score) for score in scores.values()):
        return "not every document has a finite score", ""
    best = max(scores, key=lambda at: scores[at])
    if best != question["best"]:
        return "ranks a text about another subject above the answer: prompt template or weights are wrong", ""
    return None, "ranks the answer first"


def _classes(_: Asked, said: Any) -> tuple[str | None, str]:
    if _is_object(said):
        row = said["data"][0]
        probabilities, label = list(row["probs"]), row.get("label")
    else:
        rows = said if _is_object(said[0]) else said[0]
        best = max(rows, key=lambda row: row["score"])
        probabilities, label = [row["score"] for row in rows], best["label"]
    if not probabilities or not all(math.isfinite(value) for value in probabilities):
        return "no finite probability", ""
    return None, f"label {_short(label)}"


def _transcript(_: Asked, said: Any) -> tuple[str | None, str]:
    return (None, "transcribed") if isinstance(said["text"], str) else ("the answer has no text", "")


_JUDGES: dict[str, Callable[[Asked, Any], tuple[str | None, str]]] = {
    "text": _text,
    "tools": _tools,
    "vectors": _vectors,
    "ranking": _ranking,
    "classes": _classes,
    "transcript": _transcript,
}


def _root(url: str, token: str) -> str | None:
    """Return the folder that a server says it serves, which may name the commit."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with OPENER.open(urllib.request.Request(url, headers=headers), timeout=10) as response:  # noqa: S310
            rows = json.loads(_without(token, response.read(MOST_BYTES)))["data"]
            return next((str(row["root"]) for row in rows if row.get("root")), None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def refusal_of(error: Exception, token: str) -> RefusedError:
    """Return what an error of a request means, without the key that was sent."""
    return _of_status(error, token) if isinstance(error, urllib.error.HTTPError) else _of_error(error)


def _of_status(error: urllib.error.HTTPError, token: str) -> RefusedError:
    status = error.code
    try:
        body = _without(token, error.read(MOST_BYTES)).decode("utf-8", "replace")
    except (OSError, ValueError):
        body = ""
    try:
        said = _message(json.loads(body))
    except (ValueError, RecursionError):
        said = _short(body)
    meaning = {
        401: "the key is missing or wrong",
        403: "the caller may not use the model",
        404: "no such model or path",
    }.get(status, "redirects to a login" if status in {301, 302, 303, 307, 308} else "")
    words = ", ".join(word for word in (meaning, said) if word)
    return RefusedError(f"HTTP {status}{': ' if words else ''}{words}", status, is_passing=status in _NOT_YET)


def _of_error(error: Exception) -> RefusedError:
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError | socket.timeout):
        return RefusedError("no answer in time", is_passing=True)
    if isinstance(reason, OSError):
        return RefusedError(f"no connection: {_short(reason.strerror or reason)}", is_passing=True)
    return RefusedError(f"the answer cannot be read: {_short(error)}")


def _message(said: Any) -> str:
    for name in ("error", "message", "error", "detail"):
        said = said[name] if _is_object(said) and name in said else said
    return _short(said)


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    text = "".join(char if char.isprintable() else "?" for char in text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def main() -> int:
    """Ask what the file says with the key in OPENAI_API_KEY; print one line with the results."""
    with open(sys.argv[1], encoding="utf-8") as file:  # noqa: PTH123
        asked = json.load(file)
    keys = os.environ.get("OPENAI_API_KEY", "").split()  # a caller's secret has the newest first
    found = ask_all(asked, {"key": keys[0] if keys else ""}, lambda line: print(line, file=sys.stderr, flush=True))
    print(RESULT_MARK + json.dumps(found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
