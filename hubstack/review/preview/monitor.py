# SPDX-License-Identifier: Apache-2.0
"""The two gRPC services that a Pulumi program calls, implemented as the engine does in a preview.

Owns recording and the engine's rules for registrations: URNs are unique, parents exist. Custom resources get no ID
and no outputs beyond their inputs, so provider-computed values stay unknown. Functions return unknown, except for
values inside texts that a reviewer must see. Unsupported features (transforms, hooks) are rejected by name.
"""

import threading
from collections.abc import Mapping
from typing import Any, cast

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, resource_pb2, resource_pb2_grpc

from hubstack.review.preview.graph import Graph, Resource
from hubstack.review.preview.values import plain, plain_struct

STACK_TYPE = "pulumi:pulumi:Stack"
UNKNOWN_ID = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""The engine's placeholder for an unknown ID, as in a provider reference `urn::id`."""
_ANSWERS: Mapping[str, Mapping[str, str]] = {
    "gcp:organizations/getProject:getProject": {"number": "[project number]"},
}
"""Functions whose result programs embed in strings: an unknown would hide the whole string, such as an IAM member,
and any change to it."""
_KNOWN_IDS: Mapping[str, str] = {"gcp:projects/service:Service": "[project]/{name}"}
"""Resources assumed to exist: function calls depend on the project's enabled APIs and would otherwise stay unknown,
as they do in the engine's preview of the first stack in a new project."""
_FEATURES = (
    "SECRETS",
    "RESOURCE_REFERENCES",
    "OUTPUT_VALUES",
    "DELETED_WITH",
    "REPLACE_WITH",
    "ALIAS_SPECS",
    "PARAMETERIZATION",
)
_LEGACY_FEATURES = frozenset(
    {
        "secrets",
        "resourceReferences",
        "outputValues",
        "deletedWith",
        "replaceWith",
        "aliasSpecs",
        "parameterization",
    }
)
_OPTIONS = {
    "protect": "protect",
    "retainOnDelete": "retainOnDelete",
    "ignoreChanges": "ignoreChanges",
    "replaceOnChanges": "replaceOnChanges",
    "additionalSecretOutputs": "additionalSecretOutputs",
    "importId": "importId",
    "customTimeouts": "customTimeouts",
    "deletedWith": "deletedWith",
    "version": "version",
    "pluginDownloadURL": "pluginDownloadURL",
    "replace_with": "replaceWith",
    "hideDiffs": "hideDiffs",
    "remote": "remote",
}


class Recorder:
    """Records registrations; thread-safe."""

    def __init__(self, project: str, stack: str) -> None:
        self.project, self.stack = project, stack
        self.root_urn = ""
        self.errors: list[str] = []
        self.warnings: list[str] = []
        self._resources: dict[str, dict[str, Any]] = {}
        self._outputs: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def urn(self, kind: str, name: str, parent: str) -> str:
        """Return the URN that the engine assigns; it includes the parent's types but not the stack's."""
        qualified = kind
        if parent and parent != self.root_urn:
            qualified = f"{parent.split('::')[2]}${kind}"
        return f"urn:pulumi:{self.stack}::{self.project}::{qualified}::{name}"

    def add(self, urn: str, record: Mapping[str, Any]) -> str | None:
        """Record a registration; return an error message if it is invalid."""
        parent = record["parent"]
        with self._lock:
            if urn in self._resources:
                return f"duplicate URN {urn}: rename one of the two resources"
            if parent and parent not in self._resources:
                return f"{urn} has an unregistered parent: {parent}"
            self._resources[urn] = dict(record)
            if record["type"] == STACK_TYPE:
                self.root_urn = urn
        return None

    def add_outputs(self, urn: str, outputs: dict[str, Any]) -> None:
        """Record the outputs of a component or of the stack."""
        with self._lock:
            self._outputs[urn] = outputs

    def graph(self) -> Graph:
        """Return the recorded graph, sorted."""
        resources = [
            Resource(urn=urn, outputs=self._outputs.get(urn), **record)
            for urn, record in sorted(self._resources.items())
            if urn != self.root_urn
        ]
        return Graph(
            project=self.project,
            stack=self.stack,
            resources=tuple(resources),
            outputs=self._outputs.get(self.root_urn, {}),
            diagnostics=tuple(self.warnings),
        )


