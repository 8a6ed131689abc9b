# SPDX-License-Identifier: Apache-2.0
"""The service level of a model: ours by default, as asked else, at a bucket that its engine has."""

from dataclasses import replace
from pathlib import Path

import pytest

from hubstack.catalog import load_catalog
from hubstack.files.errors import InputError
from hubstack.inputs.models import load_request
from hubstack.kinds import EngineKind
from hubstack.plan import ModelPlan
from hubstack.plan.settings import SloPlan
from hubstack.planner.serving.slo import plan_slo
from tests.support.plans import CHAT

TABLE = load_catalog().engine_metrics


def planned(tmp_path: Path, kind: EngineKind, asked: str = "") -> ModelPlan:
    path = tmp_path / "models.yaml"
    path.write_text(f"models:\n  - id: acme/chat\n{asked}")
    request = load_request(path).models[0]
    slo, reason = plan_slo(request.settings.slo, TABLE[kind])
    return replace(CHAT, slo=slo, reasons=(*CHAT.reasons, reason))


def level(model: ModelPlan) -> SloPlan:
    assert model.slo
    return model.slo


def why(model: ModelPlan) -> str:
    return next(reason.text for reason in model.reasons if reason.topic == "slo")


def test_by_default_a_model_is_held_to_ours(tmp_path: Path) -> None:
    model = planned(tmp_path, EngineKind.VLLM)
    assert (level(model).bucket_seconds, level(model).latency_percent, level(model).error_percent) == (2.5, 95, 1)
    assert (
        "95 % of requests wait at most 2.5 s to the first token (the engine's next histogram bucket above 2 s)"
        in why(model)
    )
    assert model.reasons[-1].source == "our choice; docs/concepts/monitoring.md"


def test_what_is_asked_for_is_taken(tmp_path: Path) -> None:
    asked = "    slo: {time_to_first_token_seconds: 5, latency_percent: 99, error_percent: 0.1}\n"
    model = planned(tmp_path, EngineKind.VLLM, asked)
    assert (level(model).bucket_seconds, level(model).latency_percent, level(model).error_percent) == (5, 99, 0.1)
    assert why(model) == "99 % of requests wait at most 5 s to the first token; at most 0.1 % fail"
    assert model.reasons[-1].source == "request"


def test_an_embedding_is_held_to_the_time_of_its_answer(tmp_path: Path) -> None:
    model = planned(tmp_path, EngineKind.TEI)
    assert level(model).measured == "request_duration"
    assert "wait at most 2.876 s for the complete response" in why(model)


def test_an_engine_that_measures_nothing_is_held_to_nothing_and_says_why(tmp_path: Path) -> None:
    model = planned(tmp_path, EngineKind.LLAMA_CPP)
    assert (level(model).bucket_seconds, level(model).measured, level(model).error_percent) == (None, None, None)
    assert "no latency alert: it exports sums of prompt time" in why(model)
    assert "no error alert: it exports no count of failed requests" in why(model)


def test_beyond_the_last_bucket_the_last_is_watched_and_named(tmp_path: Path) -> None:
    model = planned(tmp_path, EngineKind.TEI, "    slo: {time_to_first_token_seconds: 60}\n")
    assert level(model).bucket_seconds == pytest.approx(14.56, abs=0.01)
    assert "60 s requested, but this is the engine's largest histogram bucket" in why(model)


def test_defaults_and_an_entry_merge_by_their_own_keys(tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.write_text(
        "defaults:\n  slo: {latency_percent: 99}\nmodels:\n  - id: acme/chat\n    slo: {error_percent: 2}\n"
    )
    slo = load_request(path).models[0].settings.slo
    assert (slo.latency_percent, slo.error_percent) == (99, 2)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("{latency_percent: 90}", "at least 94"),
        ("{error_percent: 50}", "at most 6"),
        ("{time_to_first_token_seconds: 0}", "at least 0.02"),
        ("{latency: 90}", "unknown key `latency`: known keys"),
        ("fast", "must be a mapping"),
    ],
)
def test_a_level_that_no_alert_could_hold_is_refused_with_its_place(tmp_path: Path, asked: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        planned(tmp_path, EngineKind.VLLM, f"    slo: {asked}\n")
    assert "models.yaml:3:" in str(refused.value)
    assert said.split(":", maxsplit=1)[0] in str(refused.value)
