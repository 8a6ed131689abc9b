# SPDX-License-Identifier: Apache-2.0
"""Where hubstack and the pack judge the same thing, they say the same: two readers, no line of code in common."""

from dataclasses import replace
from typing import Any

import pytest
from resources import Resource
from rules import RESOURCE_RULES, STACK_RULES
from settings import catalogue

from hubstack.deploy import manifests
from hubstack.hub.facts import ModelFacts, SecurityFacts
from hubstack.planner.inputs import StackInputs
from hubstack.planner.planner import plan_inputs
from hubstack.review.check.plan_rules import model_findings, stack_findings
from hubstack.review.check.policy_file import Policy
from tests.support import golden, plans
from tests.support.facts import ask, file, llama, plan

SAFE = {
    "files": (file("config.json"), file("model.safetensors", 2_000_000_000)),
    "security": SecurityFacts(scans_done=True),
}
PICKLE = (file("config.json"), file("pytorch_model.bin", 2_000_000_000))
UNSAFE = SecurityFacts(scans_done=True, issues={"a.bin": "caution", "b.bin": "unsafe"})
HOME = {"architectures": ["HomeGrownForCausalLM"], "model_type": "home_grown"}

MODELS: dict[str, tuple[ModelFacts, dict[str, Any], set[str]]] = {
    "all is well": (llama(**SAFE), {}, set()),
    "a licence that is not allowed": (llama(**{**SAFE, "license": "gemma"}), {}, {"HS001"}),
    "one of two licences": (llama(**{**SAFE, "license": "mit, gemma"}), {}, {"HS001"}),
    "a licence with a name": (llama(**{**SAFE, "license": "other", "license_name": "MIT"}), {}, set()),
    "no licence": (llama(**{**SAFE, "license": None}), {}, {"HS001", "HS002"}),
    "pickles": (llama(**{**SAFE, "files": PICKLE}), {"allow_pickle": True}, {"HS004"}),
    "remote code": (llama(**SAFE, custom_code=True, config=HOME), {"trust_remote_code": True}, {"HS003"}),
    "code that could stay out": (llama(**SAFE, custom_code=True), {"trust_remote_code": True}, {"HS003"}),
    "code that does not run": (llama(**SAFE, custom_code=True), {}, set()),
    "a bad scan": (llama(**{**SAFE, "security": UNSAFE}), {"allow_unsafe": True}, {"HS005"}),
    "no scan": (llama(**{**SAFE, "security": SecurityFacts()}), {}, {"HS006"}),
    "a scan that goes on": (llama(**{**SAFE, "security": SecurityFacts(scans_done=False)}), {}, {"HS006"}),
}
BOTH = ("HS001", "HS002", "HS003", "HS004", "HS005", "HS006")


@pytest.mark.parametrize("case", MODELS)
def test_both_say_the_same_of_a_model(case: str) -> None:
    facts, settings, wanted = MODELS[case]
    asked = ask(facts.id, **settings)
    decided = plan((facts, asked))
    (model,) = decided.models
    limits = {**catalogue()["defaults"], "licenses": ["apache-2.0", "mit"]}
    ours = {one.rule for one in model_findings(decided, {model.key: facts}, {}, {model.key: asked}, limits)}
    server = Resource(
        type="kubernetes:apps/v1:Deployment",
        name="it",
        props=manifests.deployment(decided.target, model),
        stack="acme",
    )
    theirs = {rule for rule in BOTH if list(RESOURCE_RULES[rule](server, limits))}
    assert ours == theirs == wanted


def test_the_server_is_told_of_and_its_pods_are_not() -> None:
    told = manifests.judged(plans.CHAT)
    group = manifests.leader_worker_set(plans.make_plan().target, replace(plans.GATED, hosts=2))
    assert told.keys() <= group["metadata"]["annotations"].keys()
    pod = manifests.deployment(plans.make_plan().target, plans.CHAT)["spec"]["template"]["metadata"]
    assert not told.keys() & pod["annotations"].keys(), "a changed licence must restart nothing"


@pytest.mark.parametrize("example", golden.EXAMPLES)
def test_both_count_the_same_accelerators(example: str) -> None:
    decided = plan_inputs(StackInputs.load(golden.environment(example)))
    policy = Policy(limits={**catalogue()["defaults"], "max_accelerators": {}}, levels={}, marks={})
    graph = golden.read_graph(example)  # tests/meta/test_examples.py holds it to what is registered
    resources = [
        Resource(type=each["type"], name=each["name"], props=each.get("inputs", {}), stack=graph["stack"])
        for each in graph["resources"]
    ]
    ours = sorted(one.message for one in stack_findings(decided, policy, None, None, None))
    theirs = sorted(message for _, message in STACK_RULES["HS020"](resources, policy.limits))
    assert ours == theirs
    assert ours
