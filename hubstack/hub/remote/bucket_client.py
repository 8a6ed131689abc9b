# SPDX-License-Identifier: Apache-2.0
"""Own weights in a bucket, read as if they were a repository on the Hub.

Owns the requests of Cloud Storage's JSON API (https://cloud.google.com/storage/docs/json_api/v1/objects: list, get
with `alt=media`) and the form in which a folder answers `fetch`: its listing is the repository, a hash over it the
commit, the front matter of its README.md the model card, and the headers of its safetensors files the counts. Every
read names the generation that was listed, so a file that changes in between is refused instead of mixed in.
"""

import base64
import binascii
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast
from urllib.parse import quote, urlencode

from huggingface_hub import ModelInfo
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.hf_api import RepoSibling
from huggingface_hub.utils import httpx

from hubstack.files.documents import parse_document
from hubstack.files.errors import InputError
from hubstack.files.escape import visible
from hubstack.hub.facts import FileFacts
from hubstack.hub.parts import loaded_weights
from hubstack.hub.remote.client import MAX_FILE_BYTES, MAX_INFO_BYTES, json_object
from hubstack.hub.remote.pace import RequestPacer
from hubstack.hub.remote.refusal import ResponseError, RetryableResponseError
from hubstack.hub.remote.safetensors_header import (
    LENGTH_BYTES,
    NotSafetensorsError,
    count_parameters,
    header_bytes,
)
from hubstack.hub.remote.session import RetriedSession
from hubstack.inputs.hub_names import path_problem
from hubstack.names import bucket_and_folder

PAGE_SIZE = 1000
"""Objects in one response (the API's own limit)."""
MAX_OBJECTS = 20_000
"""A model of 300 shards with its checkpoints has a few thousand."""
MAX_PAGES = 200
"""A page may have fewer objects than asked for, and those of a versioned bucket often do."""
_WINDOW = 256 * 1024
"""First bytes of a weights file to read; the header of most fits."""
_MAX_CARD_BYTES = 1_000_000
_FIELDS = "nextPageToken,items(name,generation,size,crc32c,md5Hash)"
_CRC32C = re.compile(r"[A-Za-z0-9+/]{6}==")
_FRONT_MATTER = re.compile(r"\A---\r?\n(.*?)^---\s*$", re.DOTALL | re.MULTILINE)
_GONE = frozenset({404, 412})
_T = TypeVar("_T")


class ChangedError(ResponseError):
    """An object changed or was deleted after it was listed."""


class EmptyFolderError(ResponseError):
    """The bucket has no object under the folder's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder of a bucket at one moment."""

    model_id: str
    files: Mapping[str, FileFacts]
    """By path in the folder."""

    @property
    def commit(self) -> str:
        """A hash over the listing, in the form of a commit: it changes when any object does."""
        rows = [
            [file.path, file.generation, file.size_bytes, file.crc32c]
            for file in sorted(self.files.values(), key=lambda file: file.path)
        ]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:40]


