# SPDX-License-Identifier: Apache-2.0
"""Extracts facts about an SGLang release from its wheel.

Owns where SGLang keeps its registries (0.5.22, 0.5.23).
"""

import ast
from collections.abc import Collection, Iterator
from typing import Any

from tools.engine_facts.wheel import UnknownValueError, Wheel, attribute

_COMMON = "sglang/srt/utils/hf_transformers/common.py"
_FIELDS, _ARGS = "sglang/srt/arg_groups/fields/", "sglang/srt/server_args.py"


def read_sglang(wheel: Wheel, library: Wheel, tokenized: Collection[str]) -> dict[str, Any]:
    """Return the catalogue's facts about a release, without the flags; arguments as for `read_vllm`."""
    configs = dict(_config_types(wheel))
    return {
        "version": wheel.version,
        "source": f"sglang-{wheel.version}-wheel",
        "sha256": wheel.sha256,
        "transformers": wheel.requires("transformers"),
        "library": library.version,
        "architectures": {"all": sorted(set(_architectures(wheel)))},
        "config_types": sorted(configs),
        "types_with_tokenizer": sorted(kind for kind, name in configs.items() if name in tokenized),
        "quantization_methods": sorted(_quantization(wheel)),
        "tool_call_parsers": sorted(
            wheel.value("sglang/srt/function_call/function_call_parser.py", "ToolCallParserEnum")
        ),
        "reasoning_parsers": sorted(wheel.value("sglang/srt/parser/reasoning_parser.py", "DetectorMap")),
    }


def _architectures(wheel: Wheel) -> Iterator[str]:
    for path in wheel.under("sglang/srt/models/"):
        for node in wheel.tree(path).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "EntryClass":
                yield from (part.id for part in ast.walk(node.value) if isinstance(part, ast.Name))


def _config_types(wheel: Wheel) -> Iterator[tuple[str, str]]:
    """Yield the model types and classes in `_CONFIG_REGISTRY`."""
    types: dict[str, str] = {}
    for path in (*wheel.under("sglang/srt/configs/"), *wheel.under("sglang/srt/utils/hf_transformers/")):
        for name, cls in wheel.classes(path).items():
            value = attribute(cls, "model_type")
            if isinstance(value, ast.Constant):
                types[name] = str(value.value)
    tree = wheel.tree(_COMMON)
    registry = wheel.expression(_COMMON, "_CONFIG_REGISTRY")
    for part in ast.walk(registry):
        if isinstance(part, ast.Name) and part.id in types:
            yield types[part.id], part.id
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            target = node.targets[0]
            if getattr(target.value, "id", "") == "_CONFIG_REGISTRY" and isinstance(target.slice, ast.Constant):
                yield str(target.slice.value), ast.unparse(node.value)


def _quantization(wheel: Wheel) -> set[str]:
    """Return the methods of the plain table and those added for NVIDIA cards."""
    path = "sglang/srt/layers/quantization/__init__.py"
    found = set(wheel.value(path, "BASE_QUANTIZATION_METHODS"))
    for node in ast.walk(wheel.tree(path)):
        if isinstance(node, ast.If) and "is_cuda" in ast.unparse(node.test):
            for part in ast.walk(node):
                if isinstance(part, ast.Dict):
                    found |= {key.value for key in part.keys if isinstance(key, ast.Constant)}
    return found


def read_flags(wheel: Wheel) -> dict[str, Any]:
    """Return the flags of `sglang.launch_server` with their kind: `switch`, a type, or the list of choices."""
    found: dict[str, Any] = {}
    for path in wheel.under(_FIELDS):
        for cls in wheel.classes(path).values():
            for field in cls.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    found |= _flag(wheel, field)
    for node in ast.walk(wheel.tree(_ARGS)):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument":
            names = [part.value for part in node.args if isinstance(part, ast.Constant)]
            found |= dict.fromkeys((str(name) for name in names if str(name).startswith("--")), _kind_of_call(node))
    return dict(sorted(found.items()))


def _kind_of_call(node: ast.Call) -> str:
    """Return the kind of a flag that is added by hand; choices that are computed are not known."""
    words = {word.arg: ast.unparse(word.value) for word in node.keywords}
    if "Const" not in words.get("action", "Const") or "StoreTrue" in words.get("action", ""):
        return "switch"
    return "words" if words.get("nargs") in {"'+'", "'*'"} else words.get("type", "str")


def _flag(wheel: Wheel, field: ast.AnnAssign) -> dict[str, Any]:
    annotation = field.annotation
    if not (isinstance(annotation, ast.Subscript) and getattr(annotation.value, "id", "") == "A"):
        return {}
    parts = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
    about = next((p for p in parts[1:] if isinstance(p, ast.Call) and getattr(p.func, "id", "") == "Arg"), None)
    words = {word.arg: word.value for word in about.keywords} if about else {}
    if "no_cli" in words:
        return {}
    own = "--" + getattr(field.target, "id", "").replace("_", "-")
    names = [str(getattr(words.get("cli_name"), "value", own))]
    aliases = words.get("aliases")
    if isinstance(aliases, ast.List):
        names += [str(part.value) for part in aliases.elts if isinstance(part, ast.Constant)]
    return dict.fromkeys((name for name in names if name.startswith("--")), _kind(wheel, parts[0], words))


def _kind(wheel: Wheel, type_: ast.expr, words: dict[str | None, ast.expr]) -> Any:
    text = ast.unparse(type_)
    choices = words.get("choices")
    if "action" in words or text == "bool":
        return "switch"
    if isinstance(choices, ast.Name):
        try:
            return sorted(wheel.value("sglang/srt/arg_groups/choices.py", choices.id))
        except UnknownValueError:
            return "str"
    if "Literal" in text:
        return [part.value for part in ast.walk(type_) if isinstance(part, ast.Constant)]
    if "List" in text and "type_parser" not in words:
        return "words"
    return next((kind for kind in ("int", "float") if kind in text), "str")
