# SPDX-License-Identifier: Apache-2.0
"""Which files of a repository are served, and how many bytes they use in memory.

Owns the choice of files (safetensors before pickle, one copy of duplicates) and a checkpoint's bytes by dtype and
quantization. Does not own how the weights are split across ranks (`hubstack.planner.memory.sizing`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase, translate
from functools import cache
from typing import Any, cast

from hubstack.hub.facts import FileFacts, ModelFacts
from hubstack.hub.gguf_files import first_parts, is_projector, model_of
from hubstack.hub.parts import PART
from hubstack.hub.unquantized import EVERY_LAYER, summarize_unquantized
from hubstack.planner.model.adapters import adapter_files
from hubstack.planner.model.geometry import Geometry

SIDE_FILES = (
    "*.json",
    "*.txt",
    "*.model",
    "*.jinja",
    "*.tiktoken",
    "tokenizer*",
    "1_*/config.json",
    "2_*/*",
    "3_*/*",
)
"""Config, tokenizer and chat template; numbered folders are sentence-transformers modules."""
CODE_FILES = ("*.py",)
"""The repository's Python code, staged only with `trust_remote_code: true`."""
_CONSOLIDATED = "consolidated*"
PROJECTED = frozenset({"image-text-to-text", "any-to-any", "video-text-to-text", "audio-text-to-text"})
"""Tasks with images or sounds, which llama.cpp reads through a projector in a file of its own."""
_MISTRAL_ONLY = frozenset({"VoxtralForConditionalGeneration", "VoxtralRealtimeGeneration"})
OTHER_COPIES = (
    "original/*",
    "metal/*",
    "onnx/*",
    "openvino/*",
    _CONSOLIDATED,
    "coreml/*",
    "gguf/*",
    "*/onnx/*",
    "flax_model*",
    "tf_model*",
    "rust_model*",
    "training_args.bin",
    "optimizer*",
)
"""The same weights in formats for other programs; they double the size of a repository."""
FOLDERS_OF_COPIES = ("[!0-9]*/*.safetensors", "[!0-9]*/*.bin", "[!0-9]*/*.pt")
"""Weights in subfolders: training checkpoints. Engines load the weights next to config.json."""
UNSAFE_FILES = (
    "*.bin",
    "*.pt",
    "*.pth",
    "*.pkl",
    "*.pickle",
    "*.ckpt",
    "*.joblib",
    "*.dill",
    "*.npy",
    "*.npz",
    "*.h5",
    "*.hdf5",
    "*.keras",
    "*.msgpack",
    "*.onnx",
)
"""Formats that are or may contain pickles, or refer to other files; not staged if safetensors or GGUF exist."""


class WeightsFormat(StrEnum):
    """File format of the served weights."""

    SAFETENSORS = "safetensors"
    GGUF = "gguf"
    PICKLE = "pickle"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenFiles:
    """The files that a server needs."""

    format: WeightsFormat
    weights: tuple[FileFacts, ...]
    side: tuple[FileFacts, ...]
    patterns: tuple[str, ...]
    is_mistral: bool = False
    """Whether the files use Mistral's format: `consolidated*.safetensors`, params.json and Mistral's tokenizer."""

    @property
    def copies(self) -> tuple[str, ...]:
        """Patterns of duplicate weights for other programs."""
        return tuple(pattern for pattern in OTHER_COPIES if not (self.is_mistral and pattern == _CONSOLIDATED))

    @property
    def exclude(self) -> tuple[str, ...]:
        """Patterns that the loader skips when it uses the Hub's file list because the lock has none."""
        unsafe = () if self.format is WeightsFormat.PICKLE else UNSAFE_FILES
        folders = () if self.format is WeightsFormat.GGUF else FOLDERS_OF_COPIES
        return (*self.copies, *folders, *unsafe, *(() if set(CODE_FILES) <= set(self.patterns) else CODE_FILES))

    @property
    def weights_bytes(self) -> int:
        """Total bytes of the weight files; 0 if the lock lists none."""
        return sum(file.size_bytes for file in self.weights)


