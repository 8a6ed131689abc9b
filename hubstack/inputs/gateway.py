# SPDX-License-Identifier: Apache-2.0
"""The stack setting `hubstack:gateway`: one address for all models.

Owns its keys, their rules and the ranges that Google's load balancer speaks from. Does not own the objects that
it becomes (`hubstack.deploy.manifests.traffic`) nor whether a list of models goes with it
(`hubstack.planner.serving.routing`).
"""

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar, cast

from hubstack.files.problems import Problem, nearest
from hubstack.plan.gateway import Exposure, GatewayAuth, GatewayMode, GatewayPlan

SETTING = "hubstack:gateway"
DEFAULT_TIMEOUT_SECONDS = 3600
"""Google's own default of 30 s counts a whole answer, streamed or not, and cuts it while the engine computes on
(facts: gke.md 4.5). A reasoning model may well write for minutes; an hour is above what any engine here needs."""
MAX_TIMEOUT_SECONDS = 86_400
PROXY_RANGE = "10.2.0.0/23"
"""Of the proxy-only subnet, from which requests reach the pods; /23 is the size that Google recommends."""
HEALTH_CHECK_RANGES = ("35.191.0.0/16", "130.211.0.0/22")
"""From which Google checks health (Cloud Load Balancing docs, "Health checks overview")."""
EXAMPLE = (
    "in Pulumi.<stack>.yaml: `hubstack:gateway: {mode: services, exposure: internal}`; see docs/concepts/gateway.md"
)
_HOST = r"(?=.{1,253}$)([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
_NAME = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
_CLIENT = r"[0-9]+-[a-z0-9]+\.apps\.googleusercontent\.com"

_Kind = TypeVar("_Kind", bound=StrEnum)


def read_gateway(path: str, text: str | None) -> tuple[GatewayPlan | None, list[Problem]]:
    """Read the setting.

    Args:
        path: the stack's file, for messages.
        text: JSON, as Pulumi hands a mapping to a program; None where the setting is absent.

    Returns:
        The gateway, None where there is none or it is wrong; and every problem.
    """
    if not text:
        return None, []
    reader = _Reader(path, text)
    gateway = reader.read()
    return (None if reader.problems else gateway), reader.problems


@dataclass(frozen=True, slots=True)
class _Text:
    pattern: str
    what: str


class _Reader:
    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.problems: list[Problem] = []
        try:
            value: Any = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        self.said: Mapping[str, Any] = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        if not isinstance(value, dict):
            self.refuse("", f"must be a mapping, not `{text if len(text) < 60 else text[:57] + '...'}`", EXAMPLE)

    def refuse(self, key: str, message: str, hint: str) -> None:
        name = f"{SETTING}.{key}" if key else SETTING
        self.problems.append(Problem(path=self.path, message=f"`{name}` {message}", hint=hint, setting=name))

    def read(self) -> GatewayPlan:
        for key in self.said:
            if key not in KEYS:
                near = nearest(str(key), KEYS)
                hint = f"did you mean `{near}`?" if near else f"known: {', '.join(KEYS)}"
                self.refuse(key, "is unknown", hint)
        gateway = GatewayPlan(
            mode=self.word("mode", GatewayMode) or GatewayMode.SERVICES,
            exposure=self.word("exposure", Exposure) or Exposure.INTERNAL,
            host=self.text("host", _Text(_HOST, "a DNS name such as models.example.com")),
            auth=self.word("auth", GatewayAuth),
            certificate=self.text("certificate", _Text(_NAME, "the name of a certificate in Certificate Manager")),
            timeout_seconds=self.seconds("timeout_seconds"),
            address=self.address("address"),
            iap_client_id=self.text("iap_client_id", _Text(_CLIENT, "the id of an OAuth client")),
        )
        if not self.problems:
            self.check(gateway)
        return gateway

    def word(self, key: str, kind: type[_Kind]) -> _Kind | None:
        value = self.said.get(key)
        if value is None:
            return None
        known = [each.value for each in kind]
        if value not in known:
            near = nearest(str(value), known)
            hint = f"did you mean `{near}`?" if near else f"one of: {', '.join(known)}"
            self.refuse(key, f"is `{value}`: one of {', '.join(known)}", hint)
            return None
        return kind(value)

    def text(self, key: str, rule: _Text) -> str | None:
        value = self.said.get(key)
        if value is not None and not (isinstance(value, str) and re.fullmatch(rule.pattern, value)):
            self.refuse(key, f"is `{value}`, which is not {rule.what}", EXAMPLE)
            return None
        return value

    def seconds(self, key: str) -> int:
        value = self.said.get(key, DEFAULT_TIMEOUT_SECONDS)
        if type(value) is not int or not 1 <= value <= MAX_TIMEOUT_SECONDS:
            self.refuse(key, f"is `{value}`: a whole number of seconds from 1 to {MAX_TIMEOUT_SECONDS}",
                        f"leave it out for {DEFAULT_TIMEOUT_SECONDS}")  # fmt: skip
            return DEFAULT_TIMEOUT_SECONDS
        return value

    def address(self, key: str) -> str | None:
        value = self.said.get(key)
        try:
            return None if value is None else str(ipaddress.IPv4Address(value if isinstance(value, str) else ""))
        except ValueError:
            self.refuse(key, f"is `{value}`, which is no IPv4 address", "leave it out, and Google chooses one")
            return None

    def check(self, gateway: GatewayPlan) -> None:
        """Tell what does not go together."""
        for broken, key, message, hint in _rules(gateway):
            if broken:
                self.refuse(key, message, hint)


def _rules(g: GatewayPlan) -> tuple[tuple[bool, str, str, str], ...]:
    external = g.exposure is Exposure.EXTERNAL
    return (
        (external and not g.auth, "auth", "is missing: an external gateway without it serves everyone",
         "`auth: iap` or `auth: api-keys`"),
        (not external and bool(g.auth), "auth",
         "is for an external gateway: inside the network callers are told apart by the network",
         "leave it out, or `exposure: external`"),
        (external and not g.certificate, "certificate", "is missing: an external gateway serves HTTPS only",
         "make a regional certificate in Certificate Manager and give its name"),
        (bool(external or g.certificate) and not g.host, "host", "is missing: a certificate is for a name",
         "give the DNS name that the certificate is for"),
        (external and bool(g.address), "address", "is for an internal gateway: Google chooses external addresses",
         "leave it out; the address stays once it is made"),
        (g.auth is GatewayAuth.IAP and g.mode is GatewayMode.INFERENCE, "auth",
         "is `iap`, which is not known to guard an InferencePool: one that is not guarded is open to everyone",
         "`mode: services`, or `auth: api-keys`"),
        (bool(g.iap_client_id) and g.auth is not GatewayAuth.IAP, "iap_client_id", "is for `auth: iap` only",
         "leave it out"),
    )  # fmt: skip


KEYS: tuple[str, ...] = tuple(GatewayPlan.__dataclass_fields__)
"""Keys of the mapping: the fields of `GatewayPlan`."""
