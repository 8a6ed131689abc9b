# SPDX-License-Identifier: Apache-2.0
"""Platforms other than GKE: Cloud Run instances with a GPU, and Vertex AI's machine names.

Owns the types. Does not own prices (`hubstack.catalog.prices`) or the choice
(`hubstack.planner.platforms.cloud_run`).
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceShape:
    """CPUs and memory of one instance."""

    vcpu: int
    memory_gib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudRunGpu:
    """A GPU type of Cloud Run; an instance has one GPU."""

    accelerator: str
    """Catalogue id."""
    name: str
    """Name in the node selector and in the price rows."""
    regions: tuple[str, ...]
    by_invitation: tuple[str, ...]
    """Regions available only on request to Google."""
    in_doubt: tuple[str, ...]
    """Regions listed by one version of Google's page and not by another."""
    driver: int
    """Major version of NVIDIA's driver."""
    default_quota: int | None
    """Default quota of instances without zonal redundancy; None if no source says."""
    is_preview: bool
    shapes: tuple[InstanceShape, ...]
    """Smallest first."""
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudRun:
    """Cloud Run's GPUs and limits."""

    gpus: Mapping[str, CloudRunGpu]
    """By accelerator."""
    memory: tuple[InstanceShape, ...]
    """Maximum memory of containers without a GPU by number of CPUs, smallest first."""
    probe_period_seconds: int
    """Maximum of a startup probe."""
    probe_window_seconds: int
    """Maximum of period x failures of a startup probe with a GPU."""
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vertex:
    """Vertex AI's names of accelerators."""

    accelerators: Mapping[str, str]
    """Catalogue ID to Vertex AI's name."""
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Termination:
    """How much time a server has to shut down."""

    pre_stop_seconds: int
    """Time before SIGTERM in which it still accepts requests, since load balancers send some after its endpoint is
    removed."""
    exit_seconds: int
    """Reserved for the engine's own shutdown."""
    spot_total_seconds: int
    """Maximum on a node with Spot capacity."""
    spot_pre_stop_seconds: int
    total_seconds: Mapping[str, int]
    """Maximum by platform; platforms not listed grant what is requested."""
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuDriver:
    """Where GKE and Cloud Run mount NVIDIA's driver in a container."""

    env: Mapping[str, str]
    """Environment of every server on a GPU, so that its image finds the driver."""
    sources: tuple[str, ...]