def choose_files(  # noqa: PLR0911  one return a format
    facts: ModelFacts, *, gguf_file: str | None = None, code: bool = False
) -> ChosenFiles:
    """Choose the files to serve. If the lock lists no files, the Hub's parameter counts determine the format.

    Args:
        facts: the locked facts of the model.
        gguf_file: the file requested from a GGUF repository.
        code: whether the engine runs the repository's Python code and therefore needs its files.
    """
    beside = (*SIDE_FILES, *CODE_FILES) if code else SIDE_FILES
    if not gguf_file and is_mistral_format(facts):
        return _choose_mistral(facts)
    wanted = [file for file in facts.files if not _matches(file.path, OTHER_COPIES)]
    ggufs = tuple(file for file in wanted if fnmatchcase(file.path, "*.gguf"))
    if gguf_file and ggufs:
        return _choose_gguf(ggufs, gguf_file, facts)
    never = ("*.safetensors", "*.gguf", *UNSAFE_FILES, *(() if code else CODE_FILES))
    copies = _folders_of_copies(wanted)
    adapters = adapter_files(facts)
    side = tuple(
        f
        for f in wanted
        if (_matches(f.path, beside) and not _matches(f.path.lower(), never) and _folder(f.path) not in copies)
        or f in adapters
    )
    wanted = [file for file in wanted if file not in adapters]
    for kind, pattern in (
        (WeightsFormat.SAFETENSORS, "*.safetensors"),
        (WeightsFormat.GGUF, "*.gguf"),
        (WeightsFormat.PICKLE, "*.bin"),
        (WeightsFormat.PICKLE, "*.pt"),
    ):
        if kind is WeightsFormat.GGUF and ggufs:
            return _choose_gguf(ggufs, gguf_file, facts)
        # Engines load the files next to config.json. Only sentence-transformers' numbered folders contain layers;
        # other folders contain training checkpoints.
        found = tuple(f for f in wanted if fnmatchcase(f.path, pattern) and _folder(f.path) not in copies)
        if any("/" not in file.path for file in found):
            served = _one_copy(_one_split(_without_variants(found)), facts)
            return ChosenFiles(format=kind, weights=served, side=side, patterns=(pattern, *beside))
    if not facts.files and facts.library == "gguf":
        return ChosenFiles(
            format=WeightsFormat.GGUF, weights=(), side=side, patterns=(gguf_file or "*Q4_K_M*.gguf",)
        )
    if parameter_count(facts):
        patterns = ("*.safetensors", *beside)
        return ChosenFiles(format=WeightsFormat.SAFETENSORS, weights=(), side=side, patterns=patterns)
    return ChosenFiles(format=WeightsFormat.NONE, weights=(), side=side, patterns=())


def is_mistral_format(facts: ModelFacts) -> bool:
    """Return whether vLLM has to read a repository in Mistral's format.

    True if vLLM detects the format (`consolidated*` and params.json; transformers_utils/repo_utils.py) and the
    standard format is incomplete: no tokenizer.json, or no other weights. Voxtral always uses Mistral's format.
    """
    paths = {file.path for file in facts.files}
    if "params.json" not in paths or not any(fnmatchcase(path, "consolidated*.safetensors") for path in paths):
        return False
    if not any(path == "tekken.json" or path.startswith("tokenizer.model.v") for path in paths):
        return False
    others = any(fnmatchcase(path, "model*.safetensors") and "/" not in path for path in paths)
    named: Any = facts.config.get("architectures")
    only_there = isinstance(named, list) and bool(_MISTRAL_ONLY & {str(name) for name in cast("list[Any]", named)})
    return only_there or not others or "tokenizer.json" not in paths


def _choose_mistral(facts: ModelFacts) -> ChosenFiles:
    weights = tuple(file for file in facts.files if fnmatchcase(file.path, "consolidated*.safetensors"))
    side = tuple(
        file
        for file in facts.files
        if "/" not in file.path
        and _matches(file.path, SIDE_FILES)
        and (not _matches(file.path, OTHER_COPIES) or file.path.endswith(".index.json"))
    )
    return ChosenFiles(
        format=WeightsFormat.SAFETENSORS,
        weights=weights,
        side=side,
        is_mistral=True,
        patterns=("consolidated*.safetensors", "consolidated*.index.json", *SIDE_FILES),
    )


def count_parameters(facts: ModelFacts, chosen: ChosenFiles, geometry: Geometry) -> int:
    """Return the number of parameters, from files or config if the Hub has no count; 0 if unknown.

    The Hub counts only the default branch, and the plan must not depend on which commit is requested.
    """
    counted = parameter_count(facts)
    if counted:
        return counted
    dtype = _CONFIG_DTYPES.get(geometry.dtype or "")
    if dtype and chosen.weights and not facts.quantization and chosen.format is not WeightsFormat.GGUF:
        return int(chosen.weights_bytes / DTYPE_BYTES[dtype])
    known = geometry.linear_parameters
    return known + geometry.embedding_parameters if known else 0


