# SPDX-License-Identifier: Apache-2.0
"""How weights are loaded by servers: the part of a plan in `ModelPlan.loading`.

Owns the types. `hubstack.planner.serving.choose_loading` creates them.
"""

from dataclasses import dataclass
from enum import StrEnum


class LoadingMethod(StrEnum):
    """How a server reads its weights from the bucket; these are also the words of the list."""

    RUNAI_STREAMER = "runai-streamer"
    """The engine streams objects directly into accelerator memory, without a mount."""
    GCSFUSE = "gcsfuse"
    """GKE's Cloud Storage FUSE driver mounts the bucket."""
    HYPERDISK_ML = "hyperdisk-ml"
    """A disk, filled from the bucket, is mounted read-only by many nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadingPlan:
    """How one model's weights are loaded. The reason is among the model's reasons."""

    method: LoadingMethod = LoadingMethod.GCSFUSE
    seconds: int = 0
    """Estimated time to read the weights on one node."""
    slow_seconds: int = 0
    """Time to read the weights at the slow rate that a startup window allows for."""
    uri: str = ""
    """`gs://bucket/commit` that the engine streams from; empty if it reads a mounted folder."""
    buffer_bytes: int = 0
    """Host memory that the streamer may use on each node; 0 without the streamer."""
    distributed: bool = False
    """Whether each rank streams a part of the weights and shares it with the others."""
    file_cache: bool = False
    """Whether the FUSE mount caches files on the node's disk, as parallel downloads require."""
    zone: str | None = None
    """Zone of the disk and therefore of its servers; None if any zone works."""
    disk_throughput_mib: int = 0
    """Provisioned throughput of the disk, MiB/s; 0 without a disk."""
    cache_zones: tuple[str, ...] = ()
    """Zones with an Anywhere Cache of the bucket, sorted."""
