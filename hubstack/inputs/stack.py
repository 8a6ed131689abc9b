# SPDX-License-Identifier: Apache-2.0
"""Reads the input files of one stack: its settings and its model list.

A stack is a whole environment, or one cluster of an environment with several. The stack of a cluster names its
environment's settings file in `hubstack:shardOf`; that file and the shared list are read for it. Does not own the
keys of the settings or which cluster serves which model (`hubstack.inputs.clusters`).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
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
from hubstack.inputs.environment import Environment
from hubstack.inputs.models import Request, load_request
from hubstack.inputs.pulumi_config import (
    SECRET_PLACEHOLDER,
    PulumiProject,
    Settings,
    StackConfig,
    load_project,
    placed,
)
from hubstack.inputs.settings import SECRETS, StackSettings, default_models_path, read_settings
from hubstack.names import KEDA_NAMESPACE

_PREFIX, _SUFFIX = "Pulumi.", ".yaml"


@dataclass(frozen=True, kw_only=True)
class Group:
    """An environment with several clusters."""

    project: PulumiProject
    name: str
    settings_file: str
    """Path relative to the project folder."""
    config: Settings
    """Settings of all its clusters, unless a cluster overrides them."""
    clusters: tuple[Cluster, ...]
    """Sorted by key."""

    @classmethod
    def load(cls, project: PulumiProject, settings_file: str) -> "Group":
        """Read the settings file of an environment with several clusters.

        Args:
            project: the project that the environment belongs to.
            settings_file: path relative to the project folder.

        Raises:
            InputError: the settings are invalid; lists every problem.
        """
        return cls.of(project, settings_file, project.load_config(project.folder / settings_file))

    @classmethod
    def of(cls, project: PulumiProject, settings_file: str, own: StackConfig) -> "Group":
        """Return the environment that a parsed settings file describes; see `load` for arguments and errors."""
        document = own.document
        name = Path(settings_file).name.removeprefix(_PREFIX).removesuffix(_SUFFIX)
        clusters = read_clusters(document)
        models = {"hubstack:models": own.config.get("hubstack:models") or default_models_path(name)}
        config = Settings({**own.config, **models}, own.config.document, own.config.warnings)
        problems = list(settings_problems(clusters, config))
        if "hubstack:budget" in config:
            message = "`hubstack:budget` applies to a single stack, and each cluster is a stack"
            mark = document.key_mark(("config", "hubstack:budget"))
            problems.append(mark.problem(message, "give each cluster its own `budget:`"))
        for key in own.secret_keys:
            mark = document.key_mark(("config", key))
            hint = f"set it for each cluster: pulumi config set --secret {key} --stack {name}-<cluster>"
            message = f"`{key}` is encrypted for the stack `{name}`, which does not exist"
            problems.append(mark.problem(message, hint))
        if problems:
            raise InputError(problems)
        return cls(project=project, name=name, settings_file=settings_file, config=config, clusters=clusters)

    @property
    def models_path(self) -> str:
        """Path of the model list that the clusters share, relative to the project folder."""
        return self.config["hubstack:models"]

    @property
    def record_path(self) -> Path:
        """Path of the record of each model's cluster, relative to the project folder."""
        return clusters_path(Path(self.models_path), self.name)

    def stack_name(self, cluster: Cluster) -> str:
        """Return the name of a cluster's Pulumi stack."""
        return f"{self.name}-{cluster.key}"

    def file(self, cluster: Cluster) -> str:
        """Return the path of a cluster's settings file, relative to the project folder."""
        return str(Path(self.settings_file).with_name(f"{_PREFIX}{self.stack_name(cluster)}{_SUFFIX}"))

    def settings(self, cluster: Cluster) -> StackSettings:
        """Return the settings of a cluster.

        Raises:
            InputError: settings are missing or invalid; lists every problem.
        """
        settings = read_settings(self.stack_name(cluster), settings_of(cluster, self.config))
        return settings.changed(keda_namespace=f"{KEDA_NAMESPACE}-{cluster.key}")

    def load_stack(self, cluster: Cluster, recorded: Mapping[str, str] | None = None) -> "Stack":
        """Read the stack of one cluster.

        Args:
            cluster: one of `clusters`.
            recorded: replaces the property of that name if the file is out of date.

        Raises:
            InputError: the cluster's settings file is invalid; lists every problem.
        """
        name, own = self.stack_name(cluster), self.project.load_config(self.project.folder / self.file(cluster))
        stack = Stack(
            project_dir=self.project.folder,
            name=name,
            config=own.config,
            own_file=own,
            group=self,
            cluster=_cluster_of(self, self.project, name, own.config),
        )
        return stack if recorded is None else replace(stack, recorded=recorded)

    @cached_property
    def recorded(self) -> Mapping[str, str]:
        """The cluster of each model that no cluster names: model key to cluster key."""
        return load_clusters_file(self.project.folder / self.record_path, str(self.record_path))

    @cached_property
    def listed(self) -> Request:
        """The model list that the clusters share.

        Raises:
            InputError: the list is invalid; lists every problem.
        """
        return load_request(self.project.folder / self.models_path, self.models_path)

    @cached_property
    def all_models(self) -> Request:
        """The same list, each of whose models a cluster serves.

        Raises:
            InputError: the list is invalid, or its models cannot be assigned to clusters.
        """
        problems = list(division_problems(self.listed.models, self.clusters))
        if problems:
            raise InputError(problems)
        return self.listed


