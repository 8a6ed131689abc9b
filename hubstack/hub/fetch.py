# SPDX-License-Identifier: Apache-2.0
"""Many models at once, in the order that was asked, with all refusals together.

Owns which questions one model takes: its info, its config.json at the commit, NVIDIA's quantization file where
it is listed, and the default branch's commit where another revision was asked (four at most).
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from hubstack.errors import HubError
from hubstack.facts import ModelFacts
from hubstack.hub.client import HubClient, Patience
from hubstack.hub.mapping import Answers, commit_of, to_facts
from hubstack.hub.refusal import AnswerError, Refusal, explain

Asked = tuple[str, str]
"""Repository id and revision."""
WORKERS = 8
"""Few enough for the Hub's limit of 500 questions in five minutes without a token."""
_QUANTIZATION_FILE = "hf_quant_config.json"
_DEFAULT_BRANCH = "main"


def fetch_facts(
    asked: Sequence[Asked], *, token: str | None = None, timeout_seconds: float = 30,
    patience: Patience | None = None, on_done: Callable[[str], None] | None = None,
) -> list[ModelFacts]:  # fmt: skip
    """Return the facts of each model, in the order asked; arguments as for `fetch_each`.

    Raises:
        HubError: with every model that was refused.
    """
    answers = fetch_each(asked, token=token, timeout_seconds=timeout_seconds, patience=patience, on_done=on_done)
    refusals = [answer for answer in answers.values() if isinstance(answer, Refusal)]
    if refusals:
        raise HubError("\n".join(refusal.render() for refusal in refusals))
    found = {pair: answer for pair, answer in answers.items() if isinstance(answer, ModelFacts)}
    return [found[pair] for pair in asked]


def fetch_each(
    asked: Sequence[Asked], *, token: str | None = None, timeout_seconds: float = 30,
    patience: Patience | None = None, on_done: Callable[[str], None] | None = None,
) -> dict[Asked, ModelFacts | Refusal]:  # fmt: skip
    """Return the facts of each model, or why there are none; in the order asked, each pair once.

    Args:
        asked: ids and revisions.
        token: a token to send; by default the one that huggingface_hub finds (HF_TOKEN, `hf auth login`).
        timeout_seconds: longest silence of the Hub within one try.
        patience: how often and how long to try.
        on_done: told each id as it is done, in the caller's thread, in the order of completion.
    """
    client = HubClient(token=token, timeout_seconds=timeout_seconds, patience=patience or Patience())
    answers: dict[Asked, ModelFacts | Refusal] = {}
    pool = ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="hub")
    try:
        pending = {pool.submit(_ask, client, pair, token): pair for pair in dict.fromkeys(asked)}
        for future in as_completed(pending):
            answers[pending[future]] = future.result()
            if on_done is not None:
                on_done(pending[future][0])
    finally:
        # On Ctrl-C what has not begun is not asked any more.
        pool.shutdown(cancel_futures=True)
    return {pair: answers[pair] for pair in dict.fromkeys(asked)}


def _ask(client: HubClient, pair: Asked, token: str | None) -> ModelFacts | Refusal:
    repo_id, revision = pair
    try:
        return _fetch(client, repo_id, revision)
    except Exception as error:  # noqa: BLE001  whatever happens to one model is told together with the others'
        return explain(error, repo_id=repo_id, revision=revision, endpoint=client.endpoint, token=token)


def _fetch(client: HubClient, repo_id: str, revision: str) -> ModelFacts:
    is_default = revision == _DEFAULT_BRANCH
    info = client.model_info(repo_id, None if is_default else revision)
    if info.disabled:
        raise AnswerError("is disabled by the Hub: nobody can read it")
    commit = commit_of(info, revision)
    listed = {sibling.rfilename for sibling in info.siblings or []}
    quantization = client.read_json(info.id, commit, _QUANTIZATION_FILE) if _QUANTIZATION_FILE in listed else None
    return to_facts(
        Answers(
            asked_id=repo_id,
            revision=revision,
            info=info,
            config=client.read_json(info.id, commit, "config.json") or {},
            modelopt=quantization or {},
            counts_are_of_commit=is_default or client.default_commit(info.id) == commit,
        )
    )
