# SPDX-License-Identifier: Apache-2.0
"""How fast weights are loaded by each method: types and reader of catalog/load_rates.yaml.

Owns the rates and their sources. Does not own the choice of method (`hubstack.planner.serving.choose_loading`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hubstack.catalog.row import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRate:
    """The rate of one loading method."""

    id: str
    bytes_per_second: int
    """Rate on one node."""
    source: str | None
    """None if not measured but our own estimate."""
    note: str
    """What was measured, or how it was estimated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRates:
    """All rates, and facts about Hyperdisk ML."""

    rates: Mapping[str, LoadRate]
    slow_bytes_per_second: int
    """Slowest rate that a startup window allows for."""
    disk_throughput_mib: int
    """Provisioned throughput of a Hyperdisk ML volume, MiB/s."""
    disk_source: str
    disk_machines: Mapping[str, str]
    """Prefix of a machine type to the source that says it can attach Hyperdisk ML."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Return the IDs of all sources."""
        named = (*(rate.source for rate in self.rates.values()), *self.disk_machines.values(), self.disk_source)
        return tuple(sorted({name for name in named if name}))

    def attaches_disk(self, machine_type: str) -> bool:
        """Return whether a source says that the machine type can attach Hyperdisk ML."""
        return machine_type.startswith(tuple(self.disk_machines))


def read_load_rates(file: Row) -> LoadRates:
    """Read the rates of catalog/load_rates.yaml."""
    disk = file.row("hyperdisk_ml")
    machines: dict[str, str] = {}
    for row in disk.rows("attaches"):
        machines |= dict.fromkeys(row.texts("machines"), row.text("source"))
        row.done()
    rates: dict[str, LoadRate] = {}
    for row in file.rows("load_rates"):
        rate = row.fill(LoadRate, bytes_per_second=round(row.number("mb_per_s") * 1e6))
        rates[rate.id] = rate
        row.done()
    found = LoadRates(
        rates=rates,
        slow_bytes_per_second=round(file.number("slow_mb_per_s") * 1e6),
        disk_throughput_mib=disk.integer("throughput_mib_per_s"),
        disk_source=disk.text("source"),
        disk_machines=machines,
    )
    disk.done()
    return found
