# SPDX-License-Identifier: Apache-2.0
"""Enumerations: accelerators, capacity, engines, platforms and ingress."""

from enum import StrEnum


class AcceleratorKind(StrEnum):
    """The two kinds of accelerator that GKE offers."""

    GPU = "gpu"
    TPU = "tpu"


class CapacityKind(StrEnum):
    """How nodes are purchased, in GKE's terms."""

    RESERVATION = "reservation"
    SPOT = "spot"
    FLEX_START = "flex-start"
    ON_DEMAND = "on-demand"


COVERED_BY_COMMITMENT = (CapacityKind.ON_DEMAND, CapacityKind.RESERVATION)
"""What a committed-use discount applies to; never spot or flex-start."""


class EngineKind(StrEnum):
    """The serving engines that hubstack plans for; ids of `catalog/engines.yaml`."""

    VLLM = "vllm"
    VLLM_TPU = "vllm-tpu"
    SGLANG = "sglang"
    TEI = "tei"
    LLAMA_CPP = "llama-cpp"


class GpuDriver(StrEnum):
    """Which NVIDIA driver GKE installs on a node."""

    LATEST = "latest"
    """The newest of the node's GKE version; hubstack's default."""
    DEFAULT = "default"
    """GKE's own choice for the node's version, which may be older."""
    DISABLED = "disabled"
    """None: you install it, for example with NVIDIA's GPU operator."""


EVERY_OTHER = "*"
"""Stands for all accelerators that are not named."""


class PlatformKind(StrEnum):
    """Where a model is served."""

    GKE = "gke"
    CLOUD_RUN = "cloud-run"
    VERTEX = "vertex"


DEFAULT_PLATFORM = PlatformKind.GKE


class Ingress(StrEnum):
    """Which networks can reach a Cloud Run service; IAM always decides which callers are served."""

    INTERNAL = "internal"
    LOAD_BALANCER = "internal-and-cloud-load-balancing"
    ALL = "all"
