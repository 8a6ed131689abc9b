# SPDX-License-Identifier: Apache-2.0
"""The whole stack of one Plan. Composes the other components; decides nothing.

Every name below it comes from a key of the plan, so the order of the list changes nothing.
"""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from components._objects import register
from components._options import child, google_provider, kubernetes_provider
from components.accelerator_pool import AcceleratorPool, AcceleratorPoolArgs
from components.cluster import Cluster, ClusterArgs
from components.disk_transfer import DiskTransfer, DiskTransferArgs
from components.hub_token import HubToken, HubTokenArgs
from components.model_server import ModelServer, ModelServerArgs
from components.network import Network, NetworkArgs
from components.weights_bucket import WeightsBucket, WeightsBucketArgs
from components.weights_collector import WeightsCollector, WeightsCollectorArgs
from components.weights_disk import WeightsDisk, WeightsDiskArgs
from components.weights_loader import WeightsLoader, WeightsLoaderArgs
from hubstack import manifests, names
from hubstack.loading_plan import LoadingMethod
from hubstack.plan import ModelPlan, Plan

TOKEN = "hubstack:fleet:Fleet"  # noqa: S105  a type token
SERVICES = (
    "cloudresourcemanager",
    "compute",
    "container",
    "iam",
    "logging",
    "monitoring",
    "secretmanager",
    "storage",
)
"""Google APIs that the stack calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetArgs:
    """What a fleet needs."""

    plan: Plan
    release_channel: str = "REGULAR"
    """GKE's: RAPID, REGULAR, STABLE or EXTENDED."""
    hub_token: pulumi.Input[str] | None = None
    """Secret; for gated models only."""


