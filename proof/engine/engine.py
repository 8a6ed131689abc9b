# SPDX-License-Identifier: Apache-2.0
"""The Pulumi CLI on a copy of a stack: the commands that a user types, and what the engine did.

Owns the folder in which the CLI runs: a home, a state, a Google Cloud, the plug-ins on its path. Nothing of the
user's is read: no login, no credentials, no settings of the CLI.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from proof.engine import google_provider
from proof.engine.google_cloud import Cloud

ROOT = Path(__file__).resolve().parents[2]
PASSPHRASE = "of nothing that outlives its folder"  # noqa: S105
UP_SECONDS = 900
_SCRIPTS = {
    "pulumi-language-python": "proof.engine.language_host",
    "pulumi-resource-gcp": "proof.engine.google_provider",
}
_CHANGES = {
    "create": "create",
    "update": "update",
    "delete": "delete",
    "replace": "replace",
    "create-replacement": "replace",
    "delete-replaced": "replace",
    "discard-replaced": "replace",
    "import": "import",
    "read": "read",
    "refresh": "refresh",
}
"""Maps the engine's step names to the effect on a resource."""


class EngineError(Exception):
    """The CLI failed; the message is its output."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """The result of a command."""

    code: int
    text: str
    steps: Mapping[str, str]
    """URN to `create`, `update`, `replace` or `delete`; unchanged resources are absent."""
    counts: Mapping[str, int]
    """The engine's own summary: number of resources by step, including `same`."""


class Engine:
    """One stack under the real engine."""

    def __init__(
        self,
        folder: Path,
        programs: Path,
        stack: str,
        *,
        host: str = "",
        authority: Path | None = None,
        credential: str = "",
    ) -> None:
        """Create the folder.

        Args:
            folder: new.
            programs: of the CLI and the Kubernetes provider.
            stack: its settings are `stacks/Pulumi.<stack>.yaml` of the copied project.
            host: of the API server that every cluster has.
            authority: certificate that the API server's is signed with.
            credential: an ExecCredential, what GKE's plug-in prints.
        """
        self.folder, self.stack, self.project = folder, stack, folder / "project"
        for each in ("project/stacks", "home", "state", "bin", "cloud"):
            (folder / each).mkdir(parents=True)
        for name, module in _SCRIPTS.items():
            self._script(name, f'exec "{sys.executable}" -m {module} "$@"')
        self._script("gke-gcloud-auth-plugin", f"cat <<'EOF'\n{credential}\nEOF")
        for name in ("pulumi", "pulumi-resource-kubernetes"):
            (folder / "bin" / name).symlink_to(programs / name)
        self.cloud = Cloud(folder / "cloud")
        self.environment = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(folder / "home"),
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DEBUG_COMMANDS": "true",  # for --event-log
            # It would look for plug-ins outside of this machine.
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            # An Output that ends up in a text is a defect of the program.
            "PULUMI_ERROR_OUTPUT_STRING": "true",
            "PYTHONPATH": str(ROOT),
            google_provider.CLOUD: str(folder / "cloud"),
            google_provider.HOST: host,
            "HUBSTACK_PROOF_GCP_VERSION": version("pulumi-gcp"),
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        } | ({"SSL_CERT_FILE": str(authority)} if authority else {})

    def copy(self, paths: Iterable[str]) -> None:
        """Copy files and folders of the project; the program and its settings file come along."""
        for path in ("Pulumi.yaml", "__main__.py", *paths):
            source, target = ROOT / path, self.project / path
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)

    def run(self, *words: str, check: bool = True, seconds: float = UP_SECONDS) -> subprocess.CompletedProcess[str]:
        """Run the CLI on the stack.

        Raises:
            EngineError: it failed.
        """
        process = self.start(*words)
        try:
            out, _ = process.communicate(timeout=seconds)
        except BaseException:
            self.kill(process)
            raise
        if check and process.returncode:
            raise EngineError(f"pulumi {' '.join(words)}: {process.returncode}\n{out}")
        return subprocess.CompletedProcess(words, process.returncode, out, "")

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Start the CLI in a process group of its own, with its plugins; the caller waits for it."""
        command = [str(self.folder / "bin" / "pulumi"), *words, "--non-interactive", "--color=never"]
        return subprocess.Popen(
            command,
            cwd=self.project,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def kill(self, process: "subprocess.Popen[str]") -> None:
        """Kill a command and its plugins without a chance to clean up, as a crash of the machine would."""
        process.kill()
        for pid in self._processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.communicate()

    def _processes(self) -> list[int]:
        """Return the processes that use this home folder."""
        mark = f"PULUMI_HOME={self.environment['PULUMI_HOME']}".encode()
        found: list[int] = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if mark in path.read_bytes().split(b"\0"):
                    found.append(int(path.parent.name))
        return found

    def init(self) -> None:
        """Create and select the stack."""
        self.run("stack", "init", self.stack, "--secrets-provider=passphrase")

    def up(self, *options: str, check: bool = True) -> Done:
        """Run `pulumi up`."""
        return self._deploy("up", "--yes", "--skip-preview", *options, check=check)

    def refresh(self, *options: str, check: bool = True) -> Done:
        """Run `pulumi refresh`."""
        return self._deploy("refresh", "--yes", "--skip-preview", *options, check=check)

    def destroy(self, *options: str, check: bool = True) -> Done:
        """Run `pulumi destroy`."""
        return self._deploy("destroy", "--yes", "--skip-preview", *options, check=check)

    def preview(self, *options: str, check: bool = True) -> Done:
        """Run `pulumi preview`."""
        return self._deploy("preview", *options, check=check)

    def state(self) -> dict[str, Any]:
        """Return the deployment of the state file: `resources`, `pending_operations`."""
        return json.loads(self.run("stack", "export").stdout)["deployment"]

    def cancel(self) -> None:
        """Run `pulumi cancel`, which removes the lock of a killed command."""
        self.run("cancel", "--yes")

    def state_files(self) -> list[Path]:
        """Return every file written by the backend."""
        return [path for path in (self.folder / "state").rglob("*") if path.is_file()]

    def _deploy(self, command: str, *options: str, check: bool) -> Done:
        log = self.folder / "events.json"
        log.unlink(missing_ok=True)
        done = self.run(command, *options, f"--event-log={log}", check=False)
        events = _events(log.read_text() if log.exists() else "")
        if check and done.returncode:
            raise EngineError(f"pulumi {command}: {done.returncode}\n{done.stdout}")
        steps = {
            each["metadata"]["urn"]: change
            for event in events
            for each in [event.get("resourcePreEvent") or {}]
            if each
            for change in [_CHANGES.get(each["metadata"]["op"], "")]
            if change
        }
        counts = next(
            (
                event["summaryEvent"].get("resourceChanges", {})
                for event in reversed(events)
                if event.get("summaryEvent")
            ),
            {},
        )
        return Done(code=done.returncode, text=done.stdout, steps=steps, counts=counts)

    def _script(self, name: str, line: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)


def _events(text: str) -> list[dict[str, Any]]:
    """Read the engine's event log, whose last line may be incomplete."""
    events: list[dict[str, Any]] = []
    for line in text.splitlines():
        try:
            events.append(json.loads(line))
        except ValueError:
            break
    return events
