# SPDX-License-Identifier: Apache-2.0
"""LoRA adapters: what their adapter_config.json says, and those that a complete model includes.

Owns reading the locked adapter_config.json, and which architectures apply adapters of their own to images or
sounds: without them such a model starts, and answers questions about an image or a recording wrongly. Does not own
the checks of the adapters that clients request (`hubstack.planner.serving.companions`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from hubstack.hub.facts import FileFacts, ModelFacts
from hubstack.inputs.models_schema import RANKS

_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_ROOT = "."


def adapter_config(facts: ModelFacts, folder: str = "") -> Mapping[str, Any]:
    """Return the locked fields of an adapter_config.json; empty if the lock has none."""
    known: Any = facts.config.get("adapters")
    found: Any = cast("dict[str, Any]", known).get(folder or _ROOT) if isinstance(known, dict) else None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def adapter_rank(config: Mapping[str, Any]) -> int | None:
    """Return the largest rank of an adapter's modules; None if its config does not give it."""
    listed: Any = config.get("rank_pattern")
    ranks: list[Any] = [config.get("r"), *(cast("list[Any]", listed) if isinstance(listed, list) else ())]
    return max((rank for rank in ranks if type(rank) is int and rank > 0), default=None)


def engine_rank(rank: int) -> int | None:
    """Return the smallest rank that vLLM can be told for an adapter; None if it takes none so large."""
    return next((known for known in RANKS if known >= rank), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModalityAdapters:
    """The adapters of one model."""

    rank: int
    """The largest rank, of those that vLLM accepts."""
    folders: Mapping[str, str]
    """Modality to folder of the repository; empty for its root."""

    def paths(self, model_dir: str) -> dict[str, str]:
        """Return modality to mounted folder."""
        return {kind: f"{model_dir}/{folder}".rstrip("/") for kind, folder in self.folders.items()}

    def has(self, path: str) -> bool:
        """Return whether a file belongs to an adapter."""
        return path in {_path(folder, name) for folder in self.folders.values() for name in (_CONFIG, _WEIGHTS)}


_KNOWN = {
    "GraniteSpeechForConditionalGeneration": ModalityAdapters(rank=64, folders={"audio": ""}),
    "GraniteSpeechPlusForConditionalGeneration": ModalityAdapters(rank=64, folders={"audio": ""}),
    "Phi4MMForCausalLM": ModalityAdapters(rank=320, folders={"audio": "speech-lora", "image": "vision-lora"}),
}
"""Architectures, and ranks for locks that lack the adapters' own: vLLM's docs/features/lora.md (default LoRA models
for multimodal models) and examples/offline_inference/audio_language.py; `--default-mm-loras` of vLLM 0.33.0,
config/lora.py."""


def modality_adapters(facts: ModelFacts) -> ModalityAdapters | None:
    """Return the adapters of a model whose repository includes them; later versions merge them into the weights."""
    names: Any = facts.config.get("architectures")
    known = _KNOWN.get(str(cast("list[Any]", names)[0])) if isinstance(names, list) and names else None
    if known is None:
        return None
    paths = {file.path for file in facts.files}
    there = {kind: folder for kind, folder in known.folders.items() if _path(folder, _WEIGHTS) in paths}
    if not there:
        return None
    said = [adapter_rank(adapter_config(facts, folder)) for folder in there.values()]
    rank = engine_rank(max(rank for rank in said if rank)) if all(said) else None
    return ModalityAdapters(rank=rank or known.rank, folders=there)


def adapter_files(facts: ModelFacts) -> tuple[FileFacts, ...]:
    """Return the files of a model's adapters."""
    adapters = modality_adapters(facts)
    return tuple(file for file in facts.files if adapters.has(file.path)) if adapters else ()


def _path(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
