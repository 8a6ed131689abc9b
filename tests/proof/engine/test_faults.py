# SPDX-License-Identifier: Apache-2.0
"""Commands that go wrong under the real engine: a destroy of a protected stack, an `up` that is killed."""

import re
import subprocess
import time
from pathlib import Path

import pytest

from proof.engine.charts import ChartRepository
from proof.engine.engine import Engine
from proof.engine.google_provider import SLOW
from proof.engine.repair import interrupted, repair, restore_state, unknown_ids
from proof.sandbox import Sandbox
from tests.identity.sides import side, write_edit
from tests.proof.engine.test_life import STAYS_ON, left, started
from tests.support.golden import PROJECT

pytestmark = pytest.mark.proof

DESTROYS = ((), ("--continue-on-error",), ("--exclude-protected",))
SMALL = "cloud-run"
WITH_A_CLUSTER = "quickstart"


def count(engine: Engine) -> int:
    return sum(map(len, engine.cloud.everything().values()))


def protect(engine: Engine) -> None:
    engine.run("config", "set", "hubstack:deletionProtection", "true")


@pytest.mark.parametrize("example", [SMALL, WITH_A_CLUSTER])
def test_destroy_of_a_protected_stack_deletes_nothing_and_a_model_may_still_leave(
    example: str, tmp_path: Path, engine_programs: Path, sandbox: Sandbox, charts: ChartRepository
) -> None:
    engine = started(example, tmp_path, engine_programs, sandbox, charts)
    protect(engine)
    engine.up()
    made, known = engine.cloud.everything(), len(engine.state()["resources"])
    for options in DESTROYS:
        done = engine.destroy(*options, check=False)
        assert done.code or "no unprotected resources" in done.text
        assert engine.cloud.everything() == made, f"destroy {' '.join(options)} deleted something"
        assert len(engine.state()["resources"]) == known
    write_edit(example, "remove", engine.project / "examples" / example)
    gone = engine.up()
    assert set(gone.steps.values()) >= {"delete"}, "the model is still there"
    assert gone.counts["delete"] < known / 2
    engine.run("config", "set", "hubstack:deletionProtection", "false")
    engine.up()
    engine.destroy()
    assert left(engine) == {}
    sandbox.empty()


@pytest.mark.parametrize(
    ("example", "made"),
    [
        (SMALL, 12),
        pytest.param(SMALL, 27, marks=pytest.mark.long),
        (WITH_A_CLUSTER, 16),
        pytest.param(WITH_A_CLUSTER, 40, marks=pytest.mark.long),
    ],
)
def test_an_up_that_was_killed_goes_on_after_the_guides_steps(
    example: str, made: int, tmp_path: Path, engine_programs: Path, sandbox: Sandbox, charts: ChartRepository
) -> None:
    engine = started(example, tmp_path, engine_programs, sandbox, charts)
    engine.environment[SLOW] = "0.5"
    process = engine.start("up", "--yes", "--skip-preview")
    end = time.monotonic() + 120
    while count(engine) < made and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    engine.kill(process)
    assert count(engine) >= made, "it did not come so far"
    engine.environment[SLOW] = "0"
    restore_state(engine)
    assert "locked" in engine.up(check=False).text
    repair(engine)
    assert interrupted(engine) == []
    engine.up()
    size = len(side(example, "base").state.all_resources) + 1
    assert engine.up().counts == {"same": size}
    strays = {kind: identity for kind, identity in unknown_ids(engine) if kind != STAYS_ON}
    assert strays == {}, "two were made of what was wanted once"
    engine.destroy()
    assert left(engine) == {}
    sandbox.empty()


def test_the_examples_readme_can_be_followed_and_changes_no_tracked_file(
    tmp_path: Path, engine_programs: Path
) -> None:
    readme = (PROJECT / "examples" / "README.md").read_text()
    [block] = re.findall(r"```sh\n(cp .*?)```", readme, re.DOTALL)
    engine = Engine(tmp_path / "engine", engine_programs, "fleet")
    engine.copy(["examples/fleet"])
    done = subprocess.run(
        ["sh", "-ec", block],
        cwd=engine.project,
        env=engine.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    size = len(side("fleet", "base").state.all_resources) + 1
    assert f"+ {size} to create" in done.stdout
    for path in (PROJECT / "examples" / "fleet").iterdir():
        assert (engine.project / "examples" / "fleet" / path.name).read_bytes() == path.read_bytes()
