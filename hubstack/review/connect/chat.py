# SPDX-License-Identifier: Apache-2.0
"""A chat in the terminal: questions from stdin, streamed answers to stdout.

Owns the conversation. What a model says is untrusted: control characters, which could take over the terminal, are
shown as escapes, also where a sequence is split between two pieces.
"""

import json
import urllib.request
from collections.abc import Callable
from typing import Any

from hubstack.deploy.smoke_job.ask_models import OPENER, RefusedError, delta_of, events, refusal_of
from hubstack.files.escape import visible

Message = dict[str, str]
_SECONDS = 600
"""How long one answer may take, with a cold start. Our choice."""


def chat(url: str, model: str, token: str, ask: Callable[[], str | None], say: Callable[[str], None]) -> int:
    """Talk until the input ends; return the number of answers.

    Args:
        url: of the chat completions.
        model: name of the model in requests.
        token: the key; empty for none.
        ask: returns the next question, or None at the end of the input.
        say: prints a piece of text that is safe in a terminal.
    """
    messages: list[Message] = []
    answers = 0
    while (question := ask()) is not None:
        if not question.strip():
            continue
        messages.append({"role": "user", "content": question})
        try:
            answer = _answer(url, model, token, messages, say)
        except RefusedError as refused:
            messages.pop()
            say(f"\n({visible(str(refused))})\n")
            continue
        except KeyboardInterrupt:
            messages.pop()
            say("\n(stopped; Ctrl-C again or Ctrl-D ends the chat)\n")
            continue
        messages.append({"role": "assistant", "content": answer})
        answers += 1
    return answers


def _answer(url: str, model: str, token: str, messages: list[Message], say: Callable[[str], None]) -> str:
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream", "User-Agent": "hubstack-connect"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    body = json.dumps({"model": model, "messages": messages, "stream": True}).encode()
    request = urllib.request.Request(url, body, headers)  # noqa: S310  http or https, checked by the caller
    pieces: list[str] = []
    try:
        with OPENER.open(request, timeout=_SECONDS) as response:
            if "text/event-stream" not in response.headers.get("Content-Type", ""):
                raise RefusedError("the answer is not a stream")
            for event in events(response, token):
                pieces.append(_said(event))
                say(visible(pieces[-1], keep="\n\t"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise refusal_of(error, token) from None
    say("\n")
    return "".join(pieces)


def _said(event: Any) -> str:
    return delta_of(event)[0]
