# SPDX-License-Identifier: Apache-2.0
"""How fast weights are read, by method: the types of catalog/load_rates.yaml and their reading.

Owns the rates and where they come from. Does not own which method is taken
(`hubstack.planner.serving.choose_loading`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hubstack.catalog.row import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRate:
    """The rate of one way to read weights."""

    id: str
    bytes_per_second: int
    """On one node."""
    source: str | None
    """None: not measured, our allowance."""
    note: str
    """What was measured, or how the allowance was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRates:
    """Every rate, and what Hyperdisk ML needs."""

    rates: Mapping[str, LoadRate]
    slow_bytes_per_second: int
    """What a startup window allows for at least."""
    disk_throughput_mib: int
    """MiB/s that a Hyperdisk ML volume is made with."""
    disk_source: str
    disk_machines: Mapping[str, str]
    """Beginning of a machine type's name to the source that says it can attach Hyperdisk ML."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Ids of every source named."""
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
        rate = LoadRate(
            id=row.text("id"), bytes_per_second=round(row.number("mb_per_s") * 1e6),
            source=row.maybe_text("source"), note=row.text("note"),
        )  # fmt: skip
        rates[rate.id] = rate
        row.done()
    found = LoadRates(
        rates=rates, slow_bytes_per_second=round(file.number("slow_mb_per_s") * 1e6),
        disk_throughput_mib=disk.integer("throughput_mib_per_s"), disk_source=disk.text("source"),
        disk_machines=machines,
    )  # fmt: skip
    disk.done()
    return found
