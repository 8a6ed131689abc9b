# SPDX-License-Identifier: Apache-2.0
"""Scripted pull requests, each run whole: what is announced is exactly what changes, and the money adds up."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from hubstack.review.diff import Change, Versions, compare, tripped
from hubstack.review.diff.base_head import read_versions, save_version
from hubstack.review.diff.change import json_schema
from hubstack.review.diff.gates import _WORDS
from hubstack.review.diff.money import NO_REASON
from hubstack.review.diff.render import MAX_BYTES, markdown_text, report
from hubstack.review.diff.resources import Action
from hubstack.review.preview import Graph, Resource
from hubstack.review.preview.files import graph_files
from tests.support.pull_requests import PULL_REQUESTS, QUICKSTART, PullRequest, Repository, make_repository

pytestmark = pytest.mark.slow

UNJUDGED = {"change", "warning", "unpriced"}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return make_repository(tmp_path_factory.mktemp("scratch") / "clone")


@pytest.fixture(scope="module")
def bases(repository: Repository) -> dict[str, Path]:
    """The old sides, each run once: they are the same for every pull request."""
    saved: dict[str, Path] = {}
    for env in {each.env for each in PULL_REQUESTS}:
        saved[env] = repository.path.parent / f"{env.replace('/', '-')}.json"
        save_version(env, repository.path, saved[env])
    return saved


@pytest.fixture(params=PULL_REQUESTS, ids=lambda each: each.name, scope="module")
def made(
    request: pytest.FixtureRequest, repository: Repository, bases: dict[str, Path]
) -> tuple[PullRequest, Versions, Change]:
    asked: PullRequest = request.param
    repository.reset()
    asked.edit(repository)
    versions = read_versions(asked.env, repository.path, None, base_file=bases[asked.env])
    change = compare(asked.env, versions)
    assert not change.failures, change.failures
    return asked, versions, change


def names(change: Change, action: Action) -> set[str]:
    return {each.name for each in change.of(action)}


def test_each_replacement_and_deletion_is_announced_and_none_is_invented(
    made: tuple[PullRequest, Versions, Change],
) -> None:
    asked, _, change = made
    assert names(change, Action.DELETE) == asked.deleted
    assert names(change, Action.REPLACE) == asked.replaced
    assert all(each.because for each in change.of(Action.REPLACE))


def test_each_creation_and_update_is_announced(made: tuple[PullRequest, Versions, Change]) -> None:
    asked, _, change = made
    assert names(change, Action.CREATE) == asked.created
    assert names(change, Action.UPDATE) == asked.updated
    assert not [each for each in change.resources if each.is_unknown]


def test_nothing_that_a_render_writes_changes_silently(made: tuple[PullRequest, Versions, Change]) -> None:
    _, versions, change = made
    before, after = (rendered(side.graph) for side in (versions.base, versions.head))
    differing = {urn for urn in before.keys() | after.keys() if before.get(urn) != after.get(urn)}
    announced = {urn for each in change.resources for urn in (each.urn, each.old_urn) if urn}
    assert differing <= announced
    followers = {
        urn for each in change.of(Action.REPLACE, Action.SETTINGS) for urn in (each.urn, each.old_urn) if urn
    }
    assert announced - differing <= followers, "what is equal in both renders is announced only where it follows"


def rendered(graph: object) -> dict[str, str]:
    """URN to the text that `hubstack render` writes."""
    assert isinstance(graph, dict)
    texts: dict[str, str] = {}
    for each in graph["resources"]:
        one = Resource(
            urn=each["urn"],
            type=each["type"],
            name=each["name"],
            parent=each.get("parent"),
            custom=bool(each.get("custom")),
            provider=each.get("provider"),
            inputs=each.get("inputs", {}),
            dependencies=tuple(each.get("dependencies", ())),
            property_dependencies={},
            aliases=(),
            options=each.get("options", {}),
        )
        made = graph_files(Graph(project="p", stack="s", resources=(one,), outputs={}))
        if made:
            texts[one.urn] = next(iter(made.values()))
    return texts


def test_the_difference_in_money_is_that_of_the_two_plans_to_the_cent(
    made: tuple[PullRequest, Versions, Change],
) -> None:
    asked, versions, change = made
    for which, key in (("busy", "usd_per_month_max"), ("idle", "usd_per_month_min")):
        totals = [round(side.plan["cost"][key] * 100) for side in (versions.base, versions.head) if side.plan]
        assert [getattr(change.money.before, which), getattr(change.money.after, which)] == totals
        rises = [getattr(line.after, which) - getattr(line.before, which) for line in change.money.lines]
        assert sum(rises) == totals[1] - totals[0]
        if asked.is_free:
            assert totals[0] == totals[1]
    assert asked.is_free or change.money.lines


def test_each_difference_in_money_has_a_reason(made: tuple[PullRequest, Versions, Change]) -> None:
    _, _, change = made
    assert [line.item for line in change.money.lines if NO_REASON in line.reasons] == []


def test_models_are_announced_by_what_happens_to_them(made: tuple[PullRequest, Versions, Change]) -> None:
    asked, _, change = made
    assert {each.key: str(each.action) for each in change.models} == asked.models


def test_gates_stop_exactly_what_they_are_for(made: tuple[PullRequest, Versions, Change]) -> None:
    asked, _, change = made
    stopped = {each.gate for each in tripped(change, tuple(_WORDS))}
    assert stopped - UNJUDGED == asked.gates


def test_the_comment_says_it_and_fits(made: tuple[PullRequest, Versions, Change]) -> None:
    asked, _, change = made
    text = markdown_text(report(change))
    assert len(text.encode()) <= MAX_BYTES
    for words in asked.says:
        assert words in text
    at_risk = text.find("Data that would be lost")
    assert at_risk < (text.find("<summary>Replaced") + 1 or len(text))


@pytest.mark.parametrize("name", ["removes a model", "upgrades to a commit under another licence"])
def test_the_comment_is_the_reviewed_one(name: str, repository: Repository, bases: dict[str, Path]) -> None:
    asked = next(each for each in PULL_REQUESTS if each.name == name)
    text = comment(asked, repository, bases)
    assert text == golden_path(name).read_text(), (
        "run python -m tests.review.diff.test_pull_requests and review the diff"
    )


def golden_path(name: str) -> Path:
    return Path(__file__).with_name("golden") / f"{name.replace(' ', '-')}.md"


def comment(asked: PullRequest, repository: Repository, bases: dict[str, Path]) -> str:
    repository.reset()
    asked.edit(repository)
    versions = read_versions(asked.env, repository.path, None, base_file=bases[asked.env])
    return markdown_text(
        report(compare(asked.env, replace(versions, base=replace(versions.base, name="main (1a2b3c4)"))))
    )


def test_the_json_follows_its_schema(made: tuple[PullRequest, Versions, Change], schema: dict[str, object]) -> None:
    jsonschema.validate(json.loads(made[2].to_json()), schema)


@pytest.fixture(scope="module")
def schema() -> dict[str, object]:
    return json_schema()


def test_a_git_reference_gives_what_a_saved_side_gives(repository: Repository, bases: dict[str, Path]) -> None:
    asked = next(each for each in PULL_REQUESTS if each.name == "the program registers another network")
    repository.reset()
    repository.git("checkout", "--quiet", "-b", "change")
    asked.edit(repository)
    before = status(repository)
    versions = read_versions(asked.env, repository.path, None)
    assert versions.base.name.startswith("main (")
    assert names(compare(asked.env, versions), Action.UPDATE) == asked.updated, (
        "the old side is run by the old program"
    )
    assert status(repository) == before, "the work tree, the index and HEAD are as they were"
    repository.reset()
    repository.git("checkout", "--quiet", "main")


def status(repository: Repository) -> tuple[str, ...]:
    said = (("status", "--porcelain"), ("worktree", "list"), ("ls-files", "--stage"), ("rev-parse", "HEAD"))
    return tuple(repository.git(*arguments) for arguments in said)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        clone = make_repository(Path(folder) / "clone")
        save_version(QUICKSTART, clone.path, Path(folder) / "base.json")
        for each in PULL_REQUESTS:
            if golden_path(each.name).exists():
                golden_path(each.name).write_text(comment(each, clone, {QUICKSTART: Path(folder) / "base.json"}))
