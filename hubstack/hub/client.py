# SPDX-License-Identifier: Apache-2.0
"""One question to the Hub, asked patiently.

Owns time limits and retries: huggingface_hub retries downloads and listings, but asks `model_info` once, without
a time limit. Does not own what the answers mean. A server that sends a byte now and then is not cut off: the
time limit is between two reads, as httpx has it.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from huggingface_hub import Collection, HfApi, ModelInfo, hf_hub_url
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError
from huggingface_hub.hf_api import ExpandModelProperty_T
from huggingface_hub.utils import (
    build_hf_headers,  # pyright: ignore[reportUnknownVariableType]  an argument of it is untyped
    get_session,
    hf_raise_for_status,
    httpx,
    parse_ratelimit_headers,
)
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, stop_before_delay

from hubstack.hub.refusal import AnswerError, hub_endpoint

RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
MAX_CONFIG_BYTES = 20_000_000
"""The largest config.json known is below one megabyte; more is no config."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for the Hub."""

    attempts: int = 6
    """Tries of one question."""
    total_seconds: float = 120
    """No try of a question begins later than this, waiting included."""
    first_wait_seconds: float = 1
    """Doubles after each failure, up to `longest_wait_seconds`."""
    longest_wait_seconds: float = 16
    """Of our own waits. A wait that the Hub asks for is kept to, or the question is given up."""
    sleep: Callable[[float], None] = time.sleep


class HubClient:
    """Asks the Hub at HF_ENDPOINT. Safe to share between threads."""

    def __init__(self, *, token: str | None, timeout_seconds: float, patience: Patience) -> None:
        self.endpoint = hub_endpoint()
        self._token = token
        self._timeout_seconds = timeout_seconds
        self._patience = patience
        self._api = HfApi(endpoint=self.endpoint, token=token, library_name="hubstack")

    def model_info(self, repo_id: str, revision: str | None) -> ModelInfo:
        """Return what the Hub knows of a model: commit, files with hashes, counts, licence, scan status."""
        return self._retrying(
            lambda: self._api.model_info(
                repo_id, revision=revision, files_metadata=True, securityStatus=True,
                timeout=self._timeout_seconds,
            )
        )  # fmt: skip

    def default_commit(self, repo_id: str) -> str | None:
        """Return the commit that the default branch stands at."""
        return self._retrying(
            lambda: self._api.model_info(repo_id, expand=["sha"], timeout=self._timeout_seconds).sha
        )

    def access(self, repo_id: str) -> ModelInfo:
        """Return who may read a model, and its name today."""
        wanted: list[ExpandModelProperty_T] = ["gated", "private"]
        return self._retrying(lambda: self._api.model_info(repo_id, expand=wanted, timeout=self._timeout_seconds))

    def collection(self, slug: str) -> Collection:
        """Return a collection: what `HfApi.get_collection` does, which has no time limit."""
        url = f"{self.endpoint}/api/collections/{slug}"
        return Collection(
            **{**self._retrying(lambda: self._get_json(url, "list of items")), "endpoint": self.endpoint}
        )

    def read_json(self, repo_id: str, commit: str, path: str) -> dict[str, Any] | None:
        """Return a small JSON file at a commit, or None where the repository has no such file."""
        url = hf_hub_url(repo_id, path, revision=commit, endpoint=self.endpoint)
        try:
            return self._retrying(lambda: self._get_json(url, path))
        except EntryNotFoundError:
            return None

    def _get_json(self, url: str, path: str) -> dict[str, Any]:
        headers = build_hf_headers(token=self._token, library_name="hubstack")
        response = get_session().get(url, headers=headers, timeout=self._timeout_seconds)
        hf_raise_for_status(response)
        if len(response.content) > MAX_CONFIG_BYTES:
            raise AnswerError(f"has a {path} of more than {MAX_CONFIG_BYTES:,} bytes")
        value: Any = response.json()
        if not isinstance(value, dict):
            raise AnswerError(f"has a {path} that is no JSON object")
        return value  # pyright: ignore[reportUnknownVariableType]  JSON objects have text keys

    def _retrying(self, ask: Callable[[], _T]) -> _T:
        patience = self._patience
        retrying = Retrying(
            retry=retry_if_exception(_may_pass),
            wait=self._wait_seconds,
            stop=stop_after_attempt(patience.attempts) | stop_before_delay(patience.total_seconds),
            sleep=patience.sleep,
            reraise=True,
        )
        return retrying(ask)

    def _wait_seconds(self, state: RetryCallState) -> float:
        """Return the wait that the Hub asks for, else one that doubles."""
        patience = self._patience
        own = min(patience.first_wait_seconds * 2 ** (state.attempt_number - 1), patience.longest_wait_seconds)
        error = state.outcome.exception() if state.outcome else None
        asked = _asked_wait_seconds(error.response.headers) if isinstance(error, HfHubHTTPError) else None
        return own if asked is None else max(asked, own)


def _may_pass(error: BaseException) -> bool:
    """Say whether the same question may be answered when asked again."""
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in RETRIED_STATUSES
    # A body that is cut off shows as a broken transfer, or as JSON that ends too soon.
    broken = httpx.TransportError | httpx.DecodingError | json.JSONDecodeError | UnicodeDecodeError
    ours = httpx.UnsupportedProtocol | httpx.LocalProtocolError
    return isinstance(error, broken) and not isinstance(error, ours)


def _asked_wait_seconds(headers: Any) -> float | None:
    """Return how long the Hub asks to wait: `Retry-After` in seconds, or an exhausted `RateLimit`."""
    after = str(headers.get("Retry-After", ""))
    if after.isdecimal():
        return float(after)
    limit = parse_ratelimit_headers(headers)
    return float(limit.reset_in_seconds) + 1 if limit is not None and limit.remaining == 0 else None
