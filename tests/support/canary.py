# SPDX-License-Identifier: Apache-2.0
"""A Hub token that must never be seen: it is in the environment of every test, and every output is searched for it.

Owns the value, the search and the hook that `tests/conftest.py` takes over. Searched are what a test prints and
logs, what it fails with, the files in its folder, and the arguments of each process that it starts (which any user
of the machine can list). A test that needs no token takes it out of its environment, as before.
"""

import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

CANARY = "hf_CANARYofTheTestSuite0123456789abcd"
_LARGEST_BYTES = 64 * 1024 * 1024
_started: list[str] = []
"""Programs that were started with the token among their arguments, in this test."""


def release() -> None:
    """Put the token into the environment, and watch what is started from now on."""
    os.environ["HF_TOKEN"] = CANARY
    sys.addaudithook(_watch)


def _watch(event: str, args: tuple[Any, ...]) -> None:
    """Remember a process whose arguments hold the token; its environment may, which others cannot list."""
    if event in {"subprocess.Popen", "os.exec", "os.posix_spawn", "os.system"}:
        words = args[1] if event != "os.system" else args[0]
        if CANARY in repr(words):
            _started.append(f"the arguments of a process ({args[0] if event != 'os.system' else 'a shell'})")


def _seen_in(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= _LARGEST_BYTES:
            try:
                found = CANARY.encode() in path.read_bytes()
            except OSError:
                continue
            if found or CANARY in path.name:
                yield f"the file {path.relative_to(folder)}".replace(CANARY, "[canary]")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail the part of a test whose output holds the token."""
    report = yield
    found = [f"its {name.lower()}" for name, text in report.sections if CANARY in text]
    if CANARY in report.longreprtext:
        found.append("its error")
    found += _started
    _started.clear()
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    if call.when == "call" and isinstance(folder, Path) and folder.is_dir():
        found += _seen_in(folder)
    if found:
        report.outcome = "failed"
        report.longrepr = f"the canary token is in {', '.join(dict.fromkeys(found))}"
        report.sections = [(name, text.replace(CANARY, "[canary]")) for name, text in report.sections]
    return report
