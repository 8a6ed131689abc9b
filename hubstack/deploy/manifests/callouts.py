# SPDX-License-Identifier: Apache-2.0
"""The load balancer's callouts: the body router and the endpoint pickers, configured as in their upstream charts.

Owns two programs and their objects. The body router copies `model` from the request body into a header so that
routes can match it: gateway-api-inference-extension v1.5.0 (chart body-based-routing; v1.6 moved it to
llm-d-inference-payload-processor, which has no release yet). The endpoint picker chooses the pod of an
InferencePool: llm-d-router v0.10 (chart llm-d-router-gateway); it serves one pool, so each pool has its own.
"""

import json

from hubstack.deploy.manifests.base import (
    Object,
    container_security,
    metadata,
    own_labels,
    pod_security,
    selector,
    server_name,
)
from hubstack.deploy.manifests.server import leader_selector
from hubstack.deploy.manifests.traffic import GATEWAY_GROUP, GATEWAY_NAME, MODEL_HEADER, POOL_GROUP, stack_metadata
from hubstack.plan import ModelPlan
from hubstack.plan.target import TargetPlan
from hubstack.planner.serving.routing import BODY_ROUTER, PICKER_SUFFIX

BODY_ROUTER_NAME = BODY_ROUTER
BODY_ROUTER_IMAGE = "registry.k8s.io/gateway-api-inference-extension/bbr:v1.5.0"
BODY_ROUTER_PORT, BODY_ROUTER_HEALTH_PORT = 9004, 9005
PICKER_NAME = "endpoint-picker"
PICKER_IMAGE = "ghcr.io/llm-d/llm-d-router-endpoint-picker:v0.10.0"
PICKER_READS = "vllm"
"""The engine whose metric names the picker expects by default."""
PICKER_PORT, PICKER_HEALTH_PORT = 9002, 9003
CALLOUT_PORTS = (PICKER_PORT, PICKER_HEALTH_PORT, BODY_ROUTER_PORT, BODY_ROUTER_HEALTH_PORT)
NON_ROOT = 65532
"""The user of both images (from their Dockerfiles: distroless static, nonroot)."""
BODY_ROUTER_REQUESTS = {"cpu": "500m", "memory": "256Mi", "ephemeral-storage": "64Mi"}
PICKER_REQUESTS = {"cpu": "1", "memory": "2Gi", "ephemeral-storage": "64Mi"}
"""Our own estimate, not measured, for a few requests per second. The chart requests 8 CPUs and 8 GiB, more than a
small node offers; its sizing guide counts half a CPU to one CPU per long request per second."""
PICKER_MEMORY_LIMIT, BODY_ROUTER_MEMORY_LIMIT = "4Gi", "512Mi"
_BODY_ROUTER_LABELS = {"app.kubernetes.io/name": BODY_ROUTER_NAME}
_CONFIG_PATH, _CONFIG_FILE = "/config", "plugins.yaml"


def picker_name(model: ModelPlan) -> str:
    """Return the name of a pool's endpoint picker."""
    return f"{server_name(model)}{PICKER_SUFFIX}"


def callout_account(target: TargetPlan, name: str) -> Object:
    """Return a service account with a mounted token: both programs read the Kubernetes API."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": stack_metadata(target, name)}


def body_router(target: TargetPlan) -> Object:
    """Return the body router's Deployment. It needs no RBAC: its only plugin reads no Kubernetes objects."""
    told = json.dumps({"fieldName": "model", "headerName": MODEL_HEADER}, separators=(",", ":"))
    args = [
        "--streaming",
        "--v",
        "1",
        "--plugin",
        f"body-field-to-header:model-extractor:{told}",
        "--tracing=false",
        "--metrics-endpoint-auth=false",
        "--enable-pprof=false",
    ]
    container = _container(
        "body-router", target.image(BODY_ROUTER_IMAGE), args, BODY_ROUTER_REQUESTS, BODY_ROUTER_MEMORY_LIMIT
    )
    container["ports"] = [
        {"name": "ext-proc", "containerPort": BODY_ROUTER_PORT},
        {"name": "health", "containerPort": BODY_ROUTER_HEALTH_PORT},
    ]
    check = {"tcpSocket": {"port": "health"}}
    container["readinessProbe"] = {**check, "periodSeconds": 2}
    container["livenessProbe"] = {**check, "initialDelaySeconds": 5, "periodSeconds": 10}
    # Two replicas on different nodes: while it is down, no request that is routed by its body reaches a model.
    made = _deployment(
        stack_metadata(target, BODY_ROUTER_NAME), BODY_ROUTER_NAME, container, own_labels(target), replicas=2
    )
    made["spec"]["template"]["spec"]["topologySpreadConstraints"] = [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": dict(_BODY_ROUTER_LABELS)},
        }
    ]
    return made