@dataclass(frozen=True, kw_only=True)
class Stack:
    """One Pulumi stack; each of its files is read once, on first use."""

    project_dir: Path
    """Folder of Pulumi.yaml; paths in the settings are relative to it."""
    name: str
    config: Mapping[str, str]
    """Its own settings: full config key (`gcp:project`) to text, as Pulumi passes them to a program."""
    own_file: StackConfig | None = None
    """The file that `config` was read from; None inside the program, which gets its config from Pulumi."""
    group: Group | None = None
    """The environment with several clusters that it belongs to or is; None for a single-cluster stack."""
    cluster: Cluster | None = None
    recorded: Mapping[str, str] | None = None
    """The cluster of each model, if those recorded in `group` are out of date."""

    @classmethod
    def load(cls, environment: Environment) -> "Stack":
        """Read the settings of a stack.

        Raises:
            InputError: its settings files are invalid; lists every problem.
        """
        project = load_project(environment.project_dir)
        own = project.load_config(environment.config_file)
        name, group, cluster = environment.stack, None, None
        if SHARD_OF in own.config:
            group, cluster = _membership(project, name, own.config)
        elif SETTING in own.config:
            file = environment.config_file
            if not file.is_relative_to(project.folder):  # the clusters' stacks refer to it from there
                raise InputError([Problem(path=str(file), message=f"is outside the project {project.folder}")])
            group = Group.of(project, str(file.relative_to(project.folder)), own)
        return cls(
            project_dir=project.folder, name=name, config=own.config, own_file=own, group=group, cluster=cluster
        )

    @classmethod
    def of_program(cls, project_dir: Path, name: str, config: Mapping[str, str]) -> "Stack":
        """Return the stack whose program is running.

        Args:
            project_dir: folder of Pulumi.yaml.
            name: name of the stack.
            config: full config key to text, as Pulumi passes it to the program.

        Raises:
            InputError: it is one cluster of an environment whose settings are invalid.
        """
        group, cluster = None, None
        if SHARD_OF in config:
            group, cluster = _membership(load_project(project_dir), name, config)
        return cls(project_dir=project_dir, name=name, config=config, group=group, cluster=cluster)

    @property
    def source(self) -> StackConfig:
        """Its settings file.

        Raises:
            ValueError: called inside the program, which reads no file.
        """
        if self.own_file is None:
            raise ValueError(f"the program of {self.name} gets its config from Pulumi and reads no file")
        return self.own_file

    @property
    def divided(self) -> Group | None:
        """The clusters of this environment, each a separate stack; None if this is a single stack."""
        return self.group if self.cluster is None else None

    @property
    def models_path(self) -> str:
        """Path of its model list, as in the settings, relative to the project folder."""
        config = self.group.config if self.group else self.config
        return config.get("hubstack:models") or default_models_path(self.name)

    @cached_property
    def settings(self) -> StackSettings:
        """Its settings, validated.

        Raises:
            InputError: settings are missing or invalid, or this is an environment with several clusters.
        """
        if self.group and self.cluster:
            return self.group.settings(self.cluster)
        if self.config.get(SETTING):
            message = f"`{self.name}` has several clusters, each a separate stack"
            hint = f"use the stack of one cluster: {self.name}-<cluster>; `{SETTING}` lists the clusters"
            raise InputError([Problem(path=f"{_PREFIX}{self.name}{_SUFFIX}", message=message, hint=hint)])
        return read_settings(self.name, self.config)

    @cached_property
    def listed(self) -> Request:
        """The whole model list, including models of other clusters; the lock covers all of it.

        Raises:
            InputError: the list is invalid; lists every problem.
        """
        self.require_models()
        if self.group:
            return self.group.listed
        return load_request(self.project_dir / self.models_path, self.models_path)

    @property
    def all_models(self) -> Request:
        """The same list, under valid settings.

        Raises:
            InputError: the list or the settings are invalid, or no cluster serves a model; lists every problem.
        """
        if self.group:
            self.require_models()
            return self.group.all_models
        _ = self.settings
        return self.listed

    def require_models(self) -> None:
        """Check that the model list exists.

        Raises:
            InputError: it does not; says which setting or default names it.
        """
        path = self.models_path
        if os.path.lexists(self.project_dir / path):
            return
        config = self.group.config if self.group else self.config
        file = self.group.settings_file if self.group else f"{_PREFIX}{self.name}{_SUFFIX}"
        hint = (
            f"`hubstack:models` is not set in {file}: set it, or create this file, for example with `hubstack init`"
        )
        if "hubstack:models" in config:
            hint = f"`hubstack:models` in {file} names this file: create it, or correct the setting"
        raise InputError([Problem(path=path, message="is missing: there is no model list", hint=hint)])

    @cached_property
    def request(self) -> Request:
        """The models that this stack serves.

        Raises:
            InputError: the list is invalid, or the cluster has no models.
        """
        group, cluster = self.group, self.cluster
        if group is None or cluster is None:
            return self.all_models
        recorded = group.recorded if self.recorded is None else self.recorded
        own = [m for m in self.all_models.models if cluster.key in clusters_of(m, group.clusters, recorded)]
        if not own:
            message = f"the cluster `{cluster.key}` serves no model from {self.all_models.path}"
            hint = "list one under its `models:`, or remove the cluster"
            raise InputError([cluster.mark.problem(message, hint)])
        return replace(self.all_models, models=tuple(own))

    @property
    def elsewhere(self) -> dict[str, list[str]]:
        """The models of the environment's other clusters: model key to the stacks that serve it."""
        group, cluster = self.group, self.cluster
        found: dict[str, list[str]] = {}
        if group is None or cluster is None:
            return found
        for model in self.all_models.models:
            homes = clusters_of(model, group.clusters, group.recorded)
            others = [
                group.stack_name(each) for each in group.clusters if each.key in homes and each is not cluster
            ]
            if others:
                found[model.key] = others
        return found


