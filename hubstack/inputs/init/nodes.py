# SPDX-License-Identifier: Apache-2.0
"""The node requirements of a pod: accelerators and provisioning models, by labels or by a GKE ComputeClass.

Owns these labels and the priorities of a class. Does not own prices.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hubstack import names
from hubstack.catalog import Catalog
from hubstack.files.documents import Mark
from hubstack.inputs.init.entry import Setting
from hubstack.inputs.init.objects import Part

LABELS = ("cloud.google.com/gke-accelerator", "cloud.google.com/gke-tpu-accelerator")
_RESERVATION = "cloud.google.com/reservation-name"
_WAYS = {
    ("cloud.google.com/gke-spot", "true"): "spot",
    ("cloud.google.com/gke-provisioning", "spot"): "spot",
    ("cloud.google.com/gke-flex-start", "true"): "flex-start",
}


@dataclass(frozen=True, slots=True)
class ComputeClass:
    """What a ComputeClass provisions, in order of preference."""

    accelerators: tuple[str, ...]
    capacity: tuple[object, ...]
    """Capacity steps as in the list."""
    mark: Mark


Classes = Mapping[str, ComputeClass]


def compute_classes(objects: Sequence[Part], catalog: Catalog) -> Classes:
    """Return the compute classes in the files, by name."""
    return {
        part.at("metadata", "name").text: _class(part, catalog)
        for part in objects
        if part.at("kind").text == "ComputeClass"
    }


def _class(part: Part, catalog: Catalog) -> ComputeClass:
    cards: dict[str, None] = {}
    steps: list[object] = []
    for each in part.at("spec", "priorities").items():
        word = each.at("gpu", "type").text or each.at("tpu", "type").text
        row = catalog.accelerator(word) if word else None
        machine = catalog.machine_types.get(each.at("machineType").text)
        card = row.id if row else machine.accelerator if machine else None
        if card:
            cards[card] = None
        reserved = [_reservation(r) for r in each.at("reservations", "specific").items() if r.at("name").text]
        way: object = "on-demand"
        if reserved:
            way = {"reservation": reserved[0]}
        elif each.at("spot").value is True:
            way = "spot"
        elif each.at("flexStart", "enabled").value is True:
            way = "flex-start"
        if way not in steps:
            steps.append(way)
    return ComputeClass(tuple(cards), tuple(steps), part.at("metadata", "name").mark)


def _reservation(part: Part) -> str:
    """Return a reservation as in the list: a name, or a path if it has a project or a block."""
    name, project = part.at("name").text, part.at("project").text
    path = f"projects/{project}/reservations/{name}" if project else name
    for kind in ("reservationBlock", "reservationSubBlock"):
        if block := part.at(kind, "name").text:
            path += f"/{kind}s/{block}"
    return path


def node_settings(pod: Part, catalog: Catalog, classes: Classes) -> dict[str, Setting]:
    """Return the pod's node requirements that have a key in the list."""
    options = list(wanted(pod))
    labels = [(catalog.accelerator(value), mark) for key, value, mark in options if key in LABELS]
    known = list(dict.fromkeys(row.id for row, _ in labels if row is not None))
    found: dict[str, Setting] = {}
    for key, value, _ in options:
        named = classes.get(value) if key == names.CLASS_LABEL else None
        if named:
            source = f"ComputeClass {value}, {named.mark.path}:{named.mark.line}"
            if named.capacity and named.capacity != ("on-demand",):
                found["capacity"] = Setting(value=list(named.capacity), source=source)
            if named.accelerators:
                found["accelerator"] = Setting(value=_one_or_any(list(named.accelerators)), source=source)
    if known:
        found["accelerator"] = Setting(value=_one_or_any(known), source=f"node, line {labels[0][1].line}")
    for key, value, mark in options:
        way = {"reservation": value} if key == _RESERVATION else _WAYS.get((key, value))
        if way:
            found["capacity"] = Setting(value=[way], source=f"node, line {mark.line}")
    return found


def node_notes(pod: Part, classes: Classes) -> Iterator[str]:
    """Yield a note for each compute class that is not in the files."""
    for key, value, _ in wanted(pod):
        if key == names.CLASS_LABEL and value not in classes:
            yield f"not carried over: the compute class {value[:63]}, which is not in these files"


def _one_or_any(cards: list[str]) -> object:
    return cards[0] if len(cards) == 1 else {"any": cards}


def wanted(pod: Part) -> Iterator[tuple[str, str, Mark]]:
    """Yield the labels that the node must have, from the node selector and required node affinity."""
    for key, part in pod.at("nodeSelector").pairs():
        yield key, part.text, part.mark
    required = pod.at("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    for term in required.at("nodeSelectorTerms").items():
        for each in term.at("matchExpressions").items():
            if each.at("operator").text == "In":
                for value in each.at("values").items():
                    yield each.at("key").text, value.text, value.mark
