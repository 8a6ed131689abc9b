# SPDX-License-Identifier: Apache-2.0
"""Google APIs on the addresses that VPC Service Controls guards: private DNS zones for the stack's network.

Registered only if the stack asks for it. The network's default route covers these addresses, so no other route is
needed. Google docs: "Set up private connectivity to Google APIs and services" (VPC Service Controls), read
2026-11-25.
"""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from hubstack.plan.addresses import RESTRICTED_ADDRESSES
from pulumi_hubstack._options import child

TOKEN = "hubstack:restricted_apis:RestrictedApis"  # noqa: S105  a type token
ZONES = {"googleapis": "googleapis.com.", "registry": "pkg.dev.", "container-registry": "gcr.io."}
"""Role to domain: the APIs, and the registries from which nodes pull Google's images."""
TTL_SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class RestrictedApisArgs:
    """Inputs of the zones."""

    stack: str
    network_id: pulumi.Input[str]


class RestrictedApis(pulumi.ComponentResource):
    """DNS zones and their records."""

    def __init__(self, name: str, args: RestrictedApisArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        dns = gcp.dns
        for role, domain in ZONES.items():
            network = dns.ManagedZonePrivateVisibilityConfigNetworkArgs(network_url=args.network_id)
            zone = dns.ManagedZone(
                f"{name}-{role}",
                dns_name=domain,
                description=f"hubstack {args.stack}: {domain} at the restricted addresses",
                visibility="private",
                private_visibility_config=dns.ManagedZonePrivateVisibilityConfigArgs(networks=[network]),
                opts=child(self),
            )
            host = f"restricted.{domain}" if role == "googleapis" else domain
            dns.RecordSet(
                f"{name}-{role}-addresses",
                managed_zone=zone.name,
                name=host,
                type="A",
                ttl=TTL_SECONDS,
                rrdatas=list(RESTRICTED_ADDRESSES),
                opts=child(self),
            )
            dns.RecordSet(
                f"{name}-{role}-names",
                managed_zone=zone.name,
                name=f"*.{domain}",
                type="CNAME",
                ttl=TTL_SECONDS,
                rrdatas=[host],
                opts=child(self),
            )
        self.register_outputs({})
