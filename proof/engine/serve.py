# SPDX-License-Identifier: Apache-2.0
"""Serves a plug-in's protocol to the Pulumi engine, for as long as the engine runs."""

import os
import signal
import sys

import grpc

_LOOK_SECONDS = 1


def serve(server: grpc.Server) -> None:
    """Print the port, as the engine expects of a plug-in, and serve until the engine exits."""
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    # An interrupt goes to the whole process group; only the exit of the engine ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    engine_process = os.getppid()
    while server.wait_for_termination(timeout=_LOOK_SECONDS) and os.getppid() == engine_process:
        pass
