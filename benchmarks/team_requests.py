# SPDX-License-Identifier: Apache-2.0
"""Ten teams' requests in words as `traffic:`, and what hubstack takes beside what others would.

    python -m benchmarks.team_requests

- hubstack: the whole plan of one model in us-central1, on demand.
- measured: who reads public measurements only (../shared/facts/throughput.yaml) and no formula. Of the rows of the model, in
  any number format, whose prompt and answer are within four times of those asked and whose latency meets the limits,
  the cheapest on Google Cloud at 80 % of the measured rate, scaled by the tokens. Without such a row this reader has no answer.
- recipe: GoogleCloudPlatform/accelerated-platforms, one replica; it says nothing of load.
- GKE Inference Quickstart answers from measured profiles behind an API; no figure of it could be read.
"""

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from hubstack.plan import ModelPlan, Plan
from hubstack.planner.always_on import HOURS_PER_MONTH, ITEM
from tests.support.facts import ask, catalog, hub, plan

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks" / "team_requests.md"
ROWS = Path(__file__).resolve().parents[2] / "shared" / "facts" / "throughput.yaml"
REGION = "us-central1"
LOAD = 0.8
"""Share of a measured rate that a reader plans with."""
NEAR = 4.0
"""Lengths that a reader still finds comparable: up to four times, with the rate scaled by the tokens."""
NAMES = {"h200": "h200-141gb"}


@dataclass(frozen=True)
class Request:
    """What a team says, and the same as settings."""

    words: str
    model: str
    traffic: dict[str, float]
    slo: dict[str, float]
    twins: tuple[str, ...] = ()
    """Names of the same architecture and size in the measurements, with any number format."""
    recipe: str = "-"
    """Accelerators of one replica in accelerated-platforms (runtime.env of its overlays, August 2026)."""


def said(rate: float, prompt: int, answer: int = 0, **more: float) -> dict[str, float]:
    return {"requests_per_second": rate, "input_tokens": prompt, "output_tokens": answer, **more}


def limits(first: float | None = None, token_ms: float | None = None) -> dict[str, float]:
    both = {"time_to_first_token_seconds": first, "time_per_output_token_seconds": token_ms and token_ms / 1e3}
    return {key: value for key, value in both.items() if value}


LLAMA_70B = ("Llama-3.1-70B", "Llama-3.3-70B", "Llama-2-70b")
REQUESTS = (
    Request(
        "Support chat: 5 requests a second, 1,500 tokens in, 300 out; first token in 2 s, 50 ms a token",
        "meta-llama/Llama-3.3-70B-Instruct",
        said(5, 1500, 300, hours_per_day=12),
        limits(2, 50),
        LLAMA_70B,
        "4 x h100-80gb",
    ),
    Request(
        "Search over documents: 2 a second, 6,000 in of which 40 % repeat, 400 out; first token in 4 s",
        "Qwen/Qwen3-32B",
        said(2, 6000, 400, prefix_percent=40),
        limits(4),
        ("Qwen3-32B",),
        "1 x h100-80gb, 1 x rtx-pro-6000",
    ),
    Request(
        "Autocomplete: 20 a second, 1,000 in, 50 out; first token in 1 s",
        "Qwen/Qwen3-8B",
        said(20, 1000, 50),
        limits(1),
        ("Qwen3-8B",),
    ),
    Request(
        "Summaries by night: 10 a second for 8 hours, 4,000 in, 200 out; no limits",
        "Qwen/Qwen3-30B-A3B-Instruct-2507",
        said(10, 4000, 200, hours_per_day=8),
        {},
        ("Qwen3-30B-A3B",),
    ),
    Request(
        "Agents: 1 a second, 8,000 in of which 80 % repeat, 1,000 out; 40 ms a token",
        "MiniMaxAI/MiniMax-M2.5",
        said(1, 8000, 1000, prefix_percent=80),
        limits(None, 40),
        ("MiniMax-M2.5",),
    ),
    Request(
        "Chat of one department: 1 a second, 500 in, 200 out; first token in 2 s, 50 ms a token",
        "NousResearch/Meta-Llama-3-8B-Instruct",
        said(1, 500, 200, hours_per_day=10),
        limits(2, 50),
        ("Llama-3-8B", "Llama-3.1-8B"),
    ),
    Request(
        "Index of a shop: 200 texts a second of 256 tokens",
        "Qwen/Qwen3-Embedding-0.6B",
        said(200, 256),
        {},
    ),
    Request(
        "Reasoning: a request every 2 s, 1,000 in, 4,000 out; 60 ms a token",
        "deepseek-ai/DeepSeek-V3",
        said(0.5, 1000, 4000),
        limits(None, 60),
        ("DeepSeek-V3", "DeepSeek-R1"),
    ),
    Request(
        "Translation: 3 a second, 600 in, 600 out; 80 ms a token",
        "google/gemma-3-27b-it",
        said(3, 600, 600),
        limits(None, 80),
        ("gemma-3-27b",),
        "8 x l4",
    ),
    Request(
        "Voice: 10 a second, 800 in, 80 out; first token in 0.5 s, 25 ms a token",
        "Qwen/Qwen3-4B-Instruct-2507",
        said(10, 800, 80),
        limits(0.5, 25),
        ("Qwen3-4B",),
    ),
)


