# SPDX-License-Identifier: Apache-2.0
"""Only the seats ask which engine it is: everyone else asks the seat, or reads the plan."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from hubstack.kinds import EngineKind

PROJECT = Path(__file__).resolve().parents[2]
SEATS = PROJECT / "hubstack" / "planner" / "engines"
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
    """Yield each place that names one engine, by its member or by its id."""
    ids = {kind.value for kind in EngineKind}
    name = path.relative_to(PROJECT).as_posix()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Attribute(value=ast.Name(id="EngineKind"), attr=member):
                yield f"{name}:{node.lineno}: EngineKind.{member}"
            case ast.Constant(value=str(word)) if word in ids and (name, word) not in OTHER_WORDS:
                yield f"{name}:{node.lineno}: {word!r}"
            case _:
                pass


def test_only_the_seats_name_an_engine() -> None:
    outside = [path for path in sources() if SEATS not in path.parents]
    found = [each for path in outside if path.name != "kinds.py" for each in asked(path)]
    assert not found, "ask `hubstack.planner.engines.spec_of`, or let the plan carry the answer"


@pytest.mark.parametrize("text", ["kind is EngineKind.TEI", "engines['sglang']", "kind in {EngineKind.VLLM}"])
def test_a_question_outside_of_the_seats_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(f"{__name__}.PROJECT", tmp_path)
    path = tmp_path / "module.py"
    path.write_text(text)
    assert len(list(asked(path))) == 1
