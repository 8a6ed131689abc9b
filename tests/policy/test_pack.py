# SPDX-License-Identifier: Apache-2.0
"""The pack as Pulumi runs it: a process with pulumi-policy's own server, asked over gRPC as the engine asks.

The engine itself is not here. The messages are the SDK's; unknown values and secrets are marked as the engine marks
them.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from hubstack.review.check.rules import catalogue
from tests.support import golden

PACK = golden.PROJECT / "policy"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SECRET_SIGNATURE = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
MANDATORY, ADVISORY = 1, 0


@contextmanager
def served(stack: str, policy: Path) -> Iterator[analyzer_pb2_grpc.AnalyzerStub]:
    env = {**os.environ, "PULUMI_STACK": stack, "HUBSTACK_POLICY": str(policy)}
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", str(PACK)], cwd=PACK, env=env, stdout=subprocess.PIPE, text=True
    ) as pack:
        try:
            assert pack.stdout
            port = int(pack.stdout.readline())
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield analyzer_pb2_grpc.AnalyzerStub(channel)
        finally:
            pack.kill()


@pytest.fixture(scope="module")
def analyzer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[analyzer_pb2_grpc.AnalyzerStub]:
    with served("dev", tmp_path_factory.mktemp("none") / "policy.yaml") as stub:
        yield stub


def graph(example: str) -> list[dict[str, Any]]:
    return golden.read_graph(example)["resources"]


def protocol(value: Any) -> Any:
    """Put back the marks that the record of a graph has replaced by words."""
    if isinstance(value, dict):
        return {key: protocol(item) for key, item in value.items()}
    if isinstance(value, list):
        return [protocol(item) for item in value]
    if value == "[unknown]":
        return UNKNOWN
    return {**SECRET_SIGNATURE, "value": "s3cret"} if value == "[secret]" else value


def properties(resource: dict[str, Any]) -> struct_pb2.Struct:
    return json_format.ParseDict(protocol(resource.get("inputs", {})), struct_pb2.Struct())


def request(resource: dict[str, Any], others: list[dict[str, Any]]) -> analyzer_pb2.AnalyzeRequest:
    urn = str(resource.get("provider") or "").rpartition("::")[0]
    provider = next((each for each in others if each["urn"] == urn), None)
    made = analyzer_pb2.AnalyzeRequest(
        type=resource["type"], name=resource["name"], urn=resource["urn"], properties=properties(resource)
    )
    if provider:
        made.provider.CopyFrom(
            analyzer_pb2.AnalyzerProviderResource(
                type=provider["type"], name=provider["name"], urn=urn, properties=properties(provider)
            )
        )
    return made


def asked(
    analyzer: analyzer_pb2_grpc.AnalyzerStub, resources: list[dict[str, Any]]
) -> list[tuple[str, str, int, str]]:
    found = []
    for resource in resources:
        answer = analyzer.Analyze(request(resource, resources))
        found += [(d.policyName[:5], d.urn, d.enforcementLevel, d.message) for d in answer.diagnostics]
    return found


def test_it_tells_its_policies_as_the_catalogue_has_them(analyzer: analyzer_pb2_grpc.AnalyzerStub) -> None:
    info = analyzer.GetAnalyzerInfo(empty_pb2.Empty())
    wanted = {f"{rule.id}-{rule.name}": rule for rule in catalogue().values() if "graph" in rule.judges}
    assert info.name == "hubstack"
    assert {policy.name for policy in info.policies} == set(wanted)
    for policy in info.policies:
        assert (policy.enforcementLevel == MANDATORY) == (wanted[policy.name].level == "error")
        assert wanted[policy.name].fix in policy.description


@pytest.mark.parametrize("example", golden.EXAMPLES)
def test_it_lets_an_example_pass(analyzer: analyzer_pb2_grpc.AnalyzerStub, example: str) -> None:
    found = asked(analyzer, graph(example))
    assert [one for one in found if one[2] == MANDATORY] == []
    assert {one[0] for one in found} <= {"HS002", "HS006", "HS019"}
    assert not [one for one in found if "can't run policy" in one[3]], "an unknown value must not stop a rule"


def test_it_refuses_what_somebody_has_opened(analyzer: analyzer_pb2_grpc.AnalyzerStub) -> None:
    resources = graph("quickstart")
    bucket = next(each for each in resources if each["type"] == "gcp:storage/bucket:Bucket")
    bucket["inputs"]["publicAccessPrevention"] = "inherited"
    refused = [one for one in asked(analyzer, resources) if one[2] == MANDATORY]
    assert [(rule, urn) for rule, urn, *_ in refused] == [("HS011", bucket["urn"])]


def test_labels_of_the_provider_count(analyzer: analyzer_pb2_grpc.AnalyzerStub) -> None:
    resources = graph("quickstart")
    cluster = next(each for each in resources if each["type"] == "gcp:container/cluster:Cluster")
    assert not [one for one in asked(analyzer, resources) if one[0] == "HS015"]
    alone = analyzer.Analyze(request(cluster, [])).diagnostics
    assert [d.policyName for d in alone] == ["HS015-labels-present"]


FILE = """
regions: [us-central1]
levels: {HS019: "off"}
environments:
  dev:
    regions: [us-east4]
    max_accelerators: {nvidia-l4: 1}
    waivers:
      - {rule: HS011, resource: open, owner: a@b.c, until: 2999-01-01, why: a test}
      - {rule: HS011, resource: closed-again, owner: a@b.c, until: 2020-01-01, why: a test}
  other: {max_accelerators: {nvidia-l4: 100}}
"""


def test_it_reads_limits_and_waivers_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(FILE)
    resources = graph("quickstart")
    with served("dev", tmp_path / "policy.yaml") as stub:
        for name, wanted in (("open", []), ("closed-again", ["HS011", "HS013"])):
            props = {"location": "us-central1", "labels": {"managed-by": "a", "hubstack-stack": "b"}}
            urn = f"urn:pulumi:dev::hubstack::gcp:storage/bucket:Bucket::{name}"
            bucket = {
                "type": "gcp:storage/bucket:Bucket",
                "name": name,
                "urn": urn,
                "inputs": {**props, "uniformBucketLevelAccess": True},
            }
            found = {one[0] for one in asked(stub, [bucket])}
            assert found == ({"HS013"} if not wanted else set(wanted))
        told = [
            analyzer_pb2.AnalyzerResource(
                type=each["type"],
                name=each["name"],
                urn=each["urn"].replace("quickstart", "dev", 1),
                properties=properties(each),
            )
            for each in resources
        ]
        answer = stub.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=told))
        assert [d.policyName for d in answer.diagnostics] == ["HS020-accelerators"]
        assert "nvidia-l4; allowed: 1" in answer.diagnostics[0].message
    with served("other", tmp_path / "policy.yaml") as stub:
        for each in told:
            each.urn = each.urn.replace(":dev::", ":other::")
        assert not stub.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=told)).diagnostics
