# SPDX-License-Identifier: Apache-2.0
"""Finds resource changes that weaken a stack, regardless of its settings, by comparing two graphs.

Owns the protective arguments and resource types, and the interpretation of network policies: which new connections
to which pods are allowed. Deleting a policy together with all pods that it selects is no loss.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import product
from typing import cast

from hubstack.review.diff.network_words import ANYONE, rules_of
from hubstack.review.diff.paths import ABSENT, UNKNOWN, PathChange, leaves
from hubstack.review.diff.resources import Action, ResourceChange
from hubstack.review.diff.state import Data, State

_POLICIES = (
    "kubernetes:networking.k8s.io/v1:NetworkPolicy",
    "kubernetes:networking.gke.io/v1alpha1:FQDNNetworkPolicy",
)
_GUARDS: Mapping[str, str] = {
    "gcp:accesscontextmanager/servicePerimeterResource:ServicePerimeterResource": "the service perimeter is left",
    "gcp:billing/budget:Budget": "the budget alert is removed",
    "gcp:binaryauthorization/policy:Policy": "images are no longer checked by Binary Authorization",
    "gcp:compute/securityPolicy:SecurityPolicy": "Cloud Armor protection is removed",
    "gcp:monitoring/alertPolicy:AlertPolicy": "an alert is removed",
    "gcp:monitoring/notificationChannel:NotificationChannel": "an alert recipient is removed",
    "gcp:orgpolicy/policy:Policy": "an organization policy constraint is removed",
    "kubernetes:networking.gke.io/v1:GCPBackendPolicy": "a backend policy is removed",
}
"""Resource types whose presence protects the stack."""
_SAFE_ON = re.compile(
    r"(^|\.)(deletionProtection|protect|retainOnDelete|enablePrivateNodes|enablePrivateEndpoint|enableShieldedNodes"
    r"|enableSecureBoot|enableIntegrityMonitoring|uniformBucketLevelAccess|runAsNonRoot|readOnlyRootFilesystem"
    r"|enableIntranodeVisibility|enableFqdnNetworkPolicy|privateIpGoogleAccess|iap\.enabled|networkPolicy\.enabled"
    r"|versioning\.enabled|confidentialNodes\.enabled)$"
)
_SAFE_OFF = re.compile(
    r"(^|\.)(privileged|allowPrivilegeEscalation|hostNetwork|hostPID|hostIPC|automountServiceAccountToken"
    r"|allowExternalTraffic|forceDestroy|enableLegacyAbac|invokerIamDisabled|insecureSkipTlsVerify)$"
)
_KEPT = re.compile(
    r"(?i)((^|[.\[])[a-z]*(kmskey|encryptionkey|encryptionconfig|encryption\.)[a-z]*"
    r"|binaryAuthorization|publicAccessPrevention|workloadIdentityConfig|workloadMetadataConfig|datapathProvider"
    r"|masterAuthorizedNetworks|securityPostureConfig|pod-security\.kubernetes\.io/enforce|seccompProfile"
    r"|capabilities\.drop|notificationChannels|email_address|securityPolicy|sourceRanges|(^|\.)logConfig"
    r"|loggingConfig|retentionPolicy|softDeletePolicy)"
)
_SHOWN = 4


def weaker_resources(base: State, head: State, resources: tuple[ResourceChange, ...]) -> Iterator[tuple[str, str]]:
    """Yield resources and how their protection weakens; equal findings are merged."""
    gone = {key for key in base.models if key not in head.models}
    said: dict[str, list[str]] = {}
    for change in resources:
        for text in dict.fromkeys(_weaker(change, base, head, gone)):
            said.setdefault(text, []).append(change.name)
    for text, names in said.items():
        more = len(names) - _SHOWN
        yield ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else ""), text


def _weaker(change: ResourceChange, base: State, head: State, gone: set[str]) -> Iterator[str]:
    if change.type in _POLICIES:
        yield from _policy(change, base, head)
    elif change.action is Action.DELETE:
        is_of_gone = any(key in change.name for key in gone)
        if change.type in _GUARDS and not is_of_gone and not head.is_missing:
            yield f"{_GUARDS[change.type]} (deleted)"
        return
    if change.action in {Action.UPDATE, Action.REPLACE, Action.SETTINGS}:
        for one in change.changes:
            yield from _argument(one)


def _argument(change: PathChange) -> Iterator[str]:
    before, after = (dict(leaves(value, change.path)) for value in (change.before, change.after))
    for path in dict.fromkeys([*before, *after]):
        was, now = before.get(path, ABSENT), after.get(path, ABSENT)
        if was == now or any(isinstance(value, Mapping) for value in (was, now)) or UNKNOWN in {str(was), str(now)}:
            continue
        if _SAFE_ON.search(path) and was is True:
            yield f"`{path}` turned off"
        elif _SAFE_OFF.search(path) and now is True:
            yield f"`{path}` turned on"
        elif _KEPT.search(path) and was is not ABSENT:
            yield f"`{path}` {'removed' if now is ABSENT else 'changed'}"


# Network policies


def _policy(change: ResourceChange, base: State, head: State) -> Iterator[str]:
    before = base.resources.get(change.old_urn or change.urn, {}).get("inputs", {})
    if change.action is Action.CREATE or not before:
        return
    if change.action is Action.DELETE:
        if _selects(before, head):
            yield "a network policy is deleted, but its pods remain"
        return
    after = head.resources[change.urn].get("inputs", {})
    old_spec, new_spec = _spec(before), _spec(after)
    if old_spec.get("podSelector") != new_spec.get("podSelector"):
        yield "a network policy selects different pods"
    for direction in ("Ingress", "Egress"):
        if direction not in _types(old_spec):
            continue
        verb = "lets in" if direction == "Ingress" else "lets out to"
        if direction not in _types(new_spec):
            yield f"a network policy {verb} anyone"
        elif more := _pairs(new_spec, direction) - _covered(_pairs(old_spec, direction), new_spec, direction):
            peers = sorted({peer for peer, _ in more})
            yield f"a network policy {verb} more: {'; '.join(peers[:_SHOWN])}"


_ANY = ANYONE


def _spec(inputs: Data) -> Data:
    return cast("Data", inputs.get("spec") or {})


def _types(spec: Data) -> tuple[str, ...]:
    return tuple(spec.get("policyTypes") or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]))


def _pairs(spec: Data, direction: str) -> set[tuple[str, str]]:
    """Return every allowed pair of peer and port of one direction."""
    return {pair for peers, ports in rules_of(spec, direction) for pair in product(peers, ports or [_ANY])}


def _covered(had: set[tuple[str, str]], spec: Data, direction: str) -> set[tuple[str, str]]:
    """Return the new pairs that the old ones already allow, directly or by a wildcard peer or port."""
    return {
        (peer, port)
        for peer, port in _pairs(spec, direction)
        if not had.isdisjoint({(peer, port), (_ANY, port), (peer, _ANY), (_ANY, _ANY)})
    }


def _selects(policy: Data, state: State) -> bool:
    """Return whether a policy selects any pods of a version."""
    namespace = policy.get("metadata", {}).get("namespace")
    selector: Data = _spec(policy).get("podSelector") or {}
    for resource in state.resources.values():
        inputs: Data = resource.get("inputs", {})
        if resource["type"].startswith("kubernetes:helm.sh/"):  # what its pods are labelled is not in the graph
            is_there = inputs.get("namespace") == namespace and not selector
        else:
            is_there = inputs.get("metadata", {}).get("namespace") == namespace and any(
                _matches(selector, labels) for labels in _pod_labels(inputs)
            )
        if is_there:
            return True
    return False


def _pod_labels(inputs: Data) -> Iterator[Mapping[str, str]]:
    spec: Data = inputs.get("spec") or {}
    group: Data = spec.get("leaderWorkerTemplate") or {}
    for template in (spec.get("template"), group.get("leaderTemplate"), group.get("workerTemplate")):
        if isinstance(template, Mapping):
            held = cast("Data", template)
            metadata: Data = held.get("metadata") or {}
            yield metadata.get("labels") or {}


def _matches(selector: Data, labels: Mapping[str, str]) -> bool:
    wanted: Mapping[str, str] = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    for rule in selector.get("matchExpressions") or ():
        value, values = labels.get(rule["key"]), rule.get("values") or ()
        fits = {
            "In": value in values,
            "NotIn": value not in values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }
        if not fits.get(rule["operator"], True):
            return False
    return True
