# SPDX-License-Identifier: Apache-2.0
"""The whole stack of one Plan. Composes the other components; decides nothing.

Every name below it comes from a key of the plan, so the order of the list changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from hubstack import names
from hubstack.catalog import EngineMetrics
from hubstack.deploy import manifests
from hubstack.deploy import monitoring as observability
from hubstack.deploy.system_pool import most_system_nodes
from hubstack.kinds import EngineKind
from hubstack.plan import ModelPlan, Plan
from hubstack.plan.gateway import GatewayAuth
from hubstack.plan.loading import LoadingMethod
from hubstack.plan.target import TargetPlan
from pulumi_hubstack._objects import register
from pulumi_hubstack._options import child, google_provider, kubernetes_provider, renamed
from pulumi_hubstack.accelerator_pool import AcceleratorPool, AcceleratorPoolArgs
from pulumi_hubstack.autoscaling import Autoscaling, AutoscalingArgs
from pulumi_hubstack.cluster import Cluster, ClusterArgs
from pulumi_hubstack.disk_transfer import DiskTransfer, DiskTransferArgs
from pulumi_hubstack.encryption import Encryption, EncryptionArgs
from pulumi_hubstack.gateway import Gateway, GatewayArgs
from pulumi_hubstack.group_controller import GroupController, GroupControllerArgs
from pulumi_hubstack.hub_token import HubToken, HubTokenArgs
from pulumi_hubstack.managed_models import SERVICES as MANAGED_SERVICES
from pulumi_hubstack.managed_models import ManagedParts, create_model, is_gated_on_run, services_of
from pulumi_hubstack.model_server import ModelServer, ModelServerArgs
from pulumi_hubstack.network import Network, NetworkArgs
from pulumi_hubstack.observability import Observability, ObservabilityArgs
from pulumi_hubstack.protection import Protection, ProtectionArgs
from pulumi_hubstack.restricted_apis import RestrictedApis, RestrictedApisArgs
from pulumi_hubstack.weights_bucket import WeightsBucket, WeightsBucketArgs
from pulumi_hubstack.weights_collector import WeightsCollector, WeightsCollectorArgs
from pulumi_hubstack.weights_disk import WeightsDisk, WeightsDiskArgs
from pulumi_hubstack.weights_loader import WeightsLoader, WeightsLoaderArgs

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
"""Google APIs that a stack with a cluster calls; others wait for the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetArgs:
    """What a fleet needs."""

    plan: Plan
    engine_metrics: Mapping[EngineKind, EngineMetrics]
    """The catalogue's table: what each engine measures of itself."""
    release_channel: str = "REGULAR"
    """GKE's: RAPID, REGULAR, STABLE or EXTENDED."""
    hub_token: pulumi.Input[str] | None = None
    """Secret; for gated models only."""
    api_key: pulumi.Input[str] | None = None
    """Secret; for a gateway with `auth: api-keys` only."""
    iap_client_secret: pulumi.Input[str] | None = None
    """Secret; for a gateway with `iap_client_id` only."""


