# SPDX-License-Identifier: Apache-2.0
"""What a check found, and what waivers make of it.

Owns the shape, the merging of two opinions on one thing, and the meeting of findings with waivers. The day is the
caller's to say.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from hubstack.files.documents import Mark
from hubstack.review.check.policy_file import PlacedWaiver, Policy
from hubstack.review.check.rules import Rule, catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that breaks one rule."""

    rule: str
    message: str
    """What was found; never a secret."""
    model: str | None = None
    """Key of the model that it is about."""
    resource: str | None = None
    """Logical name of the resource; without model and resource it is about the stack."""
    mark: Mark | None = None
    """Where to look in the files that people write."""
    level: str = "error"
    """`error` or `warn`."""
    waiver: PlacedWaiver | None = None
    """The waiver that lets it pass."""

    @property
    def text(self) -> Rule:
        """Return what the catalogue says of its rule."""
        return catalogue()[self.rule]

    @property
    def is_failure(self) -> bool:
        """Say whether it fails the check."""
        return self.level == "error" and self.waiver is None

    @property
    def subject(self) -> str:
        """Name what it is about."""
        return self.resource or self.model or "the stack"


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings without those of the graph that say again what the plan has said."""
    every = list(
        {(one.rule, one.model, one.resource, one.message): one for one in reversed(list(findings))}.values()
    )
    every.reverse()
    said = {(one.rule, one.model) for one in every if one.resource is None}
    return [one for one in every if one.resource is None or (one.rule, one.model) not in said or not _is_both(one)]


def _is_both(finding: Finding) -> bool:
    return len(finding.text.judges) > 1


def settled(findings: Iterable[Finding], policy: Policy, today: dt.date) -> tuple[Finding, ...]:
    """Return the findings with their levels and waivers, those of the waivers themselves added, sorted.

    Args:
        findings: as found.
        policy: levels and waivers.
        today: after the last day of a waiver it lets nothing pass.
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
            text = f"the waiver of {about} ended on {waiver.until}; its owner is {waiver.owner}"
            yield Finding(
                rule="HS040", message=text, model=waiver.model, resource=waiver.resource, mark=placed.mark
            )
        elif placed not in used:
            text = f"the waiver of {about} meets no finding"
            yield Finding(
                rule="HS041", message=text, model=waiver.model, resource=waiver.resource, mark=placed.mark
            )
