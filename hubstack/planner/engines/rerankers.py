# SPDX-License-Identifier: Apache-2.0
"""Language models used as rerankers: how vLLM turns each family into a classifier, and the prompt template.

Owns both for the families whose model cards define them, and how a family is recognized. Without its template a
reranker gets a prompt that it was not trained on, and its scores are close to random (vllm#21681). Sources: the
cards of Qwen/Qwen3-Reranker-0.6B, mixedbread-ai/mxbai-rerank-large-v2 and BAAI/bge-reranker-v2-gemma; methods of
vLLM 0.33.0, model_executor/models/adapters.py; roles `query` and `document`,
entrypoints/pooling/scoring/io_processor.py.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hubstack.hub.facts import ModelFacts

_QUERY = "{{ messages | selectattr('role', 'eq', 'query') | map(attribute='content') | first }}"
_DOCUMENT = "{{ messages | selectattr('role', 'eq', 'document') | map(attribute='content') | first }}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reranker:
    """The reranking setup of one model family."""

    family: str
    """Pattern in the name of the repository or of its base model, in lower case."""
    architecture: str
    """The language model's, which the overrides turn into a classifier."""
    overrides: Mapping[str, Any]
    """Overrides of config.json, for `--hf-overrides`."""
    template: str
    """Jinja template of the prompt for a query and a document."""

    def overrides_of(self, architecture: str) -> str | None:
        """Return the overrides as JSON; None for a checkpoint that already is a classifier."""
        return json.dumps(self.overrides, sort_keys=True) if architecture == self.architecture else None

    def is_named(self, facts: ModelFacts) -> bool:
        """Return whether the repository or its base model has the family's name.

        The architecture alone does not tell: other rerankers with it have another prompt and other answers.
        """
        return any(re.search(self.family, name.lower()) for name in (facts.id, *facts.base_models))


def reranker_of(facts: ModelFacts, architecture: str) -> Reranker | None:
    """Return the setup of a reranker's family, by name, or else by its architecture; None if it is not known."""
    named = next((each for each in _RERANKERS if each.is_named(facts)), None)
    return named or next((each for each in _RERANKERS if each.architecture == architecture), None)


_RERANKERS = (
    Reranker(
        family="qwen3-reranker",
        architecture="Qwen3ForCausalLM",
        overrides={
            "architectures": ["Qwen3ForSequenceClassification"],
            "classifier_from_token": ["no", "yes"],
            "is_original_qwen3_reranker": True,
        },
        template=(
            "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the "
            'Instruct provided. Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
            "<Instruct>: Given a web search query, retrieve relevant passages that answer the query\n"
            f"<Query>: {_QUERY}\n<Document>: {_DOCUMENT}<|im_end|>\n<|im_start|>assistant\n"
            "<think>\n\n</think>\n\n"
        ),
    ),
    Reranker(
        family="mxbai-rerank-(base|large)-v2",
        architecture="Qwen2ForCausalLM",
        overrides={
            "architectures": ["Qwen2ForSequenceClassification"],
            "classifier_from_token": ["0", "1"],
            "method": "from_2_way_softmax",
        },
        template=(
            "<|endoftext|><|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant."
            f"<|im_end|>\n<|im_start|>user\nquery: {_QUERY}\ndocument: {_DOCUMENT}\n"
            "You are a search relevance expert who evaluates how well documents match search queries. For each "
            "query-document pair, carefully analyze the semantic relationship between them, then provide your "
            "binary relevance judgment (0 for not relevant, 1 for relevant).\nRelevance:<|im_end|>\n"
            "<|im_start|>assistant\n"
        ),
    ),
    Reranker(
        family="bge-reranker-v2-gemma",
        architecture="GemmaForCausalLM",
        overrides={
            "architectures": ["GemmaForSequenceClassification"],
            "classifier_from_token": ["Yes"],
            "method": "no_post_processing",
        },
        template=(
            f"A: {_QUERY}\nB: {_DOCUMENT}\nGiven a query A and a passage B, determine whether the passage contains "
            "an answer to the query by providing a prediction of either 'Yes' or 'No'."
        ),
    ),
)
