# SPDX-License-Identifier: Apache-2.0
"""`hubstack lock` on files: what is pinned, moved and dropped, and what a failure leaves untouched."""

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hubstack.files.errors import HubError, InputError, LockError
from hubstack.hub.lock import load_lock, parse_lock
from hubstack.hub.remote import check_lock, write_lock
from hubstack.inputs.models import load_request
from proof.hub.tiny import TINY, commit
from tests.support.hub import TOKENS, Fault, StandIn

PROJECT = Path(__file__).resolve().parents[3]
ACCESS, NO_ACCESS, _ = TOKENS
SHARDED = "stand-in/sharded"


@pytest.fixture
def request_file(tmp_path: Path) -> Path:
    return tmp_path / "dev.models.yaml"


def lock(path: Path, *upgrade: str) -> list[str]:
    lines, refused = write_lock(load_request(path, path.name), path, upgrade)
    if refused:
        raise refused
    return lines


def ask_for(path: Path, *entries: str) -> None:
    path.write_text("models:\n" + "".join(f"  - {entry}\n" for entry in entries))


def lock_file(path: Path) -> Path:
    return path.with_name("dev.models.lock.yaml")


def move_main(hub: StandIn, repo_id: str) -> str:
    repo = hub.repositories[repo_id]
    newest = commit(repo_id, "newest", {"config.json": {**TINY, "max_position_embeddings": 8192}})
    repo.commits[newest.sha] = newest
    repo.refs["main"] = newest.sha
    return newest.sha


def test_a_lock_is_the_same_in_whatever_order_the_list_stands(hub: StandIn, request_file: Path) -> None:
    ask_for(request_file, "Qwen/Qwen3-8B", SHARDED, "BAAI/bge-small-en-v1.5")
    assert lock(request_file) == [
        "added BAAI/bge-small-en-v1.5 at 88885630388d",
        "added Qwen/Qwen3-8B at b968826d9c46",
        f"added {SHARDED} at {hub.repositories[SHARDED].refs['main'][:12]}",
        "wrote dev.models.lock.yaml: 3 models",
    ]
    text = lock_file(request_file).read_text()
    lock_file(request_file).unlink()
    ask_for(request_file, "BAAI/bge-small-en-v1.5", SHARDED, "Qwen/Qwen3-8B")
    lock(request_file)
    assert lock_file(request_file).read_text() == text
    assert text.startswith("# Written by `hubstack lock`")


def test_what_is_locked_stays_at_its_commit_until_it_is_upgraded(hub: StandIn, request_file: Path) -> None:
    ask_for(request_file, SHARDED, "stand-in/unscanned")
    lock(request_file)
    old = hub.repositories[SHARDED].refs["main"]
    new = move_main(hub, SHARDED)
    hub.requests.clear()
    assert lock(request_file) == ["dev.models.lock.yaml is up to date: 2 models"]
    assert hub.requests == [], "a fresh lock asks the Hub nothing"
    assert lock(request_file, "sharded")[0] == f"moved {SHARDED} from {old[:12]} to {new[:12]}"
    assert hub.asked("unscanned") == [], "an upgrade of one model asks for no other"
    assert load_lock(lock_file(request_file)).get(SHARDED, "main").commit == new  # type: ignore[union-attr]


@pytest.mark.parametrize("word", ["all", SHARDED])
def test_an_upgrade_takes_every_model_or_an_id(hub: StandIn, request_file: Path, word: str) -> None:
    ask_for(request_file, SHARDED)
    lock(request_file)
    new = move_main(hub, SHARDED)
    assert new[:12] in lock(request_file, word)[0]


def test_an_upgrade_of_an_unknown_model_names_the_nearest(hub: StandIn, request_file: Path) -> None:
    ask_for(request_file, SHARDED)
    with pytest.raises(InputError, match="did you mean `sharded`"):
        lock(request_file, "shard")
    assert not lock_file(request_file).exists()


