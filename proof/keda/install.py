# SPDX-License-Identifier: Apache-2.0
"""Installs KEDA and its HTTP add-on into a sandbox, from the manifests of their modules.

Owns what of the manifests is applied. Left out: the CRDs, which the sandbox has; the namespace, which the stack
makes; KEDA's admission webhooks; the add-on's operator, which only serves its older kind.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import yaml

from proof.api import Object, has_condition
from proof.binaries import HERE, module_folders
from proof.sandbox import Sandbox

NAMESPACE = "keda"
INTERCEPTOR = "keda-add-ons-http-interceptor"
_MODULES = ("github.com/kedacore/keda/v2", "github.com/kedacore/http-add-on")
_KINDS = (
    "ServiceAccount",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "Service",
    "APIService",
    "Deployment",
)
_LEFT_OUT = ("keda-admission", "keda-add-ons-http-operator")


@contextmanager
def installed(sandbox: Sandbox) -> Iterator[None]:
    """Apply them and wait until all are ready; at the end take their API away, or no namespace could end."""
    folders = module_folders(HERE / "crds")
    made = [
        value
        for module in _MODULES
        for value in yaml.safe_load_all(sandbox.kubectl("kustomize", str(folders[module] / "config" / "default")))
        if value["kind"] in _KINDS
        and not (value["kind"] == "Deployment" and value["metadata"]["name"] in _LEFT_OUT)
    ]
    sandbox.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(made))
    deployments = [value for value in made if value["kind"] == "Deployment"]
    sandbox.wait("KEDA is ready", lambda: all(_is_ready(sandbox, each) for each in deployments), 120)
    (metrics,) = (value for value in made if value["kind"] == "APIService")
    sandbox.wait("KEDA's metrics are served", lambda: has_condition(sandbox.api.get(metrics), "Available"), 60)
    try:
        yield
    finally:
        sandbox.api.delete(metrics)


def _is_ready(sandbox: Sandbox, deployment: Object) -> bool:
    return sandbox.api.get(deployment)["status"].get("readyReplicas", 0) > 0
