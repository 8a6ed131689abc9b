# SPDX-License-Identifier: Apache-2.0
"""A server on this machine that answers as Google's discovery documents say.

It serves no more than the documents' methods: a request that none matches, or whose parameters a document does not
allow, is answered with 400, and an answer that the document does not allow fails the test. It also issues tokens to
a service account, and refuses requests without the one that it issued.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.rest import discovery

APIS = {"cloudbilling": "cloudbilling.v1", "compute": "compute.v1", "serviceusage": "serviceusage.v1beta1"}
TOKEN = "ya29.never-shown"
Answer = Callable[[dict[str, Any]], tuple[int, Any]]


class StandIn:
    """The server, what it answers, and what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.wrong: list[str] = []

    def answer(self, method: str, *bodies: Any, status: int = 200) -> None:
        """Answer a method with these bodies, page after page by `pageToken`; the last one ends."""
        pages = list(bodies)

        def said(given: dict[str, Any]) -> tuple[int, Any]:
            at = int(given.get("pageToken", "0"))
            body = dict(pages[at])
            if at + 1 < len(pages):
                body["nextPageToken"] = str(at + 1)
            return status, body

        self.answers[method] = said

    def handle(self, path: str, token: str | None) -> tuple[int, Any]:
        parts = urlsplit(path)
        _, api, rest = parts.path.split("/", 2)
        for name, pattern, method in _routes():
            found = pattern.fullmatch(f"/{rest}") if name == api else None
            if found and _fits(method, found.groupdict()):
                given = {**{k: unquote(v) for k, v in found.groupdict().items()}, **dict(parse_qsl(parts.query))}
                return self._of(api, method, given, token)
        self.wrong.append(f"no method has the path {parts.path}")
        return 400, {}

    def _of(self, api: str, method: dict[str, Any], given: dict[str, Any], token: str | None) -> tuple[int, Any]:
        name = method["id"]
        typed = {
            key: _typed(method["parameters"].get(key, {}), value) for key, value in given.items() if key != "alt"
        }
        if problems := discovery.parameter_problems(APIS[api], name, typed):
            self.wrong += [f"{name}: {each}" for each in problems]
            return 400, {}
        self.asked.append((name, typed))
        if token != f"Bearer {TOKEN}":
            return 401, error(401, "Request had invalid authentication credentials.")
        if name not in self.answers:
            self.wrong.append(f"{name} was not expected")
            return 404, error(404, "not expected")
        status, body = self.answers[name](given)
        if status == 200:
            self.wrong += [f"{name}: {each}" for each in discovery.response_problems(APIS[api], name, body)]
        return status, body


def error(status: int, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    """Return an error in Google's form (https://cloud.google.com/apis/design/errors)."""
    return {"error": {"code": status, "message": message, "details": list(details)}}


@cache
def _routes() -> list[tuple[str, re.Pattern[str], dict[str, Any]]]:
    return [
        (api, _pattern(document, method), method)
        for api, document in APIS.items()
        for method in discovery.methods(document)
        if method["httpMethod"] == "GET"
    ]


def _pattern(document: str, method: dict[str, Any]) -> re.Pattern[str]:
    path = discovery.document(document)["servicePath"] + method["path"]
    text = re.sub(r"\{\+(\w+)\}", r"(?P<\1>.+)", re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))
    return re.compile(f"/{text}")


def _fits(method: dict[str, Any], given: dict[str, str]) -> bool:
    """Return whether a path is this method's, by the patterns of its parts."""
    patterns = {key: method["parameters"][key].get("pattern") for key in given}
    return all(pattern is None or re.search(pattern, unquote(given[key])) for key, pattern in patterns.items())


def _typed(parameter: dict[str, Any], value: str) -> Any:
    """Return a query's text as the type that the document gives."""
    kind = parameter.get("type")
    if kind == "integer" and value.isdigit():
        return int(value)
    return {"true": True, "false": False}.get(value, value) if kind == "boolean" else value


@contextmanager
def running(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """Run the server, and point Google's client at it with a service account of its own."""
    standin = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(*standin.handle(self.path, self.headers.get("Authorization")))

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._send(200, {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})

        def _send(self, status: int, body: Any) -> None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    base = f"http://127.0.0.1:{server.server_port}"
    for api, document in APIS.items():
        path = discovery.document(document)["servicePath"]
        monkeypatch.setenv(f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api.upper()}", f"{base}/{api}/{path}")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(service_account(folder, f"{base}/token")))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    try:
        yield standin
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def service_account(folder: Path, token_uri: str) -> Path:
    """Write a key file whose tokens this server issues."""
    path = folder / "key.json"
    account = "reader@acme-models-dev.iam.gserviceaccount.com"
    path.write_text(
        json.dumps(
            {"type": "service_account", "private_key": _key(), "client_email": account, "token_uri": token_uri}
        )
    )
    return path


@cache
def _key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
