# SPDX-License-Identifier: Apache-2.0
"""A plan's Kubernetes objects as plain data, in Kubernetes' own field names.

Pure: components register these objects, and rendering them to files needs nothing else. Names are plain text,
decided here, so no object waits for a cloud resource's answer. One module for each thing that a stack is made of.
"""

from hubstack.manifests.base import (
    CLASS_LABEL,
    Object,
    bucket_name,
    loader_account,
    server_name,
    service_account,
)
from hubstack.manifests.charts import (
    KEDA_ACCOUNT,
    LWS_NAMESPACE,
    Chart,
    chart_namespace,
    http_add_on_chart,
    keda_chart,
    lws_chart,
)
from hubstack.manifests.completeness import incomplete_slices
from hubstack.manifests.loader import loader_config, loader_job, loader_manifest, loader_name, token_class
from hubstack.manifests.multi_host import leader_worker_set
from hubstack.manifests.scaling import (
    INTERCEPTOR_PORT,
    INTERCEPTOR_SERVICE,
    KEDA_NAMESPACE,
    endpoint,
    interceptor_route,
    is_scaled,
    resting,
    rests,
    scaled_object,
    trigger_authentication,
    wake_service,
)
from hubstack.manifests.server import deployment, disruption_budget, service
from hubstack.manifests.stack import CLIENT_LABEL, capacity_class, namespace, network_policy
from hubstack.manifests.volumes import FUSE_ANNOTATIONS, WEIGHTS_PATH

__all__ = [
    "CLASS_LABEL",
    "CLIENT_LABEL",
    "FUSE_ANNOTATIONS",
    "INTERCEPTOR_PORT",
    "INTERCEPTOR_SERVICE",
    "KEDA_ACCOUNT",
    "KEDA_NAMESPACE",
    "LWS_NAMESPACE",
    "WEIGHTS_PATH",
    "Chart",
    "Object",
    "bucket_name",
    "capacity_class",
    "chart_namespace",
    "deployment",
    "disruption_budget",
    "endpoint",
    "http_add_on_chart",
    "incomplete_slices",
    "interceptor_route",
    "is_scaled",
    "keda_chart",
    "leader_worker_set",
    "loader_account",
    "loader_config",
    "loader_job",
    "loader_manifest",
    "loader_name",
    "lws_chart",
    "namespace",
    "network_policy",
    "resting",
    "rests",
    "scaled_object",
    "server_name",
    "service",
    "service_account",
    "token_class",
    "trigger_authentication",
    "wake_service",
]
