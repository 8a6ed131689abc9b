# SPDX-License-Identifier: Apache-2.0
"""A bad day of the engine: it refuses, is late, answers out of order, is silent, or goes away.

The program is hubstack's own, for examples/quickstart; only the engine's answers are made worse.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest

from hubstack.cli import app as cli
from hubstack.files.errors import PreviewError
from hubstack.inputs.environment import Environment, find_environment
from hubstack.inputs.stack import Stack
from hubstack.review.preview import preview
from hubstack.review.preview.environment import preview_stack
from hubstack.review.preview.monitor import Monitor, Recorder
from tests.support.project import small_project

ROOT = Path(__file__).resolve().parents[3]
MODEL = "qwen3-4b-instruct-2507"
DEPLOYMENT = f"{MODEL}-deployment"
NAMED = f"kubernetes:apps/v1:Deployment {DEPLOYMENT} of hubstack:model_server:ModelServer {MODEL}"


@pytest.fixture(scope="module")
def quickstart() -> Environment:
    return find_environment("examples/quickstart", ROOT, ROOT)


class Faulty(Monitor):
    """Does something else before a registration is answered."""

    def __init__(self, recorder: Recorder, fault: Callable[[Any, grpc.ServicerContext], None]) -> None:
        super().__init__(recorder)
        self._fault = fault

    def RegisterResource(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        self._fault(request, context)
        return super().RegisterResource(request, context)


def run(environment: Environment, fault: Callable[[Any, Any], None], *, silence: float = 30) -> Any:
    return preview_stack(
        Stack.load(environment), answer=lambda recorder: Faulty(recorder, fault), timeout_seconds=silence
    )


def children() -> set[int]:
    """Processes of this one that still run."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError):  # a thread that ended meanwhile
            found.update(map(int, (task / "children").read_text().split()))
    return found


def test_a_refused_registration_is_told_once_with_its_resource_and_model(quickstart: Environment) -> None:
    def refuse(request: Any, context: Any) -> None:
        if request.name == DEPLOYMENT:
            context.abort(grpc.StatusCode.UNKNOWN, "quota is exhausted")

    before = children()
    with pytest.raises(PreviewError) as caught:
        run(quickstart, refuse)
    assert str(caught.value) == f"{NAMED}: quota is exhausted\n(model {MODEL})"
    assert children() == before


@pytest.mark.slow
def test_a_refused_node_pool_names_the_models_that_would_run_on_it(quickstart: Environment) -> None:
    def refuse(request: Any, context: Any) -> None:
        if request.type == "gcp:container/nodePool:NodePool" and "spot" in request.name:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no such machine")

    with pytest.raises(PreviewError) as caught:
        run(quickstart, refuse)
    assert str(caught.value).endswith("\n(model bge-small-en-v1-5, qwen3-4b-instruct-2507, qwen3-embedding-0-6b)")


@pytest.mark.slow
def test_what_is_the_stacks_own_names_no_model(quickstart: Environment) -> None:
    def refuse(request: Any, context: Any) -> None:
        if request.type == "gcp:compute/network:Network":
            context.abort(grpc.StatusCode.UNKNOWN, "no")

    with pytest.raises(PreviewError) as caught:
        run(quickstart, refuse)
    assert str(caught.value) == "gcp:compute/network:Network network-vpc of hubstack:network:Network network: no"


@pytest.mark.slow
def test_when_everything_is_refused_the_first_are_named_and_the_rest_are_counted(quickstart: Environment) -> None:
    def refuse(request: Any, context: Any) -> None:
        if request.custom and not request.type.startswith("pulumi:"):
            context.abort(grpc.StatusCode.UNKNOWN, "the provider has crashed")

    with pytest.raises(PreviewError) as caught:
        run(quickstart, refuse)
    lines = str(caught.value).splitlines()
    assert all("the provider has crashed" in line for line in lines[:5])
    assert len(lines) <= 7, "five, how many more, the models"


