# SPDX-License-Identifier: Apache-2.0
"""Reads the digests of tags from container registries (OCI distribution API): three requests and a token.

Owns the requests, their checks, and the wording of each failure. Does not own which images are asked for
(`hubstack.review.images`) or logins (`hubstack.hub.remote.registry_login`). Every answer is checked against its
digest, so that a proxy in between can only fail. Specifications: opencontainers/distribution-spec v1.1,
opencontainers/image-spec v1.1, distribution's token authentication.
"""

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self, cast
from urllib.parse import urlsplit

from huggingface_hub.utils import httpx

from hubstack.hub.facts import LockedImage
from hubstack.hub.remote.registry_login import Login, as_object, find_login
from hubstack.hub.remote.session import retry_after_seconds
from hubstack.plan.images import DOCKER_HUB, ImageName, read_image

PLATFORM = "linux/amd64"
"""The platform of every node that has an accelerator for which an engine has images."""
ATTEMPTS = 3
LONGEST_WAIT_SECONDS = 60
"""The longest wait that a registry may ask for; Docker Hub's limit lasts hours."""
MAX_MANIFEST_BYTES, MAX_CONFIG_BYTES = 4_194_304, 8_388_608
"""The specification's limit of a manifest; a config has a few kilobytes."""
MAX_REDIRECTS = 5
_DOCKER_HUB_API = "registry-1.docker.io"
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
"""Registries of this machine speak plain http, as for Docker."""
_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LONGEST, _SHOWN = 40, 20
"""Characters of a platform in a message, and platforms."""
_BROKEN = (429, 500, 502, 503, 504)
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


class RegistryError(Exception):
    """A registry's answer that gives no digest: the message follows the image's name."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


class UnreachableError(RegistryError):
    """The registry cannot be reached from here."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an image's repository is asked for."""

    name: ImageName
    scheme: str
    host: str

    @property
    def root(self) -> str:
        return f"{self.scheme}://{self.host}/v2/{self.name.path}"


