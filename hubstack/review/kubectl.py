# SPDX-License-Identifier: Apache-2.0
"""Runs kubectl: reads objects and logs of a cluster, and runs a Job to its end.

Owns the process, its environment, and what it says when it fails. Does not own the objects
(`hubstack.deploy.manifests`) nor what they mean.
"""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

from hubstack.files.errors import InputError
from hubstack.files.problems import Problem
from hubstack.files.secrets import without_secrets
from hubstack.files.subprocess_env import kept_environment
from hubstack.plan import Plan

_VARIABLES = ("HOME", "KUBECONFIG", "CLOUDSDK_CONFIG", "CLOUDSDK_PYTHON", "USE_GKE_GCLOUD_AUTH_PLUGIN")
_POLL_SECONDS = 5
_LAST_LINES = 15
_NO_CONTEXT = (
    "`gcloud container clusters get-credentials` adds it once the cluster exists; --context NAME sets another"
)

Tell = Callable[[str], None]
"""Called with a line for the user while something runs."""


def default_context(plan: Plan) -> str:
    """Return the name that `gcloud container clusters get-credentials` gives the stack's cluster."""
    target = plan.target
    return f"gke_{target.cluster_project}_{target.cluster_location}_{target.cluster_name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubectl:
    """kubectl, with a context and a namespace."""

    context: str
    namespace: str
    otherwise: str = "install it"
    """What to do where kubectl is not installed."""

    def within(self, namespace: str) -> "Kubectl":
        """Return the same kubectl with another namespace."""
        return replace(self, namespace=namespace)

    def words(self, *words: str) -> list[str]:
        """Return a whole command line."""
        if shutil.which("kubectl") is None:
            problem = Problem(path="kubectl", message="is not installed here", hint=self.otherwise)
            raise InputError([problem])
        return ["kubectl", "--context", self.context, "--namespace", self.namespace, *words]

    def text(self, doing: str, *words: str, given: str | None = None) -> str:
        """Return what a command prints.

        Raises:
            InputError: kubectl is missing, or the command failed; names `doing`.
        """
        ended = run_program(self.words(*words), _VARIABLES, given)
        if ended.returncode:
            hint = _NO_CONTEXT if re.search(r'context "[^"]*" does not exist', ended.stderr) else None
            raise failed(f"{doing} failed", ended.stderr, "kubectl", hint)
        return ended.stdout

    def objects(self, kind: str, *words: str) -> list[dict[str, Any]]:
        """Return the objects of a kind.

        Raises:
            InputError: the cluster refuses, or the answer is not a list.
        """
        said = self.text(f"reading {kind}", "get", kind, "--output", "json", *words)
        items = parsed(said, f"reading {kind}").get("items", [])
        return [cast("dict[str, Any]", each) for each in items if isinstance(each, dict)]

    def maybe(self, *words: str) -> str | None:
        """Return what a command prints, or None if it failed: the object may not exist."""
        ended = run_program(self.words(*words), _VARIABLES)
        return None if ended.returncode else ended.stdout

    def environment(self) -> dict[str, str]:
        """Return the environment of a kubectl that the caller starts itself."""
        return kept_environment(*_VARIABLES)

    def run_job(self, objects: dict[str, Any], name: str, minutes: int, tell: Tell, path: str) -> str:
        """Return the log of a Job that succeeded; its objects are deleted in any case.

        Args:
            objects: a List with the Job and what it needs.
            name: the Job's name.
            minutes: how long to wait for its end.
            tell: called when its state changes.
            path: what a problem is reported under.

        Raises:
            InputError: kubectl is missing, the cluster refuses, or the Job failed or did not end in time.
        """
        with self._created(json.dumps(objects)):
            tell(f"created job/{name} in {self.context}")
            end, state = time.monotonic() + minutes * 60, ""
            while True:
                said = self.text("reading the Job", "get", "job", name, "--output", "json")
                status = parsed(said, "reading the Job").get("status", {})
                conditions = {
                    each.get("type") for each in status.get("conditions", []) if each.get("status") == "True"
                }
                if conditions & {"Complete", "Failed"}:
                    break
                now = "running" if status.get("ready") else "waiting for its pod"
                if now != state:
                    state = now
                    tell(f"job/{name}: {state}")
                if time.monotonic() > end:
                    hint = f"kubectl describe pods --selector batch.kubernetes.io/job-name={name}; or wait longer"
                    message = f"job/{name} did not end within {minutes} minutes ({state}); it was deleted"
                    raise InputError([Problem(path=path, message=message, hint=hint)])
                time.sleep(_POLL_SECONDS)
            log = self.text("reading the Job's log", "logs", f"job/{name}", "--tail=-1")
            if "Complete" not in conditions:
                raise failed(f"job/{name} failed", log, path)
        return log

    @contextmanager
    def _created(self, text: str) -> Generator[None]:
        """Create objects and delete them at the end, also after an interruption."""
        self.text("creating the Job", "create", "--filename", "-", given=text)
        try:
            yield
        finally:
            words = ("delete", "--ignore-not-found", "--wait=false", "--filename", "-")
            run_program(self.words(*words), _VARIABLES, text)


def parsed(text: str, doing: str) -> dict[str, Any]:
    """Return the JSON object that a command printed."""
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise failed(f"{doing} failed: the answer is not JSON", text, "kubectl")
    return cast("dict[str, Any]", found)


def run_program(
    command: Sequence[str], variables: Sequence[str], text: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program with the kept variables of our environment.

    Raises:
        InputError: it cannot be run.
    """
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
        message, hint = f"cannot be run: {error.strerror}", "name a program that is installed here"
        raise InputError([Problem(path=command[0], message=message, hint=hint)]) from None


def failed(what: str, output: str, path: str, hint: str | None = None) -> InputError:
    """Return an error with the last lines that a program printed, without secrets."""
    for name in ("OPENAI_API_KEY", "HF_TOKEN"):
        if secret := os.environ.get(name):
            output = output.replace(secret, f"(the value of {name})")
    last = [without_secrets(line) for line in output.splitlines() if line.strip()][-_LAST_LINES:]
    return InputError([Problem(path=path, message=f"{what}:", output=tuple(last) or ("(no output)",), hint=hint)])
