# SPDX-License-Identifier: Apache-2.0
"""The proxy's Kubernetes objects: pods, counters, keys, and who may reach whom.

Owns what runs where. Does not own what Envoy and its rate limit service are told (`hubstack.deploy.callers.proxy`,
`hubstack.deploy.callers.limits`). Two pods have Envoy and a small program that gives it the callers' keys. One pod
has the rate limit service and the Valkey server in which it counts: without it requests pass, so it is not in the
way of one.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from hubstack import names
from hubstack.deploy.callers.limits import limits_config, metric_names
from hubstack.deploy.callers.proxy import (
    CALLER_HEADER,
    KEYS_FILE,
    KEYS_FOLDER,
    LIMITER_PORT,
    PROXY_PORT,
    READY_PATH,
    STATUS_PORT,
    proxy_config,
)
from hubstack.deploy.manifests.api_keys import SyncedSecret
from hubstack.deploy.manifests.backends import proxies_and_checks, service_health, service_policy
from hubstack.deploy.manifests.base import Object, container_security, network_policy, own_labels, pod_security, tcp
from hubstack.deploy.manifests.network import COLLECTOR_NAMESPACES, NAMESPACE_LABEL, SERVERS, dns, server_ports
from hubstack.deploy.manifests.scaling import (
    INTERCEPTOR_LABELS,
    INTERCEPTOR_PORT,
    max_activation_timeout,
    scale_to_zero_models,
)
from hubstack.deploy.manifests.traffic import stack_metadata
from hubstack.deploy.manifests.volumes import claim_spec
from hubstack.plan import Plan
from hubstack.plan.callers import CallerPlan, CallersPlan, ProxyImage
from hubstack.plan.gateway import GatewayPlan, TrafficPlan
from hubstack.plan.target import TargetPlan
from hubstack.planner.serving.routing import CALLERS, COUNTERS

REPLICAS = 2
METRICS_PORT, LIMITER_HTTP_PORT, COUNTERS_PORT = 9102, 8083, 6379
METRICS_PORT_NAME = "limits"
_CONFIG_FOLDER, _SOURCE_FOLDER, _DATA_FOLDER = "/config", "/callers", "/data"
_PROXY_FILE, _METRICS_FILE, _SCRIPT = "envoy.json", "metrics.yaml", "write_keys.py"
_LIMITS_FOLDER = "/limits/ratelimit/config"
_LIMITS_FILE = "callers.yaml"
KEYS_FIELD = "keys"
_LABELS = {"app.kubernetes.io/name": CALLERS}
_COUNTER_LABELS = {"app.kubernetes.io/name": COUNTERS}
PODS: Object = {"matchLabels": dict(_LABELS)}
COUNTER_PODS: Object = {"matchLabels": dict(_COUNTER_LABELS)}
PROXY_REQUESTS = {"cpu": "500m", "memory": "512Mi", "ephemeral-storage": "64Mi"}
LIMITER_REQUESTS = {"cpu": "100m", "memory": "64Mi", "ephemeral-storage": "32Mi"}
KEYS_REQUESTS = {"cpu": "10m", "memory": "32Mi", "ephemeral-storage": "32Mi"}
COUNTERS_REQUESTS = {"cpu": "100m", "memory": "128Mi", "ephemeral-storage": "64Mi"}
"""Our estimates, not measured. Envoy holds whole bodies of requests, up to 32 MiB each, while it reads them."""
PROXY_MEMORY_LIMIT = "2Gi"
COUNTERS_BYTES = 1024**3
LIMITER_ENVIRONMENT: Mapping[str, str] = {
    "BACKEND_TYPE": "redis",
    "DEBUG_HOST": "127.0.0.1",
    "GRPC_PORT": str(LIMITER_PORT),
    "LOG_LEVEL": "warn",
    "PORT": str(LIMITER_HTTP_PORT),
    "PROMETHEUS_ADDR": f":{METRICS_PORT}",
    "PROMETHEUS_MAPPER_YAML": f"{_CONFIG_FOLDER}/{_METRICS_FILE}",
    "PROMETHEUS_PATH": "/metrics",
    "REDIS_SOCKET_TYPE": "tcp",
    "REDIS_URL": f"127.0.0.1:{COUNTERS_PORT}",
    "RUNTIME_IGNOREDOTFILES": "true",
    "RUNTIME_ROOT": _LIMITS_FOLDER.partition("/ratelimit")[0],
    "RUNTIME_SUBDIRECTORY": "ratelimit",
    "RUNTIME_WATCH_ROOT": "false",
    "USE_PROMETHEUS": "true",
    "USE_STATSD": "false",
}
"""Settings of the rate limit service, which reads them from its environment (its README and src/settings)."""


def caller_secret(caller: CallerPlan) -> SyncedSecret:
    """Return a caller's secret and the Kubernetes Secret created from it."""
    name = f"caller-{caller.name}"
    return SyncedSecret(role=name, secret_id=caller.secret_id, name=name, field=KEYS_FIELD)


