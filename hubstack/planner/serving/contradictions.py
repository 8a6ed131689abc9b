# SPDX-License-Identifier: Apache-2.0
"""Settings of a model that its repository contradicts: an engine would fail at start, or ignore them in silence.

Owns these rules. Does not own what an engine has no flag for (`hubstack.planner.serving.choose_engine.FEATURES`),
nor what depends on the accelerator (`hubstack.planner.placement`). Facts that the lock does not have contradict
nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from hubstack.files.problems import nearest
from hubstack.hub.facts import ModelFacts
from hubstack.inputs.models import ModelRequest
from hubstack.planner.engines.spec import Refusal
from hubstack.planner.engines.tasks import is_for_texts
from hubstack.planner.model.geometry import Geometry

_UNNAMED_DRAFTERS = ("qwen3_next", "qwen3_5", "longcat", "nemotron_h", "exaone_moe", "step3", "pangu_ultra")
"""Families that may predict several tokens although no locked field of their config says so (vLLM 0.33,
config/speculative.py)."""
_TEMPLATES = (".jinja", ".jinja2", ".j2", ".txt")


def contradictions(request: ModelRequest, facts: ModelFacts, geometry: Geometry) -> Iterator[Refusal]:
    """Yield a refusal for each setting that does not suit the model."""
    asked = request.settings
    if asked.chat_template and not asked.is_template_mounted:
        yield from _template(asked.chat_template, facts)
    method = asked.speculative.method if asked.speculative else None
    if method == "mtp" and facts.config and not _may_draft(facts, geometry):
        yield Refusal(
            why="sets `speculative: {method: mtp}`, but its config names no prediction layer to draft with",
            hint="use `{method: ngram}`, which every model can, or remove the key",
            field="speculative",
        )
    if asked.expert_parallel and facts.config and not geometry.experts:
        why = "sets `expert_parallel`, but it is not a mixture of experts: its config has no experts"
        yield Refusal(why=why, hint="remove the key", field="expert_parallel")
    if is_for_texts(facts):
        for field in ("tool_call_parser", "reasoning_parser", "speculative"):
            if not asked.is_default(field):
                why = f"sets `{field}`, but it generates no text: its task is {facts.pipeline_tag or 'embedding'}"
                yield Refusal(why=why, hint="remove the key", field=field)


def _may_draft(facts: ModelFacts, geometry: Geometry) -> bool:
    nested: list[Any] = [value for value in facts.config.values() if isinstance(value, dict)]
    texts: list[Mapping[str, Any]] = [facts.config, *nested]
    is_named = any(text.get("num_nextn_predict_layers") for text in texts)
    return is_named or geometry.model_type.startswith(_UNNAMED_DRAFTERS)


def _template(path: str, facts: ModelFacts) -> Iterator[Refusal]:
    paths = [file.path for file in facts.files]
    known = [each for each in paths if each.endswith(_TEMPLATES) and not each.endswith(".txt")]
    if paths and path not in paths:
        near = nearest(path, known)
        hint = f"did you mean `{near}`?" if near else "remove the key to use the tokenizer's own template"
        why = f"names the chat template `{path}`, which its repository does not have at this commit"
        yield Refusal(why=why, hint=hint, field="chat_template")
    elif not path.endswith(_TEMPLATES):
        why = f"names the chat template `{path}`, which is not a Jinja template ({', '.join(_TEMPLATES)})"
        hint = (
            f"its templates: {', '.join(known)}" if known else "remove the key to use the tokenizer's own template"
        )
        yield Refusal(why=why, hint=hint, field="chat_template")
