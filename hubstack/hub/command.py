# SPDX-License-Identifier: Apache-2.0
"""`hubstack lock`: from a request to its lock file.

Owns the files and the places of the problems: each refused model is shown where the request names it. Nothing is
written while any model is refused, nor where nothing would change.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from hubstack.commit_change import upgrade_page
from hubstack.errors import HubError, InputError
from hubstack.facts import ModelFacts
from hubstack.hub.client import Patience
from hubstack.hub.fetch import Asked, fetch_each
from hubstack.hub.locking import lock_models
from hubstack.hub.refusal import Refusal
from hubstack.lock import check_fresh, load_lock, lock_path, render_lock, write_text_atomically
from hubstack.names import key_of
from hubstack.problems import Problem, listed, nearest, render_problems
from hubstack.request import ModelRequest, Request, load_request

ALL = "all"
"""The word that upgrades every model; a model may still have it as its key."""


def write_lock(
    request_path: Path, name: str, upgrade: Sequence[str], on_done: Callable[[str], None],
    patience: Patience | None = None, summary: Path | None = None,
) -> list[str]:  # fmt: skip
    """Write the lock beside a request; return one line for each change and one for the file.

    Args:
        request_path: the request.
        name: how to call it in messages.
        upgrade: keys or ids of models to move to their newest commit, or `all`.
        on_done: told the id of each model that the Hub was asked for.
        patience: how often and how long to try.
        summary: a file to write what the Hub changed to, as Markdown.

    Raises:
        InputError: the request or the lock is wrong, or `upgrade` names no model of the request.
        HubError: with every model that could not be locked.
    """
    request = load_request(request_path, name)
    target, shown = lock_path(request_path), str(lock_path(Path(name)))
    upgraded = _upgraded(request, upgrade)
    held = load_lock(target, shown, upgraded) if target.exists() else None

    def fetch(asked: Sequence[Asked]) -> list[ModelFacts]:
        answers = fetch_each(asked, patience=patience, on_done=on_done)
        refusals = {pair: found for pair, found in answers.items() if isinstance(found, Refusal)}
        if refusals:
            raise HubError(f"{_render(request, refusals)}\nnothing was written")
        return [found for found in answers.values() if isinstance(found, ModelFacts)]

    models, changes = lock_models(
        [(model.id, model.revision) for model in request.models], held,
        upgrade=upgraded, fetch=fetch,
    )  # fmt: skip
    text = render_lock(models)
    if summary is not None:
        write_text_atomically(summary, upgrade_page(held.models if held else (), models, _keys(request)))
    if held is None or target.read_text("utf-8") != text:
        write_text_atomically(target, text)
        return [*changes.render(), f"wrote {shown}: {len(models)} models"]
    return [f"{shown} is up to date: {len(models)} models"]


def check_lock(request_path: Path, name: str) -> list[str]:
    """Return one line for each model that the lock lacks or holds in vain; empty when it is fresh.

    Raises:
        InputError: the request is wrong.
        LockError: there is no lock, or it cannot be read.
    """
    request = load_request(request_path, name)
    held = load_lock(lock_path(request_path), str(lock_path(Path(name))))
    found = check_fresh(held, [(model.id, model.revision) for model in request.models])
    return [
        *(f"missing: {repo_id} at {revision}" for repo_id, revision in found.missing),
        *(f"stale: {s.id} is locked at {', '.join(s.locked_revisions)}, not at {s.revision}"
          for s in found.stale),
        *(f"not asked for: {repo_id} at {revision}" for repo_id, revision in found.extra),
    ]  # fmt: skip


def _keys(request: Request) -> dict[Asked, list[str]]:
    keys: dict[Asked, list[str]] = {}
    for model in request.models:
        keys.setdefault((model.id, model.revision), []).append(model.key)
    return keys


def _upgraded(request: Request, upgrade: Sequence[str]) -> set[Asked]:
    """Return what the words mean: a key is one model, an id is every model of that repository."""
    by_word: dict[str, set[Asked]] = {}
    for model in request.models:
        for word in {model.key, model.id}:
            by_word.setdefault(word, set()).add((model.id, model.revision))
    if ALL in upgrade and ALL not in by_word:
        return set[Asked]().union(*by_word.values())
    unknown = [word for word in upgrade if word not in by_word]
    if unknown:
        raise InputError([_unknown(word, request, by_word) for word in unknown])
    return set[Asked]().union(*(by_word[word] for word in upgrade))


def _unknown(word: str, request: Request, words: Iterable[str]) -> Problem:
    near = nearest(word, words) or nearest(key_of(word) if "/" in word else word, words)
    hint = f"did you mean `{near}`?" if near else f"models: {listed(sorted(m.key for m in request.models))}"
    return Problem(path=request.path, message=f"`--upgrade {word}`: no such model in the list", hint=hint)


def _render(request: Request, refusals: dict[Asked, Refusal]) -> str:
    return render_problems(
        _problem(model, refusals[model.id, model.revision])
        for model in request.models
        if (model.id, model.revision) in refusals
    )


def _problem(model: ModelRequest, refusal: Refusal) -> Problem:
    return model.mark("id").problem(f"`{model.id}` {refusal.message}", refusal.hint)
