# SPDX-License-Identifier: Apache-2.0
"""`hubstack lock`: writes the lock of a model list.

Owns the files and the places of problems: each failed model is reported at its line in the list. The other models
are locked anyway, so that the next run fetches only the rest; an unchanged lock is not written. Resumes an
interrupted run: responses already received are reused.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from hubstack.files.errors import HubError, InputError
from hubstack.files.file_lock import exclusive
from hubstack.files.problems import Problem, listed, nearest, render_problems
from hubstack.files.write import remove_scratch, write_text_atomically
from hubstack.hub.facts import ModelFacts
from hubstack.hub.lock import Lock, check_fresh, load_lock, lock_path, other_repository, render_lock
from hubstack.hub.remote.fetch import IdAndRevision, Listener, fetch_each
from hubstack.hub.remote.locking import lock_models
from hubstack.hub.remote.pace import RetryLimits
from hubstack.hub.remote.refusal import Refusal, hub_endpoint
from hubstack.hub.remote.saved_responses import SavedResponses
from hubstack.hub.upgrade_page import upgrade_page
from hubstack.inputs.models import Request
from hubstack.names import key_of

ALL = "all"
"""Upgrades every model; a model may still use it as its key."""


def write_lock(
    request: Request,
    request_path: Path,
    upgrade: Sequence[str],
    listener: Listener | None = None,
    limits: RetryLimits | None = None,
    summary: Path | None = None,
) -> tuple[list[str], HubError | None]:
    """Write the lock of a model list; return a line for each change and one for the file, and the failures.

    Args:
        request: the model list.
        request_path: its file.
        upgrade: keys or IDs of models to upgrade to their newest commit, or `all`.
        listener: receives progress.
        limits: limits for concurrency, retries and waits.
        summary: file for a Markdown summary of the changes.

    Raises:
        InputError: the lock is invalid, `upgrade` matches no model, or another hubstack process is
            writing this lock.
    """
    target, shown = lock_path(request_path), str(lock_path(Path(request.path)))
    upgraded = _upgraded(request, upgrade)
    refusals: dict[IdAndRevision, Refusal] = {}
    resumed: list[str] = []
    saved = SavedResponses(target, hub_endpoint())

    def fetch(asked: Sequence[IdAndRevision]) -> dict[IdAndRevision, ModelFacts]:
        earlier = saved.read()
        known = {pair: earlier[pair] for pair in asked if pair in earlier}
        if known:
            resumed.append(f"resuming an interrupted run, already received: {len(known)} of {len(asked)} models")
        left = [pair for pair in asked if pair not in known]
        answers = fetch_each(left, limits=limits, listener=listener, keep=saved.add)
        refusals.update((pair, found) for pair, found in answers.items() if isinstance(found, Refusal))
        return known | {pair: found for pair, found in answers.items() if isinstance(found, ModelFacts)}

    with exclusive(request_path, request.path), saved:
        held = load_lock(target, shown, upgraded) if target.exists() else None
        models, changes = lock_models(
            request.repositories,
            held,
            upgrade=upgraded,
            fetch=fetch,
        )
        if summary is not None:
            page = upgrade_page(held.models if held else (), models, _keys(request))
            write_text_atomically(summary, page)
        # A first run without any response writes no lock, rather than an empty one.
        written = [*changes.render(), _write(target, shown, models, held)] if models or not refusals else []
        saved.forget()
    return [*resumed, *written], _refused(request, refusals, shown) if refusals else None


def _write(target: Path, shown: str, models: Sequence[ModelFacts], held: Lock | None) -> str:
    """Write the lock if it changed; return the line to print."""
    text = render_lock(models, held.images if held else ())
    remove_scratch(target)
    if held is not None and target.read_text("utf-8") == text:
        return f"{shown} is up to date: {len(models)} models"
    write_text_atomically(target, text)
    return f"wrote {shown}: {len(models)} models"


def _refused(request: Request, refusals: dict[IdAndRevision, Refusal], shown: str) -> HubError:
    kept = f"{len(refusals)} could not be locked: what the lock had is unchanged, the others are in {shown}."
    return HubError(f"{_render(request, refusals)}\n{kept} Re-run to retry only the missing ones.")


def check_lock(request: Request, held: Lock) -> tuple[list[str], list[str]]:
    """Return one line for each missing, stale or unused entry, none if the lock is up to date; and warnings."""
    found = check_fresh(held, request.repositories)
    lines = [
        *(f"missing: {repo_id} at {revision}" for repo_id, revision in found.missing),
        *(f"stale: {s.id} is locked at {', '.join(s.locked_revisions)}, not at {s.revision}" for s in found.stale),
        *(f"unused: {repo_id} at {revision}" for repo_id, revision in found.extra),
    ]
    locked = ((model, held.get(model.id, model.revision)) for model in request.models)
    others = ((model.key, other_repository(model.id, facts)) for model, facts in locked if facts)
    return lines, [f"Warning: {key}: {text}." for key, text in others if text]


def _keys(request: Request) -> dict[IdAndRevision, list[str]]:
    keys: dict[IdAndRevision, list[str]] = {}
    for model in request.models:
        for pair in model.repositories:
            keys.setdefault(pair, []).append(model.key)
    return keys


def _upgraded(request: Request, upgrade: Sequence[str]) -> set[IdAndRevision]:
    """Return the models to upgrade: a key selects one model, an adapter's name that adapter, an ID a repository."""
    by_word: dict[str, set[IdAndRevision]] = {}
    for model in request.models:
        for word in {model.key, *model.was, model.id}:
            by_word.setdefault(word, set()).add((model.id, model.revision))
        for repo_id, revision, _ in model.companions:
            by_word.setdefault(repo_id, set()).add((repo_id, revision))
        for adapter in model.settings.lora.adapters if model.settings.lora else ():
            by_word.setdefault(adapter.served_name, set()).add((adapter.id, adapter.revision))
    if ALL in upgrade and ALL not in by_word:
        return set[IdAndRevision]().union(*by_word.values())
    unknown = [word for word in upgrade if word not in by_word]
    if unknown:
        raise InputError([_unknown(word, request, by_word) for word in unknown])
    return set[IdAndRevision]().union(*(by_word[word] for word in upgrade))


def _unknown(word: str, request: Request, words: Iterable[str]) -> Problem:
    near = nearest(word, words) or nearest(key_of(word) if "/" in word else word, words)
    hint = f"did you mean `{near}`?" if near else f"models: {listed(sorted(m.key for m in request.models))}"
    return Problem(path=request.path, message=f"`--upgrade {word}`: no such model in the list", hint=hint)


def _render(request: Request, refusals: dict[IdAndRevision, Refusal]) -> str:
    return render_problems(
        model.mark(field).problem(
            f"`{repo_id}` {refusals[repo_id, revision].message}", refusals[repo_id, revision].hint
        )
        for model in request.models
        for repo_id, revision, field in ((model.id, model.revision, "id"), *model.companions)
        if (repo_id, revision) in refusals
    )