class Fleet(pulumi.ComponentResource):
    """Network, cluster, pools, weights and servers."""

    cluster_name: pulumi.Output[str]
    endpoints: dict[str, str]
    """Key of a model to the address of its API inside the cluster."""
    buckets: dict[str, str]
    """Key of a model to the bucket of its weights."""

    def __init__(self, name: str, args: FleetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        self._plan, self._args = args.plan, args
        target = args.plan.target
        google = google_provider(target, self)
        apis = [
            gcp.projects.Service(
                f"api-{service}", service=f"{service}.googleapis.com",
                # Off would turn the API off for everyone in the project.
                disable_on_destroy=False, opts=child(self, provider=google),
            )
            for service in SERVICES
        ]  # fmt: skip
        # A component is registered after what it depends on, and its children after it.
        self._google = child(self, providers=[google], depends_on=apis)
        project = gcp.organizations.get_project_output(
            project_id=target.project, opts=pulumi.InvokeOutputOptions(provider=google, parent=self)
        )
        self._number = project.number
        cluster = self._create_cluster(google, apis)
        self._kubernetes = kubernetes_provider(cluster.cluster, self)
        self._create_pools(cluster)
        self._create_transfer(cluster)
        self._create_namespace(cluster)
        self._create_token()
        for model in args.plan.models:
            self._create_model(model)
        self.cluster_name = cluster.name
        self.endpoints = {model.key: manifests.endpoint(args.plan, model) for model in args.plan.models}
        self.buckets = {model.key: manifests.bucket_name(args.plan, model) for model in args.plan.models}
        self.register_outputs(
            {"cluster_name": self.cluster_name, "endpoints": self.endpoints, "buckets": self.buckets}
        )

    def _create_cluster(self, google: gcp.Provider, apis: list[gcp.projects.Service]) -> Cluster:
        target = self._plan.target
        network = Network("network", NetworkArgs(region=target.region), self._google)
        return Cluster(
            "cluster",
            ClusterArgs(
                stack=target.stack,
                project=target.project,
                region=target.region,
                network_id=network.network_id,
                subnet_id=network.subnet_id,
                release_channel=self._args.release_channel,
                deletion_protection=target.deletion_protection,
                has_gated_models=any(model.weights.needs_token for model in self._plan.models),
            ),
            # Nodes need the way out before they start.
            child(self, providers=[google], depends_on=[*apis, network]),
        )

    def _create_pools(self, cluster: Cluster) -> None:
        pools: dict[str, AcceleratorPool] = {}
        for pool in self._plan.pools:
            args = AcceleratorPoolArgs(
                pool=pool,
                cluster_id=cluster.cluster.id,
                region=self._plan.target.region,
                node_account_email=cluster.node_account_email,
            )
            pools[pool.key] = AcceleratorPool(pool.key, args, self._google)
        self._classes = {
            capacity.key: register(
                f"class-{capacity.key}",
                manifests.capacity_class(capacity),
                # New pools are there before the class names them, old ones go after it has let go of them.
                child(self, provider=self._kubernetes, depends_on=[pools[pool] for pool in capacity.pools]),
            )
            for capacity in self._plan.classes
        }

    def _create_transfer(self, cluster: Cluster) -> None:
        """What fills disks, where a model keeps its weights on one."""
        on_disk = [m for m in self._plan.models if m.loading.method is LoadingMethod.HYPERDISK_ML]
        self._transfer: tuple[pulumi.Resource, ...] = ()
        if on_disk:
            args = DiskTransferArgs(
                cluster_id=cluster.cluster.id,
                region=self._plan.target.region,
                zones=manifests.disk_zones(self._plan),
                max_nodes=len(on_disk),
                throughput_mib=max(model.loading.disk_throughput_mib for model in on_disk),
                node_account_email=cluster.node_account_email,
                kubernetes=self._kubernetes,
            )
            self._transfer = (DiskTransfer("hyperdisk-ml", args, self._google),)

    def _create_namespace(self, cluster: Cluster) -> None:
        self._namespace = register(
            "models",
            manifests.namespace(self._plan),
            # With the system nodes, on which loaders run and without which objects with finalizers stay.
            child(self, provider=self._kubernetes, depends_on=[cluster]),
        )
        register(
            "same-namespace",
            manifests.network_policy(self._plan),
            child(self, provider=self._kubernetes, depends_on=[self._namespace]),
        )

    def _create_token(self) -> None:
        self._secret_id = f"hubstack-{names.slug(self._plan.target.stack)}-hub-token"
        gated = [model for model in self._plan.models if model.weights.needs_token]
        self._token: tuple[pulumi.Resource, ...] = ()
        if gated:
            args = HubTokenArgs(
                secret_id=self._secret_id,
                readers={model.key: self._member(manifests.loader_account(model)) for model in gated},
                value=self._args.hub_token,
            )
            self._token = (HubToken("hub-token", args, self._google),)

    def _create_model(self, model: ModelPlan) -> None:
        plan, target = self._plan, self._plan.target
        bucket = WeightsBucket(
            f"{model.key}-weights",
            WeightsBucketArgs(
                bucket_name=manifests.bucket_name(plan, model),
                region=target.region,
                readers={"server": self._member(manifests.server_name(model))},
                writers={"loader": self._member(manifests.loader_account(model))},
                labels=names.labels(target.stack, {"hubstack-model": names.label_value(model.key)}),
                cache_zones=model.loading.cache_zones,
            ),
            self._google,
        )
        token = self._token if model.weights.needs_token else ()
        loader = WeightsLoader(
            f"{model.key}-loader",
            WeightsLoaderArgs(
                plan=plan, model=model, hub_secret_id=self._secret_id, after=(self._namespace, bucket, *token)
            ),
            child(self, providers=[self._kubernetes]),
        )
        here = child(self, providers=[self._kubernetes])
        weights: tuple[pulumi.Resource, ...] = (loader,)
        if model.loading.method is LoadingMethod.HYPERDISK_ML:
            disk = WeightsDiskArgs(plan=plan, model=model, after=(self._namespace, loader, *self._transfer))
            weights = (loader, WeightsDisk(f"{model.key}-disk", disk, here))
        server = ModelServer(
            model.key,
            ModelServerArgs(
                plan=plan, model=model, after=(self._namespace, *weights, self._classes[model.capacity_class])
            ),
            here,
        )
        if model.weights.replaces:
            WeightsCollector(
                f"{model.key}-collector", WeightsCollectorArgs(plan=plan, model=model, after=(server, bucket)), here
            )

    def _member(self, account: str) -> pulumi.Output[str]:
        """IAM's name of a Kubernetes service account (facts: gke.md 4.3): number in the path, id in the pool."""
        target = self._plan.target
        return pulumi.Output.format(
            "principal://iam.googleapis.com/projects/{0}/locations/global/workloadIdentityPools/{1}.svc.id.goog"
            "/subject/ns/{2}/sa/{3}",
            self._number, target.project, target.namespace, account,
        )  # fmt: skip
