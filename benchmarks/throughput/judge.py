# SPDX-License-Identifier: Apache-2.0
"""Compares each row with the prediction from the shipped constants, and computes the benchmark's measures.

Owns what a measurement is that a server in use is not (all callers starting together, a run's beginning and end, an
open loop of so many requests). Does not own the formulas.
"""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median, quantiles

import yaml

from benchmarks.throughput.rows import Measured
from hubstack.planner.performance import formula
from hubstack.planner.performance.constants import Evidence, Fitted, load_table, range_kind
from hubstack.planner.performance.costs import Costs, nominal_costs
from hubstack.planner.performance.formula import Constants

LEFT_OUT = Path(__file__).parent / "left_out.yaml"
"""Leave-one-model-out error of each row; written by the fit."""
FAMILIES_OUT = Path(__file__).parent / "left_out_families.yaml"
"""The same with the row's whole family left out."""
_FAMILIES = {
    "llama": "Llama",
    "qwen": "Qwen",
    "deepseek": "DeepSeek",
    "glm": "GLM",
    "gemma": "Gemma",
    "mi[sx]tral|ministral": "Mistral",
    "minimax": "MiniMax",
    "gpt-oss": "gpt-oss",
    "nemotron": "Nemotron",
}
"""Families by what a model's name holds; another model is a family of its own."""
NEAR = math.log(2)
ORDERED_BY = 1.25
"""Layouts whose speed differs by more than this must be in the right order."""


@dataclass(frozen=True)
class Judged:
    """A row and its prediction."""

    row: Measured
    error: float
    """Logarithm of predicted over measured speed."""
    low: float
    high: float
    """Ends of the 80 % range of the measured speed over the predicted one, in logarithms."""
    first_error: float | None
    """Logarithm of predicted over measured time to the first token."""
    evidence: Evidence

    @property
    def miss(self) -> float:
        """The relative error, equal for twice and half the speed."""
        return math.exp(abs(self.error)) - 1

    @property
    def is_held(self) -> bool:
        """Whether the range contains the measurement."""
        return self.low <= -self.error <= self.high

    @property
    def kind(self) -> str:
        return range_kind(has_experts=self.row.has_experts, ranks=self.row.ranks)


def judge(row: Measured) -> Judged:
    """Predict one row with the shipped constants."""
    fitted = _fitted(row)
    constants = fitted.constants
    predicted, first = _predict(row, constants)
    speed = predicted / row.value if row.is_output else row.value / predicted
    waited = row.first_token_s if row.mode == "closed" and row.callers <= 1.05 * row.limit else None
    return Judged(
        row=row,
        error=math.log(speed),
        low=math.log(fitted.speed.low),
        high=math.log(fitted.speed.high),
        first_error=math.log(first / waited) if waited else None,
        evidence=fitted.evidence,
    )


def without_own_model(judged: Iterable[Judged]) -> list[Judged]:
    """Return the fitted rows with their leave-one-model-out errors."""
    errors = yaml.load(LEFT_OUT.read_bytes(), Loader=yaml.CSafeLoader)
    return [replace(each, error=errors[key]) for each in judged if (key := each.row.row["id"]) in errors]


def without_own_family(judged: Iterable[Judged]) -> list[Judged]:
    """Return the fitted rows with their leave-one-family-out errors."""
    errors = yaml.load(FAMILIES_OUT.read_bytes(), Loader=yaml.CSafeLoader)
    return [replace(each, error=errors[key]) for each in judged if (key := each.row.row["id"]) in errors]


def family(model: str) -> str:
    """Return the family of a model: its publisher's line of architectures, by name."""
    name = model.rpartition("/")[2].lower()
    return next((word for pattern, word in _FAMILIES.items() if re.search(pattern, name)), model)


def _fitted(row: Measured) -> Fitted:
    hardware = row.hardware
    _, number_format = hardware.operations(row.work.number_format)
    kind = range_kind(has_experts=row.has_experts, ranks=row.ranks)
    return load_table().find(hardware.generation, row.engine, hardware.link, number_format, kind)


def _costs(row: Measured, batch: float) -> Costs:
    return nominal_costs(
        row.work, row.hardware, row.layout, row.cache, row.lengths, batch=max(batch, 1.0), chunk=row.chunk
    )


