# SPDX-License-Identifier: Apache-2.0
"""What hubstack registers is what Google's documents allow: names, types, values and required parts of each request.

docs/request-bodies.md says what this proves and what it does not.
"""

import copy
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from hubstack.preview.values import UNKNOWN
from tests.support import golden
from tests.support.rest import bodies, discovery, sdk

PAGE = golden.PROJECT / "docs" / "request-bodies.md"
POOL, CLUSTER = "gcp:container/nodePool:NodePool", "gcp:container/cluster:Cluster"
NETWORK, NAT = "gcp:compute/network:Network", "gcp:compute/routerNat:RouterNat"
SUBNET, ADDRESS = "gcp:compute/subnetwork:Subnetwork", "gcp:compute/address:Address"
BUCKET, GRANT = "gcp:storage/bucket:Bucket", "gcp:storage/bucketIAMMember:BucketIAMMember"
SECRET, RUN = "gcp:secretmanager/secret:Secret", "gcp:cloudrunv2/service:Service"
ALERT, DASHBOARD = "gcp:monitoring/alertPolicy:AlertPolicy", "gcp:monitoring/dashboard:Dashboard"
REGISTRY, ACCOUNT = "gcp:artifactregistry/repository:Repository", "gcp:serviceaccount/account:Account"
API, CACHE = "gcp:projects/service:Service", "gcp:storage/anywhereCache:AnywhereCache"
BUDGET = "gcp:billing/budget:Budget"
MAPS = {"labels", "limits", "sensitiveLabels"}
"""Inputs whose keys are free in the API; the names of the last are the SDK's."""

Path_ = tuple[Any, ...]


@cache
def resources(example: str) -> list[dict[str, Any]]:
    found = json.loads(golden.golden_path(example, "graph").read_text())["resources"]
    return [one for one in found if one["type"].startswith("gcp:")]


@cache
def provider(example: str) -> dict[str, Any]:
    found = json.loads(golden.golden_path(example, "graph").read_text())["resources"]
    (one,) = [one for one in found if one["type"] == "pulumi:providers:gcp"]
    return {"project": one["inputs"]["project"], "region": one["inputs"]["region"]}


@cache
def samples() -> dict[str, dict[str, Any]]:
    return yaml.safe_load((Path(bodies.__file__).parent / "samples.yaml").read_text())


@cache
def known(token: str) -> list[dict[str, Any]]:
    """All inputs of one type that the examples and the samples have."""
    found = [one["inputs"] for example in golden.EXAMPLES for one in resources(example) if one["type"] == token]
    return found + ([samples()[token]] if token in samples() else [])


def richest(token: str) -> dict[str, Any]:
    return max(known(token), key=lambda inputs: len(list(leaves(inputs))))


def leaves(value: Any, at: Path_ = ()) -> Iterator[Path_]:
    if isinstance(value, (dict, list)) and value:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*at, key))
    else:
        yield at


def one_of_each(token: str) -> Iterator[tuple[dict[str, Any], Path_]]:
    """Yield each place that holds a value in any inputs of the type, once, with inputs that have it."""
    seen: set[Path_] = set()
    for inputs in known(token):
        for path in leaves(inputs):
            shape = tuple(part for part in path if isinstance(part, str))
            if shape not in seen:
                seen.add(shape)
                yield inputs, path


def changed(inputs: dict[str, Any], path: Path_, value: Any = None, *, name: str | None = None, drop: bool = False) -> Any:
    """Return the inputs with one place changed: its value, its name, or left out."""
    found = copy.deepcopy(inputs)
    while name and isinstance(path[-1], int):
        path = path[:-1]
    inner = found
    for part in path[:-1]:
        inner = inner[part]
    if name:
        inner[name] = inner.pop(path[-1])
    elif drop:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return found


def by_documents(token: str, inputs: dict[str, Any]) -> list[str]:
    """What the documents alone find, without the SDK and without what bodies.yaml adds."""
    try:
        return bodies.request_problems(bodies.translate(token, "one", inputs, {"region": "us-central1"}))
    except bodies.UntranslatedError as error:
        return [str(error)]


