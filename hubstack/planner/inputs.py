# SPDX-License-Identifier: Apache-2.0
"""All inputs of a plan, read once: list and settings, lock, prices, placement file and measurements.

Owns which files those are. Does not own their formats.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hubstack.catalog import Catalog, load_catalog
from hubstack.files.errors import InputError
from hubstack.files.problems import shown
from hubstack.hub.facts import ModelFacts
from hubstack.hub.lock import Lock, load_lock, lock_path
from hubstack.inputs.cluster_facts import load_cluster_facts
from hubstack.inputs.environment import Environment
from hubstack.inputs.measured import Measurement, load_measured, measured_path
from hubstack.inputs.models import Request
from hubstack.inputs.own_prices import NAME as OWN_PRICES
from hubstack.inputs.own_prices import load_own_prices
from hubstack.inputs.refreshed import (
    RefreshedPrices,
    RefreshedQuota,
    load_prices,
    load_quota,
    prices_name,
    quota_name,
)
from hubstack.inputs.settings import USD, StackSettings
from hubstack.inputs.stack import Stack
from hubstack.planner.own_prices import exchange_rate, own_catalog
from hubstack.planner.placement.placement_file import Placement, load_placement, placement_path


@dataclass(frozen=True, slots=True, kw_only=True)
class StackInputs:
    """The input files of one stack."""

    request: Request
    """The list of models."""
    target: StackSettings
    """The stack's settings."""
    lock: Lock
    catalog: Catalog
    """The catalogue, with the prices of the user's own."""
    refreshed: RefreshedPrices | None
    """What `hubstack refresh` last read of prices."""
    quota: RefreshedQuota | None
    """What it last read of quotas, reservations and zones."""
    prices_name: str
    quota_name: str
    """The files of both, as named in messages."""
    placement: Placement
    placement_path: Path
    placement_name: str
    """The same file, as named in messages."""
    measured: tuple[Measurement, ...]
    """Measurements of any of its models."""
    measured_path: Path
    measured_name: str
    """The same file, as named in messages."""

    @classmethod
    def load(cls, environment: Environment) -> "StackInputs":
        """Read the files of a stack.

        Raises:
            InputError: every problem of the first file that has any.
        """
        return cls.of(Stack.load(environment))

    @classmethod
    def of(cls, stack: Stack, lock: Lock | None = None) -> "StackInputs":
        """Read the remaining files of a stack.

        Args:
            stack: the stack's settings and list.
            lock: its lock, if already read.

        Raises:
            InputError: every problem of the first file that has any.
        """
        target, request = _with_facts(stack), stack.request
        name = Path(target.models_path)
        folder = stack.project_dir / name.parent
        shipped = load_catalog()
        shown_prices, shown_quota = (str(name.parent / f(stack.name)) for f in (prices_name, quota_name))
        refreshed = load_prices(folder / prices_name(stack.name), shown_prices)
        own = load_own_prices(folder / OWN_PRICES, str(name.parent / OWN_PRICES), shipped)
        if target.currency != USD:
            rate = exchange_rate(target.currency, own, refreshed)
            if rate is None:
                message = f"`hubstack:currency` is {target.currency}, and no file gives its exchange rate"
                hint = (
                    f"run `hubstack refresh`, or set `currency:` and `exchange_rate:` in {name.parent / OWN_PRICES}"
                )
                raise InputError([target.problem("hubstack:currency", message, hint)])
            target = target.changed(exchange_rate=rate)
        path = placement_path(stack.project_dir / name, stack.name)
        shown = str(placement_path(name, stack.name))
        measurements = measured_path(stack.project_dir / name, stack.name)
        shown_measurements = str(measured_path(name, stack.name))
        return cls(
            request=request,
            target=target,
            lock=lock or stack_lock(stack),
            catalog=own_catalog(shipped, own, refreshed),
            refreshed=refreshed,
            quota=load_quota(folder / quota_name(stack.name), shown_quota),
            prices_name=shown_prices,
            quota_name=shown_quota,
            placement=load_placement(path, shown),
            placement_path=path,
            placement_name=shown,
            measured=load_measured(measurements, shown_measurements),
            measured_path=measurements,
            measured_name=shown_measurements,
        )

    @property
    def facts(self) -> Mapping[str, ModelFacts]:
        """Locked facts by model key; models that are not locked are absent."""
        return locked_facts(self.request, self.lock)

    @property
    def companions(self) -> Mapping[tuple[str, str], ModelFacts]:
        """Locked facts of the adapters and draft models by repository ID and commit."""
        found = (self.lock.get(*pair) for model in self.request.models for pair in model.repositories[1:])
        return {(facts.id, facts.commit): facts for facts in found if facts is not None}


def _with_facts(stack: Stack) -> StackSettings:
    """Return a stack's settings with what its file says of an existing cluster.

    Raises:
        InputError: the file is no description of that cluster.
    """
    target = stack.settings
    asked = target.cluster_settings
    if asked is None or asked.facts is None:
        return target
    facts = load_cluster_facts(stack.project_dir / asked.facts, asked.facts)
    for key, said, wanted in (
        ("name", facts.name, asked.name),
        ("location", facts.location, asked.location or target.region),
        ("autopilot", facts.is_autopilot, facts.is_autopilot if asked.autopilot is None else asked.autopilot),
    ):
        if said != wanted:
            message = f"`hubstack:cluster.{key}` is {shown(wanted)}, but {asked.facts} says {shown(said)}"
            hint = "name the file of this cluster, or correct the setting"
            raise InputError([target.problem(f"hubstack:cluster.{key}", message, hint)])
    if not (asked.control_plane or facts.control_plane):
        message = (
            f"`hubstack:cluster.control_plane` is missing, and {asked.facts} has no address of the control plane"
        )
        hint = "add the range of its addresses, which network policies name"
        raise InputError([target.problem("hubstack:cluster.control_plane", message, hint)])
    return target.changed(cluster_facts=facts)


def locked_facts(request: Request, lock: Lock) -> dict[str, ModelFacts]:
    """Return the locked facts of each model by key; models that are not locked are absent.

    The licence of own weights may be stated in the list: no card on the Hub has it.
    """
    found = ((model, lock.get(model.id, model.revision)) for model in request.models)
    return {
        model.key: replace(facts, license=model.settings.license, license_name=None)
        if model.settings.license
        else facts
        for model, facts in found
        if facts is not None
    }


def stack_lock(stack: Stack) -> Lock:
    """Read the lock beside a stack's list.

    Raises:
        LockError: all problems of the file, or the file does not exist.
    """
    path = Path(stack.models_path)
    return load_lock(lock_path(stack.project_dir / path), str(lock_path(path)))
