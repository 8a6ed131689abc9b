# SPDX-License-Identifier: Apache-2.0
"""Components under the real SDK, with a monitor that keeps what was registered.

Like an engine, it refuses two resources of one URN and a parent that is not there; plain mocks accept both. What
it cannot prove: whether a provider takes the inputs, and what an engine would replace.
"""

import asyncio
import contextvars
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_gcp
from google.protobuf import json_format, struct_pb2
from pulumi.runtime import mocks
from pulumi.runtime.proto import resource_pb2

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""The protocol's text for a value that is not known yet."""
SECRET_SIGNATURE = "4dabf18193072939515e22adb298388d"
DNS_HOST = "gke-0123.us-central1.gke.goog"
PRIVATE_ADDRESS, CERTIFICATE = "10.0.0.2", "TFMwdA=="
with warnings.catch_warnings():
    # The SDK loads its modules at first use, and warns then of classes that it still carries under old names.
    warnings.simplefilter("ignore", DeprecationWarning)
    for module in (
        "artifactregistry",
        "billing",
        "cloudrunv2",
        "compute",
        "container",
        "monitoring",
        "organizations",
        "projects",
        "secretmanager",
        "serviceaccount",
        "storage",
        "vertex",
    ):
        hasattr(getattr(pulumi_gcp, module), "outputs")
NUMBER = "123456789012"
STORAGE_AGENT = f"service-{NUMBER}@gs-project-accounts.iam.gserviceaccount.com"
LOOKUPS = {
    "gcp:organizations/getProject:getProject": {"number": NUMBER},
    "gcp:storage/getProjectServiceAccount:getProjectServiceAccount": {"member": f"serviceAccount:{STORAGE_AGENT}"},
    "gcp:container/getCluster:getCluster": {
        "name": "platform",
        "masterVersion": "1.36.3-gke.100",
        "controlPlaneEndpointsConfigs": [
            {"dnsEndpointConfigs": [{"allowExternalTraffic": True, "endpoint": DNS_HOST}]}
        ],
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """One registration as the SDK sent it."""

    urn: str
    type: str
    name: str
    parent: str
    inputs: dict[str, Any]
    request: Any
    """Carries the options."""


class Recorded:
    """All registrations of one run, with their outputs."""

    def __init__(self) -> None:
        self.resources: dict[str, Registered] = {}
        self.outputs: dict[str, dict[str, Any]] = {}

    def of_type(self, kind: str) -> list[Registered]:
        return sorted((r for r in self.resources.values() if r.type == kind), key=lambda r: r.name)

    def one(self, kind: str, name: str | None = None) -> Registered:
        found = [r for r in self.of_type(kind) if name is None or r.name == name]
        assert len(found) == 1, f"{kind} {name}: {[r.name for r in found]}"
        return found[0]

    def children(self, urn: str) -> list[tuple[str, str]]:
        return sorted((r.type, r.name) for r in self.resources.values() if r.parent == urn)

    def component(self, kind: str) -> tuple[Registered, list[tuple[str, str]]]:
        found = self.one(kind)
        return found, self.children(found.urn)


def computed(request: Any) -> dict[str, Any]:
    """Return what a provider would add to the inputs, where components read it."""
    if request.type == "gcp:container/cluster:Cluster":
        endpoint = {"endpoint": DNS_HOST, "allowExternalTraffic": True}
        return {
            "controlPlaneEndpointsConfig": {"dnsEndpointConfig": endpoint},
            "privateClusterConfig": {"privateEndpoint": PRIVATE_ADDRESS},
            "masterAuth": {"clusterCaCertificate": CERTIFICATE},
        }
    if request.type == "gcp:certificatemanager/dnsAuthorization:DnsAuthorization":
        proof = {"name": "_acme-challenge.models.example.com.", "type": "CNAME", "data": "1.authorize.example."}
        return {"dnsResourceRecords": [proof]}
    if request.type == "gcp:serviceaccount/account:Account":
        email = f"{request.object['accountId']}@acme-models-test.iam.gserviceaccount.com"
        return {"email": email, "member": f"serviceAccount:{email}"}
    if request.type == "gcp:cloudrunv2/service:Service":
        return {"uri": f"https://{request.object['name']}.run.app"}
    if request.type == "gcp:vertex/aiEndpointWithModelGardenDeployment:AiEndpointWithModelGardenDeployment":
        return {"endpoint": "1234567890"}
    return {}


class _Mocks(mocks.Mocks):
    """Never asked: the monitor answers by itself."""

    def call(self, args: mocks.MockCallArgs) -> Any:
        raise AssertionError(args.token)

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        raise AssertionError(args.typ)


class _Monitor(mocks.MockMonitor):
    """Answers from protocol messages alone: the base class starts an event loop in each worker thread."""

    def __init__(self, recorded: Recorded, *, preview: bool) -> None:
        super().__init__(_Mocks())
        self.recorded, self.preview = recorded, preview
        self.root = ""

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == "pulumi:pulumi:Stack":
            self.root = urn
            return resource_pb2.RegisterResourceResponse(urn=urn)
        if urn in self.recorded.resources:
            raise AssertionError(f"duplicate URN {urn}")
        if request.parent != self.root and request.parent not in self.recorded.resources:
            raise AssertionError(f"{urn} has a parent that is not registered")
        self.recorded.resources[urn] = Registered(
            urn=urn,
            type=request.type,
            name=request.name,
            parent=request.parent,
            request=request,
            inputs=json_format.MessageToDict(request.object),
        )
        state = struct_pb2.Struct()
        state.CopyFrom(request.object)
        if not self.preview:
            state.update(computed(request))
        id_ = "" if self.preview or not request.custom else f"{request.name}-id"
        return resource_pb2.RegisterResourceResponse(urn=urn, id=id_, object=state)

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        if request.tok not in LOOKUPS:
            raise AssertionError(f"an unknown lookup: {request.tok}")
        found = struct_pb2.Struct()
        found.update(LOOKUPS[request.tok])
        return resource_pb2.ResourceInvokeResponse(**{"return": found})

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        self.recorded.outputs[request.urn] = json_format.MessageToDict(request.outputs)
        return super().RegisterResourceOutputs(request)


def record(program: Callable[[], object], *, preview: bool = False) -> Recorded:
    """Run the program to its end, so that absence may be asserted too."""
    recorded = Recorded()
    # The SDK keeps its stack and settings in context variables: a context of its own leaves nothing behind.
    contextvars.copy_context().run(_run, program, recorded, preview)
    return recorded


def _run(program: Callable[[], object], recorded: Recorded, preview: bool) -> None:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        monitor = _Monitor(recorded, preview=preview)
        pulumi.runtime.set_mocks(_Mocks(), project="hubstack", stack="test", preview=preview, monitor=monitor)
        pulumi.runtime.test(program)()
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        asyncio.set_event_loop(None)