class BucketClient:
    """A client for concurrent requests to Cloud Storage; answers like `HubClient`."""

    def __init__(
        self, session: httpx.AsyncClient, *, endpoint: str, headers: Mapping[str, str], pace: RequestPacer
    ) -> None:
        self._endpoint = endpoint
        self._ask = RetriedSession(session, endpoint=endpoint, headers=headers, pace=pace, check=_check).ask
        self._folders: dict[str, Folder] = {}

    async def folder(self, model_id: str) -> Folder:
        """List the folder of a model, and remember the generations for the reads that follow."""
        bucket, prefix = bucket_and_folder(model_id)
        files: dict[str, FileFacts] = {}
        token: str | None = None
        for _ in range(MAX_PAGES):
            query: dict[str, str | int] = {"prefix": f"{prefix}/", "maxResults": PAGE_SIZE, "fields": _FIELDS}
            query |= {"pageToken": token} if token else {}
            url = f"{self._endpoint}/storage/v1/b/{bucket}/o?{urlencode(query)}"
            page = await self._ask(url, _page, limit=MAX_INFO_BYTES)
            listed: Any = page.get("items")
            for row in cast("list[Any]", listed) if isinstance(listed, list) else ():
                file = _file(row, prefix)
                if file is not None:
                    files[file.path] = file
            if len(files) > MAX_OBJECTS:
                raise ResponseError(f"has more than {MAX_OBJECTS:,} objects: name the folder of one model")
            token = str(page.get("nextPageToken") or "")
            if not token:
                break
        else:
            raise ResponseError("got a listing that does not end")
        if not files:
            raise EmptyFolderError(f"has no objects: the bucket `{bucket}` has nothing under `{prefix}/`")
        self._folders[model_id] = Folder(model_id=model_id, files=files)
        return self._folders[model_id]

    async def model_info(self, model_id: str, _revision: str | None) -> ModelInfo:
        """Return what the Hub would say of the folder: commit, files, model card, parameter counts."""
        folder = await self.folder(model_id)
        _check_is_model(folder)
        counts = await self._count(folder)
        card = await self._card(folder)
        return ModelInfo(
            id=model_id,
            sha=folder.commit,
            siblings=[{"rfilename": file.path, "size": file.size_bytes} for file in folder.files.values()],
            pipeline_tag=_word(card.get("pipeline_tag")),
            library_name=_word(card.get("library_name")),
            cardData={key: value for key, value in card.items() if key in _CARD},
            **({"safetensors": {"parameters": dict(counts), "total": counts.total()}} if counts else {}),
        )

    async def default_commit(self, model_id: str) -> str | None:
        """Return the commit of the listing: a bucket has one revision."""
        return self._folders[model_id].commit

    async def check_access(self, model_id: str) -> None:
        """Do nothing: whoever lists a bucket knows its facts; every read shows whether there is access."""

    async def quantized_builds(self, _model_id: str) -> list[Any]:
        """Return none: nobody publishes builds of own weights."""
        return []

    async def read_json(
        self, model_id: str, _commit: str, path: str, _listed: RepoSibling | None
    ) -> dict[str, Any] | None:
        """Return a small JSON file, or None if the folder has no such file."""
        file = self._folders[model_id].files.get(path)
        if file is None:
            return None

        def read(response: httpx.Response) -> dict[str, Any]:
            _check_content(file, response.content)
            try:
                return json_object(response, f"has a {path} that is not a JSON object")
            except (ValueError, RecursionError):  # the bytes are those of the listing: another try gives the same
                raise ResponseError(f"has a {path} that is not JSON") from None

        return await self._read(model_id, file, read, MAX_FILE_BYTES)

    async def read_start(self, model_id: str, _commit: str, path: str, size: int) -> bytes:
        """Return the first bytes of a file, by a range request."""
        file = self._folders[model_id].files[path]
        return await self._read(model_id, file, _content, size, is_start=True)

    async def _read(
        self,
        model_id: str,
        file: FileFacts,
        read: Callable[[httpx.Response], _T],
        limit: int,
        *,
        is_start: bool = False,
    ) -> _T:
        bucket, prefix = bucket_and_folder(model_id)
        name = quote(f"{prefix}/{file.path}", safe="")
        url = f"{self._endpoint}/storage/v1/b/{bucket}/o/{name}?alt=media&generation={file.generation}"
        try:
            return await self._ask(url, read, limit=limit, is_start=is_start)
        except HfHubHTTPError as error:
            if error.response.status_code in _GONE:
                raise ChangedError(f"changed while it was read: `{file.path}` was replaced or deleted") from None
            raise

    async def _count(self, folder: Folder) -> Counter[str]:
        """Return the parameters in the weights that an engine would load, by dtype."""
        counts = Counter[str]()
        for path in loaded_weights(folder.files):
            if not path.endswith(".safetensors"):
                continue
            file = folder.files[path]
            try:
                start = await self.read_start(folder.model_id, "", path, _WINDOW)
                end = header_bytes(start, file.size_bytes)
                if end > len(start):
                    start = await self.read_start(folder.model_id, "", path, end)
                counts += count_parameters(start[LENGTH_BYTES:end])
            except NotSafetensorsError:
                raise ResponseError(f"has a {path} that is not a safetensors file") from None
        return counts

    async def _card(self, folder: Folder) -> dict[str, Any]:
        """Return the front matter of README.md, empty without one; it is free text."""
        file = folder.files.get("README.md")
        if file is None:
            return {}
        text = (await self.read_start(folder.model_id, "", file.path, _MAX_CARD_BYTES)).decode(errors="replace")
        found = _FRONT_MATTER.match(text)
        try:
            said: Any = parse_document(found[1], file.path).value if found else None
        except InputError:
            return {}
        return cast("dict[str, Any]", said) if isinstance(said, dict) else {}


