# SPDX-License-Identifier: Apache-2.0
"""`hubstack init`: the files of a new environment.

Owns reading and writing the files without replacing existing ones. Does not own how models are found.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hubstack.catalog import load_catalog
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem, nearest
from hubstack.files.write import write_text_atomically
from hubstack.inputs.init.compositions import composed
from hubstack.inputs.init.entry import Entry, Found, Unknown, with_note
from hubstack.inputs.init.listing import render_list
from hubstack.inputs.init.nodes import compute_classes
from hubstack.inputs.init.objects import STDIN, read_objects
from hubstack.inputs.init.operators import read_operator
from hubstack.inputs.init.overlays import read_overlays
from hubstack.inputs.init.servers import one_for_all_roles, read_workload, without_prefill
from hubstack.inputs.init.unread import may_serve, passed_over
from hubstack.inputs.init.workloads import NOT_SERVED, Workload, config_maps, workloads
from hubstack.inputs.pulumi_config import load_stack_config
from hubstack.inputs.settings import read_settings

_NAMED = 12
"""Maximum workloads or files named in one sentence; the rest are counted."""


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


def read_manifests(names: Sequence[str]) -> Found:
    """Return the models served by the Kubernetes objects in files and folders.

    Raises:
        InputError: files cannot be read; lists every problem.
    """
    read = read_objects(names, may_serve)
    overlays = read_overlays(read.objects)
    objects = [part for part in read.objects if part.mark.path not in overlays.patches | overlays.harmless]
    objects, incomplete = composed(objects)
    maps, catalog = config_maps(objects), load_catalog()
    entries: list[Entry] = []
    unknown = [_unknown_file(each) for each in read.broken]
    others: list[str] = []
    passed: dict[str, None] = {}
    classes = compute_classes(objects, catalog)
    held: dict[int, list[Workload]] = {}
    for workload in workloads(objects):
        held.setdefault(id(workload.root), []).append(workload)
    for part in objects:
        found: list[Entry | Unknown] = read_operator(part, catalog)
        if not any(isinstance(each, Entry) for each in found):
            served: list[Entry | Unknown] = []
            for workload in held.get(id(part), ()):
                if not served or workload.role:  # workers serve what their leader serves
                    served += read_workload(workload, maps, catalog, classes) or ()
            is_job = part.at("kind").text in NOT_SERVED
            found = one_for_all_roles(served) or (
                _without_engine(found) if id(part) in held and not is_job else found
            )
            if not found and id(part) in held:
                others.append(held[id(part)][0].label)
            elif not found and (label := passed_over(part)):
                passed[label] = None
        notes = (*overlays.notes.get(part.mark.path, ()), *incomplete.get(id(part), ()))
        entries += [with_note(each, *notes) for each in found if isinstance(each, Entry)]
        unknown += [replace(each, why="; ".join((each.why, *notes))) for each in found if isinstance(each, Unknown)]
    skipped = [f"no model server found in {_first(others)}"] if others else []
    if passed:
        skipped.append(f"not read, and no model found in it: {_first([*passed])}")
    if read.templates:
        hint = "pass the output of `helm template`"
        skipped.append(f"templates of charts are not read, {hint}: {_first(read.templates)}")
    shown = ", ".join("standard input" if name == STDIN else name for name in names)
    return Found(
        source=shown, entries=tuple(without_prefill(entries)), unknown=tuple(unknown), skipped=tuple(skipped)
    )


def _unknown_file(problem: Problem) -> Unknown:
    place = f"{problem.path}:{problem.line}" if problem.line else problem.path
    hint = problem.hint or "if it serves a Hub model, mend it, or list its model by hand"
    return Unknown(origin=place, why=f"the file is not read: {problem.message}", hint=hint)


def _without_engine(found: Sequence[Entry | Unknown]) -> list[Entry | Unknown]:
    """Return what is not read of an object whose pods are read and run no known engine."""
    hint = "if it serves a Hub model, list it by hand"
    return [
        replace(each, why="its pods run no known engine", hint=hint) if isinstance(each, Unknown) else each
        for each in found
    ]


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


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