def place(path: Path_) -> str:
    return ".".join(part for part in path if isinstance(part, str))


@pytest.mark.parametrize("example", golden.EXAMPLES)
def test_every_google_resource_of_an_example_is_allowed(example: str) -> None:
    assert len(resources(example)) > 20
    wrong = [
        f"{one['type']} {one['name']}: {problem}"
        for one in resources(example)
        for problem in bodies.problems(one["type"], one["name"], one["inputs"], provider(example))
    ]
    assert not wrong, "\n".join(sorted(set(wrong)))


@pytest.mark.parametrize("token", samples())
def test_every_sample_is_allowed(token: str) -> None:
    assert bodies.problems(token, "sample", samples()[token], {"region": "us-central1"}) == []


@pytest.mark.parametrize("token", bodies.table())
def test_every_resource_of_the_table_is_known_by_an_example_or_a_sample(token: str) -> None:
    assert known(token)


@pytest.mark.parametrize("token", bodies.table())
def test_every_input_of_the_sdk_has_a_place_of_its_type_in_the_document(token: str) -> None:
    """Not only what hubstack sets today: the table is whole, and a new SDK or document that moves a name is seen."""
    wrong, checked = [], 0
    for path, inputs in sdk.samples(sdk.arguments(token)):
        try:
            found = bodies.request_problems(bodies.translate(token, "one", inputs))
        except bodies.UntranslatedError:
            continue
        checked += 1
        wrong += [f"{place(path)}: {one}" for one in found if "has no field" in one or "is not of type" in one]
    assert checked
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("token", bodies.table())
def test_every_field_of_the_table_is_an_input_of_the_sdk(token: str) -> None:
    def named(fields: dict[str, Any], at: Path_ = ()) -> Iterator[Path_]:
        for name, rule in fields.items():
            yield (*at, name)
            yield from named(rule.get("fields", {}) if isinstance(rule, dict) else {}, (*at, name))

    taken = {path[:end] for path, _ in sdk.samples(sdk.arguments(token)) for end in range(1, len(path) + 1)}
    wrong = {place(path) for path in named(bodies.table()[token]["fields"])} - {place(path) for path in taken}
    # Services and jobs of Cloud Run share the rules of a template; a job lacks some of it.
    shared = {"template.template.containers.buildInfos", "template.template.containers.readinessProbe",
              "template.template.containers.readinessProbe.successThreshold", "template.template.sandboxes",
              "template.template.sandboxes.templates", "template.template.sandboxes.templates.commands",
              "template.template.sandboxes.templates.envs"}  # fmt: skip
    assert wrong <= shared, wrong


def test_a_resource_that_the_table_lacks_is_refused_with_what_to_do() -> None:
    assert bodies.problems("gcp:pubsub/topic:Topic", "events", {}) == [
        "gcp:pubsub/topic:Topic is not in tests/support/rest/bodies.yaml: add it (docs/request-bodies.md)"
    ]


@pytest.mark.parametrize("token", bodies.table())
def test_any_renamed_input_is_found_by_the_documents_alone(token: str) -> None:
    missed = []
    for inputs, path in one_of_each(token):
        if len(path) > 1 and MAPS & set(path[:-1]):
            continue
        last = [part for part in path if isinstance(part, str)][-1]
        if not by_documents(token, changed(inputs, path, name=f"{last}X")):
            missed.append(place(path))
    assert not missed


@pytest.mark.parametrize("token", bodies.table())
def test_any_value_of_another_type_is_found_by_the_documents_alone(token: str) -> None:
    missed, checked = [], 0
    for inputs, path in one_of_each(token):
        other = changed(inputs, path, "x" if isinstance(_at(inputs, path), (int, float)) else 0.5)
        if _at(inputs, path) in ({}, []) or _same_body(token, inputs, other):
            continue  # in the path, or not sent
        checked += 1
        if not by_documents(token, other):
            missed.append(place(path))
    assert not missed
    assert checked


def _at(inputs: Any, path: Path_) -> Any:
    for part in path:
        inputs = inputs[part]
    return inputs


def _same_body(token: str, one: dict[str, Any], other: dict[str, Any]) -> bool:
    try:
        return bodies.translate(token, "one", one).body == bodies.translate(token, "one", other).body
    except bodies.UntranslatedError:
        return False


