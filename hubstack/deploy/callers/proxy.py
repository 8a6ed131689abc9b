# SPDX-License-Identifier: Apache-2.0
"""The configuration of Envoy, which stands between the load balancer and the models if the stack has callers.

Owns the order in which a request is checked: the model is read from the body, the key is checked and exchanged
for the caller's name, the model must be one of the caller's, and its limits must not be used up. When the response
ends, its tokens and their cost are counted. Does not own the limits (`hubstack.deploy.callers.limits`) nor the pods
(`hubstack.deploy.callers.pods`). Fields are those of Envoy's v3 API, release 1.40.
"""

import itertools
from collections.abc import Mapping, Sequence

from hubstack import names
from hubstack.deploy.callers.limits import CALLER, COST, DOMAIN, LIMIT, MODEL, REQUESTS, TOKENS, USED
from hubstack.deploy.manifests.base import Object, server_name
from hubstack.deploy.manifests.scaling import INTERCEPTOR_PORT, INTERCEPTOR_SERVICE
from hubstack.deploy.manifests.traffic import canary_for, interceptor_host
from hubstack.plan import ModelPlan
from hubstack.plan.callers import CallersPlan, TokenPrice
from hubstack.plan.gateway import GatewayPlan, TrafficPlan
from hubstack.plan.target import TargetPlan
from hubstack.planner.serving.routing import COUNTERS

PROXY_PORT, STATUS_PORT, ADMIN_PORT, LIMITER_PORT = 8080, 8081, 9901, 8082
READY_PATH, METRICS_PATH = "/ready", "/stats/prometheus"
KEYS_FOLDER, KEYS_FILE = "/keys", "keys.json"
"""File with the callers' keys, as a resource of Envoy's API; written by `write_keys.py`."""
BODY_BYTES = 32 * 1024**2
"""Longest body of a request or of an unstreamed response; a longer one is refused. Our choice: 32 MiB, some
twenty images in base64."""
EVENT_BYTES = 1024**2
"""Longest event of a streamed response from which usage is read. Our choice."""
LIMITER_SECONDS = 0.5
"""How long a request waits for the limiter; then it passes, because an outage of the counters should not be one of
the models. Our choice."""
KEY_CHECK = "envoy.filters.http.api_key_auth"
LIMITER = "envoy.filters.http.ratelimit"
CALLER_HEADER = "x-hubstack-caller"
"""Set by the proxy from the key; the same header from a client is removed."""
FORWARDING: Object = {"header": CALLER_HEADER, "hide_credentials": True}
"""Header with the caller's name for the model server, which never gets the key."""
NOBODY = "-"
"""Stands for the callers of a model that no caller may use; not a valid name, so no key belongs to it."""
_MODEL_HEADER, _STREAM_HEADER = "x-hubstack-model", "x-hubstack-stream"
_READ_MODEL, _ASK_USAGE = "hubstack.read_model", "hubstack.ask_usage"
_USAGE = "hubstack.usage"
"""Namespace of the metadata with a response's token counts."""
ROUTE = "hubstack.route"
"""Namespace of the metadata of a route."""
_FILTERS = "type.googleapis.com/envoy.extensions.filters.http"
_ERRORS: Mapping[int, tuple[str, str]] = {
    401: ("invalid_api_key", "The API key is missing or not valid."),
    403: ("model_not_allowed", "This caller may not use this model."),
    404: ("model_not_found", "No model of this stack has this name or path."),
    413: ("request_too_large", f"The request is larger than {BODY_BYTES // 1024**2} MiB."),
    429: ("rate_limit_exceeded", "This caller has used up a limit: requests, tokens or the budget."),
}
"""Errors in the form of the OpenAI API, by status."""


def proxy_config(
    target: TargetPlan,
    gateway: GatewayPlan,
    traffic: TrafficPlan,
    callers: CallersPlan,
    models: Sequence[ModelPlan],
) -> Object:
    """Return Envoy's bootstrap configuration.

    Args:
        target: the stack's target.
        gateway: the gateway that the callers use.
        traffic: the models' names.
        callers: who may use which model.
        models: the models on GKE.
    """
    own = [model for model in models if model.canary_of is None]
    routes = [each for model in own for each in _routes(target, gateway, traffic, callers, models, model)]
    clusters = [_cluster(target, model) for model in models]
    return {
        "node": {"id": "callers", "cluster": "callers"},
        "admin": {"address": _socket("127.0.0.1", ADMIN_PORT)},
        "static_resources": {
            "listeners": [_listener(gateway, routes), _status_listener()],
            "clusters": [*clusters, _limiter_cluster(target), _address_cluster("admin", "127.0.0.1", ADMIN_PORT)],
        },
        # A request in progress never ends because Envoy has too few connections to a model.
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.resource_monitors."
                        "downstream_connections.v3.DownstreamConnectionsConfig",
                        "max_active_downstream_connections": "10000",
                    },
                }
            ]
        },
    }


