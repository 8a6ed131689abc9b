# SPDX-License-Identifier: Apache-2.0
"""Waits shared by all requests of one run: backoff, pauses that the Hub requests, and when to give up.

Owns no requests. A pause stops all requests, not only the refused one, because the Hub counts them together by
token or address. The Hub has separate limits for listings and files; pausing both is simpler and never too early.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

JOBS = 24
"""Enough for a long list to be limited only by the Hub, which counts requests per five minutes (500 without a
token); more would only reach that limit sooner."""
UNANSWERED = 3
"""After this many models in a row without a response, the Hub is considered unavailable and the run ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryLimits:
    """Limits for concurrency, retries and waits."""

    jobs: int = JOBS
    """Models fetched concurrently."""
    attempts: int = 6
    """Attempts per request."""
    silence_seconds: float = 30
    """Maximum wait in seconds for a connection or for the next byte."""
    model_seconds: float = 120
    """Maximum seconds for all requests of one model, including waits but not pauses that the Hub requests."""
    run_seconds: float = 3600
    """Maximum seconds for the run; after that no model is started and no pause is waited for."""
    first_wait_seconds: float = 1
    """First backoff; doubles after each failure up to `longest_wait_seconds`, plus random jitter of up to one such
    wait."""
    longest_wait_seconds: float = 16
    """Maximum backoff."""
    longest_pause_seconds: float = 330
    """Maximum pause that the Hub may request, whose windows last five minutes; a longer one ends the run."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class RunStoppedError(Exception):
    """The run has stopped sending requests; the message has the reason."""


class RequestPacer:
    """Shared by all requests of one run; belongs to one event loop."""

    def __init__(self, limits: RetryLimits, on_pause: Callable[[float], None]) -> None:
        now = asyncio.get_running_loop().time()
        self.limits = limits
        self._on_pause = on_pause
        self._end = now + limits.run_seconds
        self._pause_end = now
        self._pause: asyncio.Future[None] | None = None
        self._limits: set[asyncio.Timeout] = set()
        self._unanswered = 0
        self._closed: str | None = None

    @property
    def is_closed(self) -> bool:
        """Return whether the run has stopped sending requests."""
        return self._closed is not None

    @asynccontextmanager
    async def model(self) -> AsyncGenerator[None]:
        """Limit the time for the requests of one model.

        Raises:
            RunStoppedError: the run has stopped sending requests.
            TimeoutError: the time limit was reached.
        """
        await self.turn()
        async with asyncio.timeout(self.limits.model_seconds) as limit:
            self._limits.add(limit)
            try:
                yield
            finally:
                self._limits.discard(limit)

    async def turn(self) -> None:
        """Wait until the next request may be sent.

        Raises:
            RunStoppedError: the run has stopped sending requests.
        """
        if asyncio.get_running_loop().time() > self._end:
            self.close(f"the time limit for one run ({self.limits.run_seconds / 60:.0f} minutes) was reached")
        while self._pause is not None and not self._pause.done():
            await asyncio.shield(self._pause)
            # Not all at the same moment.
            await self.limits.sleep(random.uniform(0, self.limits.first_wait_seconds))  # noqa: S311
        if self._closed is not None:
            raise RunStoppedError(self._closed)

    def pause(self, seconds: float) -> None:
        """Pause all requests; end the run if the pause is too long."""
        now = asyncio.get_running_loop().time()
        if seconds > self.limits.longest_pause_seconds or now + seconds > self._end:
            self.close(f"it asked to wait {seconds:.0f} s")
        added = now + seconds - max(self._pause_end, now)
        # Concurrent requests are refused one after another: this is the same pause.
        if self._closed is not None or added < min(seconds, 1):
            return
        self._pause_end = now + seconds
        self._pause = asyncio.ensure_future(self.limits.sleep(seconds))
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule((limit.when() or now) + added)
        self._on_pause(seconds)

    def answered(self) -> None:
        """Record that the Hub responded."""
        self._unanswered = 0

    def unanswered(self) -> None:
        """Record that a model got no response."""
        self._unanswered += 1
        if self._unanswered >= UNANSWERED:
            self.close(f"{UNANSWERED} models in a row got no response")

    def close(self, why: str) -> None:
        """Stop sending requests; the first reason is kept."""
        self._closed = self._closed or why
