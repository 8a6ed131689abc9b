# SPDX-License-Identifier: Apache-2.0
"""The stack setting `hubstack:cluster`: a GKE cluster that exists, which the stack uses and never changes.

Owns its keys and which other settings then belong to the cluster's owners. Does not own what gcloud says of the
cluster (`hubstack.inputs.cluster_facts`).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from hubstack.inputs.setting_types import DISTINCT, LIST, form, refusal
from hubstack.plan.existing_cluster import ClusterFacts, Component, ExistingCluster

SETTING = "hubstack:cluster"
EXAMPLE = '{"name":"platform","location":"us-central1","facts":"cluster.json"}'
_NAME = r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?"
_PROJECT = r"[a-z][-a-z0-9:.]{4,61}[a-z0-9]"
_LOCATION = r"[a-z]+-[a-z]+\d+(-[a-z])?"
_RANGE = r"(\d{1,3}\.){3}\d{1,3}/\d{1,2}"
_ACCOUNT = r"[a-z][-a-z0-9]{4,28}[a-z0-9]@[a-z][-a-z0-9.:]{4,61}\.iam\.gserviceaccount\.com"


def is_inside(path: str) -> str:
    """Return a path that stays in the project; raise for another."""
    if Path(path).is_absolute() or ".." in Path(path).parts or path.startswith(("[", "{")) or "\0" in path:
        raise refusal(f"is `{path}`, which is not a path inside the project")
    return path


class ExistingClusterSettings(BaseModel):
    """The stack's cluster (docs/guides/existing-cluster.md)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)

    name: Annotated[str, form(_NAME, "the name of a GKE cluster")]
    """An existing GKE cluster."""
    location: Annotated[str, form(_LOCATION, "a region or a zone such as us-central1")] | None = None
    """Region or zone of the cluster, in the stack's region. Default: the stack's region."""
    project: Annotated[str, form(_PROJECT, "a Google Cloud project ID")] | None = None
    """Project of the cluster. Default: the stack's project."""
    facts: Annotated[str, AfterValidator(is_inside)] | None = None
    """File with the output of `gcloud container clusters describe NAME --location LOCATION --format=json`, relative
    to the project folder. With it, a plan reports offline what the cluster lacks."""
    autopilot: bool | None = None
    """Whether the cluster is an Autopilot cluster. Default: from `facts`, or false."""
    control_plane: Annotated[
        tuple[Annotated[str, form(_RANGE, "an IPv4 range such as 172.16.0.0/28")], ...], LIST
    ] = ()
    """Ranges with the addresses of the control plane, for network policies. Default: from `facts`."""
    installed: Annotated[tuple[Annotated[Component, Field(strict=False)], ...], LIST, DISTINCT] = ()
    """Controllers that the cluster already has; the stack uses them instead of installing its own: `keda`,
    `http-add-on` (KEDA's, for scaling to zero) and `lws` (LeaderWorkerSet, for models over several nodes)."""
    keda_namespace: Annotated[str, form(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", "a Kubernetes namespace")] | None = (
        None
    )
    """Namespace of the installed KEDA. Default: `keda`."""
    node_account: Annotated[str, form(_ACCOUNT, "the e-mail address of a service account")] | None = None
    """Service account of the stack's nodes. Default: the stack creates one in the cluster's project."""

    def plan(self, project: str, region: str, facts: ClusterFacts | None) -> ExistingCluster:
        """Return the cluster as part of a plan.

        Args:
            project: the stack's project.
            region: the stack's region.
            facts: what gcloud says of the cluster, if a file has it.
        """
        return ExistingCluster(
            name=self.name,
            location=self.location or region,
            project=self.project or project,
            is_autopilot=facts.is_autopilot if facts else bool(self.autopilot),
            control_plane=self.control_plane or (facts.control_plane if facts else ()),
            installed=tuple(sorted(self.installed)),
            node_account=self.node_account,
        )


def cluster_problems(c: ExistingClusterSettings, region: str) -> Iterator[tuple[str, str, str | None]]:
    """Yield key, message and hint for each key that conflicts with the others.

    Args:
        c: the setting.
        region: the stack's region.
    """
    if c.location and c.location != region and not c.location.startswith(f"{region}-"):
        message = f"is `{c.location}`, which is not in {region}, where the stack's buckets and nodes are"
        yield "location", message, "set `gcp:region` to the cluster's region"
    if not c.facts and not c.control_plane:
        message = (
            "is missing: network policies need the control plane's addresses, "
            "and planning does not contact the cluster"
        )
        yield (
            "control_plane",
            message,
            "set `facts:` to the output of `gcloud container clusters describe`, or add it",
        )
    if Component.HTTP_ADD_ON in c.installed and Component.KEDA not in c.installed:
        yield "installed", "contains `http-add-on`, which needs `keda`", "add `keda`, or remove `http-add-on`"
    if c.keda_namespace and Component.KEDA not in c.installed:
        message = "names the namespace of an installed KEDA, but `installed` does not contain `keda`"
        yield "keda_namespace", message, "add `keda` to `installed:`, or remove it"
    if c.node_account and c.autopilot:
        yield "node_account", "does not apply: GKE manages the nodes of an Autopilot cluster", "remove it"
