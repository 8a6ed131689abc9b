# SPDX-License-Identifier: Apache-2.0
"""Explains why a model could not be fetched from the Hub, as one message with a hint.

Owns the wording for each error of the Hub's client. Does not own retries: errors that arrive here have already been
retried.
"""

import os
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from huggingface_hub import constants
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    OIDCError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import httpx

from hubstack.hub.remote.pace import RunStoppedError
from hubstack.hub.remote.token import redactor, token_place
from hubstack.inputs.hub_names import DEFAULT_REVISION

_LOGIN = "run `hf auth login`, or set HF_TOKEN, with a token that has access"
_AGAIN = "run it again later"
_USER_IN_URL = re.compile(r"(?<=//)[^/@\s]+@")


class ResponseError(Exception):
    """The Hub's response cannot be used; the message has the reason."""


class RetryableResponseError(ResponseError):
    """An unusable response for which a retry may succeed."""


class Cause(StrEnum):
    """What a refusal means for the model."""

    GONE = "gone"
    """The repository or revision does not exist, or is not visible with this token."""
    GATED = "gated"
    """It exists, but is gated and the token has no access."""
    UNANSWERED = "unanswered"
    """Unknown: there was no meaningful response."""
    UNKNOWN = "unknown"
    """Unknown: no request was sent, or the response cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One model that cannot be locked."""

    id: str
    revision: str
    message: str
    """What happened, to follow the model's name; no secrets."""
    hint: str | None = None
    cause: Cause = Cause.UNKNOWN

    def render(self) -> str:
        """Return the message, with the hint on a second line."""
        at = "" if self.revision == DEFAULT_REVISION or self.revision in self.message else f" at `{self.revision}`"
        hint = f"\n    hint: {self.hint}" if self.hint else ""
        return f"`{self.id}`{at} {self.message}{hint}"


def explain(error: Exception, *, repo_id: str, revision: str, endpoint: str, token: str | None) -> Refusal:
    """Return the refusal that an error means.

    Args:
        error: the error raised by the client or the transport.
        repo_id: the requested ID.
        revision: the requested revision.
        endpoint: base URL of the Hub, for links.
        token: the token of the call, so that it can be redacted.
    """
    address = _without_user(endpoint)
    message, hint = _words(error, revision=revision, page=f"{address}/{repo_id}", endpoint=address)
    clean = redactor(token)
    return Refusal(
        id=clean(repo_id),
        revision=clean(revision),
        message=clean(message),
        hint=clean(hint) if hint else None,
        cause=_cause(error),
    )


def _cause(error: Exception) -> Cause:
    if isinstance(error, GatedRepoError):
        return Cause.GATED
    if isinstance(error, RevisionNotFoundError | DisabledRepoError):
        return Cause.GONE
    if not isinstance(error, HfHubHTTPError):
        return Cause.UNANSWERED if isinstance(error, httpx.TransportError | TimeoutError) else Cause.UNKNOWN
    status, said = error.response.status_code, _said(error)
    if status >= 500:
        return Cause.UNANSWERED
    if status == 403 and "gated" in said:
        return Cause.GATED
    # The Hub responds to an invalid token as to a missing repository; only the text differs.
    return Cause.GONE if status in {401, 404} and "invalid credentials" not in said else Cause.UNKNOWN


def _said(error: HfHubHTTPError) -> str:
    return str(error.response.headers.get("X-Error-Message") or error.server_message or "").lower()