def body_router_budget(target: TargetPlan) -> Object:
    """Return a disruption budget that keeps one of the two replicas running while nodes are drained."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": stack_metadata(target, BODY_ROUTER_NAME),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": dict(_BODY_ROUTER_LABELS)}},
    }


def body_router_service(target: TargetPlan) -> Object:
    """Return the body router's Service; TLS uses a self-signed certificate, as in the chart."""
    port = {
        "name": "ext-proc",
        "port": BODY_ROUTER_PORT,
        "targetPort": BODY_ROUTER_PORT,
        "protocol": "TCP",
        "appProtocol": "HTTP2",
    }
    return _service(stack_metadata(target, BODY_ROUTER_NAME), {"app.kubernetes.io/name": BODY_ROUTER_NAME}, port)


def routing_extension(target: TargetPlan) -> Object:
    """Return the extension that calls the body router before routing, for requests not routed by their path.

    GKE docs, "Customize GKE Gateway traffic using Service Extensions": GCPRoutingExtension supports gke-l7-rilb and
    gke-l7-regional-external-managed.
    """
    extension = {
        "name": "model-name",
        "authority": "body-router.hubstack.dev",  # a label in Google's logs; never resolved
        "timeout": "1s",
        "supportedEvents": ["RequestHeaders", "RequestBody", "RequestTrailers"],
        "requestBodySendMode": "FullDuplexStreamed",
        "backendRef": {"group": "", "kind": "Service", "name": BODY_ROUTER_NAME, "port": BODY_ROUTER_PORT},
    }
    matching = {"celExpressions": [{"celMatcher": 'request.path.startsWith("/v1/")'}]}
    return {
        "apiVersion": "networking.gke.io/v1",
        "kind": "GCPRoutingExtension",
        "metadata": stack_metadata(target, BODY_ROUTER_NAME),
        "spec": {
            "targetRefs": [{"group": GATEWAY_GROUP, "kind": "Gateway", "name": GATEWAY_NAME}],
            "extensionChains": [
                {"name": "by-model", "matchCondition": matching, "extensions": [extension]},
            ],
        },
    }


_PARSERS = ("openai-parser", "passthrough-parser")
"""The first parser that knows a path reads its body. Without the last one, the picker rejects paths that have no
parser: /v1/rerank, /v1/score, /v1/audio/transcriptions (llm-d-router v0.10.0)."""


def inference_pool(target: TargetPlan, model: ModelPlan) -> Object:
    """Return the pool of a model's servers from which its picker chooses."""
    return {
        "apiVersion": f"{POOL_GROUP}/v1",
        "kind": "InferencePool",
        "metadata": metadata(target, model, server_name(model)),
        "spec": {
            "selector": {"matchLabels": selector(model) | leader_selector(model)},
            "targetPorts": [{"number": model.server.port}],
            "appProtocol": "http",
            "endpointPickerRef": {
                "name": picker_name(model),
                "port": {"number": PICKER_PORT},
                # If the picker fails, the pool is load-balanced evenly instead of failing.
                "failureMode": "FailOpen",
            },
        },
    }


def picker_config(target: TargetPlan, model: ModelPlan) -> Object:
    """Return the picker's configuration: the chart's weights for queue length, KV cache use and cached prefixes."""
    extractor: Object = {"type": "core-metrics-extractor"}
    if model.server.picker_metrics != PICKER_READS:
        extractor["parameters"] = {"defaultEngine": model.server.picker_metrics}
    source = {"scheme": "http", "path": model.server.metrics_path or "/metrics", "insecureSkipVerify": True}
    scorers = {"queue-scorer": 2, "kv-cache-utilization-scorer": 2, "prefix-cache-scorer": 3}
    config = {
        "apiVersion": "llm-d.ai/v1alpha1",
        "kind": "EndpointPickerConfig",
        "plugins": [
            *({"type": name} for name in (*scorers, *_PARSERS)),
            {"type": "metrics-data-source", "parameters": source},
            extractor,
        ],
        "requestHandler": {"parsers": [{"pluginRef": name} for name in _PARSERS]},
        "schedulingProfiles": [
            {
                "name": "default",
                "plugins": [{"pluginRef": name, "weight": weight} for name, weight in scorers.items()],
            }
        ],
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _picker_metadata(target, model),
        "data": {_CONFIG_FILE: json.dumps(config, indent=2)},  # JSON is valid YAML
    }


