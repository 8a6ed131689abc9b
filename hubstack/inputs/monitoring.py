# SPDX-License-Identifier: Apache-2.0
"""What is promised of a model, who is told when it is not kept, and what the bill is held to.

Owns these two parts of a plan and the reading of the settings behind them. Does not own defaults of the service
level (`hubstack.planner.serving.slo`) nor what is declared for it (`hubstack.deploy.monitoring`).
"""

import re
from collections.abc import Iterable

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
