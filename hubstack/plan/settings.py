# SPDX-License-Identifier: Apache-2.0
"""A stack's settings as a plan carries them: monitoring, service levels, maintenance and security.

Owns the types. `hubstack.inputs` reads them from the stack's settings.
"""

from dataclasses import dataclass, field

from hubstack.files.jsonable import OMITTED_IF_NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class SloPlan:
    """The service level of one model, as far as its engine's metrics can measure it."""

    seconds: float
    """Requested latency limit, in seconds."""
    bucket_seconds: float | None
    """The engine's histogram bucket used for it; None if the engine measures no latency."""
    measured: str | None
    """`time_to_first_token`, or `request_duration` if responses are not streamed; None if neither is measured."""
    latency_percent: float
    """Share of requests that must meet the limit."""
    error_percent: float | None
    """Share of requests that may fail; None if the engine counts no failures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """An amount in a billing account's currency."""

    units: float
    currency: str
    """ISO 4217 code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringPlan:
    """Who is notified of incidents, and the budget."""

    emails: tuple[str, ...] = ()
    """Email addresses; each gets a notification channel."""
    channels: tuple[str, ...] = ()
    """Names of existing notification channels."""
    billing_account: str | None = None
    """Billing account of the budget; None means no budget."""
    budget_usd_per_month: float | None = None
    """Amount for the billing alert: `hubstack:billingBudget`, or `hubstack:budget`."""
    budget: Money | None = field(default=None, metadata=OMITTED_IF_NONE)
    """The same, of an account in another currency."""

    @property
    def alert_budget(self) -> Money | None:
        """The amount for the billing alert, in the account's currency."""
        usd = self.budget_usd_per_month
        return self.budget or (Money(units=usd, currency="USD") if usd else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenancePlan:
    """When GKE may upgrade, in GKE's terms."""

    start_time: str
    """Start of the first window, RFC 3339."""
    end_time: str
    recurrence: str
    """RFC 5545."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretVersions:
    """How often each secret was given a new value, counted from 1."""

    api_key: int = 1
    hf_token: int = 1
    iap_client_secret: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityPlan:
    """Security settings beyond Google's defaults."""

    binary_authorization: bool = False
    """Whether images are checked against the project's Binary Authorization policy."""
    kms_key: str | None = None
    """Regional Cloud KMS key that encrypts what the stack stores; None uses Google's own keys."""
    restricted_apis: bool = False
    """Whether Google APIs are reached only at the addresses guarded by VPC Service Controls."""
    perimeter: str | None = None
    """Service perimeter to which the project is added; implies `restricted_apis`."""
    private_control_plane: bool = False
    """Whether the control plane is reached only at its address in the network, not through its DNS endpoint."""
    flow_logs: bool = False
    """Whether the subnet logs its connections."""
    intranode_visibility: bool = False
    """Whether traffic between pods of one node passes through the network, and so through its flow logs."""
