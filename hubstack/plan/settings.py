# SPDX-License-Identifier: Apache-2.0
"""Settings of a stack as a plan carries them: monitoring, service levels, maintenance and security.

Owns the types. `hubstack.inputs` reads them from the stack's settings.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SloPlan:
    """The service level of one model, as far as its engine can be held to it."""

    seconds: float
    """Longest wait, as asked."""
    bucket_seconds: float | None
    """The bound of the engine's histogram that stands for it; None where the engine measures no wait."""
    measured: str | None
    """`time_to_first_token`, or `request_duration` where an answer comes whole; None where neither is measured."""
    latency_percent: float
    """Share of requests that must be that fast."""
    error_percent: float | None
    """Share of requests that may fail; None where the engine counts no failures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringPlan:
    """Who is told of incidents, and what the bill is held to."""

    emails: tuple[str, ...] = ()
    """Each gets a notification channel."""
    channels: tuple[str, ...] = ()
    """Names of notification channels that are there already."""
    billing_account: str | None = None
    """Account that a budget is declared on; None: no budget."""
    budget_usd_per_month: float | None = None
    """What the billing alert watches: `hubstack:billingBudget`, else `hubstack:budget`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenancePlan:
    """When GKE may upgrade, in GKE's words."""

    start_time: str
    """Of the first window, RFC 3339."""
    end_time: str
    recurrence: str
    """RFC 5545."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityPlan:
    """What is asked of Google beyond its defaults."""

    binary_authorization: bool = False
    """Images are held against the project's Binary Authorization policy."""
    kms_key: str | None = None
    """Cloud KMS key of the region that encrypts what the stack stores; None: Google's own keys."""
    restricted_apis: bool = False
    """Google's APIs are reached at the addresses that VPC Service Controls guards, and at no other."""
    perimeter: str | None = None
    """Service perimeter that the project is put into; needs `restricted_apis`, and turns it on."""
