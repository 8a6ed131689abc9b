# SPDX-License-Identifier: Apache-2.0
"""Language models used as rerankers: how vLLM turns each family into a classifier, and the prompt template.

Owns both for the families whose model cards define them. Without its template a reranker gets a prompt that it was
not trained on, and its scores are close to random (vllm#21681). Sources: the cards of Qwen/Qwen3-Reranker-0.6B,
mixedbread-ai/mxbai-rerank-large-v2 and BAAI/bge-reranker-v2-gemma; methods of vLLM 0.33.0,
model_executor/models/adapters.py; roles `query` and `document`, entrypoints/pooling/scoring/io_processor.py.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_QUERY = "{{ messages | selectattr('role', 'eq', 'query') | map(attribute='content') | first }}"
_DOCUMENT = "{{ messages | selectattr('role', 'eq', 'document') | map(attribute='content') | first }}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reranker:
    """The reranking setup of one model family."""

    overrides: Mapping[str, Any]
    """Overrides of config.json, for `--hf-overrides`."""
    template: str
    """Jinja template of the prompt for a query and a document."""

    @property
    def overrides_json(self) -> str:
        """The overrides as JSON, for the flag."""
        return json.dumps(self.overrides, sort_keys=True)


RERANKERS: Mapping[str, Reranker] = {
    "Qwen3ForCausalLM": Reranker(
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
    "Qwen2ForCausalLM": Reranker(
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
    "GemmaForCausalLM": Reranker(
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
}
"""Rerankers by the architecture in config.json."""