def test_a_fault_inside_the_monitor_is_told_without_a_traceback(
    quickstart: Environment, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(request: Any, context: Any) -> None:
        if request.name == DEPLOYMENT:
            raise RuntimeError("disk full")

    with pytest.raises(PreviewError) as caught:
        run(quickstart, fail)
    assert str(caught.value) == f"{NAMED}: RuntimeError: disk full\n(model {MODEL})"
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_answers_out_of_order_and_late_give_the_same_graph(quickstart: Environment, seed: int) -> None:
    random_ = random.Random(seed)  # noqa: S311  not for secrets
    expected = preview_stack(Stack.load(quickstart)).to_json()

    def delay(request: Any, context: Any) -> None:
        # Some late by as long as a hundred others take.
        time.sleep(random_.choice((0, 0, 0.01, 0.3)))

    assert run(quickstart, delay).to_json() == expected


@pytest.mark.slow
def test_an_answer_that_never_comes_ends_the_program_and_says_which(quickstart: Environment) -> None:
    over = False

    def hang(request: Any, context: Any) -> None:
        while request.name == DEPLOYMENT and not over:
            time.sleep(0.05)

    before = children()
    with pytest.raises(PreviewError) as caught:
        run(quickstart, hang, silence=15)  # an import of the SDKs is silent too
    over = True
    text = str(caught.value)
    assert text.startswith("the program was stopped after 15 seconds without progress: no response to ")
    assert NAMED in text
    assert text.endswith(f"\n(model {MODEL})")
    assert children() == before


def cut(context: Any) -> None:
    """Shut the TCP connection that a call came over."""
    port = int(str(context.peer()).rsplit(":", 1)[1])
    for entry in Path("/proc/self/fd").iterdir():
        try:
            with socket.socket(fileno=os.dup(int(entry.name))) as found:
                if found.family in {socket.AF_INET, socket.AF_INET6} and found.getpeername()[1] == port:
                    found.shutdown(socket.SHUT_RDWR)
        except OSError:
            continue


@pytest.mark.slow
def test_a_connection_that_drops_ends_the_program_and_says_what_was_under_way(quickstart: Environment) -> None:
    def drop(request: Any, context: Any) -> None:
        if request.name == DEPLOYMENT:
            cut(context)
            time.sleep(0.2)

    before = children()
    with pytest.raises(PreviewError) as caught:
        run(quickstart, drop)
    text = str(caught.value)
    assert f"{NAMED}: the connection was lost before a response arrived" in text
    assert text.splitlines()[-1].startswith("(model ")
    assert MODEL in text.splitlines()[-1]
    assert children() == before


def test_the_command_says_the_error_and_exits_2(
    quickstart: Environment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(self: Monitor, request: Any, context: Any) -> Any:
        context.abort(grpc.StatusCode.UNKNOWN, "the engine is going down")

    monkeypatch.setattr(Monitor, "RegisterResource", refuse)
    monkeypatch.setattr(sys, "argv", ["hubstack", "preview", str(quickstart.config_file.parent)])
    with pytest.raises(SystemExit) as ended:
        sys.exit(cli.run())
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert not out
    assert err == "pulumi:pulumi:Stack hubstack-quickstart: the engine is going down\n"


SLEEPER = """
import os, subprocess, sys, time, pulumi
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open("pids", "w").write(f"{os.getpid()} {child.pid}")
time.sleep(600)
"""


CHAIN = """
from pulumi import ComponentResource, ResourceOptions
last = None
for number in range(9):
    last = ComponentResource("small:thing:Thing", f"thing-{number}", opts=ResourceOptions(parent=last))
"""


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return met


def pids(folder: Path) -> list[int]:
    assert wait_for(lambda: (folder / "pids").exists() and len((folder / "pids").read_text().split()) == 2)
    return [int(pid) for pid in (folder / "pids").read_text().split()]


@pytest.mark.slow
def test_a_program_that_is_stopped_takes_what_it_started_with_it(tmp_path: Path) -> None:
    with pytest.raises(PreviewError, match="was stopped after 3 seconds without progress: it did not exit"):
        preview(small_project(tmp_path, SLEEPER), stack="dev", timeout_seconds=3)
    assert not any(is_running(pid) for pid in pids(tmp_path))


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_program_ends_when_the_preview_is_killed(tmp_path: Path, how: signal.Signals) -> None:
    """Also by a signal that nobody can catch. Of what a program starts itself only an interrupt can take care."""
    imports = "from pathlib import Path; from hubstack.review.preview import preview"
    code = f"{imports}; preview(Path('.').resolve(), stack='dev')"
    small_project(tmp_path, SLEEPER)
    caller = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    )
    program, started = pids(tmp_path)
    try:
        caller.send_signal(how)
        caller.wait(60)
        assert wait_for(lambda: not is_running(program)), "the program outlives its preview"
    finally:
        if is_running(started):
            os.kill(started, signal.SIGKILL)


@pytest.mark.slow
def test_a_run_may_take_longer_than_the_deadline_which_is_of_silence(tmp_path: Path) -> None:
    def delay(request: Any, context: Any) -> None:
        time.sleep(1)

    graph = preview(
        small_project(tmp_path, CHAIN),
        stack="dev",
        answer=lambda recorder: Faulty(recorder, delay),
        timeout_seconds=6,
    )
    assert len(graph.resources) == 9