def _listener(gateway: GatewayPlan, routes: list[Object]) -> Object:
    connections = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3."
        "HttpConnectionManager",
        "stat_prefix": "callers",
        "codec_type": "AUTO",
        "use_remote_address": False,
        "stream_idle_timeout": f"{gateway.timeout_seconds}s",
        "request_timeout": f"{gateway.timeout_seconds}s",
        "drain_timeout": "5s",
        "path_with_escaped_slashes_action": "UNESCAPE_AND_REDIRECT",
        "normalize_path": True,
        "merge_slashes": True,
        "early_header_mutation_extensions": [_only_ours()],
        "route_config": {
            "name": "models",
            "virtual_hosts": [
                {
                    "name": "models",
                    "domains": ["*"],
                    "routes": [*routes, _unknown()],
                    "request_body_buffer_limit": BODY_BYTES,
                }
            ],
        },
        "http_filters": _filters(),
        "local_reply_config": {"mappers": [_error(status, *said) for status, said in _ERRORS.items()]},
        "access_log": [_access_log()],
    }
    return {
        "name": "callers",
        "address": _socket("0.0.0.0", PROXY_PORT),  # noqa: S104  a pod's address, closed by network policies
        "per_connection_buffer_limit_bytes": BODY_BYTES,
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": connections}]}
        ],
    }


def _filters() -> list[Object]:
    read = {
        "clear_route_cache": True,
        "request_transformation": {
            "headers_mutations": [
                _set(_MODEL_HEADER, "%REQUEST_BODY(model)%"),
                _set(_STREAM_HEADER, "%REQUEST_BODY(stream)%"),
            ]
        },
    }
    limiter = {
        "domain": DOMAIN,
        "timeout": f"{LIMITER_SECONDS}s",
        "failure_mode_deny": False,
        "rate_limits": _limits(),
        "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
        "enable_retry_after_header": True,
        "rate_limit_service": {
            "transport_api_version": "V3",
            "grpc_service": {"envoy_grpc": {"cluster_name": "limiter"}},
        },
    }
    return [
        _filter(_READ_MODEL, "transform.v3.TransformConfig", read),
        # Changes nothing but on the routes of streams, whose engines report usage only if asked.
        _filter(_ASK_USAGE, "transform.v3.TransformConfig", {}),
        {
            "name": KEY_CHECK,
            "config_discovery": {
                "type_urls": [f"{_FILTERS}.api_key_auth.v3.ApiKeyAuth"],
                "config_source": {
                    "path_config_source": {
                        "path": f"{KEYS_FOLDER}/{KEYS_FILE}",
                        "watched_directory": {"path": KEYS_FOLDER},
                    },
                    "resource_api_version": "V3",
                },
            },
        },
        _filter(LIMITER, "ratelimit.v3.RateLimit", limiter),
        # Response filters run from the last to the first: the counts are there when the limiter asks for them.
        _filter("hubstack.count_json", "json_to_metadata.v3.JsonToMetadata", {"response_rules": _counts()}),
        _filter("hubstack.count_stream", "sse_to_metadata.v3.SseToMetadata", {"response_rules": _stream_counts()}),
        _filter("envoy.filters.http.router", "router.v3.Router", {}),
    ]


def _ask_usage() -> Object:
    asked = {"json_format": {"stream_options": {"include_usage": True}}}
    return {"request_transformation": {"body_transformation": {"body_format": asked, "action": "MERGE"}}}


def _counts() -> Object:
    return {"rules": [_count("prompt_tokens"), _count("completion_tokens")]}


def _stream_counts() -> Object:
    parser = {
        "@type": "type.googleapis.com/envoy.extensions.content_parsers.json.v3.JsonContentParser",
        "rules": [{"rule": each} for each in _counts()["rules"]],
    }
    return {
        "content_parser": {"name": "envoy.content_parsers.json", "typed_config": parser},
        "max_event_size": EVENT_BYTES,
    }


def _count(name: str) -> Object:
    return {
        "selectors": [{"key": "usage"}, {"key": name}],
        "on_present": {"metadata_namespace": _USAGE, "key": name, "type": "NUMBER"},
    }


