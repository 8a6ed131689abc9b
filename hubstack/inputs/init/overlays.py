# SPDX-License-Identifier: Apache-2.0
"""Which files the kustomizations among the manifests change. Applies none of them."""

import posixpath
from collections.abc import Iterator, Mapping, Sequence

from hubstack.inputs.init.objects import Part, is_kustomization

_SOURCES = ("resources", "bases", "components")
_HARMLESS = frozenset(
    {"apiVersion", "kind", "metadata", "namespace", "labels", "commonLabels", "commonAnnotations"}
)
"""Fields that change nothing of what a server serves, besides the sources."""


def overlaid(objects: Sequence[Part]) -> dict[str, str]:
    """Return a note for each file that a kustomization changes, by its path."""
    held = {posixpath.dirname(part.mark.path): part for part in objects if is_kustomization(part)}
    found: dict[str, str] = {}
    for folder, part in held.items():
        if {key for key, _ in part.pairs()} - _HARMLESS - {*_SOURCES}:
            note = f"{part.mark.path} changes it and is not applied: pass the output of `kubectl kustomize` instead"
            paths = set(_reached(folder, held, set()))
            for each in objects:
                path = each.mark.path
                if not is_kustomization(each) and {path, posixpath.dirname(path)} & paths:
                    found.setdefault(path, note)
    return found


def _reached(folder: str, held: Mapping[str, Part], seen: set[str]) -> Iterator[str]:
    """Yield the files and folders that a folder's kustomization takes, directly and through others."""
    if folder in seen:
        return
    seen.add(folder)
    for source in _SOURCES:
        for each in held[folder].at(source).items():
            path = posixpath.normpath(posixpath.join(folder, each.text))
            yield path
            if path in held:
                yield from _reached(path, held, seen)
