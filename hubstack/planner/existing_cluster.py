# SPDX-License-Identifier: Apache-2.0
"""An existing cluster: what a stack needs of it, what it lacks, and the command that turns that on.

Owns the table of features and versions. Pure: the same function judges a file that gcloud wrote (`hubstack plan`,
offline) and the answer of the API (`pulumi preview`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from hubstack.inputs.settings import StackSettings
from hubstack.kinds import AcceleratorKind, CapacityKind
from hubstack.plan import ModelPlan, PoolPlan
from hubstack.plan.existing_cluster import ClusterFacts, Component, ExistingCluster, Feature, Needs
from hubstack.plan.gateway import GatewayAuth, GatewayPlan
from hubstack.plan.loading import LoadingMethod

AUTOPILOT_ACCELERATORS = frozenset(
    {
        *("t4", "l4", "a100-40gb", "a100-80gb", "h100-80gb", "h200-141gb", "b200", "gb200", "gb300"),
        *("rtx-pro-6000", "v5e", "v5p", "v6e", "tpu7x"),
    }
)
"""Accelerators of Autopilot clusters (GKE docs, "Deploy GPU workloads in Autopilot" and "Deploy TPU workloads in
Autopilot", read 2026-11-23)."""
_FLAGS: Mapping[Feature, str] = {
    Feature.BINARY_AUTHORIZATION: "--binauthz-evaluation-mode=PROJECT_SINGLETON_POLICY_ENFORCE",
    Feature.CONNECT: "--enable-dns-access",
    Feature.FQDN_POLICIES: "--enable-fqdn-network-policy",
    Feature.FUSE: "--update-addons=GcsFuseCsiDriver=ENABLED",
    Feature.GATEWAY: "--gateway-api=standard",
    Feature.LOAD_BALANCING: "--update-addons=HttpLoadBalancing=ENABLED",
    Feature.PROMETHEUS: "--enable-managed-prometheus",
    Feature.SECRET_MANAGER: "--enable-secret-manager",
    Feature.SECRET_SYNC: "--enable-secret-sync",
}
"""Flags of `gcloud container clusters update` (gcloud reference, read 2026-12-01)."""
_WHY: Mapping[Feature, str] = {
    Feature.BINARY_AUTHORIZATION: "`hubstack:binaryAuthorization` is set",
    Feature.CONNECT: "`pulumi up` reaches the control plane through it; or set `hubstack:controlPlane: private`",
    Feature.DATAPLANE: "it enforces the network policies",
    Feature.FQDN_POLICIES: "they let loaders reach the Hub and servers their buckets, and nothing else",
    Feature.FUSE: "loaders write weights, and servers read them, through it",
    Feature.GATEWAY: "`hubstack:gateway` is set",
    Feature.LOAD_BALANCING: "`hubstack:gateway` is set",
    Feature.PROMETHEUS: "autoscaling, charts and alerts read its metrics",
    Feature.SECRET_MANAGER: "loaders of gated models read the Hub token through it",
    Feature.SECRET_SYNC: "the gateway's servers and load balancer get their secret through it",
    Feature.WORKLOAD_IDENTITY: "pods reach buckets and secrets as their own service accounts",
}
_CLASSES = ("1.30.3-gke.1451000", "ComputeClasses")
"""GKE docs, "About custom ComputeClasses", read 2026-12-01."""
_POOLS = ("1.34.0-gke.1626000", "InferencePool")
"""docs/concepts/gateway.md."""
_FLEX_GPU = ("1.32.2-gke.1652000", "GPUs with flex-start")
_FLEX_TPU = ("1.33.0-gke.1712000", "TPUs with flex-start")
"""GKE docs, "About GPU and TPU provisioning with flex-start", read 2026-11-23."""
_TPU7X = {False: ("1.34.0-gke.2201000", "TPU7x"), True: ("1.34.1-gke.3084001", "TPU7x in Autopilot")}
"""GKE docs, "About TPUs in GKE", read 2026-11-23."""


def needed(
    target: StackSettings,
    models: Sequence[ModelPlan],
    pools: Sequence[PoolPlan],
    gateway: GatewayPlan | None,
    *,
    picked: bool,
) -> Needs:
    """Return what a stack needs of the cluster that it uses.

    Args:
        target: the stack's settings.
        models: its models on GKE.
        pools: its node pools.
        gateway: its gateway, if it has one.
        picked: whether endpoint pickers choose among servers.
    """
    metrics = ("DCGM", *state_metrics(models)) if target.monitoring else ()
    asked: Mapping[Feature, bool] = {
        Feature.WORKLOAD_IDENTITY: True,
        Feature.DATAPLANE: True,
        Feature.FQDN_POLICIES: True,
        Feature.FUSE: True,
        Feature.CONNECT: target.control_plane == "dns",
        Feature.PROMETHEUS: bool(target.monitoring) or any(model.scaling for model in models),
        Feature.GATEWAY: gateway is not None,
        Feature.LOAD_BALANCING: gateway is not None,
        Feature.SECRET_MANAGER: any(model.weights.needs_token for model in models),
        Feature.SECRET_SYNC: gateway is not None
        and (bool(target.callers) or gateway.auth is GatewayAuth.API_KEYS or gateway.iap_client_id is not None),
        Feature.BINARY_AUTHORIZATION: target.binary_authorization,
    }
    wanted: list[tuple[str, str]] = [_CLASSES, *([_POOLS] if picked else [])]
    for pool in pools:
        if pool.capacity is CapacityKind.FLEX_START:
            wanted.append(_FLEX_GPU if pool.accelerator_kind is AcceleratorKind.GPU else _FLEX_TPU)
        if pool.accelerator == "tpu7x":
            wanted.append(_TPU7X[bool(target.cluster and target.cluster.is_autopilot)])
    version, what = max(wanted, key=lambda each: _parts(each[0]))
    return Needs(
        features=tuple(feature for feature in Feature if asked[feature]),
        metrics=metrics,
        version=version,
        version_for=what,
    )


def state_metrics(models: Sequence[ModelPlan]) -> tuple[str, ...]:
    """Return the packages of kube-state-metrics that charts and alerts need (GKE's `enable_components`)."""
    return ("POD", "DEPLOYMENT", *(("STATEFULSET",) if any(model.hosts > 1 for model in models) else ()))


def lacks(cluster: ExistingCluster, facts: ClusterFacts) -> Iterator[str]:
    """Yield each thing that a stack needs and its cluster does not have, with the command that turns it on."""
    where = f"{cluster.name} --location {cluster.location} --project {cluster.project}"
    needs, pool = cluster.needs, f"{cluster.project}.svc.id.goog"
    held = facts.features | ({Feature.WORKLOAD_IDENTITY} if facts.workload_pool == pool else set[Feature]())
    for feature in needs.features:
        if feature in held:
            continue
        flag = _FLAGS.get(feature, f"--workload-pool={pool}")
        turn_on = f"`gcloud container clusters update {where} {flag}`"
        if feature is Feature.DATAPLANE:
            turn_on = "only a new cluster can have it, `gcloud container clusters create --enable-dataplane-v2`"
        yield f"it lacks {feature} ({_WHY[feature]}): {turn_on}"
    if missing := [each for each in needs.metrics if each not in facts.metrics]:
        every = ",".join(_flag_words([*facts.metrics, *missing]))
        turn_on = f"`gcloud container clusters update {where} --monitoring={every}`"
        yield f"it does not collect the metrics {', '.join(missing)} (charts and alerts read them): {turn_on}"
    if _parts(facts.version) < _parts(needs.version):
        upgrade = f"`gcloud container clusters upgrade {where} --master --cluster-version {needs.version}`"
        yield f"its version is {facts.version}, and {needs.version_for} need {needs.version}: {upgrade}"


def cluster_warnings(cluster: ExistingCluster, target: StackSettings, models: Sequence[ModelPlan]) -> Iterator[str]:
    """Yield what the owners of a cluster must do before `pulumi up`."""
    about = f"`hubstack:cluster`: {cluster.name}"
    if target.cluster_facts:
        yield from (f"{about}: {each}" for each in lacks(cluster, target.cluster_facts))
    if cluster.project != target.project:
        yield (
            f"{about} is in {cluster.project}: whoever runs `pulumi up` needs roles/container.admin there, and the "
            f"charts and alerts of {target.project} see its metrics only if that project's metrics scope includes "
            "it"
        )
    scaled = [model for model in models if model.scaling]
    if scaled and cluster.has(Component.KEDA):
        yield (
            f"{about}: its KEDA reads metrics as {target.keda_namespace}/keda-operator, which needs "
            f"roles/monitoring.viewer: `gcloud projects add-iam-policy-binding {cluster.project} --role "
            f"roles/monitoring.viewer --member principal://iam.googleapis.com/projects/NUMBER/locations/global/"
            f"workloadIdentityPools/{cluster.project}.svc.id.goog/subject/ns/{target.keda_namespace}/sa/keda-operator`"
        )
    waits = [model.scaling.activation_timeout_seconds for model in scaled if model.scaling]
    sleepers = [model for model in scaled if model.scaling and model.scaling.scales_to_zero]
    if sleepers and cluster.has(Component.HTTP_ADD_ON):
        spaces = sorted({_namespace(model, target) for model in sleepers})
        yield (
            f"{about}: its interceptor must be able to reach the servers in namespace {' and '.join(spaces)}, and "
            f"hold requests for {max(waits):,} s, the longest cold start (docs/guides/existing-cluster.md)"
        )
    if cluster.is_autopilot and target.kms_key:
        yield f"{about}: its owners decide how the disks of Autopilot's nodes are encrypted, not `hubstack:kmsKey`"


def _namespace(model: ModelPlan, target: StackSettings) -> str:
    team = (target.teams or {}).get(model.team or "")
    return team.namespace_of(model.team or "", target.namespace) if team else target.namespace


def refused(cluster: ExistingCluster, models: Sequence[ModelPlan]) -> Iterator[tuple[str, str, str, str]]:
    """Yield model key, setting, why a model cannot run in an existing cluster, and what to do."""
    for model in models:
        if model.loading.method is LoadingMethod.HYPERDISK_ML:
            why = (
                "keeps its weights on a Hyperdisk ML volume, whose copying nodes have a ComputeClass of Google's "
                "name, of which a cluster has one, for its owners"
            )
            yield model.key, "loading", why, "remove `loading:`, or choose another method"
        scales = model.scaling is not None and model.scaling.scales_to_zero
        if scales and cluster.has(Component.KEDA) and not cluster.has(Component.HTTP_ADD_ON):
            why = (
                f"scales to zero through KEDA's HTTP add-on, but `installed` of {cluster.name} contains only `keda`"
            )
            yield (
                model.key,
                "replicas",
                why,
                "set `replicas: {min: 1}`, or install the add-on and add `http-add-on`",
            )


def _parts(version: str) -> tuple[int, ...]:
    """Return the numbers of a GKE version; a text without any is the oldest."""
    return tuple(int(each[:9]) for each in re.findall(r"\d+", version))


def _flag_words(components: Sequence[str]) -> Iterator[str]:
    """Yield the words of `--monitoring`, whose value replaces all that is on."""
    for each in dict.fromkeys(["SYSTEM_COMPONENTS", *components]):
        yield "SYSTEM" if each == "SYSTEM_COMPONENTS" else each
