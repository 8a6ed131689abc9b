# SPDX-License-Identifier: Apache-2.0
"""The committed catalogue is sound, and a planted fault is seen. Proves nothing about today's prices."""

import re
import shutil
from pathlib import Path

import pytest

import hubstack.catalog
from hubstack.catalog import CatalogError, find_defects, load_catalog, read_catalog
from hubstack.catalog.loader import FILES

DATA = Path(hubstack.catalog.__file__).parent
# Words whose value may be 0 as a fact: no bundled disk, and the root group.
ZERO_IS_A_FACT = re.compile(r"(local_ssd_bundled_gib|group): 0\b")


@pytest.fixture
def copy(tmp_path):
    for file in DATA.rglob("*.yaml"):
        target = tmp_path / file.relative_to(DATA)
        target.parent.mkdir(exist_ok=True)
        shutil.copy(file, target)
    return tmp_path


def plant(directory, file, old, new):
    path = directory / file
    text = path.read_text()
    assert old in text, f"{old!r} is no longer in {file}: the planted fault would prove nothing"
    path.write_text(text.replace(old, new, 1))


def test_the_committed_catalogue_has_no_defect():
    assert find_defects(load_catalog()) == ()


def test_a_copy_without_a_planted_fault_is_the_catalogue_itself(copy):
    assert read_catalog(copy) == load_catalog()


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        (
            "prices.yaml",
            "on_demand: 88.49, spot: 53.09362",
            "on_demand: 88.49, spot: 88.5",
            "spot 88.5 is not below",
        ),
        (
            "platforms.yaml",
            "by_invitation: [asia-south1]",
            "by_invitation: [asia-south9]",
            "asia-south9 has a condition but is not among its regions",
        ),
        (
            "platforms.yaml",
            "{vcpu: 6, memory_gib: 24}, {vcpu: 8",
            "{vcpu: 6, memory_gib: 24}, {vcpu: 5",
            "5 CPUs must come before 6 CPUs",
        ),
        (
            "prices.yaml",
            "item: nvidia-l4, redundancy: none",
            "item: nvidia-l5, redundancy: none",
            "`nvidia-l5`, which is not the name",
        ),
        (
            "prices.yaml",
            "redundancy: zonal, usd_per_second: 0.0002909",
            "redundancy: zonal, usd_per_second: 0.0001",
            "costs no more with zonal redundancy",
        ),
        ("prices.yaml", "cud_1y: 61.38367", "cud_1y: 37.0", "cud_3y 38.86438 is not below cud_1y 37.0"),
        ("prices.yaml", "on_demand: 88.49,", "on_demand: 98.49,", "a3-highgpu-8g costs"),
        ("prices.yaml", "us-east5: {on_demand: 2.7", "us-east9: {on_demand: 2.7", "which does not offer it"),
        (
            "machine_types.yaml",
            "count: 2, vcpu: 24",
            "count: 3, vcpu: 24",
            "g2-standard-24: 48 GB of accelerator",
        ),
        (
            "machine_types.yaml",
            "vcpu: 24, ram_gb: 90",
            "vcpu: 24, ram_gb: 1",
            "g4-standard-24: no CPU or memory is left",
        ),
        (
            "tpu_topologies.yaml",
            "chips: 8, chips_per_node: 4, nodes: 2",
            "chips: 8, chips_per_node: 4, nodes: 3",
            "8 chips",
        ),
        (
            "tpu_topologies.yaml",
            "topology: 8x16,",
            "topology: 8x8,",
            "v5e 8x8 of ct5lp-hightpu-4t: 128 chips",
        ),
        (
            "accelerators.yaml",
            "memory_gib_visible: 22.03",
            "memory_gib_visible: 2.03",
            "l4: 2.2 GB visible of 24 GB",
        ),
        (
            "accelerators.yaml",
            "gke_label: nvidia-l4",
            "gke_label: nvidia-b200",
            "`nvidia-b200` names two accelerators",
        ),
        ("zones.yaml", "northamerica-northeast2-a", "mars-west1-b", "mars-west1-b is not in a region"),
        ("sources.yaml", ", as_of: '2026-08-03'", "", "on_demand of g2-standard-4 in asia-east1 is undated"),
        (
            "engines.yaml",
            "min_compute_capability: 7.5",
            "min_compute_capability: 8.0",
            "vllm needs compute capability 8.0",
        ),
        (
            "releases/vllm-0.33.0.yaml",
            "AfmoeForCausalLM,",
            "AfmoeForCausalLM, GritLM,",
            "vllm lists GritLM both as supported and as removed",
        ),
    ],
)
def test_a_planted_contradiction_is_found(copy, file, old, new, complaint):
    plant(copy, file, old, new)
    assert any(complaint in defect for defect in find_defects(read_catalog(copy)))


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "prices.yaml",
            "spot: 53.09362",
            "spot: null",
            "`spot` is empty; omit what is not known",
        ),
        ("prices.yaml", "spot: 53.09362", "spot: 0", "`spot` must be above 0, not `0`"),
        ("prices.yaml", "spot: 53.09362", "spott: 53.09362", "unknown key `spott`"),
        ("prices.yaml", "spot: 53.09362", "spot: cheap", '`spot` must be a number, not `"cheap"`'),
        ("prices.yaml", "  a3-highgpu-8g:\n", "  a3-highgpu-9g:\n", "a3-highgpu-9g: this machine type is not in"),
        (
            "prices.yaml",
            "    karpenter-cyclenerd:\n      us",
            "    nobody:\n      us",
            "nobody: unknown basis",
        ),
        ("prices.yaml", "{source: karpenter-0803}", "{source: hearsay}", "`hearsay` is not in sources.yaml"),
        (
            "machine_types.yaml",
            "accelerator: l4",
            "accelerator: l5",
            "refers to an accelerator that it does not contain: l5",
        ),
        ("machine_types.yaml", "[gce-gpu-doc, ", "[hearsay, ", "a source that it does not contain: hearsay"),
        (
            "machine_types.yaml",
            "name: g2-standard-8",
            "name: g2-standard-4",
            "duplicate name `g2-standard-4` in the catalogue",
        ),
        ("engines.yaml", "  version: b11206\n", "", "set either `version` or `pin: none`"),
        ("accelerators.yaml", "- id: t4", "- idd: t4", "accelerators 1: `id` is missing"),
        ("zones.yaml", "\nzones:\n", "\nzones: [\n", "zones.yaml:6:1: is not YAML"),
    ],
)
def test_a_row_that_cannot_be_trusted_is_refused_with_its_place(copy, file, old, new, message):
    plant(copy, file, old, new)
    with pytest.raises(CatalogError) as refusal:
        read_catalog(copy)
    assert message in str(refusal.value)


