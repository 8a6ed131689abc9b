# SPDX-License-Identifier: Apache-2.0
"""Tables that fit the terminal: a table that is too wide drops its least important columns, never the cost.

Owns the layout. What is dropped is named under the table; no word is cut. On a terminal too narrow even for the
required columns, each field gets its own line.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import TextWrapper

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

_GAP = 2
"""Spaces between columns."""
_LEAST_WRAPPED = 16
"""Minimum width of a wrapped column, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table."""

    name: str
    cells: Sequence[str]
    footer: str = ""
    is_number: bool = False
    """Right-aligned."""
    rank: int = 0
    """0 is always shown; of the others, the highest is dropped first."""
    is_wrapped: bool = False
    """Whether its text may wrap."""

    @property
    def width(self) -> int:
        """Return the width of the widest line in characters, or if wrapped, of the widest word."""
        texts = (self.name, self.footer, *self.cells)
        widest = max(map(cell_len, texts))
        if not self.is_wrapped:
            return widest
        return max(min(widest, _LEAST_WRAPPED), *(cell_len(word) for text in texts for word in text.split()))


class FittedTable:
    """A table that fits the available width."""

    def __init__(self, columns: Iterable[Column]) -> None:
        self._columns = [column for column in columns if any((*column.cells, column.footer))]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the columns that fit."""
        columns = self._columns
        while _width(columns) > options.max_width and any(column.rank for column in columns):
            least = max(column.rank for column in columns)
            columns = [column for column in columns if column.rank != least]
        if _width(columns) <= options.max_width:
            yield _table(columns)
        else:
            columns = [column for column in self._columns if column.rank <= 1]
            yield _stacked(columns, options.max_width)
        if dropped := [column.name.partition(" (")[0] for column in self._columns if column not in columns]:
            yield Text(f"Not shown at this width: {', '.join(filter(None, dropped))}.", style="dim")


def _width(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns) + _GAP * (len(columns) - 1)


def _table(columns: Sequence[Column]) -> Table:
    table = Table(box=None, pad_edge=False, show_footer=any(column.footer for column in columns))
    for each in columns:
        table.add_column(
            each.name,
            footer=each.footer,
            justify="right" if each.is_number else "left",
            no_wrap=not each.is_wrapped,
        )
    rows = [column.cells for column in columns]
    if any(column.is_wrapped for column in columns):
        for row in zip(*rows, strict=True):
            table.add_row(*map(Text, row))
    else:
        # One multi-line cell per column: five times faster for a thousand rows than one cell per value.
        table.add_row(*(Text("\n".join(cells)) for cells in rows))
    return table


def _stacked(columns: Sequence[Column], width: int) -> Text:
    """Return one line per field: the first column, with the others below it."""
    first, *others = columns
    fields = TextWrapper(
        width, initial_indent="  ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
    lines: list[str] = []
    for at, title in enumerate(first.cells):
        lines.append(title)
        for each in others:
            lines += fields.wrap(f"{each.name}: {each.cells[at]}") if each.cells[at] else []
    if any(each.footer for each in columns):
        lines += [first.footer, *(f"  {each.name}: {each.footer}" for each in others if each.footer)]
    return Text("\n".join(lines))
