# SPDX-License-Identifier: Apache-2.0
"""Google's APIs at the addresses that VPC Service Controls guards: private DNS zones for the stack's network.

There only where the stack asks for it. The default route of the network leads to these addresses, since they are
within Google's; no other route is needed. Google docs: "Set up private connectivity to Google APIs and services"
(VPC Service Controls), read as stored copies on 2026-11-25.
"""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from hubstack.plan.addresses import RESTRICTED_ADDRESSES
from pulumi_hubstack._options import child

TOKEN = "hubstack:restricted_apis:RestrictedApis"  # noqa: S105  a type token
ZONES = {"googleapis": "googleapis.com.", "registry": "pkg.dev.", "container-registry": "gcr.io."}
"""Role to domain: the APIs, and the registries that nodes pull Google's own images from."""
TTL_SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class RestrictedApisArgs:
    """What the zones need."""

    stack: str
    network_id: pulumi.Input[str]


class RestrictedApis(pulumi.ComponentResource):
    """Zones and their records."""

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
                f"{name}-{role}-addresses", managed_zone=zone.name, name=host, type="A", ttl=TTL_SECONDS,
                rrdatas=list(RESTRICTED_ADDRESSES), opts=child(self),
            )  # fmt: skip
            dns.RecordSet(
                f"{name}-{role}-names", managed_zone=zone.name, name=f"*.{domain}", type="CNAME", ttl=TTL_SECONDS,
                rrdatas=[host], opts=child(self),
            )  # fmt: skip
        self.register_outputs({})
