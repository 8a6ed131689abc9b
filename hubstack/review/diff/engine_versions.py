# SPDX-License-Identifier: Apache-2.0
"""What differs between two versions of an engine, by the catalogue: flags, architectures, quantization, metrics.

Owns the comparison and its words. Does not own what of it a model notices: its plan has image, flags and memory.
"""

from collections.abc import Collection, Iterator

from hubstack.catalog import Catalog, Engine, load_catalog
from hubstack.catalog.engine_flags import engine_flags

_SHOWN = 6


def version_changes(kind: str, before: str, after: str) -> Iterator[tuple[str, str]]:
    """Yield topic and text of what another version of an engine brings and takes away.

    Nothing if the catalogue does not have both: an older hubstack may have planned with another.
    """
    catalog = load_catalog()
    if not all(_has(catalog, kind, version) for version in (before, after)):
        return
    old, new = catalog.engine_at(kind, before), catalog.engine_at(kind, after)
    if old.flags_file != new.flags_file:
        yield from _changed("engine flags", engine_flags(old).flags, engine_flags(new).flags)
        retyped = {
            flag
            for flag, value in engine_flags(old).flags.items()
            if engine_flags(new).flags.get(flag, value) != value
        }
        if retyped:
            yield "engine flag values", f"other values: {_named(retyped)}"
        yield from _changed("engine metrics", engine_flags(old).metrics, engine_flags(new).metrics)
    yield from _changed("engine architectures", _architectures(old), _architectures(new))
    yield from _changed("engine quantization", old.quantization, new.quantization)
    yield from _changed("engine parsers", _parsers(old), _parsers(new))
    if old.release and new.release and old.release.library and new.release.library:
        libraries = old.release.library.version, new.release.library.version
        if libraries[0] != libraries[1]:
            yield "engine library", f"transformers {libraries[0]} -> {libraries[1]}"


def _has(catalog: Catalog, kind: str, version: str) -> bool:
    return kind in catalog.engines and version in catalog.versions_of(kind)


def _architectures(engine: Engine) -> set[str]:
    return {name for names in engine.architectures.values() for name in names}


def _parsers(engine: Engine) -> set[str]:
    return {*engine.tool_call_parsers, *engine.reasoning_parsers}


def _changed(topic: str, old: Collection[str], new: Collection[str]) -> Iterator[tuple[str, str]]:
    came, gone = set(new) - set(old), set(old) - set(new)
    parts = [f"{len(names)} {what}: {_named(names)}" for names, what in ((gone, "gone"), (came, "new")) if names]
    if parts:
        yield topic, "; ".join(parts)


def _named(names: Collection[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(sorted(names)[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
