# SPDX-License-Identifier: Apache-2.0
"""A small container registry on this machine: images made by hand, bearer tokens, and failures on request.

It answers the four requests that a client of the OCI distribution API makes to resolve a tag, and pushes nothing.
"""

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

INDEX, MANIFEST = "application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
USER, PASSWORD = "robot", "canary-password-of-the-registry"


def digest_of(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def config_of(
    platform: str = "linux/amd64", entrypoint: tuple[str, ...] = ("vllm", "serve"), user: str = "", salt: str = ""
) -> dict[str, Any]:
    system, _, architecture = platform.partition("/")
    return {
        "os": system,
        "architecture": architecture,
        "created": "2026-10-30T12:13:14.15Z",
        "config": {"Entrypoint": list(entrypoint), "User": user, "Labels": {"salt": salt}},
    }


class Registry:
    """Images by `repository:tag`. Use it as a context."""

    def __init__(self, *, needs_token: bool = False, needs_login: bool = False) -> None:
        self.needs_token, self.needs_login = needs_token, needs_login
        self.documents: dict[str, tuple[str, bytes]] = {}
        """Path below /v2/ to media type and body."""
        self.failures: list[tuple[int, dict[str, str]]] = []
        """Status and headers of the next answers."""
        self.said_digest: str | None = None
        """The digest in the header of each answer, instead of its own."""
        self.headers: dict[str, str] = {}
        """Further headers of each answer with a document."""
        self.requests: list[tuple[str, str | None]] = []
        """Path and authorization scheme of each request."""
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.registry = self
        self.host = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def push(self, name: str, config: dict[str, Any] | None = None) -> str:
        """Add an image with one manifest; return the manifest's digest."""
        repository, _, tag = name.rpartition(":")
        digest = self._manifest(repository, config or config_of())
        self.documents[f"{repository}/manifests/{tag}"] = self.documents[f"{repository}/manifests/{digest}"]
        return digest

    def push_index(self, name: str, *configs: dict[str, Any]) -> tuple[str, list[str]]:
        """Add an image for several platforms; return the index's digest and those of its manifests."""
        repository, _, tag = name.rpartition(":")
        digests = [self._manifest(repository, config) for config in configs]
        rows = [
            {"mediaType": MANIFEST, "digest": digest, "platform": {k: config[k] for k in ("os", "architecture")}}
            for digest, config in zip(digests, configs, strict=True)
        ]
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": rows}).encode()
        digest = digest_of(body)
        for reference in (tag, digest):
            self.documents[f"{repository}/manifests/{reference}"] = (INDEX, body)
        return digest, digests

    def _manifest(self, repository: str, config: dict[str, Any]) -> str:
        blob = json.dumps(config).encode()
        self.documents[f"{repository}/blobs/{digest_of(blob)}"] = (CONFIG, blob)
        told = {"mediaType": CONFIG, "digest": digest_of(blob), "size": len(blob)}
        body = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": told, "layers": []}).encode()
        self.documents[f"{repository}/manifests/{digest_of(body)}"] = (MANIFEST, body)
        return digest_of(body)


class _Server(ThreadingHTTPServer):
    registry: Registry
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        registry, url = self.server.registry, urlsplit(self.path)
        sent = self.headers.get("Authorization")
        registry.requests.append((url.path, sent.partition(" ")[0] if sent else None))
        if url.path == "/token":
            self._token(parse_qs(url.query), sent)
            return
        if registry.failures:
            status, headers = registry.failures.pop(0)
            self._answer(status, b"{}", headers)
            return
        if (registry.needs_token or registry.needs_login) and sent != "Bearer good":
            scope = f"repository:{url.path.removeprefix('/v2/').rpartition('/')[0].rpartition('/')[0]}:pull"
            challenge = f'Bearer realm="http://{registry.host}/token",service="stand-in",scope="{scope}"'
            self._answer(401, b"{}", {"WWW-Authenticate": challenge})
            return
        found = registry.documents.get(url.path.removeprefix("/v2/"))
        if found is None:
            self._answer(404, b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}', {})
            return
        media, body = found
        headers = {"Content-Type": media, "Docker-Content-Digest": registry.said_digest or digest_of(body)}
        self._answer(200, body, headers | registry.headers)

    def _token(self, query: dict[str, list[str]], sent: str | None) -> None:
        assert query["service"] == ["stand-in"]
        (scope,) = query["scope"]
        assert re.fullmatch(r"repository:[a-z0-9/._-]+:pull", scope), scope
        login = f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"
        if self.server.registry.needs_login and sent != login:
            self._answer(401, b"{}", {})
        else:
            self._answer(200, b'{"token": "good"}', {})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
