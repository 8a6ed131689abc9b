# SPDX-License-Identifier: Apache-2.0
"""The facts of replacement: figures looked up in the providers' sources, and paths that the SDK has."""

import importlib
import inspect
import re
from typing import Any

import pytest

from hubstack.review.diff.replacement import load_replacement

RULES = load_replacement()


@pytest.mark.parametrize(
    ("kind", "path", "replaces"),
    [
        ("gcp:container/nodePool:NodePool", "nodeConfig.guestAccelerators.gpuPartitionSize", True),
        ("gcp:container/nodePool:NodePool", "autoscaling.totalMaxNodeCount", False),
        ("gcp:container/nodePool:NodePool", "nodeConfig.machineType", False),
        ("gcp:container/nodePool:NodePool", "nodeLocations", False),
        ("gcp:container/cluster:Cluster", "location", True),
        ("gcp:container/cluster:Cluster", "releaseChannel.channel", False),
        ("gcp:storage/bucket:Bucket", "location", True),
        ("gcp:storage/bucket:Bucket", "softDeletePolicy.retentionDurationSeconds", False),
        ("gcp:storage/bucketIAMMember:BucketIAMMember", "role", True),
        ("gcp:compute/subnetwork:Subnetwork", "secondaryIpRanges.ipCidrRange", False),
        ("gcp:cloudrunv2/service:Service", "location", True),
        ("gcp:cloudrunv2/service:Service", "template.containers.image", False),
        ("gcp:secretmanager/secret:Secret", "replication.auto", True),
        ("kubernetes:apps/v1:Deployment", "spec.selector.matchLabels.app", True),
        ("kubernetes:apps/v1:Deployment", "spec.template.spec.containers.image", False),
        ("kubernetes:batch/v1:Job", "spec.template.spec.containers.image", True),
        ("kubernetes:batch/v1:Job", "spec.backoffLimit", False),
        ("kubernetes:core/v1:Service", "spec.ports.port", False),
        ("kubernetes:core/v1:ConfigMap", "data", True),
        ("kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet", "spec.replicas", False),
        ("kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet", "metadata.namespace", True),
        ("kubernetes:helm.sh/v3:Release", "values", False),
        ("pulumi:providers:kubernetes", "kubeconfig", False),
    ],
)
def test_an_argument_replaces_as_its_provider_says(kind: str, path: str, *, replaces: bool) -> None:
    facts = RULES.facts(kind)
    assert facts
    assert facts.replaces(path) is replaces


def test_types_that_no_table_knows_have_no_facts() -> None:
    assert RULES.facts("gcp:redis/instance:Instance") is None
    assert RULES.facts("kubernetes:core/v1:Pod") is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the SDK's own, of functions that nothing here uses
@pytest.mark.parametrize("kind", sorted(RULES.google))
def test_every_path_is_an_argument_of_the_sdk(kind: str) -> None:
    _, module, name = kind.split(":")
    package: Any = importlib.import_module(f"pulumi_gcp.{module.split('/')[0]}")
    facts = RULES.google[kind]
    for path in (*facts.replaced_by, *facts.kept, *facts.defaults):
        args: Any = getattr(package, f"{name}Args")
        for part in path.split("."):
            known = inspect.signature(args.__init__).parameters
            python = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", part).lower()
            assert python in known, f"{kind} has no {path}"
            nested = re.search(r"'(?:_\w+\.)?(\w+Args)'", str(known[python].annotation))
            args = getattr(package, nested[1], None) if nested else None
