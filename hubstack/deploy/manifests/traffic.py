# SPDX-License-Identifier: Apache-2.0
"""Routes requests: the Gateway, one HTTPRoute per model, and the backends.

Owns which names and paths lead to which backend, and their weights. Does not own backend settings
(`hubstack.deploy.manifests.backends`) nor how the model's name is read from the body
(`hubstack.deploy.manifests.callouts`). Sources: Gateway API v1; GKE docs, "Configure Gateway resources".
"""

import itertools
from collections.abc import Iterable

from hubstack import names
from hubstack.deploy.manifests.base import Object, metadata, server_name, sharing
from hubstack.deploy.manifests.scaling import INTERCEPTOR_PORT, INTERCEPTOR_SERVICE, scales_to_zero
from hubstack.plan import ModelPlan
from hubstack.plan.gateway import Exposure, GatewayPlan, TrafficPlan
from hubstack.plan.target import TargetPlan

GATEWAY_NAME = "models"
GATEWAY_GROUP = "gateway.networking.k8s.io"
POOL_GROUP = "inference.networking.k8s.io"
MODEL_HEADER = "X-Gateway-Model-Name"
"""Header set from the body's `model` (gateway-api-inference-extension v1.5.0, config/charts/body-based-routing)."""
_CLASSES = {Exposure.INTERNAL: "gke-l7-rilb", Exposure.EXTERNAL: "gke-l7-regional-external-managed"}


def address_name(target: TargetPlan) -> str:
    """Return the name of the reserved IP address."""
    return names.gateway_name(target.stack)


def canary_for(models: Iterable[ModelPlan], model: ModelPlan) -> ModelPlan | None:
    """Return the model's canary, or None."""
    return next((other for other in sharing(models, model) if other.canary_of == model.key), None)


def has_pool(traffic: TrafficPlan, model: ModelPlan) -> bool:
    """Return whether an endpoint picker chooses among the model's servers."""
    return model.key in traffic.picked


def backend(target: TargetPlan, traffic: TrafficPlan, model: ModelPlan) -> Object:
    """Return the backendRef for a model's requests, without its weight."""
    if scales_to_zero(model):
        return {"name": INTERCEPTOR_SERVICE, "namespace": target.keda_namespace, "port": INTERCEPTOR_PORT}
    if has_pool(traffic, model):
        return {"group": POOL_GROUP, "kind": "InferencePool", "name": server_name(model)}
    return {"name": server_name(model), "port": 80}


def interceptor_host(target: TargetPlan, model: ModelPlan) -> str | None:
    """Return the Host under which the interceptor knows a model that scales to zero; None for other models."""
    return f"{server_name(model)}.{target.namespace}.svc.cluster.local" if scales_to_zero(model) else None


def base_url(gateway: GatewayPlan, address: str) -> str:
    """Return the base URL that clients put before `/v1`."""
    return f"{'https' if gateway.certificate else 'http'}://{gateway.host or address}"


def gateway(target: TargetPlan, asked: GatewayPlan) -> Object:
    """Return the Gateway, the address of all models. Its load balancer is regional, and internal by default."""
    secure = asked.certificate is not None
    listener: Object = {
        "name": "https" if secure else "http",
        "protocol": "HTTPS" if secure else "HTTP",
        "port": 443 if secure else 80,
        "allowedRoutes": {"namespaces": _from_namespaces(target)},
    }
    if asked.host:
        listener["hostname"] = asked.host
    if asked.certificate:
        # Regional classes take Certificate Manager certificates by name; the map annotation is for global classes.
        listener["tls"] = {
            "mode": "Terminate",
            "options": {"networking.gke.io/cert-manager-certs": asked.certificate},
        }
    return {
        "apiVersion": f"{GATEWAY_GROUP}/v1",
        "kind": "Gateway",
        "metadata": stack_metadata(target, GATEWAY_NAME),
        "spec": {
            "gatewayClassName": _CLASSES[asked.exposure],
            "listeners": [listener],
            "addresses": [{"type": "NamedAddress", "value": address_name(target)}],
        },
    }


