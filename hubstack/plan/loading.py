# SPDX-License-Identifier: Apache-2.0
"""The part of a plan that says how weights reach servers: `ModelPlan.loading`.

Owns the types, as `hubstack.plan` does for the rest. `hubstack.planner.serving.choose_loading` fills them.
"""

from dataclasses import dataclass
from enum import StrEnum


class LoadingMethod(StrEnum):
    """How a server gets its weights from the bucket; words of the request."""

    RUNAI_STREAMER = "runai-streamer"
    """The engine reads objects straight into the accelerator's memory; no mount."""
    GCSFUSE = "gcsfuse"
    """The bucket is mounted by GKE's FUSE driver."""
    HYPERDISK_ML = "hyperdisk-ml"
    """A disk filled from the bucket is mounted, read-only by many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadingPlan:
    """How the weights of one model reach its servers. The reason stands with the model's others."""

    method: LoadingMethod = LoadingMethod.GCSFUSE
    seconds: int = 0
    """Estimated time to read the weights on one node."""
    slow_seconds: int = 0
    """The same at the rate that a startup window must allow for."""
    uri: str = ""
    """`gs://bucket/commit` that the engine streams from; empty where it is given a mounted folder."""
    buffer_bytes: int = 0
    """Host memory that the streamer may use on one node; 0 without it."""
    distributed: bool = False
    """Ranks stream a part each and pass it on."""
    file_cache: bool = False
    """The FUSE mount caches files on the node's disk, which parallel downloads need."""
    zone: str | None = None
    """The one zone of a disk, to which its servers are bound; None where any zone will do."""
    disk_throughput_mib: int = 0
    """MiB/s that a disk is made with; 0 without one."""
    cache_zones: tuple[str, ...] = ()
    """Zones with an Anywhere Cache on the bucket, sorted."""
