# SPDX-License-Identifier: Apache-2.0
"""The single address of all models: network resources, the Gateway, its routes and its callouts.

Registered only if the stack's settings ask for a gateway. GKE's Gateway controller, which Google runs, creates the
load balancer and its firewall rules (GKE docs, "About the Gateway API").
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_gcp as gcp

from hubstack.deploy import manifests
from hubstack.plan import ModelPlan
from hubstack.plan.existing_cluster import Component
from hubstack.plan.gateway import Exposure, GatewayPlan, TrafficPlan
from hubstack.plan.target import TargetPlan
from hubstack.planner.serving.routing import CALLERS
from pulumi_hubstack._objects import register
from pulumi_hubstack._options import child, renamed, secret_replication

TOKEN = "hubstack:gateway:Gateway"  # noqa: S105  a type token


TTL_SECONDS = 300
"""Of the gateway's records. Our choice; its address does not change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayArgs:
    """Inputs of a gateway."""

    target: TargetPlan
    gateway: GatewayPlan
    traffic: TrafficPlan
    models: tuple[ModelPlan, ...]
    """Models on GKE."""
    activation_timeout_seconds: int
    """The most seconds that a request may wait for a cold start; 0 if no model scales to zero."""
    network_id: pulumi.Input[str]
    subnet_id: pulumi.Input[str]
    """The nodes' subnet, from which an internal address is taken."""
    secret_reader: pulumi.Input[str]
    """IAM member of the account that GKE's secret sync uses."""
    team_readers: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, pulumi.Input[str]])
    """The same member in the namespace of each team, by its key."""
    secret_value: pulumi.Input[str] | None = None
    """Secret: the API key or the OAuth client secret. None: its version is added by hand."""
    servers: Mapping[str, pulumi.Resource]
    """Model key to its servers."""
    proxy: tuple[pulumi.Resource, ...] = ()
    """The callers' proxy; empty if requests go straight to models."""
    after: tuple[pulumi.Resource, ...]
    """Resources to create first: the namespace."""