def route(
    target: TargetPlan, asked: GatewayPlan, traffic: TrafficPlan, model: ModelPlan, canary: ModelPlan | None
) -> Object:
    """Return a model's route: its names under `/v1`, and `/KEY/` (current or former) for requests without a name.

    Only these paths are reachable: vLLM requires the API key only under `/v1` (its AuthenticationMiddleware), and
    metrics must not be public. HTTPRoute timeouts are omitted because GKE ignores them (llm-d-router v0.10.0 docs).
    """
    refs, host = _weighted(target, traffic, model, canary), interceptor_host(target, model)
    held: list[Object] = [_rewrite({"hostname": host})] if host else []
    headers = [
        {
            "path": {"type": "PathPrefix", "value": "/v1"},
            "headers": [{"type": "Exact", "name": MODEL_HEADER, "value": name}],
        }
        for name in traffic.names[model.key]
    ]
    rules: list[Object] = [{"matches": headers, **({"filters": held} if held else {}), "backendRefs": refs}]
    for key, path in itertools.product(names.entry_keys(model), model.server.open_paths):
        rewrite = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": path}}
        rules.append(
            {
                "matches": [{"path": {"type": "PathPrefix", "value": f"/{key}{path}"}}],
                "filters": [_rewrite(rewrite | ({"hostname": host} if host else {}))],
                "backendRefs": refs,
            }
        )
    spec: Object = {"parentRefs": [_parent(target)], "rules": rules}
    if asked.host:
        spec["hostnames"] = [asked.host]
    return {
        "apiVersion": f"{GATEWAY_GROUP}/v1",
        "kind": "HTTPRoute",
        "metadata": _route_metadata(target, model),
        "spec": spec,
    }


def proxy_route(target: TargetPlan, asked: GatewayPlan, service: str) -> Object:
    """Return the route that sends all requests to the callers' proxy, which knows the models' names."""
    matches = [{"path": {"type": "PathPrefix", "value": "/"}}]
    spec: Object = {
        "parentRefs": [{"name": GATEWAY_NAME}],
        "rules": [{"matches": matches, "backendRefs": [{"name": service, "port": 80}]}],
    }
    if asked.host:
        spec["hostnames"] = [asked.host]
    return {
        "apiVersion": f"{GATEWAY_GROUP}/v1",
        "kind": "HTTPRoute",
        "metadata": stack_metadata(target, service),
        "spec": spec,
    }


def _from_namespaces(target: TargetPlan) -> Object:
    """Return the namespaces whose routes a Gateway accepts: its own, and those of teams."""
    if not target.teams:
        return {"from": "Same"}
    spaces = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": list(target.namespaces)}
    return {"from": "Selector", "selector": {"matchExpressions": [spaces]}}


def _parent(target: TargetPlan) -> Object:
    """Return the reference to the Gateway, which is in the namespace of the stack."""
    return {"name": GATEWAY_NAME, **({"namespace": target.team.home} if target.team else {})}


def reference_grant(target: TargetPlan) -> Object:
    """Return the grant that lets the models' routes use the interceptor, which is in another namespace."""
    return {
        "apiVersion": f"{GATEWAY_GROUP}/v1beta1",
        "kind": "ReferenceGrant",
        "metadata": {
            "name": names.shorten(f"hubstack-{target.namespace}", names.DNS_LABEL_MAX),
            "namespace": target.keda_namespace,
            "labels": {"app.kubernetes.io/managed-by": "hubstack"},
        },
        "spec": {
            "from": [{"group": GATEWAY_GROUP, "kind": "HTTPRoute", "namespace": target.namespace}],
            "to": [{"group": "", "kind": "Service", "name": INTERCEPTOR_SERVICE}],
        },
    }


def stack_metadata(target: TargetPlan, name: str) -> Object:
    """Return the metadata of an object that belongs to no single model."""
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "hubstack"}
    return {"name": name, "namespace": target.namespace, "labels": labels}


def _route_metadata(target: TargetPlan, model: ModelPlan) -> Object:
    """Return the model's metadata without the commit: with a canary, the route leads to two commits."""
    made = metadata(target, model, server_name(model))
    return {**made, "annotations": {"hubstack.dev/model": model.id}}


def _weighted(target: TargetPlan, traffic: TrafficPlan, model: ModelPlan, canary: ModelPlan | None) -> list[Object]:
    if canary is None:
        return [backend(target, traffic, model)]
    return [
        {**backend(target, traffic, model), "weight": 100 - canary.canary_weight},
        {**backend(target, traffic, canary), "weight": canary.canary_weight},
    ]


def _rewrite(changes: Object) -> Object:
    return {"type": "URLRewrite", "urlRewrite": changes}
