# SPDX-License-Identifier: Apache-2.0
"""A stack gives Google Cloud resources only names that their services take, whatever the stack is called.

The rules are those of each service's API reference; Pulumi takes stack names of up to 100 letters, digits,
hyphens, underscores and dots.
"""

import re
from dataclasses import replace

import pytest
from pulumi_hubstack.run_accounts import RunAccounts, RunAccountsArgs

from hubstack.plan.images import ImagesPlan, remote_mirrors
from hubstack.planner.images import place_images
from tests.components.recorder import Recorded, record
from tests.components.test_gateway import EXTERNAL, build, plan
from tests.support.plans import with_callers

LABEL = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
RULES = {
    ("serviceaccount/account:Account", "accountId"): r"[a-z][-a-z0-9]{4,28}[a-z0-9]",
    ("serviceaccount/account:Account", "displayName"): r".{1,100}",
    ("storage/bucket:Bucket", "name"): r"(?!goog)(?!.*g[o0]{2,}g[l1]e)[a-z0-9][-a-z0-9]{1,61}[a-z0-9]",
    ("container/cluster:Cluster", "name"): r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?",
    ("container/nodePool:NodePool", "name"): r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?",
    ("secretmanager/secret:Secret", "secretId"): r"[-_A-Za-z0-9]{1,255}",
    ("artifactregistry/repository:Repository", "repositoryId"): LABEL,
    ("compute/address:Address", "name"): LABEL,
    ("certificatemanager/certificate:Certificate", "name"): LABEL,
    ("certificatemanager/dnsAuthorization:DnsAuthorization", "name"): LABEL,
    ("billing/budget:Budget", "displayName"): r".{1,60}",
    ("monitoring/alertPolicy:AlertPolicy", "displayName"): r".{1,512}",
    ("monitoring/notificationChannel:NotificationChannel", "displayName"): r".{1,512}",
}
STACKS = ["Prod_EU.google", "g00gle-" + "a" * 93, "0.Environment_" + "of-a-Team." * 8 + "x"]


def whole(stack: str) -> Recorded:
    made = with_callers(plan(replace(EXTERNAL, auth=None, dns_zone="acme", issues_certificate=True)))
    target = replace(made.target, stack=stack)
    mirrors = remote_mirrors(target.project, target.region, stack)
    images = ImagesPlan(mirrors=mirrors, has_remote_repositories=True, digests={})
    models = tuple(place_images(model, images) for model in made.models)
    return build(replace(made, target=replace(target, images=images), models=models))


def faults(recorded: Recorded) -> list[str]:
    named = [
        (kind, key, each.inputs[key])
        for each in recorded.resources.values()
        for kind, key in RULES
        if each.type == f"gcp:{kind}" and isinstance(each.inputs.get(key), str)
    ]
    assert named
    return [f"{kind} {key} {value}" for kind, key, value in named if not re.fullmatch(RULES[kind, key], value)]


@pytest.mark.parametrize("stack", STACKS)
def test_every_service_takes_the_names_of_a_stack(stack: str) -> None:
    assert faults(whole(stack)) == []


@pytest.mark.parametrize("stack", STACKS)
def test_iam_takes_the_accounts_of_a_long_key_on_cloud_run(stack: str) -> None:
    made = record(lambda: RunAccounts("model", RunAccountsArgs(stack=stack, key="k" * 40)))
    assert faults(made) == []
    assert len({each.inputs["displayName"] for each in made.of_type("gcp:serviceaccount/account:Account")}) == 2