def test_what_is_not_asked_for_any_more_is_dropped(hub: StandIn, request_file: Path) -> None:
    ask_for(request_file, SHARDED, "stand-in/unscanned")
    lock(request_file)
    ask_for(request_file, SHARDED)
    assert lock(request_file)[0] == "removed stand-in/unscanned"
    assert [facts.id for facts in load_lock(lock_file(request_file)).models] == [SHARDED]


def test_another_revision_of_a_locked_model_is_asked_anew(hub: StandIn, request_file: Path) -> None:
    ask_for(request_file, SHARDED)
    lock(request_file)
    ask_for(request_file, f"{{id: {SHARDED}, revision: v1}}")
    assert check_lock(load_request(request_file, "dev.models.yaml"), load_lock(lock_file(request_file))) == (
        [f"stale: {SHARDED} is locked at main, not at v1", f"unused: {SHARDED} at main"],
        [],
    )
    old = hub.repositories[SHARDED].refs["v1"]
    assert lock(request_file)[0] == f"added {SHARDED} (v1) at {old[:12]}"
    assert check_lock(load_request(request_file, "dev.models.yaml"), load_lock(lock_file(request_file))) == ([], [])


def test_a_canary_locks_both_commits_and_either_is_upgraded_by_its_key(hub: StandIn, request_file: Path) -> None:
    refs = hub.repositories[SHARDED].refs
    ask_for(request_file, f"{{id: {SHARDED}, name: chat}}")
    lock(request_file)
    ask_for(request_file, f"{{id: {SHARDED}, name: chat, revision: v1, canary: {{revision: main, weight: 10}}}}")
    assert check_lock(load_request(request_file, request_file.name), load_lock(lock_file(request_file)))[0] == [
        f"stale: {SHARDED} is locked at main, not at v1"
    ], "main is asked for by the canary, v1 by nobody yet"
    lock(request_file)
    held = load_lock(lock_file(request_file))
    assert {(m.revision, m.commit) for m in held.models} == {("v1", refs["v1"]), ("main", refs["main"])}
    assert check_lock(load_request(request_file, request_file.name), load_lock(lock_file(request_file))) == ([], [])
    newest = move_main(hub, SHARDED)
    lock(request_file, "chat")
    assert {m.commit for m in load_lock(lock_file(request_file)).models} == {refs["v1"], held.models[0].commit}
    lock(request_file, "chat-canary")
    assert {m.commit for m in load_lock(lock_file(request_file)).models} == {refs["v1"], newest}


def test_what_was_answered_is_kept_and_the_next_run_asks_for_the_rest(hub: StandIn, request_file: Path) -> None:
    ask_for(request_file, SHARDED, "Qwen/Qwen3-8B", "nobody/nothing", "google/gemma-3-4b-it")
    with pytest.raises(HubError) as caught:
        lock(request_file)
    text = str(caught.value)
    assert "dev.models.yaml:4:5: `nobody/nothing` is not on the Hub" in text
    assert "dev.models.yaml:5:5: `google/gemma-3-4b-it` is gated" in text
    assert "2 could not be locked: what the lock had is unchanged, " in text
    assert "the others are in dev.models.lock.yaml." in text
    assert [facts.id for facts in load_lock(lock_file(request_file)).models] == ["Qwen/Qwen3-8B", SHARDED]
    assert sorted(path.name for path in request_file.parent.glob("*")) == [
        "dev.models.lock.yaml",
        "dev.models.yaml",
    ]
    hub.requests.clear()
    hub.repositories["google/gemma-3-4b-it"].gated = False
    hub.repositories["nobody/nothing"] = dataclasses.replace(hub.repositories[SHARDED], id="nobody/nothing")
    assert len(lock(request_file)) == 3
    assert not hub.asked(SHARDED) + hub.asked("Qwen"), "what is there already is not asked for again"


