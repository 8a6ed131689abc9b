# SPDX-License-Identifier: Apache-2.0
"""Fits the constants, measures their ranges by leave-one-model-out validation, and writes constants.yaml."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from benchmarks.throughput import fit
from benchmarks.throughput.fit import ENGINES, PRIORS, Array, FirstTokens, Parameters, Table
from benchmarks.throughput.judge import FAMILIES_OUT, LEFT_OUT, family
from benchmarks.throughput.rows import Measured
from hubstack.planner.performance.constants import GENERATIONS, PATH, range_kind

TAILS = (0.10, 0.90)
FAMILIES_HEAD = """# SPDX-License-Identifier: Apache-2.0
# Written by `python -m benchmarks.throughput --families`: row to its error, the logarithm of predicted over measured speed,
# with constants fitted to all families but its own (benchmarks.throughput.judge.family).
"""
LEFT_OUT_HEAD = """# SPDX-License-Identifier: Apache-2.0
# Written by `python -m benchmarks.throughput --fit`: row to its error, the logarithm of predicted over measured speed, with
# constants fitted to all models but its own.
"""
HEAD = """# SPDX-License-Identifier: Apache-2.0
# Written by `python -m benchmarks.throughput --fit`; docs/concepts/performance.md says what each constant is.
# Fitted to public measurements of LLM servers (docs/benchmarks/throughput.md names the sources), none to a model or a row.
# `rows`: measurements behind a line; 0: the figure is what physics and the other lines say (benchmarks/throughput/priors.yaml).
# Seconds carry `_s`; all else is a part of a nominal figure. `ranges`: factors of a predicted speed (or time to the first
# token) that hold 80 % of the measurements of a model that was left out of the fit.
"""


def usable(rows: Sequence[Measured]) -> list[Measured]:
    """Return the rows that are fitted: open loops depend on the fit itself, and rows of quality C are doubtful."""
    return [row for row in rows if row.mode != "open" and row.quality != "C"]


def learn(rows: Sequence[Measured]) -> None:
    """Fit and write constants.yaml."""
    fitted, parameters = usable(rows), fit.speeds()
    table = Table(fitted, parameters)
    speed = fit.fit(table, parameters)
    first_rows = with_first_token(fitted)
    first_parameters = fit.first_tokens()
    first = FirstTokens(first_rows, Table(first_rows, parameters), speed, first_parameters).fit()
    errors = leave_one_out(fitted, parameters, speed)
    ranges = _ranges(fitted, parameters, speed, errors)
    lines = [
        HEAD + f"fitted: {datetime.now(UTC).date()}",
        f"rows: {len(fitted)}",
        "source: docs/benchmarks/throughput.md",
    ]
    content = _content(fitted, parameters, speed, first_parameters, first) | {"ranges": ranges}
    for name, part in content.items():
        lines.append(f"{name}:")
        lines += [f"  {key}: {_flow(value)}" for key, value in part.items()]
    PATH.write_text("\n".join(lines) + "\n", encoding="utf-8")
    said = [f"{row.row['id']}: {error:.3f}" for row, error in zip(fitted, errors, strict=True)]
    LEFT_OUT.write_text(LEFT_OUT_HEAD + "\n".join(said) + "\n", encoding="utf-8")


def with_first_token(rows: Sequence[Measured]) -> list[Measured]:
    """Return the rows whose first token waits for the accelerators rather than for a slot in the batch."""
    return [r for r in rows if r.mode == "closed" and r.first_token_s and r.callers <= 1.05 * r.limit]


def leave_families_out(rows: Sequence[Measured]) -> None:
    """Write each row's error with its whole family left out of the fit."""
    fitted, parameters = usable(rows), fit.speeds()
    start = fit.fit(Table(fitted, parameters), parameters)
    errors = leave_one_out(fitted, parameters, start, lambda row: family(row.model))
    said = [f"{row.row['id']}: {error:.3f}" for row, error in zip(fitted, errors, strict=True)]
    FAMILIES_OUT.write_text(FAMILIES_HEAD + "\n".join(said) + "\n", encoding="utf-8")


