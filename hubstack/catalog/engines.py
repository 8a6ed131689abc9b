# SPDX-License-Identifier: Apache-2.0
"""The serving engines: their images, interfaces, and the models they load.

Owns what a table can tell about whether an engine supports a model. Does not own the choice of an engine or its
flags (`hubstack.planner.engines`).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from hubstack.catalog.releases import Release
from hubstack.kinds import AcceleratorKind


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineImage:
    """An image and the accelerators it is built for."""

    image: str
    """Image with its tag. There is no digest, because that requires asking a registry."""
    accelerators: tuple[str, ...]
    is_experimental: bool
    """As stated by the publisher."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """What is known of an engine's images beyond their names."""

    entrypoint: tuple[str, ...]
    """What the image runs; empty if it has no entrypoint of its own."""
    serves: bool
    """Whether the entrypoint starts a server when a pod gives arguments only."""
    user: str
    """The user that it runs as if a pod names none."""
    finds_driver: bool | None
    """Whether it searches the folder where GKE mounts NVIDIA's driver; None on TPUs."""
    writes: tuple[str, ...] | None
    """Folders that the engine writes to; None if no source says."""
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTypeSupport:
    """How an engine that selects by `model_type` supports one of them."""

    can_classify: bool
    """Whether it loads classification and reranking heads, not only embeddings."""
    min_compute_capability: float | None
    """Minimum compute capability of this type, if above the engine's own."""
    is_sparse: bool
    """Whether it loads the head of sparse embedders (SPLADE)."""
    is_custom: bool
    """Whether the Hub has it only as repository code, which the engine reimplements."""
    dtype: str | None
    """The only number format it runs in, if there is just one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyParsers:
    """The parsers of one model family."""

    model_types: frozenset[str]
    names: tuple[str, ...]
    """Patterns of repository names, in lower case, for families that share a model type; empty for all."""
    parsers: Mapping[str, str]
    """`tool_call`, `reasoning`: those that the version has and can load."""

    def match(self, model_type: str, name: str) -> bool:
        """Return whether a model is of this family, given its repository's name without the owner."""
        named = not self.names or any(fnmatchcase(name.lower(), pattern) for pattern in self.names)
        return model_type in self.model_types and named


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One serving engine at one version."""

    id: str
    name: str
    kind: AcceleratorKind
    version: str | None
    """None if no tag could be pinned."""
    flags_of: str | None
    """Version whose flags were read, if not this one."""
    images: tuple[EngineImage, ...]
    image_facts: ImageFacts
    port: int
    health_path: str
    metrics_path: str | None
    metrics_argument: str | None
    """Flag that enables metrics; None if they are always on."""
    api_path: str
    model_argument: str
    """Flag that takes the model or its folder, or `positional`."""
    revision_argument: str | None
    host_argument: str | None
    """Flag needed to listen beyond localhost; None if the engine does so by default."""
    arguments: tuple[str, ...]
    """Arguments of the container, with values in braces (`hubstack.planner.engines`); empty if flags need
    decisions."""
    command: tuple[str, ...]
    """Command of the container; replaces the image's entrypoint."""
    load_tool: tuple[str, ...]
    """Command of the load tool in its image (docs/adr/0016-load-tool.md); empty if it has none."""
    env: Mapping[str, str]
    """Environment of the container in addition to every server's; on a GPU includes the mounted driver's paths."""
    drains: bool
    """Whether it finishes responses in progress on SIGTERM."""
    drain_argument: str | None
    """Flag for the shutdown timeout; None if the engine finishes without one, or not at all."""
    min_compute_capability: float | None
    min_driver: int | None
    """Minimum major version of the NVIDIA driver."""
    gpu_memory_utilization: float | None
    """The engine's default share of memory."""
    run_as_user: int | None
    """A non-root user of the image; None if no source names one."""
    run_as_group: int | None
    has_tensor_parallel: bool | None
    max_batch_tokens: int | None
    """The engine's default, if any."""
    dtypes: tuple[str, ...]
    """The only number formats it supports; empty if it is not limited."""
    formats: tuple[str, ...]
    """Weight formats: `safetensors`, `pytorch`, `gguf`, `bitsandbytes`."""
    pipeline_tags: tuple[str, ...]
    release: Release | None
    """Facts from its wheel; None if there is no wheel."""
    architectures: Mapping[str, frozenset[str]]
    """Use (`text_generation`, `multimodal`, `embedding` ...) to architectures; empty if no list is known."""
    architecture_accelerators: Mapping[str, tuple[str, ...]]
    """Architecture to the only accelerators on which it is known to work."""
    renders_chat: frozenset[str]
    """Architectures whose conversations it renders with code of its own, without a template from the repository."""
    own_code: frozenset[str]
    """Repositories whose model code an engine without Python reimplements."""
    model_types: Mapping[str, ModelTypeSupport]
    """Empty for engines that select by architecture."""
    quantization: Mapping[str, float | None]
    """quant_method of the checkpoint to the minimum compute capability; None for TPUs."""
    family_parsers: tuple[FamilyParsers, ...]
    """The parsers of model families; the first one that matches counts."""
    parser_packages: Mapping[str, str]
    """Parser to the Python package that it imports and the image lacks."""
    quantization_below: Mapping[str, float]
    """Quantization scheme to the compute capability from which it has no kernel."""
    sparse_attention_from: float | None
    """Compute capability from which on it has sparse latent attention, if its release does not list backends."""
    quantization_aliases: Mapping[str, str]
    """quant_method to the method that the engine treats it as."""
    notes: tuple[str, ...]
    unverified: frozenset[str]
    sources: tuple[str, ...]

    def parsers_of(self, model_type: str, name: str) -> Mapping[str, str]:
        """Return the parsers of a model's family, given its repository's name without the owner."""
        found = (row.parsers for row in self.family_parsers if row.match(model_type, name))
        return next(found, dict[str, str]())

    def image_for(self, accelerator_id: str) -> str | None:
        """Return the image for an accelerator, or None."""
        row = self.image_row(accelerator_id)
        return row.image if row else None

    def image_row(self, accelerator_id: str) -> EngineImage | None:
        """Return the image's row for an accelerator, or None."""
        for row in self.images:
            if accelerator_id in row.accelerators:
                return row
        return None

    @property
    def flags_file(self) -> str:
        """Return the name of its list of flags in the folder `releases`."""
        return f"{self.id}-{self.flags_of or self.version}_flags"

    @property
    def tool_call_parsers(self) -> tuple[str, ...]:
        """Return the values of its flag; empty if no list is known."""
        return self.release.tool_call_parsers if self.release else ()

    @property
    def reasoning_parsers(self) -> tuple[str, ...]:
        """Return the values of its flag; empty if no list is known."""
        return self.release.reasoning_parsers if self.release else ()

    def removed_after(self, architecture: str) -> str | None:
        """Return the last version that supported an architecture, or None if unknown or if this one does."""
        return self.release.removed_architectures.get(architecture) if self.release else None

    def method_of(self, quantization: str) -> str:
        """Return the engine's name for a quantization method."""
        return self.quantization_aliases.get(quantization, quantization)

    def uses_of(self, architecture: str) -> tuple[str, ...]:
        """Return the uses of an architecture; empty if the engine does not support it.

        An unlisted name is tried as vLLM tries it: with its suffix replaced, then with the model code of
        transformers.
        """
        listed = tuple(use for use, names in self.architectures.items() if architecture in names)
        return listed or self._converted(architecture) or self._generic(architecture)

    def runs_on(self, architecture: str, accelerator_id: str) -> bool:
        """Return whether an architecture may run on an accelerator: it is not known to be limited to others."""
        return accelerator_id in self.architecture_accelerators.get(architecture, (accelerator_id,))

    def _converted(self, architecture: str) -> tuple[str, ...]:
        release = self.release
        if release is None or architecture in release.removed_architectures:
            return ()
        known = frozenset[str]().union(*self.architectures.values())
        for suffix, use in release.conversion_suffixes.items():
            if architecture.endswith(suffix):
                stem = architecture.removesuffix(suffix)
                return (use,) if any(stem + base in known for base in release.conversion_bases) else ()
        return ()

    def _generic(self, architecture: str) -> tuple[str, ...]:
        release = self.release
        if release is None or "transformers_backend" not in release.architectures or release.library is None:
            return ()
        is_left = architecture not in {*release.removed_architectures, *release.plugin_architectures}
        return ("transformers_backend",) if is_left and architecture in release.library.generic_backend else ()


class EngineVersions(Mapping[str, Engine]):
    """The versions of an engine, the default one first; each is read when it is asked for."""

    def __init__(self, read: Mapping[str, Callable[[], Engine]]) -> None:
        """Take a function for each version."""
        self._read = dict(read)
        self._known: dict[str, Engine] = {}

    def __getitem__(self, version: str) -> Engine:
        """Return the engine at a version."""
        if version not in self._known:
            self._known[version] = self._read[version]()
        return self._known[version]

    def __iter__(self) -> Iterator[str]:
        """Yield the versions."""
        return iter(self._read)

    def __len__(self) -> int:
        """Return the number of versions."""
        return len(self._read)
