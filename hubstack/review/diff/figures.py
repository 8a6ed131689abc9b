# SPDX-License-Identifier: Apache-2.0
"""Files whose figures a plan believes: own and refreshed prices, refreshed quotas, what gcloud says of a cluster.

Owns which difference in them a reviewer must decide. Nothing offline can verify such a figure, so the author of a
pull request could hide a bill or a missing protection behind one.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from hubstack.files.documents import parse_document, read_text
from hubstack.files.jsonable import plain
from hubstack.files.problems import shown
from hubstack.inputs.cluster_facts import load_cluster_facts
from hubstack.inputs.own_prices import NAME as OWN_PRICES
from hubstack.inputs.refreshed import prices_name, quota_name
from hubstack.inputs.stack import Stack
from hubstack.review.diff.paths import leaves

OWN, PRICES, QUOTA, CLUSTER = "own prices", "refreshed prices", "refreshed quota", "facts of the cluster"
_NOTICEABLE = 0.1
"""Our choice: `hubstack refresh` is run often, and a price that falls by less needs no decision."""
_SHOWN = 3
_HIDDEN = ("as_of", "version", "what")
"""Last words of paths that change whenever a file is written again, or are no figures."""

Figures = Mapping[str, Mapping[str, Any]]
"""Kind of file to path in it to value."""
_Value = int | float | str | bool | None


def read_figures(stack: Stack) -> Figures:
    """Return what each such file of a stack says; a file that does not exist is absent.

    Raises:
        InputError: a file cannot be read.
    """
    folder = (stack.project_dir / stack.models_path).parent
    found: dict[str, Mapping[str, Any]] = {}
    for kind, name in ((OWN, OWN_PRICES), (PRICES, prices_name(stack.name)), (QUOTA, quota_name(stack.name))):
        if (folder / name).exists():
            found[kind] = _flat(parse_document(read_text(folder / name, name), name).value)
    asked = None if stack.divided else stack.settings.cluster_settings
    if asked and asked.facts:
        found[CLUSTER] = _flat(plain(load_cluster_facts(stack.project_dir / Path(asked.facts), asked.facts)))
    return found


def _flat(value: Any) -> Mapping[str, Any]:
    return {path: _scalar(each) for path, each in leaves(value) if not _has_parts(each)}


def _has_parts(value: Any) -> bool:
    items = cast("list[Any]", value) if isinstance(value, list) else [value]
    return any(isinstance(item, dict) for item in items)


def _scalar(value: Any) -> _Value:
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(sorted(str(each) for each in cast("list[Any]", value)))
    return value if isinstance(value, int | float | None) else str(value)


def figure_changes(base: Figures, head: Figures) -> Iterator[tuple[str, str]]:
    """Yield subject and text of each file whose change a reviewer must decide."""
    for kind, (is_decided, why) in _KINDS.items():
        before, after = base.get(kind), head.get(kind)
        if before is None and after is not None:
            if kind is not QUOTA:  # checks that there were not before
                yield kind, f"a new file with {len(after):,} figures: {why}"
            continue
        old, new = before or {}, after or {}
        moves = [
            f"`{path}`: {_text(old.get(path))} -> {_text(new.get(path))}"
            for path in sorted({*old, *new})
            if old.get(path) != new.get(path)
            and not path.endswith(_HIDDEN)
            and is_decided(path, old.get(path), new.get(path))
        ]
        if moves:
            more = len(moves) - _SHOWN
            yield kind, f"{', '.join(moves[:_SHOWN])}{f' and {more} more' if more > 0 else ''}: {why}"


def _text(value: _Value) -> str:
    return "none" if value is None else shown(value)


def _any(_path: str, _before: _Value, _after: _Value) -> bool:
    return True


def _falls(_path: str, before: _Value, after: _Value) -> bool:
    """Return whether a price, a quantity of it, or an exchange rate falls noticeably, or is taken out."""
    if not isinstance(before, int | float):
        return False
    return not isinstance(after, int | float) or after < before * (1 - _NOTICEABLE)


def _rises(path: str, before: _Value, after: _Value) -> bool:
    """Return whether a quota or a reservation grows, or is no longer known and so no longer checked."""
    if not path.startswith(("quota.", "all_regions", "reservations.")) or path.endswith("in_use"):
        return False
    if isinstance(before, int | float) and isinstance(after, int | float):
        return after > before
    return before is not None


_KINDS = {
    OWN: (_any, "bills and budgets follow `prices.yaml`"),
    PRICES: (_falls, "verify with `hubstack refresh` that a price fell"),
    QUOTA: (_rises, "verify with `hubstack refresh` that more is granted"),
    CLUSTER: (_any, "verify with `gcloud container clusters describe`"),
}
