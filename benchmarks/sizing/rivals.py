# SPDX-License-Identifier: Apache-2.0
"""The estimates of today's common tools for the same rows.

Each is given what it can be given. None of them takes a number of ranks: what they say of the whole model is divided by
the ranks, as their users do, and a model is taken to fit where that is below the share of the card that the engine may use.
The bytes of the weights are hubstack's own where they are no file's, so that measure says little of hf-mem and of the rule.

- hf-mem 0.5.6: bytes of the safetensors files, and the cache of one sequence by its own
  `compute_safetensors_kv_cache_size` (the real function is called; its fetching of headers from the Hub is not);
- accelerate 1.15.0 `estimate-memory`: parameters at 16 bits, whatever the checkpoint's quantization
  (`calculate_maximum_sizes` over an empty model, to run which takes PyTorch: here the parameters are multiplied);
- weights x 1.2: the rule of thumb of calculators and of accelerate's documentation.
"""

import math
import warnings

from hf_mem.safetensors.kv_cache import compute_safetensors_kv_cache_size

from benchmarks.sizing.judge import Estimate
from benchmarks.sizing.rows import Judged
from hubstack.plan import Verdict
from hubstack.planner.memory.sizing import GIB


def hf_mem(row: Judged) -> Estimate:
    total = row.weights.size_bytes
    sequence = _hf_mem_sequence(row)
    tokens = None
    if sequence and row.device and row.load:
        left = row.device.visible_bytes * row.load.memory_share - total / row.load.ranks
        tokens = max(0.0, left / (sequence / row.load.ranks)) * row.load.context
    return _estimate(row, total, tokens, total + (sequence or 0))


def _hf_mem_sequence(row: Judged) -> float | None:
    """Return its bytes per sequence of the row's context; None if it cannot read the config."""
    config = {**row.facts.config, **(row.facts.config.get("text_config") or {})}
    dtype = "F8_E4M3" if row.load and row.load.kv_bytes == 1 else "BF16"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return compute_safetensors_kv_cache_size(config, dtype, row.load.context if row.load else 8192)
    except (KeyError, TypeError, RuntimeError, ZeroDivisionError):
        return None


def accelerate(row: Judged) -> Estimate:
    total = (row.facts.parameters_total or row.weights.size_bytes // 2) * 2
    return _estimate(row, total, None, total)


def times_one_point_two(row: Judged) -> Estimate:
    return _estimate(row, row.weights.size_bytes, None, math.ceil(row.weights.size_bytes * 1.2))


def _estimate(row: Judged, weights: float, tokens: float | None, total: float) -> Estimate:
    if row.device is None or row.load is None:
        return Estimate(None, None, None)
    fits = total / row.load.ranks <= row.device.visible_bytes * row.load.memory_share
    return Estimate(weights / row.load.ranks / GIB, tokens, Verdict.FITS if fits else Verdict.DOES_NOT_FIT)
