# SPDX-License-Identifier: Apache-2.0
"""Keeps the responses of an interrupted run for the next run of the same list.

Owns the file: one lock entry per line, in huggingface_hub's cache (`HF_ASSETS_CACHE`) rather than next to the list,
where a pull request could add one. It is deleted once the lock is written. If it cannot be written or read,
everything is fetched again.
"""

import contextlib
import hashlib
import time
from pathlib import Path
from typing import Self, TextIO

from huggingface_hub import cached_assets_path, constants

from hubstack.hub.facts import ModelFacts
from hubstack.hub.lock import FORMAT, lock_key, lock_line, parse_lock_line

KEPT_SECONDS = 3600
"""Maximum age since the last response: branches move, and gates may close."""
_TROUBLE = (OSError, ValueError)
"""Errors that files, huggingface_hub's cache folder and damaged lines may raise."""


class SavedResponses:
    """The responses for one lock from one Hub. The caller must hold the list's file lock."""

    def __init__(self, target: Path, endpoint: str) -> None:
        of = f"{FORMAT}\n{endpoint}\n{target.resolve()}"
        self._name = f"{hashlib.sha256(of.encode()).hexdigest()[:32]}.jsonl"
        self._stream: TextIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            with contextlib.suppress(OSError):
                self._stream.close()

    def read(self) -> dict[tuple[str, str], ModelFacts]:
        """Return the responses by requested ID and revision; empty if they are too old."""
        lines: list[str] = []
        with contextlib.suppress(*_TROUBLE):
            if time.time() - self._path().stat().st_mtime <= KEPT_SECONDS:
                lines = self._path().read_text("utf-8").splitlines()
            else:
                self.forget()
        found: dict[tuple[str, str], ModelFacts] = {}
        for line in lines:
            with contextlib.suppress(*_TROUBLE):  # a partial line from a killed run
                facts = parse_lock_line(line)
                found[lock_key(facts)] = facts
        return found

    def add(self, facts: ModelFacts) -> None:
        """Save a response."""
        with contextlib.suppress(*_TROUBLE):
            self._stream = self._stream or self._path().open("a", encoding="utf-8")
            self._stream.write(f"\n{lock_line(facts)}")
            self._stream.flush()

    def forget(self) -> None:
        """Delete the file, once its contents are in the lock."""
        with contextlib.suppress(*_TROUBLE):
            self._path().unlink(missing_ok=True)

    def _path(self) -> Path:
        folder = cached_assets_path("hubstack", namespace="lock", assets_dir=constants.HF_ASSETS_CACHE)
        return folder / self._name
