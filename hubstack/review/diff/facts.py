# SPDX-License-Identifier: Apache-2.0
"""Compares a model's Hub facts at two commits: files, licence, gate, chat template, code, security scan.

Owns which changes a reviewer must see. Reads only the lock; facts that it does not have are reported as unknown.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from hubstack.hub.facts import FileFacts
from hubstack.hub.file_changes import FileChange, FileMove, TemplateMove, changed_files, template_change
from hubstack.review.diff.reported import Reported
from hubstack.review.diff.state import Data, State

GB = 1_000_000_000
_SHOWN = 8
_IDENTITY = ("sha256", "git_oid", "generation", "crc32c", "md5")
"""What of a file says which content it is: on the Hub, and in a bucket."""


class Topic(StrEnum):
    """The kind of Hub change; gates use these names."""

    REPOSITORY = "repository"
    CONTENT = "content"
    """Different content at the same commit, or content whose hash is no longer locked."""
    COMMIT = "commit"
    FILES = "files"
    LICENSE = "license"
    GATED = "gated"
    TEMPLATE = "template"
    CODE = "code"
    SECURITY = "security"


@dataclass(frozen=True, slots=True, kw_only=True)
class FactChange(Reported):
    """One changed Hub fact, or one fact of a new model."""

    key: str
    """Key of the model."""
    topic: Topic
    """Which fact changed."""
    text: str
    """Text shown to the reviewer."""
    is_risk: bool = False
    """Whether the reviewer must decide: something new or less strict."""


def compare_facts(base: State, head: State, renamed: dict[str, str]) -> tuple[FactChange, ...]:
    """Return the changed facts of each model, of its adapters and of its draft model."""
    found: list[FactChange] = []
    for key, model in head.models.items():
        after, before = head.fact(key), base.fact(was := renamed.get(key, key))
        if after is not None:
            found += _new(key, after) if before is None else _moved(key, before, after)
        earlier = {} if model.get("canary_of") else base.companion_facts(was)
        for name, now in ({} if model.get("canary_of") else head.companion_facts(key)).items():
            changes = _moved(key, earlier[name], now) if name in earlier else _new(key, now)
            found += [replace(each, text=f"{now['id']}: {each.text}") for each in changes]
    return tuple(found)


def _license(facts: Data) -> str:
    name = facts.get("license_name")
    return f"{facts.get('license') or 'none stated'}{f' ({name})' if name else ''}"


def _new(key: str, facts: Data) -> Iterator[FactChange]:
    yield from _wrong_repository(key, facts)
    yield FactChange(key=key, topic=Topic.LICENSE, text=f"licence {_license(facts)}", is_risk=True)
    if facts.get("gated"):
        yield FactChange(
            key=key, topic=Topic.GATED, text=f"gated ({facts['gated']}): access requires a token", is_risk=True
        )
    if facts.get("custom_code"):
        yield FactChange(key=key, topic=Topic.CODE, text=_code(facts), is_risk=True)
    yield from _security(key, {}, facts)


def _code(facts: Data) -> str:
    files = sorted(f["path"] for f in facts.get("files", ()) if f["path"].endswith(".py"))
    return f"the config runs Python code from the repository ({', '.join(files[:_SHOWN]) or 'files unknown'})"


def _moved(key: str, before: Data, after: Data) -> Iterator[FactChange]:
    if before["id"] != after["id"]:
        text = f"repository changed: {before['id']} -> {after['id']}"
        yield FactChange(key=key, topic=Topic.REPOSITORY, text=text, is_risk=True)
    if (before["id"], before.get("asked_id")) != (after["id"], after.get("asked_id")):
        yield from _wrong_repository(key, after)
    yield from _lost_hashes(key, before, after)
    if before["commit"] == after["commit"]:
        yield from _edited_at_same_commit(key, before, after)
    else:
        text = f"{before['commit'][:12]} -> {after['commit'][:12]}"
        yield FactChange(key=key, topic=Topic.COMMIT, text=text)
        yield from _files(key, before, after)
    if _license(before) != _license(after):
        text = f"licence {_license(before)} -> {_license(after)}"
        yield FactChange(key=key, topic=Topic.LICENSE, text=text, is_risk=True)
    if before.get("gated") != after.get("gated"):
        text = f"gated {before.get('gated') or 'no'} -> {after.get('gated') or 'no'}"
        yield FactChange(key=key, topic=Topic.GATED, text=text, is_risk=bool(after.get("gated")))
    yield from _codes(key, before, after)
    yield from _security(key, before, after)


def _wrong_repository(key: str, facts: Data) -> Iterator[FactChange]:
    """Report a lock that serves another repository than the list names: renamed on the Hub, or forged."""
    asked = facts.get("asked_id")
    if asked:
        text = (
            f"the list names {asked}, the lock has {facts['id']}: verify on the Hub that the repository was renamed"
        )
        yield FactChange(key=key, topic=Topic.REPOSITORY, text=text, is_risk=True)


def _edited_at_same_commit(key: str, before: Data, after: Data) -> Iterator[FactChange]:
    """Report differences at the same commit, which never change on the Hub: the lock was edited."""
    if before.get("files") and (paths := [file.path for file in _changed(before, after) if _is_known(file)]):
        text = f"different files at the same commit, which cannot happen on the Hub: {_list(paths)}"
        yield FactChange(key=key, topic=Topic.CONTENT, text=text, is_risk=True)
    kinds = [what for what in ("config", "quantization", "parameters") if before.get(what) != after.get(what)]
    if kinds:
        text = f"different {', '.join(kinds)} at the same commit"
        yield FactChange(key=key, topic=Topic.CONTENT, text=text, is_risk=True)


def _is_known(file: FileChange) -> bool:
    return file.move is not FileMove.UNKNOWN


def _lost_hashes(key: str, before: Data, after: Data) -> Iterator[FactChange]:
    """Report files whose hash is no longer in the lock: their content would no longer be verified."""
    hashed = {f["path"] for f in before.get("files", ()) if any(f.get(key) for key in _IDENTITY)}
    left = {f["path"] for f in after.get("files", ()) if not any(f.get(key) for key in _IDENTITY)}
    if hashed and not after.get("files"):
        text = "the lock no longer lists files, so none are verified"
    elif hashed & left:
        text = f"the lock no longer has hashes of {_list(sorted(hashed & left))}"
    else:
        return
    yield FactChange(key=key, topic=Topic.CONTENT, text=text, is_risk=True)


def _codes(key: str, before: Data, after: Data) -> Iterator[FactChange]:
    had, has = bool(before.get("custom_code")), bool(after.get("custom_code"))
    if has and not had:
        yield FactChange(key=key, topic=Topic.CODE, text=f"custom code added: {_code(after)}", is_risk=True)
    elif had and not has:
        yield FactChange(key=key, topic=Topic.CODE, text="custom code removed")
    elif has and (changed := [file.path for file in _changed(before, after) if _is_changed_code(file)]):
        text = f"custom code changed: {', '.join(changed[:_SHOWN])}"
        yield FactChange(key=key, topic=Topic.CODE, text=text, is_risk=True)


def _is_changed_code(file: FileChange) -> bool:
    return file.move is FileMove.CHANGED and file.path.endswith(".py")


def _files(key: str, before: Data, after: Data) -> Iterator[FactChange]:
    if not before.get("files") or not after.get("files"):
        yield FactChange(key=key, topic=Topic.FILES, text="the lock lists no files, so changes are unknown")
        return
    changes = _changed(before, after)
    sizes = [sum(f.get("size_bytes") or 0 for f in facts["files"]) for facts in (before, after)]
    words = {FileMove.ADDED: "new", FileMove.REMOVED: "gone", FileMove.CHANGED: "changed"}
    paths = {move: [file.path for file in changes if file.move is move] for move in FileMove}
    parts = [f"{len(paths[move])} {what} ({_list(paths[move])})" for move, what in words.items() if paths[move]]
    if unknown := paths[FileMove.UNKNOWN]:
        parts.append(f"{len(unknown)} of equal size, possibly changed")
    text = f"files: {'; '.join(parts) or 'the same'}; {sizes[0] / GB:,.2f} -> {sizes[1] / GB:,.2f} GB"
    yield FactChange(key=key, topic=Topic.FILES, text=text)
    yield from _template(key, changes)


def _template(key: str, changes: tuple[FileChange, ...]) -> Iterator[FactChange]:
    move, paths = template_change(changes)
    shown = ", ".join(paths)
    told = {
        TemplateMove.CHANGED: f"chat template changed ({shown})",
        TemplateMove.MAYBE: f"chat template may have changed: it may be in {shown}, which changed",
        TemplateMove.UNKNOWN: "chat template: the lock has no hash of its file, so a change cannot be detected",
    }
    if move in told:
        is_risk = move is not TemplateMove.UNKNOWN
        yield FactChange(key=key, topic=Topic.TEMPLATE, text=told[move], is_risk=is_risk)


def _changed(before: Data, after: Data) -> tuple[FileChange, ...]:
    return changed_files(_file_facts(before), _file_facts(after))


def _file_facts(facts: Data) -> list[FileFacts]:
    return [
        FileFacts(path=f["path"], size_bytes=f.get("size_bytes") or 0, **{key: f.get(key) for key in _IDENTITY})
        for f in facts.get("files", ())
    ]


def _list(paths: list[str]) -> str:
    more = len(paths) - _SHOWN
    return ", ".join(paths[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _issues(facts: Data) -> dict[str, str]:
    said: Data = facts.get("security") or {}
    return dict(said.get("issues", {}))


def _security(key: str, before: Data, after: Data) -> Iterator[FactChange]:
    base, head = _issues(before), _issues(after)
    worse = sorted(f"{path} ({level})" for path, level in head.items() if base.get(path) != level)
    better = sorted(path for path in base if path not in head)
    if worse:
        text = f"the Hub's scan flags {', '.join(worse[:_SHOWN])}"
        yield FactChange(key=key, topic=Topic.SECURITY, text=text, is_risk=True)
    if better:
        yield FactChange(key=key, topic=Topic.SECURITY, text=f"the Hub's scan no longer flags {_list(better)}")
