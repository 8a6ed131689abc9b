# SPDX-License-Identifier: Apache-2.0
"""The commands of a stack that is kept in git. Parse arguments, call, print; `hubstack.cli` registers them.

Exit codes as there: 0 fine, 1 a check found something, 2 bad input or usage.
"""

from typing import Annotated

import typer

from hubstack.console import Check, Project, config_of, environment_of, models_path, print_parts

Only = Annotated[list[str] | None, typer.Option("--model", help="Key of a model to promote. Repeatable; else all.")]


def promote(
    source: Annotated[str, typer.Argument(help="Where it was tried: dev.")],
    target: Annotated[str, typer.Argument(help="Where it goes: prod.")],
    *, model: Only = None, check: Check = False, project: Project = None,
) -> None:  # fmt: skip
    """Copy locked commits from one environment to another, without asking the Hub."""
    from hubstack.promotion import write_promotion  # noqa: PLC0415

    to = environment_of(target, project)
    lines = write_promotion(
        to.project_dir, models_path(environment_of(source, project)), models_path(to), model or [], check=check
    )
    print_parts(*lines or [f"{target} has what {source} has"])
    raise typer.Exit(1 if check and lines else 0)
