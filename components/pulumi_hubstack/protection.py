# SPDX-License-Identifier: Apache-2.0
"""Prevents one command from destroying a whole stack, while single models can still be removed.

Pulumi first deletes all resources without dependents, in parallel, and stops after a failed step. `protect` on the
cluster alone therefore acts too late: `pulumi destroy --skip-preview` deletes every server before it reaches the
cluster. This resource does nothing itself. It depends on everything else, so it is deleted first and alone; when
protected it refuses, and the rest is untouched. Removing a model from the list does not involve it. Verified with
the real engine (pulumi 3.274.1, deployment_executor.go).
"""

from dataclasses import dataclass

import pulumi

TOKEN = "hubstack:protection:Protection"  # noqa: S105  a type token


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionArgs:
    """Inputs of the protection."""

    is_on: bool
    """When off, the resource stays registered: Pulumi would refuse to remove it from the program."""


class Protection(pulumi.ComponentResource):
    """Refuses to be deleted, before any resource that it depends on."""

    def __init__(self, name: str, args: ProtectionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        mine = pulumi.ResourceOptions(protect=args.is_on)
        super().__init__(TOKEN, name, None, pulumi.ResourceOptions.merge(opts, mine))
        self.register_outputs({})
