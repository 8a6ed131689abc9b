# SPDX-License-Identifier: Apache-2.0
"""The stand-in for the Python language host, which the CLI starts to run a program (`pulumi-language-python`).

The CLI's own host is not in any Go module that the proxy serves. This one speaks the same protocol and runs the
program in its own process, with its own interpreter. It installs nothing and names no plugins: the engine requests
those that the program uses.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from proof.engine.serve import serve

MAX_MESSAGE_BYTES = 400 * 1024 * 1024
"""Message size limit of the SDK."""


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Implements the engine's protocol."""

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._child: subprocess.Popen[bytes] | None = None

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        self._engine = request.engine_address or self._engine
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return plugin_pb2.PluginInfo(version="0.0.0")

    def About(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return language_pb2.AboutResponse(executable=sys.executable, version=sys.version.split()[0])

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return language_pb2.GetRequiredPackagesResponse()

    def RuntimeOptionsPrompts(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return language_pb2.RuntimeOptionsResponse()

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        if self._child is not None:
            self._child.send_signal(signal.SIGINT)
        return empty_pb2.Empty()

    def Run(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Run the program and report its result."""
        info = request.info
        said = {
            "monitor": request.monitor_address,
            "engine": self._engine,
            "project": request.project,
            "stack": request.stack,
            "parallel": request.parallel,
            "dry_run": request.dryRun,
            "organization": request.organization,
            "root_directory": info.root_directory,
            "program": str(Path(info.program_directory) / (info.entry_point or ".")),
        }
        environment = os.environ | {
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
            "HUBSTACK_PROOF_PROGRAM": json.dumps(said),
        }
        self._child = subprocess.Popen(
            [sys.executable, "-m", "proof.engine.program"], cwd=request.pwd, env=environment
        )
        code = self._child.wait()
        # Exit code 32: the program has told the engine itself what is wrong.
        if code == 0:
            return language_pb2.RunResponse()
        return language_pb2.RunResponse(bail=code == 32, error=f"the program ended with code {code}")

    def InstallDependencies(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Install nothing: a plug-in runs in this Python."""
        return iter(())

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        """Run a plug-in written in Python, as the CLI's own host does: its folder and the engine's arguments."""
        program = str(Path(request.info.program_directory) / (request.info.entry_point or "."))
        given = dict(each.partition("=")[::2] for each in request.env)
        with subprocess.Popen(
            [sys.executable, "-u", program, *request.args],
            cwd=request.pwd,
            env=os.environ | given,
            stdout=subprocess.PIPE,
        ) as plugin:
            context.add_callback(plugin.terminate)
            for line in plugin.stdout or ():
                yield language_pb2.RunPluginResponse(stdout=line)
            code = plugin.wait()
        yield language_pb2.RunPluginResponse(exitcode=code)


def main() -> None:
    """Serve until the engine exits."""
    engine = sys.argv[-1] if len(sys.argv) > 1 else ""
    options = [("grpc.max_receive_message_length", MAX_MESSAGE_BYTES)]
    server = grpc.server(ThreadPoolExecutor(max_workers=8), options=options)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(engine), server)
    serve(server)


if __name__ == "__main__":
    main()
