# SPDX-License-Identifier: Apache-2.0
"""What every command shares: its common arguments, the environment that they name, and how it prints.

Owns no command: those are in `hubstack.cli` and `hubstack.cli_gitops`.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from hubstack.environment import Environment, find_environment, find_project

Env = Annotated[str, typer.Argument(help="A stack of stacks/ (dev), or a folder such as examples/fleet.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Check = Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if the file is not fresh.")]
Project = Annotated[Path | None, typer.Option("--project", help="Folder of Pulumi.yaml. Default: here or above.")]


def environment_of(env: str, project: Path | None) -> Environment:
    """Return the environment that a command's arguments name."""
    here = Path.cwd()
    return find_environment(env, (project or find_project(here)).resolve(), here)


def config_of(environment: Environment) -> Mapping[str, str]:
    """Return the settings of its Pulumi.<stack>.yaml: full key to text."""
    from hubstack.stack_config import load_stack_config  # noqa: PLC0415

    return load_stack_config(environment.project_dir, environment.config_file).config


def models_path(environment: Environment) -> str:
    """Return its list, as it is named from the project's folder."""
    return config_of(environment).get("hubstack:models", f"stacks/{environment.stack}.models.yaml")


def progress(text: str) -> None:
    """Say on a terminal what is being done."""
    if sys.stderr.isatty():
        Console(stderr=True).print(text, highlight=False, markup=False)


def print_parts(*parts: Any) -> None:
    """Print texts and tables, one under the other."""
    from hubstack.problems import inert  # noqa: PLC0415
    from hubstack.terminal import SafeConsole  # noqa: PLC0415

    console = SafeConsole(
        highlight=False, markup=False, soft_wrap=False, width=None if sys.stdout.isatty() else 200
    )
    for part in parts:
        # A sentence is wrapped by the terminal; only tables are laid out here.
        with console.capture() as held:
            console.print(part, soft_wrap=isinstance(part, str))
        sys.stdout.write(inert(held.get()))


def out(text: str) -> None:
    """Print JSON, which is for a program."""
    from hubstack.terminal import safe_json  # noqa: PLC0415

    sys.stdout.write(safe_json(text))
