# SPDX-License-Identifier: Apache-2.0
"""What a model runs on other than a GKE node, as the plan says it.

Owns the types; the platforms' seats (`hubstack.planner.platforms`) fill them. Nothing here computes.
"""

from dataclasses import dataclass

from hubstack.kinds import Ingress


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlan:
    """The Cloud Run Job that copies the weights from the Hub."""

    vcpu: int
    memory_gib: int
    """Holds the largest file twice: its download lies in memory, and so does what is written to the bucket."""
    timeout_seconds: int
    """Of one try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudRunPlan:
    """One Cloud Run service."""

    accelerator: str
    """As its node selector says it (`nvidia-l4`)."""
    vcpu: int
    memory_gib: int
    """Of one instance: the server, what the bucket's mount needs, and the files that the server writes."""
    concurrency: int
    """Requests that one instance takes at once; more start another."""
    timeout_seconds: int
    """Of one request, the start of an instance and the longest answer included."""
    startup_period_seconds: int
    startup_failure_threshold: int
    """Allows for the load."""
    ingress: Ingress
    invokers: tuple[str, ...]
    """IAM members that may call it; never everyone."""
    usd_per_instance_hour: float | None
    """None where no source gives a rate."""
    price_source: str | None
    price_as_of: str | None
    loader: JobPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class VertexPlan:
    """One deployment from Vertex AI's Model Garden."""

    accelerator_type: str
    """Vertex AI's word (`NVIDIA_L4`)."""
    accelerator_count: int
    machine_type: str
    accept_eula: bool
    """Whether the request accepts the model's terms."""
    needs_token: bool
    """Gated: Vertex AI is given the Hub token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """From how many busy hours a month one platform costs less than another, for one replica."""

    cloud_run_usd_per_hour: float
    gke_usd_per_hour: float
    gke_usd_per_month: float
    """What GKE costs whatever runs: the cluster's fee, where the model alone would make it due."""
    always_on_hours: float | None
    """Busy hours from which GKE nodes that always run cost less; None: more than a month has."""
    scale_to_zero_hours: float | None
    """The same where GKE's nodes run in the busy hours only; None: Cloud Run is never the dearer."""
