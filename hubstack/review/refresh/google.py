# SPDX-License-Identifier: Apache-2.0
"""The door to Google's APIs: google-api-python-client with Application Default Credentials.

Owns credentials, pages, partial answers and the words for what Google refuses. No credential and no header appears
in any message. Endpoints follow gcloud's variables (`CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE` ...), for Private
Service Connect.
"""

import importlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from hubstack.files.errors import HubstackError, InputError
from hubstack.files.problems import Problem

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_ENDPOINTS = {"cloudbilling": "CLOUDBILLING", "compute": "COMPUTE", "serviceusage": "SERVICEUSAGE"}
_TITLES = {
    "cloudbilling": "Cloud Billing API",
    "compute": "Compute Engine API",
    "serviceusage": "Service Usage API",
}
_LONGEST = 300
RETRIES = 3


class RefusedByGoogleError(HubstackError):
    """Google refused, or could not be reached."""


class Google:
    """Google's APIs, with the caller's credentials."""

    def __init__(self, project: str) -> None:
        """Take the project that pays for the requests.

        Raises:
            HubstackError: Google's client is not installed.
            RefusedByGoogleError: there are no credentials.
        """
        self.project = project
        self._discovery = _module("googleapiclient.discovery")
        self._http_error = _module("googleapiclient.errors").HttpError
        self._auth_errors = _module("google.auth.exceptions")
        self._credentials = self._default_credentials()
        self._built: dict[tuple[str, str], Any] = {}

    def service(self, name: str, version: str = "v1") -> Any:
        """Return an API by its name in Google's documents, which the client carries."""
        key = name, version
        if key not in self._built:
            override = _endpoint(name)
            options = {"api_endpoint": override} if override else None
            self._built[key] = self._discovery.build(
                name,
                version,
                credentials=self._credentials,
                client_options=options,
                static_discovery=True,
                cache_discovery=False,
            )
        return self._built[key]

    def one(self, request: Any) -> dict[str, Any]:
        """Return the answer to a request.

        Raises:
            RefusedByGoogleError: Google refused, answered in part, or could not be reached.
        """
        try:
            answer: Any = request.execute(num_retries=RETRIES)
        except self._http_error as error:
            raise RefusedByGoogleError(self._refusal(request, error)) from None
        except self._auth_errors.GoogleAuthError:
            raise RefusedByGoogleError(_NO_LOGIN) from None
        except OSError as error:  # no connection, a timeout, a certificate
            host = urlsplit(str(request.uri)).hostname
            raise RefusedByGoogleError(f"{host} cannot be reached: {type(error).__name__}") from None
        except (ValueError, LookupError, TypeError, AttributeError):  # the client reads an error of another form
            host = urlsplit(str(request.uri)).hostname
            raise RefusedByGoogleError(f"{host} did not answer like a Google API") from None
        if not isinstance(answer, dict):
            raise RefusedByGoogleError(f"{request.methodId} did not return a JSON object")
        found = cast("dict[str, Any]", answer)
        _whole(str(request.methodId), found)
        return found

    def pages(self, collection: Any, request: Any, following: str = "list_next") -> Iterator[dict[str, Any]]:
        """Yield every page of a list.

        Raises:
            RefusedByGoogleError: see `one`; also if a page names itself as the next one.
        """
        seen: set[str] = set()
        while request is not None:
            page = self.one(request)
            token = str(page.get("nextPageToken", ""))
            if token and token in seen:
                raise RefusedByGoogleError(f"{request.methodId} gave the same page twice; nothing was written")
            seen.add(token)
            yield page
            request = getattr(collection, following)(request, page)

    def _default_credentials(self) -> Any:
        try:
            credentials, _ = _module("google.auth").default(scopes=list(SCOPES))
        except self._auth_errors.GoogleAuthError:
            raise RefusedByGoogleError(_NO_LOGIN) from None
        except (OSError, ValueError, KeyError):
            path = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS", "the credentials file")
            raise RefusedByGoogleError(
                f"{path} has no credentials that Google's client can read\n    hint: {_LOGIN}"
            ) from None
        has_quota = hasattr(credentials, "with_quota_project")
        return credentials.with_quota_project(self.project) if has_quota else credentials

    def _refusal(self, request: Any, error: Any) -> str:
        """Return what Google said, and what to do, without anything that was sent."""
        method, status = str(request.methodId), int(error.resp.status)
        api = method.partition(".")[0]
        said, details = _said(bytes(error.content or b""))
        text = f"{method} of {self.project}: {said or f'HTTP status {status}'}"
        disabled = any(each.get("reason") in {"SERVICE_DISABLED", "accessNotConfigured"} for each in details)
        if status == 403 and disabled:
            hint = f"gcloud services enable {api}.googleapis.com --project {self.project}"
            return f"{_TITLES.get(api, api)} is not enabled in {self.project}\n    hint: {hint}"
        if status == 403:
            permission = _permission(said, details) or method
            hint = (
                f"the permission `{permission}` is missing; roles/compute.viewer and "
                "roles/serviceusage.serviceUsageConsumer cover everything that `hubstack refresh` reads"
            )
            return f"{text}\n    hint: {hint}"
        if status == 401:
            return f"{text}\n    hint: {_LOGIN}"
        if status == 404:
            return f"{text}\n    hint: check `gcp:project` and `gcp:region`"
        if status == 429 or status >= 500:
            return f"{text}\n    hint: nothing was written; run it again later"
        return text