_CARD = frozenset({"license", "license_name", "base_model", "datasets"})


def _check_is_model(folder: Folder) -> None:
    """Refuse a folder that no engine could load, with the folder that was probably meant."""
    if {"config.json", "params.json"} & folder.files.keys() or any(p.endswith(".gguf") for p in folder.files):
        return
    below = sorted(path.removesuffix("/config.json") for path in folder.files if path.endswith("/config.json"))
    found = ", ".join(f"`{folder.model_id}/{each}`" for each in below[-3:])
    meant = f"; it has {found}" if found else ""
    raise ResponseError(f"has no config.json and no GGUF file, so it is not a model{meant}")


def _content(response: httpx.Response) -> bytes:
    return response.content


def _page(response: httpx.Response) -> dict[str, Any]:
    return json_object(response, "got a listing that is not a JSON object")


def _file(row: Any, prefix: str) -> FileFacts | None:
    """Return the facts of a listed object; None for the placeholder of a folder.

    Raises:
        ResponseError: the object cannot be pinned, or its name could escape a folder or mislead a reviewer.
    """
    said = cast("dict[str, Any]", row) if isinstance(row, dict) else {}
    name = said.get("name")
    if not isinstance(name, str) or not name.startswith(f"{prefix}/"):
        raise ResponseError("got a listing of other objects")
    path = name.removeprefix(f"{prefix}/")
    size, generation = _number(said.get("size")), _number(said.get("generation"))
    if size is None or not generation:
        raise ResponseError(f"lists `{visible(path)}` without size or generation")
    if (not path or path.endswith("/")) and size == 0:
        return None
    if fault := path_problem(path):
        raise ResponseError(f"lists the object `{visible(path)}`, which {fault.replace('repository', 'folder')}")
    crc32c = said.get("crc32c")
    if not isinstance(crc32c, str) or not _CRC32C.fullmatch(crc32c):
        raise ResponseError(f"lists `{path}` without a checksum (is it encrypted with a customer-supplied key?)")
    return FileFacts(
        path=path, size_bytes=size, generation=generation, crc32c=crc32c, md5=_hexadecimal(said.get("md5Hash"))
    )


def _number(value: Any) -> int | None:
    """Return a number that the API writes as text."""
    return int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,19}", value) else None


def _hexadecimal(md5: Any) -> str | None:
    try:
        digest = base64.b64decode(md5, validate=True) if isinstance(md5, str) else b""
    except binascii.Error:
        return None
    return digest.hex() if len(digest) == 16 else None


def _check_content(file: FileFacts, content: bytes) -> None:
    if len(content) != file.size_bytes:
        found = f"{len(content):,} bytes, where {file.size_bytes:,} are listed"
        raise RetryableResponseError(f"has a {file.path} of {found}")
    if file.md5 and hashlib.md5(content, usedforsecurity=False).hexdigest() != file.md5:
        raise RetryableResponseError(f"has a {file.path} whose bytes do not match the listing")


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and value.isprintable() and len(value) <= 100 else None


def _check(response: httpx.Response) -> None:
    """Raise for an error, with what the API says about it."""
    if response.status_code < 400:
        return
    try:
        said: Any = json.loads(response.content)
        message = str(said["error"]["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        message = ""
    # The Hub's client has the type for an error with a response; the session retries by it.
    raise HfHubHTTPError("refused by Cloud Storage", response=response, server_message=message)
