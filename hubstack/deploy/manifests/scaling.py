# SPDX-License-Identifier: Apache-2.0
"""What makes replicas follow the load, by KEDA: the scaler of a model, and the way to one that rests.

Owns ScaledObject, InterceptorRoute and the Service that leads to the interceptor. Does not own the figures
(`hubstack.planner.serving.scaling`) nor KEDA itself (`hubstack.deploy.manifests.charts`). Field names as in the
CRDs of KEDA 2.20.2 and its HTTP add-on 0.15.0.
"""

from hubstack import names
from hubstack.deploy.manifests.base import Object, metadata, server_name
from hubstack.deploy.manifests.multi_host import group_name
from hubstack.plan import ModelPlan, Plan, ScalingPlan, ScalingTrigger

INTERCEPTOR_SERVICE, INTERCEPTOR_PORT = "keda-add-ons-http-interceptor-proxy", 8080
"""Of the add-on's chart. It answers by the Host of a request."""
INTERCEPTOR_LABELS = {"app.kubernetes.io/component": "interceptor", "app.kubernetes.io/name": "http-add-on"}
_SCALER = "keda-add-ons-http-external-scaler"
MONITORING_AUTH = "google-monitoring"
"""Name of the TriggerAuthentication."""
POLL_SECONDS = 30
"""KEDA's own default, and how often metrics are scraped: more often shows nothing new."""
SCALE_DOWN_SECONDS = 600
"""Of calm before a replica goes, and then one at a time: a new one costs a load. Our choice."""
MAX_ANSWER_SECONDS = 3600
"""A request that takes longer than this once the model is awake is broken, and would keep it awake. Our choice."""


def rests(model: ModelPlan) -> bool:
    """Whether the model goes to zero replicas by itself, so that requests must come through the interceptor."""
    return model.scaling is not None and model.scaling.rests


def resting(plan: Plan) -> tuple[ModelPlan, ...]:
    """Return the models that rest."""
    return tuple(model for model in plan.models if rests(model))


def longest_hold(plan: Plan) -> int:
    """Return the seconds that a request may wait for any resting model; 0 where none rests."""
    return max((model.scaling.hold_seconds for model in plan.models if model.scaling), default=0)


def is_scaled(plan: Plan) -> bool:
    """Whether any model's replicas follow its load."""
    return any(model.scaling for model in plan.models)


def hosts(plan: Plan, model: ModelPlan) -> tuple[str, ...]:
    """Return the Host names by which the interceptor knows a model.

    The server's own, as a gateway sends it, and those of the waking Service in every length that the cluster's DNS
    takes.
    """
    namespace, wake = plan.target.namespace, names.wake_name(server_name(model))
    within = (wake, f"{wake}.{namespace}", f"{wake}.{namespace}.svc", f"{wake}.{namespace}.svc.cluster.local")
    return (f"{server_name(model)}.{namespace}.svc.cluster.local", *within)


def endpoint(plan: Plan, model: ModelPlan) -> str:
    """Address of the OpenAI-compatible API inside the cluster: that of the interceptor where the model may rest."""
    own, *_, wake = hosts(plan, model)
    host = f"{wake}:{INTERCEPTOR_PORT}" if rests(model) else own
    return f"http://{host}{model.server.api_path}"


