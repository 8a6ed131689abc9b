# SPDX-License-Identifier: Apache-2.0
"""A port-forward to a model's Service that lasts as long as its context.

Owns the process `kubectl port-forward`.
"""

import re
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager

from hubstack.files.errors import InputError
from hubstack.files.problems import Problem
from hubstack.review.kubectl import Kubectl, failed

_READY = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")
_SECONDS = 30


@contextmanager
def forwarded(kubectl: Kubectl, service: str, port: int) -> Generator["Forward"]:
    """Forward a local port to a Service's port 80.

    Raises:
        InputError: kubectl is missing, the Service has no ready pod, or the port is taken.
    """
    command = kubectl.words("port-forward", f"service/{service}", f"{port}:80", "--address=127.0.0.1")
    with subprocess.Popen(  # noqa: S603  kubectl, no shell
        command,
        env=kubectl.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    ) as process:
        timer = threading.Timer(_SECONDS, process.kill)
        timer.start()
        try:
            line = process.stdout.readline() if process.stdout else ""
            timer.cancel()
            found = _READY.search(line)
            if found is None:
                process.kill()
                said = process.stderr.read() if process.stderr else ""
                hint = (
                    "a model at zero replicas has no pod: call it through the gateway, or run `hubstack doctor ENV`"
                )
                raise failed("the port-forward failed", said or line, f"service/{service}", hint)
            yield Forward(process=process, url=f"http://127.0.0.1:{found[1]}")
        finally:
            timer.cancel()
            process.terminate()


class Forward:
    """A running port-forward."""

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self._process, self.url = process, url

    def wait(self) -> None:
        """Wait until the port-forward ends by itself.

        Raises:
            InputError: it ended with an error.
        """
        for _ in self._process.stdout or ():  # a line for each connection, which would fill the pipe
            pass
        if self._process.wait():
            message, hint = "the port-forward ended", "its pod stopped: run the command again"
            raise InputError([Problem(path="kubectl", message=message, hint=hint)])
