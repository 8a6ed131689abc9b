# SPDX-License-Identifier: Apache-2.0
"""Runs a replica across several nodes as a LeaderWorkerSet.

Owns the group: one leader that serves requests and workers that do not, started and restarted together. The pod
comes from `hubstack.deploy.manifests.server`. LeaderWorkerSet's webhook sets the TPU variables
(TPU_WORKER_HOSTNAMES, TPU_WORKER_ID ...; lws pkg/utils/accelerators/tpu.go, v0.10), so they are not set here.
"""

import copy

from hubstack.deploy.manifests.base import Object, server_name
from hubstack.deploy.manifests.server import deployment, pre_stop
from hubstack.kinds import AcceleratorKind
from hubstack.plan import ModelPlan
from hubstack.plan.target import TargetPlan

EXCLUSIVE_TOPOLOGY = "leaderworkerset.sigs.k8s.io/exclusive-topology"
NODE_POOL_LABEL = "cloud.google.com/gke-nodepool"


def group_name(model: ModelPlan) -> str:
    """Return the LeaderWorkerSet's name, which differs from that of the model's Service.

    The controller creates a headless Service with the set's name, through which workers find their leader, but
    keeps an existing one (2026-11-25, LeaderWorkerSet v0.9.0 `CreateHeadlessServiceIfNotExists`). A ClusterIP
    Service with that name would take its place, and no leader's address would resolve.
    """
    return f"{server_name(model)}-group"


def leader_worker_set(target: TargetPlan, model: ModelPlan) -> Object:
    """Return the servers of a model that spans nodes."""
    single = deployment(target, model)
    leader = single["spec"]["template"]
    worker = copy.deepcopy(leader)
    leader["spec"]["containers"][0]["livenessProbe"] = _token_probe(model)
    container = worker["spec"]["containers"][0]
    container["args"] = list(model.server.worker_args)
    for unasked in ("startupProbe", "readinessProbe", "livenessProbe", "ports"):
        del container[unasked]  # workers have no HTTP server; the leader's health is the group's
    # The leader's requests also end on its workers.
    container["lifecycle"] = pre_stop(model.server.pre_stop_seconds + model.server.drain_seconds)
    metadata: Object = {**single["metadata"], "name": group_name(model)}
    if model.accelerator_kind is AcceleratorKind.TPU:
        # One group per slice, and each slice is its own pool.
        metadata["annotations"] = {**metadata["annotations"], EXCLUSIVE_TOPOLOGY: NODE_POOL_LABEL}
    return {
        "apiVersion": "leaderworkerset.x-k8s.io/v1",
        "kind": "LeaderWorkerSet",
        "metadata": metadata,
        "spec": {
            "replicas": model.replicas.min,
            # A leader becomes ready only after its workers have joined, so they must not wait for it.
            "startupPolicy": "LeaderCreated",
            "rolloutStrategy": {
                "type": "RollingUpdate",
                "rollingUpdateConfiguration": {"maxSurge": 0, "maxUnavailable": 1},
            },
            "leaderWorkerTemplate": {
                "size": model.hosts,
                "restartPolicy": "RecreateGroupOnPodRestart",
                "leaderTemplate": leader,
                "workerTemplate": worker,
            },
        },
    }


def _token_probe(model: ModelPlan) -> Object:
    """Return a liveness probe that generates one token: with a lost worker, /health stays 200 while requests hang.

    A server that is merely busy passes, because its token counter increases; so does one that rejects the request
    (4xx), which took an engine that works. Errors of the server itself (5xx) count as no answer.
    """
    server = model.server
    script = _ASK_FOR_ONE.format(
        port=server.port,
        key=server.api_key.variable,
        model=server.served_model_name,
        metrics=server.metrics_path,
        wait=_ASK_SECONDS,
    )
    return {
        "exec": {"command": ["python3", "-c", script]},
        "periodSeconds": 2 * _ASK_SECONDS,
        "timeoutSeconds": _ASK_SECONDS + 20,
        "failureThreshold": 3,
    }


_ASK_SECONDS = 60
_ASK_FOR_ONE = """\
import json, os, sys, urllib.request as http
base, key = "http://127.0.0.1:{port}", os.environ.get("{key}", "")
def ask(path, body=None, wait=10):
    headers = {{"Content-Type": "application/json", "Authorization": "Bearer " + key}}
    with http.urlopen(http.Request(base + path, body, headers), timeout=wait) as answer:
        return answer.read().decode()
def tokens():
    lines = [line for line in ask("{metrics}").splitlines() if "generation_tokens_total" in line and line[0] != "#"]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)
before = tokens()
try:
    body = json.dumps({{"model": "{model}", "prompt": "a", "max_tokens": 1}}).encode()
    ask("/v1/completions", body, {wait})
except OSError as failure:
    sys.exit(getattr(failure, "code", 500) >= 500 and tokens() == before)
"""
