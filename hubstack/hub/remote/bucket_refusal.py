# SPDX-License-Identifier: Apache-2.0
"""Explains why own weights could not be read from their bucket, as one message with a hint.

Owns the wording for each error of Cloud Storage. Does not own retries: errors that arrive here have already been
retried.
"""

import re
import socket
import ssl

from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import httpx

from hubstack.files.escape import visible
from hubstack.hub.remote.bucket_client import ChangedError, EmptyFolderError
from hubstack.hub.remote.google_token import CredentialsError
from hubstack.hub.remote.pace import RunStoppedError
from hubstack.hub.remote.refusal import Cause, Refusal, ResponseError, causes
from hubstack.names import bucket_and_folder

_AGAIN = "run it again later"
_LOGIN = "run `gcloud auth application-default login`"
_PERMISSION = re.compile(r"storage\.[a-z]+\.[a-zA-Z]+")
_BY_TYPE: tuple[tuple[type[BaseException], str, str], ...] = (
    (RunStoppedError, "was not read: {error}", _AGAIN),
    (CredentialsError, "{error}", f"{_LOGIN}, or set GOOGLE_APPLICATION_CREDENTIALS"),
    (ChangedError, "{error}", "wait until the upload is complete, and run `hubstack lock` again"),
    (
        ssl.SSLCertVerificationError,
        "cannot be read: the certificate of {endpoint} is not trusted",
        "check the proxy; SSL_CERT_FILE names the authorities to trust",
    ),
    (socket.gaierror, "cannot be read: {endpoint} has no DNS address", "check DNS and network"),
    (ResponseError, "{error}", "look at it with `gcloud storage ls -l {id}/`"),
    (TimeoutError, "got no response from {endpoint} in time, several times", _AGAIN),
    (httpx.TimeoutException, "got no response from {endpoint} in time, several times", _AGAIN),
    (httpx.ConnectError, "cannot be read: no connection to {endpoint}", "check network and proxy"),
    (httpx.TransportError, "got only malformed responses from {endpoint}, several times", _AGAIN),
    (ValueError, "got only malformed responses from {endpoint}, several times", _AGAIN),
)
"""The first matching type applies; of the underlying causes, the more specific ones come first."""


def explain(error: Exception, *, model_id: str, revision: str, endpoint: str) -> Refusal:
    """Return the refusal that an error means for own weights."""
    message, hint, cause = _words(error, model_id, endpoint)
    return Refusal(id=model_id, revision=revision, message=visible(message), hint=hint, cause=cause)


def _words(error: Exception, model_id: str, endpoint: str) -> tuple[str, str, Cause]:
    if isinstance(error, HfHubHTTPError):
        return _status(error, model_id, endpoint)
    told = {"endpoint": endpoint, "error": error, "id": model_id}
    chain = list(causes(error))
    for kind, message, hint in _BY_TYPE:
        if any(isinstance(each, kind) for each in chain):
            is_silent = isinstance(error, httpx.TransportError | TimeoutError)
            is_gone = isinstance(error, EmptyFolderError)
            cause = Cause.GONE if is_gone else Cause.UNANSWERED if is_silent else Cause.UNKNOWN
            return message.format(**told), hint.format(**told), cause
    return f"got an answer that cannot be used ({type(error).__name__})", f"look at {endpoint}", Cause.UNKNOWN


def _status(error: HfHubHTTPError, model_id: str, endpoint: str) -> tuple[str, str, Cause]:
    status, bucket = error.response.status_code, bucket_and_folder(model_id)[0]
    if status == 404:
        hint = f"check the spelling: `gcloud storage ls gs://{bucket}/`"
        return f"cannot be read: there is no bucket `{bucket}`", hint, Cause.GONE
    if status == 401:
        return "was refused: the credentials are expired or not valid", _LOGIN, Cause.UNKNOWN
    if status == 403:
        named = _PERMISSION.search(error.server_message or "")
        lacks = f"the credentials lack `{named[0] if named else 'storage.objects.get'}` on `gs://{bucket}`"
        hint = f"grant the account roles/storage.objectViewer on the bucket, or {_LOGIN} with another account"
        return f"was refused: {lacks}", hint, Cause.UNKNOWN
    if status == 429 or status >= 500:
        return f"got no answer: {endpoint} failed with status {status}, several times", _AGAIN, Cause.UNANSWERED
    hint = f"look at it with `gcloud storage ls -l {model_id}/`"
    return f"was refused by {endpoint} with status {status}", hint, Cause.UNKNOWN
