# SPDX-License-Identifier: Apache-2.0
"""Finds the environment that a command names: a stack in `stacks/`, or a folder that contains one.

Owns the search. Does not read the contents of the files.
"""

from dataclasses import dataclass
from pathlib import Path

from hubstack.files.errors import InputError
from hubstack.files.problems import Problem, nearest

PROJECT_FILE = "Pulumi.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One Pulumi stack and its files."""

    project_dir: Path
    stack: str
    config_file: Path


def find_project(start: Path) -> Path:
    """Return the nearest folder at or above `start` that contains Pulumi.yaml."""
    for folder in (start, *start.parents):
        if (folder / PROJECT_FILE).is_file():
            return folder
    hint = "`hubstack new DIR` creates a project; or run this inside one, or pass --project"
    raise InputError(
        [Problem(path=str(start), message=f"no {PROJECT_FILE} in this folder or any parent", hint=hint)]
    )


def find_environment(name: str, project_dir: Path, working_dir: Path) -> Environment:
    """Return the environment for a stack name (`dev`) or a folder (`examples/fleet`, `examples/sharded/eu`)."""
    config = project_dir / "stacks" / f"Pulumi.{name}.yaml"
    is_folder = (working_dir / name).is_dir() or (project_dir / name).is_dir()
    if "/" in name or (is_folder and not (config.is_file() and not _has_settings(name, project_dir, working_dir))):
        return _of_folder(name, project_dir, working_dir)
    if config.is_file():
        return Environment(project_dir=project_dir, stack=name, config_file=config)
    stacks = sorted(path.name[7:-5] for path in (project_dir / "stacks").glob("Pulumi.*.yaml"))
    near = nearest(name, stacks)
    hint = f"did you mean `{near}`?" if near else f"stacks: {', '.join(stacks) or 'none'}; or pass a folder"
    raise InputError([Problem(path=f"stacks/Pulumi.{name}.yaml", message=f"no stack named `{name}`", hint=hint)])


def _of_folder(name: str, project_dir: Path, working_dir: Path) -> Environment:
    folder = _folder(name, project_dir, working_dir)
    # One cluster of the environment in a folder: `examples/sharded/eu`.
    parent, _, cluster = name.rstrip("/").rpartition("/")
    around = _folder(parent, project_dir, working_dir) if parent else None
    configs = _whole(folder) if folder else []
    if not configs and around:
        configs = [
            path for root in _whole(around) for path in [root.with_stem(f"{root.stem}-{cluster}")] if path.is_file()
        ]
    if folder is None and not configs:
        hint = _nearest_folder(name, project_dir, working_dir)
        raise InputError([Problem(path=name, message="no such folder", hint=hint)])
    if len(configs) != 1:
        found = ", ".join(path.name for path in configs) or "none"
        message = f"a folder must contain exactly one Pulumi.<stack>.yaml; found: {found}"
        raise InputError([Problem(path=name, message=message, hint="pass the stack instead: `hubstack plan dev`")])
    return Environment(project_dir=project_dir, stack=configs[0].name[7:-5], config_file=configs[0])


def _folder(name: str, project_dir: Path, working_dir: Path) -> Path | None:
    return next((folder for folder in (working_dir / name, project_dir / name) if folder.is_dir()), None)


def _nearest_folder(name: str, project_dir: Path, working_dir: Path) -> str:
    """Return the hint for a folder that is missing: the one beside it that was meant, if there is one."""
    meant = Path(name)
    around = _folder(str(meant.parent), project_dir, working_dir)
    beside = sorted({path.parent.name for path in around.glob("*/Pulumi.*.yaml")}) if around else []
    near = nearest(meant.name, beside)
    if near:
        return f"did you mean `{meant.with_name(near)}`?"
    return "pass the name of a stack in stacks/, or a folder that contains a Pulumi.<stack>.yaml"


def _has_settings(name: str, project_dir: Path, working_dir: Path) -> bool:
    folder = _folder(name, project_dir, working_dir)
    return folder is not None and bool(_whole(folder))


def _whole(folder: Path) -> list[Path]:
    """Return a folder's settings files, except those of clusters, which start with their environment's name."""
    found = sorted(folder.glob("Pulumi.*.yaml"))
    return [path for path in found if not any(path.stem.startswith(f"{other.stem}-") for other in found)]
