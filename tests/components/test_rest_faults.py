# SPDX-License-Identifier: Apache-2.0
"""The checker of request bodies finds faults: each place in turn, each list of values, and what a report says."""

from typing import Any

import pytest

from hubstack.review.preview.values import UNKNOWN
from tests.support.rest import bodies, discovery
from tests.support.rest.inputs import (
    ACCOUNT,
    ADDRESS,
    ALERT,
    API,
    BUCKET,
    BUDGET,
    CACHE,
    CLUSTER,
    DASHBOARD,
    ENDPOINT,
    GRANT,
    NAT,
    NETWORK,
    POOL,
    REGISTRY,
    RUN,
    SECRET,
    SLICE,
    SUBNET,
    Place,
    at,
    changed,
    dotted,
    one_of_each,
    richest,
)

IDENTITY = "gcp:projects/serviceIdentity:ServiceIdentity"
"""Has no body: all of it is in the path."""
MAPS = {"annotations", "labelExtractors", "labels", "limits", "sensitiveLabels", "userLabels"}
"""Inputs whose keys are free in the API; the names of the last are the SDK's."""


def by_documents(token: str, inputs: dict[str, Any]) -> list[str]:
    """What the documents alone find, without the SDK and without what bodies.yaml adds."""
    try:
        return bodies.request_problems(bodies.translate(token, "one", inputs, {"region": "us-central1"}))
    except bodies.UntranslatedError as error:
        return [str(error)]


@pytest.mark.parametrize("token", bodies.table())
def test_any_renamed_input_is_found_by_the_documents_alone(token: str) -> None:
    missed = []
    for inputs, path in one_of_each(token):
        if len(path) > 1 and MAPS & set(path[:-1]):
            continue
        last = [part for part in path if isinstance(part, str)][-1]
        if not by_documents(token, changed(inputs, path, name=f"{last}X")):
            missed.append(dotted(path))
    assert not missed


@pytest.mark.parametrize("token", [token for token in bodies.table() if token != IDENTITY])
def test_any_value_of_another_type_is_found_by_the_documents_alone(token: str) -> None:
    missed, checked = [], 0
    for inputs, path in one_of_each(token):
        other = changed(inputs, path, "x" if isinstance(at(inputs, path), (int, float)) else 0.5)
        if at(inputs, path) in ({}, []) or _same_body(token, inputs, other):
            continue  # in the path, or not sent
        checked += 1
        if not by_documents(token, other):
            missed.append(dotted(path))
    assert not missed
    assert checked


def _same_body(token: str, one: dict[str, Any], other: dict[str, Any]) -> bool:
    try:
        return bodies.translate(token, "one", one).body == bodies.translate(token, "one", other).body
    except bodies.UntranslatedError:
        return False


ENUMS = {
    CLUSTER: {
        "binaryAuthorization.evaluationMode",
        "databaseEncryption.state",
        "datapathProvider",
        "gatewayApiConfig.channel",
        "monitoringConfig.enableComponents",
        "networkingMode",
        "releaseChannel.channel",
    },
    POOL: {
        "autoscaling.locationPolicy",
        "nodeConfig.guestAccelerators.gpuDriverInstallationConfig.gpuDriverVersion",
        "nodeConfig.guestAccelerators.gpuSharingConfig.gpuSharingStrategy",
        "nodeConfig.reservationAffinity.consumeReservationType",
        "nodeConfig.taints.effect",
        "nodeConfig.workloadMetadataConfig.mode",
        "placementPolicy.type",
        "upgradeSettings.strategy",
    },
    NETWORK: {"routingMode"},
    NAT: {
        "logConfig.filter",
        "natIpAllocateOption",
        "sourceSubnetworkIpRangesToNat",
        "subnetworks.sourceIpRangesToNats",
    },
    SUBNET: {"purpose", "role", "logConfig.metadata", "logConfig.aggregationInterval"},
    ADDRESS: {"addressType", "purpose"},
    RUN: {"ingress", "launchStage", "template.executionEnvironment", "template.vpcAccess.egress", "traffics.type"},
    ALERT: {
        "combiner",
        "severity",
        "conditions.conditionThreshold.comparison",
        "conditions.conditionThreshold.aggregations.perSeriesAligner",
    },
    REGISTRY: {
        "format",
        "mode",
        "cleanupPolicies.action",
        "cleanupPolicies.condition.tagState",
        "remoteRepositoryConfig.dockerRepository.publicRepository",
        "vulnerabilityScanningConfig.enablementConfig",
    },
    BUDGET: {"budgetFilter.calendarPeriod", "thresholdRules.spendBasis"},
    SLICE: {"workloadPolicy.type"},
    ENDPOINT: {"deployConfig.dedicatedResources.machineSpec.acceleratorType"},
}


