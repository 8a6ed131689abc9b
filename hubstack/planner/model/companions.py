# SPDX-License-Identifier: Apache-2.0
"""A repository that is served with a model: a LoRA adapter, or the model that drafts for it.

Owns the type, and the files of an adapter. Does not own whether it suits the model
(`hubstack.planner.serving.companions`).
"""

from dataclasses import dataclass

from hubstack.hub.facts import FileFacts, ModelFacts
from hubstack.plan import CompanionRole
from hubstack.planner.model.geometry import Geometry
from hubstack.planner.model.weights import WeightsFormat

ADAPTER_CONFIG = "adapter_config.json"
_ADAPTER_WEIGHTS = (
    (WeightsFormat.SAFETENSORS, "adapter_model.safetensors"),
    (WeightsFormat.PICKLE, "adapter_model.bin"),
    (WeightsFormat.PICKLE, "adapter_model.pt"),
)
"""In vLLM's order (0.33.0, lora/lora_model.py)."""


@dataclass(frozen=True, kw_only=True)
class Companion:
    """One repository at its locked commit, checked against the model that it is served with."""

    role: CompanionRole
    name: str
    """Model name in requests for an adapter; `draft` otherwise."""
    facts: ModelFacts
    format: WeightsFormat
    files: tuple[FileFacts, ...]
    """What its server reads, sorted by path."""
    size_bytes: int
    """Bytes of its weights."""
    rank: int | None = None
    """Largest rank of an adapter."""
    geometry: Geometry | None = None
    """Dimensions of a draft model."""
    warnings: tuple[str, ...] = ()


def adapter_weights(facts: ModelFacts) -> tuple[WeightsFormat, tuple[FileFacts, ...]]:
    """Return the format of an adapter's weights, and the files that a server reads; no files without weights."""
    by_path = {file.path: file for file in facts.files}
    for kind, path in _ADAPTER_WEIGHTS:
        if path in by_path and ADAPTER_CONFIG in by_path:
            return kind, (by_path[ADAPTER_CONFIG], by_path[path])
    return WeightsFormat.NONE, ()
