# SPDX-License-Identifier: Apache-2.0
"""Serves the resource monitor, starts the program and waits for it.

Owns the child process: its environment (no token, no credentials), its termination, and the error if it fails.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import grpc
from pulumi.runtime.proto import engine_pb2_grpc, resource_pb2_grpc

from hubstack.files.bundled import import_paths
from hubstack.files.errors import PreviewError
from hubstack.files.subprocess_env import kept_environment
from hubstack.inputs.pulumi_config import Settings, StackConfig, load_stack_config
from hubstack.names import OFFLINE
from hubstack.review.preview.calls import LOST, Calls
from hubstack.review.preview.graph import Graph
from hubstack.review.preview.monitor import Engine, Monitor, Recorder

TIMEOUT_SECONDS = 120
"""Maximum time without activity: a program with many models takes long but keeps registering."""
_STEP_SECONDS = 0.5
_NAMED = 5
"""Maximum number of resources named in an error; the rest are counted."""
MAX_MESSAGE_BYTES = 400 * 1024 * 1024
"""The SDK's limit."""


def preview(
    project_dir: Path,
    *,
    stack: str,
    config: StackConfig | Path | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
    answer: Callable[[Recorder], Monitor] = Monitor,
    secret: Callable[[str], str] | None = None,
) -> Graph:
    """Run a project's program for a stack and return the registered resources.

    Args:
        project_dir: folder that contains Pulumi.yaml.
        stack: name of the stack.
        config: the stack's config or its file; `stacks/Pulumi.<stack>.yaml` by default.
        timeout_seconds: seconds without activity after which the program is stopped.
        answer: creates the monitor that answers the program; by default like the engine in a preview.
        secret: returns the placeholder for a secret setting, by key.

    Raises:
        InputError: the config is wrong.
        PreviewError: the program failed, violated a rule of the engine, or did not exit.
    """
    if not isinstance(config, StackConfig):
        config = load_stack_config(project_dir, config or project_dir / "stacks" / f"Pulumi.{stack}.yaml")
    if secret:
        texts = {**config.config, **{key: secret(key) for key in config.secret_keys}}
        config = replace(config, config=Settings(texts, config.config.document, config.config.warnings))
    recorder, calls = Recorder(config.project, stack), Calls()
    with _serve(recorder, answer(recorder), calls) as address:
        code, output = _run(project_dir, _environment(project_dir, stack, config, address), calls, timeout_seconds)
    if calls.failures or recorder.errors or code:
        raise _failure(recorder, calls, output)
    return recorder.graph()


def _run(folder: Path, environment: Mapping[str, str], calls: Calls, timeout_seconds: float) -> tuple[int, str]:
    """Run the program until it exits; it never outlives this process."""
    # -P: the program's folder comes first when the program starts, not before.
    command = [sys.executable, "-P", "-m", "hubstack.review.preview.program"]
    # The program exits when its standard input closes, even if this process is killed.
    reads, writes = os.pipe()
    child = subprocess.Popen(  # noqa: S603  runs our own module without a shell
        command,
        cwd=folder,
        env=environment,
        stdin=reads,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    os.close(reads)
    try:
        while True:
            try:
                output, _ = child.communicate(timeout=min(_STEP_SECONDS, timeout_seconds))
            except subprocess.TimeoutExpired:
                if calls.silence_seconds > timeout_seconds:
                    raise _silence(calls, timeout_seconds) from None
            else:
                return child.returncode, output
    finally:
        os.close(writes)
        if child.returncode is None:
            os.killpg(child.pid, signal.SIGKILL)  # and its own child processes
            child.communicate()


@contextmanager
def _serve(recorder: Recorder, monitor: Monitor, calls: Calls) -> Generator[str]:
    options = [("grpc.max_receive_message_length", MAX_MESSAGE_BYTES), ("grpc.so_reuseport", 0)]
    server = grpc.server(ThreadPoolExecutor(max_workers=32), options=options, interceptors=[calls])
    resource_pb2_grpc.add_ResourceMonitorServicer_to_server(monitor, server)
    engine_pb2_grpc.add_EngineServicer_to_server(Engine(recorder), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(grace=None)


def _environment(project_dir: Path, stack: str, config: StackConfig, address: str) -> dict[str, str]:
    program = (project_dir / config.main).resolve()
    said = {
        "monitor": address,
        "engine": address,
        "project": config.project,
        "stack": stack,
        "root_directory": str(project_dir),
        "program": str(program),
    }
    # A clone's own components take precedence over those of the running hubstack; another project's folder of this
    # name is its own affair.
    own = project_dir / "components"
    paths = [*([own] if (own / "pulumi_hubstack").is_dir() else []), *import_paths()]
    kept = kept_environment("HOME", "TMPDIR", "PYTHONPATH")
    return kept | {
        OFFLINE: json.dumps(said),
        "PULUMI_CONFIG": json.dumps(dict(config.config)),
        "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(config.secret_keys)),
        "PULUMI_PROJECT": config.project,
        "PULUMI_STACK": stack,
        # Formatting an Output as a string is a bug in the program; this makes the SDK raise.
        "PULUMI_ERROR_OUTPUT_STRING": "true",
        "PYTHONPATH": os.pathsep.join(filter(None, (*map(str, paths), kept.get("PYTHONPATH")))),
        # Connections to the loopback address must not use a proxy.
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


def _failure(recorder: Recorder, calls: Calls, output: str) -> PreviewError:
    """Return an error with the failed calls, or the logged errors, or the last output lines."""
    failures = list(dict.fromkeys((each.subject, each.message) for each in calls.failures))
    # Calls that were still pending when the program exited.
    failures += [(subject, LOST) for subject in calls.pending()]
    if failures:
        lines = [f"{subject.what}: {message}" for subject, message in failures]
        return PreviewError(_some(lines, "\n"), [subject.name for subject, _ in failures if subject.name])
    if recorder.errors:
        return PreviewError("\n".join(dict.fromkeys(recorder.errors)))
    tail = "\n".join(output.strip().splitlines()[-5:])
    return PreviewError(f"the program exited with an error:\n{tail}")


def _silence(calls: Calls, seconds: float) -> PreviewError:
    waiting = calls.pending()
    what = f"no response to {_some([each.what for each in waiting], '; ')}" if waiting else "it did not exit"
    message = f"the program was stopped after {seconds:g} seconds without progress: {what}"
    return PreviewError(message, [each.name for each in waiting if each.name])


def _some(texts: list[str], separator: str) -> str:
    more = [f"and {len(texts) - _NAMED} more"] if len(texts) > _NAMED else []
    return separator.join((*texts[:_NAMED], *more))
