# SPDX-License-Identifier: Apache-2.0
"""Robust fit of the predictor's constants, kept close to physical values where rows are few.

Every constant is a shared value times a factor of its generation, format or engine, in logarithms; each factor is drawn
to 1 (priors.yaml). Rows of a model with many rows count less each. Needs numpy and scipy, which nothing else does.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from scipy.optimize import least_squares

from benchmarks.throughput.rows import Measured
from hubstack.planner.performance import formula
from hubstack.planner.performance.constants import FORMAT_FACTORS, GENERATIONS
from hubstack.planner.performance.costs import Costs, nominal_costs
from hubstack.planner.performance.formula import Constants

Array = Any
PRIORS = yaml.safe_load((Path(__file__).parent / "priors.yaml").read_text())
ENGINES = (
    "vllm",
    "vllm-before-0.14",
    "vllm-before-0.8",
    "vllm-tpu",
    "sglang",
    "trtllm",
    "jetstream",
    "llama-cpp",
    "tei",
)
SPREAD, FAR = 0.22, 1.5
"""Spread of a good row's logarithm, and how many of them make a row an outlier whose pull no longer grows."""
FIRST_SPREAD = 0.5
QUALITY = {"A": 1.0, "B": 0.8, "C": 0.3}
FIRST = {"first_base_s": 0.0, "first_prompt": 1.0, "first_queue": 0.0, "first_step": 1.0}


class Parameters:
    """Names, prior means and spreads of the fitted parameters, in logarithms."""

    def __init__(self) -> None:
        self.index: dict[str, int] = {}
        self.mean: list[float] = []
        self.spread: list[float] = []

    def add(self, name: str, value: float, spread: float) -> None:
        self.index[name] = len(self.mean)
        self.mean.append(float(np.log(value)))
        self.spread.append(spread)

    def at(self, names: Sequence[str]) -> Array:
        return np.array([self.index[name] for name in names])


def speeds() -> Parameters:
    """Return the parameters of throughput and time per token."""
    found = Parameters()
    for name, (value, spread) in PRIORS["shared"].items():
        found.add(name, value, spread)
    for generation in GENERATIONS:
        for name, spread in PRIORS["generations"].items():
            found.add(f"{name} {generation}", 1.0, spread)
        for engine in ENGINES:
            found.add(f"factor {generation} {engine}", 1.0, PRIORS["spread_of_pairs"])
    for number_format, factors in PRIORS["formats"].items():
        for name, (value, spread) in factors.items():
            found.add(f"{name} {number_format}", value, spread)
    for engine in ENGINES:
        for name, spread in PRIORS["engines"].items():
            known = PRIORS["known"].get(engine, {}).get(name, 1.0)
            free = PRIORS["old"]["factor"] if "before" in engine and name.endswith("_s") else 1.0
            found.add(f"{name} {engine}", known, spread * free)
    for link, (latency, efficiency) in PRIORS["links"].items():
        found.add(f"hop {link}", latency, PRIORS["spread_of_links"][0])
        found.add(f"link {link}", efficiency, PRIORS["spread_of_links"][1])
    for name, (value, spread) in PRIORS["measuring"].items():
        found.add(name, value, spread)
    return found


def host_overlap(engine: str) -> float:
    """Return the exponent with which an engine's scheduler and its accelerators overlap."""
    return float(PRIORS["host_overlap"].get(engine, 1.0))


def first_tokens() -> Parameters:
    """Return the parameters of the time to the first token."""
    found, said = Parameters(), PRIORS["first_token"]
    for engine in ENGINES:
        found.add(f"base {engine}", *said["base_s"])
        found.add(f"prompt {engine}", *said["prompt"])
    for name in ("queue", "step", "lockstep_queue"):
        found.add(name, *said[name])
    return found


