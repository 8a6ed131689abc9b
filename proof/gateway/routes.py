# SPDX-License-Identifier: Apache-2.0
"""Translates a cluster's Gateways, routes and endpoints to Envoy's configuration.

Owns the translation, which is strict: a filter, a match or an extension that it does not know is an error, not a
route that does something else. Does not own GKE's rules beyond those of the Gateway API.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proof.api import Object, has_condition

Config = dict[str, Any]
POOLS = "inference.networking.k8s.io"
ROUTER_TYPE = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
_EXT_PROC = "envoy.filters.http.ext_proc"
_EXT_PROC_TYPE = "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3"
_HTTP = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_TLS_TYPE = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
_MANAGER_TYPE = (
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
)
_STARTS_WITH = re.compile(r'request\.path\.startsWith\("([^"]+)"\)')
DEFAULT_SECONDS = 30
"""Of Google's load balancers, for a backend whose policy says nothing."""


class UnknownRouteError(Exception):
    """The objects have something that is not translated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """What the translation reads, all namespaces."""

    gateways: Sequence[Object]
    routes: Sequence[Object]
    grants: Sequence[Object]
    extensions: Sequence[Object]
    policies: Sequence[Object]
    services: Sequence[Object]
    slices: Sequence[Object]
    pools: Sequence[Object]
    pods: Sequence[Object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """Something that requests go to."""

    kind: str
    namespace: str
    name: str
    port: int | None

    @property
    def cluster(self) -> str:
        """Name of the cluster, in Envoy's sense."""
        return f"{self.kind}-{self.namespace}-{self.name}-{self.port or 'any'}".lower()


