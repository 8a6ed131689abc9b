# SPDX-License-Identifier: Apache-2.0
"""Only the seats ask which engine or platform it is: everyone else asks the seat, or reads the plan."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from hubstack.kinds import EngineKind, PlatformKind

PROJECT = Path(__file__).resolve().parents[2]
SEATS = {PROJECT / "hubstack" / "planner" / "engines", PROJECT / "hubstack" / "planner" / "platforms"}
OTHER_WORDS = {
    ("hubstack/names.py", "vllm"): "vLLM refuses to start beside a Service of its name",
    ("hubstack/deploy/manifests/callouts.py", "vllm"): "the endpoint picker's own default",
    ("hubstack/inputs/init/containers.py", "vllm"): "KServe's word",
    ("hubstack/inputs/init/containers.py", "sglang"): "KServe's word",
    ("hubstack/catalog/loader.py", "vllm"): "name of a file",
    ("hubstack/catalog/loader.py", "sglang"): "name of a file",
}
"""Words that are an engine's id and mean something else."""


def sources() -> Iterator[Path]:
    yield PROJECT / "__main__.py"
    for root in ("hubstack", "components", "policy"):
        yield from sorted((PROJECT / root).rglob("*.py"))


def asked(path: Path) -> Iterator[str]:
    """Yield each place that names one engine or platform by its member, or an engine by its id."""
    ids = {kind.value for kind in EngineKind}
    kinds = {EngineKind.__name__, PlatformKind.__name__}
    name = path.relative_to(PROJECT).as_posix()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Attribute(value=ast.Name(id=kind), attr=member) if kind in kinds:
                yield f"{name}:{node.lineno}: {kind}.{member}"
            case ast.Constant(value=str(word)) if word in ids and (name, word) not in OTHER_WORDS:
                yield f"{name}:{node.lineno}: {word!r}"
            case _:
                pass


def test_only_the_seats_name_an_engine_or_a_platform() -> None:
    outside = [path for path in sources() if not SEATS & set(path.parents)]
    found = [each for path in outside if path.name != "kinds.py" for each in asked(path)]
    assert not found, "ask the seat (`spec_of`, `platform_of`), or let the plan carry the answer"


@pytest.mark.parametrize("text", ["kind is EngineKind.TEI", "engines['sglang']", "on is PlatformKind.GKE"])
def test_a_question_outside_of_the_seats_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(f"{__name__}.PROJECT", tmp_path)
    path = tmp_path / "module.py"
    path.write_text(text)
    assert len(list(asked(path))) == 1
