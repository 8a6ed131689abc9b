# SPDX-License-Identifier: Apache-2.0
"""The commands that need no project: new, docs. Registered by `hubstack.cli.app`."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from hubstack.cli.console import out, print_error, print_parts, program_name, runs_in_clone, status
from hubstack.files.bundled import bundled
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem, nearest
from hubstack.inputs.new.recipes import Recipe


def new(
    folder: Annotated[
        Path, typer.Argument(help="New or empty folder; an empty git repository is one.", metavar="DIR")
    ],
    *,
    ci: Annotated[Recipe, typer.Option("--ci", help="What to write for CI.")] = Recipe.NONE,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the Pulumi project. Default: that of the folder.")
    ] = None,
) -> None:
    """Create a repository that uses hubstack as a dependency.

    Writes a program, two stacks with a first list, a policy and CI. Then `uv lock` pins the packages; only that
    contacts the package index.
    """
    from hubstack.files.uv import UvError  # noqa: PLC0415
    from hubstack.inputs.environment import find_environment  # noqa: PLC0415
    from hubstack.inputs.new import ENVIRONMENTS, lock_packages, project_of, written  # noqa: PLC0415
    from hubstack.inputs.stack import Stack  # noqa: PLC0415
    from hubstack.planner.inputs import StackInputs  # noqa: PLC0415
    from hubstack.planner.placement.write_placement import write_places  # noqa: PLC0415

    project = project_of(folder, name, ci)
    with written(project) as scratch:
        for env in ENVIRONMENTS:
            write_places(StackInputs.of(Stack.load(find_environment(env, scratch, scratch))))
    print_parts(f"wrote {folder}: a Pulumi program with the stacks {' and '.join(ENVIRONMENTS)}")
    into = f"cd {shlex.quote(str(folder))}"
    try:
        with status("running uv lock"):
            lock_packages(folder)
    except UvError as error:
        print_error(f"uv.lock was not written: {error}\n    hint: {into} && uv lock; CI needs the file")
    else:
        print_parts(f"wrote {folder / 'uv.lock'}: hubstack and its packages, pinned")
    print_parts(f"next: {into} && uv run hubstack preview dev")


def docs(
    page: Annotated[str | None, typer.Argument(help="A page: guides/add-a-model.", metavar="[PAGE]")] = None,
) -> None:
    """Print a page of the documentation; without PAGE, list the pages."""
    root = bundled("docs")
    pages = {path.relative_to(root).as_posix().removesuffix(".md"): path for path in sorted(_pages(root))}
    pages["changelog"] = bundled("CHANGELOG.md")
    if page is None:
        print_parts(*(f"{name}: {_title(path)}" for name, path in pages.items() if path.suffix == ".md"))
        return
    asked = page.removeprefix("docs/").removesuffix(".md")
    if asked not in pages:
        near = nearest(asked, pages)
        hint = f"did you mean `{near}`?" if near else "`hubstack docs` lists the pages"
        raise InputError([Problem(path=page, message="is not a page of the documentation", hint=hint)])
    text = pages[asked].read_text("utf-8")
    if asked.endswith(".json"):
        out(text)
    else:  # a page is written for a clone
        print_parts((text if runs_in_clone() else text.replace("./dev ", f"{program_name()} ")).rstrip("\n"))


def _pages(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.suffix == ".md" or path.name.endswith(".schema.json")]


def _title(path: Path) -> str:
    first = path.read_text("utf-8").splitlines()[0]
    return first.removeprefix("# ")