def proxy_texts(plan: Plan, gateway: GatewayPlan, traffic: TrafficPlan, callers: CallersPlan) -> dict[str, str]:
    """Return the files of the proxy by name."""
    proxy = proxy_config(plan.target, gateway, traffic, callers, plan.on_gke)
    return {
        _PROXY_FILE: json.dumps(proxy, separators=(",", ":")),
        _SCRIPT: Path(__file__).with_name(_SCRIPT).read_text(encoding="utf-8"),
    }


def counting_texts(callers: CallersPlan) -> dict[str, str]:
    """Return the files of the rate limit service by name."""
    return {
        _LIMITS_FILE: json.dumps(limits_config(callers), indent=1),  # JSON is valid YAML
        _METRICS_FILE: json.dumps(metric_names(), indent=1),
    }


def callers_objects(plan: Plan) -> dict[str, Object]:
    """Return the proxy's objects by role, in the order in which they are created; empty without callers."""
    gateway, traffic, callers, target = plan.gateway, plan.traffic, plan.callers, plan.target
    if gateway is None or traffic is None or callers is None:
        return {}
    proxying, counting = proxy_texts(plan, gateway, traffic, callers), counting_texts(callers)
    waits = max_activation_timeout(plan)
    return {
        "policy": _policy(plan),
        "counters-policy": _counters_policy(target),
        "counters-account": _account(target, COUNTERS),
        "counters-service": _service(target, COUNTERS, _COUNTER_LABELS, _port("grpc", LIMITER_PORT, LIMITER_PORT)),
        "counters-config": _config(target, COUNTERS, counting),
        "counters": _counters(target, callers, _named(COUNTERS, counting)),
        "account": _account(target, CALLERS),
        "config": _config(target, CALLERS, proxying),
        "proxy": _proxy(plan, callers, _named(CALLERS, proxying)),
        "budget": _budget(target),
        "service": _service(target, CALLERS, _LABELS, _port("http", 80, PROXY_PORT)),
        "backend": service_policy(target, gateway, CALLERS, _drain_seconds(plan), waits),
        "health": service_health(target, CALLERS, STATUS_PORT, READY_PATH),
    }


def _account(target: TargetPlan, name: str) -> Object:
    made = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": stack_metadata(target, name)}
    return made | {"automountServiceAccountToken": False}