class Gateway(pulumi.ComponentResource):
    """A proxy-only subnet, address, Gateway, routes, policies and callouts."""

    address: pulumi.Output[str]
    url: pulumi.Output[str]
    """Base URL that clients put before `/v1`."""

    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        self._name, self._args, self._after = name, args, list(args.after)
        network = [*self._create_network(args), *self._create_name(args)]
        self._create_secret(args)
        if not args.proxy:
            self._create_body_router()
            for key, target in self._spaces().items():
                own = [model for model in args.models if self._target_of(model).namespace == target.namespace]
                for policy in manifests.proxy_policies(target, own):
                    self._put(f"{key}{policy['metadata']['name'].removeprefix('gateway-')}", policy)
        # External access is opened only after servers, or the proxy, require the key.
        guards = list(args.servers.values()) if args.target.requires_api_key else list(args.proxy)
        self._put("listener", manifests.gateway(args.target, args.gateway), [*network, *guards])
        if args.proxy:
            self._put("callers-route", manifests.proxy_route(args.target, args.gateway, CALLERS), guards)
        else:
            self._create_routes(args)
        self.url = self.address.apply(lambda address: manifests.base_url(args.gateway, address))
        self.register_outputs({"address": self.address, "url": self.url})

    def _create_network(self, args: GatewayArgs) -> list[pulumi.Resource]:
        region, asked = args.target.region, args.gateway
        ranges = args.target.addresses
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
        internal = asked.exposure is Exposure.INTERNAL
        # The purpose is immutable; this one lets several ports share the address.
        inside = {"subnetwork": args.subnet_id, "purpose": "SHARED_LOADBALANCER_VIP"} if internal else {}
        address = gcp.compute.Address(
            f"{self._name}-address",
            name=manifests.address_name(args.target),
            region=region,
            address=asked.address,
            address_type="INTERNAL" if internal else "EXTERNAL",
            opts=child(self),
            **inside,
        )
        self.address = address.address
        return [*used, address]

    def _create_name(self, args: GatewayArgs) -> list[pulumi.Resource]:
        """Register the host's record and, if it is to be issued, its certificate with the proof of the name."""
        asked, dns = args.gateway, gcp.dns
        if asked.dns_zone is None or asked.host is None:
            return []
        dns.RecordSet(
            f"{self._name}-record",
            managed_zone=asked.dns_zone,
            name=f"{asked.host}.",
            type="A",
            ttl=TTL_SECONDS,
            rrdatas=[self.address],
            opts=child(self),
        )
        if not asked.issues_certificate or asked.certificate is None:
            return []
        region, manager = args.target.region, gcp.certificatemanager
        proof = manager.DnsAuthorization(
            f"{self._name}-authorization",
            name=asked.certificate,
            domain=asked.host,
            location=region,
            type="PER_PROJECT_RECORD",
            opts=child(self),
        )
        proven = proof.dns_resource_records[0]
        record = dns.RecordSet(
            f"{self._name}-authorization-record",
            managed_zone=asked.dns_zone,
            name=proven.apply(lambda each: each.name or ""),
            type=proven.apply(lambda each: each.type or ""),
            ttl=TTL_SECONDS,
            rrdatas=[proven.apply(lambda each: each.data or "")],
            opts=child(self),
        )
        certificate = manager.Certificate(
            f"{self._name}-certificate",
            name=asked.certificate,
            location=region,
            managed=manager.CertificateManagedArgs(domains=[asked.host], dns_authorizations=[proof.id]),
            opts=child(self, depends_on=[record]),
        )
        return [certificate]

    def _create_secret(self, args: GatewayArgs) -> None:
        secret = manifests.synced_secret(args.target, args.gateway)
        if secret is None:
            return
        manager, name = gcp.secretmanager, f"{self._name}-{secret.role}"
        held = manager.Secret(
            name,
            secret_id=secret.secret_id,
            replication=secret_replication(args.target),
            opts=child(self),
        )
        grant = manager.SecretIamMember(
            f"{name}-reader",
            secret_id=held.secret_id,
            role="roles/secretmanager.secretAccessor",
            member=args.secret_reader,
            opts=child(self, depends_on=self._after),
        )
        written: list[pulumi.Resource] = []
        if args.secret_value is not None:
            version = manager.SecretVersion(
                f"{name}-version",
                secret=held.id,
                secret_data_wo=args.secret_value,
                secret_data_wo_version=str(secret.number),
                opts=child(self),
            )
            written.append(version)  # a synced Secret with a new name must not hold the old value
        readers = {"": [grant], **self._grant_teams(name, held)}
        for key, target in self._spaces().items():
            form = f"{key}{secret.role}"
            account = self._put(f"{form}-account", manifests.sync_account(target))
            source = self._put(f"{form}-class", manifests.sync_class(target, secret), [*readers[key], *written])
            self._put(f"{form}-sync", manifests.secret_sync(target, secret), [account, source])

    def _grant_teams(self, name: str, held: gcp.secretmanager.Secret) -> dict[str, list[pulumi.Resource]]:
        """Let the accounts in the namespaces of teams read the secret."""
        readers: dict[str, list[pulumi.Resource]] = {}
        for key, target in self._spaces().items():
            if target.team is not None:
                member = gcp.secretmanager.SecretIamMember(
                    f"{name}-{key}reader",
                    secret_id=held.secret_id,
                    role="roles/secretmanager.secretAccessor",
                    member=self._args.team_readers[target.team.key],
                    opts=child(self, depends_on=self._after),
                )
                readers[key] = [member]
        return readers

    def _spaces(self) -> dict[str, TargetPlan]:
        """Return each namespace of models by the start of its logical names: the stack's, then those of teams."""
        target = self._args.target
        return {"": target, **{f"team-{each.key}-": target.of_team(each.key) for each in target.teams or ()}}

    def _target_of(self, model: ModelPlan) -> TargetPlan:
        return self._args.target.of_team(model.team)

    def _create_body_router(self) -> None:
        target, name = self._args.target, manifests.BODY_ROUTER_NAME
        account = self._put(f"{name}-account", manifests.callout_account(target, name))
        server = self._put(f"{name}-deployment", manifests.body_router(target), [account])
        self._put(f"{name}-budget", manifests.body_router_budget(target))
        service = self._put(f"{name}-service", manifests.body_router_service(target))
        health = manifests.callout_health(target, name, manifests.BODY_ROUTER_HEALTH_PORT)
        checked = self._put(f"{name}-health", health, [service])
        # Registered after its backend: with no backend, every request under /v1 would fail.
        self._put(f"{name}-extension", manifests.routing_extension(target), [server, checked])

    def _create_routes(self, args: GatewayArgs) -> None:
        """Create each route after its backends and their policies, which set timeouts and access control."""
        held = (
            self._create_interceptor_routes()
            if any(manifests.scales_to_zero(model) for model in args.models)
            else []
        )
        backends = {m.key: held if manifests.scales_to_zero(m) else self._create_backend(m) for m in args.models}
        for model in args.models:
            if model.canary_of is not None:
                continue
            needed = list(backends[model.key])
            canary = manifests.canary_for(args.models, model)
            if canary:
                # Otherwise its share of the requests would fail while its weights are copied and it starts.
                needed += [*backends[canary.key], args.servers[canary.key]]
            self._put_of(
                model,
                "route",
                manifests.route(self._target_of(model), args.gateway, args.traffic, model, canary),
                needed,
            )

    def _create_interceptor_routes(self) -> list[pulumi.Resource]:
        args, target = self._args, self._args.target
        grants = [
            self._put(f"{key}held-grant", manifests.reference_grant(space)) for key, space in self._spaces().items()
        ]
        if target.has_installed(Component.HTTP_ADD_ON):
            return [*grants]  # a Service has one policy and one health check: its owners'
        policy = manifests.interceptor_policy(target, args.gateway, args.activation_timeout_seconds)
        return [
            *grants,
            self._put("held-backend", policy),
            self._put("held-health", manifests.interceptor_health(target)),
        ]

    def _create_backend(self, model: ModelPlan) -> list[pulumi.Resource]:
        target, asked, traffic = self._target_of(model), self._args.gateway, self._args.traffic
        pool = self._create_pool(model) if manifests.has_pool(traffic, model) else []
        return [
            *pool,
            self._put_of(model, "backend", manifests.backend_policy(target, asked, traffic, model)),
            self._put_of(model, "health", manifests.health_check(target, traffic, model)),
        ]

    def _create_pool(self, model: ModelPlan) -> list[pulumi.Resource]:
        target = self._target_of(model)
        needed: list[pulumi.Resource] = [
            self._put_of(model, "picker-account", manifests.callout_account(target, manifests.picker_name(model))),
            self._put_of(model, "picker-role", manifests.picker_role(target, model)),
            self._put_of(model, "picker-binding", manifests.picker_binding(target, model)),
            self._put_of(model, "picker-config", manifests.picker_config(target, model)),
        ]
        service = self._put_of(model, "picker-service", manifests.picker_service(target, model))
        # The picker reads its pool at startup, so the pool comes first.
        pool = self._put_of(model, "pool", manifests.inference_pool(target, model), [service])
        return [
            pool,
            self._put_of(model, "picker-deployment", manifests.picker(target, model), [*needed, pool]),
        ]

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