@pytest.mark.parametrize("words", [(), ("all",)], ids=["changed-revision", "upgrade"])
def test_a_refused_model_keeps_what_is_locked_of_it(
    hub: StandIn, request_file: Path, words: tuple[str, ...]
) -> None:
    ask_for(request_file, SHARDED, "stand-in/unscanned", "stand-in/unsafe-pickle")
    lock(request_file)
    old = load_lock(lock_file(request_file))
    move_main(hub, "stand-in/unscanned")
    if not words:  # another revision, a new model, and one that goes; of the first two one is refused
        ask_for(request_file, f"{{id: {SHARDED}, revision: v1}}", "stand-in/unscanned", "stand-in/new-name")
    with hub.fault(Fault(route=SHARDED, count=99, status=404, headers={"X-Error-Code": "RepoNotFound"})):
        with pytest.raises(HubError, match="`stand-in/sharded` is not on the Hub"):
            lock(request_file, *words)
        new = load_lock(lock_file(request_file))
    assert new.get(SHARDED, "main") == old.get(SHARDED, "main")
    assert (new.get("stand-in/unscanned", "main") == old.get("stand-in/unscanned", "main")) is not bool(words)
    assert (new.get("stand-in/unsafe-pickle", "main") is None) is not bool(words)
    if not words:
        lock(request_file)
        ids = {(facts.id, facts.revision) for facts in load_lock(lock_file(request_file)).models}
        assert (SHARDED, "v1") in ids
        assert (SHARDED, "main") not in ids, "the old revision goes when the new one has come"


def test_a_first_run_of_which_nothing_came_leaves_no_lock(hub: StandIn, request_file: Path) -> None:
    ask_for(request_file, "nobody/nothing")
    with pytest.raises(HubError):
        lock(request_file)
    assert not lock_file(request_file).exists()


def test_a_broken_lock_is_not_written_over(hub: StandIn, request_file: Path) -> None:
    ask_for(request_file, SHARDED)
    lock_file(request_file).write_text("<<<<<<< HEAD\nformat: 1\n")
    with pytest.raises(LockError, match=r"dev\.models\.lock\.yaml:"):
        lock(request_file)
    assert lock_file(request_file).read_text().startswith("<<<<<<<"), "pinned commits would be lost"


