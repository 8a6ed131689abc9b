# SPDX-License-Identifier: Apache-2.0
"""The models served on GKE nodes: bucket, loader, disk and servers of each. Decides nothing."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from hubstack import names
from hubstack.deploy import manifests
from hubstack.plan import ModelPlan, Plan
from hubstack.plan.batch import BatchPlan
from hubstack.plan.loading import LoadingMethod
from pulumi_hubstack._options import child, renamed
from pulumi_hubstack.batch_job import BatchJob, BatchJobArgs
from pulumi_hubstack.foundation import Foundation, NodeFoundation
from pulumi_hubstack.model_server import ModelServer, ModelServerArgs
from pulumi_hubstack.weights_bucket import WeightsBucket, WeightsBucketArgs
from pulumi_hubstack.weights_collector import WeightsCollector, WeightsCollectorArgs
from pulumi_hubstack.weights_disk import WeightsDisk, WeightsDiskArgs
from pulumi_hubstack.weights_loader import WeightsLoader, WeightsLoaderArgs


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeModels:
    """The registered resources."""

    servers: Mapping[str, pulumi.Resource]
    """By model key."""
    collectors: tuple[pulumi.Resource, ...]
    """Jobs that remove replaced commits; nothing depends on them."""


def build_models(parent: pulumi.Resource, plan: Plan, base: Foundation) -> NodeModels:
    """Register a plan's models that run on nodes."""
    nodes = base.nodes
    if nodes is None:
        return NodeModels(servers={}, collectors=())
    buckets = {model.key: _create_bucket(plan, model, base) for model in plan.on_gke if not model.canary_of}
    of_model = {model.key: buckets[model.canary_of or model.key] for model in plan.on_gke}
    here = child(parent, providers=[nodes.kubernetes])
    loaders = {
        model.key: _create_loader(plan, model, base, nodes, of_model[model.key], here) for model in plan.on_gke
    }
    servers = {model.key: _create_server(plan, model, nodes, loaders, here) for model in plan.on_gke}
    both = child(parent, providers=[base.project.provider, nodes.kubernetes])
    for model in plan.on_gke:
        if model.batch:
            _create_batch(plan, model, model.batch, base, servers[model.key], both)
    replaced = [model for model in plan.on_gke if model.weights.replaces]
    collectors = [_create_collector(plan, model, servers, of_model[model.key], here) for model in replaced]
    return NodeModels(servers=servers, collectors=tuple(collectors))


def _create_bucket(plan: Plan, model: ModelPlan, base: Foundation) -> WeightsBucket:
    """Create a model's bucket, shared with its canary; each has its own service accounts."""
    target = plan.target_of(model)
    member = functools.partial(base.project.member, namespace=target.namespace)
    canary = manifests.canary_for(plan.models, model)
    users = {"": model} | ({"canary-": canary} if canary else {})
    return WeightsBucket(
        f"{model.key}-weights",
        WeightsBucketArgs(
            bucket_name=plan.buckets[model.key],
            region=target.region,
            readers={f"{of}server": member(manifests.server_name(each)) for of, each in users.items()},
            writers={f"{of}loader": member(manifests.loader_account(each)) for of, each in users.items()},
            labels=names.model_labels(target.stack, names.original_key(model), model.labels),
            own_weights=model.id if names.is_own(model.id) else None,
            after=base.identities,
            cache_zones=model.loading.cache_zones,
            kms_key=target.kms_key,
        ),
        renamed(base.google, "{}-weights", model.was),
    )


def _create_loader(
    plan: Plan,
    model: ModelPlan,
    base: Foundation,
    nodes: NodeFoundation,
    bucket: WeightsBucket,
    here: pulumi.ResourceOptions,
) -> WeightsLoader:
    token = base.token if model.needs_token else ()
    return WeightsLoader(
        f"{model.key}-loader",
        WeightsLoaderArgs(
            target=plan.target_of(model),
            model=model,
            hub_secret_id=base.hub_secret_id,
            after=(nodes.namespaces[model.team], bucket, *token),
        ),
        renamed(here, "{}-loader", model.was),
    )


def _create_server(
    plan: Plan,
    model: ModelPlan,
    nodes: NodeFoundation,
    loaders: Mapping[str, WeightsLoader],
    here: pulumi.ResourceOptions,
) -> ModelServer:
    loader = loaders[model.key]
    weights: tuple[pulumi.Resource, ...] = (loader,)
    if model.loading.method is LoadingMethod.HYPERDISK_ML:
        disk = WeightsDiskArgs(
            target=plan.target_of(model), model=model, after=(nodes.namespaces[model.team], loader, *nodes.transfer)
        )
        weights = (loader, WeightsDisk(f"{model.key}-disk", disk, renamed(here, "{}-disk", model.was)))
    if model.canary_of and model.companions:
        weights = (*weights, loaders[model.canary_of])  # which copies the companions of both
    groups = nodes.groups if model.hosts > 1 else ()
    return ModelServer(
        model.key,
        ModelServerArgs(
            target=plan.target_of(model),
            model=model,
            after=(nodes.namespaces[model.team], *weights, nodes.classes[model.capacity_class], *groups),
            autoscaling=nodes.autoscaling,
        ),
        renamed(here, "{}", model.was),
    )


def _create_batch(
    plan: Plan,
    model: ModelPlan,
    batch: BatchPlan,
    base: Foundation,
    server: pulumi.Resource,
    both: pulumi.ResourceOptions,
) -> None:
    args = BatchJobArgs(
        target=plan.target,
        model=model,
        batch=batch,
        member=base.project.member(manifests.server_name(model)),
        after=(server,),
    )
    BatchJob(f"{model.key}-batch", args, renamed(both, "{}-batch", model.was))


def _create_collector(
    plan: Plan,
    model: ModelPlan,
    servers: Mapping[str, pulumi.Resource],
    bucket: WeightsBucket,
    here: pulumi.ResourceOptions,
) -> WeightsCollector:
    """Remove replaced commits once every server that reads the bucket has switched."""
    sharing = manifests.sharing(plan.on_gke, model)
    readers = [servers[other.key] for other in sharing]
    args = WeightsCollectorArgs(
        target=plan.target_of(model), model=model, sharing=sharing, after=(*readers, bucket)
    )
    return WeightsCollector(f"{model.key}-collector", args, renamed(here, "{}-collector", model.was))