def picker(target: TargetPlan, model: ModelPlan) -> Object:
    """Return the Deployment of a pool's endpoint picker."""
    args = [
        "--pool-name",
        server_name(model),
        "--pool-namespace",
        target.namespace,
        "--pool-group",
        POOL_GROUP,
        "--zap-encoder",
        "json",
        "--config-file",
        f"{_CONFIG_PATH}/{_CONFIG_FILE}",
        "--grpc-health-port",
        str(PICKER_HEALTH_PORT),
        "--tracing=false",
        "--metrics-endpoint-auth=false",
    ]
    container = _container("picker", target.image(PICKER_IMAGE), args, PICKER_REQUESTS, PICKER_MEMORY_LIMIT)
    check = {"grpc": {"port": PICKER_HEALTH_PORT, "service": "inference-extension"}}
    container |= {
        "ports": [
            {"name": "grpc", "containerPort": PICKER_PORT},
            {"name": "grpc-health", "containerPort": PICKER_HEALTH_PORT},
        ],
        "livenessProbe": {**check, "initialDelaySeconds": 5, "periodSeconds": 10},
        "readinessProbe": {**check, "periodSeconds": 2},
        "volumeMounts": [{"name": "config", "mountPath": _CONFIG_PATH, "readOnly": True}],
    }
    container["env"].append(_field("POD_NAME", "metadata.name"))
    made = _deployment(_picker_metadata(target, model), picker_name(model), container, {}, replicas=1)
    template = made["spec"]["template"]
    labels = {"app.kubernetes.io/name": PICKER_NAME, "app.kubernetes.io/instance": picker_name(model)}
    template["metadata"]["labels"] = own_labels(target, model) | labels
    made["spec"]["selector"] = {"matchLabels": labels}
    # During a rolling update, two pickers would have different views of the same caches.
    made["spec"]["strategy"] = {"type": "Recreate"}
    template["spec"]["volumes"] = [{"name": "config", "configMap": {"name": picker_name(model)}}]
    template["spec"]["terminationGracePeriodSeconds"] = 130
    return made


def picker_service(target: TargetPlan, model: ModelPlan) -> Object:
    """Return the picker's Service."""
    port = {
        "name": "grpc-ext-proc",
        "port": PICKER_PORT,
        "targetPort": PICKER_PORT,
        "protocol": "TCP",
        "appProtocol": "kubernetes.io/h2c",
    }
    labels = {"app.kubernetes.io/name": PICKER_NAME, "app.kubernetes.io/instance": picker_name(model)}
    return _service(_picker_metadata(target, model), labels, port)


def picker_role(target: TargetPlan, model: ModelPlan) -> Object:
    """Return the picker's role: it watches pods and pools of its namespace, and the optional kinds it looks for."""
    watch = ["get", "watch", "list"]
    optional = ["inferenceobjectives", "inferencemodelrewrites"]
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": _picker_metadata(target, model),
        "rules": [
            {"apiGroups": [""], "resources": ["pods"], "verbs": watch},
            {"apiGroups": [POOL_GROUP], "resources": ["inferencepools"], "verbs": watch},
            {"apiGroups": ["inference.networking.x-k8s.io", "llm-d.ai"], "resources": optional, "verbs": watch},
        ],
    }


def picker_binding(target: TargetPlan, model: ModelPlan) -> Object:
    """Return the binding of the role to the picker's service account."""
    name = picker_name(model)
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": _picker_metadata(target, model),
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": target.namespace}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
    }


def _picker_metadata(target: TargetPlan, model: ModelPlan) -> Object:
    return stack_metadata(target, picker_name(model))


def _container(name: str, image: str, args: list[str], requests: dict[str, str], memory_limit: str) -> Object:
    return {
        "name": name,
        "image": image,
        "args": args,
        "env": [_field("NAMESPACE", "metadata.namespace")],
        # No CPU limit, so that bursts of requests are not throttled.
        "resources": {"requests": dict(requests), "limits": {"memory": memory_limit}},
        "securityContext": container_security(),
    }


def _field(name: str, path: str) -> Object:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def _deployment(meta: Object, account: str, container: Object, own: dict[str, str], *, replicas: int) -> Object:
    labels = {"app.kubernetes.io/name": meta["name"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": own | labels},
                "spec": {
                    "serviceAccountName": account,
                    "enableServiceLinks": False,
                    "securityContext": pod_security(NON_ROOT),
                    "containers": [container],
                },
            },
        },
    }


def _service(meta: Object, labels: dict[str, str], port: Object) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta,
        "spec": {"type": "ClusterIP", "selector": labels, "ports": [port]},
    }
