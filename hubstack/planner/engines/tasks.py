# SPDX-License-Identifier: Apache-2.0
"""What the Hub's tasks ask of an engine."""

from hubstack.hub.facts import ModelFacts

GENERATE = frozenset({"text-generation", "image-text-to-text", "any-to-any", "video-text-to-text",
                      "audio-text-to-text", "text2text-generation", "conversational"})  # fmt: skip
TRANSCRIBE = frozenset({"automatic-speech-recognition"})
EMBED = frozenset({"feature-extraction", "sentence-similarity"})
RANK = frozenset({"text-ranking", "text-classification"})


def is_for_texts(facts: ModelFacts) -> bool:
    """Return whether a model embeds or ranks texts rather than generating any."""
    task = facts.pipeline_tag
    return task in EMBED | RANK or (task is None and facts.library == "sentence-transformers")
