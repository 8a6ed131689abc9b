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
        pools = named.endswith(_POOLED_SUFFIXES) or named.startswith(_POOLED_PREFIXES)
        return facts.library in {"sentence-transformers", LATE_INTERACTION} or pools
    return task in EMBED | RANK | POOL


LATE_INTERACTION = "PyLate"
"""The Hub's library for models that compare every token of two texts (ColBERT)."""
_POOLED_SUFFIXES = ("ForTokenClassification", "ForSequenceClassification", "ForRetrieval", "ForRanking", "ColBERT")
_POOLED_PREFIXES = ("ColBERT", "ColQwen", "OpsColQwen")
_ANY_COLBERT = "HF_ColBERT"
"""What the original ColBERT code writes into config.json, whatever the encoder; to vLLM it means BERT."""
_LATE_ARCHITECTURES = {
    "bert": _ANY_COLBERT,
    "modernbert": "ColBERTModernBertModel",
    "xlm-roberta": "ColBERTJinaRobertaModel",
    "lfm2": "ColBERTLfm2Model",
}
"""vLLM's architecture for late interaction, by the encoder's model type (0.33.0, models/colbert.py)."""
_JINA_CONFIG = "XLMRobertaFlashConfig"
"""The only XLM-RoBERTa that vLLM has for late interaction, Jina's, by the config class that it names."""


def is_late(facts: ModelFacts) -> bool:
    """Return whether a model compares texts token by token, by its library or its config."""
    return facts.library == LATE_INTERACTION or _architecture(facts) == _ANY_COLBERT


def late_architecture(facts: ModelFacts) -> str | None:
    """Return the architecture that vLLM has to be told for a late-interaction model; None if it needs no other."""
    if not is_late(facts) or not has_late_encoder(facts):
        return None
    known = _LATE_ARCHITECTURES[str(facts.config.get("model_type"))]
    return None if known == _architecture(facts) else known


def has_late_encoder(facts: ModelFacts) -> bool:
    """Return whether vLLM has late interaction with this model's encoder."""
    family, code = str(facts.config.get("model_type")), str(facts.config.get("auto_map"))
    return family in _LATE_ARCHITECTURES and (family != "xlm-roberta" or _JINA_CONFIG in code)


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


def is_sparse(facts: ModelFacts) -> bool:
    """Return whether a model weighs the words of its vocabulary (SPLADE) instead of embedding a text densely."""
    paths = files_beside_weights(facts)
    if any(path.endswith("SpladePooling/config.json") for path in paths):
        return True
    by_words = _architecture(facts).endswith("ForMaskedLM") and not model_code(facts)
    return by_words and facts.library == "sentence-transformers" and lacks_pooling(facts)


def model_code(facts: ModelFacts) -> tuple[str, ...]:
    """Return the Python of models that config.json names: `module.Class`, or with another repository before it."""
    said: Any = facts.config.get("auto_map")
    named = cast("Mapping[str, Any]", said) if isinstance(said, Mapping) else dict[str, Any]()
    return tuple(str(ref) for key, ref in named.items() if str(key).startswith("AutoModel"))
