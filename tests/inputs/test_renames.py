# SPDX-License-Identifier: Apache-2.0
"""A model under another name: what `was:` may say, and everything that goes by a key goes on with the new one.

What happens to resources is in tests/identity; what a diff says of it in tests/review/diff.
"""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest

from hubstack import names
from hubstack.deploy import manifests
from hubstack.files.documents import Mark
from hubstack.files.errors import InputError, PlanError
from hubstack.hub.lock import Lock
from hubstack.hub.promote import Side, promote
from hubstack.hub.remote.command import _upgraded
from hubstack.inputs.models import Request, load_request
from hubstack.inputs.renames import current_keys
from hubstack.inputs.stack import Stack
from hubstack.plan import Plan
from hubstack.plan.gateway import GatewayPlan
from hubstack.planner.inputs import StackInputs
from hubstack.planner.placement.placement_file import Place, load_placement, placement_path
from hubstack.planner.placement.write_placement import differences, write_places
from hubstack.planner.planner import plan_stack
from hubstack.planner.serving.routing import model_names
from hubstack.review.check.finding import Finding, settled
from hubstack.review.check.policy_file import PlacedWaiver, Policy, following
from hubstack.review.check.policy_schema import Waiver
from hubstack.review.check.rules import catalogue
from tests.support.facts import catalog, llama, target
from tests.support.in_process import graph_of
from tests.support.plans import CHAT, complete, make_plan, with_models

PROJECT = Path(__file__).resolve().parents[2]
CONFIG = {"gcp:project": "acme-models", "gcp:region": "us-central1"}
PLACE, OTHER = (Place(machine_type=f"g2-standard-{size}", accelerators=1) for size in (4, 12))


def read(folder: Path, text: str) -> Request:
    path = folder / "dev.models.yaml"
    path.write_text(text)
    return load_request(path, "dev.models.yaml")


def keys(request: Request) -> dict[str, tuple[str, ...]]:
    return {model.key: model.was for model in request.models}


def test_former_keys_are_one_or_a_list(tmp_path: Path) -> None:
    text = "models: [{id: a/b, name: chat, was: b}, {id: a/c, name: talk, was: [c, speak]}, a/d]"
    assert keys(read(tmp_path, text)) == {"chat": ("b",), "talk": ("c", "speak"), "d": ()}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models:\n- {id: a/b, name: chat, was: chat}", "2:30: `chat` is the model's current key"),
        ("models:\n- {id: a/b, name: x, was: [b, x]}", "2:27: `x` is the model's current key"),
        ("models:\n- {id: a/b, was: b}", "2:18: `b` is the model's current key"),
        ("models:\n- {id: a/b, name: x, was: c}\n- a/c", "2:27: `c` is the key of another model (dev.models.yaml:"),
        (
            "models:\n- {id: a/b, name: x, was: o}\n- {id: a/c, name: y, was: o}",
            "3:27: `o` is a former key of another model too (dev.models.yaml:2)",
        ),
        ("models:\n- {id: a/b, name: x, was: [o, o]}", "2:27: `was` of `x` contains a duplicate key"),
        ("models:\n- {id: a/b, name: x, was: Old}", '2:27: item 1 of `models.was` may not be `"Old"`'),
        ("models:\n- {id: a/b, name: x, was: []}", "2:27: `models.was` must have at least 1 item"),
        ("models:\n- {id: a/b, name: x, was: [a, b, c, d, e]}", "`models.was` must have at most 4 items"),
        ("models:\n- {id: a/b, name: x, was: 3}", "2:27: `models.was` must be a list"),
        ("models: [a/b]\noverrides: {b: {was: o}}", "unknown key `was`"),
        (
            "models:\n- {id: a/b, name: x, was: o, canary: {revision: r, weight: 1}}\n- {id: a/c, name: o-canary}",
            "`o-canary` is the key of another model (dev.models.yaml:3)",
        ),
        (
            f"models:\n- {{id: a/b, name: x, was: {'k' * 36}, canary: {{revision: r, weight: 1}}}}",
            f"`{'k' * 36}` is too long for a model with a canary",
        ),
    ],
)
def test_a_wrong_former_key_is_refused_at_its_place(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert said in str(caught.value)


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, "models:\n- {id: a/b, name: x, was: [c, x]}\n- a/c\n- {id: a/d, name: y, was: c}")
    assert [problem.line for problem in caught.value.problems] == [2, 2, 4]


