# SPDX-License-Identifier: Apache-2.0
"""What one stack is of its environment: the whole of it, or one of its clusters with that cluster's models.

Owns the reading of `hubstack:shardOf`, by which a cluster's stack says whose it is, and of the environment's file
that it names. A stack without it is read as it stands. Does not own the setting's words nor who has a model
(`hubstack.inputs.clusters`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hubstack.files.errors import InputError
from hubstack.files.problems import Problem, nearest
from hubstack.inputs.cluster_record import clusters_path, load_clusters_file
from hubstack.inputs.clusters import (
    SETTING,
    SHARD_OF,
    Cluster,
    clusters_of,
    division_problems,
    read_clusters,
    settings_of,
    settings_problems,
)
from hubstack.inputs.models import Request, load_request
from hubstack.inputs.pulumi_config import StackConfig, load_defaults, load_stack_config
from hubstack.inputs.settings import DEFAULT_NAMESPACE, SECRETS, Target, read_target
from hubstack.names import KEDA_NAMESPACE

_PREFIX, _SUFFIX = "Pulumi.", ".yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """An environment of several clusters."""

    name: str
    settings_file: str
    """Relative to the project's folder."""
    config: Mapping[str, str]
    """What all its clusters have, unless they say otherwise; with where its list is."""
    clusters: tuple[Cluster, ...]
    """Sorted by key."""

    @property
    def models_path(self) -> str:
        """Return its list, relative to the project's folder."""
        return self.config["hubstack:models"]

    def stack(self, cluster: Cluster) -> str:
        """Return the name of a cluster's Pulumi stack."""
        return f"{self.name}-{cluster.key}"

    def file(self, cluster: Cluster) -> str:
        """Return the settings file of a cluster's stack, relative to the project's folder."""
        return str(Path(self.settings_file).with_name(f"{_PREFIX}{self.stack(cluster)}{_SUFFIX}"))

    def target(self, cluster: Cluster) -> Target:
        """Return where a cluster goes.

        Raises:
            InputError: every setting that is missing or wrong.
        """
        config = settings_of(cluster, self.config, DEFAULT_NAMESPACE)
        name = f"{self.settings_file} (cluster {cluster.key})"
        return replace(
            read_target(self.stack(cluster), config, name), keda_namespace=f"{KEDA_NAMESPACE}-{cluster.key}"
        )

    def recorded(self, project_dir: Path) -> dict[str, str]:
        """Return which cluster took each model that none names."""
        beside = clusters_path(Path(self.models_path), self.name)
        return load_clusters_file(project_dir / beside, str(beside))

    def listed(self, project_dir: Path) -> Request:
        """Return the list that the clusters share.

        Raises:
            InputError: it is wrong, or its models cannot be divided.
        """
        request = load_request(project_dir / self.models_path, self.models_path)
        problems = list(division_problems(request.models, self.clusters))
        if problems:
            raise InputError(problems)
        return request


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One stack."""

    target: Target
    request: Request
    """Its own models."""
    listed: Request
    """The whole list, which the lock is of."""


def read_shard(project_dir: Path, stack: str, config: Mapping[str, str]) -> Shard:
    """Read where a stack goes and which models it has.

    Args:
        project_dir: folder of Pulumi.yaml; paths in the config are relative to it.
        stack: name of the Pulumi stack.
        config: full config key to text.

    Raises:
        InputError: with every problem found.
    """
    group, cluster = read_membership(project_dir, stack, config)
    if group is None or cluster is None:
        target = read_target(stack, config)
        listed = load_request(project_dir / target.models_path, target.models_path)
        return Shard(target=target, request=listed, listed=listed)
    target, listed, recorded = group.target(cluster), group.listed(project_dir), group.recorded(project_dir)
    own = [model for model in listed.models if cluster.key in clusters_of(model, group.clusters, recorded)]
    if not own:
        message = f"the cluster `{cluster.key}` has no model of {listed.path}"
        raise InputError([cluster.mark.problem(message, "name one under its `models:`, or take the cluster out")])
    return Shard(target=target, request=replace(listed, models=tuple(own)), listed=listed)


def read_where(project_dir: Path, stack: str, config: Mapping[str, str]) -> Target:
    """Read where a stack goes, without its list.

    Raises:
        InputError: with every problem of its settings.
    """
    group, cluster = read_membership(project_dir, stack, config)
    return read_target(stack, config) if group is None or cluster is None else group.target(cluster)


def read_settings(project_dir: Path, stack: str, config: Mapping[str, str]) -> Mapping[str, str]:
    """Return the settings of a stack, those of its environment among them."""
    group, cluster = read_membership(project_dir, stack, config)
    return config if group is None or cluster is None else settings_of(cluster, group.config, DEFAULT_NAMESPACE)


def read_membership(
    project_dir: Path, stack: str, config: Mapping[str, str]
) -> tuple[Group, Cluster] | tuple[None, None]:
    """Return the environment and the cluster that a stack is of; nothing where it is a whole environment.

    Raises:
        InputError: it is an environment of several clusters, or says wrongly of which it is one.
    """
    own = f"{_PREFIX}{stack}{_SUFFIX}"
    if SHARD_OF not in config:
        if config.get(SETTING):
            message = f"`{stack}` has several clusters, each with a stack of its own"
            hint = f"name one of them: {stack}-<cluster>; the clusters: `{SETTING}`"
            raise InputError([Problem(path=own, message=message, hint=hint)])
        return None, None
    group = load_group(project_dir, _named_file(project_dir, config[SHARD_OF], own))
    by_stack = {group.stack(cluster): cluster for cluster in group.clusters}
    if stack not in by_stack:
        near = nearest(stack, by_stack)
        hint = f"did you mean `{near}`?" if near else f"its stacks: {', '.join(by_stack)}"
        message = f"`{stack}` is of no cluster of {group.settings_file}"
        raise InputError(
            [Problem(path=own, message=message, hint=f"{hint}; of a cluster that is gone: docs/scale.md")]
        )
    cluster = by_stack[stack]
    defaults = load_defaults(project_dir)
    allowed = {SHARD_OF, *SECRETS}
    stray = [key for key, text in config.items() if key not in allowed and text != defaults.get(key) and _ours(key)]
    if stray:
        hint = f"a cluster's settings stand in {group.settings_file}; here are its secrets only"
        raise InputError([Problem(path=own, message=f"`{key}` is not read here", hint=hint) for key in stray])
    return group, cluster


def load_group(project_dir: Path, settings_file: str) -> Group:
    """Read the settings file of an environment of several clusters.

    Raises:
        InputError: with every problem found.
    """
    path = project_dir / settings_file
    said: StackConfig = load_stack_config(project_dir, path)
    document = said.document
    clusters = read_clusters(document)
    config = dict(said.config)
    name = path.name.removeprefix(_PREFIX).removesuffix(_SUFFIX)
    config["hubstack:models"] = config.get("hubstack:models") or f"stacks/{name}.models.yaml"
    problems = list(settings_problems(clusters, config))
    if "hubstack:budget" in config:
        message = "`hubstack:budget` is of one stack, and each cluster has one"
        mark = document.key_mark(("config", "hubstack:budget"))
        problems.append(mark.problem(message, "give each cluster a `budget:` of its own"))
    for key in said.secret_keys:
        mark = document.key_mark(("config", key))
        hint = f"for each cluster: pulumi config set --secret {key} --stack {name}-<cluster>"
        problems.append(mark.problem(f"`{key}` is encrypted for the stack `{name}`, which there is not", hint))
    if problems:
        raise InputError(problems)
    return Group(name=name, settings_file=settings_file, config=config, clusters=clusters)


def _named_file(project_dir: Path, text: str, own: str) -> str:
    """Return the path that `hubstack:shardOf` gives, where it is a settings file inside the project."""
    path = Path(text)
    is_inside = (project_dir / path).resolve().is_relative_to(project_dir.resolve()) and not path.is_absolute()
    if is_inside and path.name.startswith(_PREFIX) and path.suffix == _SUFFIX and (project_dir / path).is_file():
        return text
    hint = f"the environment's settings, relative to the project's folder: stacks/{_PREFIX}prod{_SUFFIX}"
    raise InputError([Problem(path=own, message=f"`{SHARD_OF}` is `{text}`: there is no such file", hint=hint)])


def _ours(key: str) -> bool:
    return key.startswith(("hubstack:", "gcp:"))
