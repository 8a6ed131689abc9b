# SPDX-License-Identifier: Apache-2.0
"""The single address of all models: network resources, the Gateway, its routes and its callouts.

Registered only if the stack's settings ask for a gateway. GKE's Gateway controller, which Google runs, creates the
load balancer and its firewall rules (GKE docs, "About the Gateway API").
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from hubstack.deploy import manifests
from hubstack.plan import ModelPlan, Plan
from hubstack.plan.gateway import Exposure, GatewayAuth
from pulumi_hubstack._objects import register
from pulumi_hubstack._options import child, renamed, secret_replication

TOKEN = "hubstack:gateway:Gateway"  # noqa: S105  a type token


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayArgs:
    """Inputs of a gateway."""

    plan: Plan
    """A plan with a gateway."""
    network_id: pulumi.Input[str]
    subnet_id: pulumi.Input[str]
    """The nodes' subnet, from which an internal address is taken."""
    secret_reader: pulumi.Input[str]
    """IAM member of the account that GKE's secret sync uses."""
    secret_value: pulumi.Input[str] | None = None
    """Secret: the API key or the OAuth client secret. None: its version is added by hand."""
    servers: Mapping[str, pulumi.Resource]
    """Model key to its servers."""
    after: tuple[pulumi.Resource, ...]
    """Resources to create first: the namespace."""