def _membership(project: PulumiProject, name: str, config: Mapping[str, str]) -> tuple[Group, Cluster]:
    group = Group.load(project, _named_file(project.folder, config[SHARD_OF], f"{_PREFIX}{name}{_SUFFIX}"))
    return group, _cluster_of(group, project, name, config)


def _cluster_of(group: Group, project: PulumiProject, name: str, config: Mapping[str, str]) -> Cluster:
    """Return the cluster with a stack name; settings that belong in the environment's file are refused."""
    own = f"{_PREFIX}{name}{_SUFFIX}"
    by_stack = {group.stack_name(cluster): cluster for cluster in group.clusters}
    if name not in by_stack:
        near = nearest(name, by_stack)
        hint = f"did you mean `{near}`?" if near else f"stacks: {', '.join(by_stack)}"
        message = f"`{name}` is not a cluster of {group.settings_file}"
        raise InputError(
            [
                Problem(
                    path=own,
                    message=message,
                    hint=f"{hint}; if you removed the cluster, see docs/concepts/scale.md",
                )
            ]
        )
    allowed, defaults = {SHARD_OF, *SECRETS}, project.defaults
    stray = [key for key, text in config.items() if key not in allowed and text != defaults.get(key) and _ours(key)]
    if stray:
        hint = f"move it to {group.settings_file}; only a cluster's secrets belong here"
        raise InputError([Problem(path=own, message=f"`{key}` is not read here", hint=hint) for key in stray])
    if plain := [key for key in SECRETS if config.get(key) not in {None, "", SECRET_PLACEHOLDER}]:
        message, hint = "`{key}` is a secret in plain text", "pulumi config set --secret {key} --stack " + name
        problems = [
            Problem(path=own, message=message.format(key=key), hint=hint.format(key=key), setting=key)
            for key in plain
        ]
        raise InputError(placed(config, problems))
    return by_stack[name]


def _named_file(project_dir: Path, text: str, own: str) -> str:
    """Return the path in `hubstack:shardOf`, which must be a settings file inside the project."""
    path = Path(text)
    is_inside = (project_dir / path).resolve().is_relative_to(project_dir.resolve()) and not path.is_absolute()
    if is_inside and path.name.startswith(_PREFIX) and path.suffix == _SUFFIX and (project_dir / path).is_file():
        return text
    hint = f"name the environment's settings file, relative to the project folder: stacks/{_PREFIX}prod{_SUFFIX}"
    raise InputError([Problem(path=own, message=f"`{SHARD_OF}` is `{text}`, which does not exist", hint=hint)])


def _ours(key: str) -> bool:
    return key.startswith(("hubstack:", "gcp:"))
