# SPDX-License-Identifier: Apache-2.0
"""Lets Google's services encrypt with the stack's own key, through a grant for each service agent.

Registered only if the stack names a key. The user owns the key, and it outlives the stack. Encrypted resources
depend on these grants, because a service without access to the key refuses to create them. Addresses of the agents:
IAM docs, "Service agents".
"""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from pulumi_hubstack._options import child

TOKEN = "hubstack:encryption:Encryption"  # noqa: S105  a type token
ROLE = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
AGENTS = {"compute": "compute-system", "container": "container-engine-robot"}
"""API to its agent's domain; the agent exists once the API is enabled. Compute Engine encrypts node disks and
volumes."""
MADE_AGENTS = ("artifactregistry", "run", "secretmanager")
"""APIs whose agents are created on request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionArgs:
    """Inputs of the grants."""

    project: str
    project_number: pulumi.Input[str]
    kms_key: str
    """Full name."""
    services: tuple[str, ...]
    """APIs that the stack uses; agents of other APIs get no grant."""
    apis: tuple[pulumi.Resource, ...]
    """Resources that enable these APIs. An invoke needs explicit dependencies; it does not inherit those of its
    component."""


class Encryption(pulumi.ComponentResource):
    """The grants."""

    grants: tuple[pulumi.Resource, ...]

    def __init__(self, name: str, args: EncryptionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        # Cloud Storage creates its agent when its address is requested, which requires its API to be enabled.
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
                    f"{name}-{service}-agent",
                    project=args.project,
                    service=f"{service}.googleapis.com",
                    opts=child(self),
                )
                members[service] = agent.member
        self.grants = tuple(
            gcp.kms.CryptoKeyIAMMember(
                f"{name}-{service}", crypto_key_id=args.kms_key, role=ROLE, member=member, opts=child(self)
            )
            for service, member in members.items()
        )
        self.register_outputs({})
