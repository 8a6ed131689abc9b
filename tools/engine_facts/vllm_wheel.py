# SPDX-License-Identifier: Apache-2.0
"""Extracts facts about a vLLM release from its wheel.

Owns where vLLM keeps its registries (0.31.0 to 0.33.0). Importing them requires CUDA libraries, so the sources are
parsed.
"""

import ast
import re
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from tools.engine_facts.wheel import UnknownValueError, Wheel, assigned, attribute, evaluate, method, returned

_MODELS = "vllm/model_executor/models/"
_REGISTRY = f"{_MODELS}registry.py"
_CONFIG = "vllm/transformers_utils/config.py"
_QUANTIZATION = "vllm/model_executor/layers/quantization/"
_ARGS = "vllm/engine/arg_utils.py"
_BACKENDS = "vllm/v1/attention/backends/"
_USES = {
    "text_generation": "_TEXT_GENERATION_MODELS",
    "multimodal": "_MULTIMODAL_MODELS",
    "embedding": "_EMBEDDING_MODELS",
    "late_interaction": "_LATE_INTERACTION_MODELS",
    "sequence_classification": "_SEQUENCE_CLASSIFICATION_MODELS",
    "token_classification": "_TOKEN_CLASSIFICATION_MODELS",
    "reward": "_REWARD_MODELS",
    "transformers_backend": "_TRANSFORMERS_SUPPORTED_MODELS",
}
_FP8_FLOORS = (("has_device_capability(89)", 8.9), ("FP8 KV cache requires FA3 on SM90", 9.0))
"""Checks in a backend that restrict an fp8 KV cache more than the backend itself."""
CAPABILITIES = (7.5, 8.0, 8.9, 9.0, 10.0, 10.3, 12.0)
"""Compute capabilities of Google's accelerators."""


class Capability(NamedTuple):
    """vLLM's DeviceCapability."""

    major: int
    minor: int


def read_vllm(wheel: Wheel, library: Wheel, tokenized: Collection[str]) -> dict[str, Any]:
    """Return the catalogue's facts about a release, without the flags.

    Args:
        wheel: wheel of vLLM.
        library: wheel of the transformers release that it runs with.
        tokenized: names of config classes that have a tokenizer in its transformers, which is looked up by name.
    """
    configs: dict[str, str] = wheel.value(_CONFIG, "_CONFIG_REGISTRY")
    removed: dict[str, list[str]] = {}
    for name, version in wheel.value(_REGISTRY, "_PREVIOUSLY_SUPPORTED_MODELS").items():
        removed.setdefault(version, []).append(name)
    return {
        "version": wheel.version,
        "source": f"vllm-{wheel.version}-wheel",
        "sha256": wheel.sha256,
        "transformers": wheel.requires("transformers"),
        "library": library.version,
        "architectures": {use: sorted(wheel.value(_REGISTRY, name)) for use, name in _USES.items()},
        "draft_architectures": sorted(wheel.value(_REGISTRY, "_SPECULATIVE_DECODING_MODELS")),
        "lora_architectures": sorted(set(_with_adapters(wheel))),
        "conversion": _conversion(wheel),
        "removed_architectures": {version: sorted(names) for version, names in sorted(removed.items())},
        "plugin_architectures": sorted(wheel.value(_REGISTRY, "_OOT_SUPPORTED_MODELS")),
        "config_types": sorted(configs),
        "types_with_tokenizer": sorted(kind for kind, name in configs.items() if name in tokenized),
        "config_types_by_architecture": wheel.value(_CONFIG, "_ARCHITECTURE_TO_MODEL_TYPE"),
        "ignores_tokenizer_code_of": sorted(
            wheel.value("vllm/tokenizers/registry.py", "_MODEL_TYPES_WITH_INCORRECT_TOKENIZER_CLASS")
        ),
        "processor_classes": sorted(wheel.value("vllm/transformers_utils/processors/__init__.py", "__all__")),
        "refuses_float16": sorted(wheel.value("vllm/config/model.py", "_FLOAT16_NOT_SUPPORTED_MODELS")),
        "quantization": _quantization(wheel),
        "quantization_schemes": dict(sorted(_schemes(wheel))),
        "attention": dict(_attention(wheel)),
        "tool_call_parsers": sorted(wheel.value("vllm/tool_parsers/__init__.py", "_TOOL_PARSERS_TO_REGISTER")),
        "reasoning_parsers": sorted(wheel.value("vllm/reasoning/__init__.py", "_REASONING_PARSERS_TO_REGISTER")),
    }


