# SPDX-License-Identifier: Apache-2.0
"""Controllers that GKE does not bring, as Helm charts: which, at what version, with what settings.

Owns pins and values. Does not own when they are installed (`components`). Values are those of the charts' own
values.yaml at these versions (github.com/kedacore/charts, github.com/kubernetes-sigs/lws; seen 2026-11). Changed
against the default: fewer replicas and smaller requests, since the system nodes are small; pods that meet the pod
security standard `restricted`; and as little right as the task needs.
"""

from dataclasses import dataclass

from hubstack import names
from hubstack.deploy.manifests.base import Object, pod_security_labels
from hubstack.deploy.manifests.scaling import INTERCEPTOR_PORT, longest_hold
from hubstack.plan import Plan

LWS_NAMESPACE = "lws-system"
KEDA_ACCOUNT = "keda-operator"
"""Kubernetes account of KEDA's operator, which reads metrics."""
CONTROL_PLANE_PORT = 10250
"""GKE's firewall lets the control plane reach pods on private nodes on 443 and on this one (the kubelet's) only.
Pods have addresses of their own, so it is free; cert-manager takes it for the same reason."""
_SHUTDOWN_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One Helm release."""

    release: str
    chart: str
    """Name in the repository, or an OCI address."""
    version: str
    repository: str | None
    """None for an OCI address."""
    namespace: str
    values: Object


def chart_namespace(name: str) -> Object:
    """The namespace of a controller, whose pods meet the strictest standard."""
    metadata = {"name": name, "labels": pod_security_labels("restricted")}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def keda_chart(namespace: str = names.KEDA_NAMESPACE) -> Chart:
    """KEDA: makes autoscalers of ScaledObjects, and takes models to zero."""
    return Chart(
        release="keda",
        chart="keda",
        version="2.20.2",
        repository="https://kedacore.github.io/charts",
        namespace=namespace,
        values={
            "image": {"pullPolicy": "IfNotPresent"},
            "service": {"portHttpsTarget": CONTROL_PLANE_PORT},
            "webhooks": {"port": CONTROL_PLANE_PORT},
            # Else it may scale every kind there is, and read every Secret.
            "rbac": {"scaledRefKinds": [{"apiGroup": "leaderworkerset.x-k8s.io", "kind": "leaderworkersets"}]},
            "permissions": {
                "operator": {"restrict": {"secret": True}},
                "metricServer": {"restrict": {"secret": True}},
            },
        },
    )


def http_add_on_chart(plan: Plan) -> Chart:
    """The HTTP add-on: the interceptor that holds requests, and the scaler that counts them."""
    hold = longest_hold(plan)
    small = {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "500m", "memory": "128Mi"}}
    pod = {"runAsNonRoot": True, "runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000,
           "seccompProfile": {"type": "RuntimeDefault"}}  # fmt: skip
    return Chart(
        release="keda-add-ons-http",
        chart="keda-add-ons-http",
        version="0.15.0",
        repository="https://kedacore.github.io/charts",
        namespace=plan.target.keda_namespace,
        values={
            "interceptor": {
                "pullPolicy": "IfNotPresent",
                # One may go while the other holds; more as requests do.
                "replicas": {"min": 2, "max": 10},
                "proxy": {"port": INTERCEPTOR_PORT},
                # Each route sets its own; this is of a route that would not.
                "readinessTimeout": f"{hold}s",
                # An interceptor that is told to stop keeps what it holds: a request lives as long as a cold start.
                "shutdownDelay": f"{_SHUTDOWN_SECONDS}s",
                "drainTimeout": f"{hold}s",
                "terminationGracePeriodSeconds": hold + 2 * _SHUTDOWN_SECONDS,
                # It holds requests with their prompts.
                "resources": {
                    "requests": {"cpu": "100m", "memory": "128Mi"},
                    "limits": {"cpu": "1", "memory": "512Mi"},
                },
            },
            "scaler": {"pullPolicy": "IfNotPresent", "replicas": 2, "resources": small},
            "operator": {"pullPolicy": "IfNotPresent", "resources": small},
            "podSecurityContext": {"interceptor": pod, "scaler": pod, "operator": pod},
        },
    )


def lws_chart() -> Chart:
    """The controller of LeaderWorkerSets."""
    return Chart(
        release="lws",
        chart="oci://registry.k8s.io/lws/charts/lws",
        version="0.10.0",
        repository=None,
        namespace=LWS_NAMESPACE,
        values={
            # The chart in the repository says `main`; releases are said to replace it.
            "image": {"manager": {"tag": "v0.10.0", "pullPolicy": "IfNotPresent"}},
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
            "podSecurityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        },
    )
