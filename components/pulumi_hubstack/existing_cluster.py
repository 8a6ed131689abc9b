# SPDX-License-Identifier: Apache-2.0
"""A cluster that exists: its facts as the API gives them, and the account of the nodes that the stack adds to it.

Registers no cluster, network or system pool, so a destroyed stack leaves them as they are. What the cluster lacks
is shown by a preview and stops an update before anything is created in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_gcp as gcp

from hubstack.plan.existing_cluster import ClusterFacts, ExistingCluster, Feature
from hubstack.planner.existing_cluster import lacks
from pulumi_hubstack.cluster import create_node_account

TOKEN = "hubstack:existing_cluster:UsedCluster"  # noqa: S105  a type token


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedClusterArgs:
    """Inputs of a cluster that exists."""

    stack: str
    """Name of the stack, part of the name of its nodes' service account."""
    cluster: ExistingCluster
    has_pools: bool
    """Whether the stack adds node pools, which need a service account."""
    provider: gcp.Provider
    """Provider that asks for the cluster."""
    after: tuple[pulumi.Resource, ...]
    """Resources to create before it is asked: the project's APIs."""


class UsedCluster(pulumi.ComponentResource):
    """The cluster as found, and a service account for the stack's nodes."""

    name: pulumi.Output[str]
    """Name of the GKE cluster."""
    cluster_id: pulumi.Output[str]
    """Full name of the cluster, known once it has what the stack needs."""
    node_account_email: pulumi.Output[str]
    """E-mail address of the nodes' service account."""
    dns_host: pulumi.Output[str]
    """Host of the control plane's DNS endpoint."""
    private: pulumi.Output[tuple[str, str]]
    """Private address of the control plane, and the certificate of its authority."""
    identities: tuple[pulumi.Resource, ...] = ()
    """The cluster's identity pool is there."""

    def __init__(self, name: str, args: UsedClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        used = args.cluster
        found = gcp.container.get_cluster_output(
            name=used.name,
            location=used.location,
            project=used.project,
            opts=pulumi.InvokeOutputOptions(provider=args.provider, parent=self, depends_on=list(args.after)),
        )
        facts = found.apply(lambda answer: self._checked(used, answer))
        self.name = pulumi.Output.from_input(used.name)
        self.cluster_id = facts.apply(lambda _: cluster_id(used))
        self.dns_host = facts.apply(lambda known: known.dns_host or "")
        self.private = facts.apply(lambda known: (known.private_address or "", known.certificate or ""))
        self.node_account_email = self._node_account(name, args)
        self.register_outputs({"name": self.name})

    def _checked(self, used: ExistingCluster, answer: Any) -> ClusterFacts:
        """Return the facts of the cluster.

        Raises:
            RunError: the cluster lacks what the stack needs, and this is no preview.
        """
        if answer is None or getattr(answer, "master_version", None) is None:
            if answer is not None and not pulumi.runtime.is_dry_run():
                raise pulumi.RunError(f"the cluster {cluster_id(used)} was not found")
            return _UNKNOWN
        facts = facts_of(answer)
        missing = [f"`hubstack:cluster`: {used.name}: {each}" for each in lacks(used, facts)]
        if missing and not pulumi.runtime.is_dry_run():
            raise pulumi.RunError("\n".join(missing))
        for each in missing:
            pulumi.log.warn(each, self)
        return facts

    def _node_account(self, name: str, args: UsedClusterArgs) -> pulumi.Output[str]:
        used = args.cluster
        if used.node_account or not args.has_pools:
            return pulumi.Output.from_input(used.node_account or "")
        account, roles = create_node_account(self, name, args.stack, used.project, account_project=used.project)
        # Nodes start with their roles.
        return pulumi.Output.all(account.email, *(role.id for role in roles)).apply(lambda made: str(made[0]))


_UNKNOWN = ClusterFacts(
    name="", location="", version="", is_autopilot=False, features=frozenset(), workload_pool=None
)


def cluster_id(used: ExistingCluster) -> str:
    """Return the full name of a cluster."""
    return f"projects/{used.project}/locations/{used.location}/clusters/{used.name}"


def facts_of(answer: Any) -> ClusterFacts:
    """Return what the provider's function says of a cluster; a block is a list of at most one."""
    addons, monitoring = _first(answer.addons_configs), _first(answer.monitoring_configs)
    endpoints, private = _first(answer.control_plane_endpoints_configs), _first(answer.private_cluster_configs)
    dns = _first(_of(endpoints, "dns_endpoint_configs"))
    on: Mapping[Feature, bool] = {
        Feature.FUSE: _is_on(_of(addons, "gcs_fuse_csi_driver_configs")),
        Feature.FQDN_POLICIES: bool(answer.enable_fqdn_network_policy),
        Feature.PROMETHEUS: _is_on(_of(monitoring, "managed_prometheuses")),
        Feature.SECRET_MANAGER: _is_on(answer.secret_manager_configs),
        Feature.SECRET_SYNC: _is_on(answer.secret_sync_configs),
        Feature.CONNECT: bool(_of(dns, "allow_external_traffic")),
        Feature.DATAPLANE: answer.datapath_provider == "ADVANCED_DATAPATH",
        Feature.GATEWAY: _of(_first(answer.gateway_api_configs), "channel") == "CHANNEL_STANDARD",
        Feature.LOAD_BALANCING: not _of(_first(_of(addons, "http_load_balancings")), "disabled"),
        Feature.BINARY_AUTHORIZATION: _of(_first(answer.binary_authorizations), "evaluation_mode")
        == "PROJECT_SINGLETON_POLICY_ENFORCE",
    }
    return ClusterFacts(
        name=answer.name,
        location=answer.location or "",
        version=answer.master_version,
        is_autopilot=bool(answer.enable_autopilot),
        features=frozenset(feature for feature, is_on in on.items() if is_on),
        workload_pool=_of(_first(answer.workload_identity_configs), "workload_pool"),
        metrics=tuple(_of(monitoring, "enable_components") or ()),
        dns_host=_of(dns, "endpoint"),
        private_address=_of(private, "private_endpoint"),
        certificate=_of(_first(answer.master_auths), "cluster_ca_certificate"),
    )


def _first(block: Sequence[Any] | None) -> Any:
    return block[0] if block else None


def _of(block: Any, key: str) -> Any:
    return getattr(block, key, None) if block is not None else None


def _is_on(block: Sequence[Any] | None) -> bool:
    return bool(_of(_first(block), "enabled"))
