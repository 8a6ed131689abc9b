# SPDX-License-Identifier: Apache-2.0
"""Promotion: copies lock entries from one environment to another.

Owns which entries of the target's lock take the source's commit and facts. Does not query the Hub: the target gets
exactly what was tested in the source. `promote` is pure; `write_promotion` reads and writes the files.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hubstack.files.errors import InputError
from hubstack.files.file_lock import exclusive
from hubstack.files.problems import Problem, listed, nearest
from hubstack.files.write import write_text_atomically
from hubstack.hub.facts import LockedImage, ModelFacts
from hubstack.hub.lock import Lock, load_lock, lock_key, lock_path, render_lock
from hubstack.inputs.models import ModelRequest, Request, load_request

_SHOWN = 12
"""Hex digits of a commit in a message."""
_DIGEST_SHOWN = len("sha256:") + _SHOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One environment of a promotion."""

    request: Request
    lock: Lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One entry of the target's lock that differs from the source's."""

    keys: tuple[str, ...]
    """Keys of the target's models that use it."""
    before: ModelFacts | None
    """None if the target has not locked it yet."""
    after: ModelFacts

    def render(self) -> str:
        """Return the change as one line."""
        name, new = ", ".join(self.keys), self.after.commit[:_SHOWN]
        if self.before is None:
            return f"{name}: adds {self.after.id} at {new}"
        if self.before.commit == self.after.commit:
            return f"{name}: {self.after.id} remains at {new}, with updated facts"
        return f"{name}: {self.after.id} moves from {self.before.commit[:_SHOWN]} to {new}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """The target's lock after a promotion."""

    models: tuple[ModelFacts, ...]
    moves: tuple[Move, ...]
    """Sorted by key."""
    images: tuple[LockedImage, ...]
    """Images of both locks, at the source's digests if all models are promoted."""
    image_moves: tuple[str, ...] = ()
    """One line for each image that gets the source's digest."""


def promote(source: Side, target: Side, only: Collection[str] = ()) -> Promotion:
    """Return the target's lock after the promotion.

    A model is promoted if both lists have its ID at the same revision; models in only one list are unchanged. Its
    adapters and draft model are promoted with it.

    Args:
        source: the environment to promote from.
        target: the environment to promote to.
        only: keys of the target's models; if empty, all models in both lists.

    Raises:
        InputError: a key is unknown or in one list only, the target pins a different revision, or the source has
            not locked a model; lists every problem.
    """
    asked = {(model.id, model.revision) for model in source.request.models}
    ids = {repo_id for repo_id, _ in asked}
    problems = list(_unknown(target.request, only))
    wanted: dict[tuple[str, str], list[str]] = {}
    for model in target.request.models:
        if only and model.key not in only:
            continue
        if model.id not in ids:
            problems += [_not_in_source(model, source.request)] if only else []
        elif (model.id, model.revision) not in asked:
            problems.append(_other_revision(model, source.request))
        elif source.lock.get(model.id, model.revision) is None:
            message = f"`{model.id}` at `{model.revision}` is not locked in {source.lock.path}"
            problems.append(model.mark("id").problem(message, "run `hubstack lock` there first"))
        else:
            for pair in (model.repositories[0], *_tested_with(model, source)):
                wanted.setdefault(pair, []).append(model.key)
    if problems:
        raise InputError(problems)
    found = _promoted(source.lock, target.lock, wanted)
    return found if only else _with_images(found, source.lock, target.lock)


def _tested_with(model: ModelRequest, source: Side) -> Iterator[tuple[str, str]]:
    """Yield the adapters and the draft model that the source serves too; others stay as the target locked them."""
    for pair in model.repositories[1:]:
        if pair in source.request.repositories and source.lock.get(*pair) is not None:
            yield pair


def _promoted(source: Lock, target: Lock, wanted: dict[tuple[str, str], list[str]]) -> Promotion:
    models = {lock_key(facts): facts for facts in target.models}
    moves: list[Move] = []
    for pair, keys in wanted.items():
        found, held = source.get(*pair), target.get(*pair)
        if found is None:  # already reported
            continue
        # The target's previous commit is its own, not the source's.
        old = held.replaced if held and held.commit == found.commit else held.commit if held else None
        after = replace(found, replaced=old)
        if after != held:
            if held is not None:
                del models[lock_key(held)]
            models[lock_key(after)] = after
            moves.append(Move(keys=tuple(sorted(keys)), before=held, after=after))
    ordered = tuple(models[key] for key in sorted(models))
    return Promotion(models=ordered, moves=tuple(sorted(moves, key=lambda move: move.keys)), images=target.images)


def _with_images(found: Promotion, source: Lock, target: Lock) -> Promotion:
    """Give the target the digests that were tested in the source; `hubstack lock` removes those it does not use."""
    held = {image.image: image for image in target.images}
    moved = [image for image in source.images if held.get(image.image) != image]
    after = held | {image.image: image for image in moved}
    lines = [
        f"the image {image.image} moves from {held[image.image].digest[:_DIGEST_SHOWN]} to "
        f"{image.digest[:_DIGEST_SHOWN]}"
        if image.image in held
        else f"adds the image {image.image} at {image.digest[:_DIGEST_SHOWN]}"
        for image in moved
    ]
    return replace(found, images=tuple(after[name] for name in sorted(after)), image_moves=tuple(lines))


def _unknown(request: Request, only: Collection[str]) -> Iterator[Problem]:
    keys = [model.key for model in request.models]
    for word in sorted(set(only) - set(keys)):
        near = nearest(word, keys)
        hint = f"did you mean `{near}`?" if near else f"models: {listed(keys)}"
        yield Problem(path=request.path, message=f"`--model {word}`: no such model in the list", hint=hint)


def _not_in_source(model: ModelRequest, source: Request) -> Problem:
    return model.mark("id").problem(f"`{model.id}` is not in {source.path}", "add it there and test it first")


def _other_revision(model: ModelRequest, source: Request) -> Problem:
    there = ", ".join(f"`{each.revision}`" for each in source.models if each.id == model.id)
    message = f"`{model.key}` is pinned to revision `{model.revision}`, and {source.path} asks for {there}"
    hint = "change `revision:` in one of the lists, or name the models to promote with --model"
    return model.mark("revision").problem(message, hint)


def write_promotion(
    project_dir: Path, source: str, target: str, only: Sequence[str], *, check: bool = False
) -> list[str]:
    """Write the target's lock; return one line for each promoted model.

    Args:
        project_dir: base folder of the paths of both lists.
        source: model list of the environment to promote from.
        target: model list of the environment to promote to.
        only: keys of the target's models; if empty, all.
        check: do not write.

    Raises:
        InputError: lists every problem, or another hubstack process is writing this lock. Nothing is written.
    """
    path = lock_path(project_dir / target)
    asked = load_request(project_dir / target, target)
    with exclusive(project_dir / target, target):
        held = load_lock(path, str(lock_path(Path(target)))) if path.exists() else Lock(path=target, models=())
        source_lock = load_lock(lock_path(project_dir / source), str(lock_path(Path(source))))
        found = promote(
            Side(request=load_request(project_dir / source, source), lock=source_lock),
            Side(request=asked, lock=held),
            only,
        )
        lines = [*(move.render() for move in found.moves), *found.image_moves]
        if lines and not check:
            write_text_atomically(path, render_lock(found.models, found.images))
    return lines