_TELLING = (ssl.SSLCertVerificationError, socket.gaierror)
"""Underlying causes that are more specific than the client's error."""
_BY_TYPE: tuple[tuple[type[Exception], str, str], ...] = (
    (
        RetryableResponseError,
        "{error}, several times",
        "check network, proxy and HF_ENDPOINT ({endpoint}), or " + _AGAIN,
    ),
    (ResponseError, "{error}", "look at {page}"),
    (RunStoppedError, "was not fetched: {error}", _AGAIN),
    (
        ssl.SSLCertVerificationError,
        "cannot be fetched: the certificate of {endpoint} is not trusted",
        "check HF_ENDPOINT and the proxy; SSL_CERT_FILE names the authorities to trust",
    ),
    (
        socket.gaierror,
        "cannot be fetched: {endpoint} has no DNS address",
        "check HF_ENDPOINT, DNS and network",
    ),
    (
        DisabledRepoError,
        "is disabled by the Hub: nobody can read it",
        "see {page}, and choose another model",
    ),
    (
        RevisionNotFoundError,
        "has no revision `{revision}`",
        "its branches and tags are listed at {page}/tree/main",
    ),
    (HFValidationError, "is not a Hub ID", "write it as `owner/name`"),
    (
        OfflineModeIsEnabled,
        "cannot be fetched: HF_HUB_OFFLINE is set",
        "unset it: only the Hub knows the commit",
    ),
    (OIDCError, "cannot be fetched: the exchange of the CI token failed", "check HF_OIDC_RESOURCE"),
    (httpx.TimeoutException, "got no response from {endpoint} in time, several times", _AGAIN),
    (TimeoutError, "got no complete response from {endpoint} within the time limit for one model", _AGAIN),
    (
        httpx.ConnectError,
        "cannot be fetched: no connection to {endpoint}",
        "check network, proxy and HF_ENDPOINT",
    ),
    (httpx.UnsupportedProtocol, "cannot be fetched: {endpoint} is not a URL", "check HF_ENDPOINT"),
    (httpx.InvalidURL, "cannot be fetched: {endpoint} is not a URL", "check HF_ENDPOINT"),
    (UnicodeEncodeError, "cannot be fetched: the token contains an invalid character", _LOGIN),
    (
        httpx.LocalProtocolError,
        "cannot be fetched: the token contains an invalid character",
        _LOGIN,
    ),
    (httpx.TransportError, "got only malformed responses from {endpoint}, several times", _AGAIN),
    (ValueError, "got only malformed responses from {endpoint}, several times", _AGAIN),
)
"""The first matching type applies; subclasses come before their parents."""


def _words(error: Exception, *, revision: str, page: str, endpoint: str) -> tuple[str, str | None]:
    """Return message and hint."""
    if isinstance(error, GatedRepoError):
        return _gated(error, page)
    telling = next((cause for cause in causes(error) if isinstance(cause, _TELLING)), error)
    said = {"revision": revision, "page": page, "endpoint": endpoint, "error": error}
    for kind, message, hint in _BY_TYPE:
        if isinstance(telling, kind):
            return message.format(**said), hint.format(**said)
    if isinstance(error, HfHubHTTPError):
        return _http(error, page=page, endpoint=endpoint)
    return f"got an answer that cannot be used ({type(error).__name__})", f"look at {page}"


def _gated(error: GatedRepoError, page: str) -> tuple[str, str]:
    if error.response.status_code == 403:
        return (
            "is gated, and the token has no access to it; planning needs its config.json",
            f"ask for access at {page} with the account of the token, then run `hubstack lock` again",
        )
    return (
        "is gated, and no valid token was sent; planning needs its config.json",
        f"accept the terms at {page}, then {_LOGIN}",
    )


def _http(error: HfHubHTTPError, *, page: str, endpoint: str) -> tuple[str, str]:
    status = error.response.status_code
    said = _said(error)
    if status == 401 and "invalid credentials" in said:
        place = token_place() or "the caller"
        return (
            f"was refused: the token of {place} is expired or mistyped",
            "run `hf auth login`, or fix or unset HF_TOKEN",
        )
    if status == 403 and "gated" in said:
        return (
            "is gated, and the token may not read gated repositories",
            "enable access to public gated repositories in the fine-grained token's settings",
        )
    if status >= 500:
        return f"got no answer: {endpoint} failed with status {status}, several times", "try again later"
    if status in {401, 404}:  # over plain http the client leaves the 401 of a missing repository untyped
        place = token_place()
        seen = f"the token of {place}" if place else "anyone without a token"
        return (
            f"is not on the Hub, or is private and not visible to {seen}",
            f"check the spelling at {page}; for a private model {_LOGIN}",
        )
    return _BY_STATUS.get(status, (f"was refused by {endpoint} with status {status}", f"look at {page}"))


_BY_STATUS = {
    403: ("was refused: the token lacks a permission", "check the token's permissions"),
    429: (
        "was refused: the Hub's rate limit still applied after several retries",
        f"wait five minutes; a token raises the limit: {_LOGIN}",
    ),
}


def is_certificate_error(error: BaseException) -> bool:
    """Return whether the server's certificate could not be verified."""
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes(error))


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it was raised from, the outermost first."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _without_user(url: str) -> str:
    return _USER_IN_URL.sub("", url)


def shown_endpoint() -> str:
    """Return the Hub's base URL for messages, without user name and password."""
    return _without_user(hub_endpoint())


def hub_endpoint() -> str:
    """Return the Hub's base URL: the current HF_ENDPOINT (the client reads it only at import)."""
    return (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")
