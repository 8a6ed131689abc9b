# SPDX-License-Identifier: Apache-2.0
"""A preview in which every unknown string output is a placeholder that identifies its resource and output.

Owns the placeholders. A program that builds `serviceAccount:{account.email}` registers a string that contains the
placeholder of `email`, so the expression can be reconstructed. Numbers, lists and booleans stay unknown, as does
anything computed from a placeholder other than by string formatting.
"""

import importlib
import re
import threading
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast, get_args, get_origin

import grpc
from google.protobuf import json_format
from pulumi import _types  # pyright: ignore[reportPrivateUsage]  the SDK's own type reader
from pulumi.runtime import rpc
from pulumi.runtime.proto import resource_pb2

from hubstack.inputs.pulumi_config import StackConfig
from hubstack.review.preview.graph import Graph
from hubstack.review.preview.monitor import Monitor, Recorder
from hubstack.review.preview.run import TIMEOUT_SECONDS, preview
from hubstack.review.preview.values import UNKNOWN

WORD = re.compile(r"hubstackword(\d+)end")
_IMPORTS = threading.Lock()
"""The SDK packages have circular imports, so only one thread may import at a time."""
_DEPTH = 3
"""Maximum depth of nested outputs; the deepest one used is the cluster's DNS endpoint."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a placeholder stands for."""

    kind: str
    """`resource`, `call` or `secret`."""
    of: str
    """A URN, the index of a call, or the key of a secret setting."""
    path: tuple[str, ...] = ()
    """Path to the output, in protocol names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A provider function that the program called."""

    token: str
    inputs: Mapping[str, Any]
    provider: str | None


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that the program marked as secret."""

    value: Any


@dataclass(slots=True, kw_only=True)
class Trace:
    """The registered resources, with placeholders for unknown values."""

    graph: Graph
    inputs: dict[str, dict[str, Any]]
    """Unmasked inputs by URN."""
    outputs: dict[str, Any]
    """Exports of the stack."""
    calls: list[Call]
    words: list[Source] = field(default_factory=list[Source])


def trace(
    project_dir: Path, *, stack: str, config: StackConfig | Path, timeout_seconds: float = TIMEOUT_SECONDS
) -> Trace:
    """Run a project's program and return the registered resources, with the source of each unknown value.

    Raises:
        InputError: the config is wrong.
        PreviewError: the program failed.
    """
    seen: list[_Tracer] = []
    words: list[Source] = []

    def answer(recorder: Recorder) -> Monitor:
        seen.append(_Tracer(recorder, words))
        return seen[0]

    def secret(key: str) -> str:
        words.append(Source("secret", key))
        return f"hubstackword{len(words) - 1}end"

    graph = preview(
        project_dir, stack=stack, config=config, answer=answer, secret=secret, timeout_seconds=timeout_seconds
    )
    tracer = seen[0]
    return Trace(graph=graph, inputs=tracer.inputs, outputs=tracer.outputs, calls=tracer.calls, words=words)


class _Tracer(Monitor):
    def __init__(self, recorder: Recorder, words: list[Source]) -> None:
        super().__init__(recorder)
        self.inputs: dict[str, dict[str, Any]] = {}
        self.outputs: dict[str, Any] = {}
        self.calls: list[Call] = []
        self._words, self._lock = words, threading.Lock()

    def RegisterResource(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        response = super().RegisterResource(request, context)
        urn, raw = str(response.urn), json_format.MessageToDict(request.object)
        self.inputs[urn] = {key: _unmasked(value) for key, value in sorted(raw.items())}
        if request.custom:
            known = _outputs_of(str(request.type))
            response = resource_pb2.RegisterResourceResponse(urn=urn, id=self._word("resource", urn, ("id",)))
            json_format.ParseDict(self._filled(raw, known, "resource", urn, ()), response.object)
        return response

    def RegisterResourceOutputs(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        if str(request.urn) == self._recorder.root_urn:
            raw = json_format.MessageToDict(request.outputs)
            self.outputs = {key: _unmasked(value) for key, value in sorted(raw.items())}
        return super().RegisterResourceOutputs(request, context)

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ARG002, N802
        raw = json_format.MessageToDict(request.args)
        call = Call(
            token=str(request.tok),
            inputs={key: _unmasked(raw[key]) for key in sorted(raw)},
            provider=str(request.provider) or None,
        )
        with self._lock:
            self.calls += [call] if call not in self.calls else []
            number = str(self.calls.index(call))
        response = resource_pb2.ResourceInvokeResponse()
        json_format.ParseDict(
            self._filled({}, _results_of(call.token), "call", number, ()), getattr(response, "return")
        )
        return response

    def _filled(
        self, held: Mapping[str, Any], known: Mapping[str, Any], kind: str, of: str, path: tuple[str, ...]
    ) -> dict[str, Any]:
        """Return the known outputs, with placeholders for missing string outputs."""
        filled = dict(held)
        for name, declared in sorted(known.items()):
            plain, here = _types.unwrap_optional_type(declared), (*path, name)
            inside: Any = filled.get(name, {})
            if name not in filled and plain is str:
                filled[name] = self._word(kind, of, here)
            elif _is_mapping(plain) and isinstance(inside, dict) and len(here) < _DEPTH:
                more = self._filled(cast("dict[str, Any]", inside), _types.output_type_types(plain), kind, of, here)
                filled |= {name: more} if more else {}
            elif name not in filled and (row := _row(plain)) and len(here) < _DEPTH:
                more = self._filled({}, _types.output_type_types(row), kind, of, (*here, "0"))
                filled |= {name: [more]} if more else {}
        return filled

    def _word(self, kind: str, of: str, path: tuple[str, ...]) -> str:
        with self._lock:
            self._words.append(Source(kind, of, path))
            return f"hubstackword{len(self._words) - 1}end"


def sdk_class(token: str) -> Any:
    """Return the SDK class of a resource type, or None for types such as custom resources."""
    with _loading():
        return _sdk_class(token)


@contextmanager
def _loading() -> Generator[None]:
    """Import SDK packages one at a time, because of circular imports, and suppress deprecation warnings."""
    with _IMPORTS, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


@cache
def _sdk_class(token: str) -> Any:
    package, module, name = token.split(":")
    if package == "pulumi":
        return getattr(importlib.import_module(f"pulumi_{name}"), "Provider", None)
    place = module.split("/")[0] if package != "kubernetes" else module.split("/")[0].split(".")[0]
    version = f".{module.split('/')[1]}" if package == "kubernetes" else ""
    importlib.import_module(f"pulumi_{package}")
    try:
        return getattr(importlib.import_module(f"pulumi_{package}.{place}{version}"), name, None)
    except ModuleNotFoundError:
        return None


def _outputs_of(token: str) -> Mapping[str, Any]:
    """Return the outputs of a Google Cloud resource type and their types.

    Empty for Kubernetes objects: programs use no computed output of them, and their types load half the SDK.
    """
    if not token.startswith("gcp:"):
        return {}
    with _loading():
        found = _sdk_class(token)
        return _types.resource_types(found) if found else {}


def _results_of(token: str) -> Mapping[str, Any]:
    package, module, name = token.split(":")
    with _loading():
        found = importlib.import_module(f"pulumi_{package}.{module.split('/')[0]}")
        return _types.output_type_types(getattr(found, f"{name[0].upper()}{name[1:]}Result"))


def _row(kind: Any) -> Any:
    """Return the type of a list's items if they are mappings; the first one stands for all."""
    items = get_args(kind) if get_origin(kind) in {list, Sequence} else ()
    return items[0] if items and _is_mapping(items[0]) else None


def _is_mapping(kind: Any) -> bool:
    return isinstance(kind, type) and _types.is_output_type(kind)


def _unmasked(value: Any) -> Any:
    """Convert a protocol value to plain data: resources become URNs, secrets are marked."""
    if isinstance(value, list):
        return [_unmasked(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return _unmasked_mapping(cast("dict[str, Any]", value))
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return UNKNOWN if value == rpc.UNKNOWN else value


def _unmasked_mapping(said: Mapping[str, Any]) -> Any:
    match said.get(rpc._special_sig_key):  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        case None:
            return {key: _unmasked(item) for key, item in said.items()}
        case rpc._special_secret_sig:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            return Secret(_unmasked(said["value"]))
        case rpc._special_output_value_sig:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            inner = _unmasked(said["value"]) if "value" in said else UNKNOWN
            return Secret(inner) if said.get("secret") else inner
        case _:
            return said.get("urn", UNKNOWN)
