# SPDX-License-Identifier: Apache-2.0
"""`./dev up-local` answers by model name, and leaves nothing behind."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from proof.processes import free_ports
from tests.support.golden import PROJECT

pytestmark = pytest.mark.proof

READY_SECONDS = 300


def start(*words: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "proof.up_local", *words],
        cwd=PROJECT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "t"
    folder.mkdir()
    return folder


@pytest.fixture
def running(temporary: Path) -> Generator["tuple[subprocess.Popen[str], str]"]:
    process = start(f"--port={free_ports(1)[0]}", TMPDIR=str(temporary))
    try:
        yield process, _read_until(process, "Ctrl-C")
    finally:
        process.kill()
        process.communicate()


def test_its_curl_works_for_each_model_and_ctrl_c_leaves_nothing(
    running: "tuple[subprocess.Popen[str], str]", temporary: Path
) -> None:
    process, said = running
    (command,) = re.findall(r"^\s+(curl .*)$", said, re.MULTILINE)
    names = re.findall(r"^  (\S+)  \(stand-in weights", said, re.MULTILINE)
    assert names == ["bge-small-en-v1-5", "qwen3-embedding-0-6b", "qwen3-4b-instruct-2507"], "the smallest first"
    for name in names:
        words = [word.replace(names[0], name) for word in shlex.split(command)]
        done = subprocess.run([*words, "--silent", "--show-error"], capture_output=True, text=True, check=True)
        assert re.search(r"commit [0-9a-f]{40}, weights sha256 [0-9a-f]{64}", done.stdout), done.stdout
        assert f'"model": "{name}"' in done.stdout
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert list(temporary.iterdir()) == []
    assert _mentioning(str(temporary)) == []


def test_a_port_that_is_taken_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = start(f"--port={taken.getsockname()[1]}")
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "cannot be used" in errors
    assert "--port" in errors
    assert "Traceback" not in errors


def test_without_go_it_says_what_to_install(tmp_path: Path) -> None:
    process = start(f"--port={free_ports(1)[0]}", PATH=str(tmp_path))
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "install Go" in errors
    assert "Traceback" not in errors


def test_an_unknown_stack_is_refused() -> None:
    process = start("no-such-stack", f"--port={free_ports(1)[0]}")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "no-such-stack" in errors
    assert "Traceback" not in errors


def _read_until(process: "subprocess.Popen[str]", text: str) -> str:
    assert process.stdout
    found: list[str] = []
    end = time.monotonic() + READY_SECONDS
    for line in process.stdout:
        found.append(line)
        if text in line or time.monotonic() > end:
            break
    else:
        assert process.stderr
        pytest.fail(process.stderr.read())
    return "".join(found)


def _mentioning(text: str) -> list[str]:
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in words:
            found.append(words)
    return found
