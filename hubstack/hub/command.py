# SPDX-License-Identifier: Apache-2.0
"""`hubstack lock`: from a request to its lock file.

Owns what is fetched and what stays pinned: an entry that is locked at the asked revision stays at its commit until
it is upgraded. Nothing is written while any model fails.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from hubstack.errors import HubError, InputError
from hubstack.facts import ModelFacts
from hubstack.hub.client import Asked, Patience, fetch_facts
from hubstack.hub.errors import explain, redact
from hubstack.lock import Lock, load_lock, lock_path, render_lock, write_text_atomically
from hubstack.names import key_of
from hubstack.problems import Problem, nearest, render_problems
from hubstack.request import ModelRequest, Request, load_request

ALL = "all"


def write_lock(
    request_path: Path, name: str, upgrade: Sequence[str], on_done: Callable[[str], None],
    patience: Patience | None = None,
) -> list[str]:  # fmt: skip
    """Write the lock beside a request; return one line for each change.

    Raises:
        InputError: the request is wrong, or `upgrade` names no model of it.
        HubError: with every model that could not be locked.
    """
    request = load_request(request_path, name)
    target = lock_path(request_path)
    held = load_lock(target) if target.exists() else Lock(path=name, models=())
    moved = _upgraded(request, upgrade)
    asked = sorted({(m.id, m.revision) for m in request.models if _is_fetched(m, held, moved)})
    answers = fetch_facts(asked, patience=patience, on_done=on_done)
    found = {pair: facts for pair, facts in answers.items() if isinstance(facts, ModelFacts)}
    failed = {pair: error for pair, error in answers.items() if isinstance(error, Exception)}
    if failed:
        raise HubError(_failures(request, failed))
    kept = {(m.id, m.revision): facts for m in request.models if (facts := held.get(m.id, m.revision))}
    models = {(facts.id, facts.revision): facts for facts in (kept | found).values()}
    write_text_atomically(target, render_lock(models.values()))
    shown = str(lock_path(Path(name)))
    return [*_changes(held, models.values()), f"{shown}: {len(models)} models"]


def check_lock(request_path: Path, name: str) -> list[str]:
    """Return one line for each model that the lock lacks or holds in vain; empty when it is fresh."""
    request = load_request(request_path, name)
    held = load_lock(lock_path(request_path), str(lock_path(Path(name))))
    used = {id(facts) for m in request.models if (facts := held.get(m.id, m.revision))}
    missing = [f"missing: {m.id} at {m.revision}" for m in request.models if not held.get(m.id, m.revision)]
    return missing + [f"not asked for: {f.id} at {f.revision}" for f in held.models if id(f) not in used]


def _is_fetched(model: ModelRequest, held: Lock, moved: set[str]) -> bool:
    return model.key in moved or held.get(model.id, model.revision) is None


def _upgraded(request: Request, upgrade: Sequence[str]) -> set[str]:
    words = {model.key: model.key for model in request.models}
    words |= {model.id: model.key for model in request.models}
    if ALL in upgrade:
        return {model.key for model in request.models}
    unknown = [word for word in upgrade if word not in words]
    if unknown:
        raise InputError([_unknown(word, request, words) for word in unknown])
    return {words[word] for word in upgrade}


def _unknown(word: str, request: Request, words: Iterable[str]) -> Problem:
    near = nearest(word, words) or nearest(key_of(word) if "/" in word else word, words)
    hint = f"did you mean `{near}`?" if near else f"models: {', '.join(sorted(m.key for m in request.models))}"
    return Problem(path=request.path, message=f"`--upgrade {word}`: no such model in the list", hint=hint)


def _failures(request: Request, failed: dict[Asked, Exception]) -> str:
    problems: list[Problem] = []
    for model in request.models:
        error = failed.get((model.id, model.revision))
        if error is not None:
            message, hint = explain(model.id, model.revision, error)
            problems.append(model.mark("id").problem(redact(message), redact(hint)))
    return render_problems(problems) + "\nnothing was written"


def _changes(held: Lock, models: Iterable[ModelFacts]) -> list[str]:
    before = {(facts.id, facts.revision): facts for facts in held.models}
    after = {(facts.id, facts.revision): facts for facts in models}
    lines: list[str] = []
    for pair, facts in sorted(after.items()):
        old = before.get(pair)
        if old is None:
            lines.append(f"added {facts.id} at {facts.commit[:12]}")
        elif old.commit != facts.commit:
            lines.append(f"moved {facts.id} from {old.commit[:12]} to {facts.commit[:12]}")
    return lines + [f"dropped {facts.id}" for pair, facts in sorted(before.items()) if pair not in after]
