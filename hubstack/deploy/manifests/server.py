# SPDX-License-Identifier: Apache-2.0
"""A model's servers: Deployment, Service, disruption budget and the pod template that all forms share.

Owns probes, placement and volumes of the serving pod. Does not own flags (`hubstack.planner.engines`) nor replicas
that span nodes (`hubstack.deploy.manifests.multi_host`).
"""

from hubstack import names
from hubstack.deploy.manifests.api_keys import key_args, key_env
from hubstack.deploy.manifests.base import (
    COMMIT,
    Object,
    container_security,
    judged,
    metadata,
    own_labels,
    pod_security,
    selector,
    server_name,
)
from hubstack.deploy.manifests.volumes import (
    WEIGHTS_PATH,
    WEIGHTS_VOLUME,
    companions_volume,
    server_annotations,
    weights_volume,
)
from hubstack.names import COMPANIONS
from hubstack.plan import ModelPlan, Probe
from hubstack.plan.target import TargetPlan

_LEADER = {"leaderworkerset.sigs.k8s.io/worker-index": "0"}
"""Label of the pod that serves requests when a replica spans nodes."""
TPU_ACCELERATOR_LABEL = "cloud.google.com/gke-tpu-accelerator"
TPU_TOPOLOGY_LABEL = "cloud.google.com/gke-tpu-topology"


def files_config(target: TargetPlan, model: ModelPlan) -> Object | None:
    """Return the ConfigMap with the files of the list; None if there are none.

    Its name holds a hash of them, so that a change of a file replaces the pods.
    """
    if not model.server.files:
        return None
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(target, model, _files_name(model)),
        "immutable": True,
        "data": {file.name: file.text for file in model.server.files},
    }


def _files_name(model: ModelPlan) -> str:
    hashes = (part for file in model.server.files or () for part in (file.name, file.sha256))
    return f"{server_name(model)}-files-{names.short_hash(*hashes)}"


def service(target: TargetPlan, model: ModelPlan) -> Object:
    """Return the Service of a model."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(target, model, server_name(model)),
        "spec": {
            "type": "ClusterIP",
            "selector": selector(model) | leader_selector(model),
            "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}],
        },
    }


def leader_selector(model: ModelPlan) -> dict[str, str]:
    """Return the labels that select the serving pod of each replica."""
    return dict(_LEADER) if model.hosts > 1 else {}


def disruption_budget(target: TargetPlan, model: ModelPlan) -> Object:
    """Return a budget under which a node drain stops at most one replica at a time, but never blocks forever.

    For a group the budget counts pods: evicting one stops its whole group, and the budget stays used until the
    group is complete again, so no second group is affected. A single replica may be evicted, because otherwise the
    drain would never finish. So may a pod that is not ready, since it serves no requests.
    """
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(target, model, server_name(model)),
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": selector(model)},
        },
    }


def deployment(target: TargetPlan, model: ModelPlan) -> Object:
    """Return the Deployment of a model's servers."""
    own = metadata(target, model, server_name(model))
    pod_labels = own_labels(target, model) | selector(model) | {COMMIT: model.commit[:12]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**own, "annotations": judged(model)},
        "spec": {
            "replicas": model.replicas.min,
            # A surge needs a second accelerator, which may not exist; the plan decides whether there is one.
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": model.max_surge, "maxUnavailable": 1 - model.max_surge},
            },
            # Longer than loading takes; otherwise a healthy start counts as a failed rollout.
            "progressDeadlineSeconds": 600 + _window(model.server.startup) + 1800,
            "selector": {"matchLabels": selector(model)},
            "template": {
                "metadata": {"labels": pod_labels, "annotations": server_annotations(model)},
                "spec": server_pod(target, model),
            },
        },
    }


