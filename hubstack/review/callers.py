# SPDX-License-Identifier: Apache-2.0
"""Where callers reach a running stack, and with which key: the stack's outputs, Secret Manager and the environment.

Owns the commands that say so. A key is returned to be sent, and is never printed, logged or written.
"""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from hubstack.deploy.callers.key_commands import access_command, key_commands
from hubstack.deploy.manifests.api_keys import synced_secret
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem
from hubstack.plan import ModelPlan, Plan
from hubstack.plan.gateway import GatewayAuth
from hubstack.planner.platforms import platform_of
from hubstack.review.kubectl import failed, run_program

_IDENTITY_COMMAND = "gcloud auth print-identity-token"
KEY_VARIABLE = "OPENAI_API_KEY"
"""Environment variable of the key, which OpenAI's own clients read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a model is asked."""

    url: str
    """Base URL of the gateway, or of the model's own server; without `/v1`."""
    is_gateway: bool
    token: str = "key"  # noqa: S105  the name of a key
    """Name of the key that is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What `pulumi stack output` says."""

    gateway: str | None
    """Base URL of the gateway; None without one."""
    endpoints: dict[str, str]
    """Key of each model to the address of its API."""


def stack_outputs(project_dir: Path, stack: str) -> Outputs:
    """Return the outputs of a stack that is up.

    Raises:
        InputError: the Pulumi CLI is missing, the stack is not up, or its outputs are not hubstack's.
    """
    elsewhere = "pass the address, for example --url http://127.0.0.1:8080"
    if shutil.which("pulumi") is None:
        hint = f"install the Pulumi CLI, which prints the address; or {elsewhere}"
        raise InputError([Problem(path="pulumi", message="is not installed here", hint=hint)])
    command = [
        "pulumi",
        "stack",
        "output",
        "--json",
        "--stack",
        stack,
        "--cwd",
        str(project_dir),
        "--non-interactive",
    ]
    ended = run_program(
        command, tuple(os.environ)
    )  # the user's own CLI: its backend and login are in the environment
    if ended.returncode:
        raise failed(
            "reading the stack's outputs failed", ended.stderr, "pulumi", f"run `pulumi up` first, or {elsewhere}"
        )
    try:
        said: Any = json.loads(ended.stdout)
        gateway, endpoints = said.get("gateway"), cast("dict[str, str]", said["endpoints"])
        url = str(gateway["url"]) if gateway else None
        return Outputs(gateway=url, endpoints={key: str(each) for key, each in endpoints.items()})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        message, hint = f"the stack `{stack}` has no output `endpoints`", f"run `pulumi up` first, or {elsewhere}"
        raise InputError([Problem(path="pulumi", message=message, hint=hint)]) from None


def key_command(plan: Plan) -> str | None:
    """Return the command that prints the gateway's key, or None if callers send none."""
    secret = synced_secret(plan.target, plan.gateway)
    if secret is None or plan.gateway is None or plan.gateway.auth is not GatewayAuth.API_KEYS:
        return None
    return access_command(plan.target.project, secret.secret_id)


def api_key(plan: Plan) -> str:
    """Return the key that callers send: that of the environment, or of Secret Manager; empty if there is none.

    Raises:
        InputError: the gateway needs a key, and neither has one.
    """
    if found := os.environ.get(KEY_VARIABLE):
        return found.strip()
    if plan.callers:
        hint = f"export {KEY_VARIABLE} with the key of a caller: `hubstack keys ENV` prints the commands"
        raise InputError(
            [Problem(path=KEY_VARIABLE, message="is not set, and each caller has its own key", hint=hint)]
        )
    command = key_command(plan)
    if command is None:
        return ""
    return _gcloud(command.split(), f"export {KEY_VARIABLE} with the key instead")


def key_source(plan: Plan, model: ModelPlan) -> str | None:
    """Return the command that prints the key for a model's callers, or None if they send none."""
    if platform_of(model.platform).takes_identity:
        return _IDENTITY_COMMAND
    allowed = [each for each in plan.callers.callers if model.key in each.models] if plan.callers else []
    return key_commands(plan.target, allowed[0]).read if allowed else key_command(plan)


def key_of(plan: Plan, model: ModelPlan) -> str:
    """Return the key for a model's callers; empty if they send none.

    Raises:
        InputError: it cannot be read.
    """
    return identity_token() if platform_of(model.platform).takes_identity else api_key(plan)


def reachable_address(
    plan: Plan, model: ModelPlan, project_dir: Path, url: str | None
) -> tuple[Address, str | None]:
    """Return a model's address for its callers, and a note if it is not reached from here.

    Args:
        plan: the plan.
        model: the model.
        project_dir: the Pulumi project's folder.
        url: base URL that the user named instead.

    Raises:
        InputError: the stack is not up.
    """
    if url is not None:
        return Address(url=url, is_gateway=plan.gateway is not None and model.has_nodes), None
    if model.has_nodes and not plan.gateway:
        note = (
            "This address is reached from namespaces of the cluster with the label hubstack.dev/model-client=true; "
            "--port-forward opens a way from here."
        )
        return Address(url=base_without_version(plan.endpoints[model.key]), is_gateway=False), note
    outputs = stack_outputs(project_dir, plan.target.stack)
    if model.has_nodes and outputs.gateway:
        return Address(url=base_without_version(outputs.gateway), is_gateway=True), None
    found = outputs.endpoints.get(model.key)
    if found is None:
        message, hint = f"the stack has no address of `{model.key}`", "run `pulumi up` first, or pass --url"
        raise InputError([Problem(path="pulumi", message=message, hint=hint)])
    return Address(url=base_without_version(found), is_gateway=False), None


def identity_token() -> str:
    """Return an identity token of the user, which Cloud Run's callers send."""
    return _gcloud(_IDENTITY_COMMAND.split(), "log in with `gcloud auth login`")


def _gcloud(command: Sequence[str], hint: str) -> str:
    if shutil.which("gcloud") is None:
        raise InputError([Problem(path="gcloud", message="is not installed here", hint=hint)])
    ended = run_program(command, tuple(os.environ))
    if ended.returncode or not ended.stdout.strip():
        raise failed(f"`{' '.join(command[:4])}` failed", ended.stderr, "gcloud", hint)
    return ended.stdout.strip()


def address_problem(url: str) -> str | None:
    """Return why a server cannot be reached at an address, or None; never repeats a password in it."""
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return "is not an address"
    if parts.username is not None or "@" in parts.netloc:
        return f"contains a user or password, which the process list would show: set {KEY_VARIABLE} instead"
    if not is_address or not url.isprintable() or set(url) & set(" ?#\\"):
        return "is not the address of a server: http or https, a host, and no query"
    return None


def base_of(url: str) -> str:
    """Return an address without `/v1` at its end.

    Raises:
        InputError: it is no address.
    """
    if why := address_problem(url):
        raise InputError([Problem(path="--url", message=why, hint="http://127.0.0.1:8000")])
    return base_without_version(url)


def base_without_version(url: str) -> str:
    """Return an address without the API's path at its end."""
    return url.rstrip("/").removesuffix("/v1")
