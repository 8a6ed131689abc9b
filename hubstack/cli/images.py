# SPDX-License-Identifier: Apache-2.0
"""`hubstack images`, and the images of `hubstack lock`: arguments and output."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hubstack.cli.console import Env, Json, Project, load_stack, out, print_error, print_parts
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem, nearest

if TYPE_CHECKING:
    from hubstack.hub.lock import Lock
    from hubstack.inputs.stack import Stack
    from hubstack.review.images.used import StackImage

CopyTo = Annotated[
    str | None,
    typer.Option(
        "--copy-to",
        help="Print the commands that copy the images to this registry, or to a repository in one.",
        metavar="REGISTRY",
    ),
]
With = Annotated[
    str, typer.Option("--with", help="Tool for the copy commands: crane, gcrane or skopeo.", metavar="TOOL")
]


def images(
    env: Env = "dev",
    *,
    copy_to: CopyTo = None,
    tool: With = "crane",
    json: Json = False,
    project: Project = None,
) -> None:
    """Print the container images, and the commands to copy them.

    Reads the lock; asks no registry and copies nothing.
    """
    from hubstack.review.images.copy import Tool, copy_commands  # noqa: PLC0415
    from hubstack.review.images.used import images_json, stack_images  # noqa: PLC0415

    if tool not in list(Tool):
        near = nearest(tool, list(Tool))
        hint = f"did you mean `{near}`?" if near else f"programs: {', '.join(Tool)}"
        raise InputError([Problem(path="--with", message=f"unknown program `{tool}`", hint=hint)])
    registry = _registry(copy_to)
    found = stack_images(load_stack(env, project))
    commands = copy_commands(found, registry, Tool(tool)) if registry else []
    if json:
        out(images_json(found, commands))
        return
    if commands:
        print_parts(*commands)
    else:
        print_parts(_table(found), "", *_notes(found))
    unlocked = [each.used.image for each in found if each.locked is None]
    if commands and unlocked:
        print_error(f"Warning: copied by tag, because they are not in the lock: {', '.join(unlocked)}.")


def _registry(text: str | None) -> str | None:
    """Return the registry to copy to, checked as the setting of a mirror is."""
    if text is None:
        return None
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415

    from hubstack.inputs.images import Mirror  # noqa: PLC0415

    try:
        return TypeAdapter(Mirror).validate_python(text.rstrip("/"))
    except ValidationError as error:
        hint = "name a registry or a repository in one, without `https://`: europe-docker.pkg.dev/my-project/mirror"
        message = f"`{text}` {error.errors()[0]['msg']}"
        raise InputError([Problem(path="--copy-to", message=message, hint=hint)]) from None


def _table(found: "tuple[StackImage, ...]") -> Any:
    from hubstack.review.images.used import runs_by  # noqa: PLC0415
    from hubstack.review.report.tables import Column, FittedTable  # noqa: PLC0415

    def cells(name: str, texts: list[str], rank: int = 0) -> Column:
        return Column(name=name, cells=texts, rank=rank)

    return FittedTable(
        (
            cells("image", [each.used.image for each in found]),
            cells("runs by", [runs_by(each) for each in found]),
            cells(
                "digest", [each.locked.digest.removeprefix("sha256:")[:12] if each.locked else "" for each in found]
            ),
            cells("built", [(each.locked.created or "")[:10] if each.locked else "" for each in found], 3),
            cells("user", [each.locked.user if each.locked else "" for each in found], 4),
            cells("used for", [_use(each) for each in found], 2),
        )
    )


def _use(each: "StackImage") -> str:
    models = each.used.models
    return f"{len(models)} models" if len(models) > 1 else models[0] if models else each.used.purpose


def _notes(found: "tuple[StackImage, ...]") -> list[str]:
    from hubstack.review.images.used import runs_by  # noqa: PLC0415

    lines: list[str] = []
    by_tag = [each for each in found if runs_by(each) == "tag"]
    lines.append(f"{len(found) - len(by_tag)} of {len(found)} images run by digest.")
    if any(each.locked is None for each in by_tag):
        lines.append("Not locked: run `hubstack lock`, which asks the registries for the digests.")
    held = sorted({each.used.chart for each in by_tag if each.locked and each.used.chart})
    if held:
        lines.append(f"Locked, but run by tag, because the chart accepts no digest: {', '.join(held)}.")
    moved = sorted(
        {each.reference.rpartition("/")[0] for each in found if not each.reference.startswith(each.used.image)}
    )
    if moved:
        lines.append(f"Pulled from: {', '.join(moved)}.")
    return lines


def lock_stack_images(stack: "Stack", *, upgrade: bool) -> list[str]:
    """Write the digests of the images to the lock; return a line for each change, and print the warnings."""
    from hubstack.review.images.lock import lock_images  # noqa: PLC0415

    found = lock_images(stack, upgrade=upgrade)
    for warning in found.warnings:
        print_error(f"Warning: {warning}.")
    return list(found.lines)


def unlocked_images(stack: "Stack", held: "Lock") -> list[str]:
    """Return a line for each image that the lock lacks or no longer needs; none if it has no images."""
    if not held.images:
        return []
    from hubstack.review.images.used import image_differences  # noqa: PLC0415

    return image_differences(stack, held)
