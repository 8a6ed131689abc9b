# SPDX-License-Identifier: Apache-2.0
"""What a model is asked to do, and on what: the two inputs of sizing besides the model.

Owns the settings that every figure of sizing depends on, and their defaults; `hubstack.planner.engines`
pins each by a flag.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hubstack.catalog import ExpertKernel
from hubstack.plan import MemoryTerm
from hubstack.planner.model.geometry import Geometry

MAX_NUM_SEQS = 64
"""Sequences that the engine batches at most; pinned, since its default differs by card and costs memory."""
MAX_NUM_BATCHED_TOKENS = 2048
"""Tokens of one step of chunked prefill; pinned for the same reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One rank's accelerator as the engine sees it."""

    visible_bytes: int
    is_tpu: bool
    has_flash_attention: bool
    """Compute capability 8.0 and above."""
    expert_kernel: ExpertKernel | None = None
    """The engine's kernel on this card that pads the experts of the checkpoint's format."""


def _no_terms(_weights_bytes: int, _geometry: Geometry, _device: Device, _load: "Load") -> tuple[MemoryTerm, ...]:
    return ()


def _nothing(_geometry: Geometry, _device: Device, _load: "Load") -> int:
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineMemory:
    """How an engine spends the memory of an accelerator; `hubstack.planner.engines` has one for each."""

    share: float
    """Of the visible memory, planned with."""
    terms: "Callable[[int, Geometry, Device, Load], Iterable[MemoryTerm]]" = _no_terms
    """The terms inside that share beside the KV cache; of the weights, their bytes on all ranks together."""
    outside: "Callable[[Geometry, Device, Load], int]" = _nothing
    """Bytes that the engine takes outside of the share that it is given."""
    has_kv_cache: bool = True
    batch_tokens: int | None = None
    """Tokens of one step; None: those of the load, which a flag pins."""
    async_since: tuple[int, int] | None = None
    """First version that schedules asynchronously by default; None: it never does."""
    needs_dimensions: bool = False
    """Whether nothing can be computed without the model's layers, heads, hidden size and vocabulary."""
    pages_layers: bool = False
    """Whether layers with different caches make groups of one size, and states fill pages of attention layers."""
    cached_state_since: tuple[int, int] | None = None
    """First version whose prefix cache keeps one more recurrent state of each sequence; None: none does."""
    fits_batch_to_states: bool = False
    """Whether it runs fewer sequences where the pool lacks states for all; others refuse to start."""
    estimates_without_layers: bool = False
    """Whether the cache of a model whose layers are unknown is a guess."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What the model is asked to do on these ranks."""

    engine: EngineMemory
    tensor_parallel: int
    context: int
    concurrency: int
    batch_tokens: int = MAX_NUM_BATCHED_TOKENS
    """Tokens of one step. An embedding is made of a whole text at once, so there it is the context."""
    pipeline_parallel: int = 1
    expert_parallel: bool = False
    max_num_seqs: int | None = None
    """None: the pinned one."""
    memory_share_override: float | None = None
    kv_cache_dtype: str = "auto"
    """`auto` (16 bits) or `fp8`."""
    cuda_graphs: bool = True
    is_async: bool | None = None
    """Asynchronous scheduling; None: as the engine does by default."""
    engine_version: str | None = None
    """None: the catalogue's. Older ones are told only by those who judge old boots."""
    lora_adapters: int = 0
    lora_rank: int = 16
    draft_bytes: int = 0
    """Weights of a speculative draft, on all ranks together."""
    draft_layers: int = 0
    """Its layers that cache; of the model's own geometry."""
    draft_tokens: int = 0
    """Tokens that are guessed a step: recurrent layers keep a state for each."""

    @property
    def memory_share(self) -> float:
        """Share of the visible memory that the engine may use."""
        return self.memory_share_override or self.engine.share

    @property
    def ranks(self) -> int:
        """Accelerators of one replica."""
        return self.tensor_parallel * self.pipeline_parallel

    @property
    def kv_bytes(self) -> int:
        """Bytes of one cached number."""
        return 1 if self.kv_cache_dtype.startswith("fp8") else 2

    @property
    def sequences(self) -> int:
        """The batch limit: never below the sequences that were asked for."""
        return self.max_num_seqs or max(self.concurrency, MAX_NUM_SEQS)

    @property
    def tokens_in_flight(self) -> int:
        """Tokens that are computed at once: asynchronous scheduling prepares a step while another runs."""
        is_async = self.is_async
        if is_async is None:
            since = self.engine.async_since
            is_async = since is not None and (self.version is None or self.version >= since)
        return min(self.batch_tokens * (2 if is_async else 1), self.context)

    @property
    def version(self) -> tuple[int, int] | None:
        """Major and minor of `engine_version`."""
        if self.engine_version is None:
            return None
        major, minor = self.engine_version.split(".")[:2]
        return int(major), int(minor)
