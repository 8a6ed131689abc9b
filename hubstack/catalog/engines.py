# SPDX-License-Identifier: Apache-2.0
"""The serving engines: their images, their interface, and what they load.

Owns the answers to "does this engine know this model?" as far as a table can give them. Does not own the
choice of an engine, nor its flags (`hubstack.planner.engines`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hubstack.catalog.releases import Release
from hubstack.kinds import AcceleratorKind


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineImage:
    """An image and the accelerators it is built for."""

    image: str
    """With its tag. No digest: none is known without asking a registry."""
    accelerators: tuple[str, ...]
    is_experimental: bool
    """By the publisher's own word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTypeSupport:
    """What an engine that chooses by `model_type` does with one of them."""

    can_classify: bool
    """Loads a classification or reranking head, not only embeddings."""
    min_compute_capability: float | None
    """Of this type, where it is above the engine's own."""
    is_custom: bool
    """Exists as code of repositories only, which the engine has of its own."""
    dtype: str | None
    """The only number format it runs in, where there is only one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One serving engine at one version."""

    id: str
    name: str
    kind: AcceleratorKind
    version: str | None
    """None where no tag could be pinned."""
    images: tuple[EngineImage, ...]
    port: int
    health_path: str
    metrics_path: str | None
    metrics_argument: str | None
    """Flag that turns the metrics on; None where they are on."""
    api_path: str
    model_argument: str
    """Flag that takes the model or its folder, or `positional`."""
    revision_argument: str | None
    host_argument: str | None
    """Flag that must be given so that the engine listens beyond localhost; None where it does anyway."""
    arguments: tuple[str, ...]
    """Of the container, with values in braces (`hubstack.planner.engines`); empty where flags need
    decisions."""
    command: tuple[str, ...]
    """What the container runs, whatever entry point its image has."""
    env: Mapping[str, str]
    """Of the container, beside what every server gets; on a GPU also where the platform mounts its driver."""
    drains: bool
    """Finishes the answers that have begun when it is told to stop."""
    drain_argument: str | None
    """Flag that takes how long it may do so; None where it does by itself, or not at all."""
    min_compute_capability: float | None
    min_driver: int | None
    """Major NVIDIA driver version."""
    gpu_memory_utilization: float | None
    """The engine's own default of the share of memory that it takes."""
    run_as_user: int | None
    """A non-root user that the image has; None where no source names one."""
    run_as_group: int | None
    has_tensor_parallel: bool | None
    max_batch_tokens: int | None
    """The engine's own default, where it has one."""
    dtypes: tuple[str, ...]
    """The only number formats it computes in; empty where it is not limited."""
    formats: tuple[str, ...]
    """Of weights: `safetensors`, `pytorch`, `gguf`, `bitsandbytes`."""
    pipeline_tags: tuple[str, ...]
    release: Release | None
    """What its wheel knows; None where there is no wheel to read."""
    architectures: Mapping[str, frozenset[str]]
    """Use (`text_generation`, `multimodal`, `embedding` ...) to names; empty where no list is known."""
    architecture_accelerators: Mapping[str, tuple[str, ...]]
    """Accelerators on which alone an architecture is known to work."""
    own_code: frozenset[str]
    """Repositories whose model code an engine that runs no Python has of its own."""
    model_types: Mapping[str, ModelTypeSupport]
    """Empty for engines that choose by architecture."""
    quantization: Mapping[str, float | None]
    """quant_method of the checkpoint to the least compute capability; None for TPUs."""
    family_parsers: Mapping[str, Mapping[str, str]]
    """Model type to the parsers of its family: `tool_call`, `reasoning`."""
    quantization_below: Mapping[str, float]
    """Scheme of the release to the compute capability from which on it has no kernel."""
    quantization_aliases: Mapping[str, str]
    """quant_method that it takes for another one."""
    notes: tuple[str, ...]
    unverified: frozenset[str]
    sources: tuple[str, ...]

    def image_for(self, accelerator_id: str) -> str | None:
        """Return the image for an accelerator, None where there is none."""
        row = self.image_row(accelerator_id)
        return row.image if row else None

    def image_row(self, accelerator_id: str) -> EngineImage | None:
        """Return the image with what is said of it, None where there is none."""
        for row in self.images:
            if accelerator_id in row.accelerators:
                return row
        return None

    @property
    def tool_call_parsers(self) -> tuple[str, ...]:
        """Names that its flag takes; empty where no list is known."""
        return self.release.tool_call_parsers if self.release else ()

    @property
    def reasoning_parsers(self) -> tuple[str, ...]:
        """Names that its flag takes; empty where no list is known."""
        return self.release.reasoning_parsers if self.release else ()

    def removed_after(self, architecture: str) -> str | None:
        """Return the last version that had an architecture; None where none is known, or this one has it."""
        return self.release.removed_architectures.get(architecture) if self.release else None

    def method_of(self, quantization: str) -> str:
        """Return the engine's own name of a quantization method."""
        return self.quantization_aliases.get(quantization, quantization)

    def uses_of(self, architecture: str) -> tuple[str, ...]:
        """Return what the engine does with an architecture; empty where it does not know it.

        A name that is not in the list is tried the way vLLM tries it: with its suffix exchanged, then with the
        model code of transformers.
        """
        listed = tuple(use for use, names in self.architectures.items() if architecture in names)
        return listed or self._converted(architecture) or self._generic(architecture)

    def runs_on(self, architecture: str, accelerator_id: str) -> bool:
        """Return whether an architecture is not known to be limited to other accelerators."""
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
