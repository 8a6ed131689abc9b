# SPDX-License-Identifier: Apache-2.0
"""Choose a cluster for each model that is not assigned to one, and place the models in every cluster.

Owns what `hubstack place` and the end of `hubstack lock` do in an environment with several clusters: existing
models keep their cluster, and a new model gets the first cluster in its order of preference that fits it. Does not
own that order (`hubstack.inputs.clusters`) or the placement inside a cluster
(`hubstack.planner.placement.write_placement`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from hubstack.catalog import Catalog, load_catalog
from hubstack.files.errors import InputError, LockError, PlanError
from hubstack.files.problems import Problem
from hubstack.files.write import write_text_atomically
from hubstack.hub.lock import Lock, load_lock, lock_path
from hubstack.inputs.cluster_record import write_clusters_file
from hubstack.inputs.clusters import SHARD_OF, Cluster, clusters_of, preferred, recorded_cluster
from hubstack.inputs.models import ModelRequest, Request
from hubstack.inputs.renames import current_keys
from hubstack.inputs.settings import StackSettings
from hubstack.inputs.stack import Group
from hubstack.planner.inputs import StackInputs
from hubstack.planner.placement.write_placement import write_places
from hubstack.planner.planner import plan_stack

_STACK_FILE = """# The stack of one cluster. Its settings are in the file named below; keep only its secrets here.
config:
  {key}: {file}
"""


def write_group_places(group: Group, *, rebalance: bool = False, check: bool = False) -> list[str]:
    """Choose clusters, place every model, write the changed files and return one line per change.

    Args:
        group: the environment.
        rebalance: place all models again inside their clusters; no model changes cluster.
        check: do not write any file.

    Raises:
        InputError: all problems found; files without problems were written.
    """
    folder, before, all_models = group.project.folder, group.recorded, group.all_models
    lock = load_lock(lock_path(folder / group.models_path), str(lock_path(Path(group.models_path))))
    after = choose_clusters(group, lock)
    lines = list(_moves(before, after, current_keys(all_models.models)))
    missing = [cluster for cluster in group.clusters if not (folder / group.file(cluster)).exists()]
    lines += [f"{group.file(cluster)}: the settings of a new stack" for cluster in missing]
    if check and lines:
        return lines
    if before != after:
        write_clusters_file(folder / group.record_path, after)
    for cluster in missing:
        text = _STACK_FILE.format(key=SHARD_OF, file=group.settings_file)
        write_text_atomically(folder / group.file(cluster), text)
    problems: list[Problem] = []
    for cluster in group.clusters:
        name, stack = group.stack_name(cluster), group.load_stack(cluster, after)
        try:
            found = write_places(StackInputs.of(stack, lock), rebalance=rebalance, check=check)
        except InputError as error:
            problems += [replace(each, message=f"{name}: {each.message}") for each in error.problems]
        else:
            lines += [f"{name}: {line}" for line in found]
    if problems:
        raise InputError(problems)
    return lines


def choose_clusters(group: Group, lock: Lock) -> dict[str, str]:
    """Return the chosen cluster of each model that is not assigned to one.

    Raises:
        InputError: models that do not fit in any cluster, with the reason for each cluster.
    """
    all_models, recorded = group.all_models, group.recorded
    # Conflicts between models (such as the gateway's model names) are left for `plan` to report.
    targets = {cluster.key: group.settings(cluster).changed(gateway_settings=None) for cluster in group.clusters}
    chosen: dict[str, str] = {}
    new: list[ModelRequest] = []
    for model in all_models.models:
        if model.canary_of or any(cluster.has(model) for cluster in group.clusters):
            continue
        (now,) = clusters_of(model, group.clusters, recorded)
        chosen[model.key] = now
        if recorded_cluster(model, recorded) != now:
            new.append(model)
    return chosen | _fitting(new, all_models, lock, targets, group.clusters)


def _fitting(
    new: list[ModelRequest],
    all_models: Request,
    lock: Lock,
    targets: Mapping[str, StackSettings],
    clusters: tuple[Cluster, ...],
) -> dict[str, str]:
    """Return, for each new model, the first cluster in its order of preference that fits it."""
    catalog = load_catalog()
    chosen: dict[str, str] = {}
    problems: list[Problem] = []
    waiting = {model.key: preferred(model, clusters) for model in new}
    lacking: dict[str, list[str]] = {key: [] for key in waiting}
    by_key = {model.key: model for model in new}
    while waiting:
        refused: dict[str, str] = {}
        for cluster in clusters:
            here = [key for key, order in waiting.items() if order[0] == cluster.key]
            refused |= _refused([by_key[key] for key in here], all_models, lock, catalog, targets[cluster.key])
        for key, order in list(waiting.items()):
            if key not in refused:
                chosen[key] = order[0]
                del waiting[key]
                continue
            lacking[key].append(f"{order[0]} ({targets[order[0]].region}): {refused[key]}")
            waiting[key] = order[1:]
            if not order[1:]:
                del waiting[key]
                message = f"`{by_key[key].id}` does not fit in any cluster: {'; '.join(lacking[key])}"
                hint = "lower its requirements, or add a cluster in a region with a suitable accelerator"
                problems.append(by_key[key].mark("id").problem(message, hint))
    if problems:
        raise PlanError(problems)
    return chosen


def _refused(
    models: list[ModelRequest], all_models: Request, lock: Lock, catalog: Catalog, target: StackSettings
) -> dict[str, str]:
    """Return the models that do not fit in a cluster, by key, with the reason."""
    if not models or _why_not(models, all_models, lock, catalog, target) is None:
        return {}
    found = {model.key: _why_not([model], all_models, lock, catalog, target) for model in models}
    return {key: why for key, why in found.items() if why is not None}


def _why_not(
    models: list[ModelRequest], all_models: Request, lock: Lock, catalog: Catalog, target: StackSettings
) -> str | None:
    keys = {model.key for model in models}
    asked = tuple(model for model in all_models.models if (model.canary_of or model.key) in keys)
    try:
        plan_stack(replace(all_models, models=asked), lock, catalog, target)
    except LockError:
        raise
    except PlanError as error:
        return "; ".join(each.message for each in error.problems)
    return None


def _moves(before: Mapping[str, str], after: Mapping[str, str], present: Mapping[str, str]) -> Iterator[str]:
    for former in sorted(key for key in before if key in present):
        yield f"{present[former]}: renamed from {former}"
    before = {present.get(key, key): cluster for key, cluster in before.items()}
    for key in sorted({*before, *after}):
        old, new = before.get(key), after.get(key)
        if old is None:
            yield f"{key}: assigned to {new}"
        elif new is None:
            yield f"{key}: removed from {old}"
        elif old != new:
            yield f"{key}: moves from {old} to {new}; its weights are copied again"
