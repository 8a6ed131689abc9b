# SPDX-License-Identifier: Apache-2.0
"""The plan of tests.support.plans with service levels, and monitoring on."""

from dataclasses import replace

from hubstack.catalog import load_catalog
from hubstack.kinds import EngineKind
from hubstack.plan import ModelPlan, Plan
from hubstack.plan.settings import MonitoringPlan, SloPlan
from hubstack.planner.serving.slo import latency_metric
from tests.support.plans import make_plan, with_engine


def with_level(
    model: ModelPlan, kind: EngineKind, *, seconds: float = 2.0, percent: float = 95, errors: float = 1
) -> ModelPlan:
    """Return the model on another engine, with the service level that fits it."""
    metrics = load_catalog().engine_metrics[kind]
    measured = latency_metric(metrics)
    slo = SloPlan(
        seconds=seconds,
        bucket_seconds=measured.bucket_at_least(seconds) if measured else None,
        measured="time_to_first_token" if metrics.time_to_first_token else "request_duration" if measured else None,
        latency_percent=percent,
        error_percent=errors if metrics.errors else None,
    )
    return replace(with_engine(model, kind), slo=slo)


def observed_plan(monitoring: MonitoringPlan | None = None) -> Plan:
    """Return the plan, watched."""
    plan = make_plan()
    models = tuple(with_level(model, model.server.engine) for model in plan.models)
    table = load_catalog().engine_metrics
    return replace(plan, models=models, monitoring=monitoring or MonitoringPlan(), engine_metrics=table)