def _routes(
    target: TargetPlan,
    gateway: GatewayPlan,
    traffic: TrafficPlan,
    callers: CallersPlan,
    models: Sequence[ModelPlan],
    model: ModelPlan,
) -> list[Object]:
    """Return the routes of a model: its names under `/v1`, streamed or not, and its paths."""
    allowed = [each.name for each in callers.callers if model.key in each.models]
    told = _route_facts(model, callers.prices.get(model.key), callers.unit_usd)
    found: list[Object] = []
    host = interceptor_host(target.of_team(model.team), model)
    waits = model.scaling.activation_timeout_seconds if host and model.scaling else 0
    action: Object = {
        **_destination(models, model),
        "timeout": f"{gateway.timeout_seconds + waits}s",
        **({"host_rewrite_literal": host} if host else {}),
    }
    # A route's settings replace the filter's, so that what is passed on is said here too.
    checked = {"allowed_clients": allowed or [NOBODY], "forwarding": FORWARDING}
    per_filter = {KEY_CHECK: _typed("api_key_auth.v3.ApiKeyAuthPerRoute", checked)}
    usage = {_ASK_USAGE: _typed("transform.v3.TransformConfig", _ask_usage())}
    for name in traffic.names[model.key]:
        named = {"name": _MODEL_HEADER, "string_match": {"exact": name}}
        streamed = {"name": _STREAM_HEADER, "string_match": {"exact": "true"}}
        for headers, filters in (([named, streamed], per_filter | usage), ([named], per_filter)):
            match = {"path_separated_prefix": "/v1", "headers": headers}
            found.append(_route(match, action, filters, told))
    for key, path in itertools.product(names.entry_keys(model), model.server.open_paths):
        match = {"path_separated_prefix": f"/{key}{path}"}
        found.append(_route(match, action | {"prefix_rewrite": path}, per_filter, told))
    return found


def _route_facts(model: ModelPlan, price: TokenPrice | None, unit_usd: float) -> Object:
    """Return the metadata of a route: its model, and the price of a token in units, to six digits."""
    prices: Object = {}
    if price is not None:
        usd = {"input": price.usd_per_million_input, "output": price.usd_per_million_output}
        prices = {name: float(f"{each / 1e6 / unit_usd:.6g}") for name, each in usd.items()}
    return {"filter_metadata": {ROUTE: {MODEL: model.key, **prices}}}


def _route(match: Object, action: Object, per_filter: Object, told: Object) -> Object:
    return {
        "metadata": told,
        "match": match,
        "route": action,
        "typed_per_filter_config": per_filter,
        "request_headers_to_remove": [_MODEL_HEADER, _STREAM_HEADER],
    }


def _destination(models: Sequence[ModelPlan], model: ModelPlan) -> Object:
    canary = canary_for(models, model)
    if canary is None:
        return {"cluster": server_name(model)}
    weighted = [
        {"name": server_name(model), "weight": 100 - canary.canary_weight},
        {"name": server_name(canary), "weight": canary.canary_weight},
    ]
    return {"weighted_clusters": {"clusters": weighted}}


def _limits() -> list[Object]:
    """Return what a request is counted as; the route names its model and prices.

    When a request arrives, each limit is checked, and the number of requests counted. When its response ends,
    tokens and their cost are added, which later requests are checked against. A request costs one unit more than
    its tokens, so that none is free by rounding.
    """
    prompt, answer = _tokens("prompt_tokens"), _tokens("completion_tokens")
    tokens = f"{prompt} + {answer}"
    cost = f"{prompt} * {_price('input')} + {answer} * {_price('output')} + 1.0"
    checked = {"hits_addend": {"number": 0}}
    return [
        _limit(REQUESTS),
        _limit(TOKENS) | checked,
        _limit(COST) | checked,
        _used(REQUESTS),
        _limit(TOKENS) | _when_done(tokens),
        _limit(COST) | _when_done(cost),
        _used("input") | _when_done(prompt),
        _used("output") | _when_done(answer),
        _used(COST) | _when_done(cost),
    ]


def _tokens(name: str) -> str:
    """Return the expression for a count; 0 where the response has none: embeddings generate no tokens."""
    counts = f"metadata.filter_metadata['{_USAGE}']"
    return f"(has({counts}.{name}) ? {counts}.{name} : 0.0)"


def _price(name: str) -> str:
    """Return the expression for a price of the route's model; the whole expression fails if it has none."""
    return f"xds.route_metadata.filter_metadata['{ROUTE}'].{name}"


def _when_done(expression: str) -> Object:
    """Return that something is added when the response ends; nothing is added where the expression fails."""
    return {"apply_on_stream_done": True, "hits_addend": {"format": f"%TYPED_CEL({expression})%"}}


