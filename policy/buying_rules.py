# SPDX-License-Identifier: Apache-2.0
"""Rules about regions, spot nodes, labels and accelerators."""

import re
from collections.abc import Iterable, Iterator

from resources import RUN_SERVICE, UNKNOWN, Found, Resource, Settings, has_kind, is_google, is_of, listed, mapping


def regions_allowed(resource: Resource, settings: Settings) -> Iterator[str]:
    allowed = settings.get("regions")
    if allowed is None or not is_google(resource):
        return
    places = [resource.props.get(key) for key in ("location", "region", "zone")]
    replicas = listed(resource.props, "replication", "userManaged", "replicas")
    places += listed(resource.props, "nodeLocations") + [mapping(each).get("location") for each in replicas]
    known = [str(place).lower() for place in places if place and place not in {UNKNOWN, "global"}]
    outside = sorted({place for place in known if re.sub(r"-[a-z]$", "", place) not in allowed})
    if outside:
        yield f"located in {', '.join(outside)}; allowed: {', '.join(allowed)}"


def spot_outside_production(resource: Resource, settings: Settings) -> Iterator[str]:
    if not any(is_of(resource.stack, name) for name in settings.get("spot_forbidden_in") or []):
        return
    config = mapping(resource.props, "nodeConfig")
    steps = listed(resource.props, "spec", "priorities") if has_kind(resource, "ComputeClass") else []
    if config.get("spot") is True or config.get("preemptible") is True:
        yield f"uses spot nodes in {resource.stack}"
    elif any(mapping(step).get("spot") is True for step in steps):
        yield f"the ComputeClass requests spot nodes in {resource.stack}"


_LABELS = {
    "gcp:storage/bucket:Bucket": "labels",
    "gcp:container/cluster:Cluster": "resourceLabels",
    "gcp:secretmanager/secret:Secret": "labels",
    "gcp:compute/address:Address": "labels",
    "gcp:compute/globalAddress:GlobalAddress": "labels",
    "gcp:compute/instance:Instance": "labels",
    "gcp:compute/disk:Disk": "labels",
    "gcp:compute/forwardingRule:ForwardingRule": "labels",
    RUN_SERVICE: "labels",
    "gcp:cloudrunv2/job:Job": "labels",
    "gcp:pubsub/topic:Topic": "labels",
    "gcp:artifactregistry/repository:Repository": "labels",
}
"""Types that support labels, and the property with their labels."""


def labels_present(resource: Resource, settings: Settings) -> Iterator[str]:
    held = _LABELS.get(resource.type)
    if held is None:
        return
    labels = {**resource.default_labels, **mapping(resource.props, held)}
    missing = [name for name in settings.get("required_labels") or [] if not labels.get(name)]
    if missing:
        yield f"missing label {', '.join(missing)}"


_TPUS = {"ct5lp": "tpu-v5-lite-podslice", "ct5p": "tpu-v5p-slice", "ct6e": "tpu-v6e-slice", "tpu7x": "tpu7x"}
"""Machine family to the GKE label of its chips; `-8t` at the end of a machine type is the number of chips per
node."""


def accelerators(resources: Iterable[Resource], settings: Settings) -> Iterator[Found]:
    """Count the accelerators of the stack with every pool full, by GKE's name of the accelerator."""
    limits = settings.get("max_accelerators")
    if limits is None:
        return
    counts: dict[str, int] = {}
    for resource in resources:
        for kind, count in _grown(resource):
            if count is None:
                yield resource, f"its number of {kind} instances is not limited"
            counts[kind] = counts.get(kind, 0) + (count or 0)
    for kind, count in sorted(counts.items()):
        if count > limits.get(kind, 0):
            yield None, f"node pools may grow to {count} {kind}; allowed: {limits.get(kind, 0)}"


def _grown(resource: Resource) -> Iterator[tuple[str, int | None]]:
    """Yield the accelerators of a full pool, or of the maximum instances or replicas."""
    if resource.type == "gcp:container/nodePool:NodePool":
        yield from ((kind, count * _largest(resource)) for kind, count in _of_a_node(resource))
    elif resource.type == RUN_SERVICE and (chosen := mapping(resource.props, "template", "nodeSelector")):
        # An instance has one GPU.
        most = mapping(resource.props, "template", "scaling").get("maxInstanceCount")
        yield str(chosen.get("accelerator")), int(most) if most else None
    elif has_kind(resource, "AiEndpointWithModelGardenDeployment"):
        bought = mapping(resource.props, "deployConfig", "dedicatedResources")
        machine, most = (
            mapping(bought, "machineSpec"),
            bought.get("maxReplicaCount") or bought.get("minReplicaCount"),
        )
        kind = str(machine.get("acceleratorType", "")).lower().replace("_", "-")
        yield kind, int(machine.get("acceleratorCount") or 0) * int(most or 1)


def _of_a_node(pool: Resource) -> Iterator[tuple[str, int]]:
    config = mapping(pool.props, "nodeConfig")
    for card in listed(config, "guestAccelerators"):
        yield str(mapping(card).get("type")), int(mapping(card).get("count") or 0)
    slice_of = re.match(r"([a-z0-9]+)-.*?-?(\d+)t$", str(config.get("machineType")))
    if slice_of:
        yield _TPUS.get(slice_of.group(1), slice_of.group(1)), int(slice_of.group(2))


def _largest(pool: Resource) -> int:
    """Return the nodes of a full pool; limits and counts without `total` are per zone."""
    scaling, zones = mapping(pool.props, "autoscaling"), len(listed(pool.props, "nodeLocations")) or 1
    if "totalMaxNodeCount" in scaling:
        return int(scaling["totalMaxNodeCount"])
    return int(scaling.get("maxNodeCount") or pool.props.get("nodeCount") or 0) * zones
