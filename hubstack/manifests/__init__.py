# SPDX-License-Identifier: Apache-2.0
"""A plan's Kubernetes objects as plain data, in Kubernetes' own field names.

Pure: components register these objects, and rendering them to files needs nothing else. Names are plain text,
decided here, so no object waits for a cloud resource's answer. One module for each thing that a stack is made of.
"""

from hubstack.manifests.api_keys import (
    SYNC_ACCOUNT,
    SyncedSecret,
    secret_sync,
    sync_account,
    sync_class,
    synced_secret,
)
from hubstack.manifests.backends import (
    backend_policy,
    callout_health,
    health_check,
    interceptor_health,
    interceptor_policy,
    proxy_policies,
)
from hubstack.manifests.base import (
    CLASS_LABEL,
    Object,
    bucket_name,
    endpoint,
    loader_account,
    server_name,
    service_account,
)
from hubstack.manifests.callouts import (
    BODY_ROUTER_HEALTH_PORT,
    BODY_ROUTER_NAME,
    body_router,
    body_router_service,
    callout_account,
    inference_pool,
    picker,
    picker_binding,
    picker_config,
    picker_name,
    picker_role,
    picker_service,
    routing_extension,
)
from hubstack.manifests.loader import loader_config, loader_job, loader_manifest, loader_name, token_class
from hubstack.manifests.multi_host import group_name, leader_worker_set
from hubstack.manifests.server import deployment, disruption_budget, service
from hubstack.manifests.stack import CLIENT_LABEL, capacity_class, namespace, network_policy
from hubstack.manifests.traffic import (
    address_name,
    backend,
    base_url,
    canary_for,
    gateway,
    has_pool,
    reference_grant,
    rests,
    route,
)
from hubstack.manifests.volumes import FUSE_ANNOTATIONS, WEIGHTS_PATH

__all__ = [
    "BODY_ROUTER_HEALTH_PORT",
    "BODY_ROUTER_NAME",
    "CLASS_LABEL",
    "CLIENT_LABEL",
    "FUSE_ANNOTATIONS",
    "SYNC_ACCOUNT",
    "WEIGHTS_PATH",
    "Object",
    "SyncedSecret",
    "address_name",
    "backend",
    "backend_policy",
    "base_url",
    "body_router",
    "body_router_service",
    "bucket_name",
    "callout_account",
    "callout_health",
    "canary_for",
    "capacity_class",
    "deployment",
    "disruption_budget",
    "endpoint",
    "gateway",
    "group_name",
    "has_pool",
    "health_check",
    "inference_pool",
    "interceptor_health",
    "interceptor_policy",
    "leader_worker_set",
    "loader_account",
    "loader_config",
    "loader_job",
    "loader_manifest",
    "loader_name",
    "namespace",
    "network_policy",
    "picker",
    "picker_binding",
    "picker_config",
    "picker_name",
    "picker_role",
    "picker_service",
    "proxy_policies",
    "reference_grant",
    "rests",
    "route",
    "routing_extension",
    "secret_sync",
    "server_name",
    "service",
    "service_account",
    "sync_account",
    "sync_class",
    "synced_secret",
    "token_class",
]
