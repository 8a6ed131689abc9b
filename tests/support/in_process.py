# SPDX-License-Identifier: Apache-2.0
"""The graph of a plan without a process and a port: hubstack's own monitor, called by the real SDK directly.

Some thirty times as many graphs a minute as `hubstack preview` gives; tests/soak holds both against each other.
"""

import asyncio
import contextvars
import gc
from typing import Any, NoReturn

import pulumi
from pulumi.runtime import mocks

from components import Fleet, FleetArgs
from hubstack.catalog import load_catalog
from hubstack.plan import Plan
from hubstack.preview.graph import Graph
from hubstack.preview.monitor import Monitor, Recorder
from tests.components import recorder as _loads_the_sdks_modules_first  # noqa: F401


class _Context:
    def abort(self, code: Any, details: str) -> NoReturn:
        raise AssertionError(f"{code}: {details}")


class _Direct(mocks.MockMonitor):
    """Hands each message to hubstack's monitor."""

    def __init__(self, monitor: Monitor) -> None:
        super().__init__(None)  # pyright: ignore[reportArgumentType]  its own answers are never asked for
        self._monitor, self._context = monitor, _Context()

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        return self._monitor.RegisterResource(request, self._context)  # pyright: ignore[reportArgumentType]

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        return self._monitor.Invoke(request, self._context)  # pyright: ignore[reportArgumentType]

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        return self._monitor.RegisterResourceOutputs(request, self._context)  # pyright: ignore[reportArgumentType]


def graph_of(plan: Plan, project: str = "hubstack") -> Graph:
    """Return what the stack of a plan registers, but for the stack's own outputs."""
    recorder = Recorder(project, plan.target.stack)
    # The SDK keeps its stack and settings in context variables: a context of its own leaves nothing behind.
    contextvars.copy_context().run(_run, plan, recorder)
    return recorder.graph()


def _run(plan: Plan, recorder: Recorder) -> None:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    args = FleetArgs(plan=plan, engine_metrics=load_catalog().engine_metrics)
    gc.disable()  # as in the process of a preview
    try:
        pulumi.runtime.set_mocks(
            None, project=recorder.project, stack=recorder.stack, preview=True,  # pyright: ignore[reportArgumentType]
            monitor=_Direct(Monitor(recorder)),
        )  # fmt: skip
        pulumi.runtime.test(lambda: Fleet("fleet", args))()
    finally:
        gc.enable()
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        asyncio.set_event_loop(None)
