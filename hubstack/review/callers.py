# SPDX-License-Identifier: Apache-2.0
"""Where callers reach a running stack, and with which key: the stack's outputs, Secret Manager and the environment.

Owns the commands that say so. A key is returned to be sent, and is never printed, logged or written.
"""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from hubstack.deploy.manifests.api_keys import synced_secret
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem
from hubstack.plan import Plan
from hubstack.plan.gateway import GatewayAuth
from hubstack.review.kubectl import failed, run_program

KEY_VARIABLE = "OPENAI_API_KEY"
"""Environment variable of the key, which OpenAI's own clients read."""


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
    elsewhere = "--url names the address instead, as in --url http://127.0.0.1:8080"
    if shutil.which("pulumi") is None:
        hint = f"install the Pulumi CLI, from whose outputs the address is read; {elsewhere}"
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
            "reading the stack's outputs failed", ended.stderr, "pulumi", f"`pulumi up` first, or {elsewhere}"
        )
    try:
        said: Any = json.loads(ended.stdout)
        gateway, endpoints = said.get("gateway"), cast("dict[str, str]", said["endpoints"])
        url = str(gateway["url"]) if gateway else None
        return Outputs(gateway=url, endpoints={key: str(each) for key, each in endpoints.items()})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        message, hint = f"the stack `{stack}` has no output `endpoints`", f"`pulumi up` first, or {elsewhere}"
        raise InputError([Problem(path="pulumi", message=message, hint=hint)]) from None


def key_command(plan: Plan) -> str | None:
    """Return the command that prints the gateway's key, or None if callers send none."""
    secret = synced_secret(plan.target, plan.gateway)
    if secret is None or plan.gateway is None or plan.gateway.auth is not GatewayAuth.API_KEYS:
        return None
    return f"gcloud secrets versions access latest --secret {secret.secret_id} --project {plan.target.project}"


def api_key(plan: Plan) -> str:
    """Return the key that callers send: that of the environment, or of Secret Manager; empty if there is none.

    Raises:
        InputError: the gateway needs a key, and neither has one.
    """
    if found := os.environ.get(KEY_VARIABLE):
        return found.strip()
    command = key_command(plan)
    if command is None:
        return ""
    return _gcloud(command.split(), f"export {KEY_VARIABLE} with the key instead")


def identity_token() -> str:
    """Return an identity token of the user, which Cloud Run's callers send."""
    return _gcloud(["gcloud", "auth", "print-identity-token"], "log in with `gcloud auth login`")


def _gcloud(command: list[str], hint: str) -> str:
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
        return f"contains a user or password, which the list of processes shows: set {KEY_VARIABLE} instead"
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
    return url.rstrip("/").removesuffix("/v1")
