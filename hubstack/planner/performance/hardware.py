# SPDX-License-Identifier: Apache-2.0
"""An accelerator as the predictor sees it: bytes and operations a second of one rank, and the link between ranks.

Owns the reading of a catalogue row as a generation and a link. Does not own the figures (`hubstack.catalog`), nor
how much of them an engine reaches (`hubstack.planner.performance.constants`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hubstack.catalog import Accelerator
from hubstack.kinds import AcceleratorKind
from hubstack.planner.performance.work import NumberFormat

TPU = "tpu"
_CAPABILITIES = (
    (12.0, "blackwell-rtx"),
    (10.0, "blackwell"),
    (9.0, "hopper"),
    (8.9, "ada"),
    (8.0, "ampere"),
    (7.5, "turing"),
    (7.0, "volta"),
    (0.0, "pascal"),
)
_PCIE_BYTES = {"blackwell-rtx": 32e9, "blackwell": 32e9, "hopper": 32e9, "ada": 16e9, "ampere": 16e9}
"""One way: half of PCIe 5.0 and 4.0 x16, since ranks without a link of their own pass through the host."""
_OLD_PCIE_BYTES = 8e9
_ICI_BYTES = 200e9
"""One way, of the torus links that one all-reduce can use at once; no source gives it, the efficiency is fitted."""
_NARROWER = {NumberFormat.INT4: NumberFormat.BF16}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """One rank's accelerator: a card, or one of the devices of a TPU chip."""

    generation: str
    bytes_per_s: float
    operations_per_s: Mapping[str, float]
    """Number format to dense multiply-adds a second, counted as two."""
    link: str
    """`nvlink`, `pcie` or `ici`."""
    link_bytes_per_s: float
    """In one direction."""

    def operations(self, wanted: NumberFormat) -> tuple[float, str]:
        """Return operations a second for weights in a format, and the format that is multiplied in.

        What the card cannot multiply is widened to 16 bits first.
        """
        name = _NARROWER.get(wanted, wanted).value
        if name in self.operations_per_s:
            return self.operations_per_s[name], name
        wide = self.operations_per_s.get("bf16") or self.operations_per_s.get("fp16")
        return wide or max(self.operations_per_s.values()), NumberFormat.BF16.value


def generation_of(kind: AcceleratorKind, compute_capability: float | None) -> str:
    """Return the generation whose constants apply."""
    if kind is AcceleratorKind.TPU:
        return TPU
    return next(name for least, name in _CAPABILITIES if (compute_capability or 0.0) >= least)


def read_hardware(accelerator: Accelerator) -> Hardware:
    """Return the peak figures of one rank of an accelerator."""
    generation = generation_of(accelerator.kind, accelerator.compute_capability)
    devices = accelerator.devices_per_chip
    link, link_bytes = "pcie", _PCIE_BYTES.get(generation, _OLD_PCIE_BYTES)
    if accelerator.kind is AcceleratorKind.TPU:
        link, link_bytes = "ici", _ICI_BYTES
    elif accelerator.interconnect_gbps:  # the catalogue counts both ways
        link, link_bytes = "nvlink", accelerator.interconnect_gbps * 1e9 / 2
    return Hardware(
        generation=generation,
        bytes_per_s=accelerator.bandwidth_gbps * 1e9 / devices,
        operations_per_s={name: tera * 1e12 / devices for name, tera in accelerator.tflops_dense.items()},
        link=link,
        link_bytes_per_s=link_bytes,
    )
