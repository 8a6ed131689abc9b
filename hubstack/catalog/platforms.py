# SPDX-License-Identifier: Apache-2.0
"""What is sold beside GKE: instances of Cloud Run with a GPU, and the machines that Vertex AI names.

Owns the types. Does not own prices (`hubstack.catalog.prices`) nor the choice
(`hubstack.planner.platforms.cloud_run`).
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceShape:
    """Processors and memory of one instance."""

    vcpu: int
    memory_gib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudRunGpu:
    """A GPU that an instance of Cloud Run may have, one of it."""

    accelerator: str
    """Catalogue id."""
    name: str
    """As the node selector and the price rows say it."""
    regions: tuple[str, ...]
    by_invitation: tuple[str, ...]
    """Regions that Google opens on request only."""
    in_doubt: tuple[str, ...]
    """Regions that one version of Google's page opens and another does not."""
    driver: int
    """Major version of NVIDIA's driver."""
    default_quota: int | None
    """Instances without zonal redundancy before more must be asked for; None where no source says."""
    is_preview: bool
    shapes: tuple[InstanceShape, ...]
    """The least first."""
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudRun:
    """Cloud Run's GPUs and limits."""

    gpus: Mapping[str, CloudRunGpu]
    """By accelerator."""
    memory: tuple[InstanceShape, ...]
    """Of containers without a GPU: the most memory of so many processors, the least first."""
    probe_period_seconds: int
    """Of a startup probe, at most."""
    probe_window_seconds: int
    """Period x failures of a startup probe with a GPU, at most."""
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vertex:
    """What Vertex AI calls the accelerators."""

    accelerators: Mapping[str, str]
    """Catalogue id to its word."""
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Termination:
    """How much time a server has when it has to go."""

    pre_stop_seconds: int
    """It still takes requests: balancers send for seconds after its endpoint is gone."""
    exit_seconds: int
    """Kept for the end of the engine itself."""
    spot_total_seconds: int
    """All that a node on Spot capacity gives."""
    spot_pre_stop_seconds: int
    total_seconds: Mapping[str, int]
    """By platform, all that it gives; a platform that is not here gives what is asked."""
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuDriver:
    """Where GKE and Cloud Run mount NVIDIA's driver in a container."""

    env: Mapping[str, str]
    """Of every server on a GPU, so that its image finds the driver."""
    sources: tuple[str, ...]