def _with_adapters(wheel: Wheel) -> Iterator[str]:
    """Yield the architectures whose class, or one that it extends, is marked with `SupportsLoRA`."""
    folders = (_MODELS, "vllm/models/")
    every: dict[str, ast.ClassDef] = {}
    for path in (path for folder in folders for path in wheel.under(folder)):
        every = wheel.classes(path) | every
    for name in _USES.values():
        for architecture, (module, class_name) in wheel.value(_REGISTRY, name).items():
            path = f"{module.replace('.', '/')}" if "." in module else f"{_MODELS}{module}"
            path = next((each for each in (f"{path}.py", f"{path}/__init__.py") if each in wheel.paths), "")
            found = (wheel.classes(path) if path else {}).get(class_name) or every.get(class_name)
            if found is not None and any(_extends_adapters(cls) for cls in _with_bases(found, every)):
                yield architecture


def _extends_adapters(cls: ast.ClassDef) -> bool:
    return any(getattr(base, "id", "") == "SupportsLoRA" for base in cls.bases)


def _conversion(wheel: Wheel) -> dict[str, Any]:
    """Return the suffixes that are replaced to map an unlisted architecture to a listed one."""
    uses = {"embed": "embedding", "classify": "sequence_classification"}
    rows = wheel.value("vllm/config/model.py", "_SUFFIX_TO_DEFAULTS")
    suffixes = {
        suffix: "token_classification" if suffix == "ForTokenClassification" else uses[convert]
        for suffix, (runner, convert) in rows
        if runner == "pooling"
    }
    return {"bases": [suffix for suffix, _ in rows], "suffixes": suffixes}


def _quantization(wheel: Wheel) -> dict[str, float]:
    """Return each quantization method of checkpoints, with the minimum compute capability of its class."""
    init = f"{_QUANTIZATION}__init__.py"
    literal = ast.walk(wheel.expression(init, "QuantizationMethods"))
    names = sorted(str(part.value) for part in literal if isinstance(part, ast.Constant))
    table = wheel.expression(init, "method_to_config")
    rows = zip(table.keys, table.values, strict=True) if isinstance(table, ast.Dict) else ()
    classes = {
        str(key.value): value.id
        for key, value in rows
        if isinstance(key, ast.Constant) and isinstance(value, ast.Name)
    }
    return {name: _floor(wheel, classes[name]) for name in names if name in classes}


def _floor(wheel: Wheel, name: str) -> float:
    found = _named_class(wheel, name) or _named_class(wheel, name.replace("deepseek_config", "DeepseekV4FP8Config"))
    while found is not None:
        own = method(found, "get_min_capability")
        if own is not None:
            return evaluate(returned(own), {}) / 10
        base = next((base.id for base in found.bases if isinstance(base, ast.Name)), "")
        found = _named_class(wheel, base)
    raise UnknownValueError(f"found no compute capability for {name}")


def _named_class(wheel: Wheel, name: str) -> ast.ClassDef | None:
    for folder in (_QUANTIZATION, "vllm/models/"):
        for path in wheel.under(folder):
            if name and f"class {name}(" in wheel.text(path):
                return wheel.classes(path)[name]
    return None