def _config(target: TargetPlan, name: str, texts: dict[str, str]) -> Object:
    described = {**stack_metadata(target, name), "name": _named(name, texts)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": described, "immutable": True, "data": texts}


def _named(name: str, texts: dict[str, str]) -> str:
    """Return the name of a ConfigMap, which changes with its content, so that pods are replaced one by one."""
    return f"{name}-{names.short_hash(*texts.values())}"


def _proxy(plan: Plan, callers: CallersPlan, config: str) -> Object:
    """Return the proxy's Deployment."""
    target, drain = plan.target, _drain_seconds(plan)
    pod: Object = {
        "serviceAccountName": CALLERS,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(callers.proxy.user),
        "terminationGracePeriodSeconds": drain + 10,
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": dict(_LABELS)},
            }
        ],
        "initContainers": [_keys(target.image(callers.keys_image), once=True)],
        "containers": [_envoy(target, callers.proxy, drain), _keys(target.image(callers.keys_image))],
        "volumes": [
            {"name": "config", "configMap": {"name": config}},
            {"name": "keys", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
            {"name": "secrets", "projected": {"sources": [_source(each) for each in callers.callers]}},
        ],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": stack_metadata(target, CALLERS),
        "spec": {
            "replicas": REPLICAS,
            "selector": {"matchLabels": dict(_LABELS)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {"metadata": {"labels": own_labels(target) | _LABELS}, "spec": pod},
        },
    }


def _source(caller: CallerPlan) -> Object:
    """Return the part of the keys' volume for a caller; a caller whose secret is still empty has no file."""
    items = [{"key": KEYS_FIELD, "path": caller.name}]
    return {"secret": {"name": caller_secret(caller).name, "items": items, "optional": True}}


def _envoy(target: TargetPlan, image: ProxyImage, drain: int) -> Object:
    command = [*image.command, "--config-path", f"{_CONFIG_FOLDER}/{_PROXY_FILE}", "--log-level", "warning"]
    check = {"httpGet": {"path": READY_PATH, "port": "status"}}
    return {
        "name": "proxy",
        "image": target.image(image.image),
        "command": [*command, "--disable-hot-restart"],
        "ports": [
            {"name": "http", "containerPort": PROXY_PORT},
            {"name": "status", "containerPort": STATUS_PORT},
        ],
        "startupProbe": {**check, "periodSeconds": 2, "failureThreshold": 60},
        "readinessProbe": {**check, "periodSeconds": 2},
        "livenessProbe": {**check, "periodSeconds": 10, "failureThreshold": 6},
        # Envoy ends at once when told to; responses in progress need the time that their servers have.
        "lifecycle": {"preStop": {"sleep": {"seconds": drain}}},
        "resources": {"requests": dict(PROXY_REQUESTS), "limits": {"memory": PROXY_MEMORY_LIMIT}},
        "securityContext": container_security(),
        "volumeMounts": [
            {"name": "config", "mountPath": _CONFIG_FOLDER, "readOnly": True},
            {"name": "keys", "mountPath": KEYS_FOLDER, "readOnly": True},
        ],
    }


def _limiter(target: TargetPlan, image: ProxyImage) -> Object:
    check = {"httpGet": {"path": "/healthcheck", "port": LIMITER_HTTP_PORT}}
    return {
        "name": "limiter",
        "image": target.image(image.image),
        "command": list(image.command),
        "env": [{"name": name, "value": value} for name, value in LIMITER_ENVIRONMENT.items()],
        "ports": [
            {"name": "grpc", "containerPort": LIMITER_PORT},
            {"name": METRICS_PORT_NAME, "containerPort": METRICS_PORT},
        ],
        "startupProbe": {**check, "periodSeconds": 2, "failureThreshold": 60},
        "readinessProbe": {**check, "periodSeconds": 2},
        "livenessProbe": {**check, "periodSeconds": 10, "failureThreshold": 6},
        "resources": {"requests": dict(LIMITER_REQUESTS), "limits": {"memory": "256Mi"}},
        "securityContext": container_security(),
        "volumeMounts": [
            {"name": "config", "mountPath": _CONFIG_FOLDER, "readOnly": True},
            {"name": "limits", "mountPath": _LIMITS_FOLDER, "readOnly": True},
        ],
    }


def _keys(image: str, *, once: bool = False) -> Object:
    """Return the container that gives Envoy the keys; Envoy does not start before it has some, or none."""
    command = ["python", f"{_CONFIG_FOLDER}/{_SCRIPT}", "--from", _SOURCE_FOLDER]
    command += ["--to", f"{KEYS_FOLDER}/{KEYS_FILE}", "--header", CALLER_HEADER]
    return {
        "name": "first-keys" if once else "keys",
        "image": image,
        "command": [*command, "--once"] if once else command,
        "resources": {"requests": dict(KEYS_REQUESTS), "limits": {"memory": "64Mi"}},
        "securityContext": container_security(),
        "volumeMounts": [
            {"name": "config", "mountPath": _CONFIG_FOLDER, "readOnly": True},
            {"name": "secrets", "mountPath": _SOURCE_FOLDER, "readOnly": True},
            {"name": "keys", "mountPath": KEYS_FOLDER},
        ],
    }


def _counters(target: TargetPlan, callers: CallersPlan, config: str) -> Object:
    """Return the rate limit service and its Valkey server. What was counted survives a restart."""
    image, data = callers.counters, [{"name": "data", "mountPath": _DATA_FOLDER}]
    # Each count is appended to a file, which is written to disk every second. Only the pod itself may connect.
    arguments = ["--bind", "127.0.0.1", "--port", str(COUNTERS_PORT), "--dir", _DATA_FOLDER]
    arguments += ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
    valkey: Object = {
        "name": "counters",
        "image": target.image(image.image),
        "command": [*image.command, *arguments],
        "resources": {"requests": dict(COUNTERS_REQUESTS), "limits": {"memory": "512Mi"}},
        "securityContext": container_security(),
        "volumeMounts": data,
    }
    # The group of the disk, whose files are Valkey's; the rate limit service has no volume to write.
    security = pod_security(image.user)
    limiter = _limiter(target, callers.limiter)
    limiter["securityContext"] |= {"runAsUser": callers.limiter.user, "runAsGroup": callers.limiter.user}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": stack_metadata(target, COUNTERS),
        "spec": {
            "replicas": 1,
            "serviceName": COUNTERS,
            "selector": {"matchLabels": dict(_COUNTER_LABELS)},
            "template": {
                "metadata": {"labels": own_labels(target) | _COUNTER_LABELS},
                "spec": {
                    "serviceAccountName": COUNTERS,
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "securityContext": security,
                    "containers": [valkey, limiter],
                    "volumes": [
                        {"name": "config", "configMap": {"name": config}},
                        {
                            "name": "limits",
                            "configMap": {"name": config, "items": [{"key": _LIMITS_FILE, "path": _LIMITS_FILE}]},
                        },
                    ],
                },
            },
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim_spec(target, COUNTERS_BYTES)}],
        },
    }


