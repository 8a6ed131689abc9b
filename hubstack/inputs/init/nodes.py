# SPDX-License-Identifier: Apache-2.0
"""The node requirements of a pod: accelerators and provisioning models, by labels or by a GKE ComputeClass.

Owns these labels and the priorities of a class. Does not own prices.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hubstack import names
from hubstack.catalog import Catalog
from hubstack.files.documents import Mark
from hubstack.inputs.init.entry import Setting
from hubstack.inputs.init.objects import Part

LABELS = (
    "cloud.google.com/gke-accelerator",
    "cloud.google.com/gke-tpu-accelerator",
    "run.googleapis.com/accelerator",
)
_MACHINES = (
    *("node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type"),
    *("cloud.google.com/machine-type", "cloud.google.com/machine-family"),
)
"""Labels of a machine type or family, which may have one kind of accelerator only."""
_RESERVATION = "cloud.google.com/reservation-"
_RESERVATION_PARTS = (("blocks", "reservationBlocks"), ("subblocks", "reservationSubBlocks"))
_WAYS = {
    ("cloud.google.com/gke-spot", "true"): "spot",
    ("cloud.google.com/gke-preemptible", "true"): "spot",
    ("cloud.google.com/gke-provisioning", "spot"): "spot",
    ("cloud.google.com/gke-provisioning", "preemptible"): "spot",
    ("cloud.google.com/gke-flex-start", "true"): "flex-start",
    (names.CLASS_LABEL, "autopilot-spot"): "spot",
}
_GOOGLES_CLASSES = frozenset({"Accelerator", "Balanced", "Performance", "Scale-Out", "autopilot", "autopilot-spot"})
"""Compute classes that every cluster has."""
_COMPUTED = frozenset(
    {
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "cloud.google.com/gke-accelerator-count",
        "cloud.google.com/gke-gpu-driver-version",
        "cloud.google.com/gke-tpu-topology",
        "kubernetes.io/arch",
        "kubernetes.io/os",
        "nvidia.com/gpu.present",
    }
)
"""Labels that hubstack decides itself, or that every node with an accelerator has."""


@dataclass(frozen=True, slots=True)
class ComputeClass:
    """What a ComputeClass provisions, in order of preference."""

    accelerator: str | None
    """That of the first priority which has one."""
    capacity: tuple[object, ...]
    """Capacity steps as in the list."""
    lost: tuple[str, ...]
    """What is not carried over."""
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
    steps: list[object] = []
    lost: list[str] = []
    usual_zones = _texts(part.at("spec", "priorityDefaults", "location", "zones"))
    priorities = [(each, *_card(each, catalog)) for each in part.at("spec", "priorities").items()]
    first = next((card for _, card, _ in priorities if card), None)
    for number, (each, card, unsure) in enumerate(priorities, 1):
        pools = _texts(each.at("nodepools"))
        if pools or unsure:
            why = f"the node pools {', '.join(pools)}" if pools else f"{unsure}: its accelerator is not certain"
            lost.append(f"priority {number} ({why})")
        if pools or (unsure and first):
            continue
        zones = _texts(each.at("location", "zones")) or usual_zones
        for way, own_zones in _ways(each):
            step: dict[str, object] = {**way}
            if card != first and card:
                step["accelerator"] = card
            if own_zones or zones:
                step["zones"] = own_zones or zones
            plain = step["kind"] if step.keys() == {"kind"} else step
            if plain not in steps:
                steps.append(plain)
    return ComputeClass(first, tuple(steps), tuple(lost), part.at("metadata", "name").mark)


def _ways(priority: Part) -> list[tuple[dict[str, object], list[str]]]:
    """Return how a priority provisions nodes, each with its own zones: one step for each reservation it names."""
    reserved = [each for each in priority.at("reservations", "specific").items() if each.at("name").text]
    if reserved:
        return [({"reservation": _reservation_of(each)}, _texts(each.at("zones"))) for each in reserved]
    if priority.at("spot").value is True:
        return [({"kind": "spot"}, [])]
    if priority.at("flexStart", "enabled").value is True:
        return [({"kind": "flex-start"}, [])]
    return [({"kind": "on-demand"}, [])]


def _card(priority: Part, catalog: Catalog) -> tuple[str | None, str]:
    """Return the accelerator of a priority, or what names one that is not certain."""
    gpu, machine, family = priority.at("gpu"), priority.at("machineType").text, priority.at("machineFamily").text
    kind = gpu.at("type").text or priority.at("tpu", "type").text
    if row := catalog.accelerator(kind) if kind else None:
        return row.id, ""
    card = _card_of_machine(machine or family, catalog)
    has_card = kind or gpu.is_mapping or card or _cards_of_family(machine or family, catalog)
    return card, "" if card or not has_card else kind or machine or family or "no type"


def _card_of_machine(machine: str, catalog: Catalog) -> str | None:
    """Return the only accelerator that a machine type or family has."""
    row = catalog.machine_types.get(machine)
    cards = {row.accelerator} if row else _cards_of_family(machine, catalog)
    return cards.pop() if len(cards) == 1 else None


def _cards_of_family(family: str, catalog: Catalog) -> set[str]:
    rows = catalog.machine_types.items()
    return {row.accelerator for name, row in rows if row.accelerator and name.partition("-")[0] == family}


def _texts(part: Part) -> list[str]:
    return [each.text for each in part.items() if each.text]


def _reservation_of(part: Part) -> str:
    block, inner = (part.at(kind, "name").text for kind in ("reservationBlock", "reservationSubBlock"))
    return _reservation(part.at("name").text, part.at("project").text, (block, inner))


def _reservation(name: str, project: str, blocks: Sequence[str]) -> str:
    """Return a reservation as in the list: a name, or a path if it has a project or a block."""
    path = f"projects/{project}/reservations/{name}" if project else name
    for block, (_, kind) in zip(blocks, _RESERVATION_PARTS, strict=True):
        path += f"/{kind}/{block}" if block else ""
    return path


def node_settings(pod: Part, catalog: Catalog, classes: Classes) -> dict[str, Setting]:
    """Return the pod's node requirements that have a key in the list."""
    options = list(wanted(pod))
    labels = [(catalog.accelerator(value), mark) for key, value, mark in options if key in LABELS]
    known = list(dict.fromkeys(row.id for row, _ in labels if row is not None))
    found: dict[str, Setting] = {}
    for key, value, mark in options:
        named = classes.get(value) if key == names.CLASS_LABEL else None
        if named:
            source = f"ComputeClass {value}, {named.mark.path}:{named.mark.line}"
            if named.capacity and named.capacity != ("on-demand",):
                found["capacity"] = Setting(value=list(named.capacity), source=source)
            if named.accelerator:
                found["accelerator"] = Setting(value=named.accelerator, source=source)
        if key in _MACHINES and (card := _card_of_machine(value, catalog)):
            found["accelerator"] = Setting(value=card, source=f"node, line {mark.line}")
    if known:
        value = known[0] if len(known) == 1 else {"any": known}
        found["accelerator"] = Setting(value=value, source=f"node, line {labels[0][1].line}")
    for key, value, mark in options:
        way: object = _WAYS.get((key, value))
        if key == f"{_RESERVATION}name":
            told = {name: text for name, text, _ in options}
            blocks = [told.get(_RESERVATION + word, "") for word, _ in _RESERVATION_PARTS]
            way = {"reservation": _reservation(value, told.get(f"{_RESERVATION}project", ""), blocks)}
        if way:
            found["capacity"] = Setting(value=[way], source=f"node, line {mark.line}")
    return found


