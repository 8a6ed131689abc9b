# SPDX-License-Identifier: Apache-2.0
"""Compares the files of a repository at two commits, using the sizes and hashes in the lock.

Owns which files differ and whether the chat template changed. Does not own how the result is shown.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from hubstack.hub.facts import FileFacts

_TEMPLATE_FILE = "tokenizer_config.json"
"""Contains the chat template, among other things, if it has no separate file."""


class FileMove(StrEnum):
    """How a file changed."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    UNKNOWN = "same size, no hash to compare"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """One file that differs or may differ."""

    path: str
    move: FileMove
    before_bytes: int | None
    after_bytes: int | None


def changed_files(before: Iterable[FileFacts], after: Iterable[FileFacts]) -> tuple[FileChange, ...]:
    """Return the files that differ or may differ, sorted by path."""
    old, new = ({file.path: file for file in files} for files in (before, after))
    found: list[FileChange] = []
    for path in sorted({*old, *new}):
        a, b = old.get(path), new.get(path)
        move = _move(a, b)
        if move is not None:
            sizes = (a.size_bytes if a else None, b.size_bytes if b else None)
            found.append(FileChange(path=path, move=move, before_bytes=sizes[0], after_bytes=sizes[1]))
    return tuple(found)


def _move(before: FileFacts | None, after: FileFacts | None) -> FileMove | None:
    if before is None or after is None:
        return FileMove.ADDED if before is None else FileMove.REMOVED
    if before.size_bytes != after.size_bytes:
        return FileMove.CHANGED
    if before.generation and after.generation:  # of a bucket: a CRC32C is easily met by other content
        is_same = before.md5 == after.md5 if before.md5 and after.md5 else before.generation == after.generation
        return None if is_same and before.crc32c == after.crc32c else FileMove.CHANGED
    pairs = ((before.sha256, after.sha256), (before.git_oid, after.git_oid), (before.crc32c, after.crc32c))
    known = [a == b for a, b in pairs if a and b]
    if known:
        return None if all(known) else FileMove.CHANGED
    return FileMove.UNKNOWN


class TemplateMove(StrEnum):
    """Whether the chat template changed; it has a separate file, or is part of a larger one."""

    CHANGED = "changed"
    MAYBE = "may have changed"
    UNKNOWN = "unknown"
    SAME = "as before"


def template_change(files: Iterable[FileChange]) -> tuple[TemplateMove, tuple[str, ...]]:
    """Return how the chat template changed, and the files that show it."""
    moves = {file.path: file.move for file in files if _may_hold_template(file.path)}
    sure = tuple(path for path, move in moves.items() if move is not FileMove.UNKNOWN and path != _TEMPLATE_FILE)
    if sure:
        return TemplateMove.CHANGED, sure
    if moves.get(_TEMPLATE_FILE) not in {None, FileMove.UNKNOWN}:
        return TemplateMove.MAYBE, (_TEMPLATE_FILE,)
    return (TemplateMove.UNKNOWN, tuple(moves)) if moves else (TemplateMove.SAME, ())


def _may_hold_template(path: str) -> bool:
    is_own = path.rpartition("/")[2].startswith("chat_template")
    return is_own or path == _TEMPLATE_FILE or path.startswith("additional_chat_templates/")
