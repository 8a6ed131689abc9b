# SPDX-License-Identifier: Apache-2.0
"""Networks under the real engine: what exists is left alone, and a Shared VPC's grants are made and taken back."""

from pathlib import Path

import pytest

from proof.engine.engine import Engine
from proof.engine.stacks import engine_of
from tests.support.golden import environment

pytestmark = pytest.mark.proof

PROGRAM = """
import pulumi, pulumi_gcp as gcp
from hubstack.plan.network import ExistingNetwork, Nat, NetworkPlan
from pulumi_hubstack import Network, NetworkArgs
from pulumi_hubstack.shared_network import SharedNetwork, SharedNetworkArgs

google = gcp.Provider("google", project="acme-models", region="us-central1")
first = gcp.projects.Service(
    "first", service="cloudresourcemanager.googleapis.com", opts=pulumi.ResourceOptions(provider=google)
)
api = gcp.projects.Service(
    "api", service="compute.googleapis.com", opts=pulumi.ResourceOptions(provider=google, depends_on=[first])
)
theirs = pulumi.ResourceOptions(provider=google, depends_on=[first, api])
vpc = gcp.compute.Network(
    "theirs", name="shared", project="acme-network", auto_create_subnetworks=False, opts=theirs
)
subnet = gcp.compute.Subnetwork(
    "their-subnet", name="models", project="acme-network", region="us-central1", network=vpc.id,
    ip_cidr_range="10.8.0.0/20", opts=theirs,
)
opts = pulumi.ResourceOptions(providers=[google], depends_on=[first, api, subnet])
shared = ExistingNetwork(
    project="acme-network", name="shared", subnetwork="models", region="us-central1", is_shared=True
)
SharedNetwork("grants", SharedNetworkArgs(network=shared, project_number="123456789012"), opts)
used = NetworkPlan(existing=shared, nat=Nat.CREATE)
others = Network("others", NetworkArgs(region="us-central1", plan=used), opts)
ranges = NetworkPlan(nodes_cidr="10.8.0.0/20", pods_cidr="10.64.0.0/14", services_cidr="10.9.0.0/20", nat=Nat.NONE)
Network("own", NetworkArgs(region="us-central1", plan=ranges, deletion_protection=False), opts)
pulumi.export("subnet", others.subnet_id)
"""


@pytest.fixture
def engine(tmp_path: Path, engine_programs: Path) -> Engine:
    made = engine_of(environment("cloud-run"), tmp_path / "engine", engine_programs)
    (made.project / "__main__.py").write_text(PROGRAM)
    return made


def test_an_existing_network_gets_a_nat_and_grants_and_loses_both_with_the_stack(engine: Engine) -> None:
    done = engine.up()
    made = {urn.split("::")[-1] for urn, step in done.steps.items() if step == "create"}
    assert {"grants-gke-user", "grants-apis-user", "grants-gke-agent", "others-router", "others-nat"} <= made
    assert {"own-vpc", "own-subnet"} <= made
    assert not {"others-vpc", "others-subnet", "own-nat"} & made
    said = engine.run("stack", "output", "subnet").stdout.strip()
    assert said == "projects/acme-network/regions/us-central1/subnetworks/models"
    assert not engine.up().steps, "a second `up` changes nothing"
    engine.destroy()
    left = engine.cloud.everything()
    assert left.keys() <= {"gcp:projects/service:Service"}, "an API stays on"
