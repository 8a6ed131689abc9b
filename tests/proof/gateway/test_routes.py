# SPDX-License-Identifier: Apache-2.0
"""The translation of a cluster's routes to Envoy's configuration is that of the Gateway API, and strict."""

from dataclasses import replace
from typing import Any

import pytest

from proof.gateway.routes import Objects, UnknownRouteError, backends, clusters, endpoints, listener

GATEWAY = {
    "metadata": {"name": "models", "namespace": "models"},
    "spec": {"listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
}


def reference(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "port": 80, **more}


def rule(path: str, *references: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"matches": [{"path": {"type": "PathPrefix", "value": path}}], "backendRefs": list(references), **more}


def route(*rules: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "route", "namespace": "models"},
        "spec": {"parentRefs": [{"name": "models"}], "rules": list(rules), **spec},
    }


def objects(*routes: dict[str, Any], **more: Any) -> Objects:
    empty: dict[str, Any] = dict.fromkeys(Objects.__dataclass_fields__, ())
    return Objects(**empty | {"gateways": [GATEWAY], "routes": routes} | more)


def hosts(found: Objects) -> list[dict[str, Any]]:
    manager = listener(found, GATEWAY, 1)["filter_chains"][0]["filters"][0]["typed_config"]
    return manager["route_config"]["virtual_hosts"]


def test_the_longer_path_comes_first_then_the_match_with_a_header() -> None:
    named = rule("/v1", reference("named"))
    named["matches"][0]["headers"] = [{"name": "X-Model", "value": "a"}]
    found = hosts(objects(route(rule("/", reference("all")), rule("/v1", reference("any")), named)))
    order = [each["route"]["cluster"].split("-")[2] for each in found[0]["routes"]]
    assert order == ["named", "any", "all"]


def test_weights_are_those_of_the_route_and_a_host_is_asked_by_its_name() -> None:
    shared = rule("/v1", reference("old", weight=80), reference("new", weight=20))
    found = hosts(objects(route(shared, hostnames=["models.example.com"])))
    assert found[0]["domains"] == ["models.example.com", "models.example.com:*"]
    weights = found[0]["routes"][0]["route"]["weighted_clusters"]["clusters"]
    assert [each["weight"] for each in weights] == [80, 20]


def test_a_request_may_take_as_long_as_the_policy_of_its_backend_says() -> None:
    policy = {
        "metadata": {"namespace": "models"},
        "spec": {"targetRef": {"kind": "Service", "name": "slow"}, "default": {"timeoutSec": 900}},
    }
    found = objects(route(rule("/slow", reference("slow")), rule("/quick", reference("quick"))), policies=[policy])
    assert [each["route"]["timeout"] for each in hosts(found)[0]["routes"]] == ["30s", "900s"]


def test_only_ready_endpoints_get_requests() -> None:
    service = {
        "metadata": {"name": "a", "namespace": "models"},
        "spec": {"ports": [{"name": "http", "port": 80}]},
    }
    rows = [
        {"addresses": ["10.8.0.2"], "conditions": {"ready": True}},
        {"addresses": ["10.8.0.3"], "conditions": {"ready": False}},
    ]
    ports = [{"name": "http", "port": 8000}, {"name": "other", "port": 9000}]
    labels = {"kubernetes.io/service-name": "a"}
    piece = {"metadata": {"namespace": "models", "labels": labels}, "ports": ports, "endpoints": rows}
    found = objects(route(rule("/v1", reference("a"))), services=[service], slices=[piece])
    made = endpoints(found, GATEWAY, lambda address: f"at {address}")
    (only,) = made["service-models-a-80"]["endpoints"][0]["lb_endpoints"]
    assert only["endpoint"]["address"]["socket_address"] == {"address": "at 10.8.0.2", "port_value": 8000}
    assert [each["name"] for each in clusters(found, GATEWAY, str)] == ["service-models-a-80"]


def test_another_namespace_needs_a_grant() -> None:
    far = route(rule("/v1", reference("proxy", namespace="keda")))
    with pytest.raises(UnknownRouteError, match="ReferenceGrant"):
        backends(objects(far), GATEWAY)
    spec = {"from": [{"kind": "HTTPRoute", "namespace": "models"}], "to": [{"kind": "Service", "name": "proxy"}]}
    grant = {"metadata": {"namespace": "keda"}, "spec": spec}
    assert [each.namespace for each in backends(objects(far, grants=[grant]), GATEWAY)] == ["keda"]


@pytest.mark.parametrize(
    "changed",
    [
        rule("/v1", reference("a"), filters=[{"type": "RequestMirror"}]),
        rule("/v1", reference("a")) | {"matches": [{"path": {"type": "RegularExpression", "value": "/v."}}]},
        rule("/v1", reference("a"))
        | {"matches": [{"path": {"type": "PathPrefix", "value": "/"}, "method": "GET"}]},
    ],
)
def test_what_is_not_translated_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(UnknownRouteError):
        hosts(replace(objects(), routes=[route(changed)]))
