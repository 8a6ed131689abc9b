# SPDX-License-Identifier: Apache-2.0
"""Offline requests: the command of a model's batch runner, and how long and how much they take.

Owns both. The hours come from the predictor, at full load, plus the time to load the weights for each part.
"""

from hubstack import names
from hubstack.inputs.models_schema import Batch
from hubstack.plan import ModelPlan, Reason
from hubstack.plan.batch import BatchPlan
from hubstack.plan.performance import Estimate, usd_per_million
from hubstack.planner.engines import spec_of


def plan_batch(model: ModelPlan, asked: Batch) -> tuple[BatchPlan, Reason]:
    """Return the Job of a planned model and the reason with its estimates."""
    (bucket, source), (_, folder) = names.bucket_and_folder(asked.input), names.bucket_and_folder(asked.output)
    plan = BatchPlan(
        bucket=bucket,
        input=source,
        output=folder,
        parts=asked.parts,
        parallel=min(asked.parallel, asked.parts),
        command=(*model.server.command[:1], "run-batch", "--model", *model.server.args),
    )
    parts = f"{plan.parts} part{'s' if plan.parts > 1 else ''}, {plan.parallel} at once"
    texts = (f"{asked.input} in {parts}", _rate(model), _total(model, asked, plan))
    text = "; ".join(each for each in texts if each)
    return plan, Reason(topic="batch", text=f"{text}; not in the monthly price", source="docs/guides/batch.md")


def _rate(model: ModelPlan) -> str:
    found = model.performance
    usd = usd_per_million(found) if found else None
    if found is None:
        return "its speed is unknown"
    tokens = f"{found.input_tokens:,} + {found.output_tokens:,} tokens{' (assumed)' if found.is_assumed else ''}"
    price = f", {_usd(usd)} a million tokens" if usd else ""
    return f"{_figures(found.requests_per_second)} requests/s of {tokens} on one replica{price}"


def _total(model: ModelPlan, asked: Batch, plan: BatchPlan) -> str:
    """Return hours and cost of all requests; empty without their number."""
    found = model.performance
    if asked.requests is None or found is None:
        return ""
    starts = plan.parts * (model.loading.seconds + spec_of(model.server.engine).start_seconds) / 3600
    rates = found.requests_per_second
    # The fastest replica takes the fewest hours.
    replica_hours = [starts + asked.requests / rate / 3600 for rate in (rates.value, rates.high, rates.low)]
    likely, least, most = (hours / plan.parallel for hours in replica_hours)
    text = f"{asked.requests:,} requests take about {likely:,.1f} ({least:,.1f}-{most:,.1f}) hours"
    usd = model.usd_per_replica_hour
    if usd is None:
        return text
    cost, low, high = (hours * usd for hours in replica_hours)
    return f"{text} and ${cost:,.0f} (${low:,.0f}-${high:,.0f}), starts included"


def _figures(estimate: Estimate) -> str:
    return f"{estimate.value:.3g} ({estimate.low:.2g}-{estimate.high:.2g})"


def _usd(estimate: Estimate) -> str:
    return f"${estimate.value:.2g} (${estimate.low:.2g}-${estimate.high:.2g})"
