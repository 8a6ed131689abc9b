# SPDX-License-Identifier: Apache-2.0
"""Prices and discounts of a contract, and commitments held: `prices.yaml` beside the model list.

Owns the format and the checks of its words. Figures are in the file's `currency`. Does not own how they change the
catalogue's prices (`hubstack.planner.own_prices`).
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from hubstack.catalog import Catalog
from hubstack.files.documents import Document, Loc, parse_document, read_text
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem, listed, nearest
from hubstack.files.schema_errors import schema_problems
from hubstack.inputs.setting_types import LIST, check_currency

NAME = "prices.yaml"
SYSTEM_MACHINES = ("e2-standard-4",)
"""Machine types without accelerators that a cluster has."""
_HINT = "see docs/guides/prices.md"
_SELECTORS = ("machine", "accelerator", "sku", "item")
_FIGURES = ("on_demand", "spot", "flex_start", "committed_1y", "committed_3y")

Figure = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1, max_length=100)]


class _Row(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )


class OwnPrice(_Row):
    """What one machine type, accelerator, SKU or item costs you."""

    machine: Text | None = None
    """A machine type; its figures are per machine-hour."""
    accelerator: Text | None = None
    """An accelerator; its figures are per accelerator-hour, with its share of the machine."""
    sku: Annotated[str, Field(pattern=r"^[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}$")] | None = None
    """A SKU that `hubstack refresh` found in the stack's machines: `price` is per unit of the SKU."""
    item: Literal["gcs-standard", "gke-cluster", "nat-gateway", "pd-balanced"] | None = None
    """An item other than a machine: `price` is per GB and month for storage, otherwise per hour."""
    region: Text | None = None
    """The region. Default: every region."""
    on_demand: Figure | None = Field(None, alias="on-demand")
    """On-demand nodes and reservations."""
    spot: Figure | None = None
    """Spot nodes."""
    flex_start: Figure | None = Field(None, alias="flex-start")
    """Flex-start nodes."""
    committed_1y: Figure | None = Field(None, alias="committed-1y")
    """Under a commitment of one year."""
    committed_3y: Figure | None = Field(None, alias="committed-3y")
    """Under a commitment of three years."""
    price: Figure | None = None
    """The price of a SKU or an item."""

    @property
    def figures(self) -> dict[str, float]:
        """Return the figures given for a machine or an accelerator."""
        return {name: usd for name in _FIGURES if (usd := getattr(self, name)) is not None}


class Discount(_Row):
    """A percentage off the prices of the catalogue or of `hubstack refresh`; the first row that matches applies."""

    percent: Annotated[float, Field(gt=0, lt=100, allow_inf_nan=False)]
    """The percentage: 15 for 15 % off."""
    machine: Text | None = None
    """Only for this machine type."""
    accelerator: Text | None = None
    """Only for machines with this accelerator."""
    region: Text | None = None
    """Only in this region."""
    capacity: Annotated[tuple[Literal["on-demand", "spot", "flex-start"], ...], LIST] = ()
    """Only when bought so: `[on-demand]`, which includes reservations. Default: however it is bought."""


class Commitment(_Row):
    """Accelerators that you pay for whether they are used or not."""

    accelerator: Text
    """The accelerator."""
    count: Annotated[int, Field(ge=1, le=1_000_000)]
    """How many."""
    term: Literal["1y", "3y"]
    """Its term."""
    region: Text
    """The region, since a commitment is regional."""
    price: Figure | None = None
    """Per accelerator-hour, with its share of the machine. Default: the price of a commitment of that term."""


