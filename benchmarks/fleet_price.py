# SPDX-License-Identifier: Apache-2.0
"""Cost of hubstack's placements, compared with a lower bound and with one node pool per model.

40 random fleets of 5 to 200 models, drawn with fixed seeds from the 99 of ../shared/facts/hub_models.yaml. Three prices of each, of the nodes that hold every
model at its most replicas, on the first step of its capacity list:

- hubstack's, as `hubstack.planner.placement.solver` chooses;
- the bound: what HiGHS proves that no fleet costs less, over every candidate of every model, none left out and none put
  together as `hubstack.planner.placement.solver` does;
- one pool a model: each on the machine type that is cheapest for it alone, and no node shared.
"""

import random
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path

import highspy
import numpy as np
import yaml

from hubstack.files.errors import PlanError
from hubstack.hub.facts import ModelFacts
from hubstack.inputs.models import Request
from hubstack.inputs.settings import StackSettings
from hubstack.kinds import PlatformKind
from hubstack.planner.memory import sizing
from hubstack.planner.model_plan import Draft
from hubstack.planner.placement.candidates import CandidateFinder
from hubstack.planner.placement.offers import list_offers
from hubstack.planner.placement.solver import Wanted, assign
from hubstack.planner.planner import _survey, _wanted, _with_shared
from tests.support.facts import ask, catalog, plan_one, steps, target

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks" / "fleet_price.md"
SHARED = Path(__file__).resolve().parents[2] / "shared" / "facts"
FLEETS = 40
SMALL_PARAMETERS = 4_000_000_000
CAPACITY = (
    (("on-demand",), 5),
    (("spot", "on-demand"), 3),
    (("flex-start", "on-demand"), 1),
    (("reservation:team",), 2),
)
"""Default settings of a platform team, weighted."""
STANDARD = ((("h100-80gb",), 3), (("l4",), 1), (("a100-80gb", "h100-80gb"), 1), ((), 5))
"""Standard accelerators of a team for its larger models, weighted."""


@dataclass(frozen=True)
class Fleet:
    """One fleet to price."""

    ours: tuple[Wanted, ...]
    """Price bound over the candidates that the planner considers."""
    every: tuple[Wanted, ...]
    """Price bound over all candidates."""
    standard: bool
    """Whether the team has standard accelerators."""


def weighted(rng: random.Random, table):
    return rng.choices([row for row, _ in table], [weight for _, weight in table])[0]


def population() -> dict[str, ModelFacts]:
    """Return the models of the collection with enough facts to be planned."""
    found: dict[str, ModelFacts] = {}
    for row in yaml.safe_load((SHARED / "hub_models.yaml").read_text())["models"]:
        counted = row.get("safetensors_parameters") or {}
        config = dict(row.get("config") or {})
        facts = ModelFacts(
            id=row["id"],
            revision="main",
            commit="0" * 40,
            quantization=config.pop("quantization_config", {}),
            config=config,
            pipeline_tag=row.get("pipeline_tag"),
            library=row.get("library_name"),
            parameters=counted.get("by_dtype") or {},
            parameters_total=counted.get("total"),
        )
        try:
            plan_one(facts)
        except PlanError:
            continue
        found[facts.id] = facts
    return found


def draw(seed: int, models: dict[str, ModelFacts], finder: CandidateFinder, place: StackSettings) -> Fleet:
    rng = random.Random(seed)
    size = round(5 * (200 / 5) ** (seed / (FLEETS - 1)))
    capacity, standard = weighted(rng, CAPACITY), weighted(rng, STANDARD)
    drafts: dict[str, Draft] = {}
    while len(drafts) < size:
        repo_id = rng.choice(sorted(models))
        small = (models[repo_id].parameters_total or sizing.GIB) < SMALL_PARAMETERS
        model = ask(
            repo_id,
            key=f"m{len(drafts):03d}",
            context=rng.choice((2048, 8192, 8192, 32768)),
            concurrency=rng.choice((1, 2, 4, 16)),
            replicas={"max": rng.choice((1, 1, 1, 2, 3))},
            capacity=steps(*capacity),
            share_gpu=small and rng.random() < 0.8,
            accelerator=None if small else {"any": standard},
        )
        # What cannot be had as the team wishes is taken as it comes.
        for each in (model, model.changed(accelerator=None, capacity=steps("on-demand"), context=None)):
            request = Request(path="x", models=(each,))
            try:
                drafts |= _survey(
                    request, {each.key: models[repo_id]}, catalog(), {PlatformKind.GKE: finder}, place
                )
                break
            except PlanError:
                continue
    machines = frozenset(catalog().machine_types)
    every = [
        replace(_wanted(draft), candidates=finder.find_candidates(draft.demand, only=machines).fitting)
        for draft in drafts.values()
    ]
    ours = [_wanted(draft) for draft in _with_shared(drafts, {}, finder).values()]
    return Fleet(tuple(ours), tuple(every), bool(standard))


