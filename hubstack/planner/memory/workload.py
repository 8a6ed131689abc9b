# SPDX-License-Identifier: Apache-2.0
"""What a model is asked to do, and on what: the two inputs of sizing besides the model.

Owns the settings that every figure of sizing depends on, and their defaults; `hubstack.planner.serving.container`
pins each by a flag.
"""

from dataclasses import dataclass

from hubstack.kinds import EngineKind

MAX_NUM_SEQS = 64
"""Sequences that the engine batches at most; pinned, since its default differs by card and costs memory."""
MAX_NUM_BATCHED_TOKENS = 2048
"""Tokens of one step of chunked prefill; pinned for the same reason."""
MEMORY_SHARE = {
    EngineKind.VLLM: 0.90,
    EngineKind.VLLM_TPU: 0.90,
    EngineKind.SGLANG: 0.88,
    EngineKind.TEI: 0.95,
    EngineKind.LLAMA_CPP: 0.95,
}
"""Share of the visible memory that is planned with. vLLM's default is 0.92; what lies outside its budget
(context, collectives, sampler warm-up) was measured at 0.5 to 2.4 GiB. The others take what they need."""


ASYNC_SINCE = (0, 22)
"""vLLM schedules asynchronously by default since about this version: its pool shows one step in flight at 0.21, two
at 0.27 (docs/sizing.md, "Windows")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One rank's accelerator as the engine sees it."""

    visible_bytes: int
    is_tpu: bool
    has_flash_attention: bool
    """Compute capability 8.0 and above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What the model is asked to do on these ranks."""

    engine: EngineKind
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
        return self.memory_share_override or MEMORY_SHARE[self.engine]

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
            is_vllm = self.engine in {EngineKind.VLLM, EngineKind.VLLM_TPU}
            is_async = is_vllm and (self.version is None or self.version >= ASYNC_SINCE)
        return min(self.batch_tokens * (2 if is_async else 1), self.context)

    @property
    def version(self) -> tuple[int, int] | None:
        """Major and minor of `engine_version`."""
        if self.engine_version is None:
            return None
        major, minor = self.engine_version.split(".")[:2]
        return int(major), int(minor)
