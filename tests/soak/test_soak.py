# SPDX-License-Identifier: Apache-2.0
"""A long life of a stack: 500 edits of a list of fifty models, one after the other.

After each, list and lock are read, planned, placed and registered anew, and three things are held against each
other: the plan, the graph and what `hubstack diff` says. The judge is this file: URNs, names and inputs compared as
they are. A model that was not touched never changes.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from hubstack.inputs.stack import Stack as StackFiles
from hubstack.plan import ModelPlan, Plan
from hubstack.planner.inputs import StackInputs
from hubstack.planner.placement.write_placement import write_places
from hubstack.planner.planner import plan_inputs
from hubstack.review.diff.change import Change, compare
from hubstack.review.diff.models import ModelAction
from hubstack.review.diff.resources import Action
from hubstack.review.diff.state import State, Versions
from hubstack.review.preview import preview
from tests.soak.edits import SETTINGS, STACK, Edit, Stack
from tests.support.in_process import graph_of

pytestmark = pytest.mark.soak
PROJECT = Path(__file__).resolve().parents[2]
SIZE, STEPS, PARTS = 50, int(os.environ.get("HUBSTACK_SOAK_EDITS", "500")), 4
"""Of one sequence. Each part goes through all edits before its own too, but without running the program."""
BY_PROCESS = 100
"""Each so many steps the real preview is run too."""
Resources = Mapping[str, Mapping[str, Any]]


def files_of(folder: Path) -> StackInputs:
    return StackInputs.of(StackFiles.of_program(folder, STACK, SETTINGS))


class Side:
    """The stack at one step."""

    def __init__(self, folder: Path, name: str) -> None:
        self.plan: Plan = plan_inputs(files_of(folder))
        self.graph = graph_of(self.plan)
        data = json.loads(self.graph.to_json())
        self.state = State(name=name, plan=json.loads(self.plan.to_json()), graph=data)
        self.resources: Resources = {each["urn"]: each for each in data["resources"] if each["custom"]}

    def of_model(self, key: str) -> dict[str, Any]:
        """Return what is of one model, without what is its neighbours' too.

        That is the order of work; and on nodes of several accelerators how many pods a rolling update adds, which
        follows from the places that all of them leave (docs/concepts/identity.md).
        """
        mine = re.compile(rf"{key}(-|$)")
        found: dict[str, Any] = {}
        for urn, each in self.resources.items():
            if mine.match(each["name"]):
                found[urn] = json.loads(json.dumps({**each, "dependencies": None}))
                found[urn]["inputs"].get("spec", {}).pop("strategy", None)
        return found

    def decided(self, key: str) -> ModelPlan:
        """Return a model's plan, without the same."""
        model = next(model for model in self.plan.models if model.key == key)
        reasons = tuple(reason for reason in model.reasons if reason.topic != "rollout")
        return replace(model, max_surge=0, reasons=reasons)

    def buckets(self) -> set[str]:
        """Return the physical names of the buckets."""
        return {each["inputs"]["name"] for each in self.resources.values() if each["type"].endswith(":Bucket")}


