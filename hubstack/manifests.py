# SPDX-License-Identifier: Apache-2.0
"""A plan's Kubernetes objects as plain data, in Kubernetes' own field names.

Owns the pods: isolation, probes, volumes, placement. Pure: components register these objects, and rendering them
to files needs nothing else. Names are plain text, decided here, so no object waits for a cloud resource's answer.
"""

import json
from typing import Any

from hubstack import names
from hubstack.loader import loader_script
from hubstack.offers import SIDECAR_CPU_MILLICORES, SIDECAR_MEMORY_BYTES
from hubstack.plan import AcceleratorKind, CapacityClass, ModelPlan, Plan, Probe

Object = dict[str, Any]

CLASS_LABEL = "cloud.google.com/compute-class"
WEIGHTS_VOLUME, WEIGHTS_PATH = "weights", "/weights"
LOADER_SCRATCH, LOADER_FILES, TOKEN_PATH = "/scratch", "/loader", "/var/run/secrets/hub"
TOKEN_FILE = "token"  # noqa: S105
LOADER_USER = 2000
GIB = 1024**3
FUSE_ANNOTATIONS = {
    "gke-gcsfuse/volumes": "true",
    # The sidecar's default of 256 MiB is too little under load: the mount then dies (facts: gke.md 7, row 25).
    "gke-gcsfuse/memory-limit": str(SIDECAR_MEMORY_BYTES),
    "gke-gcsfuse/memory-request": str(SIDECAR_MEMORY_BYTES),
    "gke-gcsfuse/cpu-limit": "0",
    "gke-gcsfuse/cpu-request": f"{SIDECAR_CPU_MILLICORES}m",
    # No limit: the read cache of a server is bounded by its mount option, the loader's buffer is a disk of its own.
    "gke-gcsfuse/ephemeral-storage-limit": "0",
}
CACHE_SHARE_OF_DISK = 0.5
"""Of a node's boot disk, at most, for the weights' read cache; the rest is the system, images and scratch."""
_LEADER = {"leaderworkerset.sigs.k8s.io/worker-index": "0"}
"""Label of the pod that answers, where a replica spans nodes (`hubstack.multi_host`)."""
CLIENT_LABEL = "hubstack.dev/model-client"
"""A namespace with this label (`true`) may call the models."""


def server_name(model: ModelPlan) -> str:
    """Name of the server's Deployment, Service and account."""
    return model.key


def loader_account(model: ModelPlan) -> str:
    """Name of the loader's Kubernetes service account."""
    return f"{model.key}-loader"


def bucket_name(plan: Plan, model: ModelPlan) -> str:
    """Name of the model's weights bucket."""
    return names.bucket_name(plan.target.project, plan.target.stack, model.key)


def loader_name(model: ModelPlan) -> str:
    """Name of the load: another commit or file list is another Job."""
    weights = model.weights
    parts = (loader_manifest(model), loader_script(), weights.loader_image, *weights.loader_requirements)
    digest = names.short_hash(*parts, length=8)
    return names.shorten(f"{model.key}-load-{digest}", names.DNS_LABEL_MAX)


def endpoint(plan: Plan, model: ModelPlan) -> str:
    """Address of the OpenAI-compatible API inside the cluster."""
    host = f"{server_name(model)}.{plan.target.namespace}.svc.cluster.local"
    return f"http://{host}{model.server.api_path}"


def namespace(plan: Plan) -> Object:
    """The models' namespace, with the pod security standard that every pod in it meets.

    TPU servers run as root (their devices belong to it), which `restricted` forbids; the rest of it they keep.
    """
    has_tpu = any(model.accelerator_kind is AcceleratorKind.TPU for model in plan.models)
    level = "baseline" if has_tpu else "restricted"
    labels = {"app.kubernetes.io/managed-by": "hubstack", "pod-security.kubernetes.io/enforce": level}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": plan.target.namespace, "labels": labels}}


def network_policy(plan: Plan) -> Object:
    """Let in pods of the same namespace, of namespaces labelled as clients, and Google's metrics collectors."""
    callers: list[Object] = [
        {"podSelector": {}},
        {"namespaceSelector": {"matchLabels": {CLIENT_LABEL: "true"}}},
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gmp-system"}}},
    ]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "same-namespace", "namespace": plan.target.namespace},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": callers}]},
    }