class _File(_Row):
    as_of: dt.date
    """When these prices were agreed or read: `2026-11-01`."""
    currency: Annotated[str, AfterValidator(check_currency)] = "USD"
    """Currency of the figures."""
    exchange_rate: Figure | None = None
    """Units of `currency` per US dollar. Default: the rate that `hubstack refresh` read."""
    prices: Annotated[tuple[OwnPrice, ...], LIST] = ()
    """Prices of machines, accelerators, SKUs and items."""
    discounts: Annotated[tuple[Discount, ...], LIST] = ()
    """Percentages off other prices."""
    commitments: Annotated[tuple[Commitment, ...], LIST] = ()
    """Commitments held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPrices:
    """The parsed file."""

    as_of: str
    currency: str
    exchange_rate: float | None
    prices: tuple[tuple[OwnPrice, str], ...]
    """Each with its place: `prices.yaml:12`."""
    discounts: tuple[tuple[Discount, str], ...]
    commitments: tuple[tuple[Commitment, str], ...]
    document: Document


def load_own_prices(path: Path, name: str, catalog: Catalog) -> OwnPrices | None:
    """Read the file; return None if it does not exist.

    Args:
        path: the file.
        name: the file as named in messages.
        catalog: machine types, accelerators and regions that rows may name.

    Raises:
        InputError: with every problem found.
    """
    if not path.exists() and not path.is_symlink():
        return None
    document = parse_document(read_text(path, name), name)
    try:
        file = _File.model_validate(document.value)
    except ValidationError as error:
        raise InputError(schema_problems(document, error, _File, _HINT)) from None
    if problems := list(_problems(file, document, catalog)):
        raise InputError(problems)
    return OwnPrices(
        as_of=str(file.as_of),
        currency=file.currency,
        exchange_rate=file.exchange_rate,
        prices=tuple((row, _place(document, "prices", at)) for at, row in enumerate(file.prices)),
        discounts=tuple((row, _place(document, "discounts", at)) for at, row in enumerate(file.discounts)),
        commitments=tuple((row, _place(document, "commitments", at)) for at, row in enumerate(file.commitments)),
        document=document,
    )


def _place(document: Document, key: str, at: int) -> str:
    return f"{Path(document.path).name}:{document.mark((key, at)).line}"


def _problems(file: _File, document: Document, catalog: Catalog) -> Iterator[Problem]:
    seen: dict[tuple[object, ...], int] = {}
    for at, row in enumerate(file.prices):
        loc: Loc = ("prices", at)
        named = [key for key in _SELECTORS if getattr(row, key) is not None]
        if len(named) != 1:
            message = f"names {' and '.join(f'`{key}`' for key in named) or 'nothing to price'}"
            hint = "give exactly one of `machine`, `accelerator`, `sku` and `item`"
            yield document.mark(loc).problem(f"the price {message}", hint)
            continue
        yield from _words(row, loc, document, catalog)
        by_unit = named[0] in {"sku", "item"}
        if by_unit and (row.price is None or row.figures):
            yield document.mark(loc).problem(f"the price of {_named(row)} has no `price`", "give only `price:`")
        elif not by_unit and (row.price is not None or not row.figures):
            hint = "give `on-demand:`, `spot:`, `flex-start:`, `committed-1y:` or `committed-3y:`"
            yield document.mark(loc).problem(f"the price of {_named(row)} has no figure", hint)
        key = (named[0], getattr(row, named[0]), row.region)
        if key in seen:
            message = f"{_named(row)} has another price in line {seen[key]}"
            yield document.mark(loc).problem(message, "remove one of them")
        seen.setdefault(key, document.mark(loc).line)
    for at, discount in enumerate(file.discounts):
        loc = ("discounts", at)
        if discount.machine and discount.accelerator:
            yield document.mark(loc).problem("the discount names a machine and an accelerator", "give one of them")
        yield from _words(discount, loc, document, catalog)
    for at, commitment in enumerate(file.commitments):
        yield from _words(commitment, ("commitments", at), document, catalog)


def _named(row: OwnPrice) -> str:
    return next(str(value) for key in _SELECTORS if (value := getattr(row, key)) is not None)


def _words(row: BaseModel, loc: Loc, document: Document, catalog: Catalog) -> Iterator[Problem]:
    """Yield the words of a row that the catalogue does not know."""
    known = {
        "machine": [*catalog.machine_types, *SYSTEM_MACHINES],
        "accelerator": list(catalog.accelerators),
        "region": list(catalog.all_regions()),
    }
    nouns = {"machine": "a machine type", "accelerator": "an accelerator", "region": "a region with accelerators"}
    for key, words in known.items():
        word = getattr(row, key, None)
        if word is not None and word not in words:
            near = nearest(word, words)
            hint = f"did you mean `{near}`?" if near else f"known: {listed(sorted(words))}"
            yield document.mark((*loc, key)).problem(f"`{word}` is not {nouns[key]} of the catalogue", hint)
