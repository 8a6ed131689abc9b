# SPDX-License-Identifier: Apache-2.0
"""What lets Google's services encrypt with the stack's own key: a grant on the key for each service's agent.

There only where the stack names a key. The key itself is the user's, and outlives the stack. Whatever is encrypted
comes after the grants: a service that may not use the key refuses to create. The agents' addresses are Google's
(IAM docs, "Service agents").
"""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from pulumi_hubstack._options import child

TOKEN = "hubstack:encryption:Encryption"  # noqa: S105  a type token
ROLE = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
AGENTS = {"compute": "compute-system", "container": "container-engine-robot"}
"""API to the domain of its agent; both are there once the API is on. Disks of nodes and volumes are Compute's."""
MADE_AGENTS = ("run", "secretmanager")
"""APIs whose agents are made when they are asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionArgs:
    """What the grants need."""

    project: str
    project_number: pulumi.Input[str]
    kms_key: str
    """Full name."""
    services: tuple[str, ...]
    """APIs that the stack calls; of others no agent gets a grant."""
    apis: tuple[pulumi.Resource, ...]
    """Which turn them on. A question waits for what it names itself, not for what its component depends on."""


class Encryption(pulumi.ComponentResource):
    """The grants."""

    grants: tuple[pulumi.Resource, ...]

    def __init__(self, name: str, args: EncryptionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        # Cloud Storage makes its agent when it is asked for its address, which it answers once its API is on.
        storage = gcp.storage.get_project_service_account_output(
            project=args.project, opts=pulumi.InvokeOutputOptions(parent=self, depends_on=list(args.apis))
        )
        members: dict[str, pulumi.Input[str]] = {"storage": storage.member}
        members |= {
            service: pulumi.Output.concat(
                "serviceAccount:service-", args.project_number, f"@{domain}.iam.gserviceaccount.com"
            )
            for service, domain in AGENTS.items()
            if service in args.services
        }
        for service in MADE_AGENTS:
            if service in args.services:
                agent = gcp.projects.ServiceIdentity(
                    f"{name}-{service}-agent", project=args.project, service=f"{service}.googleapis.com",
                    opts=child(self),
                )  # fmt: skip
                members[service] = agent.member
        self.grants = tuple(
            gcp.kms.CryptoKeyIAMMember(
                f"{name}-{service}", crypto_key_id=args.kms_key, role=ROLE, member=member, opts=child(self)
            )
            for service, member in members.items()
        )
        self.register_outputs({})
