# SPDX-License-Identifier: Apache-2.0
"""The callers' proxy of a gateway: their secrets, its pods and its counters. Decides nothing.

No key passes through this program: a secret gets its versions from `gcloud` (docs/guides/callers.md), and GKE's
secret sync brings them into the cluster.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from hubstack import names
from hubstack.deploy import manifests
from hubstack.deploy.callers.pods import caller_secret
from hubstack.plan.callers import CallerPlan, CallersPlan
from hubstack.plan.target import TargetPlan
from pulumi_hubstack._objects import register
from pulumi_hubstack._options import child, secret_replication

TOKEN = "hubstack:callers:Callers"  # noqa: S105  a type token
ACCESSOR = "roles/secretmanager.secretAccessor"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallersArgs:
    """Inputs of the proxy."""

    target: TargetPlan
    callers: CallersPlan
    objects: Mapping[str, manifests.Object]
    """The proxy's Kubernetes objects by role, in the order in which they are created."""
    secret_reader: pulumi.Input[str]
    """IAM member of the account that GKE's secret sync uses."""
    after: tuple[pulumi.Resource, ...]
    """Resources to create first: the namespace."""


class Callers(pulumi.ComponentResource):
    """One secret per caller, and the proxy."""

    ready: tuple[pulumi.Resource, ...]
    """What a route to the proxy depends on."""

    def __init__(self, name: str, args: CallersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        self._name, self._args, self._after = name, args, list(args.after)
        account = self._put("secrets-account", manifests.sync_account(args.target))
        for caller in args.callers.callers:
            self._create_secret(caller, account)
        before: list[pulumi.Resource] = []
        for role, obj in args.objects.items():
            before.append(self._put(role, obj, list(before)))
        self.ready = tuple(before)
        self.register_outputs({})

    def _create_secret(self, caller: CallerPlan, account: pulumi.Resource) -> None:
        manager, name = gcp.secretmanager, f"{self._name}-{caller.name}"
        held = manager.Secret(
            name,
            secret_id=caller.secret_id,
            replication=secret_replication(self._args.target),
            opts=child(self),
        )
        readers = {"reader": self._args.secret_reader} | {
            f"reader-{names.short_hash(member, length=6)}": member for member in caller.readers
        }
        grants = [
            manager.SecretIamMember(
                f"{name}-{role}",
                secret_id=held.secret_id,
                role=ACCESSOR,
                member=member,
                opts=child(self, depends_on=self._after),
            )
            for role, member in readers.items()
        ]
        secret, target = caller_secret(caller), self._args.target
        source = self._put(f"{caller.name}-class", manifests.sync_class(target, secret), [grants[0]])
        self._put(f"{caller.name}-sync", manifests.secret_sync(target, secret), [account, source])

    def _put(
        self, role: str, obj: manifests.Object, after: list[pulumi.Resource] | None = None
    ) -> pulumi.CustomResource:
        here = child(self, depends_on=[*self._after, *(after or [])])
        return register(f"{self._name}-{role}", obj, here)
