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
from hubstack.manifests.loader import loader_config, loader_job, loader_manifest, loader_name, token_class
from hubstack.manifests.multi_host import group_name, leader_worker_set
from hubstack.manifests.server import deployment, disruption_budget, service
from hubstack.manifests.stack import CLIENT_LABEL, capacity_class, namespace, network_policy
from hubstack.manifests.volumes import FUSE_ANNOTATIONS, WEIGHTS_PATH

__all__ = [
    "CLASS_LABEL",
    "CLIENT_LABEL",
    "FUSE_ANNOTATIONS",
    "WEIGHTS_PATH",
    "Object",
    "bucket_name",
    "capacity_class",
    "deployment",
    "disruption_budget",
    "endpoint",
    "group_name",
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
    "token_class",
]
