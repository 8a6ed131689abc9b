# SPDX-License-Identifier: Apache-2.0
"""What the Hub's refusals mean to a user, and what to do about each. No message carries a token."""

import re

import httpx2
from huggingface_hub import errors
from huggingface_hub.utils import HfHubHTTPError

_TOKEN = re.compile(r"hf_[A-Za-z0-9]{4,}|Bearer\s+\S+")


def redact(text: str) -> str:
    """Return the text without anything that looks like a token."""
    return _TOKEN.sub("[token]", text)


def is_transient(error: BaseException) -> bool:
    """Return whether the same request may go through later: rate limits, server errors, broken transport."""
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        return status in {408, 429} or status >= 500
    # A body that was cut off is no JSON.
    return isinstance(error, httpx2.TransportError | httpx2.DecodingError | ValueError) and not isinstance(
        error, errors.HFValidationError
    )


_BY_TYPE: tuple[tuple[type[Exception], str, str], ...] = (
    (
        errors.GatedRepoError,
        "`{id}` is gated, and config.json cannot be read without access",
        "accept its terms at {page} and set HF_TOKEN to a token of that account",
    ),
    (
        errors.RevisionNotFoundError,
        "`{id}` has no revision `{revision}`",
        "see {page}/branches, or leave `revision:` out",
    ),
    (errors.DisabledRepoError, "`{id}` has been disabled by the Hub", "choose another model"),
    (
        errors.RepositoryNotFoundError,
        "`{id}` does not exist, or is private and the token may not see it",
        "check the spelling; for a private model set HF_TOKEN",
    ),
)
_BY_STATUS: dict[int, tuple[str, str]] = {
    # Without a token the Hub answers so for what does not exist.
    401: (_BY_TYPE[-1][1], _BY_TYPE[-1][2]),
    403: (
        "`{id}`: the token may not read it",
        "give the token read access to this repository, also if it is gated",
    ),
    429: (
        "the Hub's rate limit was still in force for `{id}` after several tries",
        "wait five minutes, or set HF_TOKEN",
    ),
}


def explain(repo_id: str, revision: str, error: BaseException) -> tuple[str, str]:
    """Return what is wrong and what to do about it."""
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    found = next(((why, hint) for kind, why, hint in _BY_TYPE if isinstance(error, kind)), None)
    if found is None and status is not None:
        answered = (f"the Hub answered {status} for `{{id}}` after several tries", "try again later")
        found = _BY_STATUS.get(status, answered)
    if found is None:
        kind = type(error).__name__
        found = (f"the Hub could not be reached for `{{id}}` ({kind})", "check the network and HF_ENDPOINT")
    page = f"https://huggingface.co/{repo_id}"
    return tuple(text.format(id=repo_id, revision=revision, page=page) for text in found)  # type: ignore[return-value]