def _record(request: Any, kind: str) -> dict[str, Any]:
    is_custom = bool(request.custom) if hasattr(request, "custom") else True
    return {
        "type": kind,
        "name": str(request.name),
        "parent": str(request.parent) or None,
        "custom": is_custom,
        "provider": str(request.provider) or None,
        "inputs": plain_struct(request.object if hasattr(request, "object") else request.properties),
        "dependencies": tuple(sorted(request.dependencies)),
        "property_dependencies": {
            key: tuple(sorted(found.urns))
            for key, found in sorted(getattr(request, "propertyDependencies", {}).items())
            if found.urns
        },
        "aliases": tuple(_aliases(request)),
        "options": _options(request),
    }


def _aliases(request: Any) -> list[Any]:
    urns: list[Any] = sorted(getattr(request, "aliasURNs", ()))
    return urns + [json_format.MessageToDict(alias) for alias in getattr(request, "aliases", ())]


def _options(request: Any) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for field, name in _OPTIONS.items():
        value = getattr(request, field, None)
        if hasattr(value, "DESCRIPTOR"):
            value = json_format.MessageToDict(cast("Any", value))
        elif value is not None and not isinstance(value, str | bool):
            value = sorted(value)
        if value:
            options[name] = value
    if getattr(request, "deleteBeforeReplaceDefined", False):
        options["deleteBeforeReplace"] = bool(request.deleteBeforeReplace)
    providers = dict(getattr(request, "providers", {}))
    if providers:
        options["providers"] = providers
    return options


class Monitor(resource_pb2_grpc.ResourceMonitorServicer):
    """The resource monitor of a preview."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def GetDeploymentInfo(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ARG002, N802
        names = (f"RESOURCE_MONITOR_FEATURE_{name}" for name in _FEATURES)
        found = [getattr(resource_pb2, name) for name in names if hasattr(resource_pb2, name)]
        return resource_pb2.DeploymentInfo(
            project=self._recorder.project, stack=self._recorder.stack, dryRun=True, supportedFeatures=found
        )

    def SupportsFeature(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ARG002, N802
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id in _LEGACY_FEATURES)

    def RegisterResource(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        recorder = self._recorder
        kind = str(request.type)
        urn = recorder.urn(kind, str(request.name), str(request.parent))
        wrong = recorder.add(urn, _record(request, kind))
        if wrong:
            context.abort(grpc.StatusCode.ALREADY_EXISTS, wrong)
        known = _KNOWN_IDS.get(kind, "").format(name=request.name)
        return resource_pb2.RegisterResourceResponse(urn=urn, id=known, object=request.object)

    def ReadResource(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        recorder = self._recorder
        kind = str(request.type)
        urn = recorder.urn(kind, str(request.name), str(request.parent))
        record = _record(request, kind)
        record["options"]["read"] = plain(str(request.id))
        wrong = recorder.add(urn, record)
        if wrong:
            context.abort(grpc.StatusCode.ALREADY_EXISTS, wrong)
        return resource_pb2.ReadResourceResponse(urn=urn, properties=request.properties)

    def RegisterResourceOutputs(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ARG002, N802
        self._recorder.add_outputs(str(request.urn), plain_struct(request.outputs))
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ARG002, N802
        # No provider runs, so the program continues with an unknown value.
        known = _ANSWERS.get(str(request.tok))
        if known is not None:
            answer = struct_pb2.Struct()
            answer.update(known)
            return resource_pb2.ResourceInvokeResponse(**cast("Any", {"return": answer}))
        return resource_pb2.ResourceInvokeResponse(unknown=True)

    def Call(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        context.abort(
            grpc.StatusCode.UNIMPLEMENTED,
            f"the method {request.tok} needs a provider, which an offline preview does not run",
        )

    def RegisterPackage(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ARG002, N802
        return resource_pb2.RegisterPackageResponse(ref=f"{request.name}@{request.version}")

    def SignalAndWaitForShutdown(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ARG002, N802
        return empty_pb2.Empty()


class Engine(engine_pb2_grpc.EngineServicer):
    """The engine's side channel: logs and the root."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def Log(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ARG002, N802
        text = str(request.message).strip()
        if request.severity == engine_pb2.ERROR:
            self._recorder.errors.append(text)
        elif request.severity == engine_pb2.WARNING:
            self._recorder.warnings.append(text)
        return empty_pb2.Empty()

    def GetRootResource(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ARG002, N802
        return engine_pb2.GetRootResourceResponse(urn=self._recorder.root_urn)

    def SetRootResource(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ARG002, N802
        return engine_pb2.SetRootResourceResponse()

    def RequirePulumiVersion(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ARG002, N802
        return cast("Any", engine_pb2).RequirePulumiVersionResponse()
