# SPDX-License-Identifier: Apache-2.0
"""Which files the kustomizations among the manifests change. Applies none of them."""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hubstack.inputs.init.objects import Part, is_kustomization

_SOURCES = ("resources", "bases", "components")
_PATCHES = ("patches", "patchesJson6902", "patchesStrategicMerge")
_HARMLESS = frozenset(
    {"apiVersion", "buildMetadata", "commonAnnotations", "commonLabels", "kind", "labels", "metadata", "namespace"}
    | {"generatorOptions", "sortOptions"}
)
"""Fields that change nothing of what a server serves, besides the sources."""
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Overlays:
    """What kustomizations do to the files among the manifests."""

    notes: Mapping[str, Sequence[str]]
    """A note for each file that one changes, by its path."""
    patches: frozenset[str]
    """Paths of patches, which are no objects."""
    harmless: frozenset[str]
    """Paths of kustomizations that only take files which are given too."""


def read_overlays(objects: Sequence[Part]) -> Overlays:
    """Return what the kustomizations among the objects change."""
    held = {posixpath.dirname(part.mark.path): part for part in objects if _is_applied_by_kubectl(part)}
    files = {part.mark.path for part in objects}
    folders = {posixpath.dirname(path) for path in files}
    by: dict[str, list[str]] = {}
    patches: set[str] = set()
    harmless: set[str] = set()
    for folder, part in held.items():
        patches |= {_join(folder, each) for each in _patch_paths(part)}
        if _changes(folder, held, set()):
            paths = set(_reached(folder, held, set()))
            for path in files:
                if {path, posixpath.dirname(path)} & paths:
                    by.setdefault(path, []).append(part.mark.path)
        elif set(_taken(folder, part)) <= files | folders:
            harmless.add(part.mark.path)
    notes = {path: [_note(sorted(overlays))] for path, overlays in by.items()}
    return Overlays(notes, frozenset(patches), frozenset(harmless))


def _changes(folder: str, held: Mapping[str, Part], seen: set[str]) -> bool:
    """Return whether a folder's kustomization, or a component of it, changes what it takes."""
    if folder in seen:
        return False
    seen.add(folder)
    part = held.get(folder)
    if part is None:  # a component that is not given
        return True
    parts = [_join(folder, each.text) for each in part.at("components").items()]
    own = {key for key, _ in part.pairs()} - _HARMLESS - {*_SOURCES}
    return bool(own) or any(_changes(each, held, seen) for each in parts)


def _is_applied_by_kubectl(part: Part) -> bool:
    return is_kustomization(part) and "toolkit.fluxcd.io" not in part.at("apiVersion").text


def _note(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    verbs = "changes it and is" if len(paths) == 1 else "change it and are"
    named = ", ".join(paths[:_NAMED])
    return f"{named}{more} {verbs} not applied: pass the output of `kubectl kustomize` instead"


def _patch_paths(part: Part) -> Iterator[str]:
    for key in _PATCHES:
        for each in part.at(key).items():
            yield from (path for path in (each.at("path").text, each.text) if path and "\n" not in path)


def _join(folder: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(folder, path))


def _taken(folder: str, part: Part) -> Iterator[str]:
    for source in _SOURCES:
        yield from (_join(folder, each.text) for each in part.at(source).items())


def _reached(folder: str, held: Mapping[str, Part], seen: set[str]) -> Iterator[str]:
    """Yield the files and folders that a folder's kustomization takes, directly and through others."""
    if folder in seen:
        return
    seen.add(folder)
    for path in _taken(folder, held[folder]):
        yield path
        if path in held:
            yield from _reached(path, held, seen)
