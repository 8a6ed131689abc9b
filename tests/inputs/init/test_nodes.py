# SPDX-License-Identifier: Apache-2.0
"""What `hubstack init` reads of nodes: labels, reservations and compute classes, or names as not carried over."""

from collections.abc import Callable

import pytest

from hubstack.kinds import CapacityKind
from tests.inputs.init.conftest import Made, server

Make = Callable[..., Made]
CLASS = "nodeSelector: {cloud.google.com/compute-class: ours}"
CHAT = "[vllm, serve, Qwen/Qwen3-8B]"


def of_class(made: Make, priorities: str, more: str = "") -> str:
    """Return the list for a server in a class, as one line."""
    head = "apiVersion: cloud.google.com/v1\nkind: ComputeClass\nmetadata: {name: ours}\n"
    text, _, _ = made(f"{head}spec:\n{more}  priorities:\n{priorities}---{server(CHAT, more=CLASS)}")
    return " ".join(text.replace("#", " ").split())


def test_a_class_with_a_reservation_of_another_project_names_the_project(made: Make) -> None:
    classes = """
apiVersion: cloud.google.com/v1
kind: ComputeClass
metadata: {name: h100}
spec:
  priorities:
  - machineType: a3-highgpu-8g
    reservations:
      affinity: Specific
      specific: [{name: ours, project: shared-acme, reservationBlock: {name: block-1}}]
  - {machineType: a3-highgpu-8g, spot: true}
"""
    chat = server("[vllm, serve, Qwen/Qwen3-8B]", more="nodeSelector: {cloud.google.com/compute-class: h100}")
    text, request, _ = made(f"{classes}---{chat}")
    assert "{reservation: projects/shared-acme/reservations/ours/reservationBlocks/block-1}" in text
    assert [step.kind for step in request.models[0].settings.capacity] == [
        CapacityKind.RESERVATION,
        CapacityKind.SPOT,
    ]


def test_a_compute_class_says_accelerator_and_ways_to_buy(made: Make) -> None:
    classes = """
apiVersion: cloud.google.com/v1
kind: ComputeClass
metadata: {name: l4-spot}
spec:
  priorities:
  - {machineType: g2-standard-12, spot: true, gpu: {type: nvidia-l4, count: 1}}
  - {machineType: g2-standard-12, flexStart: {enabled: true}}
  - {machineType: g2-standard-12}
"""
    select = "nodeSelector: {cloud.google.com/compute-class: l4-spot}"
    chat = server("[vllm, serve, Qwen/Qwen3-8B]", more=select)
    _, request, _ = made(f"{classes}---{chat}")
    assert request.models[0].settings.accelerators == ("l4",)
    kinds = [step.kind for step in request.models[0].settings.capacity]
    assert kinds == [CapacityKind.SPOT, CapacityKind.FLEX_START, CapacityKind.ON_DEMAND]
    text, _, _ = made(chat)
    assert "the compute class l4-spot, which is not in these files" in " ".join(text.replace("#", " ").split())


@pytest.mark.parametrize(
    ("priorities", "steps", "card"),
    [
        (
            """
  - machineType: a3-highgpu-8g
    reservations: {affinity: Specific, specific: [{name: ours, project: shared-acme}, {name: own, zones: [us-a]}]}
""",
            "[{reservation: projects/shared-acme/reservations/ours}, {reservation: own, zones: [us-a]}]",
            "h100-80gb",
        ),
        (
            """
  - {machineFamily: g2, spot: true}
  - {machineType: a3-highgpu-8g, flexStart: {enabled: true}}
""",
            "[spot, {kind: flex-start, accelerator: h100-80gb}]",
            "l4",
        ),
        (
            """
  - {gpu: {type: nvidia-l4, count: 1}, spot: true, location: {zones: [us-central1-a]}}
  - {gpu: {type: nvidia-l4, count: 1}, spot: true, location: {zones: [us-central1-b]}}
""",
            "[{kind: spot, zones: [us-central1-a]}, {kind: spot, zones: [us-central1-b]}]",
            "l4",
        ),
    ],
    ids=["each-reservation", "each-card", "zones"],
)
def test_each_priority_of_a_class_is_a_step(made: Make, priorities: str, steps: str, card: str) -> None:
    text = of_class(made, priorities.lstrip("\n"))
    assert f"capacity: {steps}" in text
    assert f"accelerator: {card} " in text


