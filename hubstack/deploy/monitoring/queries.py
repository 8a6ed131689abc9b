# SPDX-License-Identifier: Apache-2.0
"""The stack's PromQL: selectors, and the expressions that dashboards and alerts share.

Owns how queries are built. Every query names the cluster and the namespace, because a project may contain several
stacks. Managed Prometheus supports the PromQL of Prometheus 2.44, and Google's own metrics are named
`kubernetes_io:NAME` (docs.cloud.google.com/stackdriver/docs/managed-prometheus/promql-differences, read 2026-11).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from hubstack.catalog import Metric
from hubstack.deploy.callers.limits import ERRORS_METRIC, LIMIT_REFUSED, USED_METRIC
from hubstack.deploy.manifests import server_name
from hubstack.plan import ModelPlan, Plan

DEPLOYMENT_POD = "(.+)-[a-z0-9]{5,10}-[a-z0-9]{5}"
GROUP_POD = "-[0-9]+(-[0-9]+)?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The label matchers of one stack, or of some of its models."""

    prometheus: tuple[str, ...]
    """Matchers for scraped metrics."""
    system: tuple[str, ...]
    """Matchers for Google's container metrics."""
    nodes: tuple[str, ...]
    """Matchers for Google's node metrics."""


def scope_of(plan: Plan) -> Scope:
    """Return the matchers of a stack."""
    cluster, spaces = plan.target.cluster_name, plan.target.namespaces
    named = (f'cluster_name="{cluster}"',)
    return Scope(
        prometheus=(f'cluster="{cluster}"', one_of("namespace", spaces)),
        system=(
            'monitored_resource="k8s_container"',
            *named,
            one_of("namespace_name", spaces),
            'container_name="server"',
        ),
        nodes=('"monitored_resource"="k8s_node"', f'"cluster_name"="{cluster}"'),
    )


def one_of(label: str, values: Iterable[str]) -> str:
    """Return a matcher for a label with one of the values; keys need no escaping."""
    listed = sorted(values)
    return f'{label}="{listed[0]}"' if len(listed) == 1 else f'{label}=~"{"|".join(listed)}"'


def within(bucket: float) -> str:
    """Return the matcher of a histogram bucket, which exporters write as `1` or `1.0`."""
    return f'le=~"{bucket:.0f}|{bucket:.0f}[.]0"' if bucket == int(bucket) else f'le="{bucket!r}"'


def rate_by_model(selector: str, window: str) -> str:
    """Return the rate of a counter, summed by model."""
    return f"sum by (model) (rate({selector}[{window}]))"


def slow_ratio(histogram: Metric, bucket: float, matchers: tuple[str, ...], window: str) -> str:
    """Return the share of requests slower than a bucket's bound, by model."""
    fast = rate_by_model(histogram.select(*matchers, within(bucket), suffix="_bucket"), window)
    every = rate_by_model(histogram.select(*matchers, suffix="_count"), window)
    return f"(1 - {fast} / {every})"


def failed_ratio(errors: Metric, requests: Metric, matchers: tuple[str, ...], window: str) -> str:
    """Return the share of requests that failed, by model."""
    failed = rate_by_model(errors.select(*matchers), window)
    return f"({failed} / {rate_by_model(requests.select(*matchers), window)})"


def quantile(histogram: Metric, share: float, matchers: tuple[str, ...], window: str, by: str = "") -> str:
    """Return a quantile of a histogram, over all replicas."""
    labels = f"{by}, le" if by else "le"
    inside = f"rate({histogram.select(*matchers, suffix='_bucket')}[{window}])"
    return f"histogram_quantile({share:g}, sum by ({labels}) ({inside}))"


def used_by_callers(plan: Plan, used: str) -> str:
    """Return the counter of requests, tokens or units of cost, by caller and model."""
    matchers = ",".join((*scope_of(plan).prometheus, f'used="{used}"'))
    return f"{USED_METRIC}{{{matchers}}}"


def refused_callers(plan: Plan, *matchers: str) -> str:
    """Return the counter of what was refused, by caller and limit."""
    listed = ",".join((*scope_of(plan).prometheus, *matchers))
    return f"{LIMIT_REFUSED}{{{listed}}}"


def limiter_errors(plan: Plan) -> str:
    """Return the counter of requests whose limits could not be checked."""
    matchers = ",".join(scope_of(plan).prometheus)
    return f"{ERRORS_METRIC}{{{matchers}}}"


def pending_pods(plan: Plan) -> str:
    """Return the number of unschedulable pods by model. The metric has only the pod's name."""
    matchers = ",".join(scope_of(plan).prometheus)
    pods = f'kube_pod_status_unschedulable{{{matchers},pod=~"{DEPLOYMENT_POD}"}}'
    renamed = [f'label_replace({pods}, "model", "$1", "pod", "{DEPLOYMENT_POD}")']
    for model in sorted(plan.on_gke, key=server_name):
        if model.hosts > 1:
            selector = f'kube_pod_status_unschedulable{{{matchers},pod=~"{server_name(model)}{GROUP_POD}"}}'
            renamed.append(f'label_replace({selector}, "model", "{server_name(model)}", "", "")')
    return f"sum by (model) ({' or '.join(renamed)})"


def pods_of(model: ModelPlan) -> str:
    """Return the regular expression that matches a model's pods."""
    return server_name(model) + (GROUP_POD if model.hosts > 1 else "-[a-z0-9]{5,10}-[a-z0-9]{5}")


def replicas(plan: Plan, models: Iterable[ModelPlan], *, ready: bool) -> str:
    """Return the number of ready or desired replicas, by model.

    A LeaderWorkerSet manages its leaders through a StatefulSet of the same name.
    """
    matchers = ",".join(scope_of(plan).prometheus)
    listed = list(models)
    kinds = (
        (
            "deployment",
            "kube_deployment_status_replicas_available" if ready else "kube_deployment_spec_replicas",
            [server_name(m) for m in listed if m.hosts == 1],
        ),
        (
            "statefulset",
            "kube_statefulset_status_replicas_ready" if ready else "kube_statefulset_replicas",
            [server_name(m) for m in listed if m.hosts > 1],
        ),
    )
    parts = [
        f'label_replace({metric}{{{matchers},{one_of(label, keys)}}}, "model", "$1", "{label}", "(.+)")'
        for label, metric, keys in kinds
        if keys
    ]
    return f"max by (model) ({' or '.join(parts)})"
