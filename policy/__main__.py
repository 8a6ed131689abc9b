# SPDX-License-Identifier: Apache-2.0
"""Runs the pack under Pulumi: `pulumi preview --policy-pack policy`.

Owns the adaptation of the rules to pulumi-policy's classes, and today's date for waivers. Creating a PolicyPack
starts its server and never returns, so nothing else imports this module.
"""

import datetime as dt
import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError
from resources import UNKNOWN, Resource, provider_labels
from rules import RESOURCE_RULES, STACK_RULES
from settings import catalogue, is_waived, policy_file, read_settings

_LEVELS = {"error": EnforcementLevel.MANDATORY, "warn": EnforcementLevel.ADVISORY, "off": EnforcementLevel.DISABLED}
_TODAY = dt.datetime.now(tz=dt.UTC).date()


@cache
def _settings(stack: str) -> dict[str, Any]:
    return read_settings(policy_file(), stack)


def _plain(value: Any) -> Any:
    """Return a property without the proxy that raises for values not known before deployment."""
    if isinstance(value, Mapping):
        return {key: _known(lambda key=key: value[key]) for key in value}
    if isinstance(value, str) or not hasattr(value, "__len__"):
        return value
    return [_known(lambda at=at: value[at]) for at in range(len(value))]


def _known(read: Callable[[], Any]) -> Any:
    try:
        return _plain(read())
    except UnknownValueError:
        return UNKNOWN


def _resource(args: Any) -> Resource:
    """Read a resource; the stack is the second part of its URN."""
    provider = _plain(args.provider.props) if args.provider else {}
    stack = args.urn.split("::")[0].split(":")[2]
    return Resource(
        type=args.resource_type,
        name=args.name,
        props=_plain(args.props),
        stack=stack,
        default_labels=provider_labels(provider.get("defaultLabels")),
    )


def _of_resource(rule: str) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        resource = _resource(args)
        settings = _settings(resource.stack)
        is_on = settings["levels"][rule] != "off"
        if is_on and not is_waived(settings, rule, resource.name, resource.model, _TODAY):
            for message in RESOURCE_RULES[rule](resource, settings):
                report(f"{resource.name}: {message}", args.urn)

    return validate


def _of_stack(rule: str) -> Callable[[StackValidationArgs, ReportViolation], None]:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        resources = [_resource(each) for each in args.resources]
        settings = _settings(resources[0].stack if resources else "")
        is_on = settings["levels"][rule] != "off"
        if is_on and not is_waived(settings, rule, None, None, _TODAY):
            for _, message in STACK_RULES[rule](resources, settings):
                report(message, None)

    return validate


def _policies() -> list[Policy]:
    levels = _settings(os.environ.get("PULUMI_STACK", ""))["levels"]
    made: list[Policy] = []
    for rule in catalogue()["rules"]:
        name, level = f"{rule['id']}-{rule['name']}", _LEVELS[levels[rule["id"]]]
        text = f"{rule['what']} {rule['why']} {rule['fix']}"
        if rule["id"] in STACK_RULES:
            made.append(StackValidationPolicy(name, text, _of_stack(rule["id"]), level))
        else:
            made.append(ResourceValidationPolicy(name, text, _of_resource(rule["id"]), level))
    return made


if __name__ == "__main__":
    PolicyPack("hubstack", _policies())
