# SPDX-License-Identifier: Apache-2.0
"""Which candidate each model takes, so that the whole fleet is cheapest.

Owns the objective: the price of the nodes that hold every model at its most replicas, on the first step of its
capacity list; and that what stands stays where it is. Servers of one class share nodes; their sizes are powers of
two that divide a node, so the places that they take add up. The integer program is solved by HiGHS
(docs/adr/0007-fleet-price.md), with one thread, a fixed seed and a limit in nodes, so that equal input gives equal
output; a greedy search stands in where it finds nothing in its limits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hubstack.planner.placement.candidates import Candidate

TIME_LIMIT_SECONDS = 10.0
NODE_LIMIT = 2_000
"""Of the search tree: reached before the time limit, so that a slow machine gives the same answer."""
RELATIVE_GAP = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One model to place."""

    key: str
    servers: int
    """At its most replicas, at least 1."""
    candidates: tuple[Candidate, ...]
    """The cheapest alone first; not empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What each model takes."""

    taken: Mapping[str, Candidate]
    usd_per_hour: float
    """Of all nodes."""
    bound: float | None
    """No fleet of these candidates costs less; None where the solver was not asked or gave none."""


def assign(wanted: Sequence[Wanted], kept: Mapping[str, Candidate] | None = None) -> Assignment:
    """Choose a candidate for each model, leaving those that are kept where they are."""
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
    """Return USD an hour of the nodes that hold so many servers of each model."""
    used: dict[str, int] = {}
    classes: dict[str, Candidate] = {}
    for key, candidate in taken.items():
        classes[candidate.key] = candidate
        used[candidate.key] = used.get(candidate.key, 0) + candidate.offer.taken * servers[key]
    return sum(classes[key].usd * -(-places // classes[key].offer.units) for key, places in used.items())


def worth_solving(each: Wanted, shared: frozenset[str] = frozenset()) -> tuple[Candidate, ...]:
    """Drop candidates that no cheapest fleet needs.

    One that costs more than the cheapest alone even where its nodes are full is of use only on a node that others
    have paid for (`shared`).
    """
    best = each.candidates[0]
    limit = best.alone(each.servers)
    kept = [best]
    seen = {best.key}
    for candidate in each.candidates[1:]:
        offer = candidate.offer
        full = candidate.usd * offer.taken * each.servers / offer.units
        # Larger nodes cost the same by the card but for a cent.
        if candidate.key not in seen and (full < 0.999 * limit or candidate.key in shared):
            seen.add(candidate.key)
            kept.append(candidate)
    return tuple(kept)


@dataclass(slots=True)
class _Group:
    """Models that the solver need not tell apart."""

    options: tuple[Candidate, ...]
    servers: int
    members: list[Wanted] = field(default_factory=list[Wanted])


@dataclass(frozen=True, slots=True)
class _Solved:
    counts: list[list[int]]
    """Members of each group on each of its options."""
    bound: float


@dataclass(slots=True)
class _Problem:
    groups: list[_Group]
    held: Mapping[str, int]

    @classmethod
    def of(cls, free: Sequence[Wanted], held: Mapping[str, int]) -> "_Problem":
        first = [worth_solving(each) for each in free]
        nodes = {c.key for options in first for c in options if c.offer.units > c.offer.taken}
        shared = frozenset(nodes | set(held))
        groups: dict[tuple[object, ...], _Group] = {}
        for each in free:
            options = worth_solving(each, shared)
            signature = (each.servers, *((c.key, c.offer.taken) for c in options))
            groups.setdefault(signature, _Group(options, each.servers)).members.append(each)
        return cls(list(groups.values()), held)

    def has_choice(self) -> bool:
        return any(len(group.options) > 1 for group in self.groups)

    def spread(self, counts: list[list[int]]) -> dict[str, Candidate]:
        """Hand a group's options to its members in the order of their keys."""
        chosen: dict[str, Candidate] = {}
        for group, numbers in zip(self.groups, counts, strict=True):
            places = [at for at, n in enumerate(numbers) for _ in range(n)]
            for member, at in zip(sorted(group.members, key=lambda m: m.key), places, strict=True):
                wanted = group.options[at]
                # Members of a group differ in their memory, not in their classes.
                own = (c for c in member.candidates if c.key == wanted.key and c.offer.taken == wanted.offer.taken)
                chosen[member.key] = next(own)
        return chosen

    def solve(self) -> _Solved | None:
        """Solve it; None where the limits were reached with nothing found."""
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
                cost.append(1e-5 * rank)  # of equals, the one that is preferred alone
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
        # The class over this one prints a banner on standard output when it is made (highspy 1.16.0, 2026-11-24).
        solver = _Highs()
        for option, said in (
            ("output_flag", False), ("threads", 1), ("random_seed", 0), ("parallel", "off"),
            ("time_limit", TIME_LIMIT_SECONDS), ("mip_max_nodes", NODE_LIMIT), ("mip_rel_gap", RELATIVE_GAP),
        ):  # fmt: skip
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
    """Start from each model's cheapest alone, then move models together onto shared nodes while that saves."""
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