def bound(wanted: tuple[Wanted, ...]) -> float:
    """Return the highest lower bound that HiGHS proves for the price of these models."""
    pairs = [(at, c) for at, each in enumerate(wanted) for c in each.candidates]
    classes = {c.key: c for _, c in pairs}
    row_of = {key: len(wanted) + at for at, key in enumerate(classes)}
    starts, index, value = [0], [], []
    for at, c in pairs:
        index += [at, row_of[c.key]]
        value += [1.0, -float(c.offer.taken * wanted[at].servers)]
        starts.append(len(index))
    for key, c in classes.items():
        index.append(row_of[key])
        value.append(float(c.offer.units))
        starts.append(len(index))
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(starts) - 1, len(wanted) + len(classes)
    lp.col_cost_ = np.array([0.0] * len(pairs) + [c.usd for c in classes.values()])
    lp.col_lower_ = np.zeros(lp.num_col_)
    lp.col_upper_ = np.array([1.0] * len(pairs) + [float("inf")] * len(classes))
    lp.row_lower_ = np.array([1.0] * len(wanted) + [0.0] * len(classes))
    lp.row_upper_ = np.array([1.0] * len(wanted) + [float("inf")] * len(classes))
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = map(np.array, (starts, index, value))
    lp.integrality_ = [highspy.HighsVarType.kInteger] * lp.num_col_
    solver = highspy.Highs()
    for option, said in (("output_flag", False), ("threads", 1), ("time_limit", 30.0), ("mip_rel_gap", 1e-3)):
        solver.setOptionValue(option, said)
    solver.passModel(lp)
    solver.run()
    return solver.getInfo().mip_dual_bound


def main() -> None:
    place = target()
    finder = CandidateFinder(list_offers(catalog(), place), catalog(), place)
    models = population()
    print(
        f"{len(models)} models, {sum((m.parameters_total or 0) < SMALL_PARAMETERS for m in models.values())} of them small"
    )
    rows: list[tuple[int, int, bool, float, float, float, float]] = []
    for seed in range(FLEETS):
        fleet = draw(seed, models, finder, place)
        start = time.perf_counter()
        taken = assign(fleet.ours)
        seconds = time.perf_counter() - start
        alone = sum(min(c.alone(each.servers) for c in each.candidates) for each in fleet.every)
        low = bound(fleet.every)
        rows.append((seed, len(fleet.ours), fleet.standard, taken.usd_per_hour, low, alone, seconds))
    lines = [
        "| fleet | models | settled on accelerators | hubstack USD/h | bound | one pool a model | to bound | to one pool | s |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for seed, size, standard, ours, low, alone, seconds in rows:
        lines.append(
            f"| {seed} | {size} | {'yes' if standard else 'no'} | {ours:,.2f} | {low:,.2f} | {alone:,.2f} "
            f"| {ours / low:.4f} | {ours / alone:.3f} | {seconds:.2f} |"
        )
    to_bound = [ours / low for _, _, _, ours, low, _, _ in rows]
    settled = [ours / alone for _, _, standard, ours, _, alone, _ in rows if standard]
    free = [ours / alone for _, _, standard, ours, _, alone, _ in rows if not standard]
    together = sum(row[3] for row in rows) / sum(row[5] for row in rows)
    summary = [
        f"- To the bound: median {statistics.median(to_bound):.4f}, worst {max(to_bound):.4f} (to reach: 1.03).",
        f"- To one pool a model: all 40 fleets together {together:.3f} (to reach: 0.70); median of the "
        f"{len(settled)} whose team has settled on accelerators {statistics.median(settled):.3f}, of the {len(free)} "
        f"others {statistics.median(free):.3f}.",
    ]
    print("\n".join([*lines, *summary]))
    PAGE.parent.mkdir(exist_ok=True)
    text = "\n".join(
        ["# The price of fleets", "", "Written by `python -m benchmarks.fleet_price`.", "", *summary, "", *lines]
    )
    PAGE.write_text(text + "\n")


if __name__ == "__main__":
    main()
