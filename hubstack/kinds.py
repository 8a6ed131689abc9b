# SPDX-License-Identifier: Apache-2.0
"""Closed vocabularies: accelerators, capacity, engines, platforms, and who reaches what."""

from enum import StrEnum


class AcceleratorKind(StrEnum):
    """The two kinds of accelerator that GKE offers."""

    GPU = "gpu"
    TPU = "tpu"


class CapacityKind(StrEnum):
    """How nodes are bought, in GKE's words."""

    RESERVATION = "reservation"
    SPOT = "spot"
    FLEX_START = "flex-start"
    ON_DEMAND = "on-demand"


class EngineKind(StrEnum):
    """The serving engines that hubstack plans for; ids of `catalog/engines.yaml`."""

    VLLM = "vllm"
    VLLM_TPU = "vllm-tpu"
    SGLANG = "sglang"
    TEI = "tei"
    LLAMA_CPP = "llama-cpp"


class PlatformKind(StrEnum):
    """Where a model is served."""

    GKE = "gke"
    CLOUD_RUN = "cloud-run"
    VERTEX = "vertex"


DEFAULT_PLATFORM = PlatformKind.GKE


class Ingress(StrEnum):
    """Who reaches a Cloud Run service; whom it answers IAM decides, always."""

    INTERNAL = "internal"
    LOAD_BALANCER = "internal-and-cloud-load-balancing"
    ALL = "all"
