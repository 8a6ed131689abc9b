# SPDX-License-Identifier: Apache-2.0
"""The target of a stack: the part of the Plan that describes project, region and cluster.

Owns the type. `hubstack.inputs.settings` reads the user's settings.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hubstack import names
from hubstack.files.jsonable import OMITTED_IF_NONE
from hubstack.names import KEDA_NAMESPACE
from hubstack.plan.existing_cluster import Component, ExistingCluster
from hubstack.plan.images import ImagesPlan
from hubstack.plan.network import OWN, NetworkPlan
from hubstack.plan.settings import MaintenancePlan, SecretVersions, SecurityPlan
from hubstack.plan.teams import TeamPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPlan:
    """The target of a stack."""

    stack: str
    project: str
    region: str
    namespace: str
    deletion_protection: bool
    release_channel: str
    """GKE release channel."""
    maintenance: MaintenancePlan | None = None
    """When GKE may upgrade; None means at any time."""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    """Google Cloud labels of every resource: hubstack's and the user's."""
    keda_namespace: str = KEDA_NAMESPACE
    """Namespace of the autoscaler: unique if clusters share a project, because IAM identifies its account by
    namespace."""
    requires_api_key: bool = False
    """Whether servers require the API key that the gateway's clients send."""
    security: SecurityPlan | None = None
    """Security settings beyond Google's defaults; None means none."""
    network: NetworkPlan | None = field(default=None, metadata=OMITTED_IF_NONE)
    """The network; None means the stack's own with the default ranges."""
    cluster: ExistingCluster | None = field(default=None, metadata=OMITTED_IF_NONE)
    """The cluster that the stack uses; None means one of its own."""
    teams: tuple[TeamPlan, ...] | None = field(default=None, metadata=OMITTED_IF_NONE)
    """Teams, sorted by key; None if all models are in one namespace."""
    team: TeamPlan | None = field(default=None, metadata=OMITTED_IF_NONE)
    """Set in the target of a team's models only (`of_team`)."""
    images: ImagesPlan | None = field(default=None, metadata=OMITTED_IF_NONE)
    """Mirrors and locked digests of images; None means that every image runs as published, by its tag."""

    @property
    def cluster_name(self) -> str:
        """Return the name of the GKE cluster; metrics use it as a label."""
        return self.cluster.name if self.cluster else names.cluster_name(self.stack)

    @property
    def cluster_project(self) -> str:
        """Return the project of the GKE cluster, whose identity pool its service accounts are in."""
        return self.cluster.project if self.cluster else self.project

    @property
    def cluster_location(self) -> str:
        """Return the region or zone of the GKE cluster."""
        return self.cluster.location if self.cluster else self.region

    def of_team(self, key: str | None) -> "TargetPlan":
        """Return the target of a team's models, in its namespace; the same target without a team."""
        team = next((each for each in self.teams or () if each.key == key), None)
        return replace(self, namespace=team.namespace, team=team) if team else self

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Return every namespace with models, the stack's first."""
        return (self.namespace, *(team.namespace for team in self.teams or ()))

    def has_installed(self, component: Component) -> bool:
        """Return whether the cluster has a controller that others installed."""
        return self.cluster is not None and self.cluster.has(component)

    def image(self, published: str) -> str:
        """Return what a container names for a published image."""
        return self.images.reference(published) if self.images else published

    secret_versions: SecretVersions | None = field(default=None, metadata=OMITTED_IF_NONE)
    """Number of each secret's value; None means never rotated."""

    @property
    def secret_numbers(self) -> SecretVersions:
        """Return the number of each secret's value."""
        return self.secret_versions or SecretVersions()

    @property
    def own_labels(self) -> dict[str, str]:
        """Return the user's labels, without hubstack's."""
        return {key: value for key, value in self.labels.items() if key not in names.labels(self.stack)}

    @property
    def addresses(self) -> NetworkPlan:
        """Return the network with its ranges."""
        return self.network or OWN

    @property
    def kms_key(self) -> str | None:
        """Return the key that encrypts what the stack stores; None means Google's own."""
        return self.security.kms_key if self.security else None

    @property
    def binary_authorization(self) -> bool:
        """Return whether images are checked against the project's Binary Authorization policy."""
        return self.security is not None and self.security.binary_authorization

    @property
    def private_control_plane(self) -> bool:
        """Return whether the control plane is reached only at its address in the network."""
        return self.security is not None and self.security.private_control_plane
