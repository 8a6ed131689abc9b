# SPDX-License-Identifier: Apache-2.0
"""A plan is built once: no part of it is added or changed after it was made."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PLANNER = Path(__file__).resolve().parents[2] / "hubstack" / "planner"
BUILT = {"Plan": "planner.py", "ModelPlan": "model_plan.py"}
"""Type to the module that builds it."""


def calls(name: str) -> Iterator[str]:
    """Yield the module of each call of a name in the planner."""
    for path in sorted(PLANNER.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                yield path.relative_to(PLANNER).as_posix()


@pytest.mark.parametrize("name", BUILT)
def test_a_plan_is_built_in_one_place(name: str) -> None:
    assert list(calls(name)) == [BUILT[name]]


def test_nothing_copies_a_plan_with_another_field() -> None:
    """`replace` is for what is planned from: requests, drafts, candidates, and parts before they are in a plan.

    A batch is the exception: its hours and cost are read from the plan of its model.
    """
    copied = set[tuple[str, str]]()
    for path in sorted(PLANNER.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id="replace"), args=[ast.Name(id=name), *_]):
                    copied.add((path.name, name))
                case _:
                    pass
    plans = {each for each in copied if each[1] in {"plan", "models", "decided", "made"}}
    assert plans == {("model_plan.py", "plan")}
