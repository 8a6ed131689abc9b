# SPDX-License-Identifier: Apache-2.0
"""The base of a fleet: APIs, key grants, network, cluster, pools, namespace and the Hub token.

Registers what the plan says and decides nothing. A stack without models on GKE has no cluster.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

from hubstack import names
from hubstack.deploy import manifests
from hubstack.deploy import monitoring as observability
from hubstack.deploy.images import remote_repositories
from hubstack.plan import Plan
from hubstack.plan.existing_cluster import Component, ExistingCluster
from hubstack.plan.loading import LoadingMethod
from hubstack.plan.network import Grants
from hubstack.plan.target import TargetPlan
from pulumi_hubstack._objects import register
from pulumi_hubstack._options import (
    child,
    found_kubernetes_provider,
    google_provider,
    kubernetes_provider,
    renamed,
)
from pulumi_hubstack.accelerator_pool import AcceleratorPool, AcceleratorPoolArgs
from pulumi_hubstack.autoscaling import Autoscaling, AutoscalingArgs
from pulumi_hubstack.cluster import Cluster, ClusterArgs
from pulumi_hubstack.disk_transfer import DiskTransfer, DiskTransferArgs
from pulumi_hubstack.encryption import Encryption, EncryptionArgs
from pulumi_hubstack.existing_cluster import UsedCluster, UsedClusterArgs
from pulumi_hubstack.group_controller import GroupController, GroupControllerArgs
from pulumi_hubstack.hub_token import HubToken, HubTokenArgs
from pulumi_hubstack.image_repositories import ImageRepositories, ImageRepositoriesArgs
from pulumi_hubstack.managed_models import SERVICES as MANAGED_SERVICES
from pulumi_hubstack.network import Network, NetworkArgs
from pulumi_hubstack.platforms import reads_token, services_of
from pulumi_hubstack.restricted_apis import RestrictedApis, RestrictedApisArgs
from pulumi_hubstack.shared_network import SharedNetwork, SharedNetworkArgs

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
"""Google APIs used by a stack with a cluster; the others depend on the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The Google Cloud project with its APIs enabled."""

    target: TargetPlan
    provider: gcp.Provider
    apis: tuple[gcp.projects.Service, ...]
    """Enabled APIs; Resource Manager's comes first."""
    number: pulumi.Output[str] | None
    """The project's number; None if no resource needs it."""
    cluster_number: pulumi.Output[str] | None = None
    """Number of the cluster's project if that is another one."""

    def known_number(self) -> pulumi.Output[str]:
        """Return the project's number, which every stack with a cluster has."""
        if self.number is None:
            raise ValueError("this stack did not look up its project number")
        return self.number

    def member(self, account: str, namespace: str | None = None) -> pulumi.Output[str]:
        """Return the IAM member of a Kubernetes service account, by default in the models' namespace.

        The path has the project's number, the pool name its ID (GKE docs, "About Workload Identity Federation for
        GKE").
        """
        return pulumi.Output.format(
            "principal://iam.googleapis.com/projects/{0}/locations/global/workloadIdentityPools/{1}.svc.id.goog"
            "/subject/ns/{2}/sa/{3}",
            self.cluster_number or self.known_number(),
            self.target.cluster_project,
            namespace or self.target.namespace,
            account,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFoundation:
    """The base of models that run on nodes."""

    cluster: Cluster | UsedCluster
    kubernetes: kubernetes.Provider
    network: Network | None
    """None in a cluster that exists, for a stack without a gateway."""
    classes: Mapping[str, pulumi.Resource]
    """ComputeClasses by key of the capacity class."""
    namespaces: Mapping[str | None, pulumi.Resource]
    """Key of a team, or None for models without one, to the models' namespace and its network policies."""
    transfer: tuple[pulumi.Resource, ...]
    """Resources that fill disks; empty if no model keeps its weights on one."""
    autoscaling: tuple[pulumi.Resource, ...]
    groups: tuple[pulumi.Resource, ...]
    """The controller of multi-node replicas; empty if there are none."""
    images: tuple[pulumi.Resource, ...]
    """The stack's own image repositories; empty if it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundation:
    """The base of every model."""

    project: Project
    google: pulumi.ResourceOptions
    """Options of resources that depend on APIs and grants."""
    nodes: NodeFoundation | None
    """None where no model is on GKE."""
    hub_secret_id: str
    token: tuple[pulumi.Resource, ...]
    """The Hub token's secret; empty if no model is gated."""

    @property
    def identities(self) -> tuple[pulumi.Resource, ...]:
        """Return what IAM grants depend on: a project's first cluster creates its workload identity pool."""
        return self.nodes.cluster.identities if self.nodes else ()


def build_foundation(parent: pulumi.Resource, plan: Plan, hub_token: pulumi.Input[str] | None) -> Foundation:
    """Register the resources that a plan's models depend on."""
    target, on_gke = plan.target, bool(plan.on_gke)
    repositories = remote_repositories(plan)
    called = (
        *(SERVICES if on_gke else MANAGED_SERVICES),
        *services_of(plan),
        *_guards(target),
        *_names(plan),
        *(("artifactregistry",) if repositories else ()),
    )
    project = _enable_apis(parent, plan, called)
    needed: list[pulumi.Resource] = [*project.apis, *_create_grants(parent, project, called)]
    # A component is registered after its dependencies, and its children after it.
    google = child(parent, providers=[project.provider], depends_on=needed)
    nodes = _create_nodes(parent, plan, project, google, needed) if on_gke else None
    if repositories:
        pulled = nodes.images if nodes else _create_repositories(plan, None, google)
        google = child(parent, providers=[project.provider], depends_on=[*needed, *pulled])
    secret_id = f"hubstack-{names.slug(target.stack)}-hub-token"
    bare = Foundation(project=project, google=google, nodes=nodes, hub_secret_id=secret_id, token=())
    return Foundation(
        project=project,
        google=google,
        nodes=nodes,
        hub_secret_id=secret_id,
        token=_create_token(plan, bare, hub_token),
    )


def enable_api(
    parent: pulumi.Resource, provider: gcp.Provider, service: str, *after: gcp.projects.Service
) -> gcp.projects.Service:
    """Enable a Google API."""
    return gcp.projects.Service(
        f"api-{service}",
        service=f"{service}.googleapis.com",
        # Disabling it would disable the API for everyone in the project.
        disable_on_destroy=False,
        # Resource Manager's API comes first: the provider uses it to look up the project after enabling another
        # (terraform-provider-google, resource_google_project_service.go, read 2026-11-25).
        opts=child(parent, provider=provider, depends_on=list(after)),
    )


def _enable_apis(parent: pulumi.Resource, plan: Plan, called: Sequence[str]) -> Project:
    target, monitoring = plan.target, plan.monitoring
    first, *services = dict.fromkeys(called)
    google = google_provider(target, parent)
    projects_api = enable_api(parent, google, first)
    apis = (projects_api, *(enable_api(parent, google, each, projects_api) for each in services))
    number = None
    # A budget, key grants and a perimeter need the project number too.
    if plan.on_gke or target.security or (monitoring and monitoring.billing_account):
        found = gcp.organizations.get_project_output(
            project_id=target.project,
            opts=pulumi.InvokeOutputOptions(provider=google, parent=parent, depends_on=[projects_api]),
        )
        number = found.number
    cluster_number = None
    if plan.on_gke and target.cluster_project != target.project:
        others = gcp.organizations.get_project_output(
            project_id=target.cluster_project,
            opts=pulumi.InvokeOutputOptions(provider=google, parent=parent, depends_on=[projects_api]),
        )
        cluster_number = others.number
    return Project(target=target, provider=google, apis=apis, number=number, cluster_number=cluster_number)


def _names(plan: Plan) -> tuple[str, ...]:
    """Return the Google APIs that a gateway's record and certificate need."""
    asked = plan.gateway
    if asked is None or asked.dns_zone is None:
        return ()
    return ("dns", *(("certificatemanager",) if asked.issues_certificate else ()))


def _guards(target: TargetPlan) -> tuple[str, ...]:
    """Return the Google APIs that the security settings need (`hubstack.inputs.security`)."""
    asked = target.security
    if asked is None:
        return ()
    called = (
        ("accesscontextmanager", asked.perimeter),
        ("binaryauthorization", asked.binary_authorization),
        ("cloudkms", asked.kms_key),
        ("dns", asked.restricted_apis),
    )
    return tuple(name for name, is_called in called if is_called)


def _create_grants(
    parent: pulumi.Resource, project: Project, services: Sequence[str]
) -> tuple[pulumi.Resource, ...]:
    """Let Google's services use the stack's key; return nothing if it has none."""
    target = project.target
    if target.kms_key is None:
        return ()
    args = EncryptionArgs(
        project=target.project,
        project_number=project.known_number(),
        kms_key=target.kms_key,
        services=tuple(services),
        apis=project.apis,
    )
    here = child(parent, providers=[project.provider], depends_on=list(project.apis))
    return Encryption("encryption", args, here).grants


def _create_nodes(
    parent: pulumi.Resource,
    plan: Plan,
    project: Project,
    google: pulumi.ResourceOptions,
    needed: list[pulumi.Resource],
) -> NodeFoundation:
    target = plan.target
    if used := target.cluster:
        network = Network("network", _network_args(target), google) if target.network else None
        cluster, provider = _use_cluster(parent, plan, used, project, needed)
    else:
        network = Network("network", _network_args(target), google)
        cluster, provider = _create_cluster(parent, plan, project, network, google, needed)
    classes = _create_pools(parent, plan, cluster, provider, google)
    transfer = _create_transfer(plan, cluster, provider, google)
    # The account of Autopilot's nodes is not known here: the plan names the grant.
    reader = None if used and used.is_autopilot else cluster.node_account_email
    images = _create_repositories(plan, reader, google)
    namespaces = _create_namespaces(parent, plan, (cluster, *images), provider)
    autoscaling: tuple[pulumi.Resource, ...] = ()
    if manifests.is_scaled(plan) and target.has_installed(Component.KEDA):
        # Namespace, policies and grant of an installed KEDA are its owners'.
        here = child(parent, provider=provider, depends_on=list(namespaces.values()))
        autoscaling = tuple(
            register(f"autoscaling-{key}authentication", obj, here)
            for key, obj in manifests.trigger_authentications(target).items()
        )
    elif manifests.is_scaled(plan):
        member = project.member(manifests.KEDA_ACCOUNT, target.keda_namespace)
        args = autoscaling_args(plan, member, (cluster, *namespaces.values(), *images))
        both = child(parent, providers=[project.provider, provider])
        autoscaling = Autoscaling("autoscaling", args, both).ready
    groups: tuple[pulumi.Resource, ...] = ()
    if any(model.hosts > 1 for model in plan.models) and not target.has_installed(Component.LWS):
        controller = GroupControllerArgs(target=plan.target, after=(cluster, *images))
        groups = (GroupController("group-controller", controller, child(parent, providers=[provider])).ready,)
    return NodeFoundation(
        cluster=cluster,
        kubernetes=provider,
        network=network,
        classes=classes,
        namespaces=namespaces,
        transfer=transfer,
        autoscaling=autoscaling,
        groups=groups,
        images=images,
    )


def _create_cluster(
    parent: pulumi.Resource,
    plan: Plan,
    project: Project,
    network: Network,
    google: pulumi.ResourceOptions,
    needed: list[pulumi.Resource],
) -> tuple[Cluster, kubernetes.Provider]:
    target = plan.target
    asked, names_first = target.security, list[pulumi.Resource]()
    if asked and asked.restricted_apis:
        dns = RestrictedApisArgs(stack=target.stack, network_id=network.network_id)
        names_first.append(RestrictedApis("restricted-apis", dns, google))
    used = target.addresses.existing
    if used and used.is_shared and target.addresses.grants is Grants.DECLARED:
        grants = SharedNetworkArgs(network=used, project_number=project.known_number())
        names_first.append(SharedNetwork("shared-network", grants, google))
    # Nodes need NAT before they start.
    first = child(parent, providers=[project.provider], depends_on=[*needed, network, *names_first])
    cluster = Cluster("cluster", _cluster_args(plan, network), first)
    return cluster, kubernetes_provider(cluster.cluster, parent, is_private=target.private_control_plane)


def _use_cluster(
    parent: pulumi.Resource, plan: Plan, used: ExistingCluster, project: Project, needed: list[pulumi.Resource]
) -> tuple[UsedCluster, kubernetes.Provider]:
    args = UsedClusterArgs(
        stack=plan.target.stack,
        cluster=used,
        has_pools=not used.is_autopilot,
        provider=project.provider,
        after=tuple(needed),
    )
    cluster = UsedCluster("cluster", args, child(parent, providers=[project.provider], depends_on=needed))
    private = cluster.private if plan.target.private_control_plane else None
    return cluster, found_kubernetes_provider(cluster.dns_host, private, parent)


def _create_repositories(
    plan: Plan, node_account_email: pulumi.Output[str] | None, google: pulumi.ResourceOptions
) -> tuple[pulumi.Resource, ...]:
    """Register the image repositories of the stack's own, if it asks for them."""
    repositories = remote_repositories(plan)
    if not repositories:
        return ()
    args = ImageRepositoriesArgs(
        stack=plan.target.stack,
        region=plan.target.region,
        repositories=repositories,
        node_account_email=node_account_email,
        kms_key=plan.target.kms_key,
    )
    return ImageRepositories("images", args, google).ready


def _network_args(target: TargetPlan) -> NetworkArgs:
    return NetworkArgs(
        region=target.region,
        deletion_protection=target.deletion_protection,
        flow_logs=target.security is not None and target.security.flow_logs,
        plan=target.addresses,
    )


def autoscaling_args(
    plan: Plan, operator_member: pulumi.Input[str], after: tuple[pulumi.Resource, ...]
) -> AutoscalingArgs:
    """Return the part of a plan that is autoscaling; `AutoscalingArgs` has the other parameters."""
    sleepers = manifests.scale_to_zero_models(plan)
    return AutoscalingArgs(
        target=plan.target,
        policies=manifests.keda_policies(plan),
        interceptor_callers=manifests.interceptor_callers(plan) if sleepers else None,
        activation_timeout_seconds=manifests.max_activation_timeout(plan),
        operator_member=operator_member,
        after=after,
    )


def _cluster_args(plan: Plan, network: Network) -> ClusterArgs:
    target = plan.target
    return ClusterArgs(
        stack=target.stack,
        project=target.project,
        region=target.region,
        network_id=network.network_id,
        subnet_id=network.subnet_id,
        pods_range=target.addresses.pods_range,
        services_range=target.addresses.services_range,
        release_channel=target.release_channel,
        deletion_protection=target.deletion_protection,
        maintenance=target.maintenance,
        max_system_nodes=plan.max_system_nodes,
        state_metrics=observability.state_metrics(plan),
        has_gated_models=any(model.needs_token for model in plan.on_gke),
        has_gateway=plan.gateway is not None,
        binary_authorization=target.binary_authorization,
        kms_key=target.kms_key,
        has_synced_secrets=plan.callers is not None or manifests.synced_secret(target, plan.gateway) is not None,
        private_control_plane=target.private_control_plane,
        intranode_visibility=target.security is not None and target.security.intranode_visibility,
    )


def _create_pools(
    parent: pulumi.Resource,
    plan: Plan,
    cluster: Cluster | UsedCluster,
    provider: kubernetes.Provider,
    google: pulumi.ResourceOptions,
) -> Mapping[str, pulumi.Resource]:
    target, used = plan.target, plan.target.cluster
    pools: dict[str, AcceleratorPool] = {}
    # Autopilot's nodes come from the rules of the classes.
    for pool in () if used and used.is_autopilot else plan.pools:
        args = AcceleratorPoolArgs(
            pool=pool,
            cluster_id=cluster.cluster_id,
            region=target.cluster_location,
            node_account_email=cluster.node_account_email,
            kms_key=target.kms_key,
        )
        pools[pool.key] = AcceleratorPool(pool.key, args, google)
    return {
        capacity.key: register(
            f"class-{capacity.key}",
            manifests.capacity_class(plan, capacity),
            # New pools are created before the class names them; old ones are deleted after it drops them.
            child(parent, provider=provider, depends_on=[pools[pool] for pool in capacity.pools if pool in pools]),
        )
        for capacity in plan.classes
    }


def _create_transfer(
    plan: Plan, cluster: Cluster | UsedCluster, provider: kubernetes.Provider, google: pulumi.ResourceOptions
) -> tuple[pulumi.Resource, ...]:
    """Register the disk transfer if a model keeps its weights on a disk."""
    on_disk = [model for model in plan.models if model.loading.method is LoadingMethod.HYPERDISK_ML]
    if not on_disk:
        return ()
    args = DiskTransferArgs(
        cluster_id=cluster.cluster_id,
        region=plan.target.region,
        zones=manifests.disk_zones(plan),
        max_nodes=len(on_disk),
        throughput_mib=max(model.loading.disk_throughput_mib for model in on_disk),
        node_account_email=cluster.node_account_email,
        kubernetes=provider,
        kms_key=plan.target.kms_key,
    )
    return (DiskTransfer("hyperdisk-ml", args, google),)


def _create_namespaces(
    parent: pulumi.Resource, plan: Plan, after: tuple[pulumi.Resource, ...], provider: kubernetes.Provider
) -> Mapping[str | None, pulumi.Resource]:
    target = plan.target
    disks: list[pulumi.Resource] = []
    if key := target.kms_key:
        here = child(parent, provider=provider, depends_on=list(after))
        disks.append(register("encrypted-disks", manifests.encrypted_class(target, key), here))
    made: dict[str | None, pulumi.Resource] = {}
    for part in plan.by_namespace():
        team = part.target.team
        made[team and team.key] = _create_namespace(parent, part, after, provider, disks)
    return made


def _create_namespace(
    parent: pulumi.Resource,
    plan: Plan,
    after: tuple[pulumi.Resource, ...],
    provider: kubernetes.Provider,
    disks: list[pulumi.Resource],
) -> pulumi.Resource:
    target = plan.target
    start = f"team-{target.team.key}-" if target.team else ""
    # Depends on the system nodes: loaders run there, and without them objects with finalizers are never deleted.
    # Protected, because deleting a namespace deletes everything in it.
    guarded = child(parent, provider=provider, depends_on=list(after), protect=target.deletion_protection)
    namespace = register(f"{start}models", manifests.namespace(plan), guarded)
    here = child(parent, provider=provider, depends_on=[namespace])
    allowed = [
        register(f"{start}{policy['metadata']['name']}", policy, here)
        for policy in manifests.network_policies(plan)
    ]
    for model in plan.on_gke:
        if model.hosts > 1:
            group = manifests.group_policy(target, model)
            allowed.append(register(f"{model.key}-peers", group, renamed(here, "{}-peers", model.was)))
    if quota := manifests.team_quota(target):
        allowed.append(register(f"{start}quota", quota, here))
    if priority := manifests.team_priority(target):
        everywhere = child(parent, provider=provider, depends_on=list(after))
        allowed.append(register(f"{start}priority", priority, everywhere))
    # Objects in the namespace depend on its network policies, and are deleted before them.
    closed = manifests.default_deny(target)
    here = child(parent, provider=provider, depends_on=[*allowed, *disks])
    return register(f"{start}{closed['metadata']['name']}", closed, here)


def _create_token(plan: Plan, base: Foundation, hub_token: pulumi.Input[str] | None) -> tuple[pulumi.Resource, ...]:
    gated = [model for model in plan.on_gke if model.needs_token]
    # Loaders on Cloud Run have their own accounts and grants.
    if not gated and not any(map(reads_token, plan.models)):
        return ()
    args = HubTokenArgs(
        target=plan.target,
        secret_id=base.hub_secret_id,
        readers={
            model.key: base.project.member(manifests.loader_account(model), plan.target_of(model).namespace)
            for model in gated
        },
        was={model.key: model.was for model in gated},
        after=base.identities,
        value=hub_token,
    )
    return (HubToken("hub-token", args, base.google),)
