# SPDX-License-Identifier: Apache-2.0
"""The workload and the device: the inputs of sizing besides the model.

Owns the settings that every sizing figure depends on, and their defaults. Does not own the flags that pin them
(`hubstack.planner.engines`).
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hubstack.catalog import ExpertKernel
from hubstack.plan import MemoryTerm
from hubstack.planner.model.geometry import Geometry

MAX_NUM_SEQS = 64
"""Maximum sequences per batch; pinned, because the engine's default depends on the card and costs memory."""
MAX_NUM_BATCHED_TOKENS = 2048
"""Tokens per step of chunked prefill; pinned for the same reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One rank's accelerator, as the engine sees it."""

    visible_bytes: int
    is_tpu: bool
    has_flash_attention: bool
    """True for compute capability 8.0 and above."""
    expert_kernel: ExpertKernel | None = None
    """The engine's kernel that pads the checkpoint's experts on this card, if any."""


def _no_terms(
    _weights_bytes: int, _geometry: Geometry, _device: Device, _load: "Workload"
) -> tuple[MemoryTerm, ...]:
    return ()


def _nothing(_geometry: Geometry, _device: Device, _load: "Workload") -> int:
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineMemory:
    """How an engine uses accelerator memory; `hubstack.planner.engines` defines one for each engine."""

    share: float
    """Planned share of the visible memory, 0 to 1."""
    terms: "Callable[[int, Geometry, Device, Workload], Iterable[MemoryTerm]]" = _no_terms
    """Yields the terms inside that share except the KV cache; its first argument is all ranks' weights in bytes."""
    outside: "Callable[[Geometry, Device, Workload], int]" = _nothing
    """Returns the bytes that the engine uses outside its share."""
    has_kv_cache: bool = True
    batch_tokens: int | None = None
    """Tokens per step; None to use the load's figure, which a flag pins."""
    async_since: tuple[int, int] | None = None
    """First version with asynchronous scheduling by default; None if there is none."""
    needs_dimensions: bool = False
    """Whether sizing requires the model's layers, heads, hidden size and vocabulary."""
    pages_layers: bool = False
    """Whether layers are grouped by kind of cache and states are padded to the attention layers' pages."""
    cached_state_since: tuple[int, int] | None = None
    """First version whose prefix cache keeps an extra recurrent state per sequence; None if there is none."""
    fits_batch_to_states: bool = False
    """Whether the engine lowers its batch when states do not fit the pool; other engines refuse to start."""
    estimates_without_layers: bool = False
    """Whether the engine's cache can be estimated without knowing the number of layers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraSlots:
    """Places for adapters that an engine allocates when it starts."""

    slots: int
    """Adapters on the accelerator at once."""
    rank: int = 16
    """Rank of each place: that of the largest adapter."""
    in_memory: int = 0
    """Adapters that each rank keeps in host memory, those on the accelerator included; 0 if none are listed."""
    adapter_bytes: int = 0
    """Bytes of these adapters."""

    @property
    def host_bytes(self) -> int:
        """Host memory of one rank: every rank keeps whole adapters, and cuts its part when one is activated."""
        return self.adapter_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """The workload of a model on its ranks."""

    engine: EngineMemory
    tensor_parallel: int
    context: int
    concurrency: int
    batch_tokens: int = MAX_NUM_BATCHED_TOKENS
    """Tokens per step. For embeddings it is the context, because a text is processed in one step."""
    pipeline_parallel: int = 1
    expert_parallel: bool = False
    max_num_seqs: int | None = None
    """Batch limit; None to use the pinned default."""
    memory_share_override: float | None = None
    kv_cache_dtype: str = "auto"
    """`auto` (16 bits) or `fp8`."""
    cuda_graphs: bool = True
    is_async: bool | None = None
    """Whether scheduling is asynchronous; None for the engine's default."""
    engine_version: str | None = None
    """None for the catalogue's default version."""
    lora: LoraSlots | None = None
    """LoRA adapters to keep memory for."""
    draft_bytes: int = 0
    """Bytes of a speculative draft model's weights, on all ranks together."""
    draft_layers: int = 0
    """Draft layers with a KV cache, shaped like the model's own layers."""
    draft_tokens: int = 0
    """Tokens drafted per step; recurrent layers keep a state for each."""

    @property
    def memory_share(self) -> float:
        """Share of the visible memory that the engine may use, 0 to 1."""
        return self.memory_share_override or self.engine.share

    @property
    def ranks(self) -> int:
        """Number of accelerators of one replica."""
        return self.tensor_parallel * self.pipeline_parallel

    @property
    def kv_bytes(self) -> int:
        """Bytes per cached number."""
        return 1 if self.kv_cache_dtype.startswith("fp8") else 2

    @property
    def sequences(self) -> int:
        """The batch limit, at least the requested concurrency."""
        return self.max_num_seqs or max(self.concurrency, MAX_NUM_SEQS)

    @property
    def tokens_in_flight(self) -> int:
        """Tokens computed at once; asynchronous scheduling prepares one step while another runs."""
        is_async = self.is_async
        if is_async is None:
            since = self.engine.async_since
            is_async = since is not None and (self.version is None or self.version >= since)
        return min(self.batch_tokens * (2 if is_async else 1), self.context)

    @property
    def version(self) -> tuple[int, int] | None:
        """Major and minor version of `engine_version`; None if it has none (llama.cpp's builds)."""
        if self.engine_version is None:
            return None
        numbers = re.match(r"(\d+)\.(\d+)", self.engine_version)
        return (int(numbers[1]), int(numbers[2])) if numbers else None
