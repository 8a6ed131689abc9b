# SPDX-License-Identifier: Apache-2.0
"""`hubstack connect`: its snippets work, no key is printed, and a model cannot take over the terminal."""

import ast
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.review.smoke.engine import engine

PROJECT = Path(__file__).resolve().parents[2]
ENV, CHAT = "examples/quickstart", "qwen3-4b-instruct-2507"
KEY = "sk-hunter2-0123456789"


def environment(folder: Path) -> dict[str, str]:
    return {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(PROJECT), "OPENAI_API_KEY": KEY}


def run(folder: Path, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hubstack", "connect", *words]
    env = environment(folder)
    return subprocess.run(
        command, cwd=PROJECT, env=env, input=given, capture_output=True, text=True, timeout=60, check=False
    )


def printed(folder: Path, env: str, model: str, *words: str) -> dict[str, Any]:
    ended = run(folder, env, model, "--json", *words)
    assert ended.returncode == 0, ended.stderr
    assert KEY not in ended.stdout
    return json.loads(ended.stdout)


@pytest.mark.parametrize(
    ("model", "path"), [(CHAT, "/v1/chat/completions"), ("bge-small-en-v1-5", "/v1/embeddings")]
)
def test_the_curl_snippet_works_as_it_is_printed(tmp_path: Path, model: str, path: str) -> None:
    with engine() as served:
        found = printed(tmp_path, ENV, model, "--url", served.url)
        assert set(found["snippets"]) == {"curl", "python", "js", "langchain"}
        done = subprocess.run(["sh", "-c", found["snippets"]["curl"]], capture_output=True, text=True, check=True)
        assert [asked for asked, _, _ in served.asked] == [path]
    assert "choices" in done.stdout or "embedding" in done.stdout
    for language in ("python", "langchain"):
        ast.parse(found["snippets"][language])
    assert all(served.url in text and model in text for text in found["snippets"].values())


def test_a_gateway_with_keys_is_called_with_the_key_of_the_environment_and_its_source_is_a_command(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "stack"
    folder.mkdir()
    for name in ("models.yaml", "models.lock.yaml"):
        text = (PROJECT / "examples" / "quickstart" / name.replace("models.lock", "models.lock")).read_text()
        (folder / name).write_text(text)
    (folder / "Pulumi.keys.yaml").write_text(
        "config:\n  gcp:project: acme-models\n  gcp:region: us-central1\n"
        f"  hubstack:models: {folder.name}/models.yaml\n"
        "  hubstack:gateway: {exposure: external, auth: api-keys, host: m.acme.example, certificate: c}\n"
    )
    for name in ("Pulumi.yaml", "__main__.py"):
        (tmp_path / name).write_text((PROJECT / name).read_text())
    with engine() as served:
        found = printed(tmp_path, "stack", CHAT, "--url", served.url, "--project", str(tmp_path))
        assert found["key"] == (
            "gcloud secrets versions access latest --secret hubstack-keys-api-key --project acme-models"
        )
        env = environment(tmp_path)
        subprocess.run(["sh", "-c", found["snippets"]["curl"]], env=env, capture_output=True, check=True)
        assert served.asked[0][1]["Authorization"] == f"Bearer {KEY}"


def test_a_client_without_the_request_says_so(tmp_path: Path) -> None:
    ended = run(tmp_path, ENV, CHAT, "--lang", "cobol")
    assert ended.returncode == 2
    assert "langchain" in ended.stderr


def test_a_chat_streams_and_shows_escapes_instead_of_obeying_them(tmp_path: Path) -> None:
    with engine() as served:
        ended = run(tmp_path, ENV, CHAT, "--url", served.url, "--chat", given="hello\n\nagain\n")
        bodies = [json.loads(body) for _, _, body in served.asked]
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "\\x1b]0;owned\\x07Hello\n" * 2
    assert [message["role"] for message in bodies[1]["messages"]] == ["user", "assistant", "user"]
    assert KEY not in ended.stdout + ended.stderr


def test_a_chat_that_fails_says_why_and_goes_on(tmp_path: Path) -> None:
    with engine("refused") as served:
        ended = run(tmp_path, ENV, CHAT, "--url", served.url, "--chat", given="hello\n")
    assert ended.returncode == 0
    assert "(HTTP 401: the key is missing or wrong" in ended.stdout
    assert "Traceback" not in ended.stderr


def test_ctrl_c_ends_the_chat_without_a_traceback(tmp_path: Path) -> None:
    with engine() as served:
        command = [sys.executable, "-m", "hubstack", "connect", ENV, CHAT, "--url", served.url, "--chat"]
        pipe = subprocess.PIPE
        env = environment(tmp_path)
        with subprocess.Popen(
            command, cwd=PROJECT, env=env, stdin=pipe, stdout=pipe, stderr=pipe, text=True
        ) as chat:
            assert chat.stdin
            chat.stdin.write("hello\n")
            chat.stdin.flush()
            end = time.monotonic() + 30
            while not served.asked and time.monotonic() < end:
                time.sleep(0.05)
            time.sleep(0.5)
            chat.send_signal(signal.SIGINT)
            _, errors = chat.communicate(timeout=30)
    assert chat.returncode == 0
    assert "Traceback" not in errors


def test_a_port_forward_lasts_as_long_as_the_chat(tmp_path: Path) -> None:
    with engine() as served:
        port = served.url.rpartition(":")[2]
        kubectl = tmp_path / "bin" / "kubectl"
        kubectl.parent.mkdir()
        kubectl.write_text(
            f'#!/bin/sh\necho "$@" > {tmp_path}/words\ntrap "echo ended > {tmp_path}/ended; exit 0" TERM\n'
            f'echo "Forwarding from 127.0.0.1:{port} -> 80"\nwhile :; do sleep 0.05; done\n'
        )
        kubectl.chmod(0o755)
        ended = run(tmp_path, ENV, CHAT, "--port-forward", "--chat", given="hello\n")
    assert ended.returncode == 0, ended.stderr
    assert "Hello" in ended.stdout
    assert f"port-forward service/{CHAT} 8080:80" in (tmp_path / "words").read_text()
    assert (tmp_path / "ended").exists()


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.parent.mkdir()
    kubectl.write_text('#!/bin/sh\necho "unable to listen on any of the requested ports" >&2\nexit 1\n')
    kubectl.chmod(0o755)
    ended = run(tmp_path, ENV, CHAT, "--port-forward")
    assert ended.returncode == 2
    assert "unable to listen" in ended.stderr


def test_without_a_gateway_the_clusters_address_is_printed_with_where_it_is_reached_from(tmp_path: Path) -> None:
    ended = run(tmp_path, ENV, CHAT)
    assert ended.returncode == 0, ended.stderr
    assert f"http://{CHAT}-wake.models.svc.cluster.local:8080/v1" in ended.stdout
    assert "hubstack.dev/model-client=true" in ended.stderr
    assert run(tmp_path, ENV, CHAT, "--chat").returncode == 2