ENUMS = {
    CLUSTER: {"datapathProvider", "monitoringConfig.enableComponents", "networkingMode", "releaseChannel.channel"},
    POOL: {
        "autoscaling.locationPolicy", "nodeConfig.guestAccelerators.gpuDriverInstallationConfig.gpuDriverVersion",
        "nodeConfig.guestAccelerators.gpuSharingConfig.gpuSharingStrategy",
        "nodeConfig.reservationAffinity.consumeReservationType", "nodeConfig.taints.effect",
        "nodeConfig.workloadMetadataConfig.mode", "upgradeSettings.strategy",
    },
    NETWORK: {"routingMode"},
    NAT: {
        "logConfig.filter", "natIpAllocateOption", "sourceSubnetworkIpRangesToNat",
        "subnetworks.sourceIpRangesToNats",
    },
    SUBNET: {"purpose", "role"},
    ADDRESS: {"addressType", "purpose"},
    RUN: {"ingress", "launchStage", "template.executionEnvironment", "template.vpcAccess.egress", "traffics.type"},
    ALERT: {
        "combiner", "severity", "conditions.conditionThreshold.comparison",
        "conditions.conditionThreshold.aggregations.perSeriesAligner",
    },
    REGISTRY: {
        "format", "mode", "cleanupPolicies.action", "cleanupPolicies.condition.tagState",
        "remoteRepositoryConfig.dockerRepository.publicRepository", "vulnerabilityScanningConfig.enablementConfig",
    },
    BUDGET: {"budgetFilter.calendarPeriod", "thresholdRules.spendBasis"},
    "gcp:compute/resourcePolicy:ResourcePolicy": {"workloadPolicy.type"},
    "gcp:vertex/aiEndpointWithModelGardenDeployment:AiEndpointWithModelGardenDeployment": {
        "deployConfig.dedicatedResources.machineSpec.acceleratorType"
    },
}  # fmt: skip


@pytest.mark.parametrize("token", ENUMS)
def test_a_value_that_is_none_of_the_documented_is_found(token: str) -> None:
    found = {
        place(path)
        for inputs, path in one_of_each(token)
        if isinstance(_at(inputs, path), str) and _at(inputs, path) != UNKNOWN
        and any("NO_SUCH_VALUE" in one and ("is not one of" in one or "none of" in one)
                for one in by_documents(token, changed(inputs, path, "NO_SUCH_VALUE")))
    }  # fmt: skip
    assert found == ENUMS[token]


