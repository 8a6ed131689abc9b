# SPDX-License-Identifier: Apache-2.0
"""Two stacks in a cluster of somebody else under the real engine: what they add, share and leave behind."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from hubstack.review.preview import preview
from proof.engine.charts import ChartRepository
from proof.engine.engine import Engine
from proof.engine.google_cloud import Cloud
from proof.engine.google_provider import CLOUD
from proof.engine.google_schema import schema_of
from proof.engine.stacks import engine_of, use_charts
from proof.nodes import pool_of
from proof.sandbox import Sandbox
from tests.proof.engine.test_life import announced
from tests.support.facts import catalog
from tests.support.golden import environment, read_graph

pytestmark = pytest.mark.proof

PROJECT, REGION = "acme-models-quickstart", "us-central1"
CLUSTER, API = "gcp:container/cluster:Cluster", "gcp:projects/service:Service"
MODELS = "models:\n  - {id: Qwen/Qwen3-Embedding-0.6B, name: embed, replicas: {min: 0, max: 1}}\n"
THEIRS: dict[str, Any] = {
    "name": "platform",
    "location": REGION,
    "datapathProvider": "ADVANCED_DATAPATH",
    "enableFqdnNetworkPolicy": True,
    "workloadIdentityConfig": {"workloadPool": f"{PROJECT}.svc.id.goog"},
    "addonsConfig": {"gcsFuseCsiDriverConfig": {"enabled": True}},
    "controlPlaneEndpointsConfig": {"dnsEndpointConfig": {"allowExternalTraffic": True}},
    "monitoringConfig": {
        "enableComponents": ["SYSTEM_COMPONENTS", "DCGM", "POD", "DEPLOYMENT"],
        "managedPrometheus": {"enabled": True},
    },
    "deletionProtection": True,
}


def stack_of(name: str, folder: Path, programs: Path, sandbox: Sandbox, **cluster: Any) -> Engine:
    """Return the engine of a stack with one model in the cluster `platform`."""
    engine = engine_of(replace(environment("quickstart"), stack=name), folder, programs, sandbox)
    config = {
        "gcp:project": PROJECT,
        "gcp:region": REGION,
        "hubstack:models": "examples/quickstart/models.yaml",
        "hubstack:deletionProtection": False,
        "hubstack:cluster": {"name": "platform", "control_plane": ["10.0.0.2/32"], **cluster},
    }
    settings = settings_of(engine)
    settings.write_text(yaml.safe_dump({**yaml.safe_load(settings.read_text()), "config": config}))
    (engine.project / "examples" / "quickstart" / "models.yaml").write_text(MODELS)
    return engine


def settings_of(engine: Engine) -> Path:
    return engine.project / "stacks" / f"Pulumi.{engine.stack}.yaml"


def make_cluster(engine: Engine, sandbox: Sandbox, **changes: Any) -> None:
    cloud = Cloud(engine.folder / "cloud", sandbox.plane.url.removeprefix("https://"))
    for service in ("cloudresourcemanager", "container"):
        inputs = {"service": f"{service}.googleapis.com", "disableOnDestroy": False}
        cloud.create(schema_of(API), inputs, PROJECT, REGION)
    cloud.create(schema_of(CLUSTER), {**THEIRS, **changes}, PROJECT, REGION)


def resources(engine: Engine) -> list[dict[str, Any]]:
    graph = preview(engine.project, stack=engine.stack, config=settings_of(engine))
    return json.loads(graph.to_json())["resources"]


def test_a_cluster_that_lacks_features_is_previewed_and_not_touched(
    tmp_path: Path, engine_programs: Path, sandbox: Sandbox, charts: ChartRepository
) -> None:
    sandbox.empty()
    engine = stack_of("one", tmp_path / "engine", engine_programs, sandbox)
    make_cluster(engine, sandbox, addonsConfig={}, enableFqdnNetworkPolicy=False)
    update = "gcloud container clusters update platform --location us-central1 --project acme-models-quickstart"
    use_charts(engine, charts, resources(engine))
    # In a new project the cluster is asked once its API is on: an update does that first.
    done = engine.up(check=False)
    assert done.code
    assert f"{update} --update-addons=GcsFuseCsiDriver=ENABLED" in done.text
    assert f"{update} --enable-fqdn-network-policy" in done.text
    assert "gcp:container/nodePool:NodePool" not in engine.cloud.everything()
    assert not [each for each in engine.state()["resources"] if each["type"].startswith("kubernetes:")]
    shown = engine.preview()
    assert f"{update} --enable-fqdn-network-policy" in shown.text


def test_two_stacks_share_a_cluster_and_leave_it_as_it_was(
    tmp_path: Path, engine_programs: Path, sandbox: Sandbox, charts: ChartRepository
) -> None:
    sandbox.empty()
    sandbox.kubectl("create", "namespace", "team-a")
    sandbox.kubectl("--namespace=team-a", "create", "configmap", "theirs", "--from-literal=kept=yes")
    one = stack_of("one", tmp_path / "one", engine_programs, sandbox)
    make_cluster(one, sandbox)
    two = stack_of("two", tmp_path / "two", engine_programs, sandbox, installed=["keda", "http-add-on"])
    two.environment[CLOUD] = str(one.folder / "cloud")
    declared = {engine.stack: resources(engine) for engine in (one, two)}
    pools = {
        name: [each["inputs"] for each in held if each["type"] == "gcp:container/nodePool:NodePool"]
        for name, held in declared.items()
    }
    ordinary = [
        each["inputs"] for each in read_graph("quickstart")["resources"] if each["name"] == "cluster-system"
    ]
    every = [each for held in (*pools.values(), ordinary) for each in held]
    sandbox.use(pool_of(each, catalog(), REGION) for each in every)
    use_charts(one, charts, declared["one"])
    use_charts(two, charts, declared["two"])
    assert one.up().counts == {"create": announced(one)}
    assert two.up().counts == {"create": announced(two)}
    assert two.up().counts == {"same": announced(two)}
    assert not [each for each in declared["two"] if each["type"] == "kubernetes:helm.sh/v3:Release"]
    found = {each.rpartition("/")[2] for each in one.cloud.ids("gcp:container/nodePool:NodePool")}
    assert found == {each["name"] for held in pools.values() for each in held}
    assert len(found) == 2 * len(pools["one"]), "pools of two stacks have different names"
    one_left = one.cloud.ids(CLUSTER)
    two.destroy()
    assert one.up().counts == {"same": announced(one)}, "what the other stack shares is as it was"
    one.destroy()
    assert one.cloud.ids(CLUSTER) == one_left
    assert one.cloud.everything().keys() == {API, CLUSTER}
    spaces = {each["metadata"]["name"] for each in sandbox.api.objects("v1", "Namespace")}
    assert "team-a" in spaces
    assert not spaces & {"models-one", "models-two", "keda"}
    assert (
        sandbox.kubectl("--namespace=team-a", "get", "configmap", "theirs", "-o", "jsonpath={.data.kept}") == "yes"
    )
    sandbox.empty()
