# SPDX-License-Identifier: Apache-2.0
"""What the Hub's tasks require of an engine."""

from collections.abc import Mapping
from typing import Any, cast

from hubstack.hub.facts import ModelFacts

GENERATE = frozenset(
    {
        "text-generation",
        "image-text-to-text",
        "any-to-any",
        "video-text-to-text",
        "audio-text-to-text",
        "text2text-generation",
        "conversational",
    }
)
TRANSCRIBE = frozenset({"automatic-speech-recognition"})
EMBED = frozenset({"feature-extraction", "sentence-similarity"})
RANK = frozenset({"text-ranking", "text-classification"})
POOL = frozenset({"token-classification", "visual-document-retrieval"})
"""Tasks that only vLLM's pooling runner serves: token labels and late interaction over pages."""


def is_for_texts(facts: ModelFacts) -> bool:
    """Return whether a model embeds, ranks or labels texts rather than generating any."""
    task = facts.pipeline_tag
    if task is None:
        named = _architecture(facts)
        return facts.library in {"sentence-transformers", LATE_INTERACTION} or named.endswith(_POOLED_SUFFIXES)
    return task in EMBED | RANK | POOL


LATE_INTERACTION = "PyLate"
"""The Hub's library for models that compare every token of two texts (ColBERT)."""
_POOLED_SUFFIXES = ("ForTokenClassification", "ForSequenceClassification", "ForRetrieval", "ColBERT")
_LATE_OVERRIDES = {
    "BertModel": "HF_ColBERT",
    "ModernBertModel": "ColBERTModernBertModel",
    "Lfm2Model": "ColBERTLfm2Model",
}
"""vLLM's architecture for late interaction with an encoder's checkpoint (0.33.0, models/colbert.py)."""


def late_architecture(facts: ModelFacts) -> str | None:
    """Return the architecture that vLLM has to be told for a late-interaction model; None if it needs no other."""
    return _LATE_OVERRIDES.get(_architecture(facts)) if facts.library == LATE_INTERACTION else None


def _architecture(facts: ModelFacts) -> str:
    names: Any = facts.config.get("architectures")
    return str(cast("list[Any]", names)[0]) if isinstance(names, list) and names else ""


_WEIGHTS = (".safetensors", ".bin", ".gguf", ".pt")
POOLING_FILE = "1_Pooling/config.json"
"""The sentence-transformers file that defines how token embeddings are pooled."""


def lacks_pooling(facts: ModelFacts) -> bool:
    """Return whether the repository lists its files but has no pooling config."""
    paths = files_beside_weights(facts)
    return bool(paths) and POOLING_FILE not in paths


def files_beside_weights(facts: ModelFacts) -> frozenset[str]:
    """Return the repository's files except weights; empty if the lock's list is incomplete."""
    paths = frozenset(file.path for file in facts.files if not file.path.endswith(_WEIGHTS))
    return paths if "config.json" in paths and len(paths) > 1 else frozenset()


def model_code(facts: ModelFacts) -> tuple[str, ...]:
    """Return the Python of models that config.json names: `module.Class`, or with another repository before it."""
    said: Any = facts.config.get("auto_map")
    named = cast("Mapping[str, Any]", said) if isinstance(said, Mapping) else dict[str, Any]()
    return tuple(str(ref) for key, ref in named.items() if str(key).startswith("AutoModel"))