@pytest.mark.parametrize(
    ("token", "path", "value", "said"),
    [
        (POOL, ("initialNodeCount",), 2**40, "is greater than the maximum of 2147483647"),
        (POOL, ("nodeConfig", "diskSizeGb"), -(2**40), "is less than the minimum"),
        (POOL, ("nodeConfig", "guestAccelerators", 0, "count"), 2**70, "is greater than the maximum"),
        (POOL, ("name",), "g2-standard-4-with-a-name-of-more-than-forty-characters", "does not match"),
        (POOL, ("nodeConfig", "guestAccelerators", 0, "gpuSharingConfig"), {"maxSharedClientsPerGpu": 2},
         "inputs: nodeConfig.guestAccelerators.gpuSharingConfig.gpuSharingStrategy is missing"),
        (POOL, ("nodeConfig", "machinetype"), "g2-standard-4", "NodeConfig has no field machinetype; nearest: machineType"),
        (POOL, ("nodeConfig", "accelerators"), [], "inputs: nodeConfig.accelerators is no input of NodePoolArgs"),
        (CLUSTER, ("nodePools",), [], "an inline pool replaces the cluster"),
        (CLUSTER, ("name",), "Hubstack", "does not match"),
        (CLUSTER, ("controlPlaneEndpointsConfig", "dnsEndpointConfig", "endpoint"), "gke.goog",
         "$.cluster.controlPlaneEndpointsConfig.dnsEndpointConfig.endpoint: is set by Google only"),
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
        (DASHBOARD, ("dashboardJson",), '{"displayname": "Models"}', "Dashboard has no field displayname; nearest: displayName"),
        (DASHBOARD, ("dashboardJson",), '{"gridLayout": {}}', "'displayName' is a required property"),
        (ALERT, ("conditions", 0, "conditionPrometheusQueryLanguage", "query"), None, "is not of type 'string'"),
        (API, ("service",), "run", "does not match"),
        (ACCOUNT, ("accountId",), "a-name-of-more-than-thirty-characters", "does not match"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_place(token: str, path: Path_, value: Any, said: str) -> None:
    found = bodies.problems(token, "one", changed(richest(token), path, value), {"region": "us-central1"})
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
def test_a_part_that_is_left_out_is_found(token: str, path: Path_, said: str) -> None:
    found = bodies.problems(token, "one", changed(richest(token), path, drop=True), {"region": "us-central1"})
    assert any(said in one for one in found), found


def test_a_pool_becomes_the_body_that_the_provider_sends() -> None:
    inputs = {
        "cluster": "projects/acme/locations/us-central1/clusters/hubstack", "location": "us-central1", "name": "l4",
        "maxPodsPerNode": 32, "nodeLocations": ["us-central1-a"],
        "nodeConfig": {
            "machineType": "g2-standard-4", "labels": {"cloud.google.com/compute-class": "l4"},
            "guestAccelerators": [{"type": "nvidia-l4", "count": 1}],
        },
    }  # fmt: skip
    request = bodies.translate(POOL, "pool", inputs, {"project": "acme"})
    assert request.parameters == {"parent": "projects/acme/locations/us-central1/clusters/hubstack"}
    assert request.body == {
        "nodePool": {
            "name": "l4", "maxPodsConstraint": {"maxPodsPerNode": 32}, "locations": ["us-central1-a"],
            "config": {
                "machineType": "g2-standard-4", "labels": {"cloud.google.com/compute-class": "l4"},
                "accelerators": [{"acceleratorType": "nvidia-l4", "acceleratorCount": 1}],
            },
        }
    }  # fmt: skip


def test_lists_maps_and_texts_become_what_the_api_has() -> None:
    assert bodies.translate(NAT, "out", {"router": "r", "region": "r", "natIpAllocateOption": "AUTO_ONLY"}).body == {
        "nats": [{"name": "out-0000000", "natIpAllocateOption": "AUTO_ONLY"}]
    }
    assert bodies.translate(GRANT, "g", {"bucket": "b", "role": "r", "member": "m"}).body == {
        "bindings": [{"role": "r", "members": ["m"]}]
    }
    kept = bodies.translate(REGISTRY, "r", {"cleanupPolicies": [{"id": "old", "action": "DELETE"}]})
    assert kept.body == {"cleanupPolicies": {"old": {"action": "DELETE"}}}
    version = bodies.translate("gcp:secretmanager/secretVersion:SecretVersion", "v", {"secretData": "token"})
    assert version.body == {"payload": {"data": "dG9rZW4="}}
    private = {"privateClusterConfig": {"enablePrivateNodes": True, "enablePrivateEndpoint": True}}
    assert bodies.translate(CLUSTER, "c", private).body["cluster"] == {
        "networkConfig": {"defaultEnablePrivateNodes": True},
        "controlPlaneEndpointsConfig": {"ipEndpointsConfig": {"enablePublicEndpoint": False}},
    }


def test_a_value_that_a_preview_does_not_know_passes_and_its_name_is_still_checked() -> None:
    pool = richest(POOL)
    assert not by_documents(POOL, changed(pool, ("nodeConfig", "diskSizeGb"), UNKNOWN))
    assert by_documents(POOL, changed(pool, ("nodeConfig", "diskSizeGB"), UNKNOWN))


def test_the_page_names_the_revision_of_each_document() -> None:
    names = sorted({entry["document"] for entry in bodies.table().values()})
    rows = [f"| `{name}` | {discovery.document(name)['revision']} |" for name in names]
    assert [line for line in PAGE.read_text().splitlines() if line.startswith("| `")] == rows, (
        "the documents changed with google-api-python-client; the table of docs/request-bodies.md is now:\n"
        + "\n".join(rows)
    )
