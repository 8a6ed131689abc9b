# SPDX-License-Identifier: Apache-2.0
"""Valid lists, locks and settings with a few things changed, and raw bytes: a plan, or a refusal that can be read.

The budget is fixed (`EXAMPLES` for each kind) and the choice derandomized, so that CI runs the same each time; what
it found is a file of `cases/`. A longer search: `HUBSTACK_FUZZ=20000 ./dev test -n 0 tests/bad_input/test_fuzz.py`.
"""

import copy
import datetime as dt
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hubstack.files.errors import InputError
from hubstack.files.problems import Problem
from hubstack.files.yaml_reader import split_lines
from hubstack.inputs.environment import Environment
from hubstack.plan import Plan
from hubstack.planner.inputs import StackInputs
from hubstack.planner.planner import plan_inputs
from hubstack.review.check.policy_file import load_policy
from tests.bad_input.runner import KINDS, base_project, tree

LONGER = os.environ.get("HUBSTACK_FUZZ")
EXAMPLES = int(LONGER or 150)
budget = settings(
    max_examples=EXAMPLES,
    derandomize=not LONGER,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

LIST = {
    "defaults": {"context": 4096, "replicas": {"min": 0, "max": 2}, "capacity": ["spot", "on-demand"]},
    "overrides": {"*": {"concurrency": 4}, "embed": {"scaling": {"queue": 3}}},
    "models": [
        "Qwen/Qwen3-4B-Instruct-2507",
        {"id": "BAAI/bge-small-en-v1.5", "name": "embed", "context": 512, "accelerator": {"any": ["l4", "t4"]}},
        {
            "id": "Qwen/Qwen3-Embedding-0.6B",
            "name": "rank",
            "capacity": [{"kind": "spot", "zones": ["us-central1-a"]}],
            "slo": {"latency_percent": 95, "error_percent": 1},
            "engine": "tei",
            "loading": "gcsfuse",
        },
    ],
}
SETTINGS = {
    "config": {
        "gcp:project": "acme-models-dev",
        "gcp:region": "us-central1",
        "hubstack:budget": 9000,
        "hubstack:zones": ["us-central1-a", "us-central1-b"],
        "hubstack:gateway": {"mode": "services"},
        "hubstack:alerts": ["ops@example.org"],
        "hubstack:deletionProtection": False,
        "hubstack:regions": "any",
        "hubstack:maintenanceWindow": {"days": ["SA", "SU"], "start": "02:00", "hours": 8},
    }
}
POLICY = {
    "licenses": ["mit"],
    "max_usd_per_month": 3000,
    "max_accelerators": {"nvidia-l4": 4},
    "levels": {"HS004": "warn"},
    "waivers": [
        {"rule": "HS004", "owner": "a@example.com", "why": "x", "model": "embed", "until": dt.date(2027, 1, 31)}
    ],
    "environments": {"dev": {"regions": ["us-central1"]}},
}

odd_text = st.sampled_from(
    [
        "",
        " ",
        "\0",
        "\x1b[31m",
        "\u202egpj",
        "\u200b",
        "null",
        "~",
        "yes",
        "0x10",
        "010",
        "1e9",
        ".inf",
        "1:30",
        "<<",
        "=",
        "*a",
        "&a",
        "!!binary x",
        "../..",
        "/etc/passwd",
        "a\nb",
        "a: b",
        "# x",
        "- x",
        "{",
        "[",
        "%",
        "@",
        "`",
        "\ud7ff",
        "\U0001f600",
        "e\u0301",
        "x" * 300,
        "${{ x }}",
        "::error::",
        "<script>",
        "| a |",
        "\ufeff",
        "\u2028",
        "\x85",
    ]
)
odd = (
    odd_text
    | st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.dates()
    | st.just([])
    | st.just({})
    | st.lists(odd_text, max_size=2)
    | st.dictionaries(odd_text, odd_text, max_size=2)
)


def _places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, held in inner for place in _places(held, (*at, key)))]