class Life(RuleBasedStateMachine):
    """One stack that is edited."""

    folder: Path
    judged: range
    """Steps that are held against the one before."""
    seen: int
    """How many were."""

    @initialize(life=st.integers(0, 2**16))
    def begin(self, life: int) -> None:
        # Hypothesis tries the smallest of all sequences first, which is the same edit again and again.
        self.is_begun, self.step = life > 0, 0
        if not self.is_begun:
            return
        self.stack = Stack(self.folder, SIZE)
        type(self).seen = 0
        (self.folder / f"{STACK}.placement.yaml").unlink(missing_ok=True)
        self.save()

    @rule(seed=st.integers(0, 2**24))
    def edit(self, seed: int) -> None:
        if not self.is_begun:
            return
        self.step += 1
        edit = self.stack.edit(seed)
        self.save()
        if self.step in self.judged:
            self.judge(edit)

    def save(self) -> None:
        """Write what a user commits."""
        self.stack.write()
        write_places(files_of(self.folder))
        if self.step + 1 in self.judged and self.step not in self.judged:
            self.side = Side(self.folder, str(self.step))
            self.holds_together(self.side)

    def judge(self, edit: Edit) -> None:
        type(self).seen += 1
        before, self.side = self.side, Side(self.folder, str(self.step))
        self.holds_together(self.side)
        self.untouched_models_stay(edit, before, self.side)
        change = compare(STACK, Versions(base=before.state, head=self.side.state))
        self.diff_says_it(edit, before, self.side, change)
        if self.step % BY_PROCESS == 0:
            self.is_what_the_command_shows()

    def holds_together(self, side: Side) -> None:
        """Plan and graph are of the same models, on the same pools."""
        plan = side.plan
        assert {model.key for model in plan.models} == self.stack.keys()
        named = {each["name"]: each for each in side.resources.values()}
        assert {name for name in named if name.endswith("-deployment")} == {
            f"{m.key}-deployment" for m in plan.models
        }
        pools = {name for name, each in named.items() if each["type"] == "gcp:container/nodePool:NodePool"}
        assert pools == {f"{pool.key}-nodes" for pool in plan.pools} | {"cluster-system"}
        for pool in plan.pools:
            scaling = named[f"{pool.key}-nodes"]["inputs"]["autoscaling"]
            assert scaling["totalMaxNodeCount"] == pool.max_nodes
        for model in plan.models:
            deployment = named[f"{model.key}-deployment"]["inputs"]
            assert deployment["spec"]["replicas"] == model.replicas.min
            assert model.commit in json.dumps(deployment["metadata"]["annotations"])
            assert deployment["spec"]["template"]["spec"]["nodeSelector"]["cloud.google.com/compute-class"] == (
                model.capacity_class
            )

    def untouched_models_stay(self, edit: Edit, before: Side, after: Side) -> None:
        for key in {model.key for model in after.plan.models} - edit.touched:
            assert before.decided(key) == after.decided(key), f"{edit.what}: {key} is planned otherwise"
            assert before.of_model(key) == after.of_model(key), f"{edit.what}: {key} is registered otherwise"
            assert before.of_model(key), "the comparison is of something"

    def diff_says_it(self, edit: Edit, before: Side, after: Side, change: Change) -> None:
        assert not change.failures
        said = {action: {each.key for each in change.models if each.action is action} for action in ModelAction}
        gone, came = edit.removed, edit.added
        if edit.what == "rename without was":  # the report calls it a rename, the resources go and come
            gone, came = frozenset[str](), frozenset[str]()
            assert said[ModelAction.RENAMED] == edit.added
        else:
            assert said[ModelAction.RENAMED] == edit.renamed.keys()
        assert said[ModelAction.ADDED] == came
        assert said[ModelAction.REMOVED] == gone
        assert said[ModelAction.CHANGED] <= edit.touched
        self.resources_are_announced(edit, before, after, change)
        cents = [round(side.plan.cost.usd_per_month_max * 100) for side in (before, after)]
        assert sum(line.after.busy - line.before.busy for line in change.money.lines) == cents[1] - cents[0]

    def resources_are_announced(self, edit: Edit, before: Side, after: Side, change: Change) -> None:
        old_urn = {urn: _former(urn, edit.renamed) for urn in after.resources}
        actual = {
            Action.CREATE: {urn for urn, old in old_urn.items() if old not in before.resources},
            Action.DELETE: before.resources.keys() - set(old_urn.values()),
        }
        announced = {action: {each.urn for each in change.of(action)} for action in Action}
        assert announced[Action.CREATE] == actual[Action.CREATE], edit.what
        assert announced[Action.DELETE] == actual[Action.DELETE], edit.what
        both = [(urn, old) for urn, old in old_urn.items() if old in before.resources]
        differs = {urn for urn, old in both if not _same(before.resources[old], after.resources[urn])}
        assert announced[Action.UPDATE] | announced[Action.REPLACE] == differs, edit.what
        # A load is a Job, which nobody can change; everything else of a model that stays is changed in place.
        replaced = {after.resources[urn]["name"].partition("-")[2] for urn in announced[Action.REPLACE]}
        assert replaced <= {"loader-job", "loader-script"}, edit.what
        lost = before.buckets() - after.buckets()
        assert len(lost) == len(edit.removed), f"{edit.what}: buckets {sorted(lost)}"

    def is_what_the_command_shows(self) -> None:
        """The graph in this process is that of the program in its own."""
        (self.folder / f"Pulumi.{STACK}.yaml").write_text(json.dumps({"config": dict(SETTINGS)}))
        for name in ("Pulumi.yaml", "__main__.py"):
            (self.folder / name).write_text((PROJECT / name).read_text())
        shown = preview(self.folder, stack=STACK, config=self.folder / f"Pulumi.{STACK}.yaml")
        assert json.loads(shown.to_json())["resources"] == json.loads(self.side.graph.to_json())["resources"]


def _former(urn: str, renamed: Mapping[str, str]) -> str:
    """Return the URN that a resource had under its model's former key."""
    head, _, name = urn.rpartition("::")
    for new, old in renamed.items():
        if name == new or name.startswith(f"{new}-"):
            return f"{head}::{old}{name.removeprefix(new)}"
    return urn


def _same(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Say whether a provider is given the same, but for what it is told to leave alone."""
    ignored = after["options"].get("ignoreChanges", [])
    return _without(before["inputs"], ignored) == _without(after["inputs"], ignored)


def _without(inputs: Any, paths: list[str]) -> Any:
    copy = json.loads(json.dumps(inputs))
    for path in paths:
        *parents, last = path.split(".")
        inner = copy
        for part in parents:
            inner = inner.get(part, {})
        inner.pop(last, None)
    return copy


@pytest.mark.parametrize("part", range(PARTS))
def test_plan_preview_and_diff_agree_through_500_edits_and_untouched_models_never_change(
    tmp_path: Path, part: int
) -> None:
    size = STEPS // PARTS
    life = type("OneLife", (Life,), {"folder": tmp_path, "judged": range(part * size + 1, (part + 1) * size + 1)})
    once = settings(
        max_examples=2,
        stateful_step_count=(part + 1) * size + 1,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    run_state_machine_as_test(life, settings=once)
    assert life.seen == size
