# SPDX-License-Identifier: Apache-2.0
"""The GGUF files of a repository, by the model that they contain.

Owns how file names are read: quantization and part are removed, and what remains names the model. Does not own
which file is served (`hubstack.planner.model.weights`) or the header (`hubstack.hub.remote.gguf_header`).
"""

import re
from collections.abc import Iterable, Mapping

_PART = re.compile(r"-\d{5}-of-\d{5}$")
_QUANTIZATION = re.compile(
    r"(?<![a-z0-9])(?:ud|i1|imat|imatrix|(?:i|t)?q\d+(?:_[a-z0-9]+)*|bf16|fp?16|fp?32|mxfp\d(?:_moe)?|nvfp4)(?![a-z0-9])",
)
"""Names of llama.cpp's quantizations (tools/quantize/README.md) and the marks that publishers add to them."""


def first_parts(paths: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Return the GGUF files of each model in a repository, without projectors and later parts, sorted."""
    models: dict[str, list[str]] = {}
    for path in sorted(paths):
        if path.lower().endswith(".gguf") and not _is_beside(path) and not _is_later_part(path):
            models.setdefault(model_of(path), []).append(path)
    return {model: tuple(found) for model, found in models.items()}


def is_projector(path: str) -> bool:
    """Return whether a GGUF file is the image or audio projector of a model."""
    return "mmproj" in path.lower()


def model_of(path: str) -> str:
    """Return the part of a file's name that names the model: `m-UD-Q4_K_XL-00001-of-00002.gguf` -> `m`."""
    stem = _PART.sub("", path.rpartition("/")[2].lower().removesuffix(".gguf"))
    return "-".join(word for word in re.split(r"[-._ ]+", _QUANTIZATION.sub("", stem)) if word)


def _is_beside(path: str) -> bool:
    """Return whether a file belongs to a model without being one: a projector, or calibration data."""
    return is_projector(path) or "imatrix" in path.lower().rpartition("/")[2]


def _is_later_part(path: str) -> bool:
    match = re.search(r"-(\d{5})-of-\d{5}\.gguf$", path.lower())
    return match is not None and int(match[1]) != 1
