# SPDX-License-Identifier: Apache-2.0
"""Who reaches whom in every example, judged by cyclonus over the policies and the pods of its graph."""

from collections import defaultdict
from itertools import product

import pytest

from tests.support.netpol_engine import Attempt, Peer, allowed
from tests.support.network_graph import (
    CLIENT,
    COLLECTOR,
    EXAMPLES,
    HELD,
    KEDA,
    LWS,
    PROXIES,
    STRANGERS,
    Example,
    destinations,
    example,
)

HUB = {
    "huggingface.co",
    "cas-server.xethub.hf.co",
    "cas-server.xethub-eu.hf.co",
    "transfer.xethub.hf.co",
    "transfer.xethub-eu.hf.co",
    "us.aws.cdn.hf.co",
    "us.gcp.cdn.hf.co",
    "cdn-lfs-us-1.hf.co",
    "cdn-lfs-eu-1.hf.co",
}
"""Hosts of the Hub: https://github.com/huggingface/hub-docs (2026-08-22)."""
DNS = {"kube-dns", "node-local-dns", "dns-cache", "cloud-dns"}
IDENTITY = {"metadata:988", "metadata:80"}
BUCKETS = {"storage.googleapis.com"}


def reached(found: Example, attempts: list[tuple[str, Attempt]]) -> dict[str, set[str]]:
    """Return source to what it reaches."""
    answers = allowed(found.policies, [attempt for _, attempt in attempts])
    made: dict[str, set[str]] = defaultdict(set)
    for (what, attempt), is_allowed in zip(attempts, answers, strict=True):
        if is_allowed:
            made[attempt.source.name].add(what)
    return made


