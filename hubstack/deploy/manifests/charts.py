# SPDX-License-Identifier: Apache-2.0
"""Helm charts of the controllers that GKE does not include: versions and values.

Owns versions and values. Does not own when charts are installed (`components`). Values follow the charts' own
values.yaml at these versions (github.com/kedacore/charts, github.com/kubernetes-sigs/lws; seen 2026-11). They
differ from the defaults in three ways: fewer replicas and smaller requests, because system nodes are small; pods
that meet the `restricted` Pod Security level; and the fewest permissions that work.
"""

from dataclasses import dataclass

from hubstack import names
from hubstack.deploy.manifests.base import Object, pod_security_labels
from hubstack.deploy.manifests.scaling import INTERCEPTOR_PORT
from hubstack.plan.images import ImagesPlan, read_image

LWS_NAMESPACE = "lws-system"
KEDA_ACCOUNT = "keda-operator"
"""Kubernetes service account of KEDA's operator, which reads metrics."""
CONTROL_PLANE_PORT = 10250
"""GKE's firewall lets the control plane reach pods on private nodes only on 443 and on this port, the kubelet's.
Pods have their own IP addresses, so the port is free; cert-manager uses it for the same reason."""
_SHUTDOWN_SECONDS = 5
_KEDA_VERSION, _ADD_ON_VERSION, _LWS_VERSION = "2.20.2", "0.15.0", "0.10.0"
_KEDA_IMAGES = {
    "keda": "keda",
    "metricsApiServer": "keda-metrics-apiserver",
    "webhooks": "keda-admission-webhooks",
}
"""Key in the chart's `image` to the image's name (its values.yaml)."""
_DISK = {"ephemeral-storage": "64Mi"}
"""Node disk that each container requests: these controllers write only their logs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One Helm release."""

    release: str
    chart: str
    """Chart name in the repository, or an OCI address."""
    version: str
    repository: str | None
    """Repository URL; None for an OCI address."""
    namespace: str
    values: Object
    images: tuple[str, ...]
    """Images of its pods, as published."""
    takes_digests: bool = True
    """Whether its values can name an image by digest."""


def chart_namespace(name: str) -> Object:
    """Return the namespace of a controller; its pods must meet the `restricted` Pod Security level."""
    metadata = {"name": name, "labels": pod_security_labels("restricted")}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def _in_parts(images: ImagesPlan, published: str) -> tuple[str, str]:
    """Return the repository and the tag that a chart joins with a colon; the digest follows the tag."""
    reference = read_image(images.reference(published))
    return reference.repository, f"{reference.tag}@{reference.digest}" if reference.digest else f"{reference.tag}"


def _keda_image(images: ImagesPlan, published: str) -> Object:
    repository, tag = _in_parts(images, published)
    registry, _, path = repository.partition("/")
    return {"registry": registry, "repository": path, "tag": tag}


def keda_chart(namespace: str = names.KEDA_NAMESPACE, images: ImagesPlan | None = None) -> Chart:
    """Return the KEDA chart, which turns ScaledObjects into autoscalers and scales models to zero."""
    published = {key: f"ghcr.io/kedacore/{name}:{_KEDA_VERSION}" for key, name in _KEDA_IMAGES.items()}
    placed = {key: _keda_image(images, image) for key, image in published.items()} if images else {}
    return Chart(
        release="keda",
        chart="keda",
        version=_KEDA_VERSION,
        repository="https://kedacore.github.io/charts",
        namespace=namespace,
        images=tuple(published.values()),
        values={
            "image": {"pullPolicy": "IfNotPresent", **placed},
            "service": {"portHttpsTarget": CONTROL_PLANE_PORT},
            "webhooks": {"port": CONTROL_PLANE_PORT},
            # The default permits scaling every kind and reading every Secret.
            "rbac": {"scaledRefKinds": [{"apiGroup": "leaderworkerset.x-k8s.io", "kind": "leaderworkersets"}]},
            "resources": {each: {"requests": dict(_DISK)} for each in ("operator", "metricServer", "webhooks")},
            "permissions": {
                "operator": {"restrict": {"secret": True}},
                "metricServer": {"restrict": {"secret": True}},
            },
        },
    )


def http_add_on_chart(namespace: str, activation_timeout_seconds: int, images: ImagesPlan | None = None) -> Chart:
    """Return the HTTP add-on's chart: the interceptor that holds requests and the scaler that counts them.

    It takes one tag for its three images and writes it into labels, so it takes no digests.
    """
    published = {
        part: f"ghcr.io/kedacore/http-add-on-{part}:{_ADD_ON_VERSION}"
        for part in ("operator", "interceptor", "scaler")
    }
    placed = {
        part: read_image(images.placed(image)).repository for part, image in published.items() if images is not None
    }
    hold = activation_timeout_seconds
    small = {"requests": {"cpu": "100m", "memory": "64Mi", **_DISK}, "limits": {"cpu": "500m", "memory": "128Mi"}}
    pod = {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "runAsGroup": 1000,
        "fsGroup": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return Chart(
        release="keda-add-ons-http",
        chart="keda-add-ons-http",
        version=_ADD_ON_VERSION,
        repository="https://kedacore.github.io/charts",
        namespace=namespace,
        images=tuple(published.values()),
        takes_digests=False,
        values=({"images": placed} if placed else {})
        | {
            "interceptor": {
                "pullPolicy": "IfNotPresent",
                # One replica may stop while the other holds requests; more are added as requests increase.
                "replicas": {"min": 2, "max": 10},
                "proxy": {"port": INTERCEPTOR_PORT},
                # Each route sets its own timeout; this is the fallback.
                "readinessTimeout": f"{hold}s",
                # A terminating interceptor keeps its held requests; a request may wait for a whole cold start.
                "shutdownDelay": f"{_SHUTDOWN_SECONDS}s",
                "drainTimeout": f"{hold}s",
                "terminationGracePeriodSeconds": hold + 2 * _SHUTDOWN_SECONDS,
                # Held requests include their prompts.
                "resources": {
                    "requests": {"cpu": "100m", "memory": "128Mi", **_DISK},
                    "limits": {"cpu": "1", "memory": "512Mi"},
                },
            },
            "scaler": {"pullPolicy": "IfNotPresent", "replicas": 2, "resources": small},
            "operator": {"pullPolicy": "IfNotPresent", "resources": small},
            "podSecurityContext": {"interceptor": pod, "scaler": pod, "operator": pod},
        },
    )


def lws_chart(images: ImagesPlan | None = None) -> Chart:
    """Return the chart of the LeaderWorkerSet controller."""
    published = f"registry.k8s.io/lws/lws:v{_LWS_VERSION}"
    # The chart in the source tree defaults to the tag `main`; releases should replace it.
    manager: Object = {"tag": f"v{_LWS_VERSION}"}
    if images:
        repository, tag = _in_parts(images, published)
        manager = {"repository": repository, "tag": tag}
    return Chart(
        release="lws",
        chart="oci://registry.k8s.io/lws/charts/lws",
        version=_LWS_VERSION,
        repository=None,
        namespace=LWS_NAMESPACE,
        images=(published,),
        values={
            "image": {"manager": {**manager, "pullPolicy": "IfNotPresent"}},
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi", **_DISK}, "limits": {"memory": "512Mi"}},
            "podSecurityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        },
    )