def parameter_count(facts: ModelFacts) -> int:
    """Return the Hub's parameter count; 0 if it has none."""
    return facts.parameters_total or sum(_counts(facts).values())


def _counts(facts: ModelFacts) -> dict[str, int]:
    """Return parameters by dtype, ignoring invalid counts: a lock is a text file that anyone can edit."""
    said: Mapping[str, Any] = facts.parameters
    return {dtype: n for dtype, n in said.items() if isinstance(n, int) and not isinstance(n, bool) and n > 0}


def _without_variants(found: tuple[FileFacts, ...]) -> tuple[FileFacts, ...]:
    """Drop variants such as `model.fp32-00001-of-00002.safetensors` if the same weights exist without a variant."""
    plain = tuple(file for file in found if not _VARIANT.search(file.path))
    return plain if any("/" not in file.path for file in plain) else found


def _folder(path: str) -> str:
    return path.partition("/")[0] if "/" in path else ""


def _folders_of_copies(files: Sequence[FileFacts]) -> frozenset[str]:
    """Return the folders with their own weights, except sentence-transformers' numbered folders."""
    weights = ("*/*.safetensors", "*/*.bin", "*/*.pt")
    return frozenset(_folder(f.path) for f in files if _matches(f.path, weights) and not f.path[0].isdigit())


def _one_split(found: tuple[FileFacts, ...]) -> tuple[FileFacts, ...]:
    """Return one split of each name, the larger: without an index, an engine would load all of them."""
    sets: dict[tuple[str, str], dict[str, list[FileFacts]]] = {}
    for file in found:
        if match := PART.fullmatch(file.path):
            sets.setdefault((match[1], match[4]), {}).setdefault(match[3], []).append(file)
    left_out = {
        file.path
        for splits in sets.values()
        for files in splits.values()
        if files is not max(splits.values(), key=lambda parts: (sum(part.size_bytes for part in parts), len(parts)))
        for file in files
    }
    return tuple(file for file in found if file.path not in left_out)


def _one_copy(found: tuple[FileFacts, ...], facts: ModelFacts) -> tuple[FileFacts, ...]:
    """Return either the shards or the single file, not both: engines load the shards if an index lists them."""
    parts = tuple(file for file in found if PART.fullmatch(file.path))
    stems = {match[1] + match[4] for file in parts if (match := PART.fullmatch(file.path))}
    wholes = {file.path for file in found if file.path in stems}
    if not wholes:
        return found
    has_index = any(file.path == f"{path}.index.json" for file in facts.files for path in wholes)
    left_out = wholes if has_index else {file.path for file in parts}
    return tuple(file for file in found if file.path not in left_out)


def _choose_gguf(found: tuple[FileFacts, ...], asked: str | None, facts: ModelFacts) -> ChosenFiles:
    """Choose the requested GGUF file, the only one, or llama.cpp's default quantization, with all its parts.

    If the repository has several models, none is chosen unless the requested file or pattern belongs to one.
    """
    models = first_parts(file.path for file in found)
    files = [path for paths in models.values() for path in paths]
    pattern = asked or (files[0] if len(files) == 1 else "*[Qq]4_[Kk]_[Mm]*.gguf")
    fitting = [path for path in files if path == pattern] or [path for path in files if fnmatchcase(path, pattern)]
    if not fitting or len({model_of(path) for path in fitting}) > 1 or (not asked and len(models) > 1):
        return ChosenFiles(format=WeightsFormat.GGUF, weights=(), side=(), patterns=())
    first = fitting[0]
    stem = first.split("-00001-of-")[0]
    parts = tuple(file for file in found if file.path == first or file.path.startswith(f"{stem}-0"))
    projector = projector_part(facts, first)
    parts = (*parts, projector) if projector else parts
    return ChosenFiles(
        format=WeightsFormat.GGUF, weights=parts, side=(), patterns=tuple(file.path for file in parts)
    )


def projector_part(facts: ModelFacts, model_path: str) -> FileFacts | None:
    """Return the projector that llama.cpp needs for images and sounds, if the GGUF model's task accepts them."""
    if facts.pipeline_tag not in PROJECTED:
        return None
    found = [file for file in facts.files if is_projector(file.path) and file.path.endswith(".gguf")]
    # Prefer the model's own, then 16 bits, which every GPU supports.
    model = model_of(model_path)
    found.sort(
        key=lambda file: (
            model not in model_of(file.path).replace("-mmproj", "").replace("mmproj-", ""),
            "f16" not in file.path.lower(),
            "bf16" in file.path.lower(),
            file.path,
        )
    )
    return found[0] if found else None


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    return _expression(patterns).match(path) is not None


