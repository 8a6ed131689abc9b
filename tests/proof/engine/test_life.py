# SPDX-License-Identifier: Apache-2.0
"""The life of a stack under the real engine and the real Kubernetes provider: up, edits, refresh, destroy.

Google's side is a stand-in, held to the provider's own schema facts; GKE's controllers and Helm's charts are
stand-ins too, and pods run in name only.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from hubstack.review.diff.replacement import load_replacement
from hubstack.review.diff.resources import Action, compare_resources
from proof.engine.charts import ChartRepository
from proof.engine.engine import Done, Engine
from proof.engine.stacks import engine_of, use_charts
from proof.nodes import Pool, pool_of
from proof.sandbox import Sandbox
from tests.identity.sides import Side, side, write_edit
from tests.support.facts import catalog
from tests.support.golden import EXAMPLES, environment, read_graph

pytestmark = pytest.mark.proof

CANARIES = {
    "hubstack:hfToken": "hf_canaryOfTheHub0123456789abcdefghij",
    "hubstack:apiKey": "canary-of-the-gateway-0123456789",
    "hubstack:iapClientSecret": "canary-of-the-oauth-client-0123456789",
}
"""Secret settings to values that must be found nowhere but in Google's Secret Manager."""
IN_THE_CLOUD = (Action.CREATE, Action.UPDATE, Action.REPLACE, Action.DELETE)
STAYS_ON = "gcp:projects/service:Service"
LIVES = {
    "quickstart": ("context", "commit", "capacity", "engine", "add", "remove", "base", "rename", "rename back"),
    "production": ("commit", "add"),
    "fleet": ("commit",),
    "multi-host": ("commit",),
    "sharded/eu": ("commit",),
    "sharded/us": ("commit",),
    "cloud-run": ("commit", "add", "remove"),
    "vertex": ("add", "base", "rename", "rename back"),
}
"""Example to the edits that its stack goes through, each from the one before."""


def expected(before: Side, after: Side) -> dict[str, str]:
    """Return what `hubstack diff` says of a change, by URN."""
    changes = compare_resources(before.state, after.state, load_replacement())
    return {each.urn: str(each.action) for each in changes if each.action in IN_THE_CLOUD}


def custom(done: Done, *sides: Side) -> dict[str, str]:
    """Return the engine's steps without components, which are nothing in a cloud."""
    known = {urn for each in sides for urn in each.state.resources}
    return {urn: change for urn, change in done.steps.items() if urn in known}


def has_cluster(example: str) -> bool:
    return any(each["type"].startswith("kubernetes:") for each in read_graph(example)["resources"])


def started(example: str, folder: Path, programs: Path, sandbox: Sandbox, charts: ChartRepository) -> Engine:
    inside = sandbox if has_cluster(example) else None
    engine = engine_of(environment(example), folder / "engine", programs, inside)
    if inside:
        use_charts(engine, charts, read_graph(example)["resources"])
        sandbox.use(pools_of(example))
    return engine


def pools_of(example: str) -> list[Pool]:
    """Return every node pool that a life has, each once; which of them a pod may use is its ComputeClass's word."""
    found: dict[str, Pool] = {}
    for edit in ("base", *LIVES[example]):
        lived = side(example, edit)
        for each in lived.state.resources.values():
            if each["type"] == "gcp:container/nodePool:NodePool":
                pool = pool_of(each["inputs"], catalog(), lived.plan.target.region)
                found[pool.name] = pool
    return list(found.values())


def left(engine: Engine) -> dict[str, list[str]]:
    return {kind: ids for kind, ids in engine.cloud.everything().items() if kind != STAYS_ON}


LONG = {"production", "fleet", "multi-host", "sharded/eu", "sharded/us"}
"""Minutes each, and more of the same: `./dev test -m long -n 0 tests/proof`."""


@pytest.mark.parametrize(
    "example", [pytest.param(each, marks=pytest.mark.long if each in LONG else ()) for each in LIVES]
)
def test_up_edits_refresh_and_destroy_do_what_preview_and_diff_say(
    example: str, tmp_path: Path, engine_programs: Path, sandbox: Sandbox, charts: ChartRepository
) -> None:
    engine = started(example, tmp_path, engine_programs, sandbox, charts)
    for key, value in CANARIES.items():
        engine.run("config", "set", "--secret", key, value)
    size = announced(engine)
    assert engine.preview().counts == {"create": size}, "the preview of the engine counts otherwise"
    assert engine.up().counts == {"create": size}
    _assert_nothing_changes(engine, size)
    before = side(example, "base")
    for edit in LIVES[example]:
        after = side(example, edit)
        write_edit(example, edit, engine.project / "examples" / example.partition("/")[0])
        assert custom(engine.up(), before, after) == expected(before, after), f"`hubstack diff` of {edit!r}"
        before = after
    assert engine.up().counts == {"same": announced(engine)}
    assert_no_canary(engine)
    engine.destroy()
    assert left(engine) == {}
    if has_cluster(example):
        sandbox.empty()


def announced(engine: Engine) -> int:
    """Return how many resources `hubstack preview` says."""
    done = subprocess.run(
        [sys.executable, "-m", "hubstack", "preview", engine.stack, "--project", str(engine.project)],
        env=engine.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"^(\d+) resources would be created", done.stdout, re.MULTILINE)
    assert found, done.stdout + done.stderr
    return int(found[1])


def assert_no_canary(engine: Engine) -> None:
    files = [*engine.state_files(), *engine.project.rglob("*"), engine.folder / "events.json"]
    for path in filter(Path.is_file, files):
        held = path.read_text(errors="replace")
        assert not [key for key, value in CANARIES.items() if value in held], f"{path} holds a secret"


def _assert_nothing_changes(engine: Engine, size: int) -> None:
    assert engine.up().counts == {"same": size}, "a second `up` changes something"
    assert engine.refresh().counts == {"same": size}, "a refresh finds another state than the one that was made"
    assert engine.up().counts == {"same": size}, "what a refresh has written is no longer what is declared"


def test_every_example_has_a_life() -> None:
    assert LIVES.keys() == set(EXAMPLES)
