# SPDX-License-Identifier: Apache-2.0
"""The graph of a plan without a process of its own: the Fleet under the SDK, recorded by the preview's monitor.

For tests that need many graphs. tests/identity holds it to the examples' golden graphs.
"""

import asyncio
import contextvars
import gc
from typing import Any, NoReturn

import pulumi
from pulumi.runtime import mocks
from pulumi.runtime.proto import resource_pb2
from pulumi_hubstack import Fleet, FleetArgs

from hubstack.plan import Plan
from hubstack.review.preview import Graph
from hubstack.review.preview.monitor import Monitor, Recorder
from tests.components.recorder import _Mocks


class _Context:
    """Of a call of the protocol; the monitor ends one here when it refuses a registration."""

    def abort(self, code: Any, text: str) -> NoReturn:
        raise AssertionError(text)


class _Monitor(mocks.MockMonitor):
    """Hands each call to the preview's monitor."""

    def __init__(self, recorder: Recorder, *, resolves_aliases: bool) -> None:
        super().__init__(_Mocks())
        self._to, self._resolves_aliases = Monitor(recorder), resolves_aliases

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        return self._to.RegisterResource(request, _Context())  # pyright: ignore[reportArgumentType]

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        return self._to.RegisterResourceOutputs(request, _Context())  # pyright: ignore[reportArgumentType]

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        return self._to.Invoke(request, _Context())  # pyright: ignore[reportArgumentType]

    def GetDeploymentInfo(self, request: Any) -> Any:  # noqa: N802
        info = self._to.GetDeploymentInfo(request, _Context())  # pyright: ignore[reportArgumentType]
        if not self._resolves_aliases:
            info.supportedFeatures.remove(resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS)
        return info

    def SupportsFeature(self, request: Any) -> Any:  # noqa: N802
        return self._to.SupportsFeature(request, _Context())  # pyright: ignore[reportArgumentType]


def graph_of(plan: Plan, *, resolves_aliases: bool = True) -> Graph:
    """Return the graph, without exports and the project's secrets.

    Args:
        plan: of a stack.
        resolves_aliases: False for an engine that cannot: the SDK then computes the URNs of all aliases by itself,
            those that children inherit among them.
    """
    recorder = Recorder("hubstack", plan.target.stack)
    gc.disable()  # a third of the time, as in the preview's own process
    try:
        contextvars.copy_context().run(_run, plan, recorder, resolves_aliases)
    finally:
        gc.enable()
    assert not recorder.errors
    return recorder.graph()


def _ask_for_aliases(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult:
    """The SDK computes what a child inherits only where it has a list of its own, were it empty."""
    args.opts.aliases = args.opts.aliases or []
    return pulumi.ResourceTransformationResult(args.props, args.opts)


def _run(plan: Plan, recorder: Recorder, resolves_aliases: bool) -> None:
    def program() -> None:
        if not resolves_aliases:
            pulumi.runtime.register_stack_transformation(_ask_for_aliases)
        Fleet("fleet", FleetArgs(plan=plan))

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        monitor = _Monitor(recorder, resolves_aliases=resolves_aliases)
        stack = plan.target.stack
        pulumi.runtime.set_mocks(_Mocks(), project="hubstack", stack=stack, preview=True, monitor=monitor)
        pulumi.runtime.test(program)()
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        asyncio.set_event_loop(None)
