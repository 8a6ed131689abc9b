# SPDX-License-Identifier: Apache-2.0
"""The providers' schemas: which arguments of a type force a replacement, and what data a type holds.

Owns the reading of replacement.yaml (written by hand) and replacement_google.yaml (generated from the provider's
source). A type in neither file has no facts: whether it is replaced is unknown, and nothing is guessed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, cast

import yaml

_KUBERNETES, _HELM = "kubernetes:", "kubernetes:helm.sh/"


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeFacts:
    """Which arguments replace a resource type."""

    replaced_by: frozenset[str]
    """Paths of arguments, without list indexes."""
    below: bool = False
    """Whether a change anywhere below a path counts (Kubernetes), or only at it (Google)."""
    everything: bool = False
    """Whether every argument replaces."""
    kept: frozenset[str] = frozenset()
    """Paths that keep their value if omitted."""
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Path to its default value."""
    from_provider: tuple[str, ...] = ()
    """Arguments that default to the provider's configuration."""

    def replaces(self, path: str) -> bool:
        """Return whether a change at a path replaces the resource."""
        if self.everything or path in self.replaced_by:
            return True
        return self.below and any(path.startswith(f"{each}.") for each in self.replaced_by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """The facts of all types."""

    google: Mapping[str, TypeFacts]
    kubernetes: Mapping[str, frozenset[str]]
    """`apps/v1:Deployment` to paths."""
    kubernetes_every: frozenset[str]
    kubernetes_unknown: frozenset[str]
    helm: frozenset[str]
    suffixes: tuple[str, ...]
    """Suffixes of types whose every argument replaces."""
    providers: Mapping[str, frozenset[str]]
    data: Mapping[str, str]
    """Resource type to the data that is lost with it."""

    def facts(self, kind: str) -> TypeFacts | None:
        """Return the facts of a Pulumi type, or None if it is unknown."""
        if kind in self.google:
            return self.google[kind]
        if kind.startswith("gcp:") and kind.endswith(self.suffixes):
            return TypeFacts(replaced_by=frozenset(), everything=True)
        if kind in self.providers or kind.startswith(_HELM):
            return TypeFacts(replaced_by=self.providers.get(kind, self.helm))
        return self._object(kind) if kind.startswith(_KUBERNETES) else None

    def _object(self, kind: str) -> TypeFacts | None:
        short = kind.removeprefix(_KUBERNETES)
        if short in self.kubernetes_unknown:
            return None
        return TypeFacts(replaced_by=self.kubernetes_every | self.kubernetes.get(short, frozenset()), below=True)


@cache
def load_replacement() -> Replacement:
    """Read the package's two tables."""
    rules, google = (_table(name) for name in ("replacement.yaml", "replacement_google.yaml"))
    kubernetes = rules["kubernetes"]
    return Replacement(
        google={kind: _google(row) for kind, row in google["types"].items()},
        kubernetes={kind: frozenset(paths) for kind, paths in kubernetes["replaced_by"].items()},
        kubernetes_every=frozenset(kubernetes["every"]),
        kubernetes_unknown=frozenset(kubernetes["unknown"]),
        helm=frozenset(rules["helm"]),
        suffixes=tuple(rules["every_argument"]),
        providers={kind: frozenset(paths) for kind, paths in rules["providers"].items()},
        data={kind: row["held"] for kind, row in rules["data"].items()},
    )


def _table(name: str) -> dict[str, Any]:
    text = files("hubstack.review.diff").joinpath(name).read_text(encoding="utf-8")
    return cast("dict[str, Any]", yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))  # noqa: S506  safe both


def _google(row: Mapping[str, Any]) -> TypeFacts:
    return TypeFacts(
        replaced_by=frozenset(row["replaced_by"]),
        kept=frozenset(row.get("kept", ())),
        defaults=row.get("defaults", {}),
        from_provider=tuple(row.get("from_provider", ())),
    )