@cache
def _expression(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """Return one compiled expression for all patterns, for speed with many models and files."""
    return re.compile("|".join(map(translate, patterns)))


_VARIANT = re.compile(r"\.(fp|bf|int)\d+(-\d+-of-\d+)?\.[a-z]+$")

DTYPE_BYTES: Mapping[str, float] = {
    "F64": 8,
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "I64": 8,
    "I32": 4,
    "I16": 2,
    "I8": 1,
    "U8": 1,
    "U32": 4,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "F8_E8M0": 1,
    "BOOL": 1,
    "F4": 0.5,
}
"""Bytes per element of each safetensors dtype."""
_CONFIG_DTYPES = {"bfloat16": "BF16", "float16": "F16", "float32": "F32", "half": "F16", "float": "F32"}
_FOUR_BITS = ("mxfp4", "nvfp4", "mxfp4-pack-quantized", "nvfp4-pack-quantized", "modelopt_fp4")
_PLAIN = ("F64", "F32", "F16", "BF16")
_EXPERT_BITS = {"mxfp4": 4.25, "nvfp4": 4.5}
"""Bits per weight including scales: one 8-bit scale per 32 weights (mxfp4) or per 16 (nvfp4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsSize:
    """A checkpoint's bytes once loaded, on all ranks together."""

    size_bytes: int
    how: str
    expert_format: str | None = None
    """Format of the experts, `mxfp4` or `nvfp4`; kernels pad these (`hubstack.catalog.expert_kernels`)."""

    @property
    def expert_bits(self) -> float:
        """Bits per expert weight including scales; 0 if no kernel pads it."""
        return _EXPERT_BITS.get(self.expert_format or "", 0)


def quantization_method(facts: ModelFacts) -> str | None:
    """Return the engine's name for the checkpoint's quantization (`awq`, `fp8` ...), or None if unquantized."""
    said = facts.quantization
    if not said:
        return None
    algorithm = str(said.get("quant_algo") or said.get("format") or "").lower()
    method = str(said.get("quant_method") or "").lower()
    if "fp4" in algorithm and method in {"", "modelopt"}:
        return "modelopt_fp4"
    return method or ("modelopt" if algorithm else None)


def quantization_bits(facts: ModelFacts) -> int | None:
    """Return the bits per quantized weight, or None if unquantized or unknown."""
    said = facts.quantization
    words = " ".join(str(said.get(key, "")) for key in ("quant_method", "format", "quant_algo")).lower()
    group = _first_group(facts)
    bits: Any = next((b for b in (said.get("bits"), said.get("w_bit"), group.get("num_bits")) if b), None)
    if isinstance(bits, int) and 1 < bits <= 16:
        return bits
    if said.get("load_in_4bit") or any(word in words for word in _FOUR_BITS) or "fp4" in words:
        return 4
    if "fp8" in words or "int8" in words or "float-quantized" in words or said.get("load_in_8bit"):
        return 8
    if "awq" in words or "gptq" in words or "pack-quantized" in words:
        return 4
    return None


def quantization_block(facts: ModelFacts) -> int | None:
    """Return how many weights share a scale; a rank's part of a layer must consist of whole blocks."""
    said, group = facts.quantization, _first_group(facts)
    values: list[Any] = [said.get(key) for key in ("weight_block_size", "group_size", "q_group_size")]
    values += [group.get(key) for key in ("block_structure", "group_size")]
    for value in values:
        block: Any = next(iter(cast("list[Any]", value)), None) if isinstance(value, list) else value
        if isinstance(block, int) and not isinstance(block, bool) and block > 0:
            return block
    return None


def declares_fp8_cache(facts: ModelFacts) -> bool:
    """Return whether the checkpoint declares an 8-bit KV cache, which engines then use automatically.

    Only for ModelOpt checkpoints (vLLM 0.33.0, utils/torch_utils.py; SGLang 0.5.23, configs/model_config.py).
    """
    if not (quantization_method(facts) or "").startswith("modelopt"):
        return False
    said = facts.quantization
    scheme: Any = said.get("kv_cache_scheme") or said.get("kv_cache_quant_algo")
    if isinstance(scheme, Mapping):
        told = cast("Mapping[str, Any]", scheme)
        return told.get("num_bits") == 8 and told.get("type") == "float" and told.get("dynamic") is False
    return isinstance(scheme, str) and scheme.lower() == "fp8"


def _first_group(facts: ModelFacts) -> Mapping[str, Any]:
    """Return the weight settings of compressed-tensors' first group."""
    empty: Mapping[str, Any] = {}
    groups: Any = facts.quantization.get("config_groups")
    first: Any = (
        next(iter(cast("Mapping[str, Any]", groups).values()), None) if isinstance(groups, Mapping) else None
    )
    weights: Any = cast("Mapping[str, Any]", first).get("weights") if isinstance(first, Mapping) else None
    return cast("Mapping[str, Any]", weights) if isinstance(weights, Mapping) else empty


def weights_size(facts: ModelFacts, chosen: ChosenFiles, geometry: Geometry) -> WeightsSize | None:
    """Return the loaded bytes of a checkpoint, or None if the lock has no figure to compute them from."""
    size = _stored_size(facts, chosen, geometry)
    if size is None or chosen.format is WeightsFormat.GGUF:
        return size
    head = _second_head(facts, geometry)
    if head and head < size.size_bytes:
        how = f"{size.how} - {head:,} bytes for an output head that only repeats the embeddings"
        size = replace(size, size_bytes=size.size_bytes - head, how=how)
    return replace(size, expert_format=_expert_format(facts, geometry))


def _stored_size(facts: ModelFacts, chosen: ChosenFiles, geometry: Geometry) -> WeightsSize | None:
    if chosen.weights:
        return _size_of_files(facts, chosen, geometry)
    counts, bits = _counts(facts), quantization_bits(facts)
    if counts and bits is None:
        loaded = sum(count * DTYPE_BYTES.get(_loaded(dtype), 2) for dtype, count in counts.items())
        parts = ", ".join(f"{count:,} {dtype}" for dtype, count in sorted(counts.items()))
        return WeightsSize(size_bytes=int(loaded), how=f"{parts} (parameter counts in the lock)")
    if bits is not None and any(dtype not in _PLAIN for dtype in counts):
        return _size_of_counts(facts, counts, bits, geometry)
    total = parameter_count(facts)
    if total <= 0:
        return None
    if bits is not None:
        return _size_of_quantized(facts, total, bits, geometry)
    dtype = _loaded(_CONFIG_DTYPES.get(geometry.dtype or "", "BF16"))
    said = geometry.dtype or "16-bit (the lock has no dtype)"
    return WeightsSize(size_bytes=int(total * DTYPE_BYTES[dtype]), how=f"{total:,} parameters in {said}")


def _expert_format(facts: ModelFacts, geometry: Geometry) -> str | None:
    """Return the experts' 4-bit float format, or None if there are no experts or they are not quantized."""
    if not geometry.experts or "experts" in summarize_unquantized(facts.quantization):
        return None
    said = facts.quantization
    words = " ".join(str(said.get(key, "")) for key in ("quant_method", "format", "quant_algo")).lower()
    if "mxfp4" in words:
        return "mxfp4"
    return "nvfp4" if "nvfp4" in words or quantization_method(facts) == "modelopt_fp4" else None


def _second_head(facts: ModelFacts, geometry: Geometry) -> int:
    """Return the bytes of a stored output head that only repeats the embeddings, which engines skip.

    Detected from the parameter count, so only for dense text models whose size follows from the config.
    """
    if not facts.config.get("tie_word_embeddings") or facts.quantization:
        return 0
    table = (geometry.vocab or 0) * (geometry.hidden or 0)
    rest = parameter_count(facts) - geometry.dense_parameters
    return 2 * table if table and geometry.dense_parameters and abs(rest - 2 * table) < table // 4 else 0


def _size_of_files(facts: ModelFacts, chosen: ChosenFiles, geometry: Geometry) -> WeightsSize:
    size, names = chosen.weights_bytes, len(chosen.weights)
    how = f"{size:,} bytes in {names} file{'s' if names > 1 else ''}"
    counts = _counts(facts)
    stored_wide = (
        counts.get("F32", 0) > 0.9 * sum(counts.values()) if counts else geometry.dtype in {"float32", "float"}
    )
    if stored_wide and chosen.format is not WeightsFormat.GGUF and not facts.quantization:
        return WeightsSize(size_bytes=size // 2, how=f"{how}, 32-bit on disk, 16-bit once loaded")
    return WeightsSize(size_bytes=size, how=how)


def _size_of_counts(facts: ModelFacts, counts: Mapping[str, int], bits: int, geometry: Geometry) -> WeightsSize:
    """Return the size from the Hub's counts by dtype, which separate 16-bit from quantized weights.

    For packed weights the Hub counts either parameters without scales (AWQ, GPTQ, MXFP4) or stored elements with
    scales (NVFP4, bitsandbytes). The model's size tells which.
    """
    plain = sum(n * DTYPE_BYTES[_loaded(dtype)] for dtype, n in counts.items() if dtype in _PLAIN)
    packed = {dtype: n for dtype, n in counts.items() if dtype not in _PLAIN}
    said = ", ".join(f"{n:,} {dtype}" for dtype, n in sorted(counts.items()))
    stored = sum(n * DTYPE_BYTES.get(dtype, 1) for dtype, n in packed.items())
    expected = geometry.linear_parameters
    parameters = sum(packed.values())
    is_stored = bits >= 8 or (parameters < 0.75 * expected if expected else _is_float4(facts))
    if is_stored:
        return WeightsSize(size_bytes=int(plain + stored), how=f"{said} as stored (parameter counts in the lock)")
    held = bits + _scale_bits(facts, bits)
    how = f"{said}; {parameters:,} of these take {held:.2f} bits each with scales (from the lock)"
    return WeightsSize(size_bytes=int(plain + parameters * held / 8), how=how)


def _is_float4(facts: ModelFacts) -> bool:
    return quantization_method(facts) in {"modelopt_fp4", "bitsandbytes"}


def _scale_bits(facts: ModelFacts, bits: int) -> float:
    """Return the bits per weight that scales and zero points add."""
    words = " ".join(str(facts.quantization.get(key, "")) for key in ("quant_method", "format")).lower()
    if "mxfp4" in words:
        return 8 / 32
    if quantization_method(facts) == "modelopt_fp4" or "nvfp4" in words:
        return 8 / 16
    return (16 + bits) / (quantization_block(facts) or 128) if bits < 8 else 0.0


def _size_of_quantized(facts: ModelFacts, total: int, bits: int, geometry: Geometry) -> WeightsSize:
    """Return the size from bits per weight: 16-bit embeddings and head, the rest with scales and zero points."""
    tied = bool(facts.config.get("tie_word_embeddings"))
    plain = min((geometry.vocab or 0) * (geometry.hidden or 0) * (1 if tied else 2), total)
    # The Hub's totals count each nvfp4 byte, which holds two parameters, as one.
    packed = bits == 4 and quantization_method(facts) == "modelopt_fp4"
    kept, said = _kept_parameters(facts, geometry)
    if quantization_method(facts) == "mxfp4" and geometry.expert_parameters:
        # OpenAI's format quantizes the experts and nothing else.
        kept, said = max(0, total - plain - geometry.expert_parameters), " (everything but the experts)"
    plain = min(plain + kept, total)
    small = (total - plain) * (2 if packed else 1)
    overhead = _scale_bits(facts, bits)
    return WeightsSize(
        size_bytes=int(plain * 2 + small * (bits + overhead) / 8),
        how=f"{small:,} parameters at {bits} bits + {overhead:.2f} bits of scales, {plain:,} at 16 bits{said}",
    )


def _kept_parameters(facts: ModelFacts, geometry: Geometry) -> tuple[int, str]:
    """Return the parameters kept in 16 bits besides embeddings and head, and a note that names them."""
    counts = summarize_unquantized(facts.quantization)
    hidden, layers = geometry.hidden or 0, geometry.layers or 0
    heads = (geometry.heads or 0) + (geometry.kv_heads or 0)
    attention = 0 if geometry.latent else 2 * hidden * heads * (geometry.head_dim or 0)
    of_layer = {"attention": attention, "mlp": 3 * hidden * (geometry.intermediate or 0)}
    kept = {
        kind: size * (layers if counts[kind] == EVERY_LAYER else min(counts[kind], layers))
        for kind, size in of_layer.items()
        if counts.get(kind)
    }
    if counts.get("vision"):
        kept["vision"] = geometry.vision_parameters
    named = [kind for kind, size in kept.items() if size]
    return sum(kept.values()), f" ({', '.join(named)} not quantized)" if named else ""


def _loaded(dtype: str) -> str:
    """Return the dtype once loaded: engines load 32-bit weights as 16-bit."""
    return "BF16" if dtype in {"F32", "F64"} else dtype
