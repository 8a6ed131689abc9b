# SPDX-License-Identifier: Apache-2.0
"""Fetches many models concurrently, in the requested order, with all errors together.

The one seat for where a model's files come from: the Hub (`client`), or a bucket for own weights (`bucket_client`).
Both answer the same questions, so everything after this module is the same for both.

Owns which requests a model needs, at most ten: its info, config.json at the commit, tokenizer_config.json, the
settings of processors, NVIDIA's quantization file and sentence-transformers' settings if listed, the index of
weights if their names do not show that all exist, and the default branch's commit if another revision was
requested. A GGUF repository also needs the start of one file of each model, and a large model the list of its
quantized builds. Fewer are not enough: the Hub returns sizes and hashes only without `expand`, and only two fields
of config.json. Without the config, a model needs its info and, if gated, an access check. An adapter needs its
adapter_config.json, and the info of the repository that it names as its base.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic, Protocol, TypeVar

from huggingface_hub import ModelInfo, get_async_session
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.hf_api import RepoSibling
from huggingface_hub.utils import (
    build_hf_headers,  # pyright: ignore[reportUnknownVariableType]  an argument of it is untyped
    httpx,
)

from hubstack.files.errors import HubError
from hubstack.hub.facts import FileFacts, ModelFacts
from hubstack.hub.gguf_files import first_parts
from hubstack.hub.parts import (
    INDEX,
    describe,
    indexed_parts,
    loaded_weights,
    missing_parts,
    needs_index,
    superseded_parts,
)
from hubstack.hub.remote.bucket_client import BucketClient, ChangedError, Folder
from hubstack.hub.remote.builds import LEAST_BYTES, read_builds
from hubstack.hub.remote.client import HubClient
from hubstack.hub.remote.gguf_header import WINDOWS, HeaderError, TooShortError, read_header
from hubstack.hub.remote.mapping import HubResponses, commit_of, to_facts
from hubstack.hub.remote.mistral_params import config_of_params
from hubstack.hub.remote.pace import RequestPacer, RetryLimits
from hubstack.hub.remote.refusal import Cause, Refusal, ResponseError, explain, hub_endpoint, shown_endpoint
from hubstack.hub.remote.token import token_place
from hubstack.inputs.hub_names import DEFAULT_REVISION, repo_id_problem
from hubstack.names import is_own

_T = TypeVar("_T")
IdAndRevision = tuple[str, str]
"""Repository id and revision."""
_Source = HubClient | BucketClient
"""Where a model's files come from."""
SENTENCE_TRANSFORMERS = "modules.json"
"""The file that makes a folder a model of sentence-transformers."""
_MISTRAL_FILE = "params.json"
_TOKENIZER_FILE = "tokenizer_config.json"
_PROCESSOR_FILES = ("processor_config.json", "preprocessor_config.json", "video_preprocessor_config.json")
"""Where transformers looks for the code of a processor, in its order, before config.json (AutoProcessor)."""
_ADAPTER_FILE = "adapter_config.json"
_MOST_ADAPTERS = 8
"""Adapters of one repository whose config is read: file names are untrusted input."""
_NOT_SERVED = frozenset({404, 410, 501})
_NO_RANGE = 416
_MOST_HEADERS = 8
"""Models of one repository whose GGUF headers are read: file names are untrusted input."""
_QUANTIZATION_FILE = "hf_quant_config.json"
_SENTENCE_FILES = tuple(
    f"sentence_{name}_config.json"
    for name in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
"""Where sentence-transformers keeps a model's longest text, in the order of vLLM (transformers_utils/config.py)."""


class Listener(Protocol):
    """Receives progress, in the caller's thread."""

    def begin(self, models: int, what: str) -> None:
        """Called once with the number of models and a description of the endpoint and the token."""

    def done(self, repo_id: str) -> None:
        """Called when a model is done."""

    def pause(self, seconds: float) -> None:
        """Called when the Hub requests a pause."""


class _SilentListener:
    def begin(self, models: int, what: str) -> None: ...
    def done(self, repo_id: str) -> None: ...
    def pause(self, seconds: float) -> None: ...


def fetch_facts(
    asked: Sequence[IdAndRevision],
    *,
    token: str | None = None,
    limits: RetryLimits | None = None,
    listener: Listener | None = None,
) -> list[ModelFacts]:
    """Return the facts of each model in the requested order; arguments as for `fetch_each`.

    Raises:
        HubError: models could not be fetched; lists all of them.
    """
    answers = fetch_each(asked, token=token, limits=limits, listener=listener)
    refusals = [answer for answer in answers.values() if isinstance(answer, Refusal)]
    if refusals:
        raise HubError("\n".join(refusal.render() for refusal in refusals))
    found = {pair: answer for pair, answer in answers.items() if isinstance(answer, ModelFacts)}
    return [found[pair] for pair in asked]


def fetch_each(
    asked: Sequence[IdAndRevision],
    *,
    token: str | None = None,
    limits: RetryLimits | None = None,
    listener: Listener | None = None,
    with_config: bool = True,
    keep: Callable[[ModelFacts], None] | None = None,
) -> dict[IdAndRevision, ModelFacts | Refusal]:
    """Return the facts of each model or its error, in the requested order without duplicates.

    Args:
        asked: IDs and revisions.
        token: the token to send; by default the one that huggingface_hub finds (HF_TOKEN, `hf auth login`).
        limits: limits for concurrency, retries and waits.
        listener: receives progress.
        with_config: if False, skip the config and parameter counts, which need more requests.
        keep: called with the facts of each model when they arrive, in any order.
    """

    async def ask_hub(client: HubClient, repo_id: str, revision: str) -> ModelFacts:
        return kept(await _fetch(client, repo_id, revision, with_config=with_config))

    async def ask_bucket(client: BucketClient, model_id: str, revision: str) -> ModelFacts:
        if not with_config:
            return kept(_listed(await client.folder(model_id), revision))
        facts = await _fetch(client, model_id, revision, with_config=True)
        return kept(_own(facts, await client.folder(model_id)))

    def kept(facts: ModelFacts) -> ModelFacts:
        if keep:
            keep(facts)
        return facts

    own = [pair for pair in asked if is_own(pair[0])]
    on_hub = [pair for pair in asked if not is_own(pair[0])]
    answers = query_each(on_hub, ask_hub, token=token, limits=limits, listener=listener)
    answers |= _query_buckets(own, ask_bucket, limits=limits, listener=listener)
    return {pair: answers[pair] for pair in asked}


def query_each(
    asked: Sequence[IdAndRevision],
    question: Callable[[HubClient, str, str], Awaitable[_T]],
    *,
    token: str | None = None,
    limits: RetryLimits | None = None,
    listener: Listener | None = None,
) -> dict[IdAndRevision, _T | Refusal]:
    """Return the result for each pair or its error, in the requested order without duplicates.

    Args:
        asked: IDs and revisions.
        question: fetches one result, given client, ID and revision.
        token: as for `fetch_each`.
        limits: as for `fetch_each`.
        listener: as for `fetch_each`.
    """
    pairs = list(dict.fromkeys(asked))
    if not pairs:
        return {}
    told = listener or _SilentListener()
    place, endpoint = token_place(token), hub_endpoint()
    told.begin(len(pairs), f"{shown_endpoint()} {f'with the token of {place}' if place else 'without a token'}")

    def explained(error: Exception, pair: IdAndRevision) -> Refusal:
        return explain(error, repo_id=pair[0], revision=pair[1], endpoint=endpoint, token=token)

    try:
        # Before the event loop starts: fetching or renewing a token may block.
        headers: Mapping[str, str] = build_hf_headers(token=token, library_name="hubstack")
    except Exception as error:  # noqa: BLE001  reported for each model, like any other error
        return {pair: explained(error, pair) for pair in pairs}

    def connect(session: httpx.AsyncClient, pace: RequestPacer) -> HubClient:
        return HubClient(session, endpoint=endpoint, headers=headers, pace=pace)

    return asyncio.run(_Run(question, connect, explained, limits or RetryLimits(), told).ask_all(pairs))


def _query_buckets(
    asked: Sequence[IdAndRevision],
    question: Callable[[BucketClient, str, str], Awaitable[_T]],
    *,
    limits: RetryLimits | None,
    listener: Listener | None,
) -> dict[IdAndRevision, _T | Refusal]:
    """Return the result for each of several own weights or its error; as `query_each`."""
    pairs = list(dict.fromkeys(asked))
    if not pairs:
        return {}
    # Only lists with own weights load google-auth.
    from hubstack.hub.remote.bucket_refusal import explain as explain_bucket  # noqa: PLC0415
    from hubstack.hub.remote.google_token import ENDPOINT, find_access  # noqa: PLC0415

    told = listener or _SilentListener()
    try:
        access = find_access()
    except ResponseError as error:
        return {p: explain_bucket(error, model_id=p[0], revision=p[1], endpoint=ENDPOINT) for p in pairs}
    told.begin(len(pairs), f"{access.endpoint} with {access.place}")

    def explained(error: Exception, pair: IdAndRevision) -> Refusal:
        return explain_bucket(error, model_id=pair[0], revision=pair[1], endpoint=access.endpoint)

    def connect(session: httpx.AsyncClient, pace: RequestPacer) -> BucketClient:
        return BucketClient(session, endpoint=access.endpoint, headers=access.headers, pace=pace)

    return asyncio.run(_Run(question, connect, explained, limits or RetryLimits(), told).ask_all(pairs))


_C = TypeVar("_C", HubClient, BucketClient)


class _Run(Generic[_C, _T]):
    """One batch of requests to one service."""

    def __init__(
        self,
        question: Callable[[_C, str, str], Awaitable[_T]],
        connect: Callable[[httpx.AsyncClient, RequestPacer], _C],
        explained: Callable[[Exception, IdAndRevision], Refusal],
        limits: RetryLimits,
        listener: Listener,
    ) -> None:
        self._question = question
        self._connect = connect
        self._explained = explained
        self._limits = limits
        self._listener = listener

    async def ask_all(self, pairs: Sequence[IdAndRevision]) -> dict[IdAndRevision, _T | Refusal]:
        """Fetch all with limited concurrency; an error cancels no other request, Ctrl-C cancels all."""
        answers: dict[IdAndRevision, _T | Refusal] = {}
        pace = RequestPacer(self._limits, self._listener.pause)
        async with get_async_session() as session, asyncio.TaskGroup() as group:
            client = self._connect(session, pace)
            left = iter(pairs)
            for _ in range(min(self._limits.jobs, len(pairs))):
                group.create_task(self._work(client, pace, left, answers))
        return {pair: answers[pair] for pair in pairs}

    async def _work(
        self,
        client: _C,
        pace: RequestPacer,
        left: Iterator[IdAndRevision],
        answers: dict[IdAndRevision, _T | Refusal],
    ) -> None:
        """Process pairs from the shared iterator until none is left."""
        for pair in left:
            answer = await self._ask(client, pace, pair)
            if isinstance(answer, Refusal) and answer.cause is Cause.UNANSWERED:
                pace.unanswered()
            answers[pair] = answer
            self._listener.done(pair[0])

    async def _ask(self, client: _C, pace: RequestPacer, pair: IdAndRevision) -> _T | Refusal:
        try:
            async with pace.model():
                return await self._question(client, *pair)
        except Exception as error:  # noqa: BLE001  errors of all models are reported together
            return self._explained(error, pair)


def _listed(folder: Folder, revision: str) -> ModelFacts:
    """Return what the listing of own weights alone says."""
    return ModelFacts(id=folder.model_id, revision=revision, commit=folder.commit, files=_by_path(folder))


def _by_path(folder: Folder) -> tuple[FileFacts, ...]:
    return tuple(sorted(folder.files.values(), key=lambda file: file.path))


def _own(facts: ModelFacts, folder: Folder) -> ModelFacts:
    """Return the facts of own weights: with generations and checksums, and the task that the Hub would derive.

    Raises:
        ResponseError: the folder changed while it was read.
    """
    if folder.commit != facts.commit:
        raise ChangedError("changed while it was read")
    task, library = facts.pipeline_tag, facts.library
    if SENTENCE_TRANSFORMERS in folder.files:
        task, library = task or "sentence-similarity", library or "sentence-transformers"
    return replace(facts, files=_by_path(folder), pipeline_tag=task, library=library)


async def _fetch(client: _Source, repo_id: str, revision: str, *, with_config: bool) -> ModelFacts:
    is_default = revision == DEFAULT_REVISION
    info = await client.model_info(repo_id, None if is_default else revision)
    if info.disabled:
        raise ResponseError("is disabled by the Hub: nobody can read it")
    commit = commit_of(info, revision)
    if not with_config:
        if info.gated:  # a gated model's metadata is public; only its files show whether there is access
            await client.check_access(info.id)
        return to_facts(HubResponses(asked_id=repo_id, revision=revision, info=info))
    listed = {sibling.rfilename: sibling for sibling in info.siblings or []}
    superseded: frozenset[str] = frozenset()
    if needs_index(listed):
        index = await client.read_json(info.id, commit, INDEX, listed[INDEX]) or {}
        missing = tuple(sorted(indexed_parts(index) - listed.keys()))
        superseded = superseded_parts(index, listed)
    else:
        missing = missing_parts(loaded_weights(listed))
    if missing:
        raise ResponseError(
            f"is not complete at this commit: {describe(missing)} is missing, and its weights need it"
        )
    modelopt = None
    if _QUANTIZATION_FILE in listed:
        modelopt = await client.read_json(info.id, commit, _QUANTIZATION_FILE, listed[_QUANTIZATION_FILE])
    config = await client.read_json(info.id, commit, "config.json", listed.get("config.json"))
    if config is None and _MISTRAL_FILE in listed:
        params = await client.read_json(info.id, commit, _MISTRAL_FILE, listed[_MISTRAL_FILE])
        config = config_of_params(params or {})
    tokenizer = await _read_optional(client, info.id, commit, listed, (_TOKENIZER_FILE,))
    sentences = await _read_optional(client, info.id, commit, listed, _SENTENCE_FILES)
    headers = await _read_headers(client, info.id, commit, listed)
    adapters = await _read_adapters(client, info.id, commit, listed)
    facts = to_facts(
        HubResponses(
            asked_id=repo_id,
            revision=revision,
            info=info,
            config=config or {},
            tokenizer=tokenizer,
            sentences=sentences or {},
            processors=await _read_processors(client, info.id, commit, listed),
            modelopt=modelopt or {},
            gguf_headers=headers,
            adapters=adapters,
            adapter_base=await _read_base(client, adapters) if config is None else None,
            counts_are_of_commit=is_default or await client.default_commit(info.id) == commit,
        )
    )
    files = tuple(file for file in facts.files if file.path not in superseded)
    return replace(facts, files=files, quantized_builds=await _read_builds(client, facts))


async def _read_builds(client: _Source, facts: ModelFacts) -> dict[str, int]:
    """Return the quantized builds of a model that is large and not quantized itself, if the Hub lists them."""
    sizes = {file.path: file.size_bytes for file in facts.files}
    if facts.quantization or sum(sizes[path] for path in loaded_weights(sizes)) < LEAST_BYTES:
        return {}
    try:
        return read_builds(await client.quantized_builds(facts.id))
    except (HfHubHTTPError, ResponseError):  # a mirror may lack the search; the builds are only for information
        return {}


async def _read_optional(
    client: _Source, repo_id: str, commit: str, listed: Mapping[str, RepoSibling], names: Sequence[str]
) -> dict[str, Any] | None:
    """Return the first of several files that is listed, or None if none is or it cannot be fetched."""
    name = next((name for name in names if name in listed), None)
    if name is None:
        return None
    try:
        return await client.read_json(repo_id, commit, name, listed[name])
    except HfHubHTTPError as error:
        if error.response.status_code in _NOT_SERVED:
            return None
        raise


async def _read_processors(
    client: _Source, repo_id: str, commit: str, listed: Mapping[str, RepoSibling]
) -> tuple[dict[str, Any], ...]:
    """Return the settings of the repository's processors of images, sounds and videos."""
    found = [await _read_optional(client, repo_id, commit, listed, (name,)) for name in _PROCESSOR_FILES]
    return tuple(said for said in found if said is not None)


async def _read_adapters(
    client: _Source, repo_id: str, commit: str, listed: Mapping[str, RepoSibling]
) -> dict[str, dict[str, Any]]:
    """Return each adapter_config.json by its folder: the repository's own, and those of folders beside it."""
    paths = sorted(path for path in listed if path.rpartition("/")[2] == _ADAPTER_FILE and path.count("/") < 2)
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(paths, key=lambda path: path.count("/"))[:_MOST_ADAPTERS]:
        if (said := await _read_optional(client, repo_id, commit, listed, (path,))) is not None:
            found[path.rpartition("/")[0] or "."] = said
    return found


async def _read_base(client: _Source, adapters: Mapping[str, Mapping[str, Any]]) -> ModelInfo | None:
    """Return what the Hub says of the repository that an adapter was trained on: its relations to other models."""
    named: Any = adapters.get(".", {}).get("base_model_name_or_path")
    if isinstance(client, BucketClient) or not isinstance(named, str) or repo_id_problem(named):
        return None
    try:
        return await client.model_info(named, None)
    except (HfHubHTTPError, ResponseError):  # gone, private or local: the adapter's own words remain
        return None


async def _read_headers(
    client: _Source, repo_id: str, commit: str, listed: Mapping[str, RepoSibling]
) -> dict[str, dict[str, Any]]:
    """Return the header of one GGUF file of each model, without those that cannot be fetched or read."""
    models = first_parts(listed)
    found: dict[str, dict[str, Any]] = {}
    for paths in list(models.values())[:_MOST_HEADERS]:
        header = await _read_header(client, repo_id, commit, paths[0])
        if header:
            found[paths[0]] = header
    return found


async def _read_header(client: _Source, repo_id: str, commit: str, path: str) -> dict[str, Any] | None:
    for size in WINDOWS:
        try:
            content = await client.read_start(repo_id, commit, path, size)
            return read_header(content, is_whole=len(content) < size or size == WINDOWS[-1])
        except TooShortError:
            continue
        except HeaderError:
            return None
        except HfHubHTTPError as error:
            if error.response.status_code in {*_NOT_SERVED, _NO_RANGE}:
                return None
            raise
    return None
