# SPDX-License-Identifier: Apache-2.0
"""Promotion: what the target's lock takes from the source's, what it keeps, and what is refused."""

import subprocess
import sys
from pathlib import Path

import pytest

from hubstack.files.errors import InputError
from hubstack.hub.facts import FileFacts, LockedImage, ModelFacts
from hubstack.hub.lock import load_lock, parse_lock, render_lock
from hubstack.hub.promote import write_promotion

PROJECT = Path(__file__).resolve().parents[2]
OLD, NEW, OTHER = "1" * 40, "2" * 40, "3" * 40


def facts(repo_id: str, commit: str, revision: str = "main", **fields: object) -> ModelFacts:
    return ModelFacts(id=repo_id, revision=revision, commit=commit, **fields)  # type: ignore[arg-type]


def environment(folder: Path, name: str, entries: str, *locked: ModelFacts) -> Path:
    (folder / f"{name}.models.yaml").write_text(f"models: {entries}\n")
    lock = folder / f"{name}.models.lock.yaml"
    if locked:
        lock.write_text(render_lock(locked))
    return lock


def promote(folder: Path, *only: str, check: bool = False) -> list[str]:
    return write_promotion(folder, "dev.models.yaml", "prod.models.yaml", only, check=check)


def test_the_target_takes_commit_and_facts_and_remembers_its_own_old_commit(tmp_path: Path) -> None:
    tried = facts("a/m", NEW, license="mit", replaced=OTHER, files=(FileFacts(path="x", size_bytes=3),))
    environment(tmp_path, "dev", "[a/m]", tried)
    lock = environment(tmp_path, "prod", "[a/m]", facts("a/m", OLD, license="apache-2.0"))
    assert promote(tmp_path) == ["m: a/m moves from 111111111111 to 222222222222"]
    (found,) = load_lock(lock).models
    assert (found.commit, found.license, found.files) == (NEW, "mit", tried.files)
    assert found.replaced == OLD, "the weights that this stack leaves, not those that dev left"


def test_a_second_promotion_writes_nothing(tmp_path: Path) -> None:
    environment(tmp_path, "dev", "[a/m]", facts("a/m", NEW))
    lock = environment(tmp_path, "prod", "[a/m]", facts("a/m", OLD))
    promote(tmp_path)
    before = lock.stat().st_mtime_ns
    assert promote(tmp_path) == []
    assert lock.stat().st_mtime_ns == before


def test_what_only_one_list_has_is_left_alone(tmp_path: Path) -> None:
    environment(tmp_path, "dev", "[a/m, a/dev-only]", facts("a/m", NEW), facts("a/dev-only", NEW))
    mine = facts("a/prod-only", OLD, license="mit")
    lock = environment(tmp_path, "prod", "[a/m, a/prod-only]", facts("a/m", OLD), mine)
    promote(tmp_path)
    assert [(f.id, f.commit) for f in load_lock(lock).models] == [("a/m", NEW), ("a/prod-only", OLD)]
    assert mine in load_lock(lock).models


def test_one_model_is_promoted_by_its_key(tmp_path: Path) -> None:
    environment(tmp_path, "dev", "[a/m, a/n]", facts("a/m", NEW), facts("a/n", NEW))
    lock = environment(tmp_path, "prod", "[a/m, a/n]", facts("a/m", OLD), facts("a/n", OLD))
    promote(tmp_path, "n")
    assert [(f.id, f.commit) for f in load_lock(lock).models] == [("a/m", OLD), ("a/n", NEW)]


def test_a_model_that_the_target_has_not_locked_yet_comes(tmp_path: Path) -> None:
    environment(tmp_path, "dev", "[a/m]", facts("a/m", NEW))
    lock = environment(tmp_path, "prod", "[a/m]")
    assert promote(tmp_path) == ["m: adds a/m at 222222222222"]
    assert parse_lock(lock.read_text(), "x").models == (facts("a/m", NEW),)


def test_newer_facts_of_the_same_commit_are_taken_and_said(tmp_path: Path) -> None:
    environment(tmp_path, "dev", "[a/m]", facts("a/m", NEW, gated="auto"))
    lock = environment(tmp_path, "prod", "[a/m]", facts("a/m", NEW, replaced=OLD))
    assert promote(tmp_path) == ["m: a/m remains at 222222222222, with updated facts"]
    assert load_lock(lock).models == (facts("a/m", NEW, gated="auto", replaced=OLD),)


def test_a_check_writes_nothing(tmp_path: Path) -> None:
    environment(tmp_path, "dev", "[a/m]", facts("a/m", NEW))
    lock = environment(tmp_path, "prod", "[a/m]", facts("a/m", OLD))
    before = lock.read_bytes()
    assert promote(tmp_path, check=True)
    assert lock.read_bytes() == before


def test_another_revision_in_the_target_is_refused_where_it_stands(tmp_path: Path) -> None:
    environment(tmp_path, "dev", "[a/m, a/n]", facts("a/m", NEW), facts("a/n", NEW))
    lock = environment(
        tmp_path, "prod", "[{id: a/m, revision: v1}, a/n]", facts("a/m", OLD, "v1"), facts("a/n", OLD)
    )
    before = lock.read_bytes()
    with pytest.raises(InputError, match=r"prod\.models\.yaml:1:\d+: `m` is pinned to revision `v1`") as caught:
        promote(tmp_path)
    assert "asks for `main`" in str(caught.value)
    assert lock.read_bytes() == before, "not even the other model"
    assert promote(tmp_path, "n"), "which is promoted by name"


