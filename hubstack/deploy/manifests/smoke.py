# SPDX-License-Identifier: Apache-2.0
"""The Job that checks every model from inside the cluster, and the network policies that let it reach them.

`hubstack smoke --in-cluster` creates these objects and deletes them when the run ends; they are not part of the
stack. It runs on system nodes with the loader's image, without an account, and reads the gateway's key from the
same Secret as the servers.
"""

import json
from typing import Any

from hubstack import names
from hubstack.deploy.callers.pods import caller_secret
from hubstack.deploy.manifests.api_keys import API_KEY_FIELD, api_key_secret
from hubstack.deploy.manifests.base import (
    LOADER_USER,
    Object,
    container_security,
    network_policy,
    pod_security,
    policy_in,
    tcp,
)
from hubstack.deploy.manifests.network import NAMESPACE_LABEL, SERVERS, server_ports
from hubstack.deploy.manifests.run_once import as_list, run_once
from hubstack.deploy.manifests.scaling import INTERCEPTOR_LABELS, INTERCEPTOR_PORT, scale_to_zero_models
from hubstack.deploy.manifests.traffic import stack_metadata
from hubstack.deploy.smoke_job import ask_script
from hubstack.plan import Plan
from hubstack.plan.callers import CallerPlan

SMOKE_NAME = "hubstack-smoke"
_FILES = "/smoke"
_LABELS = {"app.kubernetes.io/name": SMOKE_NAME}
_PODS = {"matchLabels": _LABELS}


def smoke_objects(plan: Plan, asked: dict[str, Any], image: str, gateway_address: str | None) -> Object:
    """Return a List with the Job, its script and its network policies.

    Args:
        plan: the plan.
        asked: what the script is given.
        image: a Python image.
        gateway_address: the gateway's IP address; None if the models are asked at their own Services.
    """
    target = plan.target
    described = stack_metadata(target, SMOKE_NAME)
    files: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": described,
        "data": {"ask_models.py": ask_script(), "asked.json": json.dumps(asked)},
    }
    key = {"secretKeyRef": _key_of(plan)}
    container: Object = {
        "name": "smoke",
        "image": image,
        "command": ["python", f"{_FILES}/ask_models.py", f"{_FILES}/asked.json"],
        "env": [{"name": "OPENAI_API_KEY", "valueFrom": key}] if target.requires_api_key or plan.callers else [],
        "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": container_security(),
        "volumeMounts": [{"name": "files", "mountPath": _FILES, "readOnly": True}],
    }
    pod: Object = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "securityContext": pod_security(LOADER_USER),
        "containers": [container],
        "volumes": [{"name": "files", "configMap": {"name": SMOKE_NAME}}],
    }
    return as_list([*_policies(plan, gateway_address), files, run_once(described, _LABELS, {}, pod)])


def smoke_caller(plan: Plan) -> CallerPlan | None:
    """Return the caller whose key the Job sends, the one with the most models; None without callers."""
    return max(plan.callers.callers, key=lambda each: len(each.models)) if plan.callers else None


def _key_of(plan: Plan) -> Object:
    if caller := smoke_caller(plan):
        secret = caller_secret(caller)
        return {"name": secret.name, "key": secret.field}
    return {"name": api_key_secret(plan.target), "key": API_KEY_FIELD}


def _policies(plan: Plan, gateway_address: str | None) -> list[Object]:
    """Return the policies of a direct way to the servers, or of the way to the gateway's address alone."""
    target = plan.target
    if gateway_address is not None:
        block = {"to": [{"ipBlock": {"cidr": f"{gateway_address}/32"}}], "ports": tcp(80, 443)}
        return [network_policy(target, SMOKE_NAME, _PODS, {"egress": [block]})]
    ports = tcp(*server_ports(plan))
    egress: list[Object] = [{"to": [{"podSelector": SERVERS}], "ports": ports}]
    servers = f"{SMOKE_NAME}-servers"
    found = [
        network_policy(target, servers, SERVERS, {"ingress": [{"from": [{"podSelector": _PODS}], "ports": ports}]})
    ]
    home = {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: target.namespace}}, "podSelector": _PODS}
    for team in target.teams or ():
        away = {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: team.namespace}}, "podSelector": SERVERS}
        egress.append({"to": [away], "ports": ports})
        found.append(policy_in(team.namespace, servers, SERVERS, {"ingress": [{"from": [home], "ports": ports}]}))
    if scale_to_zero_models(plan):
        interceptor, port = {"matchLabels": dict(INTERCEPTOR_LABELS)}, tcp(INTERCEPTOR_PORT)
        keda = {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: target.keda_namespace}}}
        egress.append({"to": [{**keda, "podSelector": interceptor}], "ports": port})
        name = names.shorten(f"{SMOKE_NAME}-{target.namespace}", names.DNS_LABEL_MAX)
        found.append(
            policy_in(target.keda_namespace, name, interceptor, {"ingress": [{"from": [home], "ports": port}]})
        )
    return [network_policy(target, SMOKE_NAME, _PODS, {"egress": egress}), *found]
