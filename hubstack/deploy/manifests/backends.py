# SPDX-License-Identifier: Apache-2.0
"""Backend settings of the load balancer: timeouts, draining, health checks, IAP and network access.

Owns GKE's policies (`networking.gke.io/v1`: GCPBackendPolicy, HealthCheckPolicy) and the NetworkPolicies that admit
Google's proxies. Does not own the list of backends (`hubstack.deploy.manifests.traffic`). A policy must be in the
namespace of its target (GKE docs, "Configure Gateway resources using policies").
"""

from collections.abc import Iterable

from hubstack.deploy.manifests.api_keys import iap_secret
from hubstack.deploy.manifests.base import Object, metadata, network_policy, server_name, tcp
from hubstack.deploy.manifests.callouts import BODY_ROUTER_NAME, CALLOUT_PORTS, PICKER_NAME
from hubstack.deploy.manifests.scaling import INTERCEPTOR_PORT, INTERCEPTOR_SERVICE
from hubstack.deploy.manifests.traffic import POOL_GROUP, has_pool, stack_metadata
from hubstack.inputs.gateway import MAX_TIMEOUT_SECONDS
from hubstack.plan import ModelPlan
from hubstack.plan.addresses import HEALTH_CHECK_RANGES
from hubstack.plan.gateway import GatewayAuth, GatewayPlan, TrafficPlan
from hubstack.plan.target import TargetPlan

POLICY_API = "networking.gke.io/v1"
INTERCEPTOR_DRAIN_SECONDS = 900


def backend_policy(target: TargetPlan, asked: GatewayPlan, traffic: TrafficPlan, model: ModelPlan) -> Object:
    """Return the policy that sets the response timeout, and the drain time when a server stops."""
    drain = model.server.termination_grace_seconds
    described = metadata(target, model, server_name(model))
    return _policy("GCPBackendPolicy", described, _backend_of(traffic, model), _backend(target, asked, drain))


def health_check(target: TargetPlan, traffic: TrafficPlan, model: ModelPlan) -> Object:
    """Return a health check on the engine's readiness path; the load balancer does not use the pod's readiness."""
    ready = model.server.readiness
    default = {
        "checkIntervalSec": ready.period_seconds,
        "timeoutSec": ready.period_seconds,
        "healthyThreshold": 1,
        "unhealthyThreshold": ready.failure_threshold,
        "config": {"type": "HTTP", "httpHealthCheck": {"port": ready.port, "requestPath": ready.path}},
    }
    return _policy(
        "HealthCheckPolicy", metadata(target, model, server_name(model)), _backend_of(traffic, model), default
    )


def interceptor_policy(target: TargetPlan, asked: GatewayPlan, activation_timeout_seconds: int) -> Object:
    """Return the backend policy of KEDA's interceptor, with a timeout that covers the longest cold start."""
    default = _backend(target, asked, INTERCEPTOR_DRAIN_SECONDS)
    default["timeoutSec"] = min(default["timeoutSec"] + activation_timeout_seconds, MAX_TIMEOUT_SECONDS)
    return _policy("GCPBackendPolicy", _interceptor_metadata(target), _service(INTERCEPTOR_SERVICE), default)


def interceptor_health(target: TargetPlan) -> Object:
    """Return a TCP health check of the interceptor, which answers HTTP only for the hosts of models."""
    config = {"type": "TCP", "tcpHealthCheck": {"port": INTERCEPTOR_PORT}}
    return _policy(
        "HealthCheckPolicy", _interceptor_metadata(target), _service(INTERCEPTOR_SERVICE), {"config": config}
    )


def callout_health(target: TargetPlan, name: str, port: int) -> Object:
    """Return the gRPC health check of a callout."""
    grpc = {"portSpecification": "USE_FIXED_PORT", "port": port}
    return _policy(
        "HealthCheckPolicy",
        stack_metadata(target, name),
        _service(name),
        {"config": {"type": "GRPC", "grpcHealthCheck": grpc}},
    )


def proxy_policies(target: TargetPlan, models: Iterable[ModelPlan]) -> tuple[Object, ...]:
    """Return policies that admit Google's proxies and health checks to the ports of servers and callouts."""
    callouts = {
        "matchExpressions": [
            {"key": "app.kubernetes.io/name", "operator": "In", "values": [BODY_ROUTER_NAME, PICKER_NAME]}
        ]
    }
    ports = sorted({model.server.port for model in models})
    servers = {"matchLabels": {"app.kubernetes.io/name": "server"}}
    return (
        # Without servers there are no ports, and a rule without ports would open all of them.
        *([_ingress(target, "gateway-to-servers", servers, ports)] if ports else []),
        _ingress(target, "gateway-to-callouts", callouts, list(CALLOUT_PORTS)),
    )


def service_policy(
    target: TargetPlan, asked: GatewayPlan, name: str, drain_seconds: int, activation_timeout_seconds: int
) -> Object:
    """Return the backend policy of a Service of the stack in front of all models."""
    default = _backend(target, asked, drain_seconds)
    default["timeoutSec"] = min(default["timeoutSec"] + activation_timeout_seconds, MAX_TIMEOUT_SECONDS)
    return _policy("GCPBackendPolicy", stack_metadata(target, name), _service(name), default)


def service_health(target: TargetPlan, name: str, port: int, path: str) -> Object:
    """Return an HTTP health check of a Service of the stack."""
    http = {"portSpecification": "USE_FIXED_PORT", "port": port, "requestPath": path}
    return _policy(
        "HealthCheckPolicy",
        stack_metadata(target, name),
        _service(name),
        {"config": {"type": "HTTP", "httpHealthCheck": http}},
    )


def proxies_and_checks(target: TargetPlan) -> list[Object]:
    """Return Google's proxies and health checks as sources of a NetworkPolicy."""
    return [{"ipBlock": {"cidr": cidr}} for cidr in (target.addresses.proxies_cidr, *HEALTH_CHECK_RANGES)]


def _ingress(target: TargetPlan, name: str, pods: Object, ports: list[int]) -> Object:
    sources = proxies_and_checks(target)
    return network_policy(target, name, pods, {"ingress": [{"from": sources, "ports": tcp(*ports)}]})


def _backend(target: TargetPlan, asked: GatewayPlan, drain_seconds: int) -> Object:
    default: Object = {
        "timeoutSec": asked.timeout_seconds,
        "connectionDraining": {"drainingTimeoutSec": drain_seconds},
    }
    if asked.security_policy:
        default["securityPolicy"] = asked.security_policy
    if asked.auth is GatewayAuth.IAP:
        default["iap"] = {"enabled": True}
        if asked.iap_client_id:
            default["iap"] |= {"clientID": asked.iap_client_id, "oauth2ClientSecret": {"name": iap_secret(target)}}
    return default


def _policy(kind: str, meta: Object, target: Object, default: Object) -> Object:
    return {
        "apiVersion": POLICY_API,
        "kind": kind,
        "metadata": meta,
        "spec": {"targetRef": target, "default": default},
    }


def _backend_of(traffic: TrafficPlan, model: ModelPlan) -> Object:
    if has_pool(traffic, model):
        return {"group": POOL_GROUP, "kind": "InferencePool", "name": server_name(model)}
    return _service(server_name(model))


def _service(name: str) -> Object:
    return {"group": "", "kind": "Service", "name": name}


def _interceptor_metadata(target: TargetPlan) -> Object:
    made = stack_metadata(target, INTERCEPTOR_SERVICE)
    return {**made, "namespace": target.keda_namespace}
