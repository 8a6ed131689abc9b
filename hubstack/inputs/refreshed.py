# SPDX-License-Identifier: Apache-2.0
"""What `hubstack refresh` read of Google: `<stack>.prices.yaml` and `<stack>.quota.yaml`, beside the model list.

Owns both formats, reading and writing. Commit them: plans, checks and diffs use the last ones, offline. Does not
own the reading from Google (`hubstack.review.refresh`) or which figures a plan uses
(`hubstack.planner.own_prices`).
"""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from hubstack.files.documents import Document, parse_document, read_text
from hubstack.files.errors import InputError
from hubstack.files.jsonable import plain
from hubstack.files.schema_errors import schema_problems
from hubstack.files.write import write_text_atomically
from hubstack.inputs.setting_types import check_currency

M = TypeVar("M", bound=BaseModel)

FORMAT = 1
OLD_DAYS = 30
"""Age from which prices and quotas are called old: Google changes spot prices up to once a day."""
_AGAIN = "restore the file from git, or run `hubstack refresh`"
_PRICES_HEAD = """# List prices, read from Google by `hubstack refresh`; commit this file (docs/guides/prices.md).
# items: machine type or item, region, how it is bought: SKUs, and units of each per hour (disks: per GB and month).
"""
_QUOTA_HEAD = """# Quotas, reservations and zones, read from Google by `hubstack refresh`; commit this file
# (docs/guides/prices.md).
"""

Usd = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=10**12)]
Quantities = Mapping[str, Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Sku(_Model):
    """A SKU of Google's catalogue."""

    what: Annotated[str, Field(max_length=300)]
    """Google's description."""
    unit: str
    """`h`, `GiBy.h` or `GiBy.mo`."""
    usd: Usd
    """Per unit, at list price."""


class Exchange(_Model):
    """The rate at which Google bills in another currency."""

    currency: Annotated[str, AfterValidator(check_currency)]
    per_usd: Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
    as_of: dt.date


class RefreshedPrices(_Model):
    """List prices, composed of SKUs."""

    format: int = Field(ge=FORMAT, le=FORMAT)
    as_of: dt.date
    exchange: Exchange | None = None
    skus: Mapping[str, Sku]
    items: Mapping[str, Mapping[str, Mapping[str, Quantities]]]
    """Machine type (or `pd-balanced`, `nat-gateway`) to region to `on-demand` or `spot` to quantity by SKU."""


class ReservationRow(_Model):
    """A reservation of the project."""

    zone: str
    machine_type: str
    count: Count
    in_use: Count


class RegionQuota(_Model):
    """Granted accelerators of one kind in one region."""

    on_demand: Count | None = Field(None, validation_alias="on-demand", serialization_alias="on-demand")
    spot: Count | None = None


class RefreshedQuota(_Model):
    """Quotas, reservations and zones of a project."""

    format: int = Field(ge=FORMAT, le=FORMAT)
    as_of: dt.date
    project: str
    quota: Mapping[str, Mapping[str, RegionQuota]]
    """Region to accelerator to granted counts; what Google did not say is absent."""
    all_regions: Count | None = None
    """GPUs granted over all regions together (`GPUS_ALL_REGIONS`)."""
    reservations: Mapping[str, ReservationRow]
    """By name."""
    zones: Mapping[str, Annotated[tuple[str, ...], Field(strict=False)]]
    """Zone to the machine types of the catalogue that the project sees there, with their accelerators."""


def prices_name(stack: str) -> str:
    """Return the name of a stack's price file."""
    return f"{stack}.prices.yaml"


def quota_name(stack: str) -> str:
    """Return the name of a stack's quota file."""
    return f"{stack}.quota.yaml"


def load_prices(path: Path, name: str) -> RefreshedPrices | None:
    """Read a price file; return None if it does not exist.

    Raises:
        InputError: the file is invalid; lists every problem.
    """
    document = _document(path, name)
    if document is None:
        return None
    file = _validated(document, RefreshedPrices)
    unknown = [
        document.mark(("items", item, region, way, sku)).problem(f"the SKU `{sku}` is not under `skus`", _AGAIN)
        for item, regions in file.items.items()
        for region, ways in regions.items()
        for way, quantities in ways.items()
        for sku in quantities
        if sku not in file.skus
    ]
    if unknown:
        raise InputError(unknown)
    return file


def load_quota(path: Path, name: str) -> RefreshedQuota | None:
    """Read a quota file; return None if it does not exist.

    Raises:
        InputError: the file is invalid; lists every problem.
    """
    document = _document(path, name)
    return None if document is None else _validated(document, RefreshedQuota)


def write_refreshed(folder: Path, stack: str, prices: RefreshedPrices | None, quota: RefreshedQuota | None) -> None:
    """Write what was read, each file atomically."""
    if prices:
        write_text_atomically(folder / prices_name(stack), _PRICES_HEAD + _text(prices))
    if quota:
        write_text_atomically(folder / quota_name(stack), _QUOTA_HEAD + _text(quota))


def _document(path: Path, name: str) -> Document | None:
    if not path.exists() and not path.is_symlink():
        return None
    return parse_document(read_text(path, name, _AGAIN), name)


def _validated(document: Document, model: type[M]) -> M:
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        raise InputError(schema_problems(document, error, model, _AGAIN, is_generated=True)) from None


def _text(model: BaseModel) -> str:
    value: Any = model.model_dump(by_alias=True, exclude_none=True, mode="python")
    return yaml.safe_dump(plain(value), sort_keys=False, width=116)