@pytest.mark.parametrize("token", ENUMS)
def test_a_value_that_is_none_of_the_documented_is_found(token: str) -> None:
    found = {
        dotted(path)
        for inputs, path in one_of_each(token)
        if isinstance(at(inputs, path), str)
        and at(inputs, path) != UNKNOWN
        and any(
            "NO_SUCH_VALUE" in one and ("is not one of" in one or "none of" in one)
            for one in by_documents(token, changed(inputs, path, "NO_SUCH_VALUE"))
        )
    }
    assert found == ENUMS[token]


@pytest.mark.parametrize(
    ("token", "path", "value", "said"),
    [
        (POOL, ("initialNodeCount",), 2**40, "is greater than the maximum of 2147483647"),
        (POOL, ("nodeConfig", "diskSizeGb"), -(2**40), "is less than the minimum"),
        (POOL, ("nodeConfig", "guestAccelerators", 0, "count"), 2**70, "is greater than the maximum"),
        (POOL, ("name",), "g2-standard-4-with-a-name-of-more-than-forty-characters", "does not match"),
        (
            POOL,
            ("nodeConfig", "guestAccelerators", 0, "gpuSharingConfig"),
            {"maxSharedClientsPerGpu": 2},
            "inputs: nodeConfig.guestAccelerators.gpuSharingConfig.gpuSharingStrategy is missing",
        ),
        (
            POOL,
            ("nodeConfig", "machinetype"),
            "g2-standard-4",
            "NodeConfig has no field machinetype; nearest: machineType",
        ),
        (POOL, ("nodeConfig", "accelerators"), [], "inputs: nodeConfig.accelerators is no input of NodePoolArgs"),
        (CLUSTER, ("nodePools",), [], "an inline pool replaces the cluster"),
        (CLUSTER, ("name",), "Hubstack", "does not match"),
        (
            CLUSTER,
            ("controlPlaneEndpointsConfig", "dnsEndpointConfig", "endpoint"),
            "gke.goog",
            "$.cluster.controlPlaneEndpointsConfig.dnsEndpointConfig.endpoint: is set by Google only",
        ),
        (NETWORK, ("name",), "Vpc", "$.name: 'Vpc' does not match"),
        (SUBNET, ("region",), "US Central", "$.region: 'US Central' does not match"),
        (BUCKET, ("publicAccessPrevention",), "on", "'on' is not one of ['inherited', 'enforced']"),
        (BUCKET, ("labels",), {"Team": "a"}, "'Team' does not match"),
        (BUCKET, ("name",), "ab", "does not match"),
        (BUCKET, ("lifecycleRules", 0, "condition", "withState"), "DEAD", "is 'DEAD', none of LIVE, ARCHIVED"),
        (GRANT, ("role",), "storage.objectViewer", "does not match"),
        (GRANT, ("member",), "nodes@acme.iam.gserviceaccount.com", "does not match"),
        (CACHE, ("ttl",), "1 day", "does not match"),
        (SECRET, ("replication",), {}, "$.replication: {} should be non-empty"),
        (RUN, ("template", "timeout"), "10m", "does not match"),
        (RUN, ("template", "nodeSelector"), {}, "$.template.nodeSelector: 'accelerator' is a required property"),
        (RUN, ("tags",), {"a": "b"}, "the document of this revision lacks it"),
        (DASHBOARD, ("dashboardJson",), "{", "is not JSON"),
        (
            DASHBOARD,
            ("dashboardJson",),
            '{"displayname": "Models"}',
            "Dashboard has no field displayname; nearest: displayName",
        ),
        (DASHBOARD, ("dashboardJson",), '{"gridLayout": {}}', "'displayName' is a required property"),
        (ALERT, ("conditions", 0, "conditionPrometheusQueryLanguage", "query"), None, "is not of type 'string'"),
        (API, ("service",), "run", "does not match"),
        (ACCOUNT, ("accountId",), "a-name-of-more-than-thirty-characters", "does not match"),
    ],
)
def test_a_fault_is_told_with_its_place(token: str, path: Place, value: Any, said: str) -> None:
    found = bodies.problems(token, "one", changed(richest(token, path), path, value), {"region": "us-central1"})
    assert any(said in one for one in found), found


