# SPDX-License-Identifier: Apache-2.0
"""Asks registries for the digests that a lock does not have, and writes them: all of them, or none.

Owns which images are asked for, where a failure is placed, and what is said of it. An image stays at its digest
until `--upgrade-images`. A registry that cannot be reached is no failure: its images stay at their tags.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from hubstack.catalog import load_catalog
from hubstack.files.errors import InputError
from hubstack.files.file_lock import exclusive
from hubstack.files.problems import Problem
from hubstack.files.write import write_text_atomically
from hubstack.hub.facts import LockedImage
from hubstack.hub.lock import lock_path, render_lock
from hubstack.hub.remote.registry import Registries, RegistryError, UnreachableError
from hubstack.inputs.images import SETTING
from hubstack.inputs.stack import Stack
from hubstack.plan.images import ImagesPlan, read_image
from hubstack.planner.images import image_mismatches
from hubstack.planner.inputs import stack_lock
from hubstack.review.images.used import StackImage, stack_images

AT_ONCE = 8
"""Images asked for at the same time."""
_SHOWN = len("sha256:") + 12

Resolve = Callable[[str, str], LockedImage]
"""Name to ask for and published name, to what the tag names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagesLocked:
    """What changed, and what is wrong although the lock was written."""

    lines: tuple[str, ...]
    warnings: tuple[str, ...]


def lock_images(stack: Stack, *, upgrade: bool = False) -> ImagesLocked:
    """Write the digests of an environment's images to its lock.

    Args:
        stack: the environment.
        upgrade: whether to ask again for images that are locked.

    Raises:
        InputError: a registry refuses an image, or the environment cannot be planned; the lock is unchanged.
    """
    with Registries() as registries:
        return _lock_images(stack, lambda name, published: registries.resolve(name, published=published), upgrade)


def _lock_images(stack: Stack, resolve: Resolve, upgrade: bool) -> ImagesLocked:
    path, listed = stack.project_dir / stack.models_path, stack.models_path
    with exclusive(path, listed):
        held = stack_lock(stack)
        images = stack_images(stack, held)
        wanted = [each for each in images if upgrade or each.locked is None]
        answers = _ask(wanted, resolve)
        refused = [
            (each, found)
            for each, found in zip(wanted, answers, strict=True)
            if isinstance(found, RegistryError) and not isinstance(found, UnreachableError)
        ]
        if refused:
            raise InputError([_problem(stack, each, found) for each, found in refused])
        fresh = {found.image: found for found in answers if isinstance(found, LockedImage)}
        kept = {each.used.image: each.locked for each in images if each.locked}
        after = tuple((kept | fresh)[image] for image in sorted(kept | fresh))
        if after != held.images:
            text = render_lock(held.models, after)
            write_text_atomically(lock_path(path), text)
    unreachable = [
        (each, found) for each, found in zip(wanted, answers, strict=True) if isinstance(found, UnreachableError)
    ]
    return ImagesLocked(
        lines=tuple(_changes(held.images, after)),
        warnings=(*_unreached(unreachable), *image_mismatches(fresh.values(), load_catalog())),
    )


def _ask(images: Sequence[StackImage], resolve: Resolve) -> list[LockedImage | RegistryError]:
    def one(each: StackImage) -> LockedImage | RegistryError:
        published = each.used.image
        try:
            return resolve(_asked_at(each), published)
        except RegistryError as error:
            return error

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return list(pool.map(one, images))


def _asked_at(each: StackImage) -> str:
    """Return the name to ask for: in the mirror, except where the stack itself still has to create it."""
    asked = each.target.images
    if asked is None or (asked.remote and read_image(each.used.image).registry not in asked.registries):
        return each.used.image
    mirrors = asked.mirrors(each.target.project, each.target.region, each.target.stack)
    return ImagesPlan(mirrors=mirrors, digests={}).placed(each.used.image)


def _problem(stack: Stack, each: StackImage, error: RegistryError) -> Problem:
    """Return a problem at the setting that names the mirror, or at the first model that uses the image."""
    asked = _asked_at(each)
    users = [model for model in stack.listed.models if model.key in each.used.models]
    of = f": {', '.join(model.key for model in users)}" if users else ""
    text = f"the image `{asked}` ({each.used.purpose}{of}) {error.message}"
    if asked != each.used.image:
        return each.target.problem(SETTING, text, error.hint)
    if users:
        return users[0].mark("id").problem(text, error.hint)
    return Problem(path=stack.models_path, message=text, hint=error.hint)


def _unreached(failed: Sequence[tuple[StackImage, UnreachableError]]) -> Iterable[str]:
    by_registry: dict[tuple[str, bool], list[tuple[StackImage, UnreachableError]]] = {}
    for each, error in failed:
        by_registry.setdefault((error.message, each.locked is not None), []).append((each, error))
    for (reason, is_locked), rows in by_registry.items():
        what = "stay at their locked digests" if is_locked else "run by their tags, without a digest"
        names = ", ".join(each.used.image for each, _ in rows)
        yield f"{reason}; these images {what}: {names}; {rows[0][1].hint}"


def _changes(before: Sequence[LockedImage], after: Sequence[LockedImage]) -> Iterable[str]:
    old, new = ({image.image: image for image in images} for images in (before, after))
    for image, locked in new.items():
        if image not in old:
            yield f"added the image {image} at {locked.digest[:_SHOWN]}"
        elif old[image].digest != locked.digest:
            yield f"moved the image {image} from {old[image].digest[:_SHOWN]} to {locked.digest[:_SHOWN]}"
    for image in old:
        if image not in new:
            yield f"removed the image {image}"
