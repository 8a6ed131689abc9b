# SPDX-License-Identifier: Apache-2.0
"""`hubstack init`: the files of a new environment.

Owns writing the files without replacing existing ones. Does not own how models are found.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hubstack.files.errors import InputError
from hubstack.files.problems import Problem, nearest
from hubstack.files.write import write_text_atomically
from hubstack.inputs.init.entry import Entry, Found, Unknown
from hubstack.inputs.init.listing import render_list
from hubstack.inputs.pulumi_config import load_stack_config
from hubstack.inputs.settings import read_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class InitOptions:
    """The environment to create, and its options."""

    env: str
    """Name of the stack."""
    project_dir: Path
    gcp_project: str | None = None
    """For a new Pulumi.<env>.yaml."""
    region: str | None = None
    force: bool = False
    """Replace an existing list."""


def check_options(options: InitOptions) -> str:
    """Validate the options and return the path of the new list, relative to the project.

    Raises:
        InputError: the name or the options are invalid, or files already exist. Nothing is written.
    """
    problems: list[Problem] = []
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,62}", options.env):
        hint = "use lower-case letters, digits, `-`, `_` and `.`"
        raise InputError([Problem(path=options.env, message="is not a valid environment name", hint=hint)])
    config, shown = _config_path(options), f"stacks/Pulumi.{options.env}.yaml"
    name = f"stacks/{options.env}.models.yaml"
    if config.is_file():
        name = load_stack_config(options.project_dir, config).config.get("hubstack:models") or name
        if options.gcp_project or options.region:
            message = "already exists: --gcp-project and --region apply to new environments only"
            problems.append(Problem(path=shown, message=message, hint="omit them, or edit the file"))
    elif not (options.gcp_project and options.region):
        message = "does not exist yet, and creating it needs a project and a region"
        problems.append(
            Problem(path=shown, message=message, hint=f"pass --gcp-project ID --region REGION{_others(options)}")
        )
    else:
        problems += _target_problems(options)
    if (options.project_dir / name).exists() and not options.force:
        hint = "pass --force to replace it"
        problems.append(Problem(path=name, message="already exists; nothing was changed", hint=hint))
    if problems:
        raise InputError(problems)
    return name


def write_environment(options: InitOptions, found: Found) -> list[str]:
    """Write the model list, and the stack's settings if they do not exist; return the lines to print.

    Raises:
        InputError: as for `check_options`, or no model was found. Nothing is written.
    """
    name = check_options(options)
    if not found.entries:
        problems = [Problem(path=each.origin, message=each.why, hint=_hint(each)) for each in found.unknown]
        rest = f" ({'; '.join(found.skipped)})" if found.skipped else ""
        raise InputError(
            [*problems, Problem(path=found.source, message=f"no models found{rest}; nothing was written")]
        )
    text, entries = render_list(found, name, _schema(options.project_dir, name))
    target, config = options.project_dir / name, _config_path(options)
    target.parent.mkdir(parents=True, exist_ok=True)
    lines = _report(found, entries)
    if not config.is_file():
        settings = f"config:\n  gcp:project: {options.gcp_project}\n  gcp:region: {options.region}\n"
        write_text_atomically(config, settings)
        lines.append(f"wrote stacks/{config.name}")
    write_text_atomically(target, text)
    count = f"{len(entries)} model{'s' if len(entries) > 1 else ''}"
    return [*lines, f"wrote {name}: {count}", f"review its comments, then run: `hubstack lock {options.env}`"]


def _schema(project_dir: Path, name: str) -> str | None:
    """Return where the project keeps the list's schema: of `hubstack new`, or of a clone."""
    paths = (project_dir / folder / "models.schema.json" for folder in ("schemas", "docs/reference"))
    found = next((path for path in paths if path.is_file()), None)
    return Path(os.path.relpath(found, (project_dir / name).parent)).as_posix() if found else None


def _config_path(options: InitOptions) -> Path:
    return options.project_dir / "stacks" / f"Pulumi.{options.env}.yaml"


def _others(options: InitOptions) -> str:
    stacks = sorted(path.name[7:-5] for path in (options.project_dir / "stacks").glob("Pulumi.*.yaml"))
    near = nearest(options.env, stacks)
    return f"; or did you mean `{near}`?" if near else ""


def _target_problems(options: InitOptions) -> tuple[Problem, ...]:
    try:
        read_settings(options.env, {"gcp:project": options.gcp_project or "", "gcp:region": options.region or ""})
    except InputError as error:
        return error.problems
    return ()


def _hint(unknown: Unknown) -> str:
    is_told = unknown.guess is None or unknown.guess in unknown.hint
    return unknown.hint if is_told else f"{unknown.hint} (`{unknown.guess}`?)"


def _report(found: Found, entries: Sequence[Entry]) -> list[str]:
    lines: list[str] = []
    for entry in entries:
        lines += [f"{entry.id}: {entry.origin}", *(f"  {note}" for note in entry.notes)]
    for each in found.unknown:
        lines += [f"not listed: {each.origin}: {each.why}", f"  {_hint(each)}"]
    return [*lines, *found.skipped]
