# SPDX-License-Identifier: Apache-2.0
"""The Job that answers a file of requests with the engine's batch runner, on the model's nodes.

Owns its form. The requests are divided by line number into the parts of an Indexed Job, because the runner has no
checkpoint: when a spot node is taken, the part that was running is repeated, and nothing else. A disruption is not
counted as a failure; a part that fails three times is given up, and the Job fails when the others are done. The
runner reads and writes files only (`vllm run-batch` 0.33.0: a path or an HTTP URL), so the bucket is mounted.
"""

import shlex

from hubstack import names
from hubstack.deploy.manifests.base import Object, metadata, own_labels, server_name
from hubstack.deploy.manifests.server import server_pod
from hubstack.deploy.manifests.volumes import FUSE_ANNOTATIONS
from hubstack.plan import ModelPlan
from hubstack.plan.batch import BatchPlan
from hubstack.plan.target import TargetPlan

MOUNT = "/batch"
_RETRIES = 2


def batch_name(model: ModelPlan, batch: BatchPlan) -> str:
    """Name of the Job, which changes with the commit, the command and the batch: a Job cannot be changed."""
    parts = (batch.bucket, batch.input, batch.output, str(batch.parts), *batch.command)
    digest = names.short_hash(model.commit, model.server.image, *parts, length=8)
    return names.shorten(f"{names.original_key(model)}-batch-{digest}", names.DNS_LABEL_MAX)


def batch_job(target: TargetPlan, model: ModelPlan, batch: BatchPlan) -> Object:
    """Return the Job of a model's offline requests."""
    pod = server_pod(target, model)
    (server,) = pod["containers"]
    container = {key: value for key, value in server.items() if key not in _OF_SERVERS} | {
        "name": "batch",
        "command": ["sh", "-c", _script(batch)],
        "env": [{"name": name, "value": value} for name, value in model.server.env],
        "volumeMounts": [*server["volumeMounts"], {"name": "batch", "mountPath": MOUNT}],
    }
    user = model.server.run_as_user
    attributes = {"bucketName": batch.bucket, "mountOptions": f"implicit-dirs,uid={user},gid={user}"}
    volume: Object = {
        "name": "batch",
        "csi": {"driver": "gcsfuse.csi.storage.gke.io", "readOnly": False, "volumeAttributes": attributes},
    }
    labels = own_labels(target, model) | {
        "app.kubernetes.io/name": "batch",
        "app.kubernetes.io/instance": server_name(model),
    }
    described = metadata(target, model, batch_name(model, batch))
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        # It runs for hours or days: `pulumi up` does not wait for it.
        "metadata": described | {"annotations": described["annotations"] | {"pulumi.com/skipAwait": "true"}},
        "spec": {
            "completionMode": "Indexed",
            "completions": batch.parts,
            "parallelism": batch.parallel,
            "backoffLimitPerIndex": _RETRIES,
            "podFailurePolicy": {
                "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
            },
            "template": {
                "metadata": {"labels": labels, "annotations": dict(FUSE_ANNOTATIONS)},
                "spec": pod
                | {"restartPolicy": "Never", "containers": [container], "volumes": [*pod["volumes"], volume]},
            },
        },
    }


_OF_SERVERS = ("args", "ports", "startupProbe", "readinessProbe", "livenessProbe", "lifecycle")


def _script(batch: BatchPlan) -> str:
    """Return the shell script of one part. Its answers appear under their name only when they are complete."""
    source, folder = (shlex.quote(f"{MOUNT}/{path}") for path in (batch.input, batch.output))
    return f"""set -eu
answers={folder}/part-$(printf %05d "$JOB_COMPLETION_INDEX").jsonl
if [ -e "$answers" ]; then echo "there: $answers"; exit 0; fi
mkdir -p {folder}
part="$JOB_COMPLETION_INDEX"
awk -v parts={batch.parts} -v part="$part" 'NF && (line++ % parts == part)' < {source} > /tmp/requests.jsonl
: > /tmp/answers.jsonl
if [ -s /tmp/requests.jsonl ]; then
{shlex.join(batch.command)} -i /tmp/requests.jsonl -o /tmp/answers.jsonl
fi
cp /tmp/answers.jsonl "$answers.partial"
mv "$answers.partial" "$answers"
"""
