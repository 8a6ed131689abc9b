# SPDX-License-Identifier: Apache-2.0
"""`hubstack new`: a repository that works at once, and all of it or nothing."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from hubstack.inputs.new import ENVIRONMENTS, Recipe, project_of, written
from hubstack.inputs.new.repository import _range, _source
from tests.gitops.test_recipes import actionlint, lint, zizmor

PROJECT = Path(__file__).resolve().parents[3]


NO_UV = "/nowhere/uv"
"""Locking asks the package index: tests/release does it for real."""


def hubstack(*arguments: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "PYTHONPATH": str(PROJECT), "COLUMNS": "200"}
    env |= {"UV": NO_UV} | more
    command = [sys.executable, "-m", "hubstack", *arguments]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def held(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("team") / "Our Models"
    done = hubstack("new", str(folder), "--ci", "github", cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    assert "uv run hubstack preview dev" in done.stdout
    return folder


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_a_new_repository_is_previewed_and_passes_its_policy_offline(made: Path, env: str) -> None:
    done = hubstack("check", env, "--json", cwd=made / "stacks")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["resources_judged"] > 80
    assert hubstack("place", env, "--check", cwd=made).returncode == 0


def test_its_project_is_named_after_the_folder(made: Path) -> None:
    assert yaml.safe_load((made / "Pulumi.yaml").read_text())["name"] == "our-models"
    assert yaml.safe_load((made / "Pulumi.yaml").read_text())["stackConfigDir"] == "stacks"
    assert tomllib.loads((made / "pyproject.toml").read_text())["project"]["name"] == "our-models"


def test_every_schema_that_its_files_name_is_there(made: Path) -> None:
    named = 0
    for path in (made / "stacks").glob("*.yaml"):
        for schema in re.findall(r"\$schema=(\S+)", path.read_text()):
            assert json.loads((path.parent / schema).read_text())["$schema"], path.name
            named += 1
    assert named == 6


def test_a_list_that_init_adds_names_a_schema_that_is_there(made: Path) -> None:
    manifest = made / "server.yaml"
    manifest.write_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {containers: ["
        "{name: a, image: 'vllm/vllm-openai:v0.10.0', args: [--model, Qwen/Qwen3-8B]}]}}}\n"
    )
    target = ("--gcp-project", "acme-models-test", "--region", "us-central1")
    done = hubstack("init", "test", "--from-manifests", str(manifest), *target, cwd=made)
    assert done.returncode == 0, done.stderr
    first = (made / "stacks" / "test.models.yaml").read_text().splitlines()[0]
    assert first.endswith("$schema=../schemas/models.schema.json")
    for path in (manifest, made / "stacks" / "test.models.yaml", made / "stacks" / "Pulumi.test.yaml"):
        path.unlink()


def test_its_workflows_are_as_clean_as_the_recipes(made: Path) -> None:
    (made / ".git").mkdir(exist_ok=True)
    code, said = zizmor(made)
    assert code == 0, said
    assert lint(made, str(actionlint()), "-no-color") == (0, "")


@pytest.mark.parametrize("recipe", [each for each in Recipe if each is not Recipe.NONE])
def test_a_recipe_names_nothing_that_only_a_clone_has(tmp_path: Path, recipe: Recipe) -> None:
    with written(project_of(tmp_path / "new", None, recipe)):
        pass
    names = {name for name in held(tmp_path / "new") if "gitops" in name or name.startswith((".git", "cloud"))}
    texts = {name: (tmp_path / "new" / name).read_text() for name in names - {".gitignore"}}
    assert {"gitops/review.sh", "gitops/drift.sh"} < set(texts)
    for name, text in texts.items():
        assert not re.search(r"\./dev|staging|examples/|hubstack/\*\*|components/|policy/|/dev\b(?!/)", text), name
        if name.endswith(".sh"):
            path = tmp_path / "new" / name
            assert os.access(path, os.X_OK)
            assert subprocess.run(["sh", "-n", str(path)], check=False).returncode == 0
        elif name.endswith((".yml", ".yaml")):
            assert yaml.safe_load(text)
    runs_hubstack = [text for text in texts.values() if "uv run" in text or "review.sh" in text]
    assert len(runs_hubstack) >= 3


def test_an_empty_git_repository_is_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert hubstack("new", ".", "--ci", "gitlab", cwd=tmp_path).returncode == 0
    assert ".gitlab-ci.yml" in held(tmp_path)


def fake_uv(folder: Path, script: str) -> str:
    path = folder / "uv"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_its_packages_are_locked_in_place_by_the_python_that_runs(tmp_path: Path) -> None:
    uv = fake_uv(tmp_path, 'test -f pyproject.toml && test -f Pulumi.yaml && echo "$@" >uv.lock')
    done = hubstack("new", "models", cwd=tmp_path, UV=uv)
    assert (done.returncode, done.stderr) == (0, "")
    assert "wrote models/uv.lock: " in done.stdout
    assert (tmp_path / "models" / "uv.lock").read_text().split() == ["lock", "--quiet", "--python", sys.executable]


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (None, "uv is not on the PATH"),
        (
            "echo 'error: no hubstack at https://me:hunter2@pypi.acme.example' >&2; exit 2",
            "https://pypi.acme.example",
        ),
    ],
)
def test_without_uv_all_else_is_written_and_the_command_that_is_left_is_named(
    tmp_path: Path, script: str | None, why: str
) -> None:
    (tmp_path / "bin").mkdir()
    uv = fake_uv(tmp_path, script) if script else ""
    done = hubstack("new", "our models", cwd=tmp_path, UV=uv, PATH=str(tmp_path / "bin"))
    assert done.returncode == 0
    assert "uv.lock was not written: " in done.stderr
    assert why in done.stderr
    assert "hunter2" not in done.stderr
    assert "cd 'our models' && uv lock" in done.stderr
    assert "next: cd 'our models'" in done.stdout
    assert {"Pulumi.yaml", "stacks/dev.placement.yaml"} < held(tmp_path / "our models")
    assert "uv.lock" not in held(tmp_path / "our models")


REFUSED = {
    "a folder with a file": (["full"], "full: is not empty: it holds a.txt and 1 more"),
    "a file": (["full/a.txt"], "full/a.txt: is a file"),
    "below a file": (["full/a.txt/new"], "full/a.txt/new: "),
    "an unknown recipe": (["new", "--ci", "jenkins"], "'jenkins' is not one of"),
    "a name that Pulumi refuses": (["new", "--name", "Our Models"], "`Our Models` is not a project name"),
    "CI below a repository's root": (["repository/new", "--ci", "github"], "inside the git repository"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_folder_that_cannot_be_used_is_refused_and_nothing_is_written(tmp_path: Path, case: str) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").write_text("mine")
    (tmp_path / "full" / "b.txt").write_text("mine")
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    arguments, message = REFUSED[case]
    done = hubstack("new", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("existed", [True, False])
def test_what_fails_half_way_leaves_nothing(tmp_path: Path, existed: bool) -> None:
    folder = tmp_path / "a" / "b"
    if existed:
        folder.mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))

    def interrupted() -> None:
        with written(project_of(folder, None, Recipe.GITHUB)) as scratch:
            assert (scratch / "Pulumi.yaml").is_file()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert sorted(tmp_path.rglob("*")) == before


class Installed:
    """What an installer recorded of hubstack."""

    def __init__(self, told: dict[str, object] | None) -> None:
        self.told = told

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return json.dumps(self.told) if self.told else None


@pytest.mark.parametrize(
    ("told", "source"),
    [
        (None, None),
        ({"url": "file:///clone%20b", "dir_info": {"editable": True}}, {"path": "/clone b", "editable": True}),
        ({"url": "https://example.org/h.whl", "archive_info": {}}, {"url": "https://example.org/h.whl"}),
        (
            {"url": "https://example.org/h.git", "vcs_info": {"vcs": "git", "commit_id": "c0ffee"}},
            {"git": "https://example.org/h.git", "rev": "c0ffee"},
        ),
    ],
)
def test_hubstack_is_installed_from_where_this_one_came(
    told: dict[str, object] | None, source: dict[str, object] | None
) -> None:
    text = _source(Installed(told))  # pyright: ignore[reportArgumentType]
    assert tomllib.loads(text).get("tool", {}).get("uv", {}).get("sources", {}).get("hubstack") == source


@pytest.mark.parametrize(("version", "text"), [("0.1.0", ">=0.1.0,<0.2"), ("1.4.2", ">=1.4.2,<2")])
def test_the_next_version_that_may_break_something_is_not_taken_unseen(version: str, text: str) -> None:
    assert _range(version) == text
