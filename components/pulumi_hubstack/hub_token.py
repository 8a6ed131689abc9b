# SPDX-License-Identifier: Apache-2.0
"""The Hub token in Secret Manager, registered only if a model is gated.

The value comes from `pulumi config set --secret hubstack:hfToken`. Pulumi keeps it encrypted like any secret input,
and the provider never reads it back, because the argument is write-only. Without a value the secret is created
empty and a version is added by hand: `gcloud secrets versions add SECRET --data-file=-`. Until then the loaders'
pods wait for their volume. Pulumi cannot detect a changed write-only value: a new number in
`hubstack:secretVersions` creates a new version of the secret, which the next loader mounts.
"""

from dataclasses import dataclass, field

import pulumi
import pulumi_gcp as gcp

from hubstack.plan.target import TargetPlan
from pulumi_hubstack._options import child, renamed, secret_replication

TOKEN = "hubstack:hub_token:HubToken"  # noqa: S105  a type token


@dataclass(frozen=True, slots=True, kw_only=True)
class HubTokenArgs:
    """Inputs of the token."""

    target: TargetPlan
    secret_id: str
    """A change replaces the secret."""
    readers: dict[str, pulumi.Input[str]]
    """Key of each gated model to its loader's IAM member."""
    was: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Key of each gated model to its former keys."""
    after: tuple[pulumi.Resource, ...] = ()
    """Resources that grants depend on: the cluster, which creates the readers' identity pool."""
    value: pulumi.Input[str] | None = None
    """Secret."""


class HubToken(pulumi.ComponentResource):
    """The secret, its grants and, if a value is given, its version."""

    def __init__(self, name: str, args: HubTokenArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        manager = gcp.secretmanager
        secret = manager.Secret(
            f"{name}-secret",
            secret_id=args.secret_id,
            replication=secret_replication(args.target),
            opts=child(self),
        )
        self.grants: list[pulumi.Resource] = [
            manager.SecretIamMember(
                f"{name}-{key}",
                secret_id=secret.secret_id,
                role="roles/secretmanager.secretAccessor",
                member=member,
                opts=renamed(child(self, depends_on=list(args.after)), f"{name}-{{}}", args.was.get(key, ())),
            )
            for key, member in args.readers.items()
        ]
        if args.value is not None:
            version = manager.SecretVersion(
                f"{name}-version",
                secret=secret.id,
                secret_data_wo=args.value,
                secret_data_wo_version=str(args.target.secret_numbers.hf_token),
                opts=child(self),
            )
            self.grants.append(version)
        self.register_outputs({})
