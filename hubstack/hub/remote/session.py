# SPDX-License-Identifier: Apache-2.0
"""Requests with retries, redirects and size limits, for the Hub and for Cloud Storage.

Owns when a request is sent again and how much of a response is read. Does not own the addresses (`client`,
`bucket_client`), or the waits that all requests share (`pace`).

Redirects within a service are followed (renamed repositories); a model's facts never come from another host. A file
may be on another host, but never over plain http if the service uses https; the token is not sent there, and the
bytes are checked against the size and hash listed by the service.
"""

import email.utils
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import httpx, parse_ratelimit_headers
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    wait_exponential_jitter,
)

from hubstack.hub.remote.pace import RequestPacer
from hubstack.hub.remote.refusal import ResponseError, RetryableResponseError, is_certificate_error

RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
MAX_REDIRECTS = 5

_T = TypeVar("_T")


class RetriedSession:
    """Concurrent requests to one service."""

    def __init__(
        self,
        session: httpx.AsyncClient,
        *,
        endpoint: str,
        headers: Mapping[str, str],
        pace: RequestPacer,
        check: Callable[[httpx.Response], None],
    ) -> None:
        """Keep what all requests share.

        Args:
            session: the connections.
            endpoint: base URL of the service.
            headers: headers of every request.
            pace: the waits that all requests share.
            check: raises for a response whose status is an error.
        """
        self._session = session
        self._endpoint = endpoint
        self._headers = dict(headers)
        self._pace = pace
        self._check = check
        limits = pace.limits
        self._own_wait = wait_exponential_jitter(
            multiplier=limits.first_wait_seconds,
            max=limits.longest_wait_seconds,
            jitter=limits.first_wait_seconds,
        )

    async def ask(
        self,
        url: str,
        read: Callable[[httpx.Response], _T],
        *,
        limit: int,
        may_leave: bool = False,
        is_start: bool = False,
    ) -> _T:
        """Send a request, with retries, until there is a usable response.

        Args:
            url: the address.
            read: converts the response.
            limit: maximum number of bytes.
            may_leave: whether a redirect may lead to another host.
            is_start: whether to request only the first `limit` bytes.
        """

        async def once() -> _T:
            await self._pace.turn()
            response = await self._get(url, limit=limit, may_leave=may_leave, is_start=is_start)
            if response.status_code < 500 and response.status_code != 429:
                self._pace.answered()
            if (asked := retry_after_seconds(response)) is not None:
                self._pace.pause(asked)
            self._check(response)
            return read(response)

        return await AsyncRetrying(
            retry=retry_if_exception(_is_transient),
            wait=self._wait_seconds,
            stop=self._is_enough,
            sleep=self._pace.limits.sleep,
            reraise=True,
        )(once)

    def _is_enough(self, state: RetryCallState) -> bool:
        return state.attempt_number >= self._pace.limits.attempts or self._pace.is_closed

    def _wait_seconds(self, state: RetryCallState) -> float:
        """Return the wait before the next retry; a wait that the service requests applies to all requests."""
        own = self._own_wait(state)
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, HfHubHTTPError):
            if error.response.status_code == 429 and retry_after_seconds(error.response) is None:
                self._pace.pause(own)
            if error.response.status_code == 429 or retry_after_seconds(error.response) is not None:
                return 0
        return own

    async def _get(self, url: str, *, limit: int, may_leave: bool, is_start: bool) -> httpx.Response:
        """Return the response with its body, following permitted redirects."""
        silence = self._pace.limits.silence_seconds
        # A compressed response would count other bytes than the file's.
        asked = {"Range": f"bytes=0-{limit - 1}", "Accept-Encoding": "identity"} if is_start else {}
        request = self._session.build_request("GET", url, headers={**self._headers, **asked}, timeout=silence)
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._session.send(request, stream=True, follow_redirects=False)
            try:
                if response.next_request is None:
                    return await _whole(response, limit, is_start=is_start)
            finally:
                await response.aclose()
            self._check_redirect(response.next_request.url, may_leave=may_leave)
            request = response.next_request
        raise ResponseError(f"is redirected more than {MAX_REDIRECTS} times")

    def _check_redirect(self, to: httpx.URL, *, may_leave: bool) -> None:
        home = httpx.URL(self._endpoint)
        if (to.scheme, to.netloc) == (home.scheme, home.netloc):
            return
        if not may_leave:
            raise ResponseError(f"is redirected to {to.host}; hubstack takes facts only from the Hub itself")
        if to.scheme != "https" and home.scheme == "https":
            raise ResponseError(f"has a file that is redirected to {to.host} over plain {to.scheme}")


async def _whole(response: httpx.Response, limit: int, *, is_start: bool) -> httpx.Response:
    """Return the response with its body, or its start; never reads more than the limit."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if is_start and len(body) >= limit:
            del body[limit:]
            break
        if len(body) > limit:
            raise ResponseError(f"returned more than {limit:,} bytes")
    coding = {"content-encoding", "content-length", "transfer-encoding"}
    headers = [(name, value) for name, value in response.headers.multi_items() if name not in coding]
    return httpx.Response(response.status_code, headers=headers, content=bytes(body), request=response.request)


def _is_transient(error: BaseException) -> bool:
    """Return whether a retry may succeed."""
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in RETRIED_STATUSES
    # A truncated body appears as a broken transfer or as incomplete JSON.
    broken = (
        httpx.TransportError
        | httpx.DecodingError
        | json.JSONDecodeError
        | UnicodeDecodeError
        | RetryableResponseError
    )
    ours = httpx.UnsupportedProtocol | httpx.LocalProtocolError
    return isinstance(error, broken) and not isinstance(error, ours) and not is_certificate_error(error)


def retry_after_seconds(response: httpx.Response) -> float | None:
    """Return the wait in seconds that the service requests, by `Retry-After` or an exhausted `RateLimit`.

    huggingface_hub supports `Retry-After` in seconds only; HTTP also allows a date.
    """
    after = response.headers.get("Retry-After", "").strip()
    if response.status_code in RETRIED_STATUSES and after:
        return float(after) if after.isdecimal() else _until(after, response.headers.get("Date"))
    limit = parse_ratelimit_headers(response.headers)
    return float(limit.reset_in_seconds) + 1 if limit is not None and limit.remaining == 0 else None


def _until(date: str, now: str | None) -> float | None:
    """Return the seconds until an HTTP date, counted from the response's date or else from the local clock."""
    try:
        there = email.utils.parsedate_to_datetime(date)
        here = email.utils.parsedate_to_datetime(now) if now else datetime.now(UTC)
        return max(0.0, (there - here).total_seconds())
    except (TypeError, ValueError):  # not a date, or only one of the two has a time zone
        return None