@st.composite
def changed(draw: st.DrawFn, start: Any) -> Any:
    """Draw a value with one to three places replaced, doubled, renamed or left out."""
    value = {"root": copy.deepcopy(start)}
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(_places(value)[1:]))
        holder: Any = value
        for part in place[:-1]:
            holder = holder[part]
        how = draw(st.sampled_from(["replace", "remove", "rename", "wrap", "double"]))
        if how == "remove" and len(place) > 1:
            del holder[place[-1]]
        elif how == "rename" and isinstance(holder, dict):
            holder[draw(odd_text)] = holder.pop(place[-1])
        elif how == "double" and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[place[-1]]))
        elif how == "wrap":
            holder[place[-1]] = [holder[place[-1]]]
        else:
            holder[place[-1]] = draw(odd)
        if "root" not in value:
            value = {"root": None}
    return value["root"]


odd_bytes = st.sampled_from([b"\t", b"\r\n", b"\n", b"<<<<<<< HEAD\n", b"---\n", b"[" * 80, b"'", b'"'])


@st.composite
def cut(draw: st.DrawFn, text: bytes) -> bytes:
    """Draw a text with pieces cut, doubled, and odd bytes put in."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        same_twice = st.just(text[start:end] * 2)
        words = odd_text.map(lambda word: word.encode("utf-8", "surrogatepass"))
        piece = draw(st.just(b"") | same_twice | words | st.binary(max_size=4) | odd_bytes)
        text = text[:start] + piece + text[end:]
    return text


def _yaml(value: Any) -> bytes:
    return yaml.safe_dump(value, allow_unicode=True, sort_keys=False).encode("utf-8", "surrogatepass")


LOCK = Path(__file__).resolve().parents[2] / "examples" / "quickstart" / "models.lock.yaml"
TEXTS = {
    "models": changed(LIST).map(_yaml) | cut(_yaml(LIST)) | st.binary(max_size=80),
    "locks": cut(LOCK.read_bytes()) | changed(yaml.safe_load(LOCK.read_text())).map(_yaml) | st.binary(max_size=80),
    "placements": cut((LOCK.parent / "quickstart.placement.yaml").read_bytes())
    | changed(yaml.safe_load((LOCK.parent / "quickstart.placement.yaml").read_text())).map(_yaml),
    "settings": changed(SETTINGS).map(_yaml) | cut(_yaml(SETTINGS)),
    "projects": cut((LOCK.parents[2] / "Pulumi.yaml").read_bytes()),
    "policies": changed(POLICY).map(_yaml) | cut(_yaml(POLICY)) | st.binary(max_size=80),
}


def read(folder: Path, kind: str) -> Plan | None:
    """Read as `hubstack plan dev` does, or a policy as `hubstack check dev`."""
    config = folder / KINDS["settings"].path
    if kind == "policies":
        load_policy(folder / KINDS[kind].path, KINDS[kind].path, "dev")
        return None
    return plan_inputs(StackInputs.load(Environment(project_dir=folder, stack="dev", config_file=config)))


STARTS = {"models": LIST, "settings": SETTINGS, "policies": POLICY}


@pytest.mark.parametrize("kind", STARTS)
def test_what_is_changed_was_valid(kind: str, tmp_path: Path) -> None:
    base_project(tmp_path)
    (tmp_path / KINDS[kind].path).write_bytes(_yaml(STARTS[kind]))
    plan = read(tmp_path, kind)
    assert plan is None or len(plan.models) == 3


@pytest.mark.parametrize("kind", TEXTS)
def test_whatever_a_file_holds_it_is_planned_or_refused_in_words(kind: str) -> None:
    @given(TEXTS[kind])
    @budget
    def run(content: bytes) -> None:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as made:
            folder = Path(made).resolve()
            base_project(folder)
            (folder / KINDS[kind].path).write_bytes(content)
            before = tree(folder)
            try:
                read(folder, kind)
            except InputError as error:
                text = str(error)
                assert all(char in "\n\t" or char.isprintable() for char in text), "no text steers the terminal"
                for problem in error.problems:
                    _lies_inside(problem, folder)
            assert tree(folder) == before

    run()


def _lies_inside(problem: Problem, folder: Path) -> None:
    assert problem.message
    assert problem.hint, problem.message
    if problem.line is None:
        return
    path = folder / problem.path
    lines = split_lines(path.read_bytes().decode("utf-8-sig", "replace")) if path.is_file() else []
    assert path.is_file(), problem.path
    assert 1 <= problem.line <= len(lines)
    assert problem.column is not None
    assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1, problem