def capacity_class(capacity: CapacityClass) -> Object:
    """The ComputeClass that tries a class's pools in order and never another machine.

    Facts: gke.md 3.8. `ScaleUpAnyway` would bring plain CPU nodes.
    """
    return {
        "apiVersion": "cloud.google.com/v1",
        "kind": "ComputeClass",
        "metadata": {"name": capacity.key},
        "spec": {
            "priorities": [{"nodepools": [names.node_pool_name(pool)]} for pool in capacity.pools],
            "whenUnsatisfiable": "DoNotScaleUp",
        },
    }


def service_account(plan: Plan, name: str) -> Object:
    """An account without a token in its pods; the FUSE driver asks for its own."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": plan.target.namespace},
        "automountServiceAccountToken": False,
    }


def service(plan: Plan, model: ModelPlan) -> Object:
    """The address of a model inside the cluster."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(plan, model, server_name(model)),
        "spec": {
            "type": "ClusterIP",
            "selector": _selector(model) | (_LEADER if model.hosts > 1 else {}),
            "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}],
        },
    }


def disruption_budget(plan: Plan, model: ModelPlan) -> Object:
    """At most one replica goes at a time when nodes are drained."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _metadata(plan, model, server_name(model)),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": _selector(model)}},
    }


def deployment(plan: Plan, model: ModelPlan) -> Object:
    """The servers of a model."""
    pod_labels = _selector(model) | {"hubstack.dev/commit": model.commit[:12]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(plan, model, server_name(model)),
        "spec": {
            "replicas": model.replicas.min,
            # A surge would ask for a second accelerator, which may not exist (facts: gke.md 7, row 32).
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
            # Longer than the load, or a healthy start counts as a failed rollout.
            "progressDeadlineSeconds": 600 + _window(model.server.startup) + 1800,
            "selector": {"matchLabels": _selector(model)},
            "template": {
                "metadata": {"labels": pod_labels, "annotations": dict(FUSE_ANNOTATIONS)},
                "spec": _server_pod(plan, model),
            },
        },
    }


def _server_pod(plan: Plan, model: ModelPlan) -> Object:
    server = model.server
    volumes = [
        _bucket_volume(plan, model, read_only=True),
        {"name": "tmp", "emptyDir": {"sizeLimit": str(server.scratch_bytes)}},
    ]
    mounts = [
        {"name": WEIGHTS_VOLUME, "mountPath": WEIGHTS_PATH, "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  the pod's own
    ]
    if server.shm_bytes:
        # NCCL between ranks needs more than the runtime's 64 MiB (facts: gke.md 7, row 33).
        volumes.append({"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": str(server.shm_bytes)}})
        mounts.append({"name": "shm", "mountPath": "/dev/shm"})  # noqa: S108
    container: Object = {
        "name": "server",
        "image": server.image,
        "args": list(server.args),
        "env": [{"name": name, "value": value} for name, value in server.env],
        "ports": [{"name": "http", "containerPort": server.port, "protocol": "TCP"}],
        "resources": _server_resources(model),
        "startupProbe": _probe(server.startup),
        "readinessProbe": _probe(server.readiness),
        "livenessProbe": _probe(server.liveness),
        "securityContext": _container_security(),
        "volumeMounts": mounts,
    }
    return {
        "serviceAccountName": server_name(model),
        "automountServiceAccountToken": False,
        # A Service called `vllm` would otherwise put VLLM_PORT into every pod, and vLLM refuses to start.
        "enableServiceLinks": False,
        "nodeSelector": _node_selector(model),
        "tolerations": [
            {"key": CLASS_LABEL, "operator": "Equal", "value": model.capacity_class, "effect": "NoSchedule"},
            {"key": server.accelerator_resource, "operator": "Exists", "effect": "NoSchedule"},
        ],
        "securityContext": _pod_security(server.run_as_user),
        "terminationGracePeriodSeconds": server.termination_grace_seconds,
        "containers": [container],
        "volumes": volumes,
    }


def _server_resources(model: ModelPlan) -> Object:
    server = model.server
    accelerators = {server.accelerator_resource: str(server.accelerator_count)}
    memory = str(server.memory_bytes)
    return {
        "requests": {"cpu": f"{server.cpu_millicores}m", "memory": memory, **accelerators},
        "limits": {"memory": memory, **accelerators},
    }


def _node_selector(model: ModelPlan) -> dict[str, str]:
    selector = {CLASS_LABEL: model.capacity_class}
    if model.tpu_topology:
        # A pod must name both labels for GKE to count its chips (facts: gke.md 3.5).
        selector["cloud.google.com/gke-tpu-accelerator"] = model.gke_accelerator
        selector["cloud.google.com/gke-tpu-topology"] = model.tpu_topology
    return selector


def loader_manifest(model: ModelPlan) -> str:
    """What the loader reads: the files at the commit, as JSON."""
    weights = model.weights
    files = [
        {"path": f.path, "size_bytes": f.size_bytes, "sha256": f.sha256, "git_oid": f.git_oid}
        for f in weights.files
    ]
    told = {"repo_id": weights.repo_id, "commit": weights.commit, "files": files}
    chosen = {"patterns": list(weights.patterns), "exclude": list(weights.exclude)}
    return json.dumps(told | chosen, sort_keys=True)


def loader_config(plan: Plan, model: ModelPlan) -> Object:
    """The loader's script and file list."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(plan, model, loader_name(model)),
        "immutable": True,
        "data": {
            "load_weights.py": loader_script(),
            "manifest.json": loader_manifest(model),
            "requirements.txt": "".join(f"{line}\n" for line in model.weights.loader_requirements),
        },
    }


