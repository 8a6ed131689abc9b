# SPDX-License-Identifier: Apache-2.0
"""Applies the rules to a recorded graph without a Pulumi engine: JSON on stdin, findings on stdout.

In:  {"stack": ..., "settings": {...}, "resources": [{"type", "name", "urn", "provider", "inputs"}, ...]}
Out: [{"rule", "resource", "type", "model", "message"}, ...]; resource is null for a finding about the whole stack.

Owns the reading of the graph. Waivers and levels are up to the caller.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from resources import Resource, provider_labels
from rules import RESOURCE_RULES, STACK_RULES


def judge(told: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every finding."""
    resources, settings = list(_resources(told)), told["settings"]
    for rule, look in RESOURCE_RULES.items():
        for resource in resources:
            for message in look(resource, settings):
                yield _finding(rule, resource, message)
    for rule, look_at_all in STACK_RULES.items():
        for resource, message in look_at_all(resources, settings):
            yield _finding(rule, resource, message)


def _finding(rule: str, resource: Resource | None, message: str) -> dict[str, Any]:
    return {
        "rule": rule,
        "resource": resource and resource.name,
        "type": resource and resource.type,
        "model": resource and resource.model,
        "message": message,
    }


def _resources(told: Mapping[str, Any]) -> Iterator[Resource]:
    labels = {
        each["urn"]: provider_labels(each.get("inputs", {}).get("defaultLabels"))
        for each in told["resources"]
        if each["type"] == "pulumi:providers:gcp"
    }
    for each in told["resources"]:
        provider = str(each.get("provider") or "").rpartition("::")[0]
        yield Resource(
            type=each["type"],
            name=each["name"],
            props=each.get("inputs", {}),
            stack=told["stack"],
            default_labels=labels.get(provider, {}),
        )


if __name__ == "__main__":
    json.dump(list(judge(json.load(sys.stdin))), sys.stdout)
