# SPDX-License-Identifier: Apache-2.0
"""Tracks a program's gRPC calls: pending calls, failed calls, and the time of the last activity.

Implemented as an interceptor, so that a call is tracked whether it fails, is slow or never returns.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc

LOST = "the connection was lost before a response arrived"
_SERVICE = "/pulumirpc.ResourceMonitor/"


@dataclass(frozen=True, slots=True)
class Subject:
    """The subject of a call."""

    what: str
    """For example `kubernetes:apps/v1:Deployment coder-deployment of hubstack:model_server:ModelServer coder`."""
    name: str | None = None
    """Logical name of the resource, if any."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that returned an error."""

    subject: Subject
    message: str


class Calls(grpc.ServerInterceptor):
    """Tracks the calls of one program; thread-safe."""

    def __init__(self) -> None:
        self.failures: list[Failure] = []
        self._open: dict[int, Subject] = {}
        self._lock = threading.Lock()
        self._moved = time.monotonic()
        self._number = 0

    @property
    def silence_seconds(self) -> float:
        """Return the seconds since a call last started or ended."""
        return time.monotonic() - self._moved

    def pending(self) -> tuple[Subject, ...]:
        """Return the pending calls, oldest first."""
        with self._lock:
            return tuple(self._open.values())

    def intercept_service(self, continuation: Callable[[Any], Any], handler_call_details: Any) -> Any:
        """Wrap the handler of one call."""
        handler = continuation(handler_call_details)
        method = str(handler_call_details.method).removeprefix(_SERVICE)
        if handler is None or method not in _SUBJECTS:
            return handler

        def call(request: Any, context: Any) -> Any:
            number = self._begin(_SUBJECTS[method](request))
            answer = None
            try:
                answer = handler.unary_unary(request, context)
            except Exception as error:  # noqa: BLE001  every error is returned to the program
                # `abort` raises an exception without a message; the context has it, as bytes.
                details = context.details()
                message = details.decode() if details else f"{type(error).__name__}: {error}"
                self._end(number, message)
                context.abort(grpc.StatusCode.UNKNOWN, message)
            self._end(number, None if context.is_active() else LOST)
            return answer

        return grpc.unary_unary_rpc_method_handler(
            call, request_deserializer=handler.request_deserializer, response_serializer=handler.response_serializer
        )

    def _begin(self, subject: Subject) -> int:
        with self._lock:
            self._number += 1
            self._open[self._number] = subject
            self._moved = time.monotonic()
            return self._number

    def _end(self, number: int, message: str | None) -> None:
        with self._lock:
            subject = self._open.pop(number)
            self._moved = time.monotonic()
            if message is not None:
                self.failures.append(Failure(subject, message))


def _resource(request: Any) -> Subject:
    kind, name = str(request.type), str(request.name)
    # urn:pulumi:stack::project::qualified$type::name
    parts = str(request.parent).split("::", 3)
    parent = f" of {parts[2].rsplit('$')[-1]} {parts[3]}" if len(parts) == 4 and "$" in parts[2] else ""
    return Subject(f"{kind} {name}{parent}", name)


def _outputs(request: Any) -> Subject:
    kind, name = str(request.urn).split("::", 3)[2:]
    return Subject(f"outputs of {kind.rsplit('$')[-1]} {name}", name)


_SUBJECTS: dict[str, Callable[[Any], Subject]] = {
    "RegisterResource": _resource,
    "ReadResource": _resource,
    "RegisterResourceOutputs": _outputs,
    "Invoke": lambda request: Subject(f"function {request.tok}"),
    "Call": lambda request: Subject(f"method {request.tok}"),
    "GetDeploymentInfo": lambda _: Subject("the deployment's description"),
    "SignalAndWaitForShutdown": lambda _: Subject("the end of the program"),
}
