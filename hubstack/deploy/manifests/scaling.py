# SPDX-License-Identifier: Apache-2.0
"""Scales replicas with load through KEDA: each model's scaler, and how requests reach a model at zero.

Owns ScaledObject, InterceptorRoute and the Service that leads to the interceptor. Does not own the figures
(`hubstack.planner.serving.scaling`) nor KEDA itself (`hubstack.deploy.manifests.charts`). Field names follow the
CRDs of KEDA 2.20.2 and its HTTP add-on 0.15.0.
"""

from hubstack import names
from hubstack.deploy.manifests.base import Object, metadata, server_name
from hubstack.deploy.manifests.multi_host import group_name
from hubstack.plan import ModelPlan, Plan, ScalingPlan, ScalingTrigger
from hubstack.plan.addresses import INTERCEPTOR_PORT
from hubstack.plan.target import TargetPlan

INTERCEPTOR_SERVICE = "keda-add-ons-http-interceptor-proxy"
"""Service of the add-on's interceptor, which routes by the Host header."""
INTERCEPTOR_LABELS = {"app.kubernetes.io/component": "interceptor", "app.kubernetes.io/name": "http-add-on"}
_SCALER = "keda-add-ons-http-external-scaler"
MONITORING_AUTH = "google-monitoring"
"""Name of the TriggerAuthentication."""
POLL_SECONDS = 30
"""KEDA's default, which matches the scrape interval: polling more often shows nothing new."""
SCALE_DOWN_SECONDS = 600
"""Idle seconds before one replica is removed, then one at a time, because each new replica must load. Our
choice."""
MAX_ANSWER_SECONDS = 3600
"""A request to a running model that takes longer is considered broken and no longer keeps it running. Our
choice."""


def scales_to_zero(model: ModelPlan) -> bool:
    """Return whether the model scales to zero, so that requests must go through the interceptor."""
    return model.scaling is not None and model.scaling.scales_to_zero


def scale_to_zero_models(plan: Plan) -> tuple[ModelPlan, ...]:
    """Return the models that scale to zero."""
    return tuple(model for model in plan.models if scales_to_zero(model))


def max_activation_timeout(plan: Plan) -> int:
    """Return the most seconds that a request may wait for a cold start; 0 if no model scales to zero."""
    return max((model.scaling.activation_timeout_seconds for model in plan.models if model.scaling), default=0)


def is_scaled(plan: Plan) -> bool:
    """Return whether any model is autoscaled."""
    return any(model.scaling for model in plan.models)


def hosts(target: TargetPlan, model: ModelPlan) -> tuple[str, ...]:
    """Return the Host names under which the interceptor knows a model.

    Includes the server's own name, which a gateway sends, and every form of the cold-start Service's name that the
    cluster's DNS resolves.
    """
    namespace, wake = target.namespace, names.activation_service_name(server_name(model))
    within = (wake, f"{wake}.{namespace}", f"{wake}.{namespace}.svc", names.cluster_host(wake, namespace))
    return (names.cluster_host(server_name(model), namespace), *within)


def activation_service(target: TargetPlan, model: ModelPlan) -> Object:
    """Return the Service of a model that scales to zero: an alias of the interceptor."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(target, model, names.activation_service_name(server_name(model))),
        "spec": {
            "type": "ExternalName",
            "externalName": f"{INTERCEPTOR_SERVICE}.{target.keda_namespace}.svc.cluster.local",
            "ports": [
                {"name": "http", "port": INTERCEPTOR_PORT, "targetPort": INTERCEPTOR_PORT, "protocol": "TCP"}
            ],
        },
    }


def interceptor_route(target: TargetPlan, model: ModelPlan) -> Object:
    """Return the route that tells the interceptor where to send a model's requests and how long to hold them."""
    scaling = _scaling(model)
    return {
        "apiVersion": "http.keda.sh/v1beta1",
        "kind": "InterceptorRoute",
        "metadata": metadata(target, model, server_name(model)),
        "spec": {
            "target": {"service": server_name(model), "port": 80},
            "rules": [{"hosts": list(hosts(target, model))}],
            "scalingMetric": {"concurrency": {"targetValue": scaling.requests_per_replica}},
            "timeouts": {
                "readiness": f"{scaling.activation_timeout_seconds}s",
                "responseHeader": f"{MAX_ANSWER_SECONDS}s",
                "request": f"{scaling.activation_timeout_seconds + MAX_ANSWER_SECONDS}s",
            },
        },
    }


