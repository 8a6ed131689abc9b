# SPDX-License-Identifier: Apache-2.0
"""Reads platforms.yaml. Owns the format of that file; the types are in `hubstack.catalog.platforms`."""

from collections.abc import Iterator

from hubstack.catalog.platforms import CloudRun, CloudRunGpu, GpuDriver, InstanceShape, Termination, Vertex
from hubstack.catalog.row import Row


def read_cloud_run(file: Row) -> CloudRun:
    """Return Cloud Run's GPUs and limits."""
    row = file.row("cloud_run")
    memory, probe = row.row("memory"), row.row("startup_probe")
    gpus: dict[str, CloudRunGpu] = {}
    for gpu in _gpus(row):
        if gpu.accelerator and gpu.accelerator in gpus:
            row.refuse(f"duplicate accelerator `{gpu.accelerator}`")
        gpus[gpu.accelerator] = gpu
    read = CloudRun(
        gpus=gpus,
        memory=tuple(_shapes(memory, "at_most")),
        probe_period_seconds=probe.integer("period_seconds"),
        probe_window_seconds=probe.integer("window_seconds"),
        sources=(memory.text("source"), probe.text("period_source"), probe.text("window_source")),
    )
    for each in (memory, probe, row):
        each.done()
    return read


def _gpus(file: Row) -> Iterator[CloudRunGpu]:
    for row in file.rows("gpus"):
        named = (row.maybe_text(key) for key in ("source", "shapes_source", "quota_source"))
        yield row.fill(
            CloudRunGpu,
            regions=tuple(sorted(row.texts("regions"))),
            is_preview=row.flag("preview"),
            shapes=tuple(_shapes(row, "shapes")),
            sources=tuple(dict.fromkeys(name for name in named if name)),
        )
        row.done()


def _shapes(file: Row, key: str) -> Iterator[InstanceShape]:
    for row in file.rows(key):
        yield row.fill(InstanceShape)
        row.done()


def read_vertex(file: Row) -> Vertex:
    """Return Vertex AI's names of accelerators."""
    row = file.row("vertex")
    read = Vertex(accelerators=row.texts_by_key("accelerators"), sources=(row.text("source"),))
    row.done()
    return read


def read_termination(file: Row) -> Termination:
    """Return how much time a server has to shut down."""
    row = file.row("termination")
    spot, cloud_run = row.row("spot"), row.row("cloud_run")
    read = Termination(
        pre_stop_seconds=row.integer("pre_stop_seconds"),
        exit_seconds=row.integer("exit_seconds"),
        spot_total_seconds=spot.integer("total_seconds"),
        spot_pre_stop_seconds=spot.integer("pre_stop_seconds"),
        total_seconds={"cloud-run": cloud_run.integer("total_seconds")},
        sources=(row.text("source"),),
    )
    for each in (spot, cloud_run, row):
        each.done()
    return read


def read_gpu_driver(file: Row) -> GpuDriver:
    """Return where the platforms mount NVIDIA's driver."""
    row = file.row("gpu_driver")
    read = GpuDriver(env=row.texts_by_key("env"), sources=(row.text("source"),))
    row.done()
    return read
