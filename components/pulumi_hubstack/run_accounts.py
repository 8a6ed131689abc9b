# SPDX-License-Identifier: Apache-2.0
"""The two service accounts of a model on Cloud Run: the server reads the weights, the loader writes them.

Neither has a key, nor any role beyond the model's bucket (and the Hub token, for a gated model's loader).
"""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from hubstack import names
from pulumi_hubstack._options import child

TOKEN = "hubstack:run_accounts:RunAccounts"  # noqa: S105  a type token


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAccountsArgs:
    """Inputs of the accounts."""

    stack: str
    key: str
    """The model's original key."""


class RunAccounts(pulumi.ComponentResource):
    """The service accounts of server and loader."""

    server: gcp.serviceaccount.Account
    loader: gcp.serviceaccount.Account

    def __init__(self, name: str, args: RunAccountsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        self.server, self.loader = (
            gcp.serviceaccount.Account(
                f"{name}-{role}",
                account_id=names.service_account_id(args.stack, f"{args.key}-{role}"),
                # An interrupted `up` may have created it; its id is fixed.
                create_ignore_already_exists=True,
                display_name=names.service_account_title(
                    f"Cloud Run {role} of {args.key} in hubstack {args.stack}"
                ),
                opts=child(self),
            )
            for role in ("server", "loader")
        )
        self.register_outputs({})
