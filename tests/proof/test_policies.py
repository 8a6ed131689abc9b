# SPDX-License-Identifier: Apache-2.0
"""Network policies of the examples on the wire: kube-router enforces them between pods with networks of their own.

Each connection is tried; cyclonus, which judges the policies in tests/security, says whether it should pass.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import pytest

from proof.binaries import programs
from proof.control_plane import ControlPlane
from proof.namespace import own_namespace
from proof.policies.binaries import missing_tools, router
from proof.policies.enforcer import Pod, enforce
from proof.policies.network import Ends
from tests.support.netpol_engine import Attempt, Peer, allowed
from tests.support.network_graph import (
    CLIENT,
    COLLECTOR,
    HELD,
    KEDA,
    PROXIES,
    STRANGERS,
    Example,
    destinations,
    example,
)

pytestmark = pytest.mark.proof
TCP, UDP = (22, 80, 443, 988, 9002, 10250), (53,)


@dataclass(frozen=True)
class Wire:
    """A graph whose policies are enforced."""

    found: Example
    ends: Ends
    others: dict[str, Peer]
    """Those who are in no graph, by name, with addresses of their own."""

    def reach(self, attempts: list[Attempt]) -> list[bool]:
        asked = [
            {"source": a.source.ip, "target": a.target.ip, "port": a.port, "protocol": a.protocol} for a in attempts
        ]
        return self.ends.reach(asked)


@pytest.fixture(scope="module", params=["production", "fleet"])
def wire(request: pytest.FixtureRequest, namespaces: None) -> Iterator[Wire]:
    if missing := missing_tools():
        pytest.skip(f"network policies were not enforced: {', '.join(missing)} is not installed")
    found = example(request.param)
    strangers = [CLIENT, COLLECTOR, *KEDA.values(), *STRANGERS, *PROXIES]
    others = {
        each.name: replace(each, ip=f"10.17.1.{number}") if each.namespace else each
        for number, each in enumerate(strangers, 1)
    }
    inside = [*found.pods, *(each for each in others.values() if each.namespace)]
    outside = {each.ip for each in others.values() if not each.namespace}
    outside |= {peer.ip for _, peer, _, _ in destinations(found) if not peer.namespace}
    labels: dict[str, dict[str, str]] = {}
    for each in inside:
        labels.setdefault(each.namespace, {}).update(each.namespace_labels)
    parts, _ = programs(), router()  # built where there is a network
    assert allowed(found.policies, []) == []
    with own_namespace(None), ControlPlane(parts) as plane, Ends((*TCP, *found.ports), UDP) as ends:
        for each in inside:
            ends.add([each.ip])
        ends.add(sorted(outside))
        pods = [
            Pod(name=f"pod-{number}", namespace=each.namespace, address=each.ip, labels=each.labels)
            for number, each in enumerate(inside)
        ]
        enforce(plane, labels, pods, found.policies)
        yield Wire(found, ends, others)


def test_every_connection_is_passed_or_refused_as_the_policies_say(wire: Wire) -> None:
    found, others = wire.found, list(wire.others.values())
    pods = [*found.pods, *(each for each in others if each.namespace)]
    ports = sorted({*found.ports, 22, 443, 9002})
    attempts = [
        Attempt(source, target, port)
        for source, target, port in product([*pods, *others], pods, ports)
        if source.ip != target.ip
    ]
    attempts += [
        Attempt(source, peer, port, protocol)
        for source, (_, peer, port, protocol) in product(pods, destinations(found))
        if not peer.namespace
    ]
    expected, seen = allowed(found.policies, attempts), wire.reach(attempts)
    wrong = [
        f"{each.source.name} -> {each.target.name}:{each.port}/{each.protocol}: {'passed' if passed else 'refused'}"
        for each, passed, is_allowed in zip(attempts, seen, expected, strict=True)
        if passed != is_allowed
    ]
    assert not wrong, "\n".join(wrong[:40])
    assert any(seen)
    assert not all(seen)


def test_a_stranger_does_not_reach_a_server_and_a_client_does(wire: Wire) -> None:
    """Named one by one, so that no matcher has to be believed."""
    servers = wire.found.role("server")
    stranger, client = wire.others["neighbour"], wire.others[CLIENT.name]
    for source, is_reached in ((stranger, False), (client, True)):
        tried = [Attempt(source, server, port) for server, port in product(servers, wire.found.ports)]
        assert any(wire.reach(tried)) is is_reached, source.name


def test_a_server_does_not_reach_the_internet_the_control_plane_or_another_model(wire: Wire) -> None:
    internet, plane = Peer(name="internet", ip="198.51.100.7"), Peer(name="kubernetes", ip="10.0.0.2")
    server, *more = wire.found.role("server")
    other = next(each for each in more if each.labels != server.labels)
    attempts = [Attempt(server, peer, 443) for peer in (internet, plane)]
    attempts += [Attempt(server, other, port) for port in wire.found.ports]
    assert not any(wire.reach(attempts))


def test_the_interceptor_alone_of_keda_reaches_a_server(wire: Wire) -> None:
    servers, ports = wire.found.role("server"), wire.found.ports
    reached = {
        name
        for name, peer in KEDA.items()
        if any(wire.reach([Attempt(wire.others[peer.name], each, port) for each, port in product(servers, ports)]))
    }
    assert reached <= {"interceptor"}
    assert HELD.name in wire.others