def test_there_is_something_to_judge() -> None:
    assert len(EXAMPLES) >= 4
    assert all(example(name).role("server") and example(name).role("loader") for name in EXAMPLES)
    assert any(example(name).role("endpoint-picker") for name in EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_only_clients_collectors_and_the_gateway_reach_a_server_and_only_on_its_port(name: str) -> None:
    found = example(name)
    has_gateway = bool(found.role("body-router"))
    has_resting = any(
        "app.kubernetes.io/component" in each["spec"]["podSelector"].get("matchLabels", {})
        for each in found.policies
    )
    servers = found.role("server")
    sources = (CLIENT, COLLECTOR, HELD, *PROXIES, *STRANGERS, *found.role("endpoint-picker"), *found.role("loader"))
    attempts = [
        (f"{server.name}:{port}", Attempt(source, server, port))
        for source, server, port in product(sources, servers, (*found.ports, 22, 6379))
    ]
    seen = reached(found, attempts)
    expected = {CLIENT.name, COLLECTOR.name} | ({HELD.name} if has_resting else set())
    if has_gateway:
        expected |= {proxy.name for proxy in PROXIES} | {each.name for each in found.role("endpoint-picker")}
    assert set(seen) == expected
    every = {f"{server.name}:{port}" for server in servers for port in found.ports}
    assert all(ports == every for ports in seen.values())


@pytest.mark.parametrize("name", EXAMPLES)
def test_nobody_reaches_a_loader_and_only_googles_proxies_reach_a_callout(name: str) -> None:
    found = example(name)
    sources = (CLIENT, COLLECTOR, HELD, *PROXIES, *STRANGERS, *found.role("server"))
    loaders = [
        ("loader", Attempt(source, each, port))
        for source, each, port in product(sources, found.role("loader"), (80, 443, 8000, 8080))
    ]
    assert not reached(found, loaders)
    callouts = [*found.role("body-router"), *found.role("endpoint-picker")]
    seen = reached(found, [("callout", Attempt(source, each, 9002)) for source, each in product(sources, callouts)])
    assert set(seen) == ({proxy.name for proxy in PROXIES} if callouts else set())


def leaving(found: Example, pods: list[Peer]) -> list[set[str]]:
    """Return what each of the pods reaches outside of its own model."""
    seen = []
    for each in pods:
        tried = [(what, Attempt(each, peer, port, protocol)) for what, peer, port, protocol in destinations(found)]
        others = [
            other
            for other in found.pods
            if other.labels != each.labels
            and other.labels.get("app.kubernetes.io/instance") != each.labels.get("app.kubernetes.io/instance")
        ]
        tried += [
            (f"{other.labels['app.kubernetes.io/name']}s", Attempt(each, other, port))
            for other, port in product(others, (*found.ports, 443, 9002))
        ]
        seen.append(reached(found, tried)[each.name])
    return seen


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_server_reaches_names_its_identity_and_google_storage_and_nothing_else(name: str) -> None:
    found = example(name)
    servers = found.role("server")
    for server, seen in zip(servers, leaving(found, servers), strict=True):
        assert seen == (set() if server.name in found.on_disk else DNS | IDENTITY | BUCKETS)


def test_a_server_whose_weights_are_on_a_disk_reaches_nothing_at_all() -> None:
    found = example("fleet")
    (server,) = [each for each in found.role("server") if each.name in found.on_disk]
    assert leaving(found, [server]) == [set()]


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_loader_reaches_the_hub_the_package_index_and_google_storage_and_nothing_else(name: str) -> None:
    found = example(name)
    for seen in leaving(found, found.role("loader")):
        assert seen == DNS | IDENTITY | BUCKETS | HUB | {"pypi.org", "files.pythonhosted.org"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_callout_reaches_the_control_plane_and_the_servers_and_nothing_else(name: str) -> None:
    found = example(name)
    for role in ("body-router", "endpoint-picker"):
        for pods in found.role(role):
            (seen,) = leaving(found, [pods])
            # The servers let no one in but the picker.
            assert seen == {"the control plane"} | ({"servers"} if role == "endpoint-picker" else set())


@pytest.mark.parametrize("name", EXAMPLES)
def test_pods_of_one_model_speak_to_each_other_only_where_it_spans_nodes(name: str) -> None:
    found = example(name)
    by_model: dict[str, list[Peer]] = defaultdict(list)
    for each in found.role("server"):
        by_model[each.name].append(each)
    for pods in by_model.values():
        spans = len(pods) > 1
        attempts = [Attempt(one, other, port) for one, other, port in product(pods, pods, (6379, 8000, 45123))]
        assert set(allowed(found.policies, attempts)) == {spans}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_interceptor_is_no_way_around_the_policy(name: str) -> None:
    found = example(name)
    sources = (CLIENT, *PROXIES, *STRANGERS)
    seen = reached(found, [("proxy", Attempt(source, HELD, 8080)) for source in sources])
    if any(each["metadata"]["namespace"] == "keda" for each in found.policies):
        expected = {CLIENT.name, "KEDA's operator", *(p.name for p in PROXIES if found.role("body-router"))}
        assert set(seen) == expected


def has_policies(found: Example, namespace: str) -> bool:
    return any(each["metadata"]["namespace"] == namespace for each in found.policies)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_controller_reaches_its_like_and_the_control_plane_and_nothing_else(name: str) -> None:
    found = example(name)
    has_resting = any(each["metadata"]["name"] == "interceptor-to-servers" for each in found.policies)
    if has_policies(found, "keda"):
        for role, source in KEDA.items():
            (seen,) = leaving(found, [source])
            own = {"operator": IDENTITY | {"monitoring.googleapis.com"}}.get(role, set())
            assert seen == DNS | {"the control plane"} | own | (
                {"servers"} if role == "interceptor" and has_resting else set()
            )
            others = [Attempt(source, each, port) for each in KEDA.values() for port in (9666, 9090)]
            assert all(allowed(found.policies, others))
    if has_policies(found, "lws-system"):
        assert leaving(found, [LWS]) == [DNS | {"the control plane"}]


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_controller_is_reached_only_where_the_control_plane_calls_it(name: str) -> None:
    found = example(name)
    strangers = [each for each in STRANGERS if each.namespace not in {"keda", "models"}]
    sources = (*strangers, Peer(name="the control plane", ip="10.0.0.2"), *found.role("server"))
    for pods, called in ((KEDA.values(), 10250), ([LWS], 9443)):
        for target in pods:
            if not has_policies(found, target.namespace):
                continue
            attempts = [
                (str(port), Attempt(source, target, port))
                for source, port in product(sources, (80, 8080, 9090, 9443, 9666, 10250))
            ]
            seen = reached(found, attempts)
            assert set(seen) == {*(each.name for each in strangers), "the control plane"}
            assert all(ports == {str(called)} for ports in seen.values())
