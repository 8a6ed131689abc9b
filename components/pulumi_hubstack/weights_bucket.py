# SPDX-License-Identifier: Apache-2.0
"""The bucket of one model's weights: a cache of the Hub, private, with a grant for each identity.

Facts: gke.md 4.3, 5.4. Grants are single members: a policy or binding would remove what others granted.
"""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from pulumi_hubstack._options import child

TOKEN = "hubstack:weights_bucket:WeightsBucket"  # noqa: S105  a type token
CACHE_TTL = "86400s"
"""A day without a read empties the cache; the service's default, written so that it stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsBucketArgs:
    """What a bucket needs."""

    bucket_name: str
    """Global; replaces the bucket."""
    region: str
    """Replaces the bucket."""
    readers: dict[str, pulumi.Input[str]]
    """Role in the stack (`server`) to IAM member."""
    writers: dict[str, pulumi.Input[str]]
    labels: dict[str, str]
    after: tuple[pulumi.Resource, ...] = ()
    """What must be there before a grant: the cluster that the members' identity pool comes with."""
    kms_key: str | None = None
    """Encrypts what is written from then on; None: Google's own key."""
    cache_zones: tuple[str, ...] = ()
    """Zones with an Anywhere Cache; a zone that is left out loses its cache, which takes an hour."""


class WeightsBucket(pulumi.ComponentResource):
    """Bucket, grants and caches."""

    name: pulumi.Output[str]

    def __init__(self, name: str, args: WeightsBucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        bucket = gcp.storage.Bucket(
            f"{name}-bucket",
            name=args.bucket_name,
            location=args.region.upper(),
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            # Deleted weights would be billed for seven days more.
            soft_delete_policy=gcp.storage.BucketSoftDeletePolicyArgs(retention_duration_seconds=0),
            # It holds copies only: the Hub has the same files at the locked commit, and the loader fills it again.
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
                bucket=bucket.name, role=role, member=member, opts=here,
            )
            for role, members in grants
            for identity, member in members.items()
        ]  # fmt: skip
        self.grants += [
            # The FUSE driver looks at the bucket itself before it mounts.
            gcp.storage.BucketIAMMember(
                f"{name}-{identity}-bucketViewer",
                bucket=bucket.name, role="roles/storage.bucketViewer", member=member, opts=here,
            )
            for identity, member in (args.readers | args.writers).items()
        ]  # fmt: skip
        for zone in args.cache_zones:
            gcp.storage.AnywhereCache(
                f"{name}-cache-{zone}", bucket=bucket.name, zone=zone, ttl=CACHE_TTL,
                # Its deletion takes about 62 minutes (facts: gke.md 4.2), the provider's default is shorter.
                opts=child(self, custom_timeouts=pulumi.CustomTimeouts(create="2h", update="2h", delete="3h")),
            )  # fmt: skip
        self.name = bucket.name
        self.register_outputs({"name": self.name})
