# SPDX-License-Identifier: Apache-2.0
"""The commands with which a caller's keys are made, read, rotated and revoked.

Owns their text. hubstack itself never holds a key: each command makes or moves it between `openssl`, a shell
variable and `gcloud`, so that it is in no argument, file or history.
"""

from dataclasses import dataclass

from hubstack.plan.callers import CallerPlan
from hubstack.plan.target import TargetPlan

_NEW_KEY = "sk-$(openssl rand -hex 32)"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCommands:
    """Commands for the keys of one caller, for bash or zsh; the newest key is the first line of the secret."""

    create: str
    """Makes the first key, and revokes all earlier ones."""
    read: str
    """Prints the newest key."""
    rotate: str
    """Adds a new key; the current one stays valid."""
    revoke: str
    """Revokes every key except the newest."""


def access_command(project: str, secret_id: str) -> str:
    """Return the command that prints the latest version of a secret."""
    return f"gcloud secrets versions access latest --secret {secret_id} --project {project}"


def key_commands(target: TargetPlan, caller: CallerPlan) -> KeyCommands:
    """Return the commands for a caller."""
    where = f"--project {target.project}"
    access = access_command(target.project, caller.secret_id)
    add = f"gcloud secrets versions add {caller.secret_id} {where} --data-file=-"
    newest = "${keys%%$'\\n'*}"
    return KeyCommands(
        create=f"printf '%s\\n' \"{_NEW_KEY}\" | {add}",
        read=f"{access} | head -n 1",
        rotate=f'keys=$({access}) && printf \'%s\\n%s\\n\' "{_NEW_KEY}" "{newest}" | {add}',
        revoke=f"keys=$({access}) && printf '%s\\n' \"{newest}\" | {add}",
    )
