# SPDX-License-Identifier: Apache-2.0
"""Sends single requests to the Hub, with retries.

Owns requests: retries, redirects, size limits. Does not own what the responses mean, or the waits that all requests
share (`pace`). The `model_info` of huggingface_hub does not retry, has no time limit, and follows redirects to any
host; this module uses its session, headers, errors and types, but sends the requests itself.

Redirects within the Hub are followed (renamed repositories); a model's facts never come from another host. A file
may be on another host, but never over plain http if the Hub uses https; the token is not sent there, and the bytes
are checked against the size and hash listed by the Hub.
"""

import email.utils
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar, cast
from urllib.parse import quote

from huggingface_hub import Collection, ModelInfo, hf_hub_url
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError
from huggingface_hub.hf_api import RepoSibling
from huggingface_hub.utils import hf_raise_for_status, httpx, parse_ratelimit_headers, validate_repo_id
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    wait_exponential_jitter,
)

from hubstack.hub.remote.mapping import check_bytes
from hubstack.hub.remote.pace import RequestPacer
from hubstack.hub.remote.refusal import ResponseError, RetryableResponseError, is_certificate_error

RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
MAX_REDIRECTS = 5
MAX_INFO_BYTES, MAX_FILE_BYTES = 64_000_000, 20_000_000
"""A listing of 50,000 files has about 15 MB; the largest known config.json has less than one."""

_T = TypeVar("_T")


class HubClient:
    """A client for concurrent requests to the Hub."""

    def __init__(
        self, session: httpx.AsyncClient, *, endpoint: str, headers: Mapping[str, str], pace: RequestPacer
    ) -> None:
        self._session = session
        self._endpoint = endpoint
        self._headers = dict(headers)
        self._pace = pace
        limits = pace.limits
        self._own_wait = wait_exponential_jitter(
            multiplier=limits.first_wait_seconds,
            max=limits.longest_wait_seconds,
            jitter=limits.first_wait_seconds,
        )

    async def model_info(self, repo_id: str, revision: str | None) -> ModelInfo:
        """Return the Hub's facts about a model: commit, files with hashes, counts, license, scan status."""
        at = "" if revision is None else f"/revision/{quote(revision, safe='')}"
        return ModelInfo(**await self._facts(f"{repo_id}{at}", repo_id, "securityStatus=true&blobs=true"))

    async def quantized_builds(self, repo_id: str) -> list[Any]:
        """Return the Hub's list of quantized builds of a model, the most downloaded first."""
        named = quote(f"base_model:quantized:{repo_id}", safe="")
        url = f"{self._endpoint}/api/models?filter={named}&sort=downloads&direction=-1&limit=30"
        return await self._ask(url, _list, limit=MAX_INFO_BYTES)

    async def default_commit(self, repo_id: str) -> str | None:
        """Return the commit of the default branch."""
        return ModelInfo(**await self._facts(repo_id, repo_id, "expand=sha")).sha

    async def check_access(self, repo_id: str) -> None:
        """Check that the token can read the files of a gated model; raise otherwise."""
        await self._ask(f"{self._endpoint}/api/models/{repo_id}/auth-check", lambda _: None, limit=MAX_FILE_BYTES)

    async def access(self, repo_id: str) -> ModelInfo:
        """Return a model's access restrictions and current ID."""
        return ModelInfo(**await self._facts(repo_id, repo_id, "expand=gated&expand=private"))

    async def collection(self, slug: str) -> Collection:
        """Return a collection, like `HfApi.get_collection`, which has no time limit."""
        url = f"{self._endpoint}/api/collections/{slug}"
        return Collection(**{**await self._data(url), "endpoint": self._endpoint})

    async def read_json(
        self, repo_id: str, commit: str, path: str, listed: RepoSibling | None
    ) -> dict[str, Any] | None:
        """Return a small JSON file at a commit, or None if the repository has no such file."""

        def read(response: httpx.Response) -> dict[str, Any]:
            check_bytes(path, response.content, listed)
            return _object(response, f"has a {path} that is not a JSON object")

        url = hf_hub_url(repo_id, path, revision=commit, endpoint=self._endpoint)
        try:
            return await self._ask(url, read, limit=MAX_FILE_BYTES, may_leave=True)
        except EntryNotFoundError:
            return None

    async def read_start(self, repo_id: str, commit: str, path: str, size: int) -> bytes:
        """Return the first bytes of a file at a commit, by a range request; servers may ignore the range."""
        url = hf_hub_url(repo_id, path, revision=commit, endpoint=self._endpoint)
        return await self._ask(url, lambda response: response.content, limit=size, may_leave=True, is_start=True)

    async def _facts(self, path: str, repo_id: str, query: str) -> dict[str, Any]:
        validate_repo_id(repo_id)
        return await self._data(f"{self._endpoint}/api/models/{path}?{query}")

    async def _data(self, url: str) -> dict[str, Any]:
        return await self._ask(
            url, lambda response: _object(response, "did not return a JSON object"), limit=MAX_INFO_BYTES
        )

    async def _ask(
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
            hf_raise_for_status(response)
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
        """Return the wait before the next retry; a wait requested by the Hub applies to all requests."""
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


def _object(response: httpx.Response, otherwise: str) -> dict[str, Any]:
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise RetryableResponseError("returned a web page instead of the Hub's data")
    value: Any = json.loads(response.content)
    if not isinstance(value, dict):
        raise ResponseError(otherwise)
    return cast("dict[str, Any]", value)


def _list(response: httpx.Response) -> list[Any]:
    value: Any = json.loads(response.content)
    return cast("list[Any]", value) if isinstance(value, list) else []


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
    """Return the wait in seconds that the Hub requests, by `Retry-After` or an exhausted `RateLimit`.

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
