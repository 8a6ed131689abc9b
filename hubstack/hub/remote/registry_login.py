# SPDX-License-Identifier: Apache-2.0
"""Logins for registries, from where Docker keeps them: its config file and its credential helpers.

Owns reading them. A login is never printed, and sent only to its registry and the token server that it names.
Format: docker/cli, config.json (`auths`, `credHelpers`, `credsStore`); docker-credential-helpers, `get`.
"""

import base64
import binascii
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from hubstack.plan.images import DOCKER_HUB

_DOCKER_HUB_KEY = "https://index.docker.io/v1/"
_HELPER_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Login:
    """A user name and password."""

    user: str = field(repr=False)
    password: str = field(repr=False)

    @property
    def basic(self) -> str:
        """Return the value of `Authorization` that has both."""
        return f"Basic {base64.b64encode(f'{self.user}:{self.password}'.encode()).decode()}"


def find_login(registry: str) -> Login | None:
    """Return the login for a registry; None if there is none, or a helper has none."""
    config = _config()
    key = _DOCKER_HUB_KEY if registry == DOCKER_HUB else registry
    helper = as_object(config.get("credHelpers")).get(registry) or config.get("credsStore")
    if isinstance(helper, str) and (found := _ask_helper(helper, key)):
        return found
    auths = as_object(config.get("auths"))
    entry = as_object(next((auths[each] for each in (key, registry, f"https://{registry}") if each in auths), None))
    try:
        user, colon, password = (
            base64.b64decode(str(entry.get("auth") or ""), validate=True).decode().partition(":")
        )
    except (binascii.Error, UnicodeDecodeError):
        return None
    return Login(user, password) if colon else None


def _config() -> Mapping[str, Any]:
    folder = os.environ.get("DOCKER_CONFIG")
    path = (Path(folder) if folder else Path.home() / ".docker") / "config.json"
    try:
        return as_object(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError):
        return {}


def _ask_helper(helper: str, registry: str) -> Login | None:
    program = shutil.which(f"docker-credential-{helper}") if re.fullmatch(r"[A-Za-z0-9._-]+", helper) else None
    if program is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603  a helper that the user's own config names
            [program, "get"],
            input=registry,
            capture_output=True,
            text=True,
            timeout=_HELPER_SECONDS,
            check=True,
        )
        said = as_object(json.loads(done.stdout))
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    user, password = said.get("Username"), said.get("Secret")
    # `<token>` stands for a token of another kind, which needs a request that few registries answer.
    if not isinstance(user, str) or not isinstance(password, str) or user == "<token>":
        return None
    return Login(user, password)


def as_object(value: Any) -> Mapping[str, Any]:
    """Return a JSON object; empty if the value is none."""
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else dict[str, Any]()