def node_notes(pod: Part, catalog: Catalog, classes: Classes) -> Iterator[str]:
    """Yield a note for each node requirement that is not carried over."""
    lost: dict[str, None] = {}
    for key, value, _ in wanted(pod):
        if key == names.CLASS_LABEL and value in classes:
            yield from (f"not carried over of ComputeClass {value[:63]}: {each}" for each in classes[value].lost)
        elif key == names.CLASS_LABEL and value not in _GOOGLES_CLASSES:
            yield f"not carried over: the compute class {value[:63]}, which is not in these files"
        elif key in LABELS:
            if catalog.accelerator(value) is None:
                yield f"the accelerator `{value[:63]}` is not in the catalogue"
        elif not _is_read(key, value, catalog):
            lost[key] = None
    preferred = pod.at("affinity", "nodeAffinity", "preferredDuringSchedulingIgnoredDuringExecution")
    for each in preferred.items():
        for term in each.at("preference", "matchExpressions").items():
            lost[f"{term.at('key').text} (preferred)"] = None
    if shown := [key for key in lost if re.fullmatch(r"[\w./-]{1,96}( \(preferred\))?", key)]:
        yield f"node requirements not carried over: {', '.join(shown)}"


def _is_read(key: str, value: str, catalog: Catalog) -> bool:
    if key in _MACHINES:
        return _card_of_machine(value, catalog) is not None
    return (
        key in _COMPUTED | {names.CLASS_LABEL} or key.startswith(_RESERVATION) or (key, value) in _WAYS or not value
    )


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