class Table:
    """Rows as arrays: nominal costs and the parameters that each row uses."""

    def __init__(self, rows: Sequence[Measured], parameters: Parameters) -> None:
        self.rows = rows
        self._parameters = parameters
        self.costs = stack([costs_of(row) for row in rows])
        self.replicas = np.array([row.replicas for row in rows], float)
        self.prompts = np.array([row.prompts for row in rows], float)
        self.is_output = np.array([row.is_output for row in rows])
        self.at_once = np.array([row.mode == "at once" for row in rows])
        self.lockstep = np.array([row.is_lockstep for row in rows])
        self.logarithm = np.log([row.value for row in rows])
        self.weight = weights(rows)
        generation = [row.hardware.generation for row in rows]
        engine = [row.engine for row in rows]
        formats = [row.hardware.operations(row.work.number_format)[1] for row in rows]
        self._by_generation = {n: parameters.at([f"{n} {g}" for g in generation]) for n in PRIORS["generations"]}
        self._by_engine = {n: parameters.at([f"{n} {e}" for e in engine]) for n in PRIORS["engines"]}
        self._overlap = np.array([host_overlap(name) for name in engine])
        self._by_format = {
            factor: np.array([parameters.index.get(f"{factor} {name}", -1) for name in formats])
            for factor in FORMAT_FACTORS
        }
        self._pair = parameters.at([f"factor {g} {e}" for g, e in zip(generation, engine, strict=True)])
        links = [row.hardware.link for row in rows]
        self._hop, self._link = (
            parameters.at([f"hop {n}" for n in links]),
            parameters.at([f"link {n}" for n in links]),
        )
        self._tail = parameters.at(["tail_varied" if row.is_varied else "tail_uniform" for row in rows])

    def constants(self, values: Array) -> Constants:
        """Return the constants of all rows at once, each an array."""
        e = np.exp(values)
        found: dict[str, Any] = {name: e[self._parameters.index[name]] for name in PRIORS["shared"]}
        for name, at in (*self._by_generation.items(), *self._by_engine.items()):
            found[name] = found[name] * e[at]
        for factor, at in self._by_format.items():
            for name in FORMAT_FACTORS[factor]:
                found[name] = found[name] * np.where(at >= 0, e[at], 1.0)
        found["interference"] = found["interference"] * np.where(
            self.lockstep, e[self._parameters.index["lockstep"]], 1
        )
        found |= {"hop_s": e[self._hop], "link": e[self._link], "factor": e[self._pair]}
        return Constants(**found, host_overlap=self._overlap, **FIRST)

    def predict(self, values: Array) -> Array:
        """Return the logarithm of each row's predicted figure."""
        constants = self.constants(values)
        output = self.replicas * formula.tokens_per_second(self.costs, constants)
        filled = 1 + np.exp(values)[self._tail] * np.minimum(self.costs.batch / self.prompts, 1.0)
        output = np.where(self.at_once, output / filled, output)
        return np.log(np.where(self.is_output, output, formula.token_seconds(self.costs, constants)))

    def errors(self, values: Array) -> Array:
        """Return the logarithm of predicted over measured speed."""
        return (self.predict(values) - self.logarithm) * np.where(self.is_output, 1.0, -1.0)


def costs_of(row: Measured, batch: float | None = None) -> Costs:
    return nominal_costs(
        row.work, row.hardware, row.layout, row.cache, row.lengths, batch=batch or row.batch, chunk=row.chunk
    )


def stack(costs: Sequence[Costs]) -> Costs:
    """Stack the rows' costs into one record of arrays."""
    return Costs(**{f.name: np.array([getattr(each, f.name) for each in costs], float) for f in fields(Costs)})


def weights(rows: Sequence[Measured]) -> Array:
    counts = Counter(row.model for row in rows)
    found = np.array([counts[row.model] ** -0.25 for row in rows])
    found /= np.sqrt((found**2).mean())
    return found * np.array([QUALITY[row.quality] for row in rows])


def robust(residuals: Array) -> Array:
    """Return robust residuals, whose squares grow only linearly for outliers."""
    return np.sign(residuals) * FAR * np.sqrt(2 * (np.sqrt(1 + (residuals / FAR) ** 2) - 1))


def fit(table: Table, parameters: Parameters, start: Array | None = None) -> Array:
    """Return the fitted logarithms."""
    mean, spread = np.array(parameters.mean), np.array(parameters.spread)

    def residuals(values: Array) -> Array:
        misses = table.weight * robust((table.predict(values) - table.logarithm) / SPREAD)
        return np.concatenate([misses, (values - mean) / spread])

    first = mean.copy() if start is None else start
    return least_squares(residuals, first, max_nfev=60 if start is None else 8).x


class FirstTokens:
    """Rows with a time to first token; their speeds are already fitted."""

    def __init__(self, rows: Sequence[Measured], table: Table, speed: Array, parameters: Parameters) -> None:
        self.rows, self.weight, self._parameters = rows, weights(rows), parameters
        self.logarithm = np.log([row.first_token_s or 1.0 for row in rows])
        constants = table.constants(speed)
        self._prompt, self._step = (
            formula.prompt_seconds(table.costs, constants),
            formula.step_seconds(table.costs, constants),
        )
        self._ahead = (table.costs.batch - 1) / 2
        self._base = parameters.at([f"base {row.engine}" for row in rows])
        self._share = parameters.at([f"prompt {row.engine}" for row in rows])
        self._queue = parameters.at(["lockstep_queue" if row.is_lockstep else "queue" for row in rows])

    def predict(self, values: Array) -> Array:
        e = np.exp(values)
        prompts = e[self._share] * self._prompt * (1 + e[self._queue] * self._ahead)
        return np.log(e[self._base] + prompts + e[self._parameters.index["step"]] * self._step)

    def fit(self) -> Array:
        mean, spread = np.array(self._parameters.mean), np.array(self._parameters.spread)

        def residuals(values: Array) -> Array:
            misses = self.weight * robust((self.predict(values) - self.logarithm) / FIRST_SPREAD)
            return np.concatenate([misses, (values - mean) / spread])

        return least_squares(residuals, mean.copy()).x