def server_pod(target: TargetPlan, model: ModelPlan) -> Object:
    """Return the spec of a pod that serves a model."""
    server = model.server
    volumes: list[Object] = [{"name": "tmp", "emptyDir": {"sizeLimit": str(server.scratch_bytes)}}]
    mounts: list[Object] = [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108  the pod's own
    weights = weights_volume(target, model)
    if weights:
        volumes.insert(0, weights)
        mounts.insert(0, {"name": WEIGHTS_VOLUME, "mountPath": WEIGHTS_PATH, "readOnly": True})
    if companions := companions_volume(target, model):
        volumes.append(companions)
        mounts.append({"name": COMPANIONS, "mountPath": f"/{COMPANIONS}", "readOnly": True})
    if server.shm_bytes:
        # NCCL between ranks needs more shared memory than the container runtime's default of 64 MiB.
        volumes.append({"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": str(server.shm_bytes)}})
        mounts.append({"name": "shm", "mountPath": "/dev/shm"})  # noqa: S108
    if server.files:
        volumes.append({"name": "files", "configMap": {"name": _files_name(model)}})
        mounts.append({"name": "files", "mountPath": names.FILES_DIR, "readOnly": True})
    container: Object = {
        "name": "server",
        "image": server.image,
        "command": list(server.command),
        "args": [*server.args, *key_args(target, model)],
        "env": [*({"name": name, "value": value} for name, value in server.env), *key_env(target, model)],
        "ports": [{"name": "http", "containerPort": server.port, "protocol": "TCP"}],
        "resources": _server_resources(model),
        "startupProbe": _probe(server.startup),
        "readinessProbe": _probe(server.readiness),
        "livenessProbe": _probe(server.liveness),
        "lifecycle": pre_stop(server.pre_stop_seconds),
        "securityContext": container_security(),
        "volumeMounts": mounts,
    }
    return {
        "serviceAccountName": server_name(model),
        **_priority(target),
        "automountServiceAccountToken": False,
        # Otherwise a Service named `vllm` would set VLLM_PORT in every pod, and vLLM refuses to start.
        "enableServiceLinks": False,
        "nodeSelector": _node_selector(model),
        "tolerations": [
            {"key": names.CLASS_LABEL, "operator": "Equal", "value": model.capacity_class, "effect": "NoSchedule"},
            {"key": server.accelerator_resource, "operator": "Exists", "effect": "NoSchedule"},
        ],
        "securityContext": pod_security(server.run_as_user),
        "terminationGracePeriodSeconds": server.termination_grace_seconds,
        "containers": [container],
        "volumes": volumes,
    }


def _priority(target: TargetPlan) -> Object:
    """Return the PriorityClass of a team's servers."""
    team = target.team
    return {"priorityClassName": team.priority_class(target.stack)} if team and team.priority is not None else {}


def _server_resources(model: ModelPlan) -> Object:
    server = model.server
    accelerators = {server.accelerator_resource: str(server.accelerator_count)}
    memory = str(server.memory_bytes)
    return {
        # Node disk for the log and for what an engine writes outside its volumes.
        "requests": {
            "cpu": f"{server.cpu_millicores}m",
            "memory": memory,
            "ephemeral-storage": "1Gi",
            **accelerators,
        },
        "limits": {"memory": memory, **accelerators},
    }


def _node_selector(model: ModelPlan) -> dict[str, str]:
    selector = {names.CLASS_LABEL: model.capacity_class}
    if model.tpu_topology:
        # GKE counts a pod's chips only if the pod sets both labels.
        selector[TPU_ACCELERATOR_LABEL] = model.gke_accelerator
        selector[TPU_TOPOLOGY_LABEL] = model.tpu_topology
    if model.loading.zone:
        # A disk is zonal, so the autoscaler may add nodes only in its zone.
        selector["topology.kubernetes.io/zone"] = model.loading.zone
    return selector


def _probe(probe: Probe) -> Object:
    return {
        "httpGet": {"path": probe.path, "port": probe.port},
        "periodSeconds": probe.period_seconds,
        "failureThreshold": probe.failure_threshold,
        "timeoutSeconds": 5,
    }


def pre_stop(seconds: int) -> Object:
    """Return a preStop hook that delays SIGTERM (the kubelet's sleep action, which needs no shell)."""
    return {"preStop": {"sleep": {"seconds": seconds}}}


def _window(probe: Probe) -> int:
    return probe.period_seconds * probe.failure_threshold