def trigger_authentication(target: TargetPlan) -> Object:
    """Return the authentication by which KEDA reads metrics, as its own read-only service account."""
    labels = {"app.kubernetes.io/managed-by": "hubstack"}
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "TriggerAuthentication",
        "metadata": {"name": MONITORING_AUTH, "namespace": target.namespace, "labels": labels},
        "spec": {"podIdentity": {"provider": "gcp"}},
    }


def trigger_authentications(target: TargetPlan) -> dict[str, Object]:
    """Return the authentication of each namespace by the start of its logical name; empty for the stack's own."""
    teams = {f"team-{team.key}-": trigger_authentication(target.of_team(team.key)) for team in target.teams or ()}
    return {"": trigger_authentication(target), **teams}


def scaled_object(target: TargetPlan, model: ModelPlan) -> Object:
    """Return a model's ScaledObject. KEDA creates a HorizontalPodAutoscaler from it, and itself scales to zero."""
    scaling = _scaling(model)
    triggers = [_prometheus(target, model, trigger) for trigger in scaling.triggers]
    if scaling.scales_to_zero:
        triggers.append(_requests(target, model))
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": metadata(target, model, server_name(model)),
        "spec": {
            "scaleTargetRef": _target(model),
            "minReplicaCount": model.replicas.min,
            "maxReplicaCount": model.replicas.max,
            "pollingInterval": POLL_SECONDS,
            "cooldownPeriod": scaling.idle_seconds,
            # Without metrics, keep the current replicas. A fallback of zero would stop a busy model while
            # monitoring is unavailable (KEDA 2.20.2, pkg/scaling/executor).
            "fallback": {
                "failureThreshold": 3,
                "replicas": max(1, model.replicas.min),
                "behavior": "currentReplicasIfHigher",
            },
            "advanced": {"horizontalPodAutoscalerConfig": {"behavior": _behavior(scaling)}},
            "triggers": triggers,
        },
    }


def _scaling(model: ModelPlan) -> ScalingPlan:
    if model.scaling is None:
        raise ValueError(f"{model.key} is not autoscaled")
    return model.scaling


def _target(model: ModelPlan) -> Object:
    """Return the target's scale subresource, which counts groups for a LeaderWorkerSet."""
    if model.hosts > 1:
        return {
            "apiVersion": "leaderworkerset.x-k8s.io/v1",
            "kind": "LeaderWorkerSet",
            "name": group_name(model),
        }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "name": server_name(model)}


def _behavior(scaling: ScalingPlan) -> Object:
    """Return the scaling rates: at most double while new replicas load, and scale down slowly."""
    settle = scaling.settle_seconds
    return {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Max",
            "policies": [
                {"type": "Percent", "value": 100, "periodSeconds": settle},
                {"type": "Pods", "value": 1, "periodSeconds": settle},
            ],
        },
        "scaleDown": {
            "stabilizationWindowSeconds": SCALE_DOWN_SECONDS,
            "selectPolicy": "Max",
            "policies": [{"type": "Pods", "value": 1, "periodSeconds": 300}],
        },
    }


def _prometheus(target: TargetPlan, model: ModelPlan, trigger: ScalingTrigger) -> Object:
    project = target.cluster_project
    return {
        "type": "prometheus",
        "name": trigger.name,
        "metricType": "AverageValue",
        "metadata": {
            "serverAddress": f"https://monitoring.googleapis.com/v1/projects/{project}/location/global/prometheus",
            "query": trigger.query,
            "threshold": f"{trigger.target:g}",
            # A filled cache alone must not keep a model running.
            "activationThreshold": f"{trigger.target / 10:g}" if trigger.name == "kv-cache" else "0",
            # At zero replicas there is no metric; for a model that always runs, a missing metric is an error.
            "ignoreNullValues": "true" if model.replicas.min == 0 else "false",
        },
        "authenticationRef": {"name": MONITORING_AUTH},
    }


def _requests(target: TargetPlan, model: ModelPlan) -> Object:
    """Return the trigger on in-flight requests at the interceptor, which pushes them and so starts a model."""
    return {
        "type": "external-push",
        "name": "requests",
        "metricType": "AverageValue",
        "metadata": {
            "scalerAddress": f"{_SCALER}.{target.keda_namespace}.svc.cluster.local:9090",
            "interceptorRoute": server_name(model),
        },
    }
