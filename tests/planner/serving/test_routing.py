# SPDX-License-Identifier: Apache-2.0
"""Canaries, from the list to the plan, and the names that lead to a model."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubstack.deploy.manifests import bucket_name, server_name
from hubstack.files.errors import InputError, LockError, PlanError
from hubstack.hub.lock import Lock
from hubstack.inputs.models import Request, load_request
from hubstack.inputs.models_schema import Replicas
from hubstack.plan import Plan
from hubstack.plan.gateway import GatewayMode, GatewayPlan
from hubstack.planner.planner import plan_stack
from hubstack.planner.serving.routing import model_names, picked_models
from tests.support.facts import catalog, llama, target

OLD, NEW = "a" * 40, "b" * 40
GATEWAY = GatewayPlan(timeout_seconds=3600)
CANARY = "canary: {revision: next, weight: 10}"


def read(folder: Path, text: str) -> Request:
    (folder / "acme.models.yaml").write_text(text)
    return load_request(folder / "acme.models.yaml", "acme.models.yaml")


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, text)
    return str(caught.value)


def lock(*revisions: tuple[str, str], repo_id: str = "acme/llama") -> Lock:
    facts = (llama(repo_id, revision=revision, commit=commit) for revision, commit in revisions)
    return Lock(path="acme.models.lock.yaml", models=tuple(facts))


def plan(request: Request, held: Lock, gateway: GatewayPlan | None = GATEWAY) -> Plan:
    return plan_stack(request, held, catalog(), target(gateway=gateway))


BOTH = lock(("main", OLD), ("next", NEW))


def test_a_canary_is_a_second_entry_of_the_other_revision(tmp_path: Path) -> None:
    one, two = read(tmp_path, f"models: [{{id: acme/llama, name: chat, context: 4096, {CANARY}}}]").models
    assert (one.key, one.revision, one.canary_of, one.canary_weight) == ("chat", "main", None, 0)
    assert (two.key, two.revision, two.canary_of, two.canary_weight) == ("chat-canary", "next", "chat", 10)
    assert (two.settings.replicas, two.settings.context) == (Replicas(min=1, max=1), 4096)


def test_a_canary_may_differ_by_its_engine_alone(tmp_path: Path) -> None:
    engines = "engine: {kind: vllm, version: 0.32.0}, canary: {engine: {kind: vllm, version: 0.33.0}, weight: 10}"
    request = read(tmp_path, f"models: [{{id: acme/llama, name: chat, {engines}}}]")
    assert [(each.revision, each.canary_weight) for each in request.models] == [("main", 0), ("main", 10)]
    one, two = plan(request, BOTH).models
    assert (one.server.image, two.server.image) == ("vllm/vllm-openai:v0.32.0", "vllm/vllm-openai:v0.33.0")
    assert one.commit == two.commit
    assert not any("is the same commit" in warning for warning in plan(request, BOTH).warnings)
    assert one.server.args == two.server.args, "both answer to the names of the model"
    assert [reason.text for reason in two.reasons if reason.topic == "canary"] == [
        "vllm 0.33.0 gets 10 % of the requests to `chat`"
    ]


def test_a_canary_that_differs_in_nothing_is_refused(tmp_path: Path) -> None:
    assert "needs a `revision` or an `engine`" in refusal(tmp_path, "models: [{id: a/b, canary: {weight: 10}}]")


def test_a_canary_may_have_more_replicas(tmp_path: Path) -> None:
    text = "models: [{id: a/b, replicas: {min: 3, max: 9}, canary: {revision: x, weight: 5, replicas: 2}}]"
    two = read(tmp_path, text).models[1]
    assert two.settings.replicas == Replicas(min=1, max=2)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("models: [{id: a/b, canary: {revision: x}}]", "`weight` is missing"),
        ("models: [{id: a/b, canary: {revision: x, weight: 0}}]", "canary.weight` must be at least 1, not `0`"),
        ("models: [{id: a/b, canary: {revision: x, weight: 100}}]", "canary.weight` must be at most 99, not `100`"),
        (
            "models: [{id: a/b, canary: {revision: 'a b', weight: 1}}]",
            "use a branch, a tag or a 40-character commit hash",
        ),
        ("models: [{id: a/b, canary: {revision: x, wait: 1}}]", "did you mean `weight`?"),
        ("models: [{id: a/b, canary: 10}]", "canary` must be a mapping"),
        (
            f"models: [{{id: a/b, name: chat, {CANARY}}}, {{id: a/c, name: chat-canary}}]",
            "needs the key `chat-canary`, which a model uses",
        ),
        (f"models: [{{id: a/b, name: {'x' * 34}, {CANARY}}}]", "at most 33 characters"),
    ],
)
def test_a_wrong_canary_is_refused_at_its_place(tmp_path: Path, text: str, why: str) -> None:
    said = refusal(tmp_path, text)
    assert why in said
    assert said.startswith("acme.models.yaml:1:")


def test_the_lock_must_hold_both_revisions(tmp_path: Path) -> None:
    request = read(tmp_path, f"models: [{{id: acme/llama, {CANARY}}}]")
    with pytest.raises(LockError, match="locked at revision `main`, not at `next`"):
        plan(request, lock(("main", OLD)))


def test_a_canary_is_sized_placed_and_priced_as_a_model_of_its_own(tmp_path: Path) -> None:
    made = plan(read(tmp_path, f"models: [{{id: acme/llama, name: chat, {CANARY}}}]"), BOTH)
    one, two = made.models
    assert (two.key, two.commit, two.canary_of, two.canary_weight) == ("chat-canary", NEW, "chat", 10)
    assert {line.item for line in made.cost.lines} >= {"chat", "chat-canary"}
    assert server_name(one) != server_name(two)


def test_both_commits_lie_in_one_bucket_and_answer_to_the_same_names(tmp_path: Path) -> None:
    made = plan(read(tmp_path, f"models: [{{id: acme/llama, name: chat, {CANARY}}}]"), BOTH)
    one, two = made.models
    assert bucket_name(made.target, one) == bucket_name(made.target, two)
    assert (one.weights.prefix, two.weights.prefix) == (OLD, NEW)
    named = [m.server.args[m.server.args.index("--served-model-name") :][:3] for m in (one, two)]
    assert named[0] == named[1] == ("--served-model-name", "acme/llama", "chat")


def test_promotion_finds_its_weights_where_the_canary_left_them(tmp_path: Path) -> None:
    """The loader asks nothing of the Hub for files that are there: tests/deploy/test_loader.py."""
    before = plan(read(tmp_path, f"models: [{{id: acme/llama, name: chat, {CANARY}}}]"), BOTH)
    after = plan(read(tmp_path, "models: [{id: acme/llama, name: chat, revision: next}]"), lock(("next", NEW)))
    canary, promoted = before.models[1], after.models[0]
    assert bucket_name(before.target, canary) == bucket_name(after.target, promoted)
    assert (canary.weights, promoted.key) == (promoted.weights, "chat")


def test_a_canary_without_a_gateway_is_refused_with_the_setting_that_makes_one(tmp_path: Path) -> None:
    request = read(tmp_path, f"models: [{{id: acme/llama, {CANARY}}}]")
    with pytest.raises(PlanError) as caught:
        plan(request, BOTH, None)
    assert "the stack has no gateway to split its requests" in str(caught.value)
    assert "hubstack:gateway" in str(caught.value)


def test_a_model_that_rests_has_no_canary(tmp_path: Path) -> None:
    request = read(tmp_path, f"models: [{{id: acme/llama, replicas: {{min: 0, max: 2}}, {CANARY}}}]")
    with pytest.raises(PlanError, match="scales to zero"):
        plan(request, BOTH)


def test_a_canary_of_the_same_commit_is_told(tmp_path: Path) -> None:
    made = plan(
        read(tmp_path, f"models: [{{id: acme/llama, name: chat, {CANARY}}}]"), lock(("main", OLD), ("next", OLD))
    )
    assert any("is the same commit as `chat`" in warning for warning in made.warnings)


@pytest.mark.parametrize(
    ("names", "why"),
    [(("body-router",), "the gateway"), (("chat", "chat-picker"), "the endpoint picker of `chat`")],
)
def test_a_key_that_the_gateway_takes_is_refused_only_with_one(
    tmp_path: Path, names: tuple[str, ...], why: str
) -> None:
    entries = ", ".join(f"{{id: acme/llama, name: {name}}}" for name in names)
    request = read(tmp_path, f"models: [{entries}]")
    with pytest.raises(PlanError, match=why):
        plan(request, BOTH)
    assert len(plan(request, BOTH, None).models) == len(names)


@dataclass(frozen=True)
class Named:
    key: str
    id: str
    canary_of: str | None = None
    was: tuple[str, ...] = ()


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "llama", "gpt2", "c"]),
        st.sampled_from(["acme/llama", "gpt2", "x/c", "a"]),
        min_size=1,
    )
)
def test_no_name_leads_to_two_models_and_every_key_to_its_own(listed: dict[str, str]) -> None:
    found = model_names([Named(key, repo_id) for key, repo_id in listed.items()])
    names = [name for each in found.values() for name in each]
    assert len(names) == len(set(names)), "two routes would match one request"
    assert all(key in found[key] for key in listed)


def test_a_second_entry_with_a_name_of_its_own_leaves_the_hub_id_to_the_first() -> None:
    first, second = Named("llama", "acme/llama"), Named("cheap", "acme/llama")
    assert model_names([first])["llama"] == model_names([first, second])["llama"] == ("llama", "acme/llama")
    assert model_names([first, second])["cheap"] == ("cheap",)


def test_names_are_found_in_one_pass_over_the_models() -> None:
    read: list[str] = []

    class Counted(Named):
        def __getattribute__(self, name: str) -> object:
            read.append(name)
            return super().__getattribute__(name)

    for size in (100, 200):
        read.clear()
        model_names([Counted(f"m{number}", "acme/llama") for number in range(size)])
        assert len(read) < 12 * size, "each model was compared with each other one"


def test_an_id_that_means_two_models_alike_leads_to_none_and_is_told(tmp_path: Path) -> None:
    request = read(tmp_path, "models: [{id: acme/llama, name: one}, {id: acme/llama, name: two}]")
    made = plan(request, BOTH)
    assert model_names(made.models) == {"one": ("one",), "two": ("two",)}
    assert any("does not accept `acme/llama`" in warning for warning in made.warnings)


def test_a_picker_is_there_only_where_it_has_a_choice(tmp_path: Path) -> None:
    text = (
        "models: [{id: acme/llama, name: many, replicas: {min: 1, max: 3}, " + CANARY + "}, "
        "{id: acme/llama, name: one}, {id: acme/llama, name: rests, replicas: {min: 0, max: 3}}]"
    )
    made = plan(read(tmp_path, text), BOTH)
    assert picked_models(made.models, GATEWAY) == frozenset(), "plain Services have none"
    inference = replace(GATEWAY, mode=GatewayMode.INFERENCE)
    assert picked_models(made.models, inference) == {"many", "many-canary"}
    assert picked_models(made.models, None) == frozenset()
