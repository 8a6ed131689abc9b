# SPDX-License-Identifier: Apache-2.0
"""The flags of a vLLM wheel, read from its source: `python -m benchmarks.vllm_flags WHEEL [--write]`.

Prints the flags that differ from tests/support/vllm_flags.yaml, and writes that file anew with --write. The wheel is
parsed, not run: to import it needs CUDA's libraries. Flags are the first arguments of `add_argument` in
`EngineArgs.add_cli_args` and the fields of the frontend's dataclasses, as `vllm serve` makes its parser of both.
"""

import ast
import hashlib
import sys
import zipfile
from pathlib import Path

import yaml

TARGET = Path(__file__).resolve().parents[1] / "tests" / "support" / "vllm_flags.yaml"
ENGINE, FRONTEND = "vllm/engine/arg_utils.py", "vllm/entrypoints/common/cli_args.py"
TOOLS, REASONING = "vllm/tool_parsers/__init__.py", "vllm/reasoning/__init__.py"


def flags(wheel: zipfile.ZipFile) -> dict[str, str]:
    """Return flag to kind: `value` or `switch`."""
    found: dict[str, str] = {}
    booleans = _boolean_fields(wheel)
    for node in (*ast.walk(ast.parse(wheel.read(ENGINE))), *ast.walk(ast.parse(wheel.read(FRONTEND)))):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument":
            acts = any(keyword.arg == "action" for keyword in node.keywords)
            for arg in node.args:
                if isinstance(arg, ast.Constant) and str(arg.value).startswith("--"):
                    name = str(arg.value)
                    is_switch = acts or name[2:].replace("-", "_") in booleans
                    found[name] = "switch" if is_switch else "value"
    for node in ast.walk(ast.parse(wheel.read(FRONTEND))):
        if isinstance(node, ast.ClassDef) and node.name.endswith("FrontendArgs"):
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    kind = "switch" if ast.unparse(field.annotation) == "bool" else "value"
                    found["--" + field.target.id.replace("_", "-")] = kind
    return found


def _boolean_fields(wheel: zipfile.ZipFile) -> set[str]:
    names: set[str] = set()
    for path in wheel.namelist():
        if path.startswith("vllm/config/") and path.endswith(".py"):
            for node in ast.walk(ast.parse(wheel.read(path))):
                if (
                    isinstance(node, ast.AnnAssign)
                    and isinstance(node.target, ast.Name)
                    and "bool" in ast.unparse(node.annotation).split(" | ")
                ):
                    names.add(node.target.id)
    return names


def choices(wheel: zipfile.ZipFile, path: str, name: str) -> list[str]:
    """Return the strings of a `Literal[...]` or the keys of a dict that a module assigns."""
    for node in ast.walk(ast.parse(wheel.read(path))):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            if isinstance(node.value, ast.Dict):
                return sorted(str(key.value) for key in node.value.keys if isinstance(key, ast.Constant))
            return [part.value for part in ast.walk(node.value) if isinstance(part, ast.Constant)]
    return []


def read(path: Path) -> dict[str, object]:
    """Return what the file of the tests holds, read from a wheel."""
    with zipfile.ZipFile(path) as wheel:
        return {
            "source": f"{path.name}, PyPI, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}",
            "flags": dict(sorted(flags(wheel).items())),
            "kv_cache_dtype": choices(wheel, "vllm/config/cache.py", "CacheDType"),
            "max_lora_rank": choices(wheel, "vllm/config/lora.py", "MaxLoRARanks"),
            "tool_call_parsers": choices(wheel, TOOLS, "_TOOL_PARSERS_TO_REGISTER"),
            "reasoning_parsers": choices(wheel, REASONING, "_REASONING_PARSERS_TO_REGISTER"),
        }


def main() -> None:
    made = read(Path(sys.argv[1]))
    if "--write" in sys.argv:
        head = (
            "# SPDX-License-Identifier: Apache-2.0\n# Written by `python -m benchmarks.vllm_flags WHEEL --write`.\n"
        )
        TARGET.write_text(head + yaml.safe_dump(made, sort_keys=False, width=116))
        return
    held = yaml.safe_load(TARGET.read_text())
    for flag in sorted({*held["flags"], *made["flags"]}):
        before, after = held["flags"].get(flag), made["flags"].get(flag)
        if before != after:
            print(f"{flag}: {before or 'absent'} -> {after or 'gone'}")


if __name__ == "__main__":
    main()
