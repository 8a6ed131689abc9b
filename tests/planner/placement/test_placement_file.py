# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from hubstack.files.errors import InputError
from hubstack.inputs.stack import Stack
from hubstack.planner.inputs import StackInputs
from hubstack.planner.placement.placement_file import Place, load_placement, placement_path, write_placement
from hubstack.planner.placement.write_placement import write_places

PROJECT = Path(__file__).resolve().parents[3]
CONFIG = {"gcp:project": "acme-models", "gcp:region": "us-central1"}
PLACES = {
    "b": Place(machine_type="g2-standard-4", accelerators=1),
    "a": Place(machine_type="g2-standard-12", accelerators=1, servers_per_accelerator=4),
}


def files_of(project: Path) -> StackInputs:
    return StackInputs.of(Stack.of_program(project, "dev", CONFIG))


def test_what_is_written_is_read_and_sorted(tmp_path: Path) -> None:
    path = tmp_path / "dev.placement.yaml"
    write_placement(path, PLACES)
    assert load_placement(path, "x").models == PLACES
    assert path.read_text().index("  a:") < path.read_text().index("  b:")


def test_the_file_of_a_stack_is_beside_its_list() -> None:
    assert placement_path(Path("stacks/shared.models.yaml"), "dev") == Path("stacks/dev.placement.yaml")


def test_an_absent_file_holds_nothing(tmp_path: Path) -> None:
    assert load_placement(tmp_path / "none.yaml", "none.yaml").models == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("format: 2\nmodels: {}\n", "format"),
        ("format: 1\n", "models"),
        ("format: 1\nmodels: {a: {machine_type: 3, accelerators: 1}}\n", "machine_type"),
        ("format: 1\nmodels: {a: {machine_type: x, accelerators: 0}}\n", "accelerators"),
        ("format: 1\nmodels: {a: {machine_type: x, accelerators: 1, cards: 2}}\n", "cards"),
        ("[1]\n", "the file"),
    ],
)
def test_a_broken_file_is_refused_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "dev.placement.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_placement(path, "stacks/dev.placement.yaml")
    assert said in str(caught.value)
    assert "stacks/dev.placement.yaml:" in str(caught.value)
    assert "hubstack place" in str(caught.value)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "stacks").mkdir()
    for name in ("models.yaml", "models.lock.yaml"):
        text = (PROJECT / "examples" / "quickstart" / name).read_text()
        (tmp_path / "stacks" / f"dev.{name}").write_text(text)
    return tmp_path


def test_places_are_written_once_and_stay(project: Path) -> None:
    path = project / "stacks" / "dev.placement.yaml"
    assert len(write_places(files_of(project), check=True)) == 3
    assert not path.exists(), "a check writes nothing"
    assert (
        write_places(files_of(project))[0] == "bge-small-en-v1-5: placed on g2-standard-4 (1 of its accelerators)"
    )
    first = path.read_text()
    assert write_places(files_of(project)) == []
    moved = first.replace("g2-standard-4", "g2-standard-8", 1)
    path.write_text(moved)
    assert write_places(files_of(project)) == [], "it stays where the file says"
    assert path.read_text() == moved
    assert len(write_places(files_of(project), rebalance=True)) == 1
    assert path.read_text() == first


def test_a_model_that_left_the_list_leaves_the_file(project: Path) -> None:
    write_places(files_of(project))
    path = project / "stacks" / "dev.placement.yaml"
    path.write_text(path.read_text() + "  gone:\n    machine_type: g2-standard-4\n    accelerators: 1\n")
    assert write_places(files_of(project)) == ["gone: removed from g2-standard-4 (1 of its accelerators)"]
    assert "gone" not in path.read_text()