def _schemes(wheel: Wheel) -> Iterator[tuple[str, float]]:
    """Yield the compressed-tensors schemes with their minimum compute capability."""
    for path in wheel.under(f"{_QUANTIZATION}compressed_tensors/schemes/"):
        for name, cls in wheel.classes(path).items():
            own = method(cls, "get_min_capability")
            if own is not None and name.startswith("CompressedTensorsW"):
                yield name.removeprefix("CompressedTensors"), evaluate(returned(own), {}) / 10


def _attention(wheel: Wheel) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the attention backends for NVIDIA cards: where they run, and which KV caches they support."""
    tried = {
        node.attr
        for function in ast.walk(wheel.tree("vllm/platforms/cuda.py"))
        if isinstance(function, ast.FunctionDef) and function.name == "_get_backend_priorities"
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "AttentionBackendEnum"
    }
    registry = wheel.classes("vllm/v1/attention/backends/registry.py")["AttentionBackendEnum"]
    for node in registry.body:
        name = getattr(node.targets[0], "id", "") if isinstance(node, ast.Assign) else ""
        value = node.value if isinstance(node, ast.Assign) else None
        if name not in tried or not isinstance(value, ast.Constant):
            continue
        module, class_name = str(value.value).rsplit(".", 1)
        path = module.replace(".", "/") + ".py"
        path = path if path in wheel.paths else f"{module.replace('.', '/')}/__init__.py"
        row = _backend(wheel, path, class_name)
        if row is not None:
            yield name, row


def _backend(wheel: Wheel, path: str, name: str) -> dict[str, Any] | None:
    if name not in wheel.classes(path):
        return None
    every = {name: cls for other in wheel.under(_BACKENDS) for name, cls in wheel.classes(other).items()}
    chain = _with_bases(wheel.classes(path)[name], every)
    own = next((found for part in chain if (found := method(part, "supports_compute_capability"))), None)
    sparse = next((found for part in chain if (found := method(part, "is_sparse"))), None)
    heads = next((found for part in chain if (found := method(part, "get_supported_head_sizes"))), None)
    dtypes = next((found for part in chain if (found := attribute(part, "supported_kv_cache_dtypes"))), None)
    fp8_floor = next((floor for said, floor in _FP8_FLOORS if said in wheel.text(path)), None)
    row: dict[str, Any] = {
        "capabilities": [one for one in CAPABILITIES if _runs(own, one)],
        "mla": "/mla/" in path,
        "sparse": bool(sparse and evaluate(returned(sparse), {})),
        "kv_cache_dtypes": _value(dtypes) or [],
    }
    if heads is not None and (sizes := _value(returned(heads))):
        row["head_sizes"] = sizes
    return row | ({"fp8_from": fp8_floor} if fp8_floor else {})


def _with_bases(cls: ast.ClassDef, every: dict[str, ast.ClassDef]) -> list[ast.ClassDef]:
    bases = [every[base.id] for base in cls.bases if isinstance(base, ast.Name) and base.id in every]
    return [cls, *(further for base in bases for further in _with_bases(base, every))]


def _value(node: ast.expr | None) -> list[Any]:
    try:
        return list(evaluate(node, {})) if node is not None else []
    except UnknownValueError:
        return []


def _runs(function: ast.FunctionDef | None, capability: float) -> bool:
    if function is None:
        return True
    major, minor = divmod(round(capability * 10), 10)
    scope = {"capability": Capability(major, minor), "DeviceCapability": Capability}
    expression = returned(function)
    if isinstance(expression, ast.BoolOp):  # conditions from its base class do not depend on the card
        kept = [part for part in expression.values if "super()" not in ast.unparse(part)]
        return all(evaluate(part, scope) for part in kept)
    return bool(evaluate(expression, scope))


# Flags


def read_flags(wheel: Wheel) -> dict[str, Any]:
    """Return the flags of `vllm serve` with their kind: `switch`, a type, or the list of choices."""
    found: dict[str, Any] = {}
    aliases = _aliases(wheel)
    tables = _tables(wheel)
    # The flags of the HTTP server: in common/ since 0.33, in launchers/ and openai/ before.
    (frontend,) = (path for path in wheel.under("vllm/entrypoints/") if path.endswith("/cli_args.py"))
    for path in (_ARGS, frontend):
        for node in ast.walk(wheel.tree(path)):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument":
                for flag in (arg.value for arg in node.args if isinstance(arg, ast.Constant)):
                    if str(flag).startswith("--"):
                        found[str(flag)] = _kind_of_call(node, tables, aliases)
    for cls in wheel.classes(frontend).values():
        if cls.name.endswith("FrontendArgs"):
            for field in cls.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    found["--" + field.target.id.replace("_", "-")] = _kind(field.annotation, aliases)
    return dict(sorted(found.items()))


def _aliases(wheel: Wheel) -> dict[str, ast.expr]:
    """Return the type aliases in the configuration files."""
    found: dict[str, ast.expr] = {}
    folders = ("vllm/config/", _QUANTIZATION, _BACKENDS, "vllm/tasks", "vllm/reasoning/", _CONFIG)
    for path in (path for folder in folders for path in wheel.under(folder)):
        for node in wheel.tree(path).body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Subscript | ast.BinOp):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                if re.match(r"Literal\b|dict\b|.* \| ", ast.unparse(node.value)):
                    found.setdefault(getattr(target, "id", ""), node.value)
    return found


def _tables(wheel: Wheel) -> dict[str, dict[str, ast.expr]]:
    """Return field annotations by the variable that `get_kwargs(SomeConfig)` was assigned to."""
    fields: dict[str, dict[str, ast.expr]] = {}
    for path in wheel.under("vllm/config/"):
        for cls in wheel.classes(path).values():
            own = {
                n.target.id: n.annotation
                for n in cls.body
                if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)
            }
            fields.setdefault(cls.name, {}).update(own)
    found: dict[str, dict[str, ast.expr]] = {}
    for node in ast.walk(wheel.tree(_ARGS)):
        call = node.value if isinstance(node, ast.Assign) else None
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "get_kwargs":
            found[assigned(node)] = fields.get(getattr(call.args[0], "id", ""), {})
    return found


def _kind_of_call(node: ast.Call, tables: dict[str, dict[str, ast.expr]], aliases: dict[str, ast.expr]) -> Any:
    for word in node.keywords:
        if word.arg == "action" and "append" not in ast.unparse(word.value):
            return "switch"
        if word.arg == "type":
            named = getattr(word.value, "id", "str")
            return named if named in {"int", "float", "str"} else "str"
        if word.arg is None:
            for part in ast.walk(word.value):
                table = tables.get(getattr(part.value, "id", "")) if isinstance(part, ast.Subscript) else None
                if table is not None:
                    annotation = table.get(getattr(getattr(part, "slice", None), "value", ""))
                    if annotation is not None:
                        return _kind(annotation, aliases)
    return "str"


def _kind(annotation: ast.expr, aliases: dict[str, ast.expr]) -> Any:
    """Return the kind of an annotation, in the order of `_compute_kwargs` in arg_utils.py."""
    parts = list(_expanded(annotation, aliases))
    words = {part.id for part in parts if isinstance(part, ast.Name)}
    if "bool" in words:
        return "str" if "str" in words else "switch"
    if "Literal" in words:
        # A plain `str` next to the choices lets plugins add their own; the images have no plugins.
        taken = {str(part.value) for part in parts if isinstance(part, ast.Constant) and part.value is not None}
        return sorted(taken)
    for kind in ("list", "set", "tuple"):
        if kind in words:
            return "words"
    for kind in ("int", "float"):
        if kind in words:
            return kind
    return "json" if "dict" in words or any(word.endswith("Config") for word in words) else "str"


def _expanded(node: ast.expr, aliases: dict[str, ast.expr]) -> Iterator[ast.AST]:
    """Yield every part of an annotation, with type aliases expanded."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and part.id in aliases:
            yield from _expanded(
                aliases[part.id], {name: value for name, value in aliases.items() if name != part.id}
            )
        else:
            yield part
