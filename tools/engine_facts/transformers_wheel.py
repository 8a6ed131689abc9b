# SPDX-License-Identifier: Apache-2.0
"""Extracts facts about a transformers release: config classes, tokenizers, and models for vLLM's generic backend.

Reads `models/auto/` and the modeling files of its wheel. Engines need them because they load a checkpoint's config
and tokenizer from transformers, even for architectures that they implement themselves.
"""

import ast
import re
from typing import Any

from tools.engine_facts.wheel import UnknownValueError, Wheel, attribute, evaluate

_MODELS, _AUTO = "transformers/models/", "transformers/models/auto/"
_GENERATES = (
    "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES",
    "MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES",
    "MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES",
)
_ENCODES_AND_DECODES = "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES"
_TOKENIZER_CLASS = re.compile(r"Tokenizer(Fast)?$|^(TokenizersBackend|PythonBackend|MistralCommonBackend)$")


def _configs(wheel: Wheel) -> dict[str, str]:
    """Return model type to config class; the library adds one manually (`configuration_auto.py`)."""
    return wheel.value(f"{_AUTO}auto_mappings.py", "CONFIG_MAPPING_NAMES") | {"gpt-sw3": "GPT2Config"}


def read_transformers(wheel: Wheel) -> dict[str, Any]:
    """Return the catalogue's facts about a release."""
    configs, known = _configs(wheel), classes_with_tokenizer(wheel)
    ignored: list[str] = wheel.value(f"{_AUTO}tokenization_auto.py", "MODELS_WITH_INCORRECT_HUB_TOKENIZER_CLASS")
    return {
        "version": wheel.version,
        "source": f"transformers-{wheel.version}-wheel",
        "sha256": wheel.sha256,
        "config_types": sorted(configs),
        "types_with_tokenizer": sorted(kind for kind, name in configs.items() if name in known),
        "tokenizer_classes": _tokenizer_classes(wheel),
        "processor_types": sorted(wheel.value(f"{_AUTO}auto_mappings.py", "PROCESSOR_MAPPING_NAMES")),
        "ignores_tokenizer_code_of": sorted(ignored),
        "generic_backend": _generic_backend(wheel),
    }


def classes_with_tokenizer(wheel: Wheel) -> set[str]:
    """Return the names of config classes for which `AutoTokenizer` has a tokenizer."""
    configs = _configs(wheel)
    tokenizers: dict[str, str] = wheel.value(f"{_AUTO}tokenization_auto.py", "TOKENIZER_MAPPING_NAMES")
    ignored: list[str] = wheel.value(f"{_AUTO}tokenization_auto.py", "MODELS_WITH_INCORRECT_HUB_TOKENIZER_CLASS")
    return {configs[kind] for kind in {*tokenizers, *ignored} if kind in configs}


def _tokenizer_classes(wheel: Wheel) -> list[str]:
    found = {
        name.removesuffix("Fast")
        for path in wheel.under("transformers/")
        if "/tokenization_" in path
        for name in wheel.classes(path)
        if _TOKENIZER_CLASS.search(name)
    }
    # Names from earlier releases that the library still supports.
    return sorted(found | {"PreTrainedTokenizer", "PreTrainedTokenizerFast"})


def _generic_backend(wheel: Wheel) -> list[str]:
    """Return generative classes with replaceable attention and layers that ranks can share.

    `is_backend_compatible` of the library is the class attribute `_supports_attention_backend`; tensor parallelism
    is defined by `base_model_tp_plan` of the config. Encoder-decoders are omitted: vLLM's backend has no
    cross-attention.
    """
    both = _names(wheel, _ENCODES_AND_DECODES)
    wanted = set[str]().union(*(_names(wheel, mapping) for mapping in _GENERATES)) - both
    found: list[str] = []
    for folder in sorted({path.rsplit("/", 1)[0] + "/" for path in wheel.under(_MODELS)} - {_MODELS}):
        classes = _modelling_classes(wheel, folder)
        named = wanted & classes.keys()
        if named and _has_plan(wheel, folder):
            found += [name for name in named if _flag_of(classes, name, "_supports_attention_backend")]
    return sorted(found)


def _names(wheel: Wheel, mapping: str) -> set[str]:
    values = wheel.value(f"{_AUTO}modeling_auto.py", mapping).values()
    return {name for value in values for name in ((value,) if isinstance(value, str) else value)}


def _modelling_classes(wheel: Wheel, folder: str) -> dict[str, ast.ClassDef]:
    files = [path for path in wheel.under(folder) if "/modeling_" in path]
    return {name: cls for path in files for name, cls in wheel.classes(path).items()}


def _flag_of(classes: dict[str, ast.ClassDef], name: str, wanted: str) -> bool:
    """Return a class attribute, looking it up in the class and its bases in the same file."""
    waiting, seen = [name], set[str]()
    while waiting:
        cls = classes.get(current := waiting.pop(0))
        seen.add(current)
        if cls is None:
            continue
        value = attribute(cls, wanted)
        if value is not None:
            try:
                return bool(evaluate(value, {}))
            except UnknownValueError:
                return False
        waiting += [base.id for base in cls.bases if isinstance(base, ast.Name) and base.id not in seen]
    return False


def _has_plan(wheel: Wheel, folder: str) -> bool:
    return any(
        attribute(cls, "base_model_tp_plan") is not None
        for path in wheel.under(folder)
        if "/configuration_" in path
        for cls in wheel.classes(path).values()
    )
