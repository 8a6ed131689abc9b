# SPDX-License-Identifier: Apache-2.0
"""What keeps a whole stack from being destroyed by one command, while single models may come and go.

Pulumi removes what nothing depends on first, all of that at once, and stops after a step that failed. A
`protect` on the cluster alone therefore comes too late: `pulumi destroy --skip-preview` removes every server
before it reaches the cluster. This resource is nothing in itself. It depends on everything else, so it is the
first to go, and alone; protected, it refuses, and the rest is untouched. A model that leaves the list is none
of its business. Seen under the real engine (pulumi 3.274.1, deployment_executor.go).
"""

from dataclasses import dataclass

import pulumi

TOKEN = "hubstack:protection:Protection"  # noqa: S105  a type token


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionArgs:
    """What the protection needs."""

    is_on: bool
    """Off it stays registered: Pulumi would refuse to remove it from the program."""


class Protection(pulumi.ComponentResource):
    """Refuses to be deleted before all that it depends on."""

    def __init__(self, name: str, args: ProtectionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        mine = pulumi.ResourceOptions(protect=args.is_on)
        super().__init__(TOKEN, name, None, pulumi.ResourceOptions.merge(opts, mine))
        self.register_outputs({})
