# SPDX-License-Identifier: Apache-2.0
"""LoRA adapters that a complete model includes and applies to images or sounds.

Owns which architectures have them, by modality. Without them such a model starts, and answers questions about an
image or a recording wrongly. Does not own the adapters that clients request (`lora:`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from hubstack.hub.facts import FileFacts, ModelFacts

_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModalityAdapters:
    """The adapters of one model."""

    rank: Literal[64, 320]
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
"""Architectures and ranks: vLLM's docs/features/lora.md (default LoRA models for multimodal models) and
examples/offline_inference/audio_language.py; `--default-mm-loras` of vLLM 0.33.0, config/lora.py."""


def modality_adapters(facts: ModelFacts) -> ModalityAdapters | None:
    """Return the adapters of a model whose repository includes them; later versions merge them into the weights."""
    names: Any = facts.config.get("architectures")
    known = _KNOWN.get(str(cast("list[Any]", names)[0])) if isinstance(names, list) and names else None
    if known is None:
        return None
    paths = {file.path for file in facts.files}
    there = {kind: folder for kind, folder in known.folders.items() if _path(folder, _WEIGHTS) in paths}
    return ModalityAdapters(rank=known.rank, folders=there) if there else None


def adapter_files(facts: ModelFacts) -> tuple[FileFacts, ...]:
    """Return the files of a model's adapters."""
    adapters = modality_adapters(facts)
    return tuple(file for file in facts.files if adapters.has(file.path)) if adapters else ()


def _path(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