def problems_of(folder):
    with pytest.raises(CatalogError) as refusal:
        read_catalog(folder)
    return refusal.value.problems


def test_all_that_is_wrong_with_the_files_is_told_at_once(copy):
    plant(copy, "accelerators.yaml", "memory_gib_visible: 14.74", "memory_gib_visibel: 14.74")
    plant(copy, "accelerators.yaml", "compute_capability: 7.5", "compute_capability: none")
    plant(copy, "prices.yaml", "spot: 53.09362", "spot: 0")
    plant(copy, "engine_metrics.yaml", "engines: [vllm, ", "engines: [vlm, vllm, ")
    plant(copy, "zones.yaml", "- accelerator: l4\n", "- accelerator: l5\n")
    told = [(problem.path.rpartition("/")[2], problem.message) for problem in problems_of(copy)]
    for file, words in (
        ("accelerators.yaml", "`memory_gib_visible` is missing"),
        ("accelerators.yaml", "unknown key `memory_gib_visibel`"),
        ("accelerators.yaml", "`compute_capability` must be a number"),
        ("prices.yaml", "`spot` must be above 0"),
        ("engine_metrics.yaml", "each of `engines` must be one of vllm, "),
        ("zones.yaml", "an accelerator that it does not contain: l5"),
    ):
        assert [name for name, message in told if words in message] == [file]
    assert len(told) == 6


@pytest.mark.parametrize("file", [f"{name}.yaml" for name in FILES])
def test_a_file_that_cannot_be_read_is_one_problem_and_has_no_echo_in_others(copy, file):
    (copy / file).write_text("a: [\n")
    assert [problem.path for problem in problems_of(copy)] == [f"{copy.name}/{file}"]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("accelerators.yaml", "- id: l4\n", "- id: 4\n"),
        ("machine_types.yaml", "name: g2-standard-4,", "name: [],"),
        ("machine_types.yaml", "- accelerator: v5e\n", "- accelerator: 5\n"),
        ("machine_types.yaml", "\nmachine_types:\n", "\nmachine_types: 1\nothers:\n"),
        ("sources.yaml", "\nsources:\n", "\nsources: 1\nothers:\n"),
        ("prices.yaml", "\nbases:\n", "\nbases: 1\nothers:\n"),
        ("engine_metrics.yaml", "type: histogram", "type: histo"),
        ("prices.yaml", "is_free: true", "is_free: 1"),
    ],
)
def test_what_names_a_row_that_cannot_be_read_is_not_told(copy, file, old, new):
    plant(copy, file, old, new)
    told = [problem for problem in problems_of(copy) if "`others`" not in problem.message]
    assert [problem.path for problem in told] == [f"{copy.name}/{file}"]


def test_a_machine_type_with_the_name_of_another_is_told_and_not_what_follows_from_it(copy):
    plant(copy, "machine_types.yaml", "name: ct5lp-hightpu-4t,", "name: ct5lp-hightpu-1t,")
    assert {problem.message for problem in problems_of(copy)} == {
        "duplicate name `ct5lp-hightpu-1t` in the catalogue"
    }


def test_an_accelerator_none_of_whose_machine_types_could_be_named_is_not_called_unused(copy):
    for name in ("ct6e-standard-1t", "ct6e-standard-4t", "ct6e-standard-8t", "tpu7x-standard-4t"):
        plant(copy, "machine_types.yaml", f"name: {name},", "name: 1,")
    assert {problem.message.partition(": `name`")[1] for problem in problems_of(copy)} == {": `name`"}


def test_a_missing_file_is_refused_by_name(copy):
    (copy / "prices.yaml").unlink()
    with pytest.raises(CatalogError, match=r"prices\.yaml: cannot be read"):
        read_catalog(copy)


@pytest.mark.parametrize("file", sorted(DATA.glob("*.yaml")), ids=lambda path: path.name)
def test_no_file_writes_null_or_zero_for_what_is_unknown(file):
    for line in file.read_text().splitlines():
        figures = ZERO_IS_A_FACT.sub("", line.partition("#")[0])
        assert not re.search(r":\s*(null|~|0(\.0+)?)\s*([,}]|$)", figures), f"{file.name}: {line.strip()}"


def test_every_source_in_the_list_is_used_or_says_where_it_was():
    catalog = load_catalog()
    text = "".join(path.read_text() for path in DATA.rglob("*.yaml") if path.name != "sources.yaml")
    unused = [name for name in catalog.sources if not re.search(rf"\b{re.escape(name)}\b", text)]
    assert unused == []
