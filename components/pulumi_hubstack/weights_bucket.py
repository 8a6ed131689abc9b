# SPDX-License-Identifier: Apache-2.0
"""The private bucket of one model's weights: a cache of the Hub or of another bucket, with one grant per identity.

Grants are single IAM members: a policy or binding would remove grants made elsewhere.
"""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from hubstack import names
from pulumi_hubstack._options import child

TOKEN = "hubstack:weights_bucket:WeightsBucket"  # noqa: S105  a type token
CACHE_TTL = "86400s"
"""Cached data expires after a day without reads: the service's default, set explicitly so that it does not
change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsBucketArgs:
    """Inputs of a bucket."""

    bucket_name: str
    """Globally unique; a change replaces the bucket."""
    region: str
    """A change replaces the bucket."""
    readers: dict[str, pulumi.Input[str]]
    """Role in the stack (`server` ...) to IAM member."""
    writers: dict[str, pulumi.Input[str]]
    labels: dict[str, str]
    after: tuple[pulumi.Resource, ...] = ()
    """Resources that grants depend on: the cluster, which creates the members' identity pool."""
    kms_key: str | None = None
    """Key that encrypts data written from then on; None uses Google's keys."""
    own_weights: str | None = None
    """Where the model's own weights are, `gs://bucket/folder`; None for a model from the Hub. The writers may read
    this folder, and nothing else of that bucket."""
    cache_zones: tuple[str, ...] = ()
    """Zones with an Anywhere Cache. Removing a zone deletes its cache, which takes an hour."""


class WeightsBucket(pulumi.ComponentResource):
    """A bucket with its grants and caches."""

    name: pulumi.Output[str]

    def __init__(self, name: str, args: WeightsBucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        bucket = gcp.storage.Bucket(
            f"{name}-bucket",
            name=args.bucket_name,
            location=args.region.upper(),
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            # Soft-deleted weights would be billed for seven more days.
            soft_delete_policy=gcp.storage.BucketSoftDeletePolicyArgs(retention_duration_seconds=0),
            # Safe to delete: the Hub, or the bucket of own weights, has the same files, and the loader can copy
            # them again.
            force_destroy=True,
            encryption=gcp.storage.BucketEncryptionArgs(default_kms_key_name=args.kms_key)
            if args.kms_key
            else None,
            labels=args.labels,
            opts=child(self),
        )
        here = child(self, depends_on=list(args.after))
        grants = (("roles/storage.objectViewer", args.readers), ("roles/storage.objectUser", args.writers))
        self.grants = [
            gcp.storage.BucketIAMMember(
                f"{name}-{identity}-{role.rsplit('.', 1)[-1]}",
                bucket=bucket.name,
                role=role,
                member=member,
                opts=here,
            )
            for role, members in grants
            for identity, member in members.items()
        ]
        self.grants += [
            # The FUSE driver reads the bucket's metadata before it mounts.
            gcp.storage.BucketIAMMember(
                f"{name}-{identity}-bucketViewer",
                bucket=bucket.name,
                role="roles/storage.bucketViewer",
                member=member,
                opts=here,
            )
            for identity, member in (args.readers | args.writers).items()
        ]
        if args.own_weights:
            self.grants += _source_grants(name, args, args.own_weights, here)
        for zone in args.cache_zones:
            gcp.storage.AnywhereCache(
                f"{name}-cache-{zone}",
                bucket=bucket.name,
                zone=zone,
                ttl=CACHE_TTL,
                # Deletion takes about 62 minutes (Cloud Storage docs, "Anywhere Cache"); the provider's default
                # timeout is shorter.
                opts=child(self, custom_timeouts=pulumi.CustomTimeouts(create="2h", update="2h", delete="3h")),
            )
        self.name = bucket.name
        self.register_outputs({"name": self.name})


def _source_grants(
    name: str, args: WeightsBucketArgs, own_weights: str, options: pulumi.ResourceOptions
) -> "list[gcp.storage.BucketIAMMember]":
    """Let the loaders read the folder of own weights; a condition on names needs uniform bucket-level access."""
    bucket, folder = names.bucket_and_folder(own_weights)
    start = f"projects/_/buckets/{bucket}/objects/{folder}/".replace("\\", "\\\\").replace('"', '\\"')
    return [
        gcp.storage.BucketIAMMember(
            f"{name}-{identity}-source",
            bucket=bucket,
            role="roles/storage.objectViewer",
            member=member,
            condition=gcp.storage.BucketIAMMemberConditionArgs(
                title="hubstack-own-weights",
                expression=f'resource.name.startsWith("{start}")',
            ),
            opts=options,
        )
        for identity, member in args.writers.items()
    ]
