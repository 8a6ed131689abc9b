# SPDX-License-Identifier: Apache-2.0
"""Which questions one model takes.

Its info, its config.json at the commit, NVIDIA's quantization file where it is listed, and the default branch's
commit where another revision was asked (four at most). Fewer do not do: the Hub gives sizes and hashes only without
`expand`, and of config.json two fields only. Without the config it takes the info, and for a gated model a question
whether there is access.
"""

from collections.abc import Sequence

from hubstack.errors import HubError
from hubstack.facts import ModelFacts
from hubstack.hub.asking import Asked, Listener, ask_each
from hubstack.hub.client import HubClient
from hubstack.hub.mapping import Answers, commit_of, to_facts
from hubstack.hub.pace import Patience
from hubstack.hub.refusal import AnswerError, Refusal

_QUANTIZATION_FILE = "hf_quant_config.json"
_DEFAULT_BRANCH = "main"


def fetch_facts(
    asked: Sequence[Asked], *, token: str | None = None, patience: Patience | None = None,
    listener: Listener | None = None,
) -> list[ModelFacts]:  # fmt: skip
    """Return the facts of each model, in the order asked; arguments as for `fetch_each`.

    Raises:
        HubError: with every model that was refused.
    """
    answers = fetch_each(asked, token=token, patience=patience, listener=listener)
    refusals = [answer for answer in answers.values() if isinstance(answer, Refusal)]
    if refusals:
        raise HubError("\n".join(refusal.render() for refusal in refusals))
    found = {pair: answer for pair, answer in answers.items() if isinstance(answer, ModelFacts)}
    return [found[pair] for pair in asked]


def fetch_each(
    asked: Sequence[Asked], *, token: str | None = None, patience: Patience | None = None,
    listener: Listener | None = None, with_config: bool = True,
) -> dict[Asked, ModelFacts | Refusal]:  # fmt: skip
    """Return the facts of each model, or why there are none; in the order asked, each pair once.

    Args:
        asked: ids and revisions.
        token: a token to send; by default the one that huggingface_hub finds (HF_TOKEN, `hf auth login`).
        patience: how many at once, how often and how long to try.
        listener: told how it goes.
        with_config: False leaves out what takes further questions: the config and the counts of parameters.
    """
    return ask_each(
        asked, lambda client, pair: _fetch(client, *pair, with_config=with_config),
        token=token, patience=patience, listener=listener,
    )  # fmt: skip


async def _fetch(client: HubClient, repo_id: str, revision: str, *, with_config: bool) -> ModelFacts:
    is_default = revision == _DEFAULT_BRANCH
    info = await client.model_info(repo_id, None if is_default else revision)
    if info.disabled:
        raise AnswerError("is disabled by the Hub: nobody can read it")
    commit = commit_of(info, revision)
    if not with_config:
        if info.gated:  # the metadata of a gated model are public; its files say whether there is access
            await client.check_access(info.id)
        return to_facts(Answers(asked_id=repo_id, revision=revision, info=info))
    listed = {sibling.rfilename: sibling for sibling in info.siblings or []}
    modelopt = None
    if _QUANTIZATION_FILE in listed:
        modelopt = await client.read_json(info.id, commit, _QUANTIZATION_FILE, listed[_QUANTIZATION_FILE])
    config = await client.read_json(info.id, commit, "config.json", listed.get("config.json"))
    return to_facts(
        Answers(
            asked_id=repo_id,
            revision=revision,
            info=info,
            config=config or {},
            modelopt=modelopt or {},
            counts_are_of_commit=is_default or await client.default_commit(info.id) == commit,
        )
    )