def token_class(plan: Plan, model: ModelPlan, secret_id: str) -> Object:
    """The Secret Manager add-on's description of the one file that a gated model's loader gets."""
    secret = f"projects/{plan.target.project}/secrets/{secret_id}/versions/latest"
    return {
        "apiVersion": "secrets-store.csi.x-k8s.io/v1",
        "kind": "SecretProviderClass",
        "metadata": _metadata(plan, model, loader_account(model)),
        "spec": {
            "provider": "gke",
            "parameters": {"secrets": f'- resourceName: "{secret}"\n  path: "{TOKEN_FILE}"\n'},
        },
    }


def loader_job(plan: Plan, model: ModelPlan) -> Object:
    """The copy from the Hub to the bucket; it runs on the system nodes, which cost no accelerator."""
    weights = model.weights
    room = (weights.largest_file_bytes or weights.total_bytes or 50_000_000_000) + 4 * GIB
    mounts = [
        {"name": WEIGHTS_VOLUME, "mountPath": WEIGHTS_PATH},
        {"name": "loader", "mountPath": LOADER_FILES, "readOnly": True},
        {"name": "scratch", "mountPath": LOADER_SCRATCH},
    ]
    volumes: list[Object] = [
        _bucket_volume(plan, model, read_only=False),
        {"name": "loader", "configMap": {"name": loader_name(model)}},
        # Disks of their own: no node's boot disk need be sized for the largest file of any model. The FUSE driver
        # stages what is written in the volume of the second name.
        _disk_volume("scratch", room),
        _disk_volume("gke-gcsfuse-buffer", room),
    ]
    env = {"HF_HOME": f"{LOADER_SCRATCH}/home", "HOME": LOADER_SCRATCH, "HF_HUB_DISABLE_TELEMETRY": "1",
           "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_XET_CHUNK_CACHE_SIZE_BYTES": "0",
           "PYTHONPATH": f"{LOADER_SCRATCH}/site", "TMPDIR": LOADER_SCRATCH}  # fmt: skip
    if weights.needs_token:
        env["HF_TOKEN_PATH"] = f"{TOKEN_PATH}/{TOKEN_FILE}"
        mounts.append({"name": "token", "mountPath": TOKEN_PATH, "readOnly": True})
        attributes = {"secretProviderClass": loader_account(model)}
        driver = {"driver": "secrets-store-gke.csi.k8s.io", "readOnly": True, "volumeAttributes": attributes}
        volumes.append({"name": "token", "csi": driver})
    install = (
        f"python -m pip install --quiet --no-cache-dir --only-binary :all: --target {LOADER_SCRATCH}/site "
        f"--requirement {LOADER_FILES}/requirements.txt"
    )
    run = (
        f"python {LOADER_FILES}/load_weights.py --manifest {LOADER_FILES}/manifest.json "
        f"--target {WEIGHTS_PATH}/{weights.prefix} --scratch {LOADER_SCRATCH}"
    )
    container: Object = {
        "name": "loader",
        "image": weights.loader_image,
        "command": ["sh", "-c", f"{install} && exec {run}"],
        "env": [{"name": name, "value": value} for name, value in sorted(env.items())],
        "resources": {
            "requests": {"cpu": "1", "memory": "4Gi"},
            "limits": {"memory": "4Gi"},
        },
        "securityContext": _container_security(),
        "volumeMounts": mounts,
    }
    pod: Object = {
        "serviceAccountName": loader_account(model),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "securityContext": _pod_security(LOADER_USER),
        "containers": [container],
        "volumes": volumes,
    }
    labels = {"app.kubernetes.io/name": "loader", "app.kubernetes.io/instance": model.key}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _metadata(plan, model, loader_name(model)),
        "spec": {
            "backoffLimit": 6,
            # Codes of load_weights.py after which another try is of no use.
            "podFailurePolicy": {
                "rules": [
                    {
                        "action": "FailJob",
                        "onExitCodes": {"containerName": "loader", "operator": "In", "values": [2, 3, 4]},
                    }
                ]
            },
            "template": {"metadata": {"labels": labels, "annotations": dict(FUSE_ANNOTATIONS)}, "spec": pod},
        },
    }


