# SPDX-License-Identifier: Apache-2.0
"""Compares the estimate for each row with what the engine printed.

The printed token line is the concurrency times the context since vLLM 0.21; before, models with several kinds of cache
printed the tokens of one of them, and are judged where the concurrency is printed.
"""

import statistics
from dataclasses import dataclass

from benchmarks.sizing.rows import Judged
from hubstack.plan import MemoryNeed, Verdict
from hubstack.planner.memory.sizing import GIB, size_model

FAILED = ("oom", "kv_too_small")


@dataclass(frozen=True)
class Estimate:
    """One tool's estimate for one row."""

    weights_gib: float | None
    tokens: float | None
    verdict: Verdict | None


@dataclass(frozen=True)
class Score:
    """The benchmark's measures, each over the rows that allow it."""

    weights: list[tuple[str, float, float]]
    """Row, predicted, logged."""
    tokens: list[tuple[str, float, float]]
    failed: list[tuple[str, Verdict]]
    started: list[tuple[str, Verdict]]

    def figures(self) -> tuple[float | None, float | None, float | None, float | None, float | None]:
        """Return weights error, tokens error, tokens within 10 %, failing boots caught, good boots refused."""
        errors = [abs(p / log - 1) for _, p, log in self.tokens]
        caught = [v is not Verdict.FITS for _, v in self.failed]
        refused = [v is Verdict.DOES_NOT_FIT for _, v in self.started]
        return (
            _median([abs(p / log - 1) for _, p, log in self.weights]),
            _median(errors),
            _share([e <= 0.1 for e in errors]),
            _share(caught),
            _share(refused),
        )


def _median(values: list[float]) -> float | None:
    return statistics.median(values) if values else None


def _share(values: list[bool]) -> float | None:
    return sum(values) / len(values) if values else None


def score(rows: list[Judged], estimate) -> Score:
    """Score one tool on all rows."""
    result = Score([], [], [], [])
    for row in rows:
        made: Estimate = estimate(row)
        name, logged = row.row["id"], row.reported
        if logged.get("weights_gib") and made.weights_gib is not None and not logged.get("draft_gib"):
            result.weights.append((name, made.weights_gib, logged["weights_gib"]))
        if row.missing:
            continue
        tokens = logged_tokens(row)
        if tokens and made.tokens is not None and row.row["outcome"] == "ok" and not row.missing_pool:
            result.tokens.append((name, made.tokens, tokens))
        if made.verdict is not None:
            if row.row["outcome"] in FAILED:
                result.failed.append((name, made.verdict))
            elif row.row["outcome"] == "ok":
                result.started.append((name, made.verdict))
    return result


def has_groups(row: Judged) -> bool:
    """Return whether the model has several kinds of KV cache."""
    geometry = row.geometry
    return bool(geometry.state_layers or geometry.window_layers or geometry.compressed_token_bytes)


def logged_tokens(row: Judged) -> float | None:
    """Return the tokens that fit in sequences of the row's context; None if the engine did not print them."""
    logged, context = row.reported, row.row["max_model_len"]
    if has_groups(row):
        if logged.get("max_concurrency") and context:
            return logged["max_concurrency"] * context
        version = row.load.engine_version if row.load else None
        new = version is not None and tuple(map(int, version.split("."))) >= (0, 21)
        return logged.get("kv_cache_tokens") if new or row.row["engine"] == "vllm (NIM)" else None
    return logged.get("kv_cache_tokens")


def hubstack(row: Judged) -> Estimate:
    """Return hubstack's own estimate."""
    if row.device is None or row.load is None:
        return Estimate(None, None, None)
    need = size_model(row.weights, row.geometry, row.device, row.load)
    return Estimate(need.terms[0].size_bytes / GIB, pool_tokens(need, has_groups(row)), need.verdict)


def pool_tokens(need: MemoryNeed, groups: bool) -> float | None:
    """Return the tokens of the pool as the engine prints them."""
    sequence = need.kv_fixed_bytes + need.kv_bytes_per_token * need.context
    if not sequence:
        return None
    if groups:
        return max(0, need.kv_available_bytes) / sequence * need.context
    return max(0, need.kv_available_bytes) / need.kv_bytes_per_token