@dataclass(frozen=True)
class Choice:
    """Accelerators that somebody takes."""

    accelerator: str
    count: int
    replicas: int
    usd_per_month: float
    row: str = ""

    def __str__(self) -> str:
        return f"{self.replicas} x ({self.count} x {self.accelerator})"


def ours(request: Request) -> Choice | str:
    facts = hub(request.model)
    length = int(request.traffic["input_tokens"] + request.traffic["output_tokens"])
    context = 512 if not request.traffic["output_tokens"] else max(4096, 2 * length)
    asked: dict[str, Any] = {"traffic": request.traffic, "context": context}
    if request.slo:
        asked["slo"] = request.slo
    try:
        found = plan((facts, ask(facts.id, **asked)))
    except Exception as error:  # noqa: BLE001  what a team would read
        return str(error).splitlines()[0]
    model = found.models[0]
    needed = model.performance.traffic if model.performance else None
    replicas = needed.replicas if needed else model.replicas.max
    return Choice(model.accelerator, model.accelerator_count, replicas, _nodes(found, model, replicas))


def _nodes(found: Plan, model: ModelPlan, replicas: int) -> float:
    """Return USD a month of the model's nodes with as many replicas as the peak needs."""
    line = next(each for each in found.cost.lines if each.item != ITEM and "bucket" not in each.what)
    return (line.usd_per_month_max or 0) / model.replicas.max * replicas


def reader(request: Request) -> Choice | None:
    """Return what somebody takes who has only the measurements."""
    found = [choice for row in _rows() if (choice := _of_row(row, request))]
    return min(found, key=lambda each: each.usd_per_month, default=None)


def _of_row(row: dict[str, Any], request: Request) -> Choice | None:
    name = row["model"].rpartition("/")[2].lower()
    if not any(twin.lower() in name for twin in request.twins) or row.get("quality") == "C":
        return None
    prompt, answer = row.get("input_tokens"), row.get("output_tokens")
    wanted = request.traffic["input_tokens"], request.traffic["output_tokens"]
    if (
        not prompt
        or not answer
        or not all(1 / NEAR <= a / b <= NEAR for a, b in zip((prompt, answer), wanted, strict=True))
    ):
        return None
    first = row.get("ttft_ms_median") or row.get("ttft_ms_mean")
    token = row.get("tpot_ms_median") or row.get("tpot_ms_mean")
    longest, slowest = (request.slo.get(f"time_{key}_seconds") for key in ("to_first_token", "per_output_token"))
    if (longest and (not first or first > 1e3 * longest)) or (slowest and (not token or token > 1e3 * slowest)):
        return None
    rate = row.get("requests_per_s") or (row.get("output_tokens_per_s") or 0) / answer
    if not rate and row.get("concurrency") and first and token:
        rate = row["concurrency"] / ((first + token * (answer - 1)) / 1e3)  # Little's law
    kind = NAMES.get(row["accelerator"], row["accelerator"])
    usd = _usd(kind, int(row["count"]))
    if not rate or usd is None:
        return None
    rate *= (prompt + answer) / sum(wanted)
    replicas = math.ceil(request.traffic["requests_per_second"] / (LOAD * rate))
    return Choice(kind, int(row["count"]), replicas, usd * replicas * HOURS_PER_MONTH, str(row["id"]))


