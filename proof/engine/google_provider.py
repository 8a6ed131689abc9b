# SPDX-License-Identifier: Apache-2.0
"""The stand-in for the Google provider, which implements the provider protocol (`pulumi-resource-gcp`).

Owns the protocol. `google_schema` checks arguments; `google_cloud` holds resources and decides what may be created.
It never guesses: an unknown type or function is an error.
"""

import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar, cast

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from proof.engine.google_cloud import Cloud, CloudError
from proof.engine.google_schema import UNKNOWN, TypeSchema, schema_of
from proof.engine.serve import serve

CLOUD = "HUBSTACK_PROOF_CLOUD"
"""Environment variable with the folder of the simulated cloud."""
HOST = "HUBSTACK_PROOF_CLUSTER_HOST"
"""Environment variable with the address of the API server of every cluster."""
SLOW = "HUBSTACK_PROOF_SLOW_SECONDS"
"""Environment variable with the duration of each operation in seconds."""
_KINDS = {"add": 0, "delete": 2, "update": 4}
"""Kinds of the protocol's PropertyDiff; the next value means the same with replacement."""
Data = dict[str, Any]
_T = TypeVar("_T")


class GoogleProvider(provider_pb2_grpc.ResourceProviderServicer):
    """Implements the engine's protocol."""

    def __init__(self, version: str) -> None:
        self._version = version
        slow = float(os.environ.get(SLOW, "0"))
        self._cloud = Cloud(Path(os.environ[CLOUD]), os.environ.get(HOST, ""), slow)
        self._project = self._region = ""
        self._labels: Data = {}

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return provider_pb2.ProviderHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return plugin_pb2.PluginInfo(version=self._version)

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return _diff_response(_plain_diff(_data(request.olds), _data(request.news)))

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        config = _data(request.args)
        self._project, self._region = str(config.get("project", "")), str(config.get("region", ""))
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        arguments = _data(request.args)
        if UNKNOWN in arguments.values():
            return provider_pb2.InvokeResponse()
        answer = _asked(context, lambda: self._cloud.invoke(request.tok, arguments, self._project))
        return provider_pb2.InvokeResponse(**cast("Any", {"return": _struct(answer)}))

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        schema = _schema(request.urn, context)
        inputs, olds = _data(request.news), _data(request.olds)
        if schema.is_autonamed and inputs.get("name") is None:
            inputs["name"] = olds.get("name") or f"{_name(request.urn)}-{request.randomSeed[:4].hex()[:7]}"
        failures = [provider_pb2.CheckFailure(property=path, reason=why) for path, why in schema.check(inputs)]
        answer = provider_pb2.CheckResponse(inputs=_struct(inputs))
        answer.failures.extend(failures)
        return answer

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802
        schema = _schema(request.urn, context)
        old, new, state = _data(request.old_inputs), _data(request.news), _data(request.olds)
        found = {each.path: (each.kind, each.replaces) for each in schema.diff(old, new)}
        for name in schema.rules.get("from_provider", ()):
            own = {"project": self._project, "region": self._region}[name]
            if name not in new and name not in old and state.get(name) not in (None, own, UNKNOWN):
                found[name] = ("update", name in schema.rules.get("replaced_by", ()))
        replaced = any(replaces for _, replaces in found.values())
        same_name = "name" in new and new.get("name") == old.get("name") and not schema.is_member
        return _diff_response(found, deletes_first=replaced and same_name)

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        schema, inputs = _schema(request.urn, context), _data(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=_struct(_foreseen(schema, inputs)))
        identity, stored = _asked(context, lambda: self._cloud.create(schema, inputs, self._project, self._region))
        return provider_pb2.CreateResponse(id=identity, properties=_struct(_outputs(schema, stored)))

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        schema, identity = _schema(request.urn, context), str(request.id)
        stored = self._cloud.get(schema.kind, identity)
        if stored is None:
            return provider_pb2.ReadResponse()
        known = _data(request.inputs).keys() or schema.arguments.keys()
        # What only the server knows is no input; what the program left out stays left out.
        asked = _data(request.inputs)
        inputs = {key: asked[key] if key in _server_sets(schema) else stored[key] for key in known if key in stored}
        inputs |= {key: value for key, value in asked.items() if key in _write_only(schema)}
        return provider_pb2.ReadResponse(
            id=identity, properties=_struct(_outputs(schema, stored)), inputs=_struct(inputs)
        )

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        schema, inputs = _schema(request.urn, context), _data(request.news)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=_struct(_data(request.olds) | inputs))
        stored = _asked(context, lambda: self._cloud.update(schema, str(request.id), inputs))
        return provider_pb2.UpdateResponse(properties=_struct(_outputs(schema, stored)))

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        schema = _schema(request.urn, context)
        _asked(context, lambda: self._cloud.delete(schema, str(request.id)))
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return empty_pb2.Empty()


