# SPDX-License-Identifier: Apache-2.0
"""One replica under load: how many sequences run at once, how fast, and from which load on requests wait.

Owns the way from a load to a batch. Does not own the costs of a batch (`.costs`) nor their seconds (`.formula`).
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

from hubstack.planner.performance import formula
from hubstack.planner.performance.constants import Fitted
from hubstack.planner.performance.costs import Cache, Costs, Layout, Lengths, nominal_costs
from hubstack.planner.performance.hardware import Hardware
from hubstack.planner.performance.work import Work

GROWN = 0.7
"""Fraction of its output for which a running sequence reserves cache: it is admitted by its prompt and grows."""
QUEUED_SECONDS = 0.1
"""Our choice: a mean wait that a person begins to notice."""
_BISECTIONS = 10
"""To a thousandth of the largest batch, or rate."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A correction factor by batch; 1 without points."""

    points: tuple[tuple[float, float], ...] = ()
    """Pairs of log batch size and log factor, ascending."""

    def at(self, batch: float) -> float:
        """Return the factor at a batch: interpolated between points, constant beyond them."""
        if not self.points:
            return 1.0
        here = math.log(max(batch, 1.0))
        before = [point for point in self.points if point[0] <= here]
        after = [point for point in self.points if point[0] > here]
        if not before or not after:
            return math.exp((before[-1] if before else after[0])[1])
        (x0, y0), (x1, y1) = before[-1], after[0]
        return math.exp(y0 + (y1 - y0) * (here - x0) / (x1 - x0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """Measured over predicted figures of a setup."""

    rate: Curve = Curve()
    token: Curve = Curve()
    first_token: Curve = Curve()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A model on the accelerators of one replica, with its engine."""

    work: Work
    hardware: Hardware
    layout: Layout
    cache: Cache
    batch_limit: int
    """Maximum number of sequences that the engine runs at once."""
    chunk: int
    """Maximum prompt tokens per step."""
    fitted: Fitted
    correction: Correction = Correction()
    """Correction from measurements of this setup (`.measured`)."""


@dataclass(frozen=True)
class Replica:
    """A setup with requests of average length."""

    setup: Setup
    lengths: Lengths

    def costs(self, batch: float) -> Costs:
        """Return the nominal costs of a running batch."""
        s = self.setup
        return nominal_costs(
            s.work, s.hardware, s.layout, s.cache, self.lengths, batch=max(batch, 1.0), chunk=s.chunk
        )

    @cached_property
    def full(self) -> float:
        """Maximum number of running sequences."""
        held = self.setup.cache.sequences(self.lengths.prompt + GROWN * self.lengths.answer)
        return max(1.0, min(float(self.setup.batch_limit), held))

    @cached_property
    def full_costs(self) -> Costs:
        """Costs of the largest batch."""
        return self.costs(self.full)

    @cached_property
    def most_per_second(self) -> float:
        """Requests per second if the batch is always full."""
        return self.rate_of(self.full)

    def rate_of(self, batch: float) -> float:
        """Return the request rate at which this number of sequences runs."""
        tokens = formula.tokens_per_second(self.costs(batch), self.setup.fitted.constants)
        return tokens / self.lengths.answer * self.setup.correction.rate.at(batch)

    def batch_at(self, rate: float) -> float:
        """Return the running sequences at a request rate; the largest batch if the rate is too high."""
        low, high = 1.0, self.full
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            if self.rate_of(middle) < rate:
                low = middle
            else:
                high = middle
        return high

    def token_seconds(self, batch: float) -> float:
        """Return the time between two tokens."""
        seconds = formula.token_seconds(self.costs(batch), self.setup.fitted.constants)
        return seconds * self.setup.correction.token.at(batch)

    def first_token_seconds(self, batch: float) -> float:
        """Return the time to the first token if a slot is free."""
        seconds = formula.first_token_seconds(self.costs(batch), self.setup.fitted.constants)
        return seconds * self.setup.correction.first_token.at(batch)

    def wait_seconds(self, rate: float) -> float:
        """Return the mean wait for a slot (Sakasegawa's approximation, random arrivals)."""
        load = rate / self.most_per_second
        if load >= 1:
            return math.inf
        stay = self.full / self.most_per_second
        return load ** (math.sqrt(2 * (self.full + 1)) - 1) / (self.full * (1 - load)) * stay

    @cached_property
    def queue_from(self) -> float:
        """Request rate above which the mean wait becomes noticeable."""
        low, high = 0.0, self.most_per_second
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            if self.wait_seconds(middle) < QUEUED_SECONDS:
                low = middle
            else:
                high = middle
        return low

    @cached_property
    def prompt_share(self) -> float:
        """Fraction of a full replica's time spent on prompts; the rest generates output."""
        constants = self.setup.fitted.constants
        prompts = self.full * formula.prompt_seconds(self.full_costs, constants) / self.full_costs.stages
        return prompts / (prompts + self.lengths.answer * formula.step_seconds(self.full_costs, constants))

    def with_lengths(self, lengths: Lengths) -> "Replica":
        """Return the replica with different request lengths."""
        return replace(self, lengths=lengths)


def texts_per_second(setup: Setup, tokens: float) -> float:
    """Return the texts per second that a model embeds or ranks: full steps of prompts without output."""
    together = max(1.0, setup.chunk / tokens)
    lengths = Lengths(prompt=tokens, answer=1.0)
    costs = nominal_costs(
        setup.work, setup.hardware, setup.layout, setup.cache, lengths, batch=together, chunk=setup.chunk
    )
    return costs.stages / formula.prompt_seconds(costs, setup.fitted.constants) * setup.correction.rate.at(together)
