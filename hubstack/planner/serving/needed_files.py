# SPDX-License-Identifier: Apache-2.0
"""Files that an engine needs besides the weights, and what happens without them.

Owns the checks for tokenizer, chat template, projector, pooling config and reranking template, if the lock lists
files. Does not own the choice of files (`hubstack.planner.model.weights`).
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from hubstack.hub.facts import ModelFacts
from hubstack.hub.gguf_files import is_projector
from hubstack.inputs.models import ModelRequest
from hubstack.planner.engines import spec_of
from hubstack.planner.engines.rerankers import reranker_of
from hubstack.planner.engines.spec import EngineChoice, Refusal
from hubstack.planner.engines.tasks import (
    EMBED,
    GENERATE,
    POOLING_FILE,
    files_beside_weights,
    is_sparse,
    lacks_pooling,
)
from hubstack.planner.model.geometry import Geometry
from hubstack.planner.model.weights import PROJECTED, ChosenFiles, WeightsFormat, is_mistral_format

_TOKENIZERS = (
    "tokenizer.json",
    "*tokenizer*.model*",
    "tekken.json",
    "*.tiktoken",
    "tiktoken.model",
    "vocab*",
    "spiece.model",
    "sentencepiece*",
    "*.spm",
    "bpe.codes",
    "merges.txt",
    "tokenization_*.py",
)


def missing_tokenizer(facts: ModelFacts, chosen: ChosenFiles) -> Refusal | None:
    """Return a refusal if the model has no tokenizer files; None if it has, or if the lock lists no files."""
    paths = files_beside_weights(facts)
    if chosen.format is WeightsFormat.GGUF or not paths or any(_is(path, _TOKENIZERS) for path in paths):
        return None
    return Refusal(
        why="has no tokenizer: the repository lists no tokenizer.json, vocabulary or SentencePiece model",
        hint="choose a repository that includes one; many fine-tunes leave it in their base model",
    )


def _is(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def file_warnings(
    request: ModelRequest, facts: ModelFacts, geometry: Geometry, choice: EngineChoice
) -> Iterator[str]:
    """Yield a warning for each missing file that makes the server's responses wrong or impossible."""
    kind, pools, ranks = choice.kind, choice.pooling, choice.ranks
    has_template = request.settings.chat_template or _renders_chat(facts, geometry, choice)
    if facts.pipeline_tag in GENERATE and not pools and not has_template:
        yield (
            "no chat template: /v1/chat/completions rejects requests, /v1/completions works "
            "(set `chat_template:` to a file in the repository)"
        )
    if spec_of(kind).sees_with and _lacks_projector(facts):
        yield (
            "no projector (mmproj*.gguf) in the repository: the server answers text only, and rejects images and "
            "sounds (choose a GGUF build that includes it)"
        )
    embeds = facts.pipeline_tag in EMBED and not is_sparse(facts)
    if spec_of(kind).means_without_pooling and embeds and lacks_pooling(facts):
        yield f"no {POOLING_FILE}: token embeddings are averaged, as sentence-transformers does"
    if spec_of(kind).ranks_by_overrides and ranks and geometry.name.endswith("ForCausalLM"):
        yield from _reranker_warnings(facts, geometry)


def _reranker_warnings(facts: ModelFacts, geometry: Geometry) -> Iterator[str]:
    """Yield a warning for a language model that ranks, if its prompt is unknown or was told by its type only."""
    reranker = reranker_of(facts, geometry.name)
    if reranker is None:
        yield (
            f"reranking with {geometry.name} needs overrides and a template from its model card, which hubstack "
            "does not have: do not rely on its scores"
        )
    elif not reranker.is_named(facts):
        yield (
            f"ranks with the prompt and answers of `{reranker.family}`, the known reranker with {geometry.name}: "
            "its scores are wrong if its model card has others (then set `chat_template:` and `engine_args:`)"
        )


def _lacks_projector(facts: ModelFacts) -> bool:
    """Return whether a model that reads images or sounds lists its files, but no projector for them."""
    return (
        facts.pipeline_tag in PROJECTED and bool(facts.files) and not any(is_projector(f.path) for f in facts.files)
    )


def _renders_chat(facts: ModelFacts, geometry: Geometry, choice: EngineChoice) -> bool:
    """Return whether chat works: with a template of the repository, or with the engine's own code or the file's."""
    if facts.tokenizer is None or facts.tokenizer.has_chat_template:
        return True
    by_engine = geometry.name in choice.engine.renders_chat or is_mistral_format(facts)
    return by_engine or choice.engine.formats == ("gguf",)
