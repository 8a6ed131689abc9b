# SPDX-License-Identifier: Apache-2.0
"""Facts about the releases of the engines, extracted from their wheels by `tools/engine_facts`.

Owns the format of the files in `releases/`, `ENGINE-VERSION.yaml`, and the queries on them. Does not own the
consequences for a model.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from hubstack.catalog.row import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionBackend:
    """An attention backend."""

    name: str
    capabilities: tuple[float, ...]
    """Compute capabilities of the cards that it runs on."""
    is_latent: bool
    """Whether it supports only multi-head latent attention (MLA)."""
    is_sparse: bool
    kv_cache_dtypes: tuple[str, ...]
    head_sizes: tuple[float, ...]
    """Supported values; empty if all are."""
    fp8_from: float | None
    """Minimum compute capability for an fp8 KV cache, if above the backend's own."""

    def holds(self, capability: float, kv_cache_dtype: str, head_size: int | None) -> bool:
        """Return whether it runs on a card with such a KV cache."""
        if capability not in self.capabilities or kv_cache_dtype not in self.kv_cache_dtypes:
            return False
        if kv_cache_dtype.startswith("fp8") and capability < (self.fp8_from or 0):
            return False
        return not (self.head_sizes and head_size) or head_size in self.head_sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """A release of transformers, from which engines load a checkpoint's config, tokenizer and processor."""

    version: str
    config_types: frozenset[str]
    types_with_tokenizer: frozenset[str]
    """Model types with a tokenizer of its own."""
    tokenizer_classes: frozenset[str]
    processor_types: frozenset[str]
    ignores_tokenizer_code_of: frozenset[str]
    """Model types whose repositories name a wrong tokenizer, which it replaces with its own."""
    generic_backend: frozenset[str]
    """Architectures that vLLM can run with the library's model code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Facts about a release of an engine."""

    version: str
    sha256: str
    """Hash of the wheel."""
    source: str
    library: Library | None
    """The release of transformers that it runs with."""
    architectures: Mapping[str, frozenset[str]]
    draft_architectures: frozenset[str]
    """Architectures that draft for another model in speculative decoding; empty if no list is known."""
    lora_architectures: frozenset[str]
    """Architectures whose implementation takes LoRA adapters; empty if no list is known."""
    conversion_bases: tuple[str, ...]
    conversion_suffixes: Mapping[str, str]
    removed_architectures: Mapping[str, str]
    plugin_architectures: frozenset[str]
    config_types: frozenset[str]
    """Model types with a config class of the engine's own."""
    types_with_tokenizer: frozenset[str]
    """Those of them for which the library has a tokenizer."""
    config_types_by_architecture: Mapping[str, str]
    """Architecture to model type, for configs that do not name one."""
    ignores_tokenizer_code_of: frozenset[str]
    processor_classes: frozenset[str]
    refuses_float16: frozenset[str]
    """Model types."""
    quantization: Mapping[str, float | None]
    quantization_schemes: Mapping[str, float]
    """compressed-tensors schemes to the minimum compute capability."""
    attention: tuple[AttentionBackend, ...]
    tool_call_parsers: tuple[str, ...]
    reasoning_parsers: tuple[str, ...]

    def has_config(self, model_type: str, architecture: str) -> bool:
        """Return whether it can read such a config.json without code from the repository."""
        kind = model_type or self.config_types_by_architecture.get(architecture, "")
        return kind in self.config_types or (self.library is not None and kind in self.library.config_types)

    def has_tokenizer(self, model_type: str, tokenizer_class: str | None) -> bool:
        """Return whether it can create the tokenizer without the code that tokenizer_config.json names.

        Mirrors `AutoTokenizer.from_pretrained` of transformers: known by the config class, or by the tokenizer's
        own name.
        """
        library = self.library
        if library is None:
            return False
        if model_type in self.ignores_tokenizer_code_of | library.ignores_tokenizer_code_of:
            return True
        known = (self if model_type in self.config_types else library).types_with_tokenizer
        return model_type in known or (tokenizer_class or "").removesuffix("Fast") in library.tokenizer_classes


class Releases:
    """The releases of a folder, each read when an engine's version names it."""

    def __init__(self, open_file: Callable[[str], Row]) -> None:
        """Open files of the folder `releases` by name, without extension."""
        self._open_file = open_file
        self._libraries: dict[str, Library] = {}

    def read(self, engine: str, version: str) -> Release:
        """Return the facts of a release."""
        row = self._open_file(f"{engine}-{version}")
        return _release(row, self._library(row.text("library")))

    def _library(self, version: str) -> Library:
        if version not in self._libraries:
            row = self._open_file(f"transformers-{version}")
            self._libraries[version] = _library(row)
            row.done()
        return self._libraries[version]


def _library(row: Row) -> Library:
    row.text("sha256")
    row.text("source")
    return row.fill(Library)


def _release(row: Row, library: Library) -> Release:
    row.text("transformers")
    conversion = row.maybe_row("conversion")
    methods: dict[str, float | None] = dict.fromkeys(row.texts("quantization_methods"))
    made = row.fill(
        Release,
        library=library,
        architectures={use: frozenset(names) for use, names in _lists(row, "architectures")},
        conversion_bases=conversion.texts("bases") if conversion else (),
        conversion_suffixes=conversion.texts_by_key("suffixes") if conversion else {},
        removed_architectures={
            name: version for version, names in _lists(row, "removed_architectures") for name in names
        },
        quantization=methods | dict(row.numbers("quantization")),
        attention=tuple(_attention(row)),
    )
    row.done()
    return made


def _attention(row: Row) -> Iterator[AttentionBackend]:
    backends = row.maybe_row("attention")
    for name, backend in backends.items() if backends else ():
        yield backend.fill(
            AttentionBackend, name=name, is_latent=backend.flag("mla"), is_sparse=backend.flag("sparse")
        )
        backend.done()


def _lists(row: Row, key: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    lists = row.maybe_row(key)
    for name in lists.names() if lists else ():
        yield name, lists.texts(name) if lists else ()
