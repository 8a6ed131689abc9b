# SPDX-License-Identifier: Apache-2.0
"""A plan's Kubernetes objects as plain data, in Kubernetes' own field names.

Pure: components register these objects, and rendering them to files needs nothing else. Names are plain text,
decided here, so no object waits for a cloud resource's answer. One module for each thing that a stack is made of.
"""

from hubstack.manifests.base import (
    CLASS_LABEL,
    Object,
    bucket_name,
    endpoint,
    loader_account,
    server_name,
    service_account,
)
from hubstack.manifests.collector import collector_config, collector_job, kept_commits
from hubstack.manifests.loader import loader_config, loader_job, loader_manifest, loader_name, token_class
from hubstack.manifests.multi_host import leader_worker_set
from hubstack.manifests.server import deployment, disruption_budget, service
from hubstack.manifests.stack import CLIENT_LABEL, capacity_class, namespace, network_policy
from hubstack.manifests.volumes import FUSE_ANNOTATIONS, WEIGHTS_PATH
from hubstack.manifests.weights_disk import (
    TRANSFER_CLASS,
    data_source,
    disk_zones,
    storage_class,
    transfer_class,
    weights_claim,
)

__all__ = [
    "CLASS_LABEL",
    "CLIENT_LABEL",
    "FUSE_ANNOTATIONS",
    "TRANSFER_CLASS",
    "WEIGHTS_PATH",
    "Object",
    "bucket_name",
    "capacity_class",
    "collector_config",
    "collector_job",
    "data_source",
    "deployment",
    "disk_zones",
    "disruption_budget",
    "endpoint",
    "kept_commits",
    "leader_worker_set",
    "loader_account",
    "loader_config",
    "loader_job",
    "loader_manifest",
    "loader_name",
    "namespace",
    "network_policy",
    "server_name",
    "service",
    "service_account",
    "storage_class",
    "token_class",
    "transfer_class",
    "weights_claim",
]