def wake_service(plan: Plan, model: ModelPlan) -> Object:
    """The address of a resting model inside the cluster: another name of the interceptor."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(plan, model, names.wake_name(server_name(model))),
        "spec": {
            "type": "ExternalName",
            "externalName": f"{INTERCEPTOR_SERVICE}.{plan.target.keda_namespace}.svc.cluster.local",
            "ports": [
                {"name": "http", "port": INTERCEPTOR_PORT, "targetPort": INTERCEPTOR_PORT, "protocol": "TCP"}
            ],
        },
    }


def interceptor_route(plan: Plan, model: ModelPlan) -> Object:
    """Where the interceptor sends a model's requests, and how long it holds them."""
    scaling = _scaling(model)
    return {
        "apiVersion": "http.keda.sh/v1beta1",
        "kind": "InterceptorRoute",
        "metadata": metadata(plan, model, server_name(model)),
        "spec": {
            "target": {"service": server_name(model), "port": 80},
            "rules": [{"hosts": list(hosts(plan, model))}],
            "scalingMetric": {"concurrency": {"targetValue": scaling.requests_per_replica}},
            "timeouts": {
                "readiness": f"{scaling.hold_seconds}s",
                "responseHeader": f"{MAX_ANSWER_SECONDS}s",
                "request": f"{scaling.hold_seconds + MAX_ANSWER_SECONDS}s",
            },
        },
    }


def trigger_authentication(plan: Plan) -> Object:
    """KEDA reads metrics as its own account, which may only look (facts: gke.md 4.3)."""
    labels = {"app.kubernetes.io/managed-by": "hubstack"}
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "TriggerAuthentication",
        "metadata": {"name": MONITORING_AUTH, "namespace": plan.target.namespace, "labels": labels},
        "spec": {"podIdentity": {"provider": "gcp"}},
    }


def scaled_object(plan: Plan, model: ModelPlan) -> Object:
    """The scaler of a model; KEDA makes a HorizontalPodAutoscaler of it and goes to zero by itself."""
    scaling = _scaling(model)
    triggers = [_prometheus(plan, model, trigger) for trigger in scaling.triggers]
    if scaling.rests:
        triggers.append(_requests(plan, model))
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": metadata(plan, model, server_name(model)),
        "spec": {
            "scaleTargetRef": _target(model),
            "minReplicaCount": model.replicas.min,
            "maxReplicaCount": model.replicas.max,
            "pollingInterval": POLL_SECONDS,
            "cooldownPeriod": scaling.idle_seconds,
            # Without figures nothing moves: what runs stays, and what rests stays at rest. Zero here would let a
            # busy model go while monitoring is away (KEDA 2.20.2, pkg/scaling/executor).
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
        raise ValueError(f"{model.key} is not scaled")
    return model.scaling


def _target(model: ModelPlan) -> Object:
    """By the scale sub-resource, which for a LeaderWorkerSet counts groups."""
    if model.hosts > 1:
        return {
            "apiVersion": "leaderworkerset.x-k8s.io/v1",
            "kind": "LeaderWorkerSet",
            "name": group_name(model),
        }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "name": server_name(model)}


def _behavior(scaling: ScalingPlan) -> Object:
    """Up: at most doubled while the last ones still load, or a queue would ask again and again. Down: slowly."""
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


def _prometheus(plan: Plan, model: ModelPlan, trigger: ScalingTrigger) -> Object:
    project = plan.target.project
    return {
        "type": "prometheus",
        "name": trigger.name,
        "metricType": "AverageValue",
        "metadata": {
            "serverAddress": f"https://monitoring.googleapis.com/v1/projects/{project}/location/global/prometheus",
            "query": trigger.query,
            "threshold": f"{trigger.target:g}",
            # What is left in a cache must not keep a model awake.
            "activationThreshold": f"{trigger.target / 10:g}" if trigger.name == "kv-cache" else "0",
            # At rest there is nothing to measure; a model that always runs must be seen.
            "ignoreNullValues": "true" if model.replicas.min == 0 else "false",
        },
        "authenticationRef": {"name": MONITORING_AUTH},
    }


def _requests(plan: Plan, model: ModelPlan) -> Object:
    """Requests in flight at the interceptor, pushed at once: what wakes a model."""
    return {
        "type": "external-push",
        "name": "requests",
        "metricType": "AverageValue",
        "metadata": {
            "scalerAddress": f"{_SCALER}.{plan.target.keda_namespace}.svc.cluster.local:9090",
            "interceptorRoute": server_name(model),
        },
    }
