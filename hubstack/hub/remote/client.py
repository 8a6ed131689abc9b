# SPDX-License-Identifier: Apache-2.0
"""Sends single requests to the Hub.

Owns the addresses and how their responses are read. Does not own what the responses mean, or retries, redirects and
size limits (`session`). The `model_info` of huggingface_hub does not retry, has no time limit, and follows
redirects to any host; this module uses its headers, errors and types, but sends the requests itself.
"""

import json
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import quote

from huggingface_hub import Collection, ModelInfo, hf_hub_url
from huggingface_hub.errors import EntryNotFoundError
from huggingface_hub.hf_api import RepoSibling
from huggingface_hub.utils import hf_raise_for_status, httpx, validate_repo_id

from hubstack.hub.remote.mapping import check_bytes
from hubstack.hub.remote.pace import RequestPacer
from hubstack.hub.remote.refusal import ResponseError, RetryableResponseError
from hubstack.hub.remote.session import RetriedSession

MAX_INFO_BYTES, MAX_FILE_BYTES = 64_000_000, 20_000_000
"""A listing of 50,000 files has about 15 MB; the largest known config.json has less than one."""


class HubClient:
    """A client for concurrent requests to the Hub."""

    def __init__(
        self, session: httpx.AsyncClient, *, endpoint: str, headers: Mapping[str, str], pace: RequestPacer
    ) -> None:
        self._endpoint = endpoint
        self._ask = RetriedSession(
            session, endpoint=endpoint, headers=headers, pace=pace, check=hf_raise_for_status
        ).ask

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
            return json_object(response, f"has a {path} that is not a JSON object")

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
            url, lambda response: json_object(response, "did not return a JSON object"), limit=MAX_INFO_BYTES
        )


def json_object(response: httpx.Response, otherwise: str) -> dict[str, Any]:
    """Return the JSON object of a response; `otherwise` says what a response without one is."""
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise RetryableResponseError("returned a web page instead of the Hub's data")
    value: Any = json.loads(response.content)
    if not isinstance(value, dict):
        raise ResponseError(otherwise)
    return cast("dict[str, Any]", value)


def _list(response: httpx.Response) -> list[Any]:
    value: Any = json.loads(response.content)
    return cast("list[Any]", value) if isinstance(value, list) else []
