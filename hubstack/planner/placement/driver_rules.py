# SPDX-License-Identifier: Apache-2.0
"""Checks of `hubstack:gpuDrivers` against the catalogue, and what an engine needs of a driver."""

from collections.abc import Iterable, Iterator

from hubstack.catalog import Catalog
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem, meant
from hubstack.inputs.settings import StackSettings
from hubstack.kinds import EVERY_OTHER, AcceleratorKind, GpuDriver
from hubstack.plan import ModelPlan, PoolPlan


def check_drivers(catalog: Catalog, target: StackSettings) -> None:
    """Reject drivers of accelerators that the catalogue does not have, or that have no NVIDIA driver.

    Raises:
        InputError: a problem for each, at its setting.
    """
    gpus = [row.id for row in catalog.accelerators.values() if row.kind is AcceleratorKind.GPU]
    problems: list[Problem] = []
    for word in target.gpu_drivers:
        if word not in {*gpus, EVERY_OTHER}:
            near = catalog.accelerators_meant(word, AcceleratorKind.GPU)
            hint = meant(near) if near else f"GPUs: {', '.join(gpus)}, or `{EVERY_OTHER}` for all"
            message = f"`hubstack:gpuDrivers` names `{word}`, which is not a GPU in the catalogue"
            problems.append(target.problem(f"hubstack:gpuDrivers.{word}", message, hint))
    if problems:
        raise InputError(problems)


def driver_warnings(models: Iterable[ModelPlan], pools: Iterable[PoolPlan], catalog: Catalog) -> Iterator[str]:
    """Yield a warning for each model on nodes whose driver may be missing or too old for its engine."""
    by_key = {model.key: model for model in models}
    for pool in pools:
        for key in pool.models if pool.gpu_driver else ():
            needed = catalog.engine_at(by_key[key].server.engine, by_key[key].server.version).min_driver
            if pool.gpu_driver is GpuDriver.DISABLED:
                least = f", version {needed} or later" if needed else ""
                yield f"{key}: GKE installs no driver on {pool.machine_type}: install one yourself{least}"
            elif needed:
                default = f"GKE's default on {pool.machine_type} depends on the node's version and may be older"
                yield f"{key}: its image needs NVIDIA's driver {needed} or later; {default}"