def _usd(accelerator: str, count: int) -> float | None:
    """Return USD an hour of the cheapest machines that have so many accelerators, by the share that is used."""
    found: list[float] = []
    for machine in catalog().machine_types.values():
        price = catalog().price(machine.name, REGION)
        if machine.accelerator != accelerator or machine.accelerator_fraction or not price or not price.on_demand:
            continue
        if count <= machine.accelerator_count or count % machine.accelerator_count == 0:
            found.append(price.on_demand * count / machine.accelerator_count)
    return min(found, default=None)


@cache
def _rows() -> list[dict[str, Any]]:
    return yaml.load(ROWS.read_text(), Loader=yaml.CSafeLoader)["rows"]


def main() -> None:
    lines = [
        "| request | model | hubstack | USD a month | measured | USD a month | hubstack to measured | recipe |",
        "| --- | --- | --- | ---: | --- | ---: | ---: | --- |",
    ]
    ratios: list[float] = []
    for request in REQUESTS:
        mine, read = ours(request), reader(request)
        usd = f"{mine.usd_per_month:,.0f}" if isinstance(mine, Choice) else "-"
        ratio = mine.usd_per_month / read.usd_per_month if isinstance(mine, Choice) and read else None
        ratios += [ratio] if ratio else []
        lines.append(
            f"| {request.words} | {request.model} | {mine} | {usd} "
            f"| {f'{read} ({read.row})' if read else 'no row'} | {f'{read.usd_per_month:,.0f}' if read else '-'} "
            f"| {f'{ratio:.2f}' if ratio else '-'} | {request.recipe} |"
        )
    cheaper = sum(1 for ratio in ratios if ratio <= 1.0)
    head = [
        "# Ten teams' requests",
        "",
        "Written by `python -m benchmarks.team_requests`: each request in words became `traffic:` and `slo:` "
        "([how](../concepts/traffic.md)).",
        "",
        f"- {len(ratios)} of {len(REQUESTS)} requests have a public measurement of the model near the lengths and within "
        f"the limits. Of these, hubstack's choice costs at most as much in {cheaper}.",
        *_explained(),
        "",
    ]
    text = "\n".join([*head, *lines]) + "\n"
    print(text)
    PAGE.write_text(text)


def _explained() -> list[str]:
    return [
        "- **hubstack**: replicas x (accelerators of one), for the peak, on demand in us-central1; nodes of a model "
        "alone, without the cluster.",
        "- **measured**: of the public measurements of the model in any number format, with prompt and answer within "
        "four times of those asked and latencies within the limits, the cheapest on Google Cloud at 80 % of its rate, "
        "scaled by the tokens; the row in parentheses. It assumes that a part of a machine can be paid for, and FP8 or FP4 weights where they were "
        "measured, which hubstack does not choose unasked: both make it cheaper than what can be bought.",
        "- **recipe**: one replica in GoogleCloudPlatform/accelerated-platforms (runtime.env of its vLLM overlays, "
        "2026-08); it does not depend on load.",
        "- GKE Inference Quickstart answers from measured profiles behind an API of Google Cloud; none of its figures "
        "could be read, so it is not in the table.",
    ]


if __name__ == "__main__":
    main()