class Fleet(pulumi.ComponentResource):
    """Network, cluster, pools, weights and servers; without a model on GKE none of the first three."""

    cluster_name: pulumi.Output[str] | None
    """None where no model is on GKE."""
    endpoints: dict[str, pulumi.Input[str]]
    """Key of a model to the address of its API: inside the cluster (the interceptor's where the model may rest), on
    Cloud Run, or Vertex AI's endpoint."""
    buckets: dict[str, str]
    """Key of a model to the bucket of its weights."""
    gateway: dict[str, pulumi.Output[str]] | None
    """Address and base URL of all models; None without a gateway."""

    def __init__(self, name: str, args: FleetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        self._plan, self._args = args.plan, args
        self._nodes = args.plan.on_gke
        target = args.plan.target
        called = (*(SERVICES if self._nodes else MANAGED_SERVICES), *services_of(args.plan), *_guards(target))
        first, *services = dict.fromkeys(called)
        google = self._google_provider = google_provider(target, self)
        self._projects_api = self._api(first)
        apis = self._apis = [self._projects_api, *(self._api(each, self._projects_api) for each in services)]
        # A budget, a key's grants and a perimeter name the project by its number too.
        if self._nodes or target.security or (args.plan.monitoring and args.plan.monitoring.billing_account):
            project = gcp.organizations.get_project_output(
                project_id=target.project,
                opts=pulumi.InvokeOutputOptions(provider=google, parent=self, depends_on=[self._projects_api]),
            )
            self._number = project.number
        needed: list[pulumi.Resource] = [*apis, *self._create_grants(google, called)]
        # A component is registered after what it depends on, and its children after it.
        self._google = child(self, providers=[google], depends_on=needed)
        cluster = self._create_nodes(google, needed) if self._nodes else None
        # A project's first cluster brings the pool of its workloads' identities: IAM refuses their names before.
        self._identities = (cluster.cluster,) if cluster else ()
        self._create_token()
        buckets = {model.key: self._create_bucket(model) for model in self._nodes if not model.canary_of}
        self._last: list[pulumi.Resource] = []  # for which nothing else waits
        self._servers: dict[str, pulumi.Resource] = {
            model.key: self._create_model(model, buckets[model.canary_of or model.key]) for model in self._nodes
        }
        for model in self._nodes:
            self._create_collector(model, buckets[model.canary_of or model.key])
        self.gateway = self._create_gateway() if self._nodes else None
        self.endpoints = {model.key: manifests.endpoint(args.plan, model) for model in self._nodes}
        self._create_managed_models()
        self._create_observability()
        self._create_perimeter()
        # After all that nothing else waits for: Pulumi removes it first, or refuses and removes nothing.
        Protection(
            "protection", ProtectionArgs(is_on=target.deletion_protection),
            child(self, depends_on=[*self._servers.values(), *self._last]),
        )  # fmt: skip
        self.cluster_name = cluster.name if cluster else None
        held = [model for model in args.plan.models if model.vertex is None]
        self.buckets = {model.key: manifests.bucket_name(args.plan, model) for model in held}
        outputs = {"endpoints": self.endpoints, "buckets": self.buckets}
        outputs |= {"cluster_name": self.cluster_name} if cluster else {}
        self.register_outputs(outputs | ({"gateway": self.gateway} if self.gateway else {}))

    def _create_grants(self, google: gcp.Provider, services: tuple[str, ...]) -> tuple[pulumi.Resource, ...]:
        """Let Google's services use the stack's key; empty where it has none."""
        target = self._plan.target
        if target.kms_key is None:
            return ()
        args = EncryptionArgs(
            project=target.project, project_number=self._number, kms_key=target.kms_key, services=services,
            apis=tuple(self._apis),
        )  # fmt: skip
        return Encryption("encryption", args, child(self, providers=[google], depends_on=self._apis)).grants

    def _create_perimeter(self) -> None:
        """Put the project into its perimeter, after all that is made from outside of it."""
        asked = self._plan.target.security
        if asked is None or asked.perimeter is None:
            return
        perimeter = gcp.accesscontextmanager.ServicePerimeterResource(
            "perimeter", perimeter_name=asked.perimeter,
            resource=pulumi.Output.concat("projects/", self._number),
            opts=child(self, provider=self._google_provider,
                       depends_on=[*self._apis, *self._servers.values(), *self._last]),
        )  # fmt: skip
        self._last.append(perimeter)

    def _create_nodes(self, google: gcp.Provider, apis: list[pulumi.Resource]) -> Cluster:
        cluster = self._create_cluster(google, apis)
        self._kubernetes = kubernetes_provider(cluster.cluster, self)
        self._create_pools(cluster)
        self._create_transfer(cluster)
        self._create_namespace(cluster)
        self._create_controllers(cluster)
        return cluster

    def _create_managed_models(self) -> None:
        parts = ManagedParts(
            plan=self._plan, google=self._google, hub_secret_id=self._secret_id, token=self._token,
            hub_token=self._args.hub_token,
        )  # fmt: skip
        for model in self._plan.models:
            made = create_model(parts, model)
            if made is not None:
                self.endpoints[model.key] = made.address
                self._last.append(made.server)

    def _create_cluster(self, google: gcp.Provider, apis: list[pulumi.Resource]) -> Cluster:
        target = self._plan.target
        network = self._network = Network(
            "network",
            NetworkArgs(region=target.region, deletion_protection=target.deletion_protection),
            self._google,
        )
        names_first: list[pulumi.Resource] = []
        if target.security and target.security.restricted_apis:
            dns = RestrictedApisArgs(stack=target.stack, network_id=network.network_id)
            names_first.append(RestrictedApis("restricted-apis", dns, self._google))
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
                maintenance=target.maintenance,
                most_system_nodes=most_system_nodes(len(self._nodes)),
                state_metrics=observability.state_metrics(self._plan),
                has_gated_models=any(model.weights.needs_token for model in self._nodes),
                has_gateway=self._plan.gateway is not None,
                binary_authorization=target.binary_authorization,
                kms_key=target.kms_key,
                has_synced_secrets=manifests.synced_secret(self._plan) is not None,
            ),
            # Nodes need the way out before they start.
            child(self, providers=[google], depends_on=[*apis, network, *names_first]),
        )

    def _create_pools(self, cluster: Cluster) -> None:
        pools: dict[str, AcceleratorPool] = {}
        for pool in self._plan.pools:
            args = AcceleratorPoolArgs(
                pool=pool,
                cluster_id=cluster.cluster.id,
                region=self._plan.target.region,
                node_account_email=cluster.node_account_email,
                kms_key=self._plan.target.kms_key,
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
                kms_key=self._plan.target.kms_key,
            )
            self._transfer = (DiskTransfer("hyperdisk-ml", args, self._google),)

    def _create_namespace(self, cluster: Cluster) -> None:
        namespace = register(
            "models",
            manifests.namespace(self._plan),
            # With the system nodes, on which loaders run and without which objects with finalizers stay. Protected,
            # since whatever anyone has put into a namespace goes with it.
            child(
                self,
                provider=self._kubernetes,
                depends_on=[cluster],
                protect=self._plan.target.deletion_protection,
            ),
        )
        here = child(self, provider=self._kubernetes, depends_on=[namespace])
        allowed = [
            register(policy["metadata"]["name"], policy, here) for policy in manifests.network_policies(self._plan)
        ]
        for model in self._nodes:
            if model.hosts > 1:
                group = manifests.group_policy(self._plan, model)
                allowed.append(register(f"{model.key}-peers", group, renamed(here, "{}-peers", model.was)))
        if key := self._plan.target.kms_key:
            disks = child(self, provider=self._kubernetes, depends_on=[cluster])
            allowed.append(register("encrypted-disks", manifests.encrypted_class(key), disks))
        # What lives in the namespace waits for it to be closed, and is gone before it opens.
        closed = manifests.default_deny(self._plan)
        self._namespace = register(
            closed["metadata"]["name"], closed, child(self, provider=self._kubernetes, depends_on=allowed)
        )

    def _create_controllers(self, cluster: Cluster) -> None:
        self._autoscaling: tuple[pulumi.Resource, ...] = ()
        self._groups: tuple[pulumi.Resource, ...] = ()
        if manifests.is_scaled(self._plan):
            args = AutoscalingArgs(
                plan=self._plan,
                operator_member=self._member(manifests.KEDA_ACCOUNT, self._plan.target.keda_namespace),
                after=(cluster, self._namespace),
            )
            both = child(self, providers=[self._google_provider, self._kubernetes])
            self._autoscaling = Autoscaling("autoscaling", args, both).ready
        if any(model.hosts > 1 for model in self._plan.models):
            groups = GroupControllerArgs(after=(cluster,))
            here = child(self, providers=[self._kubernetes])
            self._groups = (GroupController("group-controller", groups, here).ready,)

    def _create_token(self) -> None:
        self._secret_id = f"hubstack-{names.slug(self._plan.target.stack)}-hub-token"
        gated = [model for model in self._nodes if model.weights.needs_token]
        self._token: tuple[pulumi.Resource, ...] = ()
        # A loader on Cloud Run has an account of its own, and with it its grant.
        if gated or any(is_gated_on_run(model) for model in self._plan.models):
            args = HubTokenArgs(
                target=self._plan.target,
                secret_id=self._secret_id,
                readers={model.key: self._member(manifests.loader_account(model)) for model in gated},
                was={model.key: model.was for model in gated},
                after=self._identities,
                value=self._args.hub_token,
            )
            self._token = (HubToken("hub-token", args, self._google),)

    def _create_bucket(self, model: ModelPlan) -> WeightsBucket:
        """Make a model's bucket, which its canary uses too; each has identities of its own."""
        plan, target = self._plan, self._plan.target
        canary = manifests.canary_for(plan, model)
        users = {"": model} | ({"canary-": canary} if canary else {})
        return WeightsBucket(
            f"{model.key}-weights",
            WeightsBucketArgs(
                bucket_name=manifests.bucket_name(plan, model),
                region=target.region,
                readers={f"{of}server": self._member(manifests.server_name(each)) for of, each in users.items()},
                writers={f"{of}loader": self._member(manifests.loader_account(each)) for of, each in users.items()},
                labels=names.labels(target.stack, {"hubstack-model": names.label_value(names.made_as(model))}),
                after=self._identities,
                cache_zones=model.loading.cache_zones,
                kms_key=target.kms_key,
            ),
            renamed(self._google, "{}-weights", model.was),
        )

    def _create_model(self, model: ModelPlan, bucket: WeightsBucket) -> ModelServer:
        plan, here = self._plan, child(self, providers=[self._kubernetes])
        token = self._token if model.weights.needs_token else ()
        loader = WeightsLoader(
            f"{model.key}-loader",
            WeightsLoaderArgs(
                plan=plan, model=model, hub_secret_id=self._secret_id, after=(self._namespace, bucket, *token)
            ),
            renamed(here, "{}-loader", model.was),
        )
        weights: tuple[pulumi.Resource, ...] = (loader,)
        if model.loading.method is LoadingMethod.HYPERDISK_ML:
            disk = WeightsDiskArgs(plan=plan, model=model, after=(self._namespace, loader, *self._transfer))
            weights = (loader, WeightsDisk(f"{model.key}-disk", disk, renamed(here, "{}-disk", model.was)))
        groups = self._groups if model.hosts > 1 else ()
        return ModelServer(
            model.key,
            ModelServerArgs(
                plan=plan,
                model=model,
                after=(self._namespace, *weights, self._classes[model.capacity_class], *groups),
                autoscaling=self._autoscaling,
            ),
            renamed(here, "{}", model.was),
        )

    def _create_collector(self, model: ModelPlan, bucket: WeightsBucket) -> None:
        """Remove what was replaced, once every server that reads the bucket has switched."""
        if not model.weights.replaces:
            return
        own = model.canary_of or model.key
        readers = [self._servers[other.key] for other in self._nodes if own in {other.key, other.canary_of}]
        args = WeightsCollectorArgs(plan=self._plan, model=model, after=(*readers, bucket))
        here = renamed(child(self, providers=[self._kubernetes]), "{}-collector", model.was)
        self._last.append(WeightsCollector(f"{model.key}-collector", args, here))

    def _create_gateway(self) -> dict[str, pulumi.Output[str]] | None:
        plan = self._plan
        if plan.gateway is None:
            return None
        by_key = plan.gateway.auth is GatewayAuth.API_KEYS
        gateway = Gateway(
            "gateway",
            GatewayArgs(
                plan=plan,
                network_id=self._network.network_id,
                subnet_id=self._network.subnet_id,
                secret_reader=self._member(manifests.SYNC_ACCOUNT),
                secret_value=self._args.api_key if by_key else self._args.iap_client_secret,
                servers=self._servers,
                after=(self._namespace, *(self._autoscaling if manifests.resting(plan) else ())),
            ),
            child(self, providers=[self._google_provider, self._kubernetes], depends_on=self._apis),
        )
        self._last.append(gateway)
        return {"address": gateway.address, "url": gateway.url}

    def _create_observability(self) -> None:
        monitoring = self._plan.monitoring
        if monitoring is None or not (self._nodes or monitoring.billing_account):
            return  # what runs beside a cluster is watched by its own product's charts
        # The only stack that needs this API is one with a budget.
        apis = [
            *self._apis,
            *([self._api("billingbudgets", self._projects_api)] if monitoring.billing_account else []),
        ]
        after: tuple[pulumi.Resource, ...] = (self._namespace,) if self._nodes else ()
        args = ObservabilityArgs(
            plan=self._plan, monitoring=monitoring, metrics=self._args.engine_metrics, project_number=self._number,
            after=after,
        )  # fmt: skip
        providers = [self._google_provider, *([self._kubernetes] if self._nodes else [])]
        here = child(self, providers=providers, depends_on=[*apis, *after])
        self._last.append(Observability("observability", args, here))

    def _api(self, service: str, *after: gcp.projects.Service) -> gcp.projects.Service:
        return gcp.projects.Service(
            f"api-{service}", service=f"{service}.googleapis.com",
            # Off would turn the API off for everyone in the project.
            disable_on_destroy=False,
            # Resource Manager's comes first: by it the provider looks at the project after it turned on another
            # (terraform-provider-google, resource_google_project_service.go, read 2026-11-25).
            opts=child(self, provider=self._google_provider, depends_on=list(after)),
        )  # fmt: skip

    def _member(self, account: str, namespace: str | None = None) -> pulumi.Output[str]:
        """IAM's name of a Kubernetes service account (facts: gke.md 4.3): number in the path, id in the pool.

        Of the models' namespace unless another one is named.
        """
        target = self._plan.target
        return pulumi.Output.format(
            "principal://iam.googleapis.com/projects/{0}/locations/global/workloadIdentityPools/{1}.svc.id.goog"
            "/subject/ns/{2}/sa/{3}",
            self._number, target.project, namespace or target.namespace, account,
        )  # fmt: skip


def _guards(target: TargetPlan) -> tuple[str, ...]:
    """Google APIs that the settings of `hubstack.inputs.security` call."""
    asked = target.security
    if asked is None:
        return ()
    called = (("accesscontextmanager", asked.perimeter), ("binaryauthorization", asked.binary_authorization),
              ("cloudkms", asked.kms_key), ("dns", asked.restricted_apis))  # fmt: skip
    return tuple(name for name, is_called in called if is_called)
