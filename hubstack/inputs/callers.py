# SPDX-License-Identifier: Apache-2.0
"""The stack setting `hubstack:callers`: teams with their own keys, models and limits.

Owns its keys and the rules that need no plan. Does not own which models exist and what they cost
(`hubstack.planner.serving.callers`).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from hubstack.inputs.gateway import SETTING as GATEWAY
from hubstack.inputs.gateway import GatewaySettings
from hubstack.inputs.setting_types import DISTINCT, LIST, AmountPerMonth, Member
from hubstack.plan.gateway import GatewayMode

SETTING = "hubstack:callers"
EXAMPLE = '{"search": {"models": ["chat"], "usd_per_month": 500}}'
MOST = 2**32 - 1
"""The rate limit service counts with 32 bits."""
_NAME = r"[a-z]([a-z0-9-]{0,28}[a-z0-9])?"


class CallerSettings(BaseModel):
    """One team that calls the gateway (docs/guides/callers.md)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)

    models: Annotated[tuple[str, ...], LIST, DISTINCT] = Field(min_length=1)
    """Keys or Hub IDs of the models that the team may use."""
    requests_per_minute: int | None = Field(None, ge=1, le=MOST)
    """Maximum requests per minute. Default: no limit."""
    tokens_per_minute: int | None = Field(None, ge=1, le=MOST)
    """Maximum tokens per minute, prompts and answers together. Default: no limit."""
    usd_per_month: AmountPerMonth | None = None
    """Budget in USD for 30 days, at the stack's cost per token. Default: no limit."""
    readers: Annotated[tuple[Member, ...], LIST, DISTINCT] = ()
    """IAM members that may read the team's keys: `[group:search@example.com]`. Default: those with the permission
    in the project."""


def caller_rules(
    callers: Mapping[str, CallerSettings], gateway: GatewaySettings | None
) -> Iterator[tuple[str, str, str]]:
    """Yield setting, message and hint for each setting that conflicts with callers."""
    if not callers:
        return
    for name in callers:
        if not re.fullmatch(_NAME, name):
            message = "is not a valid caller name: metrics and secrets contain it"
            hint = "use at most 30 lower-case letters, digits and hyphens, a letter first: `search-team`"
            yield f"{SETTING}.{name}", message, hint
    if gateway is None:
        message = "needs a gateway, where the callers' keys and limits are checked"
        yield (
            SETTING,
            message,
            "add `hubstack:gateway: {mode: services}` to the settings (docs/concepts/gateway.md)",
        )
        return
    if gateway.mode is GatewayMode.INFERENCE:
        message = "is `inference`, but with `hubstack:callers` the callers' proxy chooses the server, not a picker"
        yield f"{GATEWAY}.mode", message, "set `mode: services`, or remove `hubstack:callers`"
    if gateway.auth:
        message = f"is `{gateway.auth}`, but with `hubstack:callers` each caller has its own keys"
        yield f"{GATEWAY}.auth", message, "remove it, or remove `hubstack:callers`"
