# SPDX-License-Identifier: Apache-2.0
"""Findings of a check, and how waivers apply to them.

Owns the data type, the merging of duplicate findings, and the matching of waivers. The caller passes the date.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from hubstack.files.documents import Mark
from hubstack.review.check.policy_file import PlacedWaiver, Policy
from hubstack.review.check.rules import Rule, catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One violation of one rule."""

    rule: str
    message: str
    """The violation; never contains a secret."""
    model: str | None = None
    """Key of the violating model."""
    resource: str | None = None
    """Logical name of the violating resource. With neither model nor resource, the finding concerns the stack."""
    mark: Mark | None = None
    """Location in a user-written file."""
    level: str = "error"
    """`error` or `warn`."""
    waiver: PlacedWaiver | None = None
    """The waiver that permits the violation."""

    @property
    def text(self) -> Rule:
        """Return the catalogue entry of its rule."""
        return catalogue()[self.rule]

    @property
    def is_failure(self) -> bool:
        """Return whether the finding fails the check."""
        return self.level == "error" and self.waiver is None

    @property
    def subject(self) -> str:
        """Name the resource, the model or the stack concerned."""
        return self.resource or self.model or "the stack"


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings without graph findings that repeat a plan finding."""
    every = list(
        {(one.rule, one.model, one.resource, one.message): one for one in reversed(list(findings))}.values()
    )
    every.reverse()
    said = {(one.rule, one.model) for one in every if one.resource is None}
    return [one for one in every if one.resource is None or (one.rule, one.model) not in said or not _is_both(one)]


def _is_both(finding: Finding) -> bool:
    return len(finding.text.judges) > 1


def settled(findings: Iterable[Finding], policy: Policy, today: dt.date) -> tuple[Finding, ...]:
    """Apply levels and waivers, add findings about the waivers, and sort.

    Args:
        findings: as found.
        policy: levels and waivers.
        today: waivers whose last day is before it are ignored.
    """
    used: set[PlacedWaiver] = set()
    shown: list[Finding] = []
    for finding in findings:
        fitting = [placed for placed in policy.waivers if _fits(placed, finding)]
        used |= set(fitting)
        valid = next((placed for placed in fitting if placed.waiver.until >= today), None)
        shown.append(replace(finding, waiver=valid))
    shown += _of_waivers(policy, used, today)
    leveled = (replace(one, level=policy.levels[one.rule]) for one in shown)
    return tuple(sorted((one for one in leveled if one.level != "off"), key=_order))


def _order(finding: Finding) -> tuple[bool, bool, str, str, str]:
    return not finding.is_failure, finding.waiver is not None, finding.rule, finding.subject, finding.message


def _fits(placed: PlacedWaiver, finding: Finding) -> bool:
    waiver = placed.waiver
    if waiver.rule != finding.rule:
        return False
    if waiver.resource:
        return waiver.resource == finding.resource
    if waiver.model:
        return waiver.model == finding.model
    return finding.resource is None and finding.model is None


def _of_waivers(policy: Policy, used: set[PlacedWaiver], today: dt.date) -> Iterator[Finding]:
    for placed in policy.waivers:
        waiver = placed.waiver
        about = f"{waiver.rule} for {waiver.resource or waiver.model or 'the stack'}"
        if waiver.until < today:
            text = f"the waiver for {about} ended on {waiver.until}; its owner is {waiver.owner}"
            yield Finding(
                rule="HS040", message=text, model=waiver.model, resource=waiver.resource, mark=placed.mark
            )
        elif placed not in used:
            text = f"the waiver for {about} matches no finding"
            yield Finding(
                rule="HS041", message=text, model=waiver.model, resource=waiver.resource, mark=placed.mark
            )