def leave_one_out(
    rows: Sequence[Measured],
    parameters: Parameters,
    start: Array,
    group: Callable[[Measured], str] = lambda row: row.model,
) -> Array:
    """Return each row's error (logarithm of predicted over measured speed) with its group, a model, left out."""
    errors, models = np.zeros(len(rows)), np.array([group(row) for row in rows])
    for model in sorted(set(models)):
        mine = models == model
        others = Table([row for row, is_mine in zip(rows, mine, strict=True) if not is_mine], parameters)
        own = Table([row for row, is_mine in zip(rows, mine, strict=True) if is_mine], parameters)
        errors[mine] = own.errors(fit.fit(others, parameters, start))
    return errors


def _ranges(
    rows: Sequence[Measured], parameters: Parameters, speed: Array, errors: Array
) -> dict[str, dict[str, float]]:
    kinds = np.array([range_kind(has_experts=row.has_experts, ranks=row.ranks) for row in rows])
    found = {kind: _range(errors[kinds == kind]) for kind in sorted(set(kinds))}
    first_rows, misses = with_first_token(rows), []
    for model in sorted({row.model for row in first_rows}):
        parts = fit.first_tokens()
        others = [row for row in first_rows if row.model != model]
        own = [row for row in first_rows if row.model == model]
        known = FirstTokens(others, Table(others, parameters), speed, parts).fit()
        tested = FirstTokens(own, Table(own, parameters), speed, parts)
        misses += list(tested.predict(known) - tested.logarithm)
    return found | {"first token": _range(np.array(misses))}


def _range(errors: Array) -> dict[str, float]:
    low, high = np.quantile(errors, TAILS)
    return {"low": math.exp(-high), "high": math.exp(-low), "rows": len(errors)}


def _content(
    rows: Sequence[Measured], parameters: Parameters, speed: Array, first_parameters: Parameters, first: Array
) -> dict[str, dict[str, Any]]:
    e = {name: float(np.exp(speed[at])) for name, at in parameters.index.items()}
    t = {name: float(np.exp(first[at])) for name, at in first_parameters.index.items()}
    pairs = Counter((row.hardware.generation, row.engine) for row in rows)
    generations, engines = Counter(r.hardware.generation for r in rows), Counter(r.engine for r in rows)
    links = Counter(row.hardware.link for row in rows if row.layout.tensor_parallel > 1)
    shared = {n: e[n] for n in PRIORS["shared"] if n not in PRIORS["generations"] and n not in PRIORS["engines"]}
    return {
        "shared": shared,
        "formats": {
            number_format: {name: e[f"{name} {number_format}"] for name in factors}
            for number_format, factors in PRIORS["formats"].items()
        },
        "generations": {
            g: {n: e[n] * e[f"{n} {g}"] for n in PRIORS["generations"]} | {"rows": generations[g]}
            for g in GENERATIONS
        },
        "engines": {
            name: {n: e[n] * e[f"{n} {name}"] for n in PRIORS["engines"]}
            | {
                "host_overlap": fit.host_overlap(name),
                "first_base_s": t[f"base {name}"],
                "first_prompt": t[f"prompt {name}"],
                "rows": engines[name],
            }
            for name in ENGINES
        },
        "links": {
            n: {"hop_s": e[f"hop {n}"], "efficiency": e[f"link {n}"], "rows": links[n]} for n in PRIORS["links"]
        },
        "pairs": {
            g: {n: {"factor": e[f"factor {g} {n}"], "rows": pairs[g, n]} for n in ENGINES if pairs[g, n]}
            for g in GENERATIONS
            if generations[g]
        },
        "first_token": {name: t[name] for name in ("queue", "step", "lockstep_queue")},
        "measuring": {name: e[name] for name in PRIORS["measuring"]},
    }


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(part)}" for key, part in value.items()) + "}"
    return str(value) if isinstance(value, int) else _rounded(value)


def _rounded(value: float) -> str:
    text = f"{value:.3g}"
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{exponent}" if exponent else text