def _predict(row: Measured, constants: Constants) -> tuple[float, float]:
    """Return the row's predicted figure and time to first token."""
    measuring, first = load_table().said["measuring"], load_table().said["first_token"]
    if row.is_lockstep:
        constants = replace(
            constants,
            interference=constants.interference * measuring["lockstep"],
            first_queue=first["lockstep_queue"],
        )
    if row.mode == "open":
        return _open_loop(row, constants)
    costs = _costs(row, row.batch)
    output = row.replicas * formula.tokens_per_second(costs, constants)
    if row.mode == "at once":
        tail = measuring["tail_varied" if row.is_varied else "tail_uniform"]
        output /= 1 + tail * min(costs.batch / row.prompts, 1.0)
    first_token = formula.first_token_seconds(costs, constants)
    return (output if row.is_output else formula.token_seconds(costs, constants)), first_token


def _open_loop(row: Measured, constants: Constants) -> tuple[float, float]:
    """Predict at a fixed request rate: the batch follows from Little's law."""
    rate, answer = row.row["request_rate"] / row.replicas, row.lengths.answer
    full = _costs(row, max(min(row.limit, row.prompts), 1.0))
    most = formula.tokens_per_second(full, constants) / answer
    batch = 1.0
    for _ in range(60):
        costs = _costs(row, batch)
        stay = formula.first_token_seconds(costs, constants) + answer * formula.token_seconds(costs, constants)
        batch = (batch + min(rate * stay, full.batch)) / 2
    costs = _costs(row, batch)
    per_token = formula.token_seconds(costs, constants)
    first_token = formula.first_token_seconds(costs, constants)
    if not row.is_output:
        return per_token, first_token
    # A run of so many requests ends when the last one is answered.
    lasts = max(row.prompts / rate, row.prompts / most) + first_token + answer * per_token
    return row.replicas * row.prompts * answer / lasts, first_token


@dataclass(frozen=True)
class Measures:
    """The benchmark's measures over a set of rows."""

    rows: int
    median: float
    p80: float
    within_two: float
    bias: float
    """Median of predicted over measured speed, less one."""
    held: float
    width: float
    """Upper end of the range over the lower one, the median."""


def measure(judged: Sequence[Judged]) -> Measures | None:
    """Return the measures, or None without rows."""
    if len(judged) < 2:
        return None
    misses = [each.miss for each in judged]
    return Measures(
        rows=len(judged),
        median=median(misses),
        p80=quantiles(misses, n=5)[3],
        within_two=sum(abs(each.error) <= NEAR for each in judged) / len(judged),
        bias=math.exp(median(each.error for each in judged)) - 1,
        held=sum(each.is_held for each in judged) / len(judged),
        width=math.exp(median(each.high - each.low for each in judged)),
    )


def first_token_within_two(judged: Iterable[Judged], callers: float = 32) -> tuple[int, float]:
    """Return the rows of at most so many callers, and the part whose first token is right within a factor of two."""
    errors = [
        e.first_error for e in judged if e.first_error is not None and e.row.callers * e.row.replicas <= callers
    ]
    return len(errors), sum(abs(error) <= NEAR for error in errors) / len(errors) if errors else math.nan


def order(judged: Iterable[Judged]) -> tuple[int, float]:
    """Return the pairs of layouts that differ by more than 25 %, and the part in the right order.

    Two rows are compared where they differ in nothing but accelerator and layout; by speed per accelerator.
    """
    groups: dict[tuple[object, ...], list[tuple[float, float, object]]] = defaultdict(list)
    for each in judged:
        row = each.row
        said = row.row
        alike = (
            row.model,
            said["weights_format"],
            round(row.lengths.prompt),
            round(row.lengths.answer),
            said["concurrency"],
            said["num_prompts"],
            row.engine,
            row.is_output,
            said["id"].split("-")[0],
            said["dataset"],
        )
        speed = (row.value if row.is_output else row.batch * row.replicas / row.value) / said["count"]
        shape = (row.accelerator, row.layout, row.replicas)
        groups[alike].append((speed, speed * math.exp(each.error), shape))
    pairs = right = 0
    for group in groups.values():
        for at, one in enumerate(group):
            for other in group[:at]:
                if one[2] == other[2] or max(one[0], other[0]) < ORDERED_BY * min(one[0], other[0]):
                    continue
                pairs += 1
                right += (one[0] - other[0]) * (one[1] - other[1]) > 0
    return pairs, right / pairs if pairs else math.nan


def by(judged: Iterable[Judged], key: Callable[[Judged], str]) -> dict[str, list[Judged]]:
    """Group rows by a word."""
    groups: dict[str, list[Judged]] = defaultdict(list)
    for each in judged:
        groups[key(each)].append(each)
    return dict(sorted(groups.items()))
