# SPDX-License-Identifier: Apache-2.0
"""A running engine is measured by the real load tool, and the next plan uses what was measured."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proof.engines.install import Engines, installed
from proof.engines.models import model_files
from tests.support.project import copy_project

pytestmark = pytest.mark.proof
PROJECT = Path(__file__).resolve().parents[3]
MODEL, NAME = "qwen3-4b-instruct-2507", "Qwen/Qwen3-4B-Instruct-2507"
BOOT_SECONDS = 240


@pytest.fixture(scope="module")
def engines() -> Engines:
    return installed()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    for name, body in model_files("one tiny model says this sentence").items():
        (folder / name).write_bytes(body)
    return folder


@pytest.fixture(scope="module")
def server(engines: Engines, weights: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(engines.programs / "vllm"), "serve", str(weights), "--port", str(port), "--host", "127.0.0.1"]
    command += ["--served-model-name", NAME, "--max-model-len", "8192", "--max-num-seqs", "64"]
    env = {"PATH": os.environ["PATH"], "HOME": str(weights), "HF_HUB_OFFLINE": "1"}
    log = weights.with_name("engine.log")
    with log.open("w") as out, subprocess.Popen(command, env=env, stdout=out, stderr=out) as process:
        try:
            end = time.monotonic() + BOOT_SECONDS
            while not _is_healthy(port):
                assert process.poll() is None, log.read_text()[-3000:]
                assert time.monotonic() < end, log.read_text()[-3000:]
                time.sleep(1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _is_healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def test_the_plan_after_a_measurement_says_what_was_measured(
    server: str, engines: Engines, weights: Path, tmp_path: Path
) -> None:
    copy_project(tmp_path, "examples/quickstart")
    asked = ("examples/quickstart", MODEL)
    before = _hubstack(tmp_path, "explain", *asked, "--json")["model"]["performance"]
    tool = ("--tool", str(engines.programs / "vllm"), "--tokenizer", str(weights))
    found = _hubstack(
        tmp_path, "bench", *asked, "--url", server, *tool, "--concurrency", "4", "--requests", "8", "--json"
    )
    (row,) = found["measurements"]
    after = _hubstack(tmp_path, "explain", *asked, "--json")["model"]["performance"]
    assert row["tool"].startswith("vllm bench serve ")
    assert row["first_token_ms"]["median"] <= row["first_token_ms"]["p99"]
    assert (before["evidence"], after["evidence"]) == ("extrapolated", "measured")
    assert after["formula"]["requests_per_second"] == before["requests_per_second"]["value"]
    assert after["requests_per_second"]["value"] != before["requests_per_second"]["value"]


def test_a_model_that_the_server_does_not_serve_is_not_recorded(
    server: str, engines: Engines, weights: Path, tmp_path: Path
) -> None:
    copy_project(tmp_path, "examples/quickstart")
    tool = ("--tool", str(engines.programs / "vllm"), "--tokenizer", str(weights))
    words = ("bench", "examples/quickstart", "qwen3-embedding-0-6b", "--url", server, *tool, "--requests", "2")
    ended = _run(tmp_path, *words)
    assert ended.returncode == 2, ended.stdout
    assert not list(tmp_path.rglob("*.measured.yaml"))


def _hubstack(project: Path, *words: str) -> Any:
    ended = _run(project, *words)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def _run(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT), "HOME": str(project), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "hubstack", *words]
    return subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, timeout=600, check=False)
