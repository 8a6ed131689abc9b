# SPDX-License-Identifier: Apache-2.0
"""The credentials with which buckets are read, and the address of Cloud Storage.

Owns where they come from, in the order of Pulumi's Google provider: GOOGLE_OAUTH_ACCESS_TOKEN, then Application
Default Credentials (GOOGLE_APPLICATION_CREDENTIALS, gcloud's login, the metadata server). google-auth finds and
renews those; with STORAGE_EMULATOR_HOST no credentials are sent, as Google's own clients do. Shows where a token
comes from, never its value.
"""

import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import google.auth
import google.auth.transport.requests
from google.auth.exceptions import GoogleAuthError

from hubstack.hub.remote.refusal import ResponseError

ENDPOINT = "https://storage.googleapis.com"
EMULATOR = "STORAGE_EMULATOR_HOST"
_ACCESS_TOKEN = "GOOGLE_OAUTH_ACCESS_TOKEN"  # noqa: S105  a variable's name
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"


class CredentialsError(ResponseError):
    """There are no usable credentials; the message has the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageAccess:
    """Where Cloud Storage is, and who asks."""

    endpoint: str
    headers: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    place: str
    """Where the credentials come from."""


def storage_endpoint() -> str:
    """Return the base URL of Cloud Storage.

    Raises:
        CredentialsError: STORAGE_EMULATOR_HOST is not an address.
    """
    host = os.environ.get(EMULATOR, "").strip()
    if not host:
        return ENDPOINT
    url = host if "://" in host else f"http://{host}"
    if not _is_address(url):
        raise CredentialsError(f"cannot be read: {EMULATOR} is not an address")
    return url.rstrip("/")


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_base = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False
    return is_base and parts.username is None and url.isprintable() and " " not in url


def find_access() -> StorageAccess:
    """Return the address and the credentials; may contact the server that renews a token.

    Raises:
        CredentialsError: there are no credentials, or they are not accepted.
    """
    endpoint = storage_endpoint()
    if endpoint != ENDPOINT:
        return StorageAccess(endpoint=endpoint, place=f"{EMULATOR}, without credentials")
    if token := os.environ.get(_ACCESS_TOKEN, "").strip():
        return StorageAccess(endpoint=endpoint, headers=_bearer(token), place=f"the token of {_ACCESS_TOKEN}")
    try:
        found, _ = google.auth.default(scopes=[_SCOPE])  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        found.refresh(google.auth.transport.requests.Request())  # pyright: ignore[reportUnknownMemberType]
        token = str(found.token)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    except (GoogleAuthError, OSError, ValueError) as error:
        # The text of a refused renewal may quote what the server said of the account.
        raise CredentialsError(f"cannot be read: no Google credentials ({type(error).__name__})") from None
    return StorageAccess(endpoint=endpoint, headers=_bearer(token), place="Application Default Credentials")


def _bearer(token: str) -> dict[str, str]:
    if not token.isascii() or not token.isprintable():
        raise CredentialsError("cannot be read: the access token contains an invalid character")
    return {"Authorization": f"Bearer {token}"}
