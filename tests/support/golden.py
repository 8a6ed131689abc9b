# SPDX-License-Identifier: Apache-2.0
"""Write or compare the golden plan and graph of each example: `python -m tests.support.golden`.

A golden file never stands alone: tests/meta/test_examples.py asserts by name what must be in it.
"""

from pathlib import Path

from hubstack.files.write import write_text_atomically
from hubstack.inputs.environment import Environment, find_environment
from hubstack.planner.inputs import StackInputs
from hubstack.planner.planner import plan_inputs
from hubstack.review.preview import preview

PROJECT = Path(__file__).resolve().parents[2]
EXAMPLES = ("quickstart", "fleet", "production", "multi-host", "cloud-run", "vertex", "sharded/eu", "sharded/us")


def environment(example: str) -> Environment:
    return find_environment(f"examples/{example}", PROJECT, PROJECT)


def plan_text(example: str) -> str:
    return plan_inputs(StackInputs.load(environment(example))).to_json()


def graph_text(example: str) -> str:
    env = environment(example)
    return preview(env.project_dir, stack=env.stack, config=env.config_file).to_json()


def golden_path(example: str, kind: str) -> Path:
    return PROJECT / "examples" / example / f"{kind}.json"


if __name__ == "__main__":
    for name in EXAMPLES:
        write_text_atomically(golden_path(name, "plan"), plan_text(name))
        write_text_atomically(golden_path(name, "graph"), graph_text(name))
        print(f"examples/{name}: plan.json, graph.json")
