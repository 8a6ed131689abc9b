# SPDX-License-Identifier: Apache-2.0
"""What Google's collectors scrape: the servers' pods and kube-state-metrics packages.

One PodMonitoring covers all models, because they share port name and path; the label `model` distinguishes them.
"""

from hubstack.deploy.callers.limits import METRICS_PREFIX
from hubstack.deploy.callers.pods import COUNTER_PODS, METRICS_PORT_NAME
from hubstack.deploy.manifests import Object, server_name
from hubstack.plan import Plan
from hubstack.planner import existing_cluster
from hubstack.planner.serving.routing import CALLERS

INTERVAL_SECONDS = 30
MODEL_LABEL = "model"
DROPPED = "(python|process)_.+|http_(request|response)_.+"
"""Metrics dropped because samples are billed and no query uses them. `http_requests_total` is kept."""


def pod_monitorings(plan: Plan) -> dict[str, Object]:
    """Return the PodMonitorings by key: `servers`, plus one for each nonstandard metrics path.

    A worker of a multi-node replica has no port of that name, so it is not scraped.
    """
    if plan.target.teams:
        return {
            f"team-{part.target.team.key}-{key}" if part.target.team else key: obj
            for part in plan.by_namespace()
            for key, obj in _in_namespace(part).items()
        }
    return _in_namespace(plan)


def _in_namespace(plan: Plan) -> dict[str, Object]:
    """Return the PodMonitorings of one namespace."""
    keys: dict[str, list[str]] = {}
    for model in plan.on_gke:
        if model.server.metrics_path:
            keys.setdefault(model.server.metrics_path, []).append(server_name(model))
    usual = max(keys, key=lambda path: (len(keys[path]), path), default=None)
    found = {
        _key(path, usual): _pod_monitoring(plan, path, _key(path, usual), models, alone=len(keys) == 1)
        for path, models in sorted(keys.items())
    }
    return found | ({CALLERS: _callers_monitoring(plan)} if plan.callers else {})


def _key(path: str, usual: str | None) -> str:
    return "servers" if path == usual else f"servers{path.replace('/', '-')}"


def _callers_monitoring(plan: Plan) -> Object:
    """Return the PodMonitoring of the limiter, which counts by caller."""
    kept = {"action": "keep", "sourceLabels": ["__name__"], "regex": f"{METRICS_PREFIX}.+"}
    endpoint = {"port": METRICS_PORT_NAME, "interval": f"{INTERVAL_SECONDS}s", "metricRelabeling": [kept]}
    spec = {"selector": COUNTER_PODS, "endpoints": [endpoint], "targetLabels": {"metadata": ["pod"]}}
    return _named(plan, CALLERS, spec)


def _named(plan: Plan, name: str, spec: Object) -> Object:
    return {
        "apiVersion": "monitoring.googleapis.com/v1",
        "kind": "PodMonitoring",
        "metadata": {
            "name": name,
            "namespace": plan.target.namespace,
            "labels": {"app.kubernetes.io/managed-by": "hubstack"},
        },
        "spec": spec,
    }


def _pod_monitoring(plan: Plan, path: str, name: str, models: list[str], *, alone: bool) -> Object:
    chosen: Object = {"matchLabels": {"app.kubernetes.io/name": "server"}}
    if not alone:
        instances = {"key": "app.kubernetes.io/instance", "operator": "In", "values": sorted(models)}
        chosen["matchExpressions"] = [instances]
    endpoint = {
        "port": "http",
        "path": path,
        "interval": f"{INTERVAL_SECONDS}s",
        "metricRelabeling": [{"action": "drop", "sourceLabels": ["__name__"], "regex": DROPPED}],
    }
    from_pod = [{"from": "app.kubernetes.io/instance", "to": MODEL_LABEL}]
    labels = {"metadata": ["pod", "container"], "fromPod": from_pod}
    return _named(plan, name, {"selector": chosen, "endpoints": [endpoint], "targetLabels": labels})


def state_metrics(plan: Plan) -> tuple[str, ...]:
    """Return the packages of kube-state-metrics that the queries need; none without monitoring."""
    return existing_cluster.state_metrics(plan.on_gke) if plan.monitoring else ()
