# SPDX-License-Identifier: Apache-2.0
"""Several clusters that share one list: `hubstack:clusters` of an environment, and which model each of them has.

Owns the setting's words and the division of a list. A cluster is a Pulumi stack of its own, named
`<environment>-<cluster>` (docs/adr/0015-clusters.md). Does not own the reading of files (`hubstack.inputs.stack`)
nor the choice of a cluster where a model fits (`hubstack.planner.placement.choose_clusters`). Pure.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, cast

from hubstack.files.documents import Document, Loc, Mark
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem, nearest
from hubstack.inputs.models import ModelRequest
from hubstack.inputs.pulumi_config import Settings, config_text, rooted
from hubstack.inputs.settings import CLUSTER_KEYS, DEFAULT_NAMESPACE
from hubstack.names import entry_keys, short_hash

SETTING = "hubstack:clusters"
SHARD_OF = "hubstack:shardOf"
"""Of the stack of one cluster: the settings file of its environment, relative to the project's folder."""
EXAMPLE = '{"eu": {"region": "europe-west4"}, "us": {"region": "us-central1"}}'
KEY = r"[a-z]([a-z0-9-]{0,18}[a-z0-9])?"
SETTINGS = {key.partition(":")[2]: key for key in CLUSTER_KEYS}
"""Settings that a cluster may have otherwise than its environment: the word to the full key."""
WORDS = ("models", "rest", *SETTINGS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One cluster as the environment's settings describe it."""

    key: str
    patterns: tuple[str, ...] = ()
    """Of the keys (`team-a-*`) or Hub ids (`Qwen/*`) of models that it has, whoever else names them too."""
    takes_rest: bool = True
    """Whether it takes its share of the models that no cluster names."""
    settings: Settings
    """What it has otherwise than the environment."""
    mark: Mark
    """Where it is described."""

    def has(self, model: ModelRequest) -> bool:
        """Whether its patterns name the model. A canary is where its primary is."""
        return any(names_it(pattern, model) for pattern in self.patterns)


def names_it(pattern: str, model: ModelRequest) -> bool:
    """Whether a pattern names a model, by its present key or a former one: a rename moves none."""
    words = (model.id,) if "/" in pattern else entry_keys(model)
    return any(fnmatchcase(word, pattern) for word in words)


def read_clusters(document: Document) -> tuple[Cluster, ...]:
    """Read the setting from an environment's settings file; the clusters in the order of their keys.

    Raises:
        InputError: every problem of the setting.
    """
    held = cast("dict[str, Any]", document.value.get("config") or {})
    word = SETTING if SETTING in held else SETTING.partition(":")[2]
    loc: Loc = ("config", word)
    said = _parsed(held.get(word))
    if not isinstance(said, dict) or not said:
        message = f"`{SETTING}` must be a mapping of clusters"
        raise InputError([document.mark(loc).problem(message, f"as in {EXAMPLE}")])
    clusters: list[Cluster] = []
    problems: list[Problem] = []
    for key, words in sorted(cast("dict[Any, Any]", said).items(), key=lambda item: str(item[0])):
        mark = document.key_mark((*loc, key))
        if not re.fullmatch(KEY, str(key)):
            message = f"`{key}` is no key of a cluster: 1 to 20 lower-case letters, digits and hyphens"
            problems.append(mark.problem(message, "it ends the names of the cluster and its buckets: eu, us-east"))
        elif not isinstance(words, dict | None):
            problems.append(mark.problem(f"the cluster `{key}` must be a mapping", "{region: europe-west4}"))
        else:
            clusters.append(
                _cluster(str(key), cast("dict[str, Any]", words or {}), document, (*loc, key), problems)
            )
    if problems:
        raise InputError(problems)
    return tuple(clusters)


def _parsed(value: Any) -> Any:
    """Return the mapping, which `pulumi config set` without `--path` writes as JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return None


def _cluster(key: str, words: Mapping[str, Any], document: Document, loc: Loc, problems: list[Problem]) -> Cluster:
    for word in words:
        if word not in WORDS:
            near = nearest(str(word), WORDS)
            hint = f"did you mean `{near}`?" if near else f"known here: {', '.join(WORDS)}"
            problems.append(document.key_mark((*loc, word)).problem(f"unknown setting `{word}` of a cluster", hint))
    listed = words.get("models", ["*"])
    if not isinstance(listed, list) or not listed or not all(isinstance(each, str) and each for each in listed):  # pyright: ignore[reportUnknownVariableType]
        hint = "as in `models: [team-a-*, Qwen/*]`"
        problems.append(
            document.mark((*loc, "models")).problem("`models` must be a list of keys or patterns", hint)
        )
    patterns = (
        tuple(str(each) for each in cast("list[Any]", listed))
        if "models" in words and isinstance(listed, list)
        else ()
    )
    rest = words.get("rest", not patterns)
    if not isinstance(rest, bool):
        message = "`rest` must be true or false: whether it takes a share of the models that no cluster names"
        problems.append(document.mark((*loc, "rest")).problem(message))
    own = {SETTINGS[word]: value for word, value in words.items() if word in SETTINGS}
    found = rooted(document, {(*loc, word): key for word, key in SETTINGS.items()}, loc)
    settings = Settings({key: config_text(value) for key, value in own.items()}, replace(found, value=own))
    mark = document.mark((*loc, "models")) if patterns else document.key_mark(loc)
    return Cluster(key=key, patterns=patterns, takes_rest=bool(rest), settings=settings, mark=mark)


def settings_of(cluster: Cluster, environment: Settings) -> Settings:
    """Return the settings of one cluster's stack.

    Its namespace ends in its key unless it names one: Workload Identity tells the accounts of a project apart by
    namespace and name only, not by cluster (facts: gke.md 4.3).
    """
    space = environment.get("hubstack:namespace") or DEFAULT_NAMESPACE
    own = {"hubstack:namespace": f"{space}-{cluster.key}", **cluster.settings}
    texts = {key: text for key, text in {**environment, **own}.items() if key != SETTING}
    return environment.overlaid(texts, cluster.settings)


def settings_problems(clusters: Iterable[Cluster], environment: Settings) -> Iterator[Problem]:
    """Yield what is wrong with the clusters taken together."""
    clusters = tuple(clusters)
    for one in clusters:
        for other in clusters:
            if other.key.startswith(f"{one.key}-"):
                message = f"`{other.key}` begins as `{one.key}` does, so names of their buckets could be the same"
                yield other.mark.problem(message, "give one of them a key that does not begin with the other's")
    spaces: dict[tuple[str, str], str] = {}
    for cluster in clusters:
        own = settings_of(cluster, environment)
        place = own.get("gcp:project", ""), own["hubstack:namespace"]
        first = spaces.setdefault(place, cluster.key)
        if first != cluster.key:
            message = (
                f"the clusters `{first}` and `{cluster.key}` have one project and one namespace (`{place[1]}`), "
                "so their models would share their rights"
            )
            yield cluster.mark.problem(message, "give one of them another `namespace:` or `project:`")


def preferred(model: ModelRequest, clusters: Collection[Cluster]) -> list[str]:
    """Return the clusters that take a model which none names, the first first (rendezvous hashing).

    What a model prefers does not depend on the other models, and another cluster takes only its own share.
    """
    held = [cluster.key for cluster in clusters if cluster.takes_rest]
    first = entry_keys(model)[-1]  # the oldest, which a rename keeps
    return sorted(held, key=lambda cluster: short_hash(first, cluster, length=16))


def clusters_of(model: ModelRequest, clusters: Collection[Cluster], recorded: Mapping[str, str]) -> tuple[str, ...]:
    """Return the keys of the clusters that have a model: those that name it, else one that takes the rest.

    Args:
        model: one entry of the list.
        clusters: all of the environment.
        recorded: the key of a model to the cluster where it stands; it stays there.
    """
    named = tuple(cluster.key for cluster in clusters if cluster.has(model))
    if named:
        return named
    order = preferred(model, clusters)
    stands = stands_in(model, recorded)
    return (stands,) if stands in order else tuple(order[:1])


def stands_in(model: ModelRequest, recorded: Mapping[str, str]) -> str | None:
    """Return the cluster that is recorded for a model under its present key, else under a former one."""
    return next((recorded[key] for key in entry_keys(model) if key in recorded), None)


def division_problems(models: Collection[ModelRequest], clusters: Collection[Cluster]) -> Iterator[Problem]:
    """Yield each model that no cluster would have, and each pattern that names no model."""
    for model in models:
        if not model.canary_of and not clusters_of(model, clusters, {}):
            hint = "name it under `models:` of a cluster, or let one take the rest (`rest: true`)"
            yield model.mark("id").problem(f"`{model.key}` is in no cluster: each takes only what it names", hint)
    words = sorted({word for model in models for word in (model.key, model.id)})
    for cluster in clusters:
        for pattern in cluster.patterns:
            if not any(names_it(pattern, model) for model in models):
                near = nearest(pattern, words)
                hint = f"did you mean `{near}`?" if near else "it is held against keys; with a `/`, against Hub ids"
                message = f"`{pattern}` of the cluster `{cluster.key}` names no model of the list"
                yield cluster.mark.problem(message, hint)