def _limit(name: str) -> Object:
    return {"actions": [_caller(), _generic(LIMIT, name)]}


def _used(what: str) -> Object:
    path = [{"key": MODEL}]
    model = {"descriptor_key": MODEL, "metadata_key": {"key": ROUTE, "path": path}, "source": "ROUTE_ENTRY"}
    return {"actions": [_caller(), {"metadata": model}, _generic(USED, what)]}


def _caller() -> Object:
    return {"request_headers": {"header_name": CALLER_HEADER, "descriptor_key": CALLER}}


def _generic(key: str, value: str) -> Object:
    return {"generic_key": {"descriptor_key": key, "descriptor_value": value}}


def _unknown() -> Object:
    return {"match": {"prefix": "/"}, "direct_response": {"status": 404}}


def _only_ours() -> Object:
    """Return the removal of a client's own copies of the headers that the proxy sets."""
    return {
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3."
            "HeaderMutation",
            "mutations": [{"remove": each} for each in (CALLER_HEADER, _MODEL_HEADER, _STREAM_HEADER)],
        },
    }


def _error(status: int, code: str, message: str) -> Object:
    body = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}
    equals = {"op": "EQ", "value": {"default_value": status, "runtime_key": f"hubstack.status_{status}"}}
    return {
        "filter": {"status_code_filter": {"comparison": equals}},
        "body_format_override": {"json_format": body, "content_type": "application/json"},
    }


def _access_log() -> Object:
    said = {
        "caller": f"%REQ({CALLER_HEADER})%",
        "cluster": "%UPSTREAM_CLUSTER%",
        "status": "%RESPONSE_CODE%",
        "milliseconds": "%DURATION%",
        "prompt_tokens": f"%DYNAMIC_METADATA({_USAGE}:prompt_tokens)%",
        "completion_tokens": f"%DYNAMIC_METADATA({_USAGE}:completion_tokens)%",
    }
    return {
        "name": "envoy.access_loggers.stdout",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
            "log_format": {"json_format": said},
        },
    }


def _status_listener() -> Object:
    """Return the listener for probes and metrics: two paths of Envoy's administration, which is local."""
    routes = [{"match": {"path": path}, "route": {"cluster": "admin"}} for path in (READY_PATH, METRICS_PATH)]
    connections = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3."
        "HttpConnectionManager",
        "stat_prefix": "status",
        "route_config": {"virtual_hosts": [{"name": "status", "domains": ["*"], "routes": routes}]},
        "http_filters": [_filter("envoy.filters.http.router", "router.v3.Router", {})],
    }
    return {
        "name": "status",
        "address": _socket("0.0.0.0", STATUS_PORT),  # noqa: S104  as above
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": connections}]}
        ],
    }


def _cluster(target: TargetPlan, model: ModelPlan) -> Object:
    own = target.of_team(model.team)
    host = interceptor_host(own, model)
    service = names.cluster_host(INTERCEPTOR_SERVICE, target.keda_namespace) if host else None
    made = _address_cluster(
        server_name(model),
        service or names.cluster_host(server_name(model), own.namespace),
        INTERCEPTOR_PORT if host else 80,
    )
    # A Service spreads connections, not requests: with one request a connection, replicas share the load evenly.
    options: Object = {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "common_http_protocol_options": {"max_requests_per_connection": 1},
        "explicit_http_config": {"http_protocol_options": {}},
    }
    extended = {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options}
    limits = {"max_connections": 10000, "max_pending_requests": 10000, "max_requests": 10000}
    return made | {
        "typed_extension_protocol_options": extended,
        "circuit_breakers": {"thresholds": [limits]},
        "per_connection_buffer_limit_bytes": BODY_BYTES,
    }


def _limiter_cluster(target: TargetPlan) -> Object:
    options: Object = {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    extended = {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options}
    made = _address_cluster("limiter", names.cluster_host(COUNTERS, target.namespace), LIMITER_PORT)
    return made | {"typed_extension_protocol_options": extended}


def _address_cluster(name: str, host: str, port: int) -> Object:
    endpoint = {"endpoint": {"address": _socket(host, port)}}
    return {
        "name": name,
        "type": "STRICT_DNS",
        "dns_lookup_family": "V4_PREFERRED",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _socket(address: str, port: int) -> Object:
    return {"socket_address": {"address": address, "port_value": port}}


def _filter(name: str, kind: str, config: Object) -> Object:
    return {"name": name, "typed_config": _typed(kind, config)}


def _typed(kind: str, config: Object) -> Object:
    return {"@type": f"{_FILTERS}.{kind}", **config}


def _set(name: str, value: str) -> Object:
    return {
        "append": {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"},
    }
