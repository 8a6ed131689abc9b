# SPDX-License-Identifier: Apache-2.0
"""Clusters that share one model list: the `hubstack:clusters` setting, and which cluster serves which model.

Owns the keys of the setting and how a list is divided. Each cluster is a separate Pulumi stack named
`<environment>-<cluster>` (docs/adr/0015-clusters.md). Does not own reading files (`hubstack.inputs.stack`) or
choosing a cluster in which a model fits (`hubstack.planner.placement.choose_clusters`). Pure.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from types import GenericAlias
from typing import Any, cast

from pydantic import Field, ValidationError, create_model

from hubstack.files.documents import Document, Loc, Mark
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem, nearest
from hubstack.files.schema_errors import schema_problems
from hubstack.inputs import deprecated
from hubstack.inputs.models import ModelRequest
from hubstack.inputs.pulumi_config import Settings, config_text, parse_json, rooted
from hubstack.inputs.settings import CLUSTER_KEYS, DEFAULT_NAMESPACE, ClusterSettings, ClusterShare
from hubstack.names import entry_keys, short_hash

SETTING = "hubstack:clusters"
SHARD_OF = "hubstack:shardOf"
"""In the stack of one cluster: its environment's settings file, relative to the project folder."""
EXAMPLE = '{"eu": {"region": "europe-west4"}, "us": {"region": "us-central1"}}'
KEY = r"[a-z]([a-z0-9-]{0,18}[a-z0-9])?"
SETTINGS = {key.partition(":")[2]: key for key in CLUSTER_KEYS}
"""Settings that a cluster may override, as short name to full key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One cluster as the environment's settings describe it."""

    key: str
    patterns: tuple[str, ...] = ()
    """Patterns for the model keys (`team-a-*`) or Hub IDs (`Qwen/*`) that it serves; clusters may overlap."""
    takes_rest: bool = True
    """Whether it serves a share of the models that no cluster names."""
    settings: Settings
    """Settings that override the environment's."""
    mark: Mark
    """Where it is defined."""

    def has(self, model: ModelRequest) -> bool:
        """Return whether its patterns match the model. A canary runs in the cluster of its primary."""
        return any(matches_any_name(pattern, model) for pattern in self.patterns)


def matches_any_name(pattern: str, model: ModelRequest) -> bool:
    """Return whether a pattern matches a model's current or former key; a rename does not move a model."""
    words = (model.id,) if "/" in pattern else entry_keys(model)
    return any(fnmatchcase(word, pattern) for word in words)


_BY_KEY: Any = GenericAlias(dict, (str, ClusterSettings))
_Setting = create_model("_Setting", clusters=(_BY_KEY, Field(validation_alias=SETTING)))


def read_clusters(document: Document) -> tuple[Cluster, ...]:
    """Read the clusters of an environment's settings file, sorted by key.

    Raises:
        InputError: the setting is invalid; lists every problem.
    """
    held = cast("dict[str, Any]", document.value.get("config") or {})
    word = SETTING if SETTING in held else SETTING.partition(":")[2]
    given = replace(
        rooted(document, {("config", word): SETTING}, ("config",)), value={SETTING: parse_json(held.get(word))}
    )
    own, warnings = deprecated.read_deprecated(given, _deprecated(), _inside(given.value[SETTING]))
    said = own.value[SETTING]
    if not isinstance(said, dict) or not said:
        message = f"`{SETTING}` must be a mapping of clusters"
        raise InputError([own.mark((SETTING,)).problem(message, f"for example {EXAMPLE}")])
    words = cast("dict[Any, Any]", said)
    problems = [
        own.key_mark((SETTING, key)).problem(
            f"`{key}` is not a valid cluster key: use 1 to 20 lower-case letters, digits and hyphens",
            "the names of the cluster and its buckets end in the key: eu, us-east",
        )
        for key in words
        if not re.fullmatch(KEY, str(key))
    ]
    read: dict[str, ClusterShare] = {}
    try:
        settings: dict[str, Any] = {str(key): {} if each is None else each for key, each in words.items()}
        read = dict(_Setting.model_validate({SETTING: settings}))["clusters"]
    except ValidationError as error:
        problems += schema_problems(own, error, _Setting, "for example {region: europe-west4}")
    if problems:
        raise InputError(problems)
    return tuple(_cluster(key, each, own, warnings) for key, each in sorted(read.items()))


def _deprecated() -> list[deprecated.Deprecated]:
    """Return the deprecated settings as a cluster names them, without the namespace."""
    return [
        replace(row, key=row.key.partition(":")[2], instead=row.instead.rpartition(":")[2])
        for row in deprecated.SETTINGS
    ]