def _budget(target: TargetPlan) -> Object:
    """Return a disruption budget that keeps one of the replicas running while nodes are drained."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": stack_metadata(target, CALLERS),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": dict(_LABELS)}},
    }


def _service(target: TargetPlan, name: str, labels: dict[str, str], port: Object) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": stack_metadata(target, name),
        "spec": {"type": "ClusterIP", "selector": dict(labels), "ports": [port]},
    }


def _port(name: str, port: int, target: int) -> Object:
    return {"name": name, "port": port, "targetPort": target, "protocol": "TCP"}


def _drain_seconds(plan: Plan) -> int:
    """Return the seconds that responses in progress get when a proxy stops: as many as the slowest server gets."""
    return max(model.server.termination_grace_seconds for model in plan.on_gke)


def _policy(plan: Plan) -> Object:
    """Return who may reach the proxy, and whom it may reach."""
    target = plan.target
    teams = [
        {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: team.namespace}}, "podSelector": SERVERS}
        for team in target.teams or ()
    ]
    reached: list[Object] = [
        *dns(),
        {"to": [{"podSelector": SERVERS}, *teams], "ports": tcp(*server_ports(plan))},
        {"to": [{"podSelector": COUNTER_PODS}], "ports": tcp(LIMITER_PORT)},
    ]
    if scale_to_zero_models(plan):
        keda = {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: target.keda_namespace}}}
        peer = keda | {"podSelector": {"matchLabels": dict(INTERCEPTOR_LABELS)}}
        reached.append({"to": [peer], "ports": tcp(INTERCEPTOR_PORT)})
    admitted: Object = {"from": proxies_and_checks(target), "ports": tcp(PROXY_PORT, STATUS_PORT)}
    return network_policy(target, CALLERS, PODS, {"ingress": [admitted], "egress": reached})


def _counters_policy(target: TargetPlan) -> Object:
    """Return who may reach the rate limit service: the proxy, and collectors of its metrics. It reaches nobody."""
    collectors = {"key": NAMESPACE_LABEL, "operator": "In", "values": list(COLLECTOR_NAMESPACES)}
    admitted: list[Object] = [
        {"from": [{"podSelector": PODS}], "ports": tcp(LIMITER_PORT)},
        {"from": [{"namespaceSelector": {"matchExpressions": [collectors]}}], "ports": tcp(METRICS_PORT)},
    ]
    return network_policy(target, COUNTERS, COUNTER_PODS, {"ingress": admitted, "egress": []})
