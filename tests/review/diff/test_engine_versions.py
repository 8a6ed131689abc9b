# SPDX-License-Identifier: Apache-2.0
"""A diff names what another version of an engine changes, and what the list gives the engine itself."""

import json
from typing import Any

import pytest

from hubstack.files.jsonable import plain
from hubstack.review.diff.change import Change, compare
from hubstack.review.diff.engine_versions import version_changes
from hubstack.review.diff.gates import tripped
from hubstack.review.diff.models import Setting, is_older_engine
from hubstack.review.diff.render.sections import report
from hubstack.review.diff.state import State, Versions
from tests.review.diff.test_throughput import settings_of
from tests.support.facts import hub, plan_one

OLD, NEW = {"kind": "vllm", "version": "0.32.0"}, {"kind": "vllm", "version": "0.33.0"}


def state(**settings: Any) -> State:
    model = plan_one(hub("Qwen/Qwen3-8B"), **settings)
    return State(name="x", plan={"models": [json.loads(json.dumps(plain(model)))]})


def changed(base: State, head: State) -> Change:
    return compare("dev", Versions(base=base, head=head))


def test_an_upgrade_names_image_flags_architectures_and_library() -> None:
    found = settings_of(state(engine=OLD), state(engine=NEW))
    assert (found["engine"].before, found["engine"].after) == ("vllm 0.32.0", "vllm 0.33.0")
    assert found["image"].after == "vllm/vllm-openai:v0.33.0"
    assert "--monokernel" in found["engine flags"].after
    assert found["engine architectures"].after.startswith("17 new: ")
    assert found["engine library"].after == "transformers 5.19.0 -> 5.20.2"


def test_going_back_names_what_is_gone() -> None:
    texts = dict(version_changes("vllm", "0.33.0", "0.32.0"))
    assert "gone: " in texts["engine flags"]
    assert "new: " not in texts["engine architectures"]


def test_the_flags_of_two_versions_of_which_one_was_read_are_not_compared() -> None:
    assert dict(version_changes("tei", "1.9.3", "1.9.4")) == {}


def test_a_version_that_the_catalogue_does_not_have_is_not_compared() -> None:
    assert dict(version_changes("vllm", "0.20.0", "0.33.0")) == {}
    assert dict(version_changes("tgi", "1", "2")) == {}


def test_arguments_past_the_keys_are_named_and_decided() -> None:
    args = {"max-logprobs": 5, "enable-prefix-caching": False}
    change = changed(state(), state(engine_args=args, env={"VLLM_LOGGING_LEVEL": "DEBUG"}))
    (model,) = change.models
    topics = {each.topic: (each.before, each.after) for each in model.settings}
    assert topics["engine arguments"] == ("none", "--max-logprobs 5 --no-enable-prefix-caching")
    assert topics["engine variables"] == ("none", "VLLM_LOGGING_LEVEL")
    assert report(change).verdict.startswith("DECIDE")


@pytest.mark.parametrize(
    "head",
    [{"engine": OLD}, {"engine_args": {"seed": 1}}, {"env": {"VLLM_LOGGING_LEVEL": "DEBUG"}}],
    ids=["version", "arguments", "variables"],
)
def test_the_gate_stops_it(head: dict[str, object]) -> None:
    assert [each.gate for each in tripped(changed(state(), state(**head)), ("engine",))] == ["engine"]
    assert not tripped(changed(state(), state(context=4096)), ("engine",))


@pytest.mark.parametrize(
    ("before", "after", "is_older"),
    [
        ("vllm 0.33.0", "vllm 0.9.2", True),
        ("vllm 0.9.2", "vllm 0.33.0", False),
        ("sglang 0.5.6", "sglang 0.5.6.post1", False),
        ("sglang 0.5.6.post1", "sglang 0.5.6", True),
        ("vllm 0.33.0", "sglang 0.5.6", False),
        ("vllm", "vllm 0.33.0", False),
    ],
)
def test_a_step_back_to_an_earlier_version_is_told_apart(before: str, after: str, is_older: bool) -> None:
    assert is_older_engine(Setting(topic="engine", before=before, after=after)) is is_older


def test_the_verdict_names_a_step_back() -> None:
    assert "an older version of the engine" in report(changed(state(engine=NEW), state(engine=OLD))).verdict
    assert "an older version" not in report(changed(state(engine=OLD), state(engine=NEW))).verdict
