# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from hubstack.files.errors import InputError
from hubstack.inputs.environment import find_environment, find_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: x\n")
    for path in (
        "stacks/Pulumi.dev.yaml",
        "stacks/Pulumi.prod.yaml",
        "examples/fleet/Pulumi.fleet.yaml",
        "examples/two/Pulumi.a.yaml",
        "examples/two/Pulumi.b.yaml",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("config: {}\n")
    (tmp_path / "examples/none").mkdir()
    return tmp_path


def refused(name: str, project: Path) -> str:
    with pytest.raises(InputError) as caught:
        find_environment(name, project, project)
    return str(caught.value)


def test_a_name_is_a_stack(project: Path) -> None:
    found = find_environment("dev", project, project / "examples")
    assert (found.stack, found.config_file) == ("dev", project / "stacks/Pulumi.dev.yaml")


def test_a_folder_without_settings_hides_no_stack_of_its_name(project: Path) -> None:
    (project / "dev").mkdir()
    found = find_environment("dev", project, project)
    assert found.config_file == project / "stacks/Pulumi.dev.yaml"


@pytest.mark.parametrize(
    ("name", "working_dir"), [("examples/fleet", "."), ("fleet", "examples"), (".", "examples/fleet")]
)
def test_a_folder_is_the_stack_in_it(project: Path, name: str, working_dir: str) -> None:
    found = find_environment(name, project, project / working_dir)
    assert (found.stack, found.config_file.name) == ("fleet", "Pulumi.fleet.yaml")
    assert found.project_dir == project


def test_a_misspelt_stack_is_answered_with_the_nearest(project: Path) -> None:
    said = refused("prd", project)
    assert "no stack named `prd`" in said
    assert "did you mean `prod`?" in said


def test_an_unlike_name_is_answered_with_all_stacks(project: Path) -> None:
    assert "stacks: dev, prod" in refused("zzzzz", project)


def test_a_folder_that_is_not_there_is_said_to_be_missing(project: Path) -> None:
    said = refused("examples/zzzzz", project)
    assert "no such folder" in said
    assert "pass the name of a stack" in said


@pytest.mark.parametrize("name", ["examples/flet", "examples/flet/"])
def test_a_misspelt_folder_is_answered_with_the_nearest(project: Path, name: str) -> None:
    said = refused(name, project)
    assert "no such folder" in said
    assert "did you mean `examples/fleet`?" in said


@pytest.mark.parametrize(("folder", "found"), [("two", "Pulumi.a.yaml, Pulumi.b.yaml"), ("none", "none")])
def test_a_folder_must_hold_exactly_one_stack(project: Path, folder: str, found: str) -> None:
    assert f"found: {found}" in refused(f"examples/{folder}", project)


def test_the_project_is_found_from_any_folder_in_it(project: Path) -> None:
    assert find_project(project / "examples/fleet") == find_project(project) == project


def test_outside_of_a_project_the_user_is_told_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--project"):
        find_project(tmp_path)