def _bucket_volume(plan: Plan, model: ModelPlan, *, read_only: bool) -> Object:
    user = model.server.run_as_user if read_only else LOADER_USER
    options = ["implicit-dirs", f"uid={user}", f"gid={user}", *(_read_options(plan, model) if read_only else ())]
    attributes = {"bucketName": bucket_name(plan, model), "mountOptions": ",".join(options)}
    return {
        "name": WEIGHTS_VOLUME,
        "csi": {"driver": "gcsfuse.csi.storage.gke.io", "readOnly": read_only, "volumeAttributes": attributes},
    }


def _read_options(plan: Plan, model: ModelPlan) -> list[str]:
    """Options for a commit's folder, which never changes: what was seen once stays true (facts: gke.md 4.1)."""
    options = [
        f"only-dir={model.weights.prefix}", "metadata-cache:ttl-secs:-1",
        "metadata-cache:stat-cache-max-size-mb:-1", "metadata-cache:type-cache-max-size-mb:-1",
        "file-system:kernel-list-cache-ttl-secs:-1", "read_ahead_kb=1024",
    ]  # fmt: skip
    total = model.weights.total_bytes
    disks = [pool.boot_disk_gib for pool in plan.pools if pool.capacity_class == model.capacity_class]
    if total and disks and total <= min(disks) * GIB * CACHE_SHARE_OF_DISK:
        # Parallel downloads land in this cache; where it does not fit, reading ahead is what is left.
        options += [
            f"file-cache:max-size-mb:{-(-total // 1024**2) + 64}", "file-cache:cache-file-for-range-read:true",
            "file-cache:enable-parallel-downloads:true",
        ]  # fmt: skip
    return options


def _disk_volume(name: str, size_bytes: int) -> Object:
    """A disk that lives as long as its pod."""
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "standard-rwo",
        "resources": {"requests": {"storage": f"{max(10, -(-size_bytes // GIB))}Gi"}},
    }
    return {"name": name, "ephemeral": {"volumeClaimTemplate": {"spec": claim}}}


def _probe(probe: Probe) -> Object:
    return {
        "httpGet": {"path": probe.path, "port": probe.port},
        "periodSeconds": probe.period_seconds,
        "failureThreshold": probe.failure_threshold,
        "timeoutSeconds": 5,
    }


def _window(probe: Probe) -> int:
    return probe.period_seconds * probe.failure_threshold


def _pod_security(user: int) -> Object:
    ids = {"runAsUser": user, "runAsGroup": user, "fsGroup": user}
    return {"runAsNonRoot": user != 0, **ids, "seccompProfile": {"type": "RuntimeDefault"}}


def _container_security() -> Object:
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def _selector(model: ModelPlan) -> dict[str, str]:
    return {"app.kubernetes.io/name": "server", "app.kubernetes.io/instance": model.key}


def _metadata(plan: Plan, model: ModelPlan, name: str) -> Object:
    labels = {"app.kubernetes.io/instance": model.key, "app.kubernetes.io/managed-by": "hubstack"}
    annotations = {"hubstack.dev/model": model.id, "hubstack.dev/commit": model.commit}
    return {"name": name, "namespace": plan.target.namespace, "labels": labels, "annotations": annotations}
