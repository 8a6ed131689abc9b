# SPDX-License-Identifier: Apache-2.0
"""A stack's monitoring: scraping, dashboards, alerts, notification channels and the budget. Decides nothing.

A budget belongs to a billing account, not to a project: whoever applies it needs `roles/billing.costsManager` on
that account.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from hubstack import names
from hubstack.deploy import manifests
from hubstack.deploy.monitoring import Alert, Dashboard
from hubstack.plan.settings import MonitoringPlan
from hubstack.plan.target import TargetPlan
from pulumi_hubstack._objects import register
from pulumi_hubstack._options import child, renamed

TOKEN = "hubstack:observability:Observability"  # noqa: S105  a type token
THRESHOLDS = ((0.5, "CURRENT_SPEND"), (0.9, "CURRENT_SPEND"), (1.0, "CURRENT_SPEND"), (1.0, "FORECASTED_SPEND"))
"""Threshold as a share of the budget, and whether it applies to actual or forecast spend."""
LOG_PERIOD = "3600s"
"""At most one notification per hour for log-based alerts."""
CLOSE_AFTER = "86400s"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservabilityArgs:
    """Inputs of monitoring."""

    target: TargetPlan
    monitoring: MonitoringPlan
    pod_monitorings: Mapping[str, manifests.Object]
    """By last part of the logical name."""
    dashboards: tuple[Dashboard, ...]
    alerts: tuple[Alert, ...]
    project_number: pulumi.Input[str]
    after: tuple[pulumi.Resource, ...]
    """Resources that objects in the cluster depend on: the namespace."""


class Observability(pulumi.ComponentResource):
    """PodMonitoring, dashboards, notification channels, alerting policies and budget."""

    def __init__(self, name: str, args: ObservabilityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        for key, obj in args.pod_monitorings.items():
            register(f"{name}-{key}", obj, child(self, depends_on=list(args.after)))
        for board in args.dashboards:
            self._dashboard(name, board)
        channels = [self._channel(name, args.target, email) for email in args.monitoring.emails]
        told = [*(channel.name for channel in channels), *args.monitoring.channels]
        for alert in args.alerts:
            self._policy(f"{name}-{alert.key}", args.target, alert, told)
        if args.monitoring.billing_account and args.monitoring.alert_budget:
            self._budget(name, args, told)
        self.register_outputs({})

    def _dashboard(self, name: str, board: Dashboard) -> None:
        text = json.dumps(board.content, sort_keys=True)
        if board.model is None:
            gcp.monitoring.Dashboard(f"{name}-stack", dashboard_json=text, opts=child(self))
            return
        options = renamed(child(self), "{}-dashboard", board.was)
        gcp.monitoring.Dashboard(f"{board.model}-dashboard", dashboard_json=text, opts=options)

    # The SDK warns about deprecated names when this module is imported, so annotations are quoted.
    def _channel(self, name: str, target: TargetPlan, email: str) -> "gcp.monitoring.NotificationChannel":
        return gcp.monitoring.NotificationChannel(
            # Two addresses may have the same slug.
            f"{name}-{names.slug(email)}-{names.short_hash(email, length=4)}",
            display_name=f"hubstack {target.stack}: {email}",
            type="email",
            labels={"email_address": email},
            user_labels=dict(target.labels),
            # An old address is removed from the policies before it is deleted.
            opts=child(self),
        )

    def _policy(self, name: str, target: TargetPlan, alert: Alert, channels: list[pulumi.Input[str]]) -> None:
        monitoring = gcp.monitoring
        is_log = alert.log_filter is not None
        monitoring.AlertPolicy(
            name,
            display_name=f"hubstack {target.stack}: {alert.title} ({alert.key})",
            combiner="OR",
            severity=alert.severity,
            conditions=[_condition(alert)],
            documentation=monitoring.AlertPolicyDocumentationArgs(
                content=alert.documentation, mime_type="text/markdown"
            ),
            alert_strategy=monitoring.AlertPolicyAlertStrategyArgs(
                auto_close=CLOSE_AFTER,
                notification_rate_limit=monitoring.AlertPolicyAlertStrategyNotificationRateLimitArgs(
                    period=LOG_PERIOD
                )
                if is_log
                else None,
            ),
            notification_channels=channels,
            user_labels=dict(target.labels),
            opts=child(self),
        )

    def _budget(self, name: str, args: ObservabilityArgs, channels: list[pulumi.Input[str]]) -> None:
        billing, stack, alert = gcp.billing, args.target.stack, args.monitoring.alert_budget
        billing.Budget(
            f"{name}-budget",
            billing_account=args.monitoring.billing_account or "",
            display_name=f"hubstack {stack}"[:60],
            budget_filter=billing.BudgetBudgetFilterArgs(
                projects=[pulumi.Output.concat("projects/", args.project_number)],
                labels={"hubstack-stack": names.label_value(stack)},
            ),
            amount=billing.BudgetAmountArgs(
                specified_amount=billing.BudgetAmountSpecifiedAmountArgs(
                    currency_code=alert.currency if alert else None, units=str(round(alert.units if alert else 0))
                )
            ),
            threshold_rules=[
                billing.BudgetThresholdRuleArgs(threshold_percent=share, spend_basis=basis)
                for share, basis in THRESHOLDS
            ],
            all_updates_rule=billing.BudgetAllUpdatesRuleArgs(monitoring_notification_channels=channels[:5])
            if channels
            else None,
            opts=child(self),
        )


def _condition(alert: Alert) -> "gcp.monitoring.AlertPolicyConditionArgs":
    monitoring = gcp.monitoring
    if alert.log_filter is not None:
        return monitoring.AlertPolicyConditionArgs(
            display_name=alert.title,
            condition_matched_log=monitoring.AlertPolicyConditionConditionMatchedLogArgs(
                filter=alert.log_filter, label_extractors=dict(alert.label_extractors)
            ),
        )
    return monitoring.AlertPolicyConditionArgs(
        display_name=alert.title,
        condition_prometheus_query_language=(
            monitoring.AlertPolicyConditionConditionPrometheusQueryLanguageArgs(
                query=alert.query or "",
                duration=f"{alert.duration_seconds}s",
                # The shortest window is five minutes, and each evaluation is billed.
                evaluation_interval="60s",
                # The metrics exist only after the first server runs.
                disable_metric_validation=True,
            )
        ),
    )
