# SPDX-License-Identifier: Apache-2.0
"""The service level objective behind a model's alerts: requested or default, fitted to the engine's metrics.

Owns the rounding to histogram buckets. Does not own the queries (`hubstack.deploy.monitoring`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from hubstack.catalog import EngineMetrics, Metric
from hubstack.catalog.engine_metrics import ROLES
from hubstack.inputs.models_schema import Slo
from hubstack.kinds import EngineKind
from hubstack.plan import ModelPlan, Reason
from hubstack.plan.settings import SloPlan


def latency_metric(metrics: EngineMetrics) -> Metric | None:
    """Return the latency histogram: time to first token, else request duration, else None."""
    return metrics.time_to_first_token or metrics.request_duration


def metrics_in_use(
    models: Iterable[ModelPlan], table: Mapping[EngineKind, EngineMetrics]
) -> dict[EngineKind, EngineMetrics]:
    """Return the metrics of the models' engines and of engines that share one, whose family has a common name.

    Notes and sources stay in the catalogue.
    """
    used = [table[kind] for kind in {model.server.engine for model in models}]

    def shares(one: EngineMetrics, other: EngineMetrics) -> bool:
        return any(getattr(one, role) == getattr(other, role) is not None for role in ROLES)

    return {
        kind: replace(each, notes=(), sources=())
        for kind, each in table.items()
        if any(shares(each, other) for other in used)
    }


def plan_slo(asked: Slo, metrics: EngineMetrics) -> tuple[SloPlan, Reason]:
    """Return the service level objective of a model whose engine has these metrics, and the reason for it."""
    seconds = asked.time_to_first_token_seconds
    measured = latency_metric(metrics)
    # Latencies above the engine's last bucket cannot be distinguished, so the last bucket is the limit.
    bucket = (measured.bucket_at_least(seconds) or measured.buckets[-1]) if measured else None
    slo = SloPlan(
        seconds=seconds,
        bucket_seconds=bucket,
        measured="time_to_first_token" if metrics.time_to_first_token else "request_duration" if measured else None,
        latency_percent=asked.latency_percent,
        error_percent=asked.error_percent if metrics.errors else None,
    )
    text = "; ".join((_latency_text(slo, metrics), _error_text(slo, metrics)))
    is_asked = asked.model_fields_set - {"time_per_output_token_seconds"}
    source = "request" if is_asked else "our choice; docs/concepts/monitoring.md"
    return slo, Reason(topic="slo", text=text, source=source)


def _latency_text(slo: SloPlan, metrics: EngineMetrics) -> str:
    if slo.bucket_seconds is None:
        return f"no latency alert: {metrics.absent['time_to_first_token']}"
    what = "to the first token" if slo.measured == "time_to_first_token" else "for the complete response"
    text = f"{slo.latency_percent:g} % of requests wait at most {slo.bucket_seconds:.4g} s {what}"
    if slo.bucket_seconds == slo.seconds:
        return text
    if slo.bucket_seconds < slo.seconds:
        return f"{text} ({slo.seconds:g} s requested, but this is the engine's largest histogram bucket)"
    return f"{text} (the engine's next histogram bucket above {slo.seconds:g} s)"


def _error_text(slo: SloPlan, metrics: EngineMetrics) -> str:
    if slo.error_percent is None:
        return f"no error alert: {metrics.absent['errors']}"
    return f"at most {slo.error_percent:g} % fail"
