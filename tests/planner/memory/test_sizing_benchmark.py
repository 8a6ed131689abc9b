# SPDX-License-Identifier: Apache-2.0
"""The judging of the sizing benchmark: like is compared with like, and what is not known is not judged.

Decided here on rows made on the spot. Proves nothing of the boots themselves, which lie outside the checkout.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.sizing import judge, rows
from hubstack.plan import MemoryNeed, Verdict
from tests.support import facts as made

GEMMA3 = {
    "architectures": ["Gemma3ForCausalLM"],
    "model_type": "gemma3_text",
    "hidden_size": 1152,
    "intermediate_size": 6912,
    "num_hidden_layers": 26,
    "num_attention_heads": 4,
    "num_key_value_heads": 1,
    "head_dim": 256,
    "vocab_size": 262144,
    "sliding_window": 512,
    "sliding_window_pattern": 6,
    "max_position_embeddings": 32768,
    "torch_dtype": "bfloat16",
}


def boot(
    *, config: Mapping[str, Any] | None = None, reported: Mapping[str, Any] | None = None, **said: Any
) -> rows.Judged:
    """Return a row of a small Llama on one L4, as the collection spells it."""
    row = {
        "id": "made",
        "engine": "vllm",
        "engine_version": "0.11.0",
        "model": "acme/llama",
        "quantization": None,
        "accelerator": "L4 24GB",
        "accelerator_memory_gib": 22.03,
        "tensor_parallel": 1,
        "pipeline_parallel": 1,
        "gpu_memory_utilization": 0.9,
        "max_model_len": 4096,
        "kv_cache_dtype": None,
        "settings": None,
        "reported": dict(reported or {}),
        "outcome": "ok",
        "notes": None,
        **said,
    }
    judged = rows._judged(row, made.llama(config=dict(config or {})))
    assert isinstance(judged, rows.Judged)
    return judged


def estimate(verdict: Verdict, weights: float = 10.0, tokens: float = 1000.0) -> judge.Estimate:
    return judge.Estimate(weights, tokens, verdict)


def need(**said: int) -> MemoryNeed:
    given = {
        "kv_bytes_per_token": 100,
        "kv_fixed_bytes": 0,
        "kv_available_bytes": 0,
        "context": 1000,
        "visible_bytes": 0,
        "budget_bytes": 0,
        "kv_tokens": 0,
        "concurrency": 0,
        "longest_context": 0,
        **said,
    }
    return MemoryNeed(terms=(), verdict=Verdict.FITS, **given)


def test_one_cache_group_is_never_taken_for_the_pool() -> None:
    # Before 0.21 a windowed model printed the tokens of one group: 7.64 x 32,768 is the pool, 52,608 is not.
    printed = {"kv_cache_tokens": 52608, "max_concurrency": 7.64}
    row = boot(config=GEMMA3, reported=printed, engine_version="0.10.1", max_model_len=32768)
    assert judge.logged_tokens(row) == pytest.approx(250_347.52)


def test_one_cache_group_without_a_concurrency_is_not_judged() -> None:
    row = boot(config=GEMMA3, reported={"kv_cache_tokens": 52608}, engine_version="0.10.1")
    assert judge.logged_tokens(row) is None


def test_since_0_21_the_token_line_is_the_pool_of_every_model() -> None:
    row = boot(config=GEMMA3, reported={"kv_cache_tokens": 52608}, engine_version="0.21.0")
    assert judge.logged_tokens(row) == 52608


def test_the_token_line_of_a_plain_model_is_its_pool_in_every_version() -> None:
    row = boot(reported={"kv_cache_tokens": 43296, "max_concurrency": 10.0}, engine_version="0.10.1")
    assert judge.logged_tokens(row) == 43296


def test_predicted_tokens_count_what_a_sequence_holds_beside_its_tokens() -> None:
    # Two sequences of 100 x 1,000 + 20,000 bytes: 2,000 tokens, where the plain rate would say 2,400.
    pool = need(kv_available_bytes=240_000, kv_fixed_bytes=20_000)
    assert judge.pool_tokens(pool, groups=True) == 2000
    assert judge.pool_tokens(pool, groups=False) == 2400


def test_a_pool_below_zero_holds_nothing() -> None:
    assert judge.pool_tokens(need(kv_available_bytes=-5), groups=False) == 0


def test_uncertain_catches_a_failed_boot_and_refuses_no_good_one() -> None:
    failed = [boot(outcome="oom"), boot(outcome="kv_too_small")]
    started = [boot(), boot()]
    verdicts = iter([Verdict.UNCERTAIN, Verdict.FITS, Verdict.UNCERTAIN, Verdict.DOES_NOT_FIT])
    scored = judge.score([*failed, *started], lambda _: estimate(next(verdicts)))
    assert scored.figures()[3:] == (0.5, 0.5)


def test_errors_are_of_the_printed_figure() -> None:
    printed = [{"weights_gib": 8.0, "kv_cache_tokens": 800}, {"weights_gib": 10.0, "kv_cache_tokens": 1000}]
    scored = judge.score([boot(reported=each) for each in printed], lambda _: estimate(Verdict.FITS))
    # 10 for 8 is 25 % off, 10 for 10 is right; the same for the tokens, of which one is within 10 %.
    assert scored.figures()[:3] == pytest.approx((0.125, 0.125, 0.5))


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ({"gpu_memory_utilization": None}, "share"),
        ({"accelerator": "a card nobody names", "accelerator_memory_gib": None}, "card"),
        ({"settings": {"data_parallel": 2}}, "data parallel"),
    ],
)
def test_without_a_setting_that_decides_only_the_weights_are_judged(said: dict[str, Any], missing: str) -> None:
    row = boot(reported={"weights_gib": 10.0, "kv_cache_tokens": 1000}, **said)
    assert missing in " ".join(row.missing)
    scored = judge.score([row], lambda _: estimate(Verdict.DOES_NOT_FIT))
    assert (len(scored.weights), len(scored.tokens), len(scored.started)) == (1, 0, 0)


@pytest.mark.parametrize(
    ("card", "version", "notes", "seqs", "tokens"),
    [
        # vLLM's defaults for a server: docs/concepts/sizing.md; the V0 engine took the whole context in one step.
        ("L4 24GB", "0.11.0", None, 256, 2048),
        ("H100 80GB", "0.11.0", None, 1024, 8192),
        ("A100 80GB", "0.11.0", None, 256, 2048),
        ("H100 80GB", "0.6.6", None, 256, 4096),
        ("H100 80GB", None, "V0 notebook", 256, 4096),
    ],
)
def test_a_setting_left_out_is_the_engines_default(
    card: str, version: str | None, notes: str | None, seqs: int, tokens: int
) -> None:
    row = boot(accelerator=card, accelerator_memory_gib=None, engine_version=version, notes=notes)
    assert row.load is not None
    assert (row.load.max_num_seqs, row.load.batch_tokens) == (seqs, tokens)


def test_a_setting_of_the_row_beats_the_default() -> None:
    row = boot(settings={"max_num_seqs": 16, "max_num_batched_tokens": 512, "enforce_eager": True})
    assert row.load is not None
    assert (row.load.max_num_seqs, row.load.batch_tokens, row.load.cuda_graphs) == (16, 512, False)


def test_no_model_of_the_collection_stands_for_two_sets_of_facts() -> None:
    text = (Path(rows.__file__).parent / "models.yaml").read_text()
    named = Counter(name for entry in yaml.safe_load(text)["models"] for name in entry["names"])
    assert [name for name, times in named.items() if times > 1] == []
