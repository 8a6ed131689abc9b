# SPDX-License-Identifier: Apache-2.0
"""What is promised of a model, who is told when it is not kept, and what the bill is held to.

Owns these two parts of a plan and the reading of the settings behind them. Does not own defaults of the service
level (`hubstack.slo`) nor what is declared for it (`hubstack.observability`).
"""

import re
from collections.abc import Iterable
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


EMAIL = re.compile(r"[^@\s]{1,64}@[A-Za-z0-9.-]{1,190}\.[A-Za-z]{2,24}")
CHANNEL = re.compile(r"projects/[a-z0-9:.-]+/notificationChannels/\d+")
BILLING_ACCOUNT = r"[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}"
EXAMPLE = '["ops@example.org"]'


def read_alerts(words: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return the e-mail addresses and channel names of `hubstack:alerts`, and sentences on what is neither."""
    emails, channels, wrong = set[str](), set[str](), list[str]()
    for word in words:
        if EMAIL.fullmatch(word):
            emails.add(word)
        elif CHANNEL.fullmatch(word):
            channels.add(word)
        else:
            known = "an e-mail address or `projects/PROJECT/notificationChannels/NUMBER`"
            wrong.append(f"names `{word}`, which is not {known}")
    return tuple(sorted(emails)), tuple(sorted(channels)), tuple(wrong)
