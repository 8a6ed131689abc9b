# SPDX-License-Identifier: Apache-2.0
"""Measured rows in place of formulas.

Owns which rows of `<stack>.measured.yaml` apply to a placement, and how they correct its predicted figures: at a
measured load the prediction equals the measurement; between two measured loads the correction is interpolated over
the logarithm of the batch, and beyond them it stays constant. The formulas carry the difference in request length.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

from hubstack.inputs.measured import Measurement
from hubstack.inputs.measured import Setup as MeasuredSetup
from hubstack.planner.performance.constants import Evidence, Range
from hubstack.planner.performance.costs import Lengths
from hubstack.planner.performance.replica import Correction, Curve, Replica, Setup, texts_per_second

REPEATED = Range(1 / 1.25, 1.25)
"""Two measurements of one setup differ by 25 % at the 80th percentile (docs/concepts/performance.md)."""
SIMILAR_LENGTHS = 2.0
"""Our choice: a row applies to requests whose input and output are at most this factor longer or shorter."""


def rows_of(rows: Iterable[Measurement], setup: MeasuredSetup, lengths: Lengths) -> tuple[Measurement, ...]:
    """Return the rows of exactly this setup whose request lengths are nearest to those asked for."""
    near: dict[tuple[int, int], list[Measurement]] = {}
    for row in rows:
        if row.setup == setup and _distance(row, lengths) <= 1:
            near.setdefault((row.input_tokens, row.output_tokens), []).append(row)
    if not near:
        return ()
    return tuple(near[min(near, key=lambda pair: (_distance(near[pair][0], lengths), pair))])


def _distance(row: Measurement, lengths: Lengths) -> float:
    """Return 0 for equal lengths, 1 for a factor of `SIMILAR_LENGTHS` in either."""
    pairs = [(row.input_tokens, lengths.prompt)]
    if row.output_tokens:
        pairs.append((row.output_tokens, lengths.answer))
    return max(abs(math.log(one / max(other, 1.0))) for one, other in pairs) / math.log(SIMILAR_LENGTHS)


def corrected(setup: Setup, rows: tuple[Measurement, ...]) -> Setup:
    """Return the setup with its predictions corrected by measured rows; unchanged without rows."""
    if not rows:
        return setup
    lengths = Lengths(prompt=rows[0].input_tokens, answer=max(rows[0].output_tokens, 1))
    replica = Replica(setup, lengths)
    if rows[0].output_tokens:
        rate = _curve(rows, replica, lambda row: row.requests_per_second, replica.rate_of)
        token = _curve(rows, replica, lambda row: row.token_ms and row.token_ms.median / 1e3, replica.token_seconds)
        first = _curve(
            rows,
            replica,
            lambda row: row.first_token_ms and row.first_token_ms.median / 1e3,
            replica.first_token_seconds,
        )
    else:
        texts = texts_per_second(setup, lengths.prompt)
        best = max(row.requests_per_second for row in rows)
        rate, token, first = Curve(((0.0, math.log(best / texts)),)), Curve(()), Curve(())
    fitted = replace(setup.fitted, rows=len(rows), evidence=Evidence.MEASURED, speed=REPEATED, first_token=REPEATED)
    return replace(setup, fitted=fitted, correction=Correction(rate=rate, token=token, first_token=first))


def _curve(
    rows: tuple[Measurement, ...],
    replica: Replica,
    measured: Callable[[Measurement], float | None],
    predicted: Callable[[float], float],
) -> Curve:
    """Return the logarithm of measured over predicted, by the logarithm of the batch."""
    points: dict[float, list[float]] = {}
    for row in rows:
        value = measured(row)
        if value is not None:
            batch = min(float(row.concurrency), replica.full)
            points.setdefault(math.log(batch), []).append(math.log(value / predicted(batch)))
    return Curve(tuple((at, math.fsum(logs) / len(logs)) for at, logs in sorted(points.items())))
