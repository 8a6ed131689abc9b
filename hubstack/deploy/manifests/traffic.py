# SPDX-License-Identifier: Apache-2.0
"""The way of a request: Gateway, a route for each model, and the backend that it ends at.

Owns which names and paths lead to which backend, and with which weights. Does not own how the load balancer treats
a backend (`hubstack.deploy.manifests.backends`) nor what reads the model's name from the body
(`hubstack.deploy.manifests.callouts`). Facts: gke.md 4.5; Gateway API v1; GKE docs "Configure Gateway resources".
"""

import itertools

from hubstack import names
from hubstack.deploy.manifests.base import Object, metadata, server_name, sharing
from hubstack.deploy.manifests.scaling import INTERCEPTOR_PORT, INTERCEPTOR_SERVICE, rests
from hubstack.plan import ModelPlan, Plan
from hubstack.plan.gateway import Exposure, GatewayPlan

GATEWAY_NAME = "models"
GATEWAY_GROUP = "gateway.networking.k8s.io"
POOL_GROUP = "inference.networking.k8s.io"
MODEL_HEADER = "X-Gateway-Model-Name"
"""Set from the body's `model` (gateway-api-inference-extension v1.5.0, config/charts/body-based-routing)."""
_CLASSES = {Exposure.INTERNAL: "gke-l7-rilb", Exposure.EXTERNAL: "gke-l7-regional-external-managed"}


def gateway_of(plan: Plan) -> GatewayPlan:
    """Return the plan's gateway; asked for only where there is one."""
    if plan.gateway is None:
        raise ValueError("the plan has no gateway")
    return plan.gateway


def address_name(plan: Plan) -> str:
    """Name of the reserved address."""
    return names.shorten(f"hubstack-{names.slug(plan.target.stack)}-gateway", names.DNS_LABEL_MAX)


def canary_for(plan: Plan, model: ModelPlan) -> ModelPlan | None:
    """Return the model's canary."""
    return next((other for other in sharing(plan, model) if other.canary_of == model.key), None)


def has_pool(plan: Plan, model: ModelPlan) -> bool:
    """Say whether an endpoint picker chooses among the model's servers."""
    return plan.traffic is not None and model.key in plan.traffic.picked


def _names(plan: Plan, model: ModelPlan) -> tuple[str, ...]:
    return plan.traffic.names[model.key] if plan.traffic else ()


def backend(plan: Plan, model: ModelPlan) -> Object:
    """Return the backendRef, without its weight, at which requests for a model end."""
    if rests(model):
        return {"name": INTERCEPTOR_SERVICE, "namespace": plan.target.keda_namespace, "port": INTERCEPTOR_PORT}
    if has_pool(plan, model):
        return {"group": POOL_GROUP, "kind": "InferencePool", "name": server_name(model)}
    return {"name": server_name(model), "port": 80}


def held_host(plan: Plan, model: ModelPlan) -> str | None:
    """Return the Host by which the interceptor knows a resting model; None for others."""
    return f"{server_name(model)}.{plan.target.namespace}.svc.cluster.local" if rests(model) else None


def base_url(plan: Plan, address: str) -> str:
    """Return what clients put before `/v1`."""
    gateway = gateway_of(plan)
    return f"{'https' if gateway.certificate else 'http'}://{gateway.host or address}"


def gateway(plan: Plan) -> Object:
    """The address of all models. Its load balancer is regional, private unless asked otherwise."""
    asked = gateway_of(plan)
    secure = asked.certificate is not None
    listener: Object = {
        "name": "https" if secure else "http",
        "protocol": "HTTPS" if secure else "HTTP",
        "port": 443 if secure else 80,
        "allowedRoutes": {"namespaces": {"from": "Same"}},
    }
    if asked.host:
        listener["hostname"] = asked.host
    if asked.certificate:
        # Regional classes take certificates of Certificate Manager by name; the map annotation is for global ones.
        listener["tls"] = {
            "mode": "Terminate",
            "options": {"networking.gke.io/cert-manager-certs": asked.certificate},
        }
    return {
        "apiVersion": f"{GATEWAY_GROUP}/v1",
        "kind": "Gateway",
        "metadata": stack_metadata(plan, GATEWAY_NAME),
        "spec": {
            "gatewayClassName": _CLASSES[asked.exposure],
            "listeners": [listener],
            "addresses": [{"type": "NamedAddress", "value": address_name(plan)}],
        },
    }