class Registries:
    """Asks any registry. Use it as a context."""

    def __init__(self, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = httpx.Client(
            timeout=httpx.Timeout(30, connect=10),
            # A compressed answer could grow beyond any limit while it is read.
            headers={"User-Agent": "hubstack", "Accept-Encoding": "identity"},
            follow_redirects=False,
        )
        self._sleep = sleep
        self._tokens: dict[tuple[str, str], str] = {}
        """Host and repository to the value of `Authorization`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def resolve(self, image: str, *, published: str | None = None) -> LockedImage:
        """Return what an image's tag names.

        Args:
            image: the name to ask for, such as that in a mirror.
            published: the name to lock it under; by default the same.

        Raises:
            UnreachableError: no connection to the registry.
            RegistryError: the registry refuses, or does not have the image for the platform.
        """
        place = _place(image)
        tag = place.name.digest or place.name.tag or "latest"
        body, digest = self._document(place, f"manifests/{tag}", MAX_MANIFEST_BYTES)
        if place.name.digest and digest != place.name.digest:
            raise _wrong_digest(place, tag, digest)
        manifest, own = (body, None)
        if _is_index(body):
            own = _choose(place, body)
            manifest, _ = self._document(place, f"manifests/{own}", MAX_MANIFEST_BYTES)
        config_digest = _digest_in(place, manifest.get("config"))
        config, _ = self._document(place, f"blobs/{config_digest}", MAX_CONFIG_BYTES)
        _check_platform(place, config)
        return _locked(published or image, digest, own, config)

    def _document(self, place: _Place, path: str, limit: int) -> tuple[Mapping[str, Any], str]:
        """Return a JSON document of a repository and its digest, checked against the digest in its path."""
        response = self._ask(place, path, limit)
        digest = f"sha256:{hashlib.sha256(response.content).hexdigest()}"
        asked = path.partition("/")[2]
        said = response.headers.get("Docker-Content-Digest", "")
        for expected in (asked if _DIGEST.fullmatch(asked) else "", said):
            if expected and expected != digest:
                raise _wrong_digest(place, expected, digest)
        body = _object(response)
        if not body:
            raise RegistryError(
                f"got an answer from {place.host} that is not a manifest",
                "check that the address belongs to a registry, and that no proxy intercepts it",
            )
        return body, digest

    def _ask(self, place: _Place, path: str, limit: int) -> httpx.Response:
        """Return a usable answer, after as many attempts and one login."""
        attempt, url = 1, f"{place.root}/{path}"
        while (response := self._get(place, url, limit)).status_code in _BROKEN:
            asked = retry_after_seconds(response)
            wait = float(2 ** (attempt - 1)) if asked is None else asked
            if attempt == ATTEMPTS or wait > LONGEST_WAIT_SECONDS:
                break
            self._sleep(wait)
            attempt += 1
        if response.status_code != 200:
            raise _refused(place, response)
        return response

    def _get(self, place: _Place, url: str, limit: int) -> httpx.Response:
        key = (place.host, place.name.path)
        headers = {"Accept": ", ".join((*_INDEXES, *_MANIFESTS, "*/*;q=0.1"))}
        response = self._send(place, url, headers | self._authorization(key), limit)
        # Only the registry itself may ask for its login, not where it keeps its blobs.
        home = httpx.URL(place.root)
        is_own = (response.url.scheme, response.url.netloc) == (home.scheme, home.netloc)
        if response.status_code == 401 and is_own and key not in self._tokens:
            self._tokens[key] = self._log_in(place, response.headers.get("WWW-Authenticate", ""))
            response = self._send(place, url, headers | self._authorization(key), limit)
        return response

    def _authorization(self, key: tuple[str, str]) -> dict[str, str]:
        return {"Authorization": self._tokens[key]} if self._tokens.get(key) else {}

    def _log_in(self, place: _Place, challenge: str) -> str:
        """Return the `Authorization` for a challenge; empty if there is none to give."""
        login = find_login(place.name.registry)
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic":
            return login.basic if login else ""
        told = {found[1]: found[2] for found in re.finditer(r'([a-z_]+)="([^"]*)"', rest)}
        realm = _realm(place, told.get("realm", ""))
        if scheme.lower() != "bearer" or realm is None:
            return ""
        query = {key: told[key] for key in ("service",) if key in told}
        query["scope"] = told.get("scope") or f"repository:{place.name.path}:pull"
        url = str(realm.copy_with(params=query))
        response = self._send(place, url, _basic(login), MAX_MANIFEST_BYTES)
        if response.status_code in _BROKEN:
            raise _refused(place, response)
        if response.status_code != 200:
            return ""
        said = _object(response)
        token = said.get("token") or said.get("access_token")
        return f"Bearer {token}" if isinstance(token, str) and token.isprintable() else ""

    def _send(self, place: _Place, url: str, headers: Mapping[str, str], limit: int) -> httpx.Response:
        """Return an answer with its body, following redirects; a login never leaves its host."""
        try:
            request = self._client.build_request("GET", url, headers=dict(headers))
            for _ in range(MAX_REDIRECTS + 1):
                response = self._client.send(request, stream=True)
                try:
                    if response.next_request is None:
                        return _whole(place, response, limit)
                finally:
                    response.close()
                request = response.next_request
                if request.url.scheme != "https" and place.scheme == "https":
                    raise RegistryError(
                        f"is redirected to {request.url.host} over plain {request.url.scheme}",
                        f"contact the operator of {place.host}",
                    )
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise RegistryError(
                f"has no usable address: {place.host}", "correct the name of the registry"
            ) from None
        except httpx.RequestError as error:
            raise UnreachableError(
                f"{place.host} cannot be reached ({_cause(error)})",
                "run `hubstack lock` again where the registry can be reached, or with `--no-images`",
            ) from None
        raise RegistryError(
            f"is redirected more than {MAX_REDIRECTS} times", f"contact the operator of {place.host}"
        )


def _place(image: str) -> _Place:
    name = read_image(image)
    host = _DOCKER_HUB_API if name.registry == DOCKER_HUB else name.registry
    is_here = urlsplit(f"//{host}").hostname in _LOOPBACK
    return _Place(name, "http" if is_here else "https", host)


def _realm(place: _Place, text: str) -> httpx.URL | None:
    """Return a token server's address; None if a login may not be sent there."""
    try:
        realm = httpx.URL(text)
    except httpx.InvalidURL:
        return None
    is_here = place.scheme == "http" and realm.scheme == "http" and realm.host in _LOOPBACK
    return realm if realm.host and (realm.scheme == "https" or is_here) else None


def _object(response: httpx.Response) -> Mapping[str, Any]:
    """Return the JSON object of an answer; empty if it is none."""
    try:
        return as_object(json.loads(response.content))
    except (ValueError, RecursionError):
        return as_object(None)


def _basic(login: Login | None) -> dict[str, str]:
    return {"Authorization": login.basic} if login else {}


def _whole(place: _Place, response: httpx.Response, limit: int) -> httpx.Response:
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > limit:
            raise RegistryError(
                f"got more than {limit:,} bytes from {place.host}, too many for a manifest",
                "check that the address belongs to a registry",
            )
    kept = ("WWW-Authenticate", "Docker-Content-Digest", "Retry-After", "Date", "Content-Type")
    headers = {name: response.headers[name] for name in kept if name in response.headers}
    return httpx.Response(response.status_code, headers=headers, content=bytes(body), request=response.request)


def _cause(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    text = str(error).strip().rstrip(".")
    return text[:120] if text else type(error).__name__


def _is_index(body: Mapping[str, Any]) -> bool:
    return body.get("mediaType") in _INDEXES or ("manifests" in body and "config" not in body)


def _choose(place: _Place, index: Mapping[str, Any]) -> str:
    """Return the digest of the platform's manifest in an index."""
    there: list[str] = []
    listed: Any = index.get("manifests")
    for each in cast("list[Any]", listed) if isinstance(listed, list) else ():
        told = as_object(as_object(each).get("platform"))
        platform = f"{told.get('os')}/{told.get('architecture')}"
        if platform == PLATFORM:
            return _digest_in(place, each)
        if str(told.get("os")) not in {"None", "unknown"}:
            there.append(platform[:_LONGEST])
    raise _wrong_platform(sorted(set(there))[:_SHOWN])


def _check_platform(place: _Place, config: Mapping[str, Any]) -> None:
    if "architecture" not in config:
        raise RegistryError(
            f"is an artifact without a platform in {place.host}, not an image to run",
            "check the tag: Helm charts and signatures are stored beside images",
        )
    found = f"{config.get('os')}/{config.get('architecture')}"[:_LONGEST]
    if found != PLATFORM:
        raise _wrong_platform([found])


def _wrong_platform(there: list[str]) -> RegistryError:
    return RegistryError(
        f"is not built for {PLATFORM}, only for {', '.join(there) or 'unknown platforms'}",
        f"copy the image for {PLATFORM} to the mirror, or use the one that its publisher built",
    )


def _wrong_digest(place: _Place, expected: str, found: str) -> RegistryError:
    return RegistryError(
        f"has the digest {found}, but {place.host} calls it {expected}: the bytes were changed on the way",
        "check the proxy or mirror in between; nothing of this answer was used",
    )


def _digest_in(place: _Place, descriptor: Any) -> str:
    digest = as_object(descriptor).get("digest")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise RegistryError(
            f"has a manifest in {place.host} without the digest of its config, which this format needs",
            "push it again with a current tool: image manifests of schema 1 have none",
        )
    return digest


def _refused(place: _Place, response: httpx.Response) -> RegistryError:
    status, host, name = response.status_code, place.host, place.name
    if status == 404:
        return RegistryError(
            f"is not in {host}: it has no tag `{name.tag or name.digest}` of {name.path}",
            "copy it there (`hubstack images --copy-to REGISTRY` prints how), or correct `hubstack:images`",
        )
    if status in {401, 403}:
        google = f"gcloud auth configure-docker {host}" if host.endswith((".pkg.dev", "gcr.io")) else ""
        command = google or f"docker login {name.registry}"
        how = "without a login" if find_login(name.registry) is None else "with this login"
        return RegistryError(
            f"cannot be read from {host} {how} (status {status}), or does not exist there",
            f"check the name, or log in: `{command}`; hubstack uses your Docker logins",
        )
    if status == 429:
        wait = retry_after_seconds(response)
        asked = f", and asks to wait {wait:,.0f} s" if wait is not None else ""
        return RegistryError(
            f"was not answered: {host} limits requests (status 429){asked}",
            f"run `hubstack lock` again later; `docker login {name.registry}` raises the limit, a mirror avoids it",
        )
    return RegistryError(
        f"was not answered: {host} failed with status {status}",
        "run `hubstack lock` again later, or with `--no-images` to lock the models only",
    )


def _locked(image: str, digest: str, manifest: str | None, config: Mapping[str, Any]) -> LockedImage:
    runs = as_object(config.get("config"))
    entrypoint = runs.get("Entrypoint")
    created = _DATE.match(str(config.get("created", "")))
    return LockedImage(
        image=image,
        digest=digest,
        platform=PLATFORM,
        manifest=manifest,
        created=f"{created[0]}Z" if created else None,
        entrypoint=tuple(str(word) for word in cast("list[Any]", entrypoint))
        if isinstance(entrypoint, list)
        else (),
        user=str(runs.get("User") or "") or "root",
    )