def _inside(said: Any) -> Iterator[Loc]:
    if isinstance(said, dict):
        yield from ((SETTING, key) for key in cast("dict[Any, Any]", said))


def _cluster(key: str, read: ClusterShare, document: Document, warnings: tuple[str, ...]) -> Cluster:
    loc: Loc = (SETTING, key)
    own = {SETTINGS[name]: getattr(read, name) for name in SETTINGS if name in read.model_fields_set}
    found = rooted(document, {(*loc, name): full for name, full in SETTINGS.items()}, loc)
    return Cluster(
        key=key,
        patterns=read.models,
        takes_rest=not read.models if read.rest is None else read.rest,
        settings=Settings(
            {name: config_text(value) for name, value in own.items()}, replace(found, value=own), warnings
        ),
        mark=document.mark((*loc, "models")) if read.models else document.key_mark(loc),
    )


def settings_of(cluster: Cluster, environment: Settings) -> Settings:
    """Return the settings of one cluster's stack.

    Unless the cluster sets a namespace, its key is appended to the environment's: Workload Identity distinguishes
    the service accounts of a project by namespace and name only, not by cluster (GKE docs, "About Workload Identity
    Federation for GKE", identity sameness).
    """
    space = environment.get("hubstack:namespace") or DEFAULT_NAMESPACE
    own = {"hubstack:namespace": f"{space}-{cluster.key}", **cluster.settings}
    texts = {key: text for key, text in {**environment, **own}.items() if key != SETTING}
    return environment.overlaid(texts, cluster.settings)


def settings_problems(clusters: Iterable[Cluster], environment: Settings) -> Iterator[Problem]:
    """Yield the conflicts between clusters."""
    clusters = tuple(clusters)
    for one in clusters:
        for other in clusters:
            if other.key.startswith(f"{one.key}-"):
                message = f"`{other.key}` starts with `{one.key}-`, so their bucket names could collide"
                yield other.mark.problem(message, "choose keys of which neither is a prefix of the other")
    spaces: dict[tuple[str, str], str] = {}
    for cluster in clusters:
        own = settings_of(cluster, environment)
        place = own.get("gcp:project", ""), own["hubstack:namespace"]
        first = spaces.setdefault(place, cluster.key)
        if first != cluster.key:
            message = (
                f"the clusters `{first}` and `{cluster.key}` share a project and a namespace (`{place[1]}`), "
                "so their models would share permissions"
            )
            yield cluster.mark.problem(message, "give one of them a different `namespace:` or `project:`")


def preferred(model: ModelRequest, clusters: Collection[Cluster]) -> list[str]:
    """Return the clusters for a model that none names, in order of preference (rendezvous hashing).

    The order does not depend on other models, and adding a cluster moves only the share that it gains.
    """
    held = [cluster.key for cluster in clusters if cluster.takes_rest]
    first = entry_keys(model)[-1]  # the oldest key, which a rename keeps
    return sorted(held, key=lambda cluster: short_hash(first, cluster, length=16))


def clusters_of(model: ModelRequest, clusters: Collection[Cluster], recorded: Mapping[str, str]) -> tuple[str, ...]:
    """Return the keys of the clusters that serve a model: those that name it, or one that takes the rest.

    Args:
        model: one entry of the list.
        clusters: all clusters of the environment.
        recorded: model key to the key of its current cluster, which it keeps.
    """
    named = tuple(cluster.key for cluster in clusters if cluster.has(model))
    if named:
        return named
    order = preferred(model, clusters)
    stands = recorded_cluster(model, recorded)
    return (stands,) if stands in order else tuple(order[:1])


def recorded_cluster(model: ModelRequest, recorded: Mapping[str, str]) -> str | None:
    """Return the cluster recorded for a model under its current key or a former one."""
    return next((recorded[key] for key in entry_keys(model) if key in recorded), None)


def division_problems(models: Collection[ModelRequest], clusters: Collection[Cluster]) -> Iterator[Problem]:
    """Yield each model that no cluster would serve, and each pattern that matches no model."""
    for model in models:
        if not model.canary_of and not clusters_of(model, clusters, {}):
            hint = "list it under a cluster's `models:`, or set `rest: true` on a cluster"
            yield model.mark("id").problem(f"no cluster serves `{model.key}`: each serves only what it names", hint)
    words = sorted({word for model in models for word in (model.key, model.id)})
    for cluster in clusters:
        for pattern in cluster.patterns:
            if not any(matches_any_name(pattern, model) for model in models):
                near = nearest(pattern, words)
                hint = f"did you mean `{near}`?" if near else "patterns match model keys or, with a `/`, Hub IDs"
                message = f"`{pattern}` of the cluster `{cluster.key}` matches no model in the list"
                yield cluster.mark.problem(message, hint)
