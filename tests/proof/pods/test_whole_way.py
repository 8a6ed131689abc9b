# SPDX-License-Identifier: Apache-2.0
"""One list the whole way: lock, `up`, loaders, servers, and requests by model name through a gateway.

Real: the lock, Pulumi's engine and Kubernetes provider, the control plane, the loader's script, the body router,
Envoy. Stand-ins: the Hub, Google, the engines (`proof/pods/openai_server.py` reads the weights and runs no model).
"""

import json
from collections import Counter
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from proof.api import Object
from proof.engine.engine import EngineError
from proof.hub.tiny import made_commit, tiny
from proof.pods.world import World
from proof.sandbox import Sandbox
from tests.proof.pods.way import Way, brought_up, says
from tests.support.hub import Commit, StandIn

pytestmark = pytest.mark.proof

FOLDER = "tests/proof/pods/stack"
FIRST, SECOND = "stand-in/first", "stand-in/second"


@pytest.fixture(scope="module")
def hub() -> Generator[StandIn]:
    with StandIn([tiny(FIRST, main="one"), tiny(SECOND, main="one", next="two")]) as started:
        yield started


@pytest.fixture(scope="module")
def way(living: Sandbox, world: World, hub: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Generator[Way]:
    with brought_up(FOLDER, tmp_path_factory.mktemp("way"), living, world, hub) as made:
        yield made


def test_each_model_is_answered_by_its_own_weights_at_the_locked_commit(way: Way) -> None:
    assert way.answered_by("first") == says(FIRST, "one")
    assert way.answered_by(FIRST) == says(FIRST, "one"), "by the name on the Hub too"
    assert way.ask("first", "/first/v1/chat/completions").json()["model"] == "first", "by the path too"
    assert way.answered_by("second") in {says(SECOND, "one"), says(SECOND, "two")}


def test_an_unknown_model_and_an_unknown_path_are_404(way: Way) -> None:
    assert way.ask("third").status_code == 404
    assert way.ask("first", "/other").status_code == 404


def test_the_bucket_has_the_locked_bytes_and_the_loader_says_so(way: Way) -> None:
    commit = made_commit(FIRST, "one")
    folder = next((way.world.buckets).glob("*-first")) / commit.sha
    marker = json.loads((folder / ".hubstack-complete").read_text())
    assert marker["commit"] == commit.sha
    for row in marker["files"]:
        held = commit.file(row["path"])
        assert held
        assert (folder / row["path"]).read_bytes() == held.content
    assert f"complete  {FIRST}@{commit.sha}" in way.world.kubelet.log(way.pods("first", "loader")[0], "loader")


def test_smoke_finds_that_every_model_of_the_running_stack_answers_from_its_locked_commit(way: Way) -> None:
    found = way.report("smoke", FOLDER, "--url", way.url)
    assert found["passed"], found
    (first, second, canary) = found["models"]
    for model in (first, second):
        (check,) = model["checks"]
        assert (check["what"], check["note"], check["requests"]) == ("chat", "streamed", 3)
        assert check["first_token_ms"] > 0
    assert {row["key"]: row["answering_commits"] for row in found["models"]} == {
        "first": [made_commit(FIRST, "one").sha[:12]],
        "second": [made_commit(SECOND, "one").sha[:12]],
        "second-canary": [made_commit(SECOND, "two").sha[:12]],
    }
    assert canary["skipped"] == ["gets its share of the requests for second"]
    assert way.report("doctor", FOLDER)["is_well"]


def test_a_canary_gets_the_share_that_the_list_says(way: Way) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = Counter(pool.map(lambda _: way.answered_by("second", max_tokens=1), range(400)))
    assert found.keys() == {says(SECOND, "one"), says(SECOND, "two")}
    assert 0.12 < found[says(SECOND, "two")] / 400 < 0.28, "20 % is declared; 8 points are four standard deviations"


def test_a_server_that_is_killed_is_started_again_and_the_other_one_answers(way: Way) -> None:
    killed = way.pods("first")[0]
    way.world.kubelet.kill(killed, "server")
    way.sandbox.wait("it is known", lambda: _restarts(way, killed) == 1, 30)
    assert way.answered_by("first") == says(FIRST, "one")
    way.sandbox.wait("it is ready again", lambda: _is_ready(way, killed), 30)


def test_a_new_commit_reaches_every_request_and_none_is_lost_on_the_way(way: Way) -> None:
    way.hub.repositories[FIRST] = tiny(FIRST, main="two", before="one")
    commit = made_commit(FIRST, "two").sha
    way.change(FIRST, revision=commit)
    with way.asking("first") as answers:
        way.engine.up()
    assert Counter(status for status, _ in answers).keys() == {200}, "no request failed"
    texts = [text for _, text in answers]
    assert {texts[0], texts[-1]} == {says(FIRST, "one"), says(FIRST, "two")}
    assert way.answered_by("first") == says(FIRST, "two")


def test_bytes_that_are_not_the_locked_ones_are_refused_and_the_old_ones_go_on(way: Way, tmp_path: Path) -> None:
    way.hub.repositories[FIRST] = tiny(FIRST, main="three", before="two")
    broken = made_commit(FIRST, "three")
    way.change(FIRST, revision=broken.sha)
    way.hub.repositories[FIRST].commits[broken.sha] = _corrupted(broken)
    with pytest.raises(EngineError):
        way.engine.up()
    (failed,) = [
        pod
        for pod in way.pods("first", "loader")
        if "hash" in way.world.kubelet.log(pod, "loader").partition("error:")[2]
    ]
    ended = failed["status"]["containerStatuses"][0]["state"]["terminated"]
    assert ended["exitCode"] == 3
    assert way.answered_by("first") == says(FIRST, "two")
    _is_named_by_doctor(way, failed, tmp_path)
    (bucket,) = way.world.buckets.glob("*-first")
    assert not (bucket / broken.sha / ".hubstack-complete").exists()
    assert not (bucket / broken.sha / "model.safetensors").exists()


def _is_named_by_doctor(way: Way, failed: Object, folder: Path) -> None:
    """Check that doctor names the refused file, and that smoke says which commit still answers.

    The objects are the API server's; the log is the loader's own, which this kubelet serves as a file.
    """
    way.report("doctor", FOLDER, "--save", str(folder), code=1)
    log = way.world.kubelet.log(failed, "loader")
    (folder / "logs" / f"{failed['metadata']['name']}--loader.log").write_text(log)
    (found,) = way.report("doctor", FOLDER, "first", "--from", str(folder), code=1)["models"]
    assert (found["state"], found["cause"]) == ("wrong", "checksum")
    assert "was locked" in found["line"]
    smoked = way.report("smoke", FOLDER, "--url", way.url, "--model", "first", code=1)["models"][0]
    assert smoked["checks"][0]["passed"]
    assert (smoked["locked_commit"], smoked["answering_commits"]) == (
        made_commit(FIRST, "three").sha,
        [made_commit(FIRST, "two").sha[:12]],
    )


def _corrupted(commit: Commit) -> Commit:
    files = tuple(
        replace(file, content=file.content[:-1] + b"!")
        if file.path == "model.safetensors" and file.content
        else file
        for file in commit.files
    )
    return replace(commit, files=files)


def _restarts(way: Way, pod: Object) -> int:
    return way.sandbox.api.get(pod)["status"]["containerStatuses"][0]["restartCount"]


def _is_ready(way: Way, pod: Object) -> bool:
    return way.sandbox.api.get(pod)["status"]["containerStatuses"][0]["ready"]