def test_the_canary_of_a_renamed_model_is_renamed_with_it(tmp_path: Path) -> None:
    made_of = read(tmp_path, "models: [{id: a/b, name: chat, was: b, canary: {revision: r, weight: 1}}]")
    assert keys(made_of) == {"chat": ("b",), "chat-canary": ("b-canary",)}
    canary = made_of.models[1]
    assert (names.original_key(canary), names.entry_keys(canary)) == ("b-canary", ("chat", "b"))


def test_overrides_of_the_former_key_go_on_and_the_present_key_wins(tmp_path: Path) -> None:
    (tmp_path / "shared.yaml").write_text("models: [{id: a/b, name: chat, was: b}]")
    text = "extends: shared.yaml\noverrides: {b: {context: 512, concurrency: 7}, chat: {context: 1024}}"
    (model,) = read(tmp_path, text).models
    assert (model.settings.context, model.settings.concurrency) == (1024, 7)


def lock(*ids: str) -> Lock:
    return Lock(path="dev.models.lock.yaml", models=tuple(llama(each) for each in ids))


def plan(request: Request, *, gateway: bool = False) -> Plan:
    held = lock(*(model.id for model in request.models))
    return plan_stack(
        request, held, catalog(), target(gateway=GatewayPlan(timeout_seconds=600) if gateway else None)
    )


RESTING = "defaults: {replicas: {min: 0, max: 1}}\nmodels: [{id: a/b, name: chat, was: b}, {id: a/c, name: %s}]"


def test_the_address_that_wakes_a_renamed_model_is_taken_under_its_first_name(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="`b-wake` is reserved: it is the address that starts `chat` from zero"):
        plan(read(tmp_path, RESTING % "b-wake"))
    assert plan(read(tmp_path, RESTING % "chat-wake")).models


def test_the_name_of_the_endpoint_picker_is_taken_under_the_first_name(tmp_path: Path) -> None:
    text = "models: [{id: a/b, name: chat, was: b}, {id: a/c, name: %s}]"
    with pytest.raises(PlanError, match="`b-picker` is reserved for the endpoint picker of `chat`"):
        plan(read(tmp_path, text % "b-picker"), gateway=True)
    assert plan(read(tmp_path, text % "chat-picker"), gateway=True).models


def test_a_renamed_model_answers_to_every_name_it_had(tmp_path: Path) -> None:
    planned = plan(read(tmp_path, "models: [{id: a/b, name: talk, was: [b, chat]}]"), gateway=True)
    (model,) = planned.models
    args = model.server.args
    at = args.index("--served-model-name")
    assert args[at + 1 : at + 6] == ("a/b", "talk", "chat", "b", "--tensor-parallel-size")
    rules = manifests.route(planned.target, planned.gateway, planned.traffic, model, None)["spec"]["rules"]
    assert [each["headers"][0]["value"] for each in rules[0]["matches"]] == ["talk", "chat", "b", "a/b"]
    paths = [each["path"]["value"] for rule in rules[1:] for each in rule["matches"]]
    assert paths == ["/talk/v1", "/chat/v1", "/b/v1"]
    assert (manifests.server_name(model), manifests.bucket_name(planned.target, model)) == ("b", "acme-ml-acme-b")


def test_a_model_renamed_back_is_what_it_was_made_as(tmp_path: Path) -> None:
    planned = plan(read(tmp_path, "models: [{id: a/b, was: [b, chat]}]"))
    (model,) = planned.models
    assert (model.key, manifests.server_name(model), manifests.bucket_name(planned.target, model)) == (
        "b",
        "b",
        "acme-ml-acme-b",
    )
    assert names.entry_keys(model) == ("b", "chat")


def test_the_hub_id_goes_on_to_mean_the_model_whose_first_key_was_made_from_it(tmp_path: Path) -> None:
    text = "models: [{id: a/b, name: chat, was: b}, {id: a/b, name: other}]"
    found = model_names(read(tmp_path, text).models)
    assert found == {"chat": ("chat", "b", "a/b"), "other": ("other",)}


def files_of(project: Path) -> StackInputs:
    return StackInputs.of(Stack.of_program(project, "dev", CONFIG))