def test_a_canary_takes_the_commit_of_its_own_revision(tmp_path: Path) -> None:
    entry = "[{id: a/m, name: chat, revision: v1, canary: {revision: main, weight: 10}}]"
    environment(tmp_path, "dev", entry, facts("a/m", NEW), facts("a/m", OTHER, "v1"))
    lock = environment(tmp_path, "prod", entry, facts("a/m", OLD), facts("a/m", OTHER, "v1"))
    assert promote(tmp_path) == ["chat-canary: a/m moves from 111111111111 to 222222222222"]
    assert {(f.revision, f.commit) for f in load_lock(lock).models} == {("main", NEW), ("v1", OTHER)}


@pytest.mark.parametrize(
    ("only", "said"),
    [
        (("mm",), "did you mean `m`"),
        (("prod-only",), "is not in dev.models.yaml"),
        (("unlocked",), "is not locked in dev.models.lock.yaml"),
    ],
)
def test_what_cannot_be_promoted_is_named(tmp_path: Path, only: tuple[str, ...], said: str) -> None:
    environment(tmp_path, "dev", "[a/m, a/unlocked]", facts("a/m", NEW))
    environment(tmp_path, "prod", "[a/m, a/prod-only, a/unlocked]", facts("a/m", OLD))
    with pytest.raises(InputError, match=said):
        promote(tmp_path, *only)


def test_a_renamed_repository_is_promoted_under_the_name_that_is_asked(tmp_path: Path) -> None:
    environment(tmp_path, "dev", "[a/old]", facts("a/new", NEW, asked_id="a/old"))
    lock = environment(tmp_path, "prod", "[a/old]", facts("a/old", OLD))
    promote(tmp_path)
    assert load_lock(lock).models == (facts("a/new", NEW, asked_id="a/old", replaced=OLD),)


def test_the_command_exits_1_while_the_target_is_behind(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: x\nruntime: python\nstackConfigDir: stacks\n")
    stacks = tmp_path / "stacks"
    stacks.mkdir()
    for name, commit in (("dev", NEW), ("prod", OLD)):
        (stacks / f"Pulumi.{name}.yaml").write_text("config: {}\n")
        environment(stacks, name, "[a/m]", facts("a/m", commit))

    def run(*words: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "hubstack", "promote", "dev", "prod", *words, "--project", str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=PROJECT,
        )
        return done.returncode, done.stdout

    moves = "m: a/m moves from 111111111111 to 222222222222\n"
    assert run("--check") == (1, moves)
    assert run() == (0, moves)
    assert run("--check") == (0, "prod already has the commits of dev\n")


def image(name: str, digit: str) -> LockedImage:
    return LockedImage(image=name, digest=f"sha256:{digit * 64}", platform="linux/amd64")


def test_a_whole_promotion_takes_the_digests_of_images_and_a_part_of_it_none(tmp_path: Path) -> None:
    dev = environment(tmp_path, "dev", "[a/m]", facts("a/m", NEW))
    dev.write_text(render_lock([facts("a/m", NEW)], [image("a:1", "1"), image("b:1", "2")]))
    lock = environment(tmp_path, "prod", "[a/m]", facts("a/m", OLD))
    own = (image("a:1", "3"), image("c:1", "4"))
    lock.write_text(render_lock([facts("a/m", OLD)], own))
    promote(tmp_path, "m")
    assert load_lock(lock).images == own
    assert promote(tmp_path) == [
        "the image a:1 moves from sha256:333333333333 to sha256:111111111111",
        "adds the image b:1 at sha256:222222222222",
    ]
    assert [(each.image, each.digest[7]) for each in load_lock(lock).images] == [
        ("a:1", "1"),
        ("b:1", "2"),
        ("c:1", "4"),
    ]
    assert promote(tmp_path) == []


def test_adapters_and_draft_models_are_promoted_with_their_model(tmp_path: Path) -> None:
    entry = "[{id: a/m, lora: {adapters: [a/lora]}, speculative: {method: eagle3, model: a/head}}]"
    environment(tmp_path, "dev", entry, *(facts(name, NEW) for name in ("a/m", "a/lora", "a/head")))
    held = [facts(name, OLD) for name in ("a/m", "a/lora", "a/other")]
    entry = "[{id: a/m, lora: {adapters: [a/lora, a/other]}, speculative: {method: eagle3, model: a/head}}]"
    lock = environment(tmp_path, "prod", entry, *held)
    assert promote(tmp_path) == [
        "m: a/m moves from 111111111111 to 222222222222",
        "m: a/lora moves from 111111111111 to 222222222222",
        "m: adds a/head at 222222222222",
    ]
    found = {each.id: each.commit for each in load_lock(lock).models}
    assert found == {"a/m": NEW, "a/lora": NEW, "a/head": NEW, "a/other": OLD}
