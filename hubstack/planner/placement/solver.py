# SPDX-License-Identifier: Apache-2.0
"""Which candidate each model gets, so that the total cost is minimal.

Owns the objective: the price of the nodes needed with every model at `replicas.max` on the first step of its
capacity list. Existing models keep their places. Servers of one class share nodes, and their sizes are powers of
two that divide a node, so their places simply add up. HiGHS solves the integer program
(docs/adr/0007-fleet-price.md) with one thread, a fixed seed and a node limit, so that equal input gives equal
output. A greedy search is the fallback if HiGHS finds no solution within its limits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hubstack.planner.placement.candidates import Candidate

TIME_LIMIT_SECONDS = 10.0
NODE_LIMIT = 2_000
"""Limit on search tree nodes, reached before the time limit so that slow machines give the same answer."""
RELATIVE_GAP = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One model to place."""

    key: str
    servers: int
    """Servers at `replicas.max`, at least 1."""
    candidates: tuple[Candidate, ...]
    """Candidates, cheapest on its own first; not empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """The candidate chosen for each model."""

    taken: Mapping[str, Candidate]
    usd_per_hour: float
    """USD per hour of all nodes."""
    bound: float | None
    """Proven lower bound of the cost; None if the solver did not run or found no solution."""


def assign(wanted: Sequence[Wanted], kept: Mapping[str, Candidate] | None = None) -> Assignment:
    """Choose a candidate for each model; models in `kept` keep theirs."""
    kept = kept or {}
    servers = {each.key: each.servers for each in wanted}
    free = [each for each in wanted if each.key not in kept]
    held: dict[str, int] = {}
    for key, candidate in kept.items():
        held[candidate.key] = held.get(candidate.key, 0) + candidate.offer.taken * servers[key]
    problem = _Problem.of(free, held)
    solved = problem.solve() if problem.has_choice() else None
    chosen = problem.spread(solved.counts) if solved else _greedy(free, held)
    taken = dict(sorted({**kept, **chosen}.items()))
    return Assignment(taken=taken, usd_per_hour=fleet_usd(taken, servers), bound=solved.bound if solved else None)


def fleet_usd(taken: Mapping[str, Candidate], servers: Mapping[str, int]) -> float:
    """Return USD per hour of the nodes needed for these numbers of servers."""
    used: dict[str, int] = {}
    classes: dict[str, Candidate] = {}
    for key, candidate in taken.items():
        classes[candidate.key] = candidate
        used[candidate.key] = used.get(candidate.key, 0) + candidate.offer.taken * servers[key]
    return sum(classes[key].usd * -(-places // classes[key].offer.units) for key, places in used.items())


def without_dominated(each: Wanted, shared: frozenset[str] = frozenset()) -> tuple[Candidate, ...]:
    """Return the candidates that can be part of a cheapest solution.

    A candidate that costs more than the cheapest one even on full nodes is only useful on nodes that other models
    already pay for (`shared`).
    """
    best = each.candidates[0]
    limit = best.alone(each.servers)
    kept = [best]
    seen = {best.key}
    for candidate in each.candidates[1:]:
        offer = candidate.offer
        full = candidate.usd * offer.taken * each.servers / offer.units
        # Larger nodes cost the same per GPU, within a cent.
        if candidate.key not in seen and (full < 0.999 * limit or candidate.key in shared):
            seen.add(candidate.key)
            kept.append(candidate)
    return tuple(kept)


@dataclass(slots=True)
class _Group:
    """Models that are identical for the solver."""

    options: tuple[Candidate, ...]
    servers: int
    members: list[Wanted] = field(default_factory=list[Wanted])


@dataclass(frozen=True, slots=True)
class _Solved:
    counts: list[list[int]]
    """Number of members of each group on each of its options."""
    bound: float


@dataclass(slots=True)
class _Problem:
    groups: list[_Group]
    held: Mapping[str, int]

    @classmethod
    def of(cls, free: Sequence[Wanted], held: Mapping[str, int]) -> "_Problem":
        first = [without_dominated(each) for each in free]
        nodes = {c.key for options in first for c in options if c.offer.units > c.offer.taken}
        shared = frozenset(nodes | set(held))
        groups: dict[tuple[object, ...], _Group] = {}
        for each in free:
            options = without_dominated(each, shared)
            signature = (each.servers, *((c.key, c.offer.taken) for c in options))
            groups.setdefault(signature, _Group(options, each.servers)).members.append(each)
        return cls(list(groups.values()), held)

    def has_choice(self) -> bool:
        return any(len(group.options) > 1 for group in self.groups)

    def spread(self, counts: list[list[int]]) -> dict[str, Candidate]:
        """Assign each group's options to its members in the order of their keys."""
        chosen: dict[str, Candidate] = {}
        for group, numbers in zip(self.groups, counts, strict=True):
            places = [at for at, n in enumerate(numbers) for _ in range(n)]
            for member, at in zip(sorted(group.members, key=lambda m: m.key), places, strict=True):
                wanted = group.options[at]
                # Members of a group differ in memory, not in capacity class.
                own = (c for c in member.candidates if c.key == wanted.key and c.offer.taken == wanted.offer.taken)
                chosen[member.key] = next(own)
        return chosen

    def solve(self) -> _Solved | None:
        """Return the solution, or None if the solver found none within its limits."""
        import highspy  # noqa: PLC0415  half of what a small plan costs
        import numpy as np  # noqa: PLC0415
        from highspy._core import _Highs  # noqa: PLC0415  # pyright: ignore[reportPrivateUsage]

        classes = {c.key: c for group in self.groups for c in group.options}
        names = sorted(classes)
        row_of = {name: len(self.groups) + at for at, name in enumerate(names)}
        cost: list[float] = []
        upper: list[float] = []
        starts: list[int] = [0]
        index: list[int] = []
        value: list[float] = []
        for at, group in enumerate(self.groups):
            for rank, option in enumerate(group.options):
                cost.append(1e-5 * rank)  # among equals, prefer the model's own first choice
                upper.append(len(group.members))
                index += [at, row_of[option.key]]
                value += [1.0, -float(option.offer.taken * group.servers)]
                starts.append(len(index))
        for name in names:
            cost.append(classes[name].usd)
            upper.append(float("inf"))
            index.append(row_of[name])
            value.append(float(classes[name].offer.units))
            starts.append(len(index))
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(cost), len(self.groups) + len(names)
        lp.col_cost_ = np.array(cost)
        lp.col_lower_ = np.zeros(len(cost))
        lp.col_upper_ = np.array(upper)
        sizes = [float(len(group.members)) for group in self.groups]
        lp.row_lower_ = np.array(sizes + [float(self.held.get(name, 0)) for name in names])
        lp.row_upper_ = np.array(sizes + [float("inf")] * len(names))
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_ = np.array(starts)
        lp.a_matrix_.index_ = np.array(index)
        lp.a_matrix_.value_ = np.array(value)
        lp.integrality_ = [highspy.HighsVarType.kInteger] * len(cost)
        # The public subclass prints a banner on stdout when it is created (highspy 1.16.0, 2026-11-24).
        solver = _Highs()
        for option, said in (
            ("output_flag", False),
            ("threads", 1),
            ("random_seed", 0),
            ("parallel", "off"),
            ("time_limit", TIME_LIMIT_SECONDS),
            ("mip_max_nodes", NODE_LIMIT),
            ("mip_rel_gap", RELATIVE_GAP),
        ):
            solver.setOptionValue(option, said)
        solver.passModel(lp)
        solver.run()
        info = solver.getInfo()
        if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
            return None
        numbers = iter(solver.getSolution().col_value)
        counts = [[round(next(numbers)) for _ in group.options] for group in self.groups]
        return _Solved(counts, info.mip_dual_bound)


def _greedy(free: Sequence[Wanted], held: Mapping[str, int]) -> dict[str, Candidate]:
    """Start from each model's cheapest candidate, then move models onto shared nodes while that saves money."""
    chosen = {each.key: each.candidates[0] for each in free}
    servers = {each.key: each.servers for each in free}
    classes = {c.key: c for each in free for c in each.candidates}

    def cost(taken: Mapping[str, Candidate]) -> float:
        used = dict(held)
        for key, candidate in taken.items():
            used[candidate.key] = used.get(candidate.key, 0) + candidate.offer.taken * servers[key]
        return sum(classes[k].usd * -(-n // classes[k].offer.units) for k, n in used.items() if k in classes)

    best = cost(chosen)
    for name in sorted(classes):
        able = [
            (each, c) for each in free for c in each.candidates if c.key == name and chosen[each.key].key != name
        ]
        able.sort(key=lambda pair: (-chosen[pair[0].key].alone(pair[0].servers) / pair[1].offer.taken, pair[0].key))
        moved = dict(chosen)
        for each, candidate in able:
            moved[each.key] = candidate
            price = cost(moved)
            if price < best - 1e-9:
                best, chosen = price, dict(moved)
    return chosen
