# SPDX-License-Identifier: Apache-2.0
"""The tool that reads wheels: expressions are evaluated without running any, the rest is refused."""

import ast
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tools.engine_facts.vllm_wheel import CAPABILITIES, Capability, read_flags
from tools.engine_facts.wheel import UnknownValueError, Wheel, evaluate


def value(text: str, **scope: Any) -> Any:
    return evaluate(ast.parse(text, mode="eval").body, scope)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{'a': ('m', 'A'), **more}", {"a": ("m", "A"), "b": 1}),
        ("OrderedDict([('a', 'X'), ('b', 'Y' if there() else None)])", {"a": "X", "b": "Y"}),
        ("OrderedDict(**{'a': 1}, **more)", {"a": 1, "b": 1}),
        ("OrderedDict[str, str]([('a', 'X')])", {"a": "X"}),
        ("{k: v for k, (v, w) in rows.items() if w == 'yes'}", {"x": 1}),
        ("{'a': SomeClass}", {"a": "SomeClass"}),
        ("1 < 2 <= 2 and 3 not in (1, 2)", True),
    ],
)
def test_literal_expressions_are_evaluated(text: str, expected: object) -> None:
    assert value(text, more={"b": 1}, rows={"x": (1, "yes"), "y": (2, "no")}) == expected


def test_what_only_running_would_tell_is_refused() -> None:
    with pytest.raises(UnknownValueError, match="open"):
        value("open('/etc/passwd').read()")


def test_where_a_kernel_runs_is_asked_of_its_own_expression() -> None:
    text = "capability >= DeviceCapability(8, 0) and capability <= DeviceCapability(12, 1)"
    runs = [
        one
        for one in CAPABILITIES
        if value(text, capability=Capability(*divmod(round(one * 10), 10)), DeviceCapability=Capability)
    ]
    assert runs == [8.0, 8.9, 9.0, 10.0, 10.3, 12.0]


ARGS = """
class EngineArgs:
    @staticmethod
    def add_cli_args(parser):
        model_kwargs = get_kwargs(ModelConfig)
        group.add_argument("--dtype", **model_kwargs["dtype"])
        group.add_argument("--max-model-len", **model_kwargs["max_model_len"])
        group.add_argument("--hf-overrides", **model_kwargs["hf_overrides"])
        group.add_argument("--grpc", action="store_true")
        group.add_argument("--ranks", type=int)
"""
CONFIG = """
Dtype = Literal["auto", Short]
Short = Literal["half"]
Overrides = dict[str, Any] | Callable
class ModelConfig:
    dtype: Dtype | str = "auto"
    max_model_len: int = 0
    hf_overrides: Overrides = {}
"""
FRONTEND = """
class FrontendArgs:
    port: int = 8000
    allow_credentials: bool = False
    names: list[str] = []
"""


def test_a_flag_is_read_with_its_type_and_choices(tmp_path: Path) -> None:
    path = tmp_path / "vllm-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("vllm/engine/arg_utils.py", ARGS)
        wheel.writestr("vllm/config/model.py", CONFIG)
        wheel.writestr("vllm/entrypoints/common/cli_args.py", FRONTEND)
        wheel.writestr("vllm/transformers_utils/config.py", "")
    assert read_flags(Wheel(path)) == {
        "--allow-credentials": "switch",
        "--dtype": ["auto", "half"],
        "--grpc": "switch",
        "--hf-overrides": "json",
        "--max-model-len": "int",
        "--names": "words",
        "--port": "int",
        "--ranks": "int",
    }