def test_a_model_stays_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "stacks").mkdir()
    for name in ("models.yaml", "models.lock.yaml"):
        text = (PROJECT / "examples" / "quickstart" / name).read_text()
        (tmp_path / "stacks" / f"dev.{name}").write_text(text)
    path = placement_path(tmp_path / "stacks" / "dev.models.yaml", "dev")
    write_places(files_of(tmp_path))
    text = path.read_text().replace("g2-standard-4", "g2-standard-8")
    path.write_text(text)
    listed = tmp_path / "stacks" / "dev.models.yaml"
    was = "bge-small-en-v1-5"
    listed.write_text(
        listed.read_text().replace(
            "  - BAAI/bge-small-en-v1.5", f"  - {{id: BAAI/bge-small-en-v1.5, name: texts, was: {was}}}"
        )
    )
    assert write_places(files_of(tmp_path)) == [f"texts: renamed from {was}"]
    held = load_placement(path, "x").models
    assert held["texts"].machine_type == "g2-standard-8", "the dearer node, where it stood"
    assert was not in held
    assert write_places(files_of(tmp_path)) == []


def test_a_rename_is_told_apart_from_one_that_leaves_and_one_that_comes() -> None:
    before, after = {"a": PLACE, "b": PLACE, "d": PLACE}, {"new": PLACE, "b": OTHER, "c": PLACE}
    assert [line.split(" on ")[0].split(" from ")[0] for line in differences(before, after, {"a": "new"})] == [
        "new: renamed",
        "b: moves",
        "c: placed",
        "d: removed",
    ]
    assert differences({"new": PLACE}, {"new": PLACE}, {"a": "new"}) == [], "followed before"


def test_a_waiver_of_the_former_key_holds_for_the_model() -> None:
    waiver = Waiver.model_validate(
        {
            "rule": "HS001",
            "model": "b",
            "owner": "a@b.example",
            "until": dt.date(2099, 1, 1),
            "why": "x",
        }
    )
    placed = (PlacedWaiver(waiver=waiver, mark=Mark("policy.yaml", 1, 1, "")),)
    policy = Policy(
        limits={}, levels=dict.fromkeys(catalogue(), "error"), marks={}, waivers=following(placed, {"b": "chat"})
    )
    (finding,) = settled([Finding(rule="HS001", message="m", model="chat")], policy, dt.date(2026, 1, 1))
    assert finding.waiver is not None
    assert following(placed, {}) == placed


def test_a_lock_is_upgraded_by_the_former_key_too(tmp_path: Path) -> None:
    request = read(tmp_path, "models: [{id: a/b, name: chat, was: b}, a/c]")
    assert _upgraded(request, ["b"]) == {("a/b", "main")}


def test_a_commit_is_promoted_to_an_environment_where_the_model_has_another_name(tmp_path: Path) -> None:
    source = Side(request=read(tmp_path, "models: [{id: a/b, name: chat, was: b}]"), lock=lock("a/b"))
    prod = Side(request=read(tmp_path, "models: [a/b]"), lock=Lock(path="x", models=()))
    assert [move.keys for move in promote(source, prod, ()).moves] == [("b",)]


def test_former_keys_lead_to_present_ones(tmp_path: Path) -> None:
    request = read(tmp_path, "models: [{id: a/b, name: talk, was: [b, chat]}, a/c]")
    assert current_keys(request.models) == {"b": "talk", "chat": "talk"}
    back = read(tmp_path, "models: [{id: a/b, was: [b, chat]}]")
    assert current_keys(back.models) == {"chat": "b"}, "the key that a model has is no former one"


def test_the_removal_of_old_commits_follows_a_rename() -> None:
    """No example has one: it is there after an upgrade only."""
    upgraded = replace(CHAT, weights=replace(CHAT.weights, replaces="d" * 40))
    talk = replace(upgraded, key="talk", was=("chat",))
    plans = (with_models(upgraded), replace(make_plan(), models=(talk,)))
    jobs = [
        next(each for each in graph_of(complete(made_of)).resources if each.name.endswith("collector-job"))
        for made_of in plans
    ]
    assert [each.name for each in jobs] == ["chat-collector-job", "talk-collector-job"]
    assert jobs[0].inputs == jobs[1].inputs
