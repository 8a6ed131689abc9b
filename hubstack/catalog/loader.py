# SPDX-License-Identifier: Apache-2.0
"""Reads the catalogue files into a Catalog, once per process.

Owns the format of the files and what is derived while reading (allocatable resources, prices of TPU machines,
dates). Rejects rows that name an unknown source, accelerator or machine type. Does not own rules about the figures
themselves (`hubstack.catalog.integrity`).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from math import inf
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml

from hubstack.catalog.catalog import Catalog
from hubstack.catalog.engine_metrics import read_engine_metrics
from hubstack.catalog.engine_rows import read_engines
from hubstack.catalog.engines import Engine, EngineVersions
from hubstack.catalog.expert_kernels import read_expert_kernels
from hubstack.catalog.gateway_images import read_gateway_images
from hubstack.catalog.hardware import Accelerator, MachineType, TpuTopology, ZoneList
from hubstack.catalog.load_rates import read_load_rates
from hubstack.catalog.node_overhead import GIB, NodeOverhead, Tier
from hubstack.catalog.platform_rows import read_cloud_run, read_gpu_driver, read_termination, read_vertex
from hubstack.catalog.price_rows import read_prices
from hubstack.catalog.releases import Releases
from hubstack.catalog.row import CatalogError, Fault, Faults, Row, is_unknown
from hubstack.catalog.row_places import placed
from hubstack.catalog.sources import Source

K = TypeVar("K", bound=str)
T = TypeVar("T")

FILES = (
    "accelerators",
    "engine_metrics",
    "engines",
    "expert_kernels",
    "gateway_images",
    "load_rates",
    "machine_types",
    "node_overhead",
    "platforms",
    "prices",
    "sources",
    "tpu_topologies",
    "zones",
)


FOLDER = Path(__file__).parent


@cache
def load_catalog() -> Catalog:
    """Return the catalogue that ships with this package."""
    return read_catalog(FOLDER)


def read_catalog(directory: Path) -> Catalog:
    """Read the catalogue files of a folder.

    Raises:
        CatalogError: files cannot be read, or rows are invalid; lists every problem.
    """
    faults: Faults = {}
    catalog = _read(directory, faults)
    if faults:
        raise _located(directory, faults)
    return catalog


def _located(directory: Path, faults: Faults) -> CatalogError:
    releases = sorted(f"releases/{path.stem}" for path in (directory / "releases").glob("*.yaml"))
    return CatalogError(placed(directory, faults, [*FILES, *releases]))


def _read(directory: Path, faults: Faults) -> Catalog:
    files = {name: _open(directory, name, faults) for name in FILES}
    releases = Releases(lambda name: _open(directory, f"releases/{name}", faults))
    sources = _by(lambda row: row.id, _read_sources(files["sources"]), faults)
    overhead = _read_overhead(files["node_overhead"].row("node_overhead"))
    machine_types = _by(lambda row: row.name, _read_machine_types(files["machine_types"], overhead), faults)
    driver = read_gpu_driver(files["platforms"])
    tables = read_prices(files["prices"], sources, machine_types)
    rows = list(read_engines(files["engines"], releases, driver))
    engines = _by(lambda row: row.id, (engine for engine, _ in rows), faults)

    def at(read: Callable[[], Engine]) -> Engine:
        """Read an engine at one of its other versions, after the catalogue was read without faults."""
        engine = read()
        _check_known(_named_by([engine]), catalog, faults)
        if faults:
            raise _located(directory, faults)
        return engine

    catalog = Catalog(
        sources=sources,
        accelerators=_by(lambda row: row.id, _read_accelerators(files["accelerators"]), faults),
        machine_types=machine_types,
        tpu_topologies=tuple(_read_topologies(files["tpu_topologies"])),
        zone_lists=_by(lambda row: row.accelerator, _read_zones(files["zones"]), faults),
        regions_offered=_read_regions(files["zones"]),
        prices=tables.machines,
        storage_prices=tables.storage,
        hour_prices=tables.hourly,
        network_prices=tables.network,
        cloud_run_prices=tables.cloud_run,
        cloud_run=read_cloud_run(files["platforms"]),
        vertex=read_vertex(files["platforms"]),
        gpu_driver=driver,
        termination=read_termination(files["platforms"]),
        fee=tables.fee,
        engines=engines,
        engine_versions={
            engine.id: EngineVersions({version: partial(at, read) for version, read in others.items()})
            for engine, others in rows
        },
        engine_metrics=_by(lambda row: row.engine, read_engine_metrics(files["engine_metrics"]), faults),
        expert_kernels=tuple(read_expert_kernels(files["expert_kernels"])),
        node_overhead=overhead,
        load_rates=read_load_rates(files["load_rates"]),
        gateway_images=read_gateway_images(files["gateway_images"]),
    )
    for file in files.values():
        file.done()
    _check_references(catalog, faults)
    return catalog


class _Loader(yaml.CSafeLoader):
    """A loader that rejects duplicate keys, and numbers with a leading zero, which YAML reads as octal."""

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        if re.match(r"[-+]?0[0-9_]", node.value):
            raise yaml.constructor.ConstructorError(problem="found an octal number")
        return super().construct_yaml_int(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        found = super().construct_mapping(node, deep)
        if len(found) != len(node.value):
            raise yaml.constructor.ConstructorError(problem="found a duplicate key")
        return found


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


def _open(directory: Path, name: str, faults: Faults) -> Row:
    path = directory / f"{name}.yaml"
    shown_name = f"{name}.yaml"
    try:
        # The pure Python loader is seven times slower; all PyYAML wheels include libyaml.
        data: object = yaml.load(path.read_bytes(), Loader=_Loader)  # noqa: S506  a CSafeLoader
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        faults[Fault(message=f"cannot be read: {error}", file=shown_name)] = None
        return Row(shown_name, None, None)
    return Row(shown_name, data, faults)


def _by(key: Callable[[T], K], rows: Iterator[T], faults: Faults) -> dict[K, T]:
    found: dict[K, T] = {}
    for row in rows:
        name = key(row)
        if name and name in found:
            faults[Fault(message=f"duplicate name `{name}` in the catalogue", word=name)] = None
            name = cast("K", "")  # One of the two has the wrong name, and there is no way to tell which.
        found[name] = row
    return found


def _read_sources(file: Row) -> Iterator[Source]:
    for name, row in file.row("sources").items():
        yield row.fill(Source, id=name)
        row.done()


def _read_accelerators(file: Row) -> Iterator[Accelerator]:
    for row in file.rows("accelerators"):
        native = row.row("native")
        sources = (*row.texts("sources"), row.text("gke_label_source"))
        yield row.fill(
            Accelerator,
            memory_bytes_visible=int(row.number("memory_gib_visible") * GIB),
            devices_per_chip=row.maybe_integer("devices_per_chip") or 1,
            bandwidth_gbps=row.number("memory_bandwidth_gb_per_s"),
            bf16_native=native.flag("bf16"),
            fp8_native=native.flag("fp8"),
            fp4_native=native.flag("fp4"),
            interconnect_gbps=row.maybe_number("interconnect_gb_per_s"),
            sources=tuple(dict.fromkeys(sources)),
        )
        native.done()
        row.done()


def _read_machine_types(file: Row, overhead: NodeOverhead) -> Iterator[MachineType]:
    for group in file.rows("machine_types"):
        shared = {key: group.maybe_flag(key) for key in ("on_demand", "spot", "flex_start")}
        for row in group.rows("shapes"):
            name, vcpu, ram_gb = row.text("name"), row.integer("vcpu"), row.number("ram_gb")
            yield row.fill(
                MachineType,
                gce_machine_type=row.maybe_text("gce") or name,
                accelerator=group.text("accelerator"),
                accelerator_count=row.integer("count"),
                accelerator_fraction=row.maybe_number("fraction"),
                allocatable_cpu_millicores=overhead.usable_cpu_millicores(vcpu),
                allocatable_memory_bytes=overhead.usable_memory_bytes(ram_gb),
                local_ssd_bundled_gib=row.integer("local_ssd_bundled_gib", may_be_zero=True),
                reservation=group.maybe_flag("reservation") is not False,
                min_gke_version=group.maybe_text("min_gke_version"),
                boot_disk_type=group.maybe_text("boot_disk_type"),
                unverified=frozenset(group.texts("unverified")),
                sources=group.texts("sources"),
                **shared,
            )
            row.done()
        group.done()


def _read_topologies(file: Row) -> Iterator[TpuTopology]:
    for group in file.rows("tpu_topologies"):
        for row in group.rows("slices"):
            yield row.fill(TpuTopology, accelerator=group.text("accelerator"), source=group.text("source"))
            row.done()
        group.done()


def _read_zones(file: Row) -> Iterator[ZoneList]:
    for row in file.rows("zones"):
        named = (row.maybe_text(key) for key in ("source", "documented_source", "flex_start_source"))
        yield row.fill(
            ZoneList,
            is_unverified=row.flag("unverified"),
            sources=tuple(dict.fromkeys(name for name in named if name)),
        )
        row.done()


def _read_regions(file: Row) -> Mapping[str, tuple[str, ...]]:
    offered: dict[str, tuple[str, ...]] = {}
    for row in file.rows("regions"):
        row.text("source")
        regions = tuple(sorted(row.texts("regions")))
        offered |= dict.fromkeys(row.texts("machine_types"), regions)
        row.done()
    return offered


def _read_overhead(row: Row) -> NodeOverhead:
    kernel, daemonsets = row.row("kernel"), row.row("daemonsets")
    return NodeOverhead(
        cpu_tiers=_tiers(row, "cpu_reserved", "up_to_cores"),
        memory_tiers=_tiers(row, "memory_reserved", "up_to_gib"),
        eviction_threshold_mib=row.integer("eviction_threshold_mib"),
        kernel_share=kernel.number("share"),
        kernel_fixed_mib=kernel.integer("fixed_mib"),
        kernel_extra_share=kernel.number("extra_share"),
        kernel_extra_max_mib=kernel.number("extra_max_mib"),
        daemonset_cpu_millicores=daemonsets.integer("cpu_millicores"),
        daemonset_memory_gib=daemonsets.number("memory_gib"),
        sources=row.texts("sources"),
    )


def _tiers(row: Row, key: str, upper: str) -> tuple[Tier, ...]:
    return tuple(Tier(up_to=tier.maybe_number(upper) or inf, share=tier.number("share")) for tier in row.rows(key))


@dataclass(frozen=True)
class _Named:
    """What rows refer to in other files."""

    sources: frozenset[str]
    accelerators: frozenset[str]
    machine_types: frozenset[str] = frozenset()


def _named_by(engines: Iterable[Engine]) -> _Named:
    sources, accelerators = set[str](), set[str]()
    for engine in engines:
        sources |= {*engine.sources, engine.image_facts.source}
        sources |= {engine.release.source} if engine.release else set()
        accelerators |= {name for image in engine.images for name in image.accelerators}
        accelerators |= {name for names in engine.architecture_accelerators.values() for name in names}
    return _Named(frozenset(sources), frozenset(accelerators))


def _check_references(catalog: Catalog, faults: Faults) -> None:
    rows = [
        *catalog.accelerators.values(),
        *catalog.machine_types.values(),
        *catalog.zone_lists.values(),
        *catalog.cloud_run.gpus.values(),
        catalog.cloud_run,
        catalog.vertex,
        catalog.gpu_driver,
        catalog.termination,
        *catalog.engine_metrics.values(),
    ]
    engines = _named_by(catalog.engines.values())
    sources = {name for row in rows for name in row.sources} | engines.sources
    sources |= {row.source for row in catalog.tpu_topologies} | set(catalog.node_overhead.sources)
    sources |= set(catalog.load_rates.sources) | {row.source for row in catalog.expert_kernels}
    sources |= {row.memory_visible_source for row in catalog.accelerators.values()}
    sources |= {image.source for image in catalog.gateway_images.values()}
    accelerators = {row.accelerator for row in catalog.machine_types.values()} | engines.accelerators
    accelerators |= {row.accelerator for row in catalog.tpu_topologies} | set(catalog.zone_lists)
    accelerators |= {*catalog.cloud_run.gpus, *catalog.vertex.accelerators}
    machine_types = {row.machine_type for row in catalog.tpu_topologies} | set(catalog.regions_offered)
    named = _Named(frozenset(sources), frozenset(accelerators), frozenset(machine_types))
    _check_known(named, catalog, faults)


def _check_known(named: _Named, catalog: Catalog, faults: Faults) -> None:
    for what, names, known in (
        ("a source", named.sources, catalog.sources),
        ("an accelerator", named.accelerators, catalog.accelerators),
        ("a machine type", named.machine_types, catalog.machine_types),
    ):
        for name in sorted(name for name in names if is_unknown(name, known)):
            message = f"the catalogue refers to {what} that it does not contain: {name}"
            faults[Fault(message=message, word=name)] = None