@pytest.mark.parametrize(
    ("token", "path", "said"),
    [
        (POOL, ("cluster",), "$.parent: "),
        (POOL, ("name",), "$.nodePool: 'name' is a required property"),
        (SUBNET, ("network",), "$: 'network' is a required property"),
        (BUCKET, ("name",), "$: 'name' is a required property"),
        (BUCKET, ("location",), "inputs: location is missing"),
        (SECRET, ("replication",), "$: 'replication' is a required property"),
        (RUN, ("template", "containers", 0, "image"), "$.template.containers[0]: 'image' is a required property"),
        (GRANT, ("member",), "$.bindings[0]: 'members' is a required property"),
        (ALERT, ("conditions", 0, "conditionPrometheusQueryLanguage", "query"), "'query' is a required property"),
        (BUDGET, ("amount",), "$: 'amount' is a required property"),
    ],
)
def test_a_part_that_is_left_out_is_found(token: str, path: Place, said: str) -> None:
    found = bodies.problems(token, "one", changed(richest(token), path, drop=True), {"region": "us-central1"})
    assert any(said in one for one in found), found


def test_a_value_that_a_preview_does_not_know_passes_and_its_name_is_still_checked() -> None:
    pool = richest(POOL)
    assert not by_documents(POOL, changed(pool, ("nodeConfig", "diskSizeGb"), UNKNOWN))
    assert by_documents(POOL, changed(pool, ("nodeConfig", "diskSizeGB"), UNKNOWN))


@pytest.mark.parametrize(
    ("found", "right", "wrong"),
    [
        ({"type": "string", "format": "int64"}, [5, "5", "-5"], [5.5, "five", 2**63, True]),
        ({"type": "string", "format": "uint64"}, [5, "5"], [-1, "-1"]),
        ({"type": "integer", "format": "int32"}, [-5], ["5", 2**31, True]),
        ({"type": "integer", "format": "uint32"}, [2**32 - 1], [-1]),
        ({"type": "string", "format": "google-duration"}, ["300s", "1.5s"], ["5m", "300"]),
        ({"type": "string", "format": "google-datetime"}, ["2026-01-02T03:04:05Z"], ["2026-01-02"]),
        ({"type": "string", "format": "byte"}, ["dG9rZW4="], ["a token"]),
        ({"type": "string", "pattern": "[a-z]+"}, ["ab"], ["ab1", "1ab"]),
        ({"type": "string", "enum": ["A", "B"]}, ["A", UNKNOWN], ["C"]),
        ({"type": "object", "additionalProperties": {"type": "string"}}, [{"a": "b"}], [{"a": 1}]),
        ({"type": "array", "items": {"type": "boolean"}}, [[True]], [[1], True]),
        ({"type": "any"}, [1, "a", {}], []),
    ],
)
def test_each_form_of_the_documents_is_read(found: dict[str, Any], right: list[Any], wrong: list[Any]) -> None:
    schema = discovery._schema(found, "a.method")
    assert [value for value in right if discovery.schema_problems(schema, value)] == []
    assert [value for value in wrong if not discovery.schema_problems(schema, value)] == []


def test_required_is_what_the_annotation_or_the_description_says() -> None:
    found = {
        "type": "object",
        "properties": {
            "annotated": {"type": "string", "annotations": {"required": ["a.insert"]}},
            "described": {"type": "string", "description": "Required. The name."},
            "sometimes": {"type": "string", "description": "Required if the other is not set."},
            "returned": {"type": "string", "description": "Required. The id.", "readOnly": True},
        },
    }
    assert discovery._schema(found, "a.insert")["required"] == ["annotated", "described"]
    assert discovery._schema(found, "a.patch")["required"] == ["described"]
