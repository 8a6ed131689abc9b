# SPDX-License-Identifier: Apache-2.0
"""Rules of network policies in words: who may talk to whom, on which ports.

Owns the words. Different rules have different words, so that they can be compared; what is unknown is JSON.
"""

import json
from collections.abc import Iterator
from typing import Any, cast

from hubstack.review.diff.state import Data

ANYONE = "anyone"
_NAMESPACE = "kubernetes.io/metadata.name"


def rules_of(spec: Data, direction: str) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the peers and ports of each rule of a direction; no port means every port."""
    for rule in spec.get(direction.lower()) or ():
        peers = rule.get("from") or rule.get("to") or rule.get("matches") or [ANYONE]
        yield [_peer(peer) for peer in peers], [_port(port) for port in rule.get("ports") or ()]


def rule_words(peers: list[str], ports: list[str]) -> str:
    """Return one rule in words."""
    return f"{', '.join(peers)} on {', '.join(ports) if ports else 'every port'}"


def pod_words(selector: Any) -> str:
    """Return a selector of pods in words."""
    return f"pods with {_labels(selector)}" if selector else "all pods"


def _peer(peer: Any) -> str:
    if not isinstance(peer, dict):
        return str(peer)
    held = cast("Data", peer)
    keys = set(held)
    if keys == {"ipBlock"} and set(held["ipBlock"]) <= {"cidr", "except"}:
        block: Data = held["ipBlock"]
        return (
            f"{block.get('cidr')} except {', '.join(block['except'])}" if "except" in block else str(block["cidr"])
        )
    if keys == {"name"}:
        return str(held["name"])
    if not keys or keys - {"podSelector", "namespaceSelector"}:
        return json.dumps(held, sort_keys=True)
    where = _spaces(held["namespaceSelector"]) if "namespaceSelector" in held else "the same namespace"
    return f"{pod_words(held.get('podSelector'))} in {where}"


def _port(port: Any) -> str:
    if not isinstance(port, dict) or set(cast("Data", port)) - {"protocol", "port", "endPort"}:
        return json.dumps(port, sort_keys=True)
    held = cast("Data", port)
    number = f"{held['port']}" if "port" in held else "every port"
    return f"{held.get('protocol', 'TCP')} {number}" + (f"-{held['endPort']}" if "endPort" in held else "")


def _spaces(selector: Any) -> str:
    if not selector:
        return "every namespace"
    words = _labels(selector)
    name = words.removeprefix(f"{_NAMESPACE}=")
    return f"namespace {name}" if name != words and " and " not in name else f"namespaces with {words}"


def _labels(selector: Any) -> str:
    if not isinstance(selector, dict) or set(cast("Data", selector)) - {"matchLabels", "matchExpressions"}:
        return json.dumps(selector, sort_keys=True)
    held = cast("Data", selector)
    labels: Data = held.get("matchLabels") or {}
    words = [f"{key}={value}" for key, value in sorted(labels.items())]
    for each in cast("list[Data]", held.get("matchExpressions") or []):
        values = f" {', '.join(map(str, each['values']))}" if each.get("values") else ""
        words.append(f"{each.get('key')} {each.get('operator')}{values}")
    return " and ".join(words)
