# SPDX-License-Identifier: Apache-2.0
"""`hubstack init`: manifests in, models out.

Owns which reader is asked first, and what is said of objects that none of them reads.
"""

from collections.abc import Sequence
from dataclasses import replace

from hubstack.catalog import load_catalog
from hubstack.files.problems import Problem
from hubstack.inputs.init.compositions import composed
from hubstack.inputs.init.entry import Entry, Found, Unknown, with_note
from hubstack.inputs.init.nodes import compute_classes
from hubstack.inputs.init.objects import STDIN, read_objects
from hubstack.inputs.init.operators import read_operator
from hubstack.inputs.init.overlays import read_overlays
from hubstack.inputs.init.servers import one_for_all_roles, read_workload, without_prefill
from hubstack.inputs.init.unread import may_serve, passed_over
from hubstack.inputs.init.workloads import Workload, config_maps, workloads

_NAMED = 12
"""Maximum workloads or files named in one sentence; the rest are counted."""


def read_manifests(names: Sequence[str]) -> Found:
    """Return the models served by the Kubernetes objects in files and folders.

    Raises:
        InputError: files cannot be read; lists every problem.
    """
    read = read_objects(names, may_serve)
    overlays = read_overlays(read.objects)
    objects = [part for part in read.objects if part.mark.path not in overlays.patches | overlays.harmless]
    objects, incomplete = composed(objects)
    maps, catalog = config_maps(objects), load_catalog()
    entries: list[Entry] = []
    unknown = [_unknown_file(each) for each in read.broken]
    others: list[str] = []
    passed: dict[str, None] = {}
    classes = compute_classes(objects, catalog)
    held: dict[int, list[Workload]] = {}
    for workload in workloads(objects):
        held.setdefault(id(workload.root), []).append(workload)
    for part in objects:
        pods = held.get(id(part), [])
        served: list[Entry | Unknown] = []
        for workload in pods:
            if not served or workload.role:  # workers serve what their leader serves
                served += read_workload(workload, maps, catalog, classes) or ()
        named = read_operator(part, catalog, has_pods=bool(pods))
        has_entry = any(isinstance(each, Entry) for each in named)
        found = named if has_entry else one_for_all_roles(served) or named
        if not found and pods:
            others.append(pods[0].label)
        elif not found and (label := passed_over(part)):
            passed[label] = None
        notes = (*overlays.notes.get(part.mark.path, ()), *incomplete.get(id(part), ()))
        entries += [with_note(each, *notes) for each in found if isinstance(each, Entry)]
        unknown += [replace(each, why="; ".join((each.why, *notes))) for each in found if isinstance(each, Unknown)]
    skipped = [f"no model server found in {_first(others)}"] if others else []
    if passed:
        skipped.append(f"not read, and no model found in it: {_first([*passed])}")
    if read.templates:
        hint = "pass the output of `helm template`"
        skipped.append(f"templates of charts are not read, {hint}: {_first(read.templates)}")
    shown = ", ".join("standard input" if name == STDIN else name for name in names)
    return Found(
        source=shown, entries=tuple(without_prefill(entries)), unknown=tuple(unknown), skipped=tuple(skipped)
    )


def _unknown_file(problem: Problem) -> Unknown:
    place = f"{problem.path}:{problem.line}" if problem.line else problem.path
    hint = problem.hint or "if it serves a Hub model, mend it, or list its model by hand"
    return Unknown(origin=place, why=f"the file is not read: {problem.message}", hint=hint)


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
