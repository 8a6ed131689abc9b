# SPDX-License-Identifier: Apache-2.0
"""A GKE cluster that exists and that the stack uses but does not own: what is known of it, and what it needs.

Owns the types. `hubstack.inputs.existing_cluster` reads the user's setting, `hubstack.inputs.cluster_facts` what
gcloud says of the cluster, and `hubstack.planner.existing_cluster` decides what it needs and what it lacks.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class Component(StrEnum):
    """A controller that a cluster has once, whoever installed it."""

    KEDA = "keda"
    HTTP_ADD_ON = "http-add-on"
    LWS = "lws"


class Feature(StrEnum):
    """Something of GKE that is turned on for a whole cluster."""

    BINARY_AUTHORIZATION = "Binary Authorization"
    CONNECT = "access through the DNS endpoint"
    DATAPLANE = "Dataplane V2"
    FQDN_POLICIES = "FQDN network policies"
    FUSE = "the Cloud Storage FUSE CSI driver"
    GATEWAY = "the Gateway API"
    LOAD_BALANCING = "HTTP load balancing"
    PROMETHEUS = "Google Cloud Managed Service for Prometheus"
    SECRET_MANAGER = "the Secret Manager add-on"  # noqa: S105  a name
    SECRET_SYNC = "secret sync from Secret Manager"  # noqa: S105  a name
    WORKLOAD_IDENTITY = "Workload Identity Federation for GKE"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """What Google says of a cluster."""

    name: str
    location: str
    version: str
    """Version of the control plane (`1.36.3-gke.100`)."""
    is_autopilot: bool
    features: frozenset[Feature]
    """What is on, except Workload Identity, whose pool must be that of the cluster's project."""
    workload_pool: str | None
    metrics: tuple[str, ...] = ()
    """Components whose metrics Google collects."""
    dns_host: str | None = None
    """Host of the control plane's DNS endpoint."""
    control_plane: tuple[str, ...] = ()
    """Addresses of the control plane."""
    private_address: str | None = None
    """Its address in the cluster's network."""
    certificate: str | None = None
    """Its certificate authority, base64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a stack needs of the cluster."""

    features: tuple[Feature, ...] = ()
    metrics: tuple[str, ...] = ()
    """Components whose metrics its charts and alerts read."""
    version: str = ""
    """The earliest version of the control plane."""
    version_for: str = ""
    """What needs that version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingCluster:
    """A cluster that the stack uses."""

    name: str
    location: str
    """Its region, or its zone."""
    project: str
    is_autopilot: bool = False
    """Whether GKE manages its nodes, so that the stack declares ComputeClasses and no pools."""
    control_plane: tuple[str, ...] = ()
    """Ranges with the addresses of the control plane, which network policies name."""
    installed: tuple[Component, ...] = ()
    """Controllers that it has and that the stack therefore does not install."""
    node_account: str | None = None
    """E-mail address of the account of the stack's nodes; None: the stack creates one."""
    needs: Needs = field(default_factory=Needs)

    def has(self, component: Component) -> bool:
        """Return whether a controller is there already."""
        return component in self.installed
