# SPDX-License-Identifier: Apache-2.0
"""What the Hub answered in a run that did not end, for the next run of the same list.

Owns the file: an entry of the lock a line, in huggingface_hub's cache (`HF_ASSETS_CACHE`) and not beside the list,
where a pull request could bring one. It is gone once a lock is written. A help only: where it cannot be written or
read, everything is asked.
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
"""Since the last answer: a branch moves on, and a gate may close."""
_TROUBLE = (OSError, ValueError)
"""What files, huggingface_hub's folder and a damaged line may raise."""


class Unfinished:
    """The answers for one lock from one Hub. The caller holds the list against other runs."""

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
        """Return what was answered, by id as asked and revision; nothing where that is too long ago."""
        lines: list[str] = []
        with contextlib.suppress(*_TROUBLE):
            if time.time() - self._path().stat().st_mtime <= KEPT_SECONDS:
                lines = self._path().read_text("utf-8").splitlines()
            else:
                self.forget()
        found: dict[tuple[str, str], ModelFacts] = {}
        for line in lines:
            with contextlib.suppress(*_TROUBLE):  # half a line, of a run that was killed
                facts = parse_lock_line(line)
                found[lock_key(facts)] = facts
        return found

    def add(self, facts: ModelFacts) -> None:
        """Keep an answer."""
        with contextlib.suppress(*_TROUBLE):
            self._stream = self._stream or self._path().open("a", encoding="utf-8")
            self._stream.write(f"\n{lock_line(facts)}")
            self._stream.flush()

    def forget(self) -> None:
        """Remove the file: what it says stands in the lock."""
        with contextlib.suppress(*_TROUBLE):
            self._path().unlink(missing_ok=True)

    def _path(self) -> Path:
        folder = cached_assets_path("hubstack", namespace="lock", assets_dir=constants.HF_ASSETS_CACHE)
        return folder / self._name