def run_lock(project: Path, hub: StandIn, **env: str) -> subprocess.CompletedProcess[str]:
    held = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
    return subprocess.run(
        [sys.executable, "-m", "hubstack", "lock", "dev", "--project", str(project)],
        cwd=PROJECT,
        env={
            **held,
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(project / "hf"),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_XET": "1",
            **env,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(PROJECT / "stacks", folder / "stacks", ignore=shutil.ignore_patterns("*.lock.yaml"))
    shutil.copy(PROJECT / "Pulumi.yaml", folder)
    (folder / "stacks" / "dev.models.yaml").write_text("models: [google/gemma-3-4b-it, Qwen/Qwen3-8B]\n")
    return folder


def test_the_command_locks_a_gated_model_and_keeps_the_token_out(hub: StandIn, project: Path) -> None:
    done = run_lock(project, hub, HF_TOKEN=ACCESS)
    assert (done.returncode, done.stderr) == (
        0,
        f"fetching 2 model revisions from {hub.url} with the token of HF_TOKEN\n",
    )
    written = (project / "stacks" / "dev.models.lock.yaml").read_text()
    assert [facts.id for facts in parse_lock(written, "lock").models] == [
        "Qwen/Qwen3-8B",
        "google/gemma-3-4b-it",
    ]
    assert ACCESS not in done.stdout + written
    assert not [each for each in (project / "hf").rglob("*") if each.is_file()], (
        "nothing of a model is kept on this machine"
    )


def test_the_command_refuses_in_words_with_exit_code_2(hub: StandIn, project: Path) -> None:
    done = run_lock(project, hub, HF_TOKEN=NO_ACCESS)
    assert done.returncode == 2
    assert "`google/gemma-3-4b-it` is gated, and the token has no access" in done.stderr
    assert "Traceback" not in done.stderr
    assert NO_ACCESS not in done.stdout + done.stderr
    held = load_lock(project / "stacks" / "dev.models.lock.yaml").models
    assert [facts.id for facts in held] == ["Qwen/Qwen3-8B"], "the other one is kept"


def test_an_upgrade_writes_what_the_hub_changed_and_the_same_text_twice(hub: StandIn, request_file: Path) -> None:
    summary = request_file.with_name("summary.md")

    def upgrade() -> str:
        write_lock(load_request(request_file, request_file.name), request_file, ["all"], summary=summary)
        return summary.read_text()

    ask_for(request_file, f"{{id: {SHARDED}, name: chat}}", "stand-in/unscanned")
    lock(request_file)
    held = lock_file(request_file).read_text()
    new = move_main(hub, SHARDED)
    text = upgrade()
    assert "Models: 1 moved to another commit." in text
    assert f"## `{SHARDED}` (`chat`)" in text
    assert f"`{new[:12]}`" in text
    assert "| `model-00001-of-00002.safetensors` | removed | 136" in text
    lock_file(request_file).write_text(held)
    assert upgrade() == text
    assert "Nothing changed." in upgrade()


def test_a_summary_that_cannot_be_written_leaves_the_lock_alone(hub: StandIn, request_file: Path) -> None:
    ask_for(request_file, SHARDED)
    request, summary = load_request(request_file, "x"), request_file.parent / "no-such-folder" / "summary.md"
    with pytest.raises(InputError, match="cannot be written"):
        write_lock(request, request_file, [], summary=summary)
    assert not lock_file(request_file).exists()


def test_adapters_and_draft_models_are_locked_with_what_decides_whether_they_fit(
    hub: StandIn, request_file: Path
) -> None:
    lora = "lora: {adapters: [acme/support-lora, {id: acme/legal-lora, name: legal, revision: v2}]}"
    drafts = "speculative: {method: eagle3, model: acme/qwen3-8b-eagle3}"
    ask_for(request_file, f"{{id: Qwen/Qwen3-8B, {lora}, {drafts}}}")
    assert lock(request_file)[-1] == "wrote dev.models.lock.yaml: 4 models"
    held = load_lock(lock_file(request_file))
    found = held.get("acme/legal-lora", "v2")
    assert found
    told = found.config["adapters"]["."]
    assert (told["base_model_name_or_path"], told["r"], told["target_modules"]) == ("Qwen/Qwen3-8B", 16, ["q_proj"])
    assert all(file.sha256 or file.git_oid for file in found.files)
    head = held.get("acme/qwen3-8b-eagle3", "main")
    assert head
    assert head.config["draft_vocab_size"] == 32000
    assert check_lock(load_request(request_file, request_file.name), load_lock(lock_file(request_file))) == ([], [])
    newest = move_main(hub, "acme/support-lora")
    assert (
        f"moved acme/support-lora from {held.get('acme/support-lora', 'main').commit[:12]}"
        in (  # type: ignore[union-attr]
            lock(request_file, "support-lora")[0]
        )
    )
    assert load_lock(lock_file(request_file)).get("acme/support-lora", "main").commit == newest  # type: ignore[union-attr]


def test_an_adapter_that_cannot_be_locked_is_reported_at_its_place(hub: StandIn, request_file: Path) -> None:
    request_file.write_text(
        "models:\n  - id: Qwen/Qwen3-8B\n    lora:\n      adapters: [acme/support-lora, acme/none]\n"
    )
    with pytest.raises(HubError, match=r"dev\.models\.yaml:4:37: `acme/none`"):
        lock(request_file)
    assert load_lock(lock_file(request_file)).get("acme/support-lora", "main")
