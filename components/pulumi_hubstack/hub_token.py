# SPDX-License-Identifier: Apache-2.0
"""The Hub token for gated models, in Secret Manager. It exists only where a gated model does.

The value comes from `pulumi config set --secret hubstack:hfToken`. Pulumi keeps it encrypted, as any secret input;
by the write-only argument the provider never reads it back. Without it the secret is made empty, and its version is
added by hand: `gcloud secrets versions add SECRET --data-file=-`; until then the loaders' pods wait for their
volume. A later token is added in the same way: Pulumi does not see that a write-only value changed.
"""

from dataclasses import dataclass, field

import pulumi
import pulumi_gcp as gcp

from hubstack.plan.target import TargetPlan
from pulumi_hubstack._options import child, renamed, secret_replication

TOKEN = "hubstack:hub_token:HubToken"  # noqa: S105  a type token


@dataclass(frozen=True, slots=True, kw_only=True)
class HubTokenArgs:
    """What the token needs."""

    target: TargetPlan
    secret_id: str
    """Replaces the secret."""
    readers: dict[str, pulumi.Input[str]]
    """Key of a gated model to the IAM member of its loader."""
    was: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Key of a gated model to its former keys."""
    after: tuple[pulumi.Resource, ...] = ()
    """What must be there before a grant: the cluster that the readers' identity pool comes with."""
    value: pulumi.Input[str] | None = None
    """Secret."""


class HubToken(pulumi.ComponentResource):
    """Secret, its grants and, where the value is given, its version."""

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
                f"{name}-{key}", secret_id=secret.secret_id, role="roles/secretmanager.secretAccessor",
                member=member,
                opts=renamed(child(self, depends_on=list(args.after)), f"{name}-{{}}", args.was.get(key, ())),
            )
            for key, member in args.readers.items()
        ]  # fmt: skip
        if args.value is not None:
            version = manager.SecretVersion(
                f"{name}-version", secret=secret.id, secret_data_wo=args.value, secret_data_wo_version="1",  # noqa: S106  a counter
                opts=child(self),
            )  # fmt: skip
            self.grants.append(version)
        self.register_outputs({})