def route(plan: Plan, model: ModelPlan) -> Object:
    """The route to a model: by its names under `/v1`, and by `/KEY/`, present or former, for what carries no name.

    Nothing but these paths is reachable: vLLM asks for the API key under `/v1` only (its AuthenticationMiddleware),
    and metrics are nobody's outside. HTTPRoute timeouts are left out: GKE ignores them (facts: gke.md 4.5).
    """
    asked = gateway_of(plan)
    refs, host = _weighted(plan, model), held_host(plan, model)
    held: list[Object] = [_rewrite({"hostname": host})] if host else []
    headers = [
        {
            "path": {"type": "PathPrefix", "value": "/v1"},
            "headers": [{"type": "Exact", "name": MODEL_HEADER, "value": name}],
        }
        for name in _names(plan, model)
    ]
    rules: list[Object] = [{"matches": headers, **({"filters": held} if held else {}), "backendRefs": refs}]
    for key, path in itertools.product(names.entry_keys(model), model.server.open_paths):
        rewrite = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": path}}
        rules.append({
            "matches": [{"path": {"type": "PathPrefix", "value": f"/{key}{path}"}}],
            "filters": [_rewrite(rewrite | ({"hostname": host} if host else {}))],
            "backendRefs": refs,
        })  # fmt: skip
    spec: Object = {"parentRefs": [{"name": GATEWAY_NAME}], "rules": rules}
    if asked.host:
        spec["hostnames"] = [asked.host]
    return {
        "apiVersion": f"{GATEWAY_GROUP}/v1",
        "kind": "HTTPRoute",
        "metadata": _route_metadata(plan, model),
        "spec": spec,
    }


def reference_grant(plan: Plan) -> Object:
    """Let the models' routes end at the interceptor, which is in another namespace."""
    return {
        "apiVersion": f"{GATEWAY_GROUP}/v1beta1",
        "kind": "ReferenceGrant",
        "metadata": {
            "name": names.shorten(f"hubstack-{plan.target.namespace}", names.DNS_LABEL_MAX),
            "namespace": plan.target.keda_namespace,
            "labels": {"app.kubernetes.io/managed-by": "hubstack"},
        },
        "spec": {
            "from": [{"group": GATEWAY_GROUP, "kind": "HTTPRoute", "namespace": plan.target.namespace}],
            "to": [{"group": "", "kind": "Service", "name": INTERCEPTOR_SERVICE}],
        },
    }


def stack_metadata(plan: Plan, name: str) -> Object:
    """Metadata of an object that belongs to no single model."""
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "hubstack"}
    return {"name": name, "namespace": plan.target.namespace, "labels": labels}


def _route_metadata(plan: Plan, model: ModelPlan) -> Object:
    """As of the model, but for the commit: with a canary the route leads to two."""
    made = metadata(plan, model, server_name(model))
    return {**made, "annotations": {"hubstack.dev/model": model.id}}


def _weighted(plan: Plan, model: ModelPlan) -> list[Object]:
    canary = canary_for(plan, model)
    if canary is None:
        return [backend(plan, model)]
    return [
        {**backend(plan, model), "weight": 100 - canary.canary_weight},
        {**backend(plan, canary), "weight": canary.canary_weight},
    ]


def _rewrite(changes: Object) -> Object:
    return {"type": "URLRewrite", "urlRewrite": changes}