_LOGIN = "gcloud auth application-default login"
_NO_LOGIN = f"Google's client finds no valid credentials\n    hint: {_LOGIN}"


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        message = "Google's client is not installed"
        hint = 'install it: uv add "hubstack[refresh]" (in a clone: uv sync --extra refresh)'
        raise InputError([Problem(path="refresh", message=message, hint=hint)]) from None


def _endpoint(api: str) -> str | None:
    """Return an API's address that the environment gives; it must be encrypted unless it is this machine."""
    variable = f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{_ENDPOINTS[api]}"
    address = os.environ.get(variable)
    if not address:
        return None
    parts = urlsplit(address)
    is_local = parts.hostname in {"127.0.0.1", "localhost", "::1"}
    if parts.username or parts.scheme not in {"http", "https"} or (parts.scheme == "http" and not is_local):
        message = "must be an https address without a password"
        raise InputError([Problem(path=variable, message=message, hint=f"https://{api}.googleapis.com/")])
    return address


def _said(content: bytes) -> tuple[str, list[Mapping[str, Any]]]:
    """Return Google's message, shortened, and its structured details."""
    try:
        error: Any = json.loads(content).get("error", {})
        message = str(error.get("message", ""))
        details = [*error.get("details", ()), *error.get("errors", ())]
    except (ValueError, AttributeError, TypeError, RecursionError):
        return "", []
    flat = re.sub(r"\s+", " ", message)
    text = flat if len(flat) <= _LONGEST else f"{flat[:_LONGEST]}..."
    return text, [each for each in details if isinstance(each, dict)]


def _permission(said: str, details: list[Mapping[str, Any]]) -> str | None:
    for each in details:
        metadata: Any = each.get("metadata")
        if isinstance(metadata, dict) and "permission" in metadata:
            return str(cast("dict[str, Any]", metadata)["permission"])
    found = re.search(r"'([a-z]+(?:\.[A-Za-z]+){2,})'|Permission '?([a-z]+(?:\.[A-Za-z]+){2,})", said)
    return next((each for each in found.groups() if each), None) if found else None


def _whole(method: str, answer: Mapping[str, Any]) -> None:
    """Refuse an answer that Google itself says is a part of one."""
    items: Any = answer.get("items")
    scopes = list(cast("dict[str, Any]", items).values()) if isinstance(items, dict) else []
    warnings = [each.get("warning") for each in (answer, *scopes)]
    codes = [str(each.get("code")) for each in warnings if each]
    places = [str(each) for each in answer.get("unreachables", ())]
    codes = [code for code in codes if code != "NO_RESULTS_ON_PAGE"]
    if places or codes:
        what = ", ".join(places or sorted(set(codes)))
        raise RefusedByGoogleError(
            f"{method} returned only a part: {what}\n    hint: nothing was written; run it again later"
        )
