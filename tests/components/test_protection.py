# SPDX-License-Identifier: Apache-2.0
"""What `pulumi destroy` of a protected stack may not do, and what an `up` does not wait for.

That the engine indeed removes nothing is shown by it itself: tests/proof/test_engine.py.
"""

import ast
from pathlib import Path
from typing import Any

import pulumi_hubstack
import pytest

from tests.components.test_fleet import build
from tests.support.golden import EXAMPLES, read_graph
from tests.support.plans import make_plan

PROTECTION = "hubstack:protection:Protection"
FOR_THE_WHOLE_STACK = {"network-vpc", "network-subnet", "cluster-gke", "cluster-system", "models", "protection"}


def needed_by(resource: dict[str, Any]) -> set[str]:
    """Return what the engine may not remove before a resource."""
    values = {urn for urns in resource.get("propertyDependencies", {}).values() for urn in urns}
    provider = str(resource.get("provider") or "").rpartition("::")[0]
    return {*resource.get("dependencies", ()), resource.get("parent") or "", provider, *values}


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_protection_depends_on_every_other_resource(example: str) -> None:
    graph = read_graph(example)
    resources = {each["urn"]: each for each in graph["resources"]}
    [guard] = [urn for urn, each in resources.items() if each["type"] == PROTECTION]
    reached: set[str] = set()
    waiting = [guard]
    while waiting:
        urn = waiting.pop()
        if urn in resources and urn not in reached:
            reached.add(urn)
            waiting += needed_by(resources[urn])
    left = [resources[urn]["name"] for urn in resources.keys() - reached]
    assert not left, "a destroy would remove these in the step that the protection stops"


@pytest.mark.parametrize("protected", [True, False])
def test_what_the_rest_lives_in_is_protected_and_what_comes_with_a_model_is_not(protected: bool) -> None:
    recorded = build(make_plan(deletion_protection=protected))
    found = {each.name for each in recorded.resources.values() if each.request.protect}
    assert found == (FOR_THE_WHOLE_STACK if protected else set())


def test_no_service_is_waited_for() -> None:
    services = build(make_plan()).of_type("kubernetes:core/v1:Service")
    assert services
    for service in services:
        assert service.inputs["metadata"]["annotations"]["pulumi.com/skipAwait"] == "true", service.name


def test_every_question_to_google_waits_for_its_api() -> None:
    asked = 0
    for path in Path(pulumi_hubstack.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func).startswith("gcp.")
                and "get_" in ast.unparse(node.func)
            ):
                asked += 1
                assert "depends_on=" in ast.unparse(node), f"{path.name}:{node.lineno} is sent before its API is on"
    assert asked, "the components ask nothing: this test is of no use"


def test_accounts_with_a_fixed_name_are_taken_up_where_a_killed_up_has_made_them() -> None:
    for example in EXAMPLES:
        for each in read_graph(example)["resources"]:
            if each["type"] == "gcp:serviceaccount/account:Account":
                assert each["inputs"]["createIgnoreAlreadyExists"] is True, each["name"]
