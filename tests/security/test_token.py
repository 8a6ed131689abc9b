# SPDX-License-Identifier: Apache-2.0
"""The Hub token is in no output: the canary of the whole suite can fail, and every command is watched with it."""

import json
import os
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path
from typing import Self

import pytest

from tests.support.canary import CANARY

PROJECT = Path(__file__).resolve().parents[2]
LEAKS = {
    "printed": "print(token)",
    "printed as an error": "import sys; print(token, file=sys.stderr)",
    "logged": "import logging; logging.getLogger('any').warning('with %s', token)",
    "raised": "raise ValueError(f'refused: {token}')",
    "asserted": "assert token == ''",
    "written": "(tmp_path / 'lock.yaml').write_text(f'token: {token}')",
    "written deep": "(tmp_path / 'a').mkdir(); (tmp_path / 'a' / 'b').write_bytes(b'\\x00' + token.encode())",
    "a file's name": "(tmp_path / token).touch()",
    "an argument": "import subprocess; subprocess.run(['true', token], check=True)",
    "an argument of a shell": "os.system(f'true {token}')",
}
CLEAN = "import subprocess; subprocess.run(['true'], check=True, env=dict(os.environ)); print('no token')"


def suite(body: str) -> tuple[int, str]:
    """Run a suite of one test that has the canary, in a folder that is no test's."""
    with tempfile.TemporaryDirectory() as folder:
        conftest = (PROJECT / "tests" / "conftest.py").read_text()
        (Path(folder) / "conftest.py").write_text(conftest)
        head = "import os\n\n\ndef test_one(tmp_path):\n    token = os.environ['HF_TOKEN']\n"
        (Path(folder) / "test_one.py").write_text(head + textwrap.indent(body, "    ") + "\n")
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            folder,
            "-c",
            os.devnull,
            "--basetemp",
            f"{folder}/base",
            f"{folder}/test_one.py",
        ]
        env = {**os.environ, "PYTHONPATH": str(PROJECT)}
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    "how", [each if each == "printed" else pytest.param(each, marks=pytest.mark.slow) for each in LEAKS]
)
def test_the_canary_is_found_however_it_gets_out(how: str) -> None:
    code, said = suite(LEAKS[how])
    assert code == 1, said.replace(CANARY, "[canary]")
    assert "the canary token is in" in said
    assert CANARY not in said, "the report repeats it"


def test_a_test_that_keeps_it_passes() -> None:
    code, said = suite(CLEAN)
    assert code == 0, said


def test_this_very_process_has_it() -> None:
    assert os.environ["HF_TOKEN"] == CANARY


class Watch:
    """Reads the arguments of all processes of the machine, again and again, as `ps` does."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.looks = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                if CANARY in words:
                    self.seen.add(words.replace(CANARY, "[canary]"))
            self.looks += 1
            self._done.wait(0.1)


COMMANDS = {
    "preview": ["preview", "examples/fleet", "--json"],
    "render": ["render", "examples/fleet", "OUT"],
    "eject": ["eject", "examples/quickstart", "OUT"],
    "lock": ["lock", "dev", "--check"],
    "diff": ["diff", "dev", "--json"],
    "plan": ["plan", "examples/fleet", "--json"],
}


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="the list of processes is read from /proc")
@pytest.mark.parametrize(
    "name",
    [
        each if each not in {"eject", "render", "diff"} else pytest.param(each, marks=pytest.mark.slow)
        for each in COMMANDS
    ],
)
def test_no_command_shows_the_token_in_its_output_files_or_arguments(name: str, tmp_path: Path) -> None:
    """Every command gets both tokens: the Hub's from the environment, and a secret of the stack's config."""
    command = [str(tmp_path / "out") if word == "OUT" else word for word in COMMANDS[name]]
    config = json.dumps({"hubstack:hfToken": CANARY})
    env = {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "PULUMI_CONFIG": config, "HF_HOME": str(tmp_path)}
    with Watch() as watch:
        done = subprocess.run(
            [sys.executable, "-m", "hubstack", *command],
            cwd=PROJECT,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
    assert CANARY not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert watch.looks > 1
    assert watch.seen == set()
    # The folder is searched for it when the test ends, as of every test.
    assert (name in {"render", "eject"}) == any((tmp_path / "out").rglob("*"))


def test_the_watch_sees_what_ps_would() -> None:
    script = "import sys, time; time.sleep(1)"
    with Watch() as watch:
        started = os.posix_spawn(
            sys.executable, [sys.executable, "-c", script, CANARY[:8] + CANARY[8:]], os.environ
        )
        os.waitpid(started, 0)
    assert any("time.sleep" in words for words in watch.seen)
    from tests.support import canary  # noqa: PLC0415

    canary._started.clear()  # the leak was meant
