# SPDX-License-Identifier: Apache-2.0
"""A stack's monitoring as plain data: scraping, dashboards and alerts, derived from its plan.

Owns queries, thresholds and layouts. Pure. Does not own notification
recipients (`hubstack.inputs.monitoring`) nor registration (`components/pulumi_hubstack/observability.py`).
Decisions: docs/adr/0010.
"""

from hubstack.deploy.monitoring.alerts import Alert, list_alerts
from hubstack.deploy.monitoring.dashboards import Dashboard, list_dashboards
from hubstack.deploy.monitoring.scrape import pod_monitorings, state_metrics

__all__ = [
    "Alert",
    "Dashboard",
    "list_alerts",
    "list_dashboards",
    "pod_monitorings",
    "state_metrics",
]
