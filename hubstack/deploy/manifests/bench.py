# SPDX-License-Identifier: Apache-2.0
"""The Job that measures a model inside the cluster, and the network policies that let it reach the server.

`hubstack bench` creates these objects and deletes them when the run ends; they are not part of the stack. The load
tool is the one in vLLM's image (docs/adr/0016-load-tool.md), and runs on system nodes so that it does not compete
with the server for its processors.
"""

import shlex
from collections.abc import Sequence

from hubstack import names
from hubstack.deploy.manifests.api_keys import key_env
from hubstack.deploy.manifests.base import (
    Object,
    container_security,
    metadata,
    network_policy,
    selector,
    server_name,
    tcp,
)
from hubstack.deploy.manifests.loader import bucket_pod
from hubstack.deploy.manifests.run_once import as_list, run_once
from hubstack.deploy.manifests.volumes import FUSE_ANNOTATIONS, WEIGHTS_PATH, WEIGHTS_VOLUME, bucket_volume
from hubstack.plan import ModelPlan
from hubstack.plan.target import TargetPlan

RESULTS = "/tmp"  # noqa: S108  an emptyDir of the pod
_NAME = "bench"


def bench_name(model: ModelPlan) -> str:
    """Name of the Job and of its policies."""
    return names.shorten(f"{server_name(model)}-{_NAME}", names.DNS_LABEL_MAX)


def server_url(target: TargetPlan, model: ModelPlan) -> str:
    """URL of the model's Service inside the cluster, which has the port 80 whatever the server's is."""
    return f"http://{names.cluster_host(server_name(model), target.namespace)}"


def bench_objects(
    target: TargetPlan, model: ModelPlan, image: str, runs: Sequence[tuple[Sequence[str], str]], mark: str
) -> Object:
    """Return a List with the Job and its two network policies.

    Args:
        target: the stack's target.
        model: the model to measure.
        image: image of the load tool.
        runs: each run's command line, and the name of the result file it writes to `RESULTS`.
        mark: printed before each result in the log.
    """
    script = "set -e\n" + "\n".join(
        f"{shlex.join(command)} >&2\nprintf '%s' {shlex.quote(mark)}\ncat {RESULTS}/{file}\necho"
        for command, file in runs
    )
    env = {
        "HOME": RESULTS,
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_CONFIG_ROOT": RESULTS,
        "VLLM_CACHE_ROOT": RESULTS,
    }
    key = [{**each, "name": "OPENAI_API_KEY"} for each in key_env(target, model)]
    container: Object = {
        "name": _NAME,
        "image": image,
        "command": ["sh", "-c", script],
        "env": [*({"name": name, "value": value} for name, value in sorted(env.items())), *key],
        "resources": {
            "requests": {"cpu": "1", "memory": "4Gi", "ephemeral-storage": "1Gi"},
            "limits": {"memory": "8Gi"},
        },
        "securityContext": container_security(),
        "volumeMounts": [
            {"name": WEIGHTS_VOLUME, "mountPath": WEIGHTS_PATH, "readOnly": True},
            {"name": "results", "mountPath": RESULTS},
        ],
    }
    labels = {
        "app.kubernetes.io/name": _NAME,
        "app.kubernetes.io/instance": selector(model)["app.kubernetes.io/instance"],
    }
    results = {"name": "results", "emptyDir": {"sizeLimit": "1Gi"}}
    pod = bucket_pod(model, container, [bucket_volume(target, model, read_only=True), results])
    name = bench_name(model)
    job = run_once(metadata(target, model, name), labels, dict(FUSE_ANNOTATIONS), pod)
    ports = tcp(model.server.port)
    us, server = {"matchLabels": labels}, {"matchLabels": selector(model)}
    policies = [
        network_policy(target, name, us, {"egress": [{"to": [{"podSelector": server}], "ports": ports}]}),
        network_policy(
            target, f"{name}-server", server, {"ingress": [{"from": [{"podSelector": us}], "ports": ports}]}
        ),
    ]
    return as_list([*policies, job])
