# SPDX-License-Identifier: Apache-2.0
"""Plans of models on managed platforms instead of GKE nodes.

Owns the types; `hubstack.planner.platforms` creates them. Computes nothing.
"""

from dataclasses import dataclass

from hubstack.kinds import Ingress


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlan:
    """The Cloud Run Job that copies the weights from the Hub."""

    vcpu: int
    memory_gib: int
    """Memory for the largest file twice: the download and the buffered write to the bucket are both in memory."""
    timeout_seconds: int
    """Timeout of one attempt, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudRunPlan:
    """A Cloud Run service."""

    accelerator: str
    """GPU type as in the node selector (`nvidia-l4`)."""
    vcpu: int
    memory_gib: int
    """Memory of one instance: the server, the bucket mount, and the files that the server writes."""
    concurrency: int
    """Maximum concurrent requests per instance; more start another instance."""
    timeout_seconds: int
    """Request timeout in seconds, including an instance's start and the longest response."""
    startup_period_seconds: int
    startup_failure_threshold: int
    """Startup probe, which allows for loading time."""
    ingress: Ingress
    invokers: tuple[str, ...]
    """IAM members that may call the service; never `allUsers`."""
    usd_per_instance_hour: float | None
    """None if no source gives a rate."""
    price_source: str | None
    price_as_of: str | None
    loader: JobPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class VertexPlan:
    """A deployment from Vertex AI's Model Garden."""

    accelerator_type: str
    """Accelerator type in Vertex AI's terms (`NVIDIA_L4`)."""
    accelerator_count: int
    machine_type: str
    accept_eula: bool
    """Whether the list accepts the model's terms."""
    needs_token: bool
    """Whether the model is gated, so that Vertex AI is given the Hub token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """The busy hours per month at which one platform becomes cheaper than another, for one replica."""

    cloud_run_usd_per_hour: float
    gke_usd_per_hour: float
    gke_usd_per_month: float
    """GKE's fixed cost: the cluster fee, if this model alone makes it due."""
    always_on_hours: float | None
    """Busy hours from which always-on GKE nodes are cheaper; None if that exceeds a month."""
    scale_to_zero_hours: float | None
    """The same if GKE nodes run only during busy hours; None if Cloud Run is never more expensive."""
