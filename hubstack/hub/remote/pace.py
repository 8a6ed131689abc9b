# SPDX-License-Identifier: Apache-2.0
"""What the questions of one run share: how long to wait, the pause that the Hub asks for, and when to stop asking.

Owns no request. A pause stops every question, not only the one that was refused: the Hub counts them together, by
token or address. It counts listings and files apart; here both wait, which is simple and never too early.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

JOBS = 24
"""Enough that a long list waits for the Hub's own limit only, which counts questions in five minutes (500 without a
token); more would reach it sooner, and gain nothing."""
UNANSWERED = 3
"""So many models given up in a row, with no answer between, mean that the Hub is away: the others are not asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How many questions at once, and how long to wait for the Hub."""

    jobs: int = JOBS
    """Models at once."""
    attempts: int = 6
    """Tries of one question."""
    silence_seconds: float = 30
    """Longest wait for a connection, or for the next byte."""
    model_seconds: float = 120
    """For all that is asked of one model, waits included; a pause that the Hub asks for is not counted."""
    run_seconds: float = 3600
    """No model is begun, and no pause kept, beyond this."""
    first_wait_seconds: float = 1
    """Doubles after each failure, up to `longest_wait_seconds`; up to one such wait is added at random."""
    longest_wait_seconds: float = 16
    """Of our own waits."""
    longest_pause_seconds: float = 330
    """Of those that the Hub asks for: its windows last five minutes. When it asks for more, the run ends."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class NotAskedError(Exception):
    """The run has stopped asking; the text says why."""


class Pace:
    """Shared by all questions of one run; belongs to one event loop."""

    def __init__(self, patience: Patience, on_pause: Callable[[float], None]) -> None:
        now = asyncio.get_running_loop().time()
        self.patience = patience
        self._on_pause = on_pause
        self._end = now + patience.run_seconds
        self._pause_end = now
        self._pause: asyncio.Future[None] | None = None
        self._limits: set[asyncio.Timeout] = set()
        self._unanswered = 0
        self._closed: str | None = None

    @property
    def is_closed(self) -> bool:
        """Say whether nothing more is asked."""
        return self._closed is not None

    @asynccontextmanager
    async def model(self) -> AsyncGenerator[None]:
        """Bound the time of what is asked within.

        Raises:
            NotAskedError: the run has stopped asking.
            TimeoutError: the time is over.
        """
        await self.turn()
        async with asyncio.timeout(self.patience.model_seconds) as limit:
            self._limits.add(limit)
            try:
                yield
            finally:
                self._limits.discard(limit)

    async def turn(self) -> None:
        """Wait until the next request may be sent.

        Raises:
            NotAskedError: the run has stopped asking.
        """
        if asyncio.get_running_loop().time() > self._end:
            self.close(f"the time limit for one run ({self.patience.run_seconds / 60:.0f} minutes) was reached")
        while self._pause is not None and not self._pause.done():
            await asyncio.shield(self._pause)
            # Not all in the same moment.
            await self.patience.sleep(random.uniform(0, self.patience.first_wait_seconds))  # noqa: S311
        if self._closed is not None:
            raise NotAskedError(self._closed)

    def pause(self, seconds: float) -> None:
        """Let nobody ask for so long; stop asking where that is too long."""
        now = asyncio.get_running_loop().time()
        if seconds > self.patience.longest_pause_seconds or now + seconds > self._end:
            self.close(f"it asked to wait {seconds:.0f} s")
        added = now + seconds - max(self._pause_end, now)
        # Those that were under way together are refused one after the other: the same pause, told again.
        if self._closed is not None or added < min(seconds, 1):
            return
        self._pause_end = now + seconds
        self._pause = asyncio.ensure_future(self.patience.sleep(seconds))
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule((limit.when() or now) + added)
        self._on_pause(seconds)

    def answered(self) -> None:
        """Note that the Hub is there."""
        self._unanswered = 0

    def unanswered(self) -> None:
        """Note that a model was given up without an answer."""
        self._unanswered += 1
        if self._unanswered >= UNANSWERED:
            self.close(f"{UNANSWERED} models in a row got no response")

    def close(self, why: str) -> None:
        """Stop asking; the first reason stays."""
        self._closed = self._closed or why
