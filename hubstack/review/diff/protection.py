# SPDX-License-Identifier: Apache-2.0
"""Changes that weaken or strengthen a stack's protection: settings, model flags, policy, resources.

Owns which difference is weaker. Settings, flags and rules come from the files of both versions
(`hubstack.review.diff.guards`), resources from the graphs, so that a program cannot drop a protection unnoticed.
Anything ambiguous counts as weaker until a reviewer approves it.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from hubstack.files.problems import shown
from hubstack.inputs.settings import DEFAULT_TEXTS
from hubstack.review.diff.callers import caller_changes
from hubstack.review.diff.figures import figure_changes
from hubstack.review.diff.guarded_resources import weaker_resources
from hubstack.review.diff.images import compare_images
from hubstack.review.diff.reported import Reported
from hubstack.review.diff.resources import ResourceChange
from hubstack.review.diff.state import Data, State
from hubstack.review.diff.teams import team_changes

_CONTEXT = 12
"""Characters shown before the first one that differs."""
_LEVELS = ("off", "warn", "error")
_ALLOWED = {
    "licenses": "licence",
    "weights_formats": "format of weights",
    "regions": "region",
    "registries": "registry",
}
_ASKED = {"spot_forbidden_in": "spot is no longer forbidden in", "required_labels": "labels no longer required:"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionChange(Reported):
    """One changed protection."""

    subject: str
    """A setting, the key of a model, a rule of policy.yaml, or a resource."""
    text: str
    """Text shown to the reviewer."""
    is_weaker: bool
    """Whether protection became weaker, so that the reviewer must approve; otherwise it became stronger."""


def compare_protection(
    base: State, head: State, resources: tuple[ResourceChange, ...]
) -> tuple[ProtectionChange, ...]:
    """Return the protection changes, weaker ones first."""
    found = [*_of_files(base, head)]
    found += [
        ProtectionChange(subject=subject, text=text, is_weaker=True)
        for subject, text in weaker_resources(base, head, resources)
    ]
    found += [
        ProtectionChange(subject=subject, text=text, is_weaker=is_weaker)
        for subject, text, is_weaker in compare_images(base, head)
    ]
    return tuple(sorted(dict.fromkeys(found), key=lambda each: not each.is_weaker))


def _of_files(base: State, head: State) -> Iterator[ProtectionChange]:
    before, after = base.guards, head.guards
    if head.is_missing or (before is None and not base.is_missing):
        return  # gone, or saved by a hubstack that did not look
    if after is None:
        text = "the settings, the list or policy.yaml of the new side cannot be read"
        yield ProtectionChange(subject="files", text=text, is_weaker=True)
        return
    if before is None:  # a new environment: what it lets pass is new
        nothing: dict[str, Any] = {"models": {}, "waivers": [], "plain_secrets": []}
        before = cast("Data", {**after, **nothing})
    yield from _settings(before["settings"], after["settings"])
    for key in sorted(set(after["plain_secrets"]) - set(before["plain_secrets"])):
        yield ProtectionChange(subject=key, text="is stored in plain text", is_weaker=True)
    yield from _flags(before["models"], after["models"], base, head)
    yield from _policy(before, after)
    if "figures" in before and "figures" in after:  # else saved by a hubstack that did not look
        for subject, text in figure_changes(before["figures"], after["figures"]):
            yield ProtectionChange(subject=subject, text=text, is_weaker=True)


# Settings

_Judged = Iterator[tuple[str, bool]]
_Rule = Callable[[str | None, str | None], _Judged]
"""Text before and after, None where it is not set, to what is said of it and whether it is weaker."""


def _move(before: object, after: object) -> str:
    texts = ["not set" if value is None else shown(value) for value in (before, after)]
    if texts[0] == texts[1] and isinstance(before, str) and isinstance(after, str):
        # They differ behind the end of what is shown: leave out what they have in common.
        pairs = enumerate(zip(before, after, strict=False))
        first = next((at for at, (one, other) in pairs if one != other), min(len(before), len(after)))
        start = max(first - _CONTEXT, 0)
        texts = [shown(f"...{value[start:]}") for value in (before, after)]
    return " -> ".join(texts)


def _kept(what: str) -> _Rule:
    """Return a rule for a setting that protects while its value is unchanged."""

    def judge(before: str | None, after: str | None) -> _Judged:
        verb, is_weaker = ("removed", True) if not after else ("changed", True) if before else ("added", False)
        yield f"{what} {verb}: {_move(before, after)}", is_weaker

    return judge


def _on(what: str, *, default: bool = False) -> _Rule:
    def judge(before: str | None, after: str | None) -> _Judged:
        pair = [default if not text else text.lower() == "true" for text in (before, after)]
        if pair[0] != pair[1]:
            yield (f"{what} turned off", True) if pair[0] else (f"{what} turned on", False)

    return judge


def _ranked(ranks: tuple[str, ...], default: str, what: str) -> _Rule:
    """Return a rule for a setting whose values rank from strictest to loosest."""

    def judge(before: str | None, after: str | None) -> _Judged:
        pair = [text or default for text in (before, after)]
        if pair[0] != pair[1]:
            places = [ranks.index(text) if text in ranks else len(ranks) for text in pair]
            yield f"{what}: {_move(*pair)}", places[1] >= places[0]

    return judge


def _at_most(what: str) -> _Rule:
    def judge(before: str | None, after: str | None) -> _Judged:
        pair = [_number(text) for text in (before, after)]
        if pair[0] == pair[1]:
            return
        is_weaker = pair[1] is None or (pair[0] is not None and pair[1] > pair[0])
        yield f"{what}: {_move(before, after)}", is_weaker

    return judge


def _members(lost: str, gained: str, emptied: str) -> _Rule:
    """Return a rule for a list in which removed or added entries weaken protection, if a text is given for them."""

    def judge(before: str | None, after: str | None) -> _Judged:
        pair = [_words(text) for text in (before, after)]
        for text, words in ((lost, pair[0] - pair[1]), (gained, pair[1] - pair[0])):
            if words and text:
                yield f"{text} {', '.join(sorted(words))}", True
        if pair[0] and not pair[1] and emptied:
            yield emptied, True

    return judge


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _words(text: str | None) -> set[str]:
    said = _json(text)
    return {str(word) for word in cast("list[Any]", said)} if isinstance(said, list) else set()


def _json(text: str | None) -> Any:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None


def _mapping(text: str | None) -> Data:
    said = _json(text)
    return cast("Data", said) if isinstance(said, dict) else {}


def _gateway(before: str | None, after: str | None) -> _Judged:
    base, head = _mapping(before), _mapping(after)
    if not head:
        return  # nothing is reached through it any more
    if head.get("exposure") == "external" != base.get("exposure"):
        yield "`exposure: external`: models can be reached from the internet", True
    if base.get("exposure") == "external" != head.get("exposure"):
        yield "internal: models can no longer be reached from the internet", False
    for key in ("auth", "certificate", "iap_client_id", "dns_zone", "security_policy"):
        if base.get(key) and base.get(key) != head.get(key):
            yield f"`{key}`: {_move(base.get(key), head.get(key))}", True


def _callers(before: str | None, after: str | None) -> _Judged:
    yield from caller_changes(_mapping(before), _mapping(after))


def _teams(before: str | None, after: str | None) -> _Judged:
    yield from team_changes(_mapping(before), _mapping(after))


def _said(value: object) -> object:
    return value if value is None or isinstance(value, str | int | float) else json.dumps(value, sort_keys=True)


def _cluster(before: str | None, after: str | None) -> _Judged:
    """Nodes, models and credentials go to the cluster that it names, so a reviewer decides."""
    base, head = _mapping(before), _mapping(after)
    for key in sorted({*base, *head}):
        if base.get(key) != head.get(key):
            yield f"`{key}`: {_move(_said(base.get(key)), _said(head.get(key)))}", True


def _network(before: str | None, after: str | None) -> _Judged:
    base, head = _mapping(before), _mapping(after)
    of = [
        f"{each.get('host_project', 'own project')}/{each['name']}" if each.get("name") else ""
        for each in (base, head)
    ]
    if of[0] != of[1]:
        if of[1]:
            yield f"`name`: {of[0] or 'own VPC'} -> {of[1]}: nodes and pods are in a network with others", True
        else:
            yield f"`name`: {of[0]} -> own VPC: nodes and pods are in a network of their own", False
    nat = [each.get("nat") or ("existing" if each.get("name") else "create") for each in (base, head)]
    if nat[0] != nat[1] and "none" in nat:
        yield f"`nat`: {nat[0]} -> {nat[1]}: whether nodes reach the internet", nat[0] == "none"


def _currency(before: str | None, after: str | None) -> _Judged:
    currencies = [text or DEFAULT_TEXTS["hubstack:currency"] for text in (before, after)]
    if currencies[0] != currencies[1]:
        yield f"currency of the budgets: {currencies[0]} -> {currencies[1]}", True


def _registries(before: str | None, after: str | None) -> _Judged:
    """Any other registry may hold other images, so a reviewer decides."""
    yield f"images come from other registries: {_move(before, after)}", True


_SETTINGS: Mapping[str, _Rule] = {
    "hubstack:images": _registries,
    "hubstack:kmsKey": _kept("encryption of stored data with your own key"),
    "hubstack:servicePerimeter": _kept("membership in the service perimeter"),
    "hubstack:binaryAuthorization": _on("image checks by Binary Authorization"),
    "hubstack:restrictedApis": _on("restriction of Google APIs to the restricted VIPs"),
    "hubstack:controlPlane": _ranked(
        ("private", "dns"), DEFAULT_TEXTS["hubstack:controlPlane"], "access to the control plane"
    ),
    "hubstack:flowLogs": _on("logs of connections of nodes and pods"),
    "hubstack:intranodeVisibility": _on("visibility of traffic between pods of a node"),
    "hubstack:deletionProtection": _on("deletion protection of the cluster", default=True),
    "hubstack:monitoring": _on("monitoring of incidents", default=True),
    "hubstack:alerts": _members("removed alert recipients:", "new alert recipients:", "nobody receives alerts"),
    "hubstack:budget": _at_most("maximum monthly cost of a plan"),
    "hubstack:billingBudget": _at_most("amount of the budget alert"),
    "hubstack:currency": _currency,
    "hubstack:billingAccount": _kept("monitoring of spending"),
    "hubstack:maintenanceWindow": _kept("window for GKE upgrades"),
    "hubstack:releaseChannel": _ranked(
        ("EXTENDED", "STABLE", "REGULAR", "RAPID"),
        DEFAULT_TEXTS["hubstack:releaseChannel"],
        "GKE release channel",
    ),
    "hubstack:runIngress": _ranked(
        ("internal", "internal-and-cloud-load-balancing", "all"),
        DEFAULT_TEXTS["hubstack:runIngress"],
        "networks that can reach Cloud Run services",
    ),
    "hubstack:runInvokers": _members(
        "", "may call the Cloud Run services:", "Cloud Run access depends on project-level IAM"
    ),
    "hubstack:gateway": _gateway,
    "hubstack:callers": _callers,
    "hubstack:network": _network,
    "hubstack:cluster": _cluster,
    "hubstack:teams": _teams,
}


def _settings(base: Mapping[str, str], head: Mapping[str, str]) -> Iterator[ProtectionChange]:
    for key, rule in _SETTINGS.items():
        before, after = base.get(key), head.get(key)
        if before != after:
            for text, is_weaker in rule(before, after):
                yield ProtectionChange(subject=key, text=text, is_weaker=is_weaker)


# The list and the policy


def _flags(
    before: Mapping[str, list[str]], after: Mapping[str, list[str]], base: State, head: State
) -> Iterator[ProtectionChange]:
    former: dict[str, list[str]] = {key: list(model.get("was", ())) for key, model in head.models.items()}
    for key, flags in sorted(after.items()):
        if head.models and key not in head.models:
            continue  # of another cluster
        none: list[str] = []
        had = next((before[each] for each in (key, *former.get(key, none)) if each in before), none)
        for flag in flags:
            if flag not in had:
                yield ProtectionChange(subject=key, text=f"`{flag}: true` is set", is_weaker=True)
        for flag in had:
            if flag not in flags and key in base.models:
                yield ProtectionChange(subject=key, text=f"`{flag}` is no longer set", is_weaker=False)


def _policy(base: Data, head: Data) -> Iterator[ProtectionChange]:
    for subject, text, is_weaker in (
        *_limits(base["limits"], head["limits"]),
        *_levels(base, head),
        *_waivers(base, head),
    ):
        yield ProtectionChange(subject=f"policy.yaml {subject}", text=text, is_weaker=is_weaker)


def _limits(base: Data, head: Data) -> Iterator[tuple[str, str, bool]]:
    for key, what in _ALLOWED.items():
        yield from _allowed(key, what, base.get(key), head.get(key))
    for key, text in _ASKED.items():
        if gone := sorted(_texts(base.get(key)) - _texts(head.get(key))):
            yield key, f"{text} {', '.join(gone)}", True
    yield from _most("max_usd_per_month", base.get("max_usd_per_month"), head.get("max_usd_per_month"))
    yield from _accelerators(base.get("max_accelerators"), head.get("max_accelerators"))


def _texts(listed: list[str] | None) -> set[str]:
    return set(listed or ())


def _allowed(
    key: str, what: str, before: list[str] | None, after: list[str] | None
) -> Iterator[tuple[str, str, bool]]:
    """Compare two allow lists; without a list, everything is allowed."""
    if after is None:
        if before is not None:
            yield key, f"every {what} is allowed", True
    elif before is None:
        yield key, f"only these are allowed: {', '.join(after)}", False
    else:
        if more := sorted(_texts(after) - _texts(before)):
            yield key, f"additional {what} allowed: {', '.join(more)}", True
        if less := sorted(_texts(before) - _texts(after)):
            yield key, f"no longer allowed: {', '.join(less)}", False


def _accelerators(before: dict[str, int] | None, after: dict[str, int] | None) -> Iterator[tuple[str, str, bool]]:
    """Compare the accelerator limits by type: an unlisted type is forbidden; without the key, all are allowed."""
    if after is None:
        if before is not None:
            yield "max_accelerators", "any number of accelerators is allowed", True
        return
    kinds = set(after) | set(() if before is None else before)
    for kind in sorted(kinds):
        had = None if before is None else before.get(kind, 0)
        yield from _most(f"max_accelerators.{kind}", had, after.get(kind, 0))


def _most(key: str, before: float | None, after: float | None) -> Iterator[tuple[str, str, bool]]:
    if before != after:
        yield key, _move(before, after), after is None or (before is not None and after > before)


def _levels(base: Data, head: Data) -> Iterator[tuple[str, str, bool]]:
    for rule in sorted({*base["levels"], *head["levels"]}):
        before, after = base["levels"].get(rule), head["levels"].get(rule)
        if before != after and before is not None and after is not None:
            yield rule, f"level {before} -> {after}", _LEVELS.index(after) < _LEVELS.index(before)


def _waivers(base: Data, head: Data) -> Iterator[tuple[str, str, bool]]:
    before, after = _until(base), _until(head)
    for waiver in sorted({*before, *after}, key=str):
        rule, model, resource = waiver
        about = f"the rule for {resource or model or 'the stack'}"
        was, until = before.get(waiver), after.get(waiver)
        if until is None:
            yield rule, f"waiver removed for {about}", False
        elif was is None:
            yield rule, f"new waiver for {about}, until {until}", True
        elif until > was:
            yield rule, f"waiver extended for {about}: {was} -> {until}", True


def _until(side: Data) -> dict[tuple[str, str | None, str | None], str]:
    """Map the rule, model and resource of each waiver to its expiry date."""
    return {(each["rule"], each["model"], each["resource"]): each["until"] for each in side["waivers"]}