def listener(objects: Objects, gateway: Object, port: int) -> Config:
    """Return the listener of a gateway, in plain HTTP on the loopback."""
    chains = list(_extensions(objects, gateway))
    filters = [_external_processor(extension, namespace) for extension, namespace, _ in chains]
    manager = {
        "@type": _MANAGER_TYPE,
        "stat_prefix": "gateway",
        # The clusters may come a moment later than the routes to them.
        "route_config": {
            "name": "routes",
            "validate_clusters": False,
            "virtual_hosts": _hosts(objects, gateway, [at for *_, at in chains]),
        },
        "http_filters": [*filters, {"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER_TYPE}}],
        "stream_idle_timeout": "0s",
    }
    return {
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        "name": gateway["metadata"]["name"],
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [
            {
                "filters": [
                    {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager},
                ]
            }
        ],
    }


def clusters(objects: Objects, gateway: Object, endpoint_file: Callable[[str], str]) -> list[Config]:
    """Return the clusters of a gateway; each reads its endpoints from a file of its own."""
    found: dict[str, Config] = {}
    for backend in backends(objects, gateway):
        found[backend.cluster] = _cluster(backend.cluster, endpoint_file(backend.cluster), is_router=False)
    for extension, namespace, _ in _extensions(objects, gateway):
        name = _service_of(extension, namespace).cluster
        found[name] = _cluster(name, endpoint_file(name), is_router=True)
    return list(found.values())


def endpoints(objects: Objects, gateway: Object, local: Callable[[str], str]) -> dict[str, Config]:
    """Return the endpoints of each cluster.

    Args:
        objects: of the cluster.
        gateway: whose.
        local: where on this machine an address is.
    """
    routers = [_service_of(extension, namespace) for extension, namespace, _ in _extensions(objects, gateway)]
    return {
        backend.cluster: {
            "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            "cluster_name": backend.cluster,
            "endpoints": [
                {
                    "lb_endpoints": [
                        {"endpoint": {"address": {"socket_address": {"address": local(ip), "port_value": port}}}}
                        for ip, port in sorted(_places(objects, backend))
                    ]
                }
            ],
        }
        for backend in (*backends(objects, gateway), *routers)
    }


def backends(objects: Objects, gateway: Object) -> list[Backend]:
    """Return what the routes of a gateway go to, each once."""
    found = {
        backend: None
        for route in _routes_of(objects, gateway)
        for rule in route["spec"]["rules"]
        for backend, _ in _targets(objects, route, rule)
    }
    return list(found)


def _hosts(objects: Objects, gateway: Object, processed: Sequence[str]) -> list[Config]:
    by_host: dict[str, list[tuple[tuple[int, int], Config]]] = {}
    for route in _routes_of(objects, gateway):
        names = route["spec"].get("hostnames") or [gateway["spec"]["listeners"][0].get("hostname", "*")]
        for rule in route["spec"]["rules"]:
            for match in rule["matches"]:
                made = _route(objects, route, rule, match, processed)
                for name in names:
                    by_host.setdefault(name, []).append((_rank(match), made))
    return [
        {
            "name": host,
            "domains": [host] if host == "*" else [host, f"{host}:*"],
            "routes": [made for _, made in sorted(rows, key=lambda row: row[0])],
        }
        for host, rows in sorted(by_host.items())
    ]


def _rank(match: Object) -> tuple[int, int]:
    """Order matches as the Gateway API does: the longer path first, then more headers."""
    return (-len(match.get("path", {}).get("value", "/")), -len(match.get("headers", ())))


def _route(objects: Objects, route: Object, rule: Object, match: Object, processed: Sequence[str]) -> Config:
    targets = _targets(objects, route, rule)
    seconds = max(_timeout(objects, backend) for backend, _ in targets)
    action: Config = {"timeout": f"{seconds}s"}
    if len(targets) == 1:
        action["cluster"] = targets[0][0].cluster
    else:
        weights = [{"name": backend.cluster, "weight": weight} for backend, weight in targets]
        action["weighted_clusters"] = {"clusters": weights}
    for each in rule.get("filters", ()):
        action |= _rewrite(each)
    made: Config = {"match": _match(match), "route": action}
    if not any(match["path"]["value"].startswith(prefix.rstrip("/")) for prefix in processed):
        off = {"@type": f"{_EXT_PROC_TYPE}.ExtProcPerRoute", "disabled": True}
        made["typed_per_filter_config"] = {_EXT_PROC: off} if processed else {}
    return made


def _match(match: Object) -> Config:
    if match.keys() - {"path", "headers"} or match["path"]["type"] != "PathPrefix":
        raise UnknownRouteError(f"a match of a form that is not translated: {match}")
    headers: list[Config] = []
    for each in match.get("headers", ()):
        if each.get("type", "Exact") != "Exact":
            raise UnknownRouteError(f"a header match of the type {each['type']}")
        headers.append({"name": each["name"], "string_match": {"exact": each["value"]}})
    path = match["path"]["value"]
    return {"prefix": "/"} | {"headers": headers} if path == "/" else _prefix(path, headers)


def _prefix(path: str, headers: list[Config]) -> Config:
    return {"path_separated_prefix": path, "headers": headers}


def _rewrite(each: Object) -> Config:
    if each["type"] != "URLRewrite":
        raise UnknownRouteError(f"a filter of the type {each['type']}")
    said, found = each["urlRewrite"], dict[str, Any]()
    if "hostname" in said:
        found["host_rewrite_literal"] = said["hostname"]
    if "path" in said:
        if said["path"]["type"] != "ReplacePrefixMatch":
            raise UnknownRouteError(f"a rewrite of the type {said['path']['type']}")
        found["prefix_rewrite"] = said["path"]["replacePrefixMatch"]
    return found


def _routes_of(objects: Objects, gateway: Object) -> list[Object]:
    name, namespace = gateway["metadata"]["name"], gateway["metadata"]["namespace"]

    def is_parent(route: Object, parent: Object) -> bool:
        return (parent["name"], parent.get("namespace", route["metadata"]["namespace"])) == (name, namespace)

    found = [
        route for route in objects.routes if any(is_parent(route, each) for each in route["spec"]["parentRefs"])
    ]
    return sorted(found, key=lambda route: route["metadata"]["name"])


def _targets(objects: Objects, route: Object, rule: Object) -> list[tuple[Backend, int]]:
    found: list[tuple[Backend, int]] = []
    for each in rule["backendRefs"]:
        kind, namespace = each.get("kind", "Service"), each.get("namespace", route["metadata"]["namespace"])
        if namespace != route["metadata"]["namespace"] and not _is_granted(objects, route, each):
            raise UnknownRouteError(f"no ReferenceGrant lets a route refer to {namespace}/{each['name']}")
        backend = Backend(kind=kind, namespace=namespace, name=each["name"], port=each.get("port"))
        found.append((backend, each.get("weight", 1)))
    return found


def _is_granted(objects: Objects, route: Object, reference: Object) -> bool:
    return any(
        grant["metadata"]["namespace"] == reference["namespace"]
        and any(each["namespace"] == route["metadata"]["namespace"] for each in grant["spec"]["from"])
        and any(each.get("name") in (None, reference["name"]) for each in grant["spec"]["to"])
        for grant in objects.grants
    )


def _timeout(objects: Objects, backend: Backend) -> int:
    for policy in objects.policies:
        target = policy["spec"]["targetRef"]
        found = (target["kind"], policy["metadata"]["namespace"], target["name"])
        if found == (backend.kind, backend.namespace, backend.name):
            return policy["spec"]["default"].get("timeoutSec", DEFAULT_SECONDS)
    return DEFAULT_SECONDS


def _extensions(objects: Objects, gateway: Object) -> Iterator[tuple[Object, str, str]]:
    """Yield extension, its namespace, and the prefix of the paths that it sees."""
    for each in objects.extensions:
        if all(target["name"] != gateway["metadata"]["name"] for target in each["spec"]["targetRefs"]):
            continue
        for chain in each["spec"]["extensionChains"]:
            said = chain["matchCondition"]["celExpressions"][0]["celMatcher"]
            starts = _STARTS_WITH.fullmatch(said)
            if starts is None:
                raise UnknownRouteError(f"a condition that is not translated: {said}")
            yield from ((one, each["metadata"]["namespace"], starts[1]) for one in chain["extensions"])


def _service_of(extension: Object, namespace: str) -> Backend:
    reference = extension["backendRef"]
    return Backend(kind="Service", namespace=namespace, name=reference["name"], port=reference["port"])


def _external_processor(extension: Object, namespace: str) -> Config:
    events = set(extension["supportedEvents"])
    if extension.get("requestBodySendMode") != "FullDuplexStreamed" or not events <= {
        "RequestHeaders",
        "RequestBody",
        "RequestTrailers",
    }:
        raise UnknownRouteError(f"the extension {extension['name']} asks for what is not translated")
    service = {"cluster_name": _service_of(extension, namespace).cluster, "authority": extension["authority"]}
    config = {
        "@type": f"{_EXT_PROC_TYPE}.ExternalProcessor",
        "grpc_service": {"envoy_grpc": service},
        "message_timeout": extension.get("timeout", "0.2s"),
        "failure_mode_allow": extension.get("failOpen", False),
        "processing_mode": {
            "request_header_mode": "SEND",
            "request_body_mode": "FULL_DUPLEX_STREAMED",
            "request_trailer_mode": "SEND",
            "response_header_mode": "SKIP",
            "response_body_mode": "NONE",
            "response_trailer_mode": "SKIP",
        },
    }
    return {"name": _EXT_PROC, "typed_config": config}


def _cluster(name: str, file: str, *, is_router: bool) -> Config:
    """Return a cluster; an extension is reached by HTTP/2 with a certificate that it made itself."""
    protocol = {"http2_protocol_options": {}} if is_router else {"http_protocol_options": {}}
    source = {"path_config_source": {"path": file}, "resource_api_version": "V3"}
    made: Config = {
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "name": name,
        "type": "EDS",
        "connect_timeout": "5s",
        "eds_cluster_config": {"eds_config": source},
        "typed_extension_protocol_options": {
            _HTTP: {"@type": f"type.googleapis.com/{_HTTP}", "explicit_http_config": protocol}
        },
    }
    if is_router:
        made["transport_socket"] = {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {"@type": _TLS_TYPE, "common_tls_context": {"alpn_protocols": ["h2"]}},
        }
    return made


def _places(objects: Objects, backend: Backend) -> Iterable[tuple[str, int]]:
    if backend.kind == "InferencePool":
        return _pool_places(objects, backend)
    return service_places(objects.services, objects.slices, backend)


def _pool_places(objects: Objects, backend: Backend) -> Iterator[tuple[str, int]]:
    for pool in objects.pools:
        if (pool["metadata"]["namespace"], pool["metadata"]["name"]) == (backend.namespace, backend.name):
            wanted: Mapping[str, str] = pool["spec"]["selector"]["matchLabels"]
            for pod in objects.pods:
                labels = pod["metadata"].get("labels", {})
                is_chosen = pod["metadata"]["namespace"] == backend.namespace and labels.items() >= wanted.items()
                if is_chosen and is_ready(pod):
                    yield from ((pod["status"]["podIP"], each["number"]) for each in pool["spec"]["targetPorts"])


def service_places(
    services: Iterable[Object], slices: Iterable[Object], backend: Backend
) -> Iterator[tuple[str, int]]:
    """Yield address and port of the ready endpoints of a Service's port."""
    for service in services:
        if (service["metadata"]["namespace"], service["metadata"]["name"]) != (backend.namespace, backend.name):
            continue
        names = [each.get("name", "") for each in service["spec"]["ports"] if each["port"] == backend.port]
        for each in slices:
            metadata = each["metadata"]
            of = (metadata["namespace"], metadata.get("labels", {}).get("kubernetes.io/service-name"))
            if of == (backend.namespace, backend.name):
                yield from _slice_places(each, names)


def _slice_places(each: Object, names: Sequence[str]) -> Iterator[tuple[str, int]]:
    ports = [port["port"] for port in each.get("ports") or () if port.get("name", "") in names]
    for endpoint in each.get("endpoints") or ():
        if endpoint.get("conditions", {}).get("ready", True):
            yield from ((address, port) for address in endpoint["addresses"] for port in ports)


def is_ready(pod: Object) -> bool:
    """Return whether a pod gets requests."""
    return has_condition(pod, "Ready") and "deletionTimestamp" not in pod["metadata"]
