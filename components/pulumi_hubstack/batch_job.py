# SPDX-License-Identifier: Apache-2.0
"""The offline requests of one model: the Job that answers them, and its access to their bucket.

The bucket is the user's. The Job runs as the model's server, which may read and write objects of that bucket.
"""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from hubstack.deploy import manifests
from hubstack.plan import ModelPlan
from hubstack.plan.batch import BatchPlan
from hubstack.plan.target import TargetPlan
from pulumi_hubstack._objects import register
from pulumi_hubstack._options import child

TOKEN = "hubstack:batch_job:BatchJob"  # noqa: S105  a type token
ROLES = ("roles/storage.objectUser", "roles/storage.bucketViewer")
"""Of the mount: objects, and the bucket's metadata. Listing has no condition on names, so neither has the grant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchJobArgs:
    """Inputs of a Job."""

    target: TargetPlan
    model: ModelPlan
    batch: BatchPlan
    member: pulumi.Input[str]
    """IAM member of the model's server."""
    after: tuple[pulumi.Resource, ...]
    """Resources to create first: the model's servers, and with them its weights."""


class BatchJob(pulumi.ComponentResource):
    """The Job and its grants."""

    def __init__(self, name: str, args: BatchJobArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        grants = [
            gcp.storage.BucketIAMMember(
                f"{name}-{role.rsplit('.', 1)[-1]}",
                bucket=args.batch.bucket,
                role=role,
                member=args.member,
                opts=child(self, depends_on=list(args.after)),
            )
            for role in ROLES
        ]
        register(
            f"{name}-job",
            manifests.batch_job(args.target, args.model, args.batch),
            child(self, depends_on=[*args.after, *grants]),
        )
        self.register_outputs({})
