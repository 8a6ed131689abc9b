# SPDX-License-Identifier: Apache-2.0
"""Keys: the commands that `hubstack keys` prints do what they say, and Envoy gets what the secrets hold."""

import json
import subprocess
from pathlib import Path

import pytest

from hubstack.deploy.callers.key_commands import key_commands
from hubstack.deploy.callers.write_keys import discovery, read_keys
from tests.support.plans import make_plan, with_callers

GCLOUD = """#!/bin/sh
# Secret Manager, as far as the commands need it: one file for each version.
[ "$1 $2" = "secrets versions" ] || exit 9
mkdir -p "$STORE"
case "$3" in
  add) cat > "$STORE/$(ls "$STORE" | wc -l)"; echo "Created version of [$4]." >&2 ;;
  access) last=$(($(ls "$STORE" | wc -l) - 1)); [ $last -ge 0 ] || exit 1; cat "$STORE/$last" ;;
  *) exit 9 ;;
esac
"""
FIRST, SECOND = "first-key-of-a-caller", "second-key-of-a-caller"


class Shell:
    """A shell with a `gcloud` whose secrets are files."""

    def __init__(self, folder: Path) -> None:
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "gcloud").write_text(GCLOUD)
        (folder / "bin" / "gcloud").chmod(0o755)
        self.folder = folder

    def run(self, command: str) -> str:
        """Run a command as printed; return what it prints, and check that it shows no key by mistake."""
        environment = {"PATH": f"{self.folder}/bin:/usr/bin:/bin", "STORE": f"{self.folder}/store"}
        done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=True)
        return done.stdout

    def latest(self) -> list[str]:
        versions = sorted((self.folder / "store").iterdir(), key=lambda path: int(path.name))
        return versions[-1].read_text().split()


def test_a_key_is_made_rotated_and_revoked_by_the_printed_commands(tmp_path: Path) -> None:
    plan = with_callers(make_plan())
    assert plan.callers
    shell, commands = Shell(tmp_path), key_commands(plan.target, plan.callers.callers[0])
    assert shell.run(commands.create) == ""
    (first,) = shell.latest()
    assert shell.run(commands.read) == f"{first}\n"
    assert shell.run(commands.rotate) == ""
    second, kept = shell.latest()
    assert kept == first
    assert len({first, second}) == 2
    assert all(key.startswith("sk-") and len(key) == 67 for key in (first, second))
    assert shell.run(commands.read) == f"{second}\n"
    shell.run(commands.rotate)
    third, kept = shell.latest()
    assert kept == second, "at most two keys are valid"
    assert shell.run(commands.revoke) == ""
    assert shell.latest() == [third]


def test_a_rotation_that_cannot_read_the_old_key_changes_nothing(tmp_path: Path) -> None:
    plan = with_callers(make_plan())
    assert plan.callers
    shell, commands = Shell(tmp_path), key_commands(plan.target, plan.callers.callers[0])
    with pytest.raises(subprocess.CalledProcessError):
        shell.run(commands.rotate)
    assert not list((tmp_path / "store").iterdir())


def test_envoy_gets_each_caller_s_keys_under_its_name(tmp_path: Path) -> None:
    (tmp_path / "search").write_text(f"{FIRST}\n{SECOND}\n")
    (tmp_path / "research").write_text("")
    (tmp_path / "..data").mkdir()
    keys, wrong = read_keys(tmp_path)
    assert (keys, wrong) == ({"search": [FIRST, SECOND]}, [])
    (resource,) = json.loads(discovery(keys, "x-caller"))["resources"]
    config = resource["typed_config"]
    assert config["credentials"] == [{"key": FIRST, "client": "search"}, {"key": SECOND, "client": "search"}]
    assert config["forwarding"] == {"header": "x-caller", "hide_credentials": True}


def test_a_key_of_two_callers_or_too_short_is_not_accepted_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(f"{FIRST}\n{FIRST}\n")
    (tmp_path / "b").write_text(f"short\n{FIRST}\n{SECOND}\n")
    keys, wrong = read_keys(tmp_path)
    assert keys == {"a": [FIRST], "b": [SECOND]}
    assert wrong == [
        "b: key 1 is shorter than 20 characters and not accepted",
        "b: key 2 is also a key of a and not accepted",
    ]