def test_zones_of_a_class_apply_to_each_of_its_priorities(made: Make) -> None:
    zones = "  priorityDefaults: {location: {zones: [us-a]}}\n"
    text = of_class(made, "  - {machineFamily: g2, spot: true}\n  - {machineFamily: g2}\n", zones)
    assert "capacity: [{kind: spot, zones: [us-a]}, {kind: on-demand, zones: [us-a]}]" in text


def test_pods_of_a_namespace_with_a_class_have_it_unless_they_select_another(made: Make) -> None:
    label = "cloud.google.com/default-compute-class"
    space = f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: default, labels: {{{label}: ours}}}}\n"
    head = "apiVersion: cloud.google.com/v1\nkind: ComputeClass\nmetadata: {name: ours}\n"
    priorities = "spec: {priorities: [{machineFamily: g2, spot: true}]}\n"
    text, _, _ = made(f"{space}---\n{head}{priorities}---{server(CHAT)}")
    assert "capacity: [spot] # ComputeClass ours" in text
    other = server(CHAT, more=CLASS.replace("ours", "autopilot"))
    text, _, _ = made(f"{space}---\n{head}{priorities}---{other}")
    assert "capacity" not in text


def test_priorities_that_the_list_cannot_say_are_named(made: Make) -> None:
    text = of_class(
        made,
        "  - {machineFamily: g2, spot: true}\n"
        "  - {machineFamily: a2, gpu: {count: 1}}\n"
        "  - {nodepools: [h100-pool]}\n",
    )
    assert "capacity: [spot]" in text
    assert "priority 2 (a2: its accelerator is not certain)" in text
    assert "priority 3 (the node pools h100-pool)" in text


def test_a_reservation_of_labels_keeps_its_project_and_blocks(made: Make) -> None:
    labels = "name: ours, project: acme-shared, blocks: b1, subblocks: s1, affinity: specific"
    select = ", ".join(f"cloud.google.com/reservation-{each}" for each in labels.split(", "))
    text, _, _ = made(server(CHAT, more=f"nodeSelector: {{{select}}}"))
    path = "projects/acme-shared/reservations/ours/reservationBlocks/b1/reservationSubBlocks/s1"
    assert f"capacity: [{{reservation: {path}}}]" in text
    assert "not carried over" not in text


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ("node.kubernetes.io/instance-type: a3-ultragpu-8g", "accelerator: h200-141gb"),
        ("cloud.google.com/machine-family: g2", "accelerator: l4"),
        ("run.googleapis.com/accelerator: nvidia-l4", "accelerator: l4"),
        ("cloud.google.com/compute-class: autopilot-spot", "capacity: [spot]"),
        ("cloud.google.com/gke-preemptible: 'true'", "capacity: [spot]"),
        (
            "cloud.google.com/machine-family: a2",
            "node requirements not carried over: cloud.google.com/machine-family",
        ),
        ("nvidia.com/gpu.product: NVIDIA-L4", "node requirements not carried over: nvidia.com/gpu.product"),
        ("cloud.google.com/gke-accelerator: nvidia-new", "the accelerator `nvidia-new` is not in the catalogue"),
    ],
)
def test_a_label_of_a_node_is_a_key_or_named(made: Make, select: str, expected: str) -> None:
    text, _, _ = made(server(CHAT, more=f"nodeSelector: {{{select}}}"))
    assert expected in " ".join(text.split())


def test_preferred_nodes_are_named(made: Make) -> None:
    term = "preference: {matchExpressions: [{key: cloud.google.com/gke-spot, operator: In, values: ['true']}]}"
    more = (
        f"affinity: {{nodeAffinity: {{preferredDuringSchedulingIgnoredDuringExecution: [{{weight: 1, {term}}}]}}}}"
    )
    text, request, _ = made(server(CHAT, more=more))
    assert "cloud.google.com/gke-spot (preferred)" in text
    assert [step.kind for step in request.models[0].settings.capacity] == [CapacityKind.ON_DEMAND]
