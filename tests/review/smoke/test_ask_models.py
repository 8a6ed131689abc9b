# SPDX-License-Identifier: Apache-2.0
"""The script tells a good answer from a bad one, waits for a model to come, and gives the key to nobody else."""

import io
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from hubstack.deploy.smoke_job import ask_script
from hubstack.deploy.smoke_job.ask_models import MOST_BYTES, RESULT_MARK, ask_all, events
from tests.review.smoke.engine import engine

KEY = "sk-canary-0123456789"
SILENT = [].append
CHAT = {"what": "chat", "judge": "text", "path": "/v1/chat/completions", "body": {"stream": True}}
TOOLS = {
    "what": "tools",
    "judge": "tools",
    "path": "/v1/chat/completions",
    "tool": "get_weather",
    "body": {"tools": []},
}
EMBED = {"what": "embedding", "judge": "vectors", "path": "/v1/embeddings", "body": {"input": ["a", "b"]}}
RANK = {
    "what": "ranking",
    "judge": "ranking",
    "path": "/v1/rerank",
    "documents": 2,
    "best": 1,
    "body": {"query": "q", "documents": ["a cello", "Paris is in France"]},
}
SOUND = {
    "what": "transcription",
    "judge": "transcript",
    "path": "/m/v1/audio/transcriptions",
    "form": {"model": "m"},
    "file": {"name": "tone.wav", "type": "audio/wav", "base64": "UklGRg=="},
}


def asked(url: str, *questions: dict[str, Any], timeout: float = 5) -> dict[str, Any]:
    rows = [{**each, "url": f"{url}{each['path']}"} for each in questions]
    model = {"key": "m", "timeout": timeout, "token": "key", "questions": rows, "list": f"{url}/m/v1/models"}
    return {"models": [model]}


def result(fault: str, *questions: dict[str, Any], **more: Any) -> dict[str, Any]:
    with engine(fault) as served:
        (found,) = ask_all(asked(served.url, *questions, **more), {"key": KEY}, SILENT)
    return found


def test_every_kind_of_good_answer_passes_and_the_key_is_sent() -> None:
    with engine() as served:
        (found,) = ask_all(
            asked(served.url, {**CHAT, "repeat": 3}, TOOLS, EMBED, RANK, SOUND), {"key": KEY}, SILENT
        )
    assert [(each["what"], each["passed"]) for each in found["checks"]] == [
        (name, True) for name in ("chat", "tools", "embedding", "ranking", "transcription")
    ]
    assert len(found["checks"][0]["first_token_seconds"]) == 3
    assert found["root"].endswith("c" * 40)
    assert {headers["Authorization"] for _, headers, _ in served.asked} == {f"Bearer {KEY}"}
    (body,) = [body for path, _, body in served.asked if path.endswith("transcriptions")]
    assert b'name="model"\r\n\r\nm\r\n' in body
    assert b"\r\n\r\nRIFF\r\n" in body


@pytest.mark.parametrize(
    ("fault", "question", "note"),
    [
        ("unstreamed", CHAT, "not streamed"),
        ("silent", CHAT, "no token"),
        ("broken off", CHAT, "EngineCore encountered an issue"),
        ("unparsed", TOOLS, "`tool_call_parser` does not fit"),
        ("nan", EMBED, "not finite"),
        ("zero", EMBED, "zero"),
        ("random", RANK, "another subject"),
        ("", {**EMBED, "path": "/v1/nothing"}, "404"),
        ("refused", CHAT, "401: the key is missing or wrong"),
        ("login", CHAT, "redirects to a login"),
    ],
)
def test_a_bad_answer_fails_with_its_reason(fault: str, question: dict[str, Any], note: str) -> None:
    (check,) = result(fault, question)["checks"]
    assert check["passed"] is False
    assert note in check["note"]


def test_a_model_that_is_not_there_yet_is_waited_for_and_said() -> None:
    said: list[str] = []
    with engine("starting") as served:
        (found,) = ask_all(asked(served.url, CHAT, timeout=20), {"key": KEY}, said.append)
        assert len([path for path, _, _ in served.asked if "chat" in path]) == 3
    assert found["checks"][0]["passed"]
    assert "m: HTTP 503: no healthy upstream; waiting for up to" in said[0]


def test_a_model_that_does_not_come_fails_at_the_timeout_and_is_asked_nothing_more() -> None:
    start = time.monotonic()
    (found,) = ask_all(asked("http://127.0.0.1:9", CHAT, EMBED, timeout=1), {"key": KEY}, SILENT)
    assert time.monotonic() - start < 5
    (check,) = found["checks"]
    assert check["note"].startswith("no answer within 1 s: no connection")


def test_a_refused_key_is_not_tried_again() -> None:
    with engine("refused") as served:
        ask_all(asked(served.url, CHAT, timeout=20), {"key": KEY}, SILENT)
        assert len([path for path, _, _ in served.asked if "chat" in path]) == 1


@pytest.mark.parametrize(
    ("fault", "question"), [("echo", CHAT), ("echo in a stream", CHAT), ("echo as an answer", EMBED)]
)
def test_a_key_that_the_server_repeats_is_not_shown(fault: str, question: dict[str, Any]) -> None:
    found = result(fault, question)
    assert "(the key)" in json.dumps(found)
    assert KEY not in json.dumps(found)


def test_a_line_without_end_is_not_read_to_its_end() -> None:
    answer = io.BytesIO(b"data: " + b"x" * (2 * MOST_BYTES))
    with pytest.raises(ValueError, match="longer than"):
        list(events(answer, ""))
    assert answer.tell() <= MOST_BYTES + 1


def test_a_redirect_is_not_followed_with_the_key() -> None:
    with engine("login") as served:
        ask_all(asked(served.url, CHAT), {"key": KEY}, SILENT)
        assert not [path for path, _, _ in served.asked if "elsewhere" in path]


def test_a_classifier_that_is_no_ranker_is_asked_to_classify() -> None:
    with engine("classifier") as served:
        other = {
            "what": "classification",
            "judge": "classes",
            "url": f"{served.url}/predict",
            "body": {"inputs": "a"},
        }
        (found,) = ask_all(asked(served.url, {**RANK, "otherwise": other}), {"key": KEY}, SILENT)
    assert [(each["what"], each["passed"], each["note"]) for each in found["checks"]] == [
        ("classification", True, "label POSITIVE")
    ]


def test_as_a_program_it_prints_one_line_and_never_the_key_or_what_the_model_said(tmp_path: Path) -> None:
    script, file = tmp_path / "ask_models.py", tmp_path / "asked.json"
    script.write_text(ask_script())
    with engine() as served:
        file.write_text(json.dumps(asked(served.url, CHAT)))
        command = [sys.executable, "-I", str(script), str(file)]
        done = subprocess.run(command, env={"OPENAI_API_KEY": KEY}, capture_output=True, text=True, check=True)
    (line,) = done.stdout.splitlines()
    assert json.loads(line.removeprefix(RESULT_MARK))[0]["checks"][0]["passed"]
    assert KEY not in done.stdout + done.stderr
    assert "owned" not in done.stdout