class Gateway(pulumi.ComponentResource):
    """A proxy-only subnet, address, Gateway, routes, policies and callouts."""

    address: pulumi.Output[str]
    url: pulumi.Output[str]
    """Base URL that clients put before `/v1`."""

    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        self._name, self._plan, self._after = name, args.plan, list(args.after)
        network = self._create_network(args)
        self._create_secret(args)
        self._create_body_router()
        for policy in manifests.proxy_policies(args.plan):
            self._put(policy["metadata"]["name"].removeprefix("gateway-"), policy)
        # External access is opened only after servers require the key.
        by_key = args.plan.gateway is not None and args.plan.gateway.auth is GatewayAuth.API_KEYS
        guards = list(args.servers.values()) if by_key else []
        self._put("listener", manifests.gateway(args.plan), [*network, *guards])
        self._create_routes(args)
        self.url = self.address.apply(lambda address: manifests.base_url(args.plan, address))
        self.register_outputs({"address": self.address, "url": self.url})

    def _create_network(self, args: GatewayArgs) -> list[pulumi.Resource]:
        region, asked = args.plan.target.region, args.plan.gateway
        ranges = args.plan.target.addresses
        used: list[pulumi.Resource] = []
        # A region of a network has one active proxy-only subnet; Google's proxies connect from it.
        if ranges.creates_proxy_subnet:
            proxies = gcp.compute.Subnetwork(
                f"{self._name}-proxies",
                network=args.network_id,
                region=region,
                project=ranges.existing.project if ranges.existing and ranges.existing.is_shared else None,
                ip_cidr_range=ranges.proxies_cidr,
                purpose="REGIONAL_MANAGED_PROXY",
                role="ACTIVE",
                opts=child(self),
            )
            used.append(proxies)
        internal = asked is not None and asked.exposure is Exposure.INTERNAL
        # The purpose is immutable; this one lets several ports share the address.
        inside = {"subnetwork": args.subnet_id, "purpose": "SHARED_LOADBALANCER_VIP"} if internal else {}
        address = gcp.compute.Address(
            f"{self._name}-address",
            name=manifests.address_name(args.plan),
            region=region,
            address=asked.address if asked else None,
            address_type="INTERNAL" if internal else "EXTERNAL",
            opts=child(self),
            **inside,
        )
        self.address = address.address
        return [*used, address]

    def _create_secret(self, args: GatewayArgs) -> None:
        secret = manifests.synced_secret(args.plan)
        if secret is None:
            return
        manager, name = gcp.secretmanager, f"{self._name}-{secret.role}"
        held = manager.Secret(
            name,
            secret_id=secret.secret_id,
            replication=secret_replication(args.plan.target),
            opts=child(self),
        )
        grant = manager.SecretIamMember(
            f"{name}-reader",
            secret_id=held.secret_id,
            role="roles/secretmanager.secretAccessor",
            member=args.secret_reader,
            opts=child(self, depends_on=self._after),
        )
        if args.secret_value is not None:
            manager.SecretVersion(
                f"{name}-version",
                secret=held.id,
                secret_data_wo=args.secret_value,
                secret_data_wo_version="1",  # noqa: S106  a counter
                opts=child(self),
            )
        account = self._put(f"{secret.role}-account", manifests.sync_account(args.plan))
        source = self._put(f"{secret.role}-class", manifests.sync_class(args.plan, secret), [grant])
        self._put(f"{secret.role}-sync", manifests.secret_sync(args.plan, secret), [account, source])

    def _create_body_router(self) -> None:
        plan, name = self._plan, manifests.BODY_ROUTER_NAME
        account = self._put(f"{name}-account", manifests.callout_account(plan, name))
        server = self._put(f"{name}-deployment", manifests.body_router(plan), [account])
        self._put(f"{name}-budget", manifests.body_router_budget(plan))
        service = self._put(f"{name}-service", manifests.body_router_service(plan))
        health = manifests.callout_health(plan, name, manifests.BODY_ROUTER_HEALTH_PORT)
        checked = self._put(f"{name}-health", health, [service])
        # Registered after its backend: with no backend, every request under /v1 would fail.
        self._put(f"{name}-extension", manifests.routing_extension(plan), [server, checked])

    def _create_routes(self, args: GatewayArgs) -> None:
        """Create each route after its backends and their policies, which set timeouts and access control."""
        plan = args.plan
        held = (
            self._create_interceptor_routes()
            if any(manifests.scales_to_zero(model) for model in plan.on_gke)
            else []
        )
        backends = {m.key: held if manifests.scales_to_zero(m) else self._create_backend(m) for m in plan.on_gke}
        for model in plan.on_gke:
            if model.canary_of is not None:
                continue
            needed = list(backends[model.key])
            if canary := manifests.canary_for(plan, model):
                # Otherwise its share of the requests would fail while its weights are copied and it starts.
                needed += [*backends[canary.key], args.servers[canary.key]]
            self._put_of(model, "route", manifests.route(plan, model), needed)

    def _create_interceptor_routes(self) -> list[pulumi.Resource]:
        plan = self._plan
        return [
            self._put("held-grant", manifests.reference_grant(plan)),
            self._put("held-backend", manifests.interceptor_policy(plan)),
            self._put("held-health", manifests.interceptor_health(plan)),
        ]

    def _create_backend(self, model: ModelPlan) -> list[pulumi.Resource]:
        plan = self._plan
        pool = self._create_pool(model) if manifests.has_pool(plan, model) else []
        return [
            *pool,
            self._put_of(model, "backend", manifests.backend_policy(plan, model)),
            self._put_of(model, "health", manifests.health_check(plan, model)),
        ]

    def _create_pool(self, model: ModelPlan) -> list[pulumi.Resource]:
        plan = self._plan
        needed: list[pulumi.Resource] = [
            self._put_of(model, "picker-account", manifests.callout_account(plan, manifests.picker_name(model))),
            self._put_of(model, "picker-role", manifests.picker_role(plan, model)),
            self._put_of(model, "picker-binding", manifests.picker_binding(plan, model)),
            self._put_of(model, "picker-config", manifests.picker_config(plan, model)),
        ]
        service = self._put_of(model, "picker-service", manifests.picker_service(plan, model))
        # The picker reads its pool at startup, so the pool comes first.
        pool = self._put_of(model, "pool", manifests.inference_pool(plan, model), [service])
        return [pool, self._put_of(model, "picker-deployment", manifests.picker(plan, model), [*needed, pool])]

    def _put(
        self, role: str, obj: manifests.Object, after: list[pulumi.Resource] | None = None
    ) -> pulumi.CustomResource:
        here = child(self, depends_on=[*self._after, *(after or [])])
        return register(f"{self._name}-{role}", obj, here)

    def _put_of(
        self, model: ModelPlan, role: str, obj: manifests.Object, after: list[pulumi.Resource] | None = None
    ) -> pulumi.CustomResource:
        """Register an object of one model whose logical name does not start with the model's key."""
        form, here = f"{self._name}-{{}}-{role}", child(self, depends_on=[*self._after, *(after or [])])
        return register(form.format(model.key), obj, renamed(here, form, model.was))