def _schema(urn: str, context: grpc.ServicerContext) -> TypeSchema:
    kind = str(urn).split("::")[2].rpartition("$")[2]
    try:
        return schema_of(kind)
    except (KeyError, AttributeError, ImportError) as error:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the stand-in for Google knows no {kind}: {error}")
        raise  # `abort` does not return


def _asked(context: grpc.ServicerContext, question: Callable[[], _T]) -> _T:
    try:
        return question()
    except CloudError as error:
        context.abort(grpc.StatusCode.UNKNOWN, str(error))
        raise


def _name(urn: str) -> str:
    return str(urn).rpartition("::")[2]


def _write_only(schema: TypeSchema) -> set[str]:
    return {name for name in schema.arguments if name.endswith("Wo")}


def _server_sets(schema: TypeSchema) -> set[str]:
    """Return the arguments whose blocks get additional fields from the server."""
    return {"controlPlaneEndpointsConfig"} if schema.kind == "gcp:container/cluster:Cluster" else set()


def _outputs(schema: TypeSchema, stored: Mapping[str, Any]) -> Data:
    return {key: value for key, value in stored.items() if key not in _write_only(schema)}


def _foreseen(schema: TypeSchema, inputs: Data) -> Data:
    """Return the outputs known before creation: all except those that only the server sets."""
    unknown = dict.fromkeys(schema.attributes - inputs.keys(), UNKNOWN)
    return unknown | inputs | dict.fromkeys(_server_sets(schema) & inputs.keys(), UNKNOWN)


def _plain_diff(old: Data, new: Data) -> dict[str, tuple[str, bool]]:
    keys = {key for key in old.keys() | new.keys() if key != "version" and old.get(key) != new.get(key)}
    return {key: ("add" if key not in old else "delete" if key not in new else "update", False) for key in keys}


def _diff_response(found: Mapping[str, tuple[str, bool]], *, deletes_first: bool = False) -> Any:
    detailed = {
        path: provider_pb2.PropertyDiff(kind=_KINDS[kind] + replaces, inputDiff=True)  # pyright: ignore[reportArgumentType]
        for path, (kind, replaces) in found.items()
    }
    changes = provider_pb2.DiffResponse.DIFF_SOME if found else provider_pb2.DiffResponse.DIFF_NONE
    return provider_pb2.DiffResponse(
        changes=changes,
        diffs=sorted({path.partition(".")[0] for path in found}),
        replaces=sorted({path for path, (_, replaces) in found.items() if replaces}),
        deleteBeforeReplace=deletes_first,
        detailedDiff=detailed,
        hasDetailedDiff=True,
    )


def _data(message: Any) -> Data:
    return _whole(json_format.MessageToDict(message))


def _whole(value: Any) -> Any:
    """Return a value with whole floats as integers, because the protocol only has floats."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(each) for key, each in value.items() if each is not None}
    return [_whole(each) for each in value] if isinstance(value, list) else value


def _struct(data: Mapping[str, Any]) -> struct_pb2.Struct:
    made = struct_pb2.Struct()
    json_format.Parse(json.dumps(data), made)
    return made


def main() -> None:
    """Serve until the engine exits."""
    server = grpc.server(ThreadPoolExecutor(max_workers=32))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(
        GoogleProvider(os.environ["HUBSTACK_PROOF_GCP_VERSION"]), server
    )
    serve(server)


if __name__ == "__main__":
    main()
