# SPDX-License-Identifier: Apache-2.0
"""Objects that exist once per stack: the models' namespace and its ComputeClasses."""

from hubstack import names
from hubstack.deploy.manifests.base import MODELS_LABEL, TEAM_LABEL, Object, pod_security_labels
from hubstack.kinds import AcceleratorKind, CapacityKind
from hubstack.plan import CapacityClass, Plan, PoolPlan
from hubstack.plan.target import TargetPlan

OWNER = "hubstack.dev/owner"
"""Annotation of a team's namespace."""
_OURS = {"app.kubernetes.io/managed-by": "hubstack"}


def namespace(plan: Plan) -> Object:
    """Return the models' namespace, with the Pod Security level that every pod in it meets.

    TPU servers run as root because root owns their devices, which `restricted` forbids. They meet the rest of
    `restricted`, and the API server reports violations to the caller (`warn`) and in its audit log.
    """
    target = plan.target
    has_tpu = any(model.accelerator_kind is AcceleratorKind.TPU for model in plan.on_gke)
    labels = pod_security_labels("baseline" if has_tpu else "restricted")
    if target.cluster:
        labels = labels | {MODELS_LABEL: "true"}
    metadata: Object = {"name": target.namespace, "labels": labels}
    if team := target.team:
        metadata["labels"] = labels | {TEAM_LABEL: team.key}
        metadata |= {"annotations": {OWNER: team.owner}} if team.owner else {}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def team_quota(target: TargetPlan) -> Object | None:
    """Return the ResourceQuota of a team's namespace; None without a limit."""
    team = target.team
    if team is None or not team.quota:
        return None
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "accelerators", "namespace": target.namespace, "labels": dict(_OURS)},
        "spec": {"hard": {f"requests.{resource}": str(most) for resource, most in sorted(team.quota.items())}},
    }


def team_priority(target: TargetPlan) -> Object | None:
    """Return the PriorityClass of a team's servers; None if they have none."""
    team = target.team
    if team is None or team.priority is None:
        return None
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": team.priority_class(target.stack), "labels": dict(_OURS)},
        "value": team.priority,
        "globalDefault": False,
        "description": f"Model servers of the team {team.key} in the stack {target.stack}",
    }


def capacity_class(plan: Plan, capacity: CapacityClass) -> Object:
    """Return the ComputeClass that tries a class's pools in order and no other machine.

    In an Autopilot cluster it describes the nodes instead, and GKE creates them. `ScaleUpAnyway` would add plain
    CPU nodes (GKE docs, "About custom compute classes").
    """
    cluster = plan.target.cluster
    if cluster and cluster.is_autopilot:
        pools = {pool.key: pool for pool in plan.pools}
        rules = [_rule(pools[key]) for key in capacity.pools]
        # The slices of one step are alike.
        priorities = [rule for at, rule in enumerate(rules) if rule not in rules[:at]]
    else:
        priorities = [{"nodepools": [names.node_pool_name(pool)]} for pool in capacity.pools]
    return {
        "apiVersion": "cloud.google.com/v1",
        "kind": "ComputeClass",
        "metadata": {"name": capacity.key},
        "spec": {"priorities": priorities, "whenUnsatisfiable": "DoNotScaleUp"},
    }


def _rule(pool: PoolPlan) -> Object:
    """Return the nodes of one step as a rule of a ComputeClass (GKE docs, "ComputeClass CRD")."""
    rule: Object = {"location": {"zones": list(pool.zones)}, "storage": {"bootDiskSize": pool.boot_disk_gib}}
    if pool.accelerator_kind is AcceleratorKind.TPU:
        topology = {"topology": pool.tpu_topology} if pool.tpu_topology else {}
        rule["tpu"] = {"type": pool.gke_accelerator, "count": pool.accelerators_per_node, **topology}
    else:
        gpu: Object = {"type": pool.gke_accelerator, "count": pool.accelerators_per_node, "driverVersion": "latest"}
        if pool.servers_per_accelerator > 1:
            clients = pool.servers_per_accelerator
            gpu["gpuSharing"] = {"sharingStrategy": "TIME_SHARING", "maxSharedClientsPerGPU": clients}
        rule |= {"machineType": pool.gce_machine_type, "gpu": gpu}
    match pool.capacity:
        case CapacityKind.SPOT:
            rule["spot"] = True
        case CapacityKind.FLEX_START:
            rule["flexStart"] = {"enabled": True}
        case CapacityKind.RESERVATION:
            rule["reservations"] = {"affinity": "Specific", "specific": [{"name": pool.reservation}]}
        case CapacityKind.ON_DEMAND:
            rule["reservations"] = {"affinity": "None"}
    return rule
