# SPDX-License-Identifier: Apache-2.0
"""Many models at once, in the order that was asked, with all refusals together.

Owns the workers, the session and the headers of one round of questions. Does not own what is asked of a model.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from huggingface_hub import get_async_session
from huggingface_hub.utils import (
    build_hf_headers,  # pyright: ignore[reportUnknownVariableType]  an argument of it is untyped
)

from hubstack.hub.client import HubClient
from hubstack.hub.pace import Pace, Patience
from hubstack.hub.refusal import Cause, Refusal, explain, hub_endpoint, shown_endpoint
from hubstack.hub.token import token_place

Asked = tuple[str, str]
"""Repository id and revision."""
_T = TypeVar("_T")


class Listener(Protocol):
    """Told how the asking goes, in the caller's thread."""

    def begin(self, models: int, what: str) -> None:
        """Hear how many models are asked for, and whom and with which token, in words."""

    def done(self, repo_id: str) -> None:
        """Hear of each model as it is done."""

    def pause(self, seconds: float) -> None:
        """Hear that the Hub asks for a pause."""


class _Deaf:
    def begin(self, models: int, what: str) -> None: ...
    def done(self, repo_id: str) -> None: ...
    def pause(self, seconds: float) -> None: ...


def ask_each(
    asked: Sequence[Asked], question: Callable[[HubClient, Asked], Awaitable[_T]], *, token: str | None = None,
    patience: Patience | None = None, listener: Listener | None = None,
) -> dict[Asked, _T | Refusal]:  # fmt: skip
    """Return the answer for each model, or why there is none; in the order asked, each pair once.

    Args:
        asked: ids and revisions.
        question: what to ask of one.
        token: a token to send; by default the one that huggingface_hub finds (HF_TOKEN, `hf auth login`).
        patience: how many at once, how often and how long to try.
        listener: told how it goes.
    """
    pairs = list(dict.fromkeys(asked))
    if not pairs:
        return {}
    told = listener or _Deaf()
    place = token_place(token)
    told.begin(len(pairs), f"{shown_endpoint()} {f'with the token of {place}' if place else 'without a token'}")
    run = _Run(question, token, patience or Patience(), told)
    try:
        # Before the loop begins: a token may have to be fetched or renewed, which blocks.
        headers: Mapping[str, str] = build_hf_headers(token=token, library_name="hubstack")
    except Exception as error:  # noqa: BLE001  told for each model, as any other trouble is
        return {pair: run.explain(error, pair) for pair in pairs}
    return asyncio.run(run.ask_all(pairs, headers))


class _Run(Generic[_T]):
    """One round of questions."""

    def __init__(
        self, question: Callable[[HubClient, Asked], Awaitable[_T]], token: str | None, patience: Patience,
        listener: Listener,
    ) -> None:  # fmt: skip
        self._question = question
        self._token = token
        self._patience = patience
        self._listener = listener
        self._endpoint = hub_endpoint()

    async def ask_all(self, pairs: Sequence[Asked], headers: Mapping[str, str]) -> dict[Asked, _T | Refusal]:
        """Ask for all, some at once; what happens to one cancels no other, Ctrl-C cancels all."""
        answers: dict[Asked, _T | Refusal] = {}
        pace = Pace(self._patience, self._listener.pause)
        async with get_async_session() as session, asyncio.TaskGroup() as group:
            client = HubClient(session, endpoint=self._endpoint, headers=headers, pace=pace)
            left = iter(pairs)
            for _ in range(min(self._patience.jobs, len(pairs))):
                group.create_task(self._work(client, pace, left, answers))
        return {pair: answers[pair] for pair in pairs}

    async def _work(
        self, client: HubClient, pace: Pace, left: Iterator[Asked], answers: dict[Asked, _T | Refusal]
    ) -> None:
        """Take the next pair until none is left; the iterator is shared."""
        for pair in left:
            answer = await self._ask(client, pace, pair)
            if isinstance(answer, Refusal) and answer.cause is Cause.UNANSWERED:
                pace.unanswered()
            answers[pair] = answer
            self._listener.done(pair[0])

    async def _ask(self, client: HubClient, pace: Pace, pair: Asked) -> _T | Refusal:
        try:
            async with pace.model():
                return await self._question(client, pair)
        except Exception as error:  # noqa: BLE001  whatever happens to one model is told together with the others'
            return self.explain(error, pair)

    def explain(self, error: Exception, pair: Asked) -> Refusal:
        """Return what an error means for a model."""
        return explain(error, repo_id=pair[0], revision=pair[1], endpoint=self._endpoint, token=self._token)
