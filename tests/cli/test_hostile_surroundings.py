# SPDX-License-Identifier: Apache-2.0
"""What a command line promises whatever surrounds it: closed pipes, full disks, odd paths, signals, encodings."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PLAN = ("plan", "examples/quickstart")
LONG = "a" * 300


def hubstack(*arguments: str | bytes, **more: str) -> subprocess.CompletedProcess[bytes]:
    env = {**os.environ, "PYTHONPATH": str(PROJECT), **more}
    command = [sys.executable, "-m", "hubstack", *arguments]
    return subprocess.run(command, check=False, cwd=PROJECT, env=env, capture_output=True, timeout=60)


def shell(command: str) -> subprocess.CompletedProcess[str]:
    text = command.replace("HUBSTACK", f"{sys.executable} -m hubstack")
    command = ["bash", "-o", "pipefail", "-c", text]
    return subprocess.run(command, check=False, cwd=PROJECT, capture_output=True, text=True, timeout=60)


@pytest.mark.slow
def test_a_reader_that_leaves_is_no_failure() -> None:
    done = shell("HUBSTACK preview examples/fleet | head -1")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_full_disk_at_standard_output_is_said() -> None:
    done = shell("HUBSTACK plan examples/quickstart > /dev/full")
    assert done.returncode == 2
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_closed_streams_are_no_traceback() -> None:
    assert shell("HUBSTACK plan examples/quickstart >&- 2>&-").returncode == 0


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_terminal_that_lacks_characters_shows_the_rest(encoding: str) -> None:
    done = hubstack(*PLAN, PYTHONIOENCODING=encoding)
    assert done.returncode == 0
    assert b"qwen3-4b-instruct-2507" in done.stdout


@pytest.fixture
def loop(tmp_path: Path) -> Path:
    path = tmp_path / "loop"
    path.symlink_to(path)
    return path


OPTIONS = [
    ("plan", "PATH"),
    ("plan", "dev", "--project", "PATH"),
    ("plan", "dev", "--html", "PATH"),
    ("explain", "dev", "--html", "PATH"),
    ("sbom", "dev", "--output", "PATH"),
    ("sbom", "dev", "--page", "PATH"),
    ("diff", "dev", "--quota", "PATH"),
    ("drift", "dev", "--bucket-listing", "PATH"),
]
KINDS = ("too long", "not UTF-8")


@pytest.mark.parametrize(
    "command", [*OPTIONS, pytest.param(("render", "dev", "PATH"), marks=pytest.mark.slow)], ids=" ".join
)
@pytest.mark.parametrize("kind", ["loop", *(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS)])
def test_no_path_argument_ends_in_a_traceback(command: tuple[str, ...], kind: str, loop: Path) -> None:
    path = {
        "too long": os.fsencode(loop.parent / LONG),
        "loop": os.fsencode(loop / "x"),
        "not UTF-8": os.fsencode(loop.parent) + b"/\xff/x",
    }[kind]
    done = hubstack(*(path if word == "PATH" else word for word in command))
    assert b"Traceback" not in done.stderr, done.stderr.decode(errors="replace")
    assert done.returncode == 2 or kind == "not UTF-8"


@pytest.mark.parametrize("endpoint", ["http://[::1", "http://h:99999", "http://a b", "ftp://h", "http://"])
def test_an_endpoint_that_is_no_url_is_refused(endpoint: str) -> None:
    done = hubstack("drift", "dev", HF_ENDPOINT=endpoint)
    assert done.returncode == 2
    assert done.stderr.startswith(b"HF_ENDPOINT: is not an http or https URL")


def test_git_that_cannot_be_run_is_said(tmp_path: Path) -> None:
    (tmp_path / "git").write_text("#!/bin/sh\n")
    done = hubstack("diff", "examples/quickstart", PATH=str(tmp_path))
    assert done.returncode == 2
    assert b"git: cannot be run: Permission denied" in done.stderr


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=str)
def test_a_diff_that_is_stopped_leaves_nothing_behind(
    tmp_path: Path, how: signal.Signals, interruptible: None
) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-m", "hubstack", "diff", "examples/quickstart", "--against", "HEAD"]
    running = subprocess.Popen(command, cwd=PROJECT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    for _ in range(300):
        if any(tmp_path.iterdir()) or running.poll() is not None:
            break
        time.sleep(0.02)
    running.send_signal(how)
    _, err = running.communicate(timeout=30)
    assert running.returncode in {128 + how, 0}
    assert b"Traceback" not in err
    assert not list(tmp_path.iterdir())


def test_a_device_is_written_through_and_stays(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = subprocess.Popen(["cat", str(fifo)], stdout=subprocess.PIPE)
    assert hubstack("sbom", "examples/quickstart", "--output", str(fifo)).returncode == 0
    assert reader.communicate(timeout=30)[0].startswith(b"{")
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert hubstack(*PLAN, "--html", "/dev/null").returncode == 0
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/proc/self/fd/1"])
def test_standard_output_by_name_holds_the_file_and_nothing_else(name: str) -> None:
    plain = hubstack("sbom", "examples/quickstart").stdout
    assert hubstack("sbom", "examples/quickstart", "--output", name).stdout == plain


def test_a_redirection_by_name_keeps_what_is_before(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    assert shell(f"HUBSTACK sbom examples/quickstart --output /dev/stdout >> {log}").returncode == 0
    assert log.read_text().startswith("before\n{")


def test_the_mode_of_a_file_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.touch(mode=0o640)
    page.chmod(0o640)
    assert hubstack(*PLAN, "--html", str(page)).returncode == 0
    assert stat.S_IMODE(page.stat().st_mode) == 0o640
