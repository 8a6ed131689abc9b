# SPDX-License-Identifier: Apache-2.0
"""The stand-in's routes over HTTP, and the record of what was asked.

Rules, in the Hub's order: who may see the repository at all, then the revision, then the file. Sources: the source
of huggingface_hub 2.4, hub-docs, public records of live answers. Xet is left out, as a server may; listings come in
one page.
"""

import json
import socket
import ssl
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from proof.hub.fault import Fault
from proof.hub.repository import Commit, Repository, StoredFile

TOKENS = {
    "hf_standinWithAccess": "access",
    "hf_standinWithoutAccess": "none",
    "hf_standinFineGrained": "no-gated-scope",
}
"""Token to what it may do; any other is unknown to the Hub."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdAndRevision:
    """One request. The token itself is not kept."""

    method: str
    path: str
    query: str
    has_token: bool
    range: str | None


class _RefusedError(Exception):
    def __init__(self, status: int, message: str, code: str | None = None, **headers: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message
        self.headers = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {})}
        self.headers |= {key.replace("_", "-"): value for key, value in headers.items()}


class StandIn:
    """A Hub with these repositories, on a free port of this machine. Use it as a context."""

    def __init__(
        self,
        repositories: Iterable[Repository],
        collections: Iterable[dict[str, Any]] = (),
        *,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.repositories = {repo.id: repo for repo in repositories}
        self.collections = {held["slug"]: held for held in collections}
        self.faults: list[Fault] = []
        self.requests: list[IdAndRevision] = []
        self.at_once = self.most_at_once = 0
        """Requests in work now, and the most there ever were."""
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.hub = self
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    @contextmanager
    def fault(self, fault: Fault) -> Iterator[None]:
        """Cause a fault while the context lasts."""
        self.faults.append(fault)
        yield
        self.faults.remove(fault)

    def asked(self, text: str) -> list[IdAndRevision]:
        """Return the requests whose `METHOD path` holds the text."""
        return [asked for asked in self.requests if text in f"{asked.method} {asked.path}"]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    hub: StandIn


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes; the second would wait 40 ms
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the parent's name
        """Say nothing: a log would hold paths of tests and, one day, tokens."""

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:  # the client has given up, which is what a stall is for
            self.close_connection = True

    def _serve(self) -> None:
        try:
            self._serve_one()
        finally:
            with self.server.hub.lock:
                self.server.hub.at_once -= 1

    def _serve_one(self) -> None:
        url = urlsplit(self.path)
        self.query = parse_qs(url.query)
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        asked = IdAndRevision(
            method=self.command,
            path=unquote(url.path),
            query=url.query,
            has_token="Authorization" in self.headers,
            range=self.headers.get("Range"),
        )
        with self.server.hub.lock:
            self.server.hub.requests.append(asked)
            self.server.hub.at_once += 1
            self.server.hub.most_at_once = max(self.server.hub.most_at_once, self.server.hub.at_once)
            line = f"{asked.method} {asked.path}"
            self.fault = next((f for f in self.server.hub.faults if f.takes(line)), None)
        if self.fault and self.fault.stall_seconds and self.server.hub.closing.wait(self.fault.stall_seconds):
            self.close_connection = True
            return
        try:
            self._fail_as_told()
            if self.fault and self.fault.page:
                self._send(
                    self.fault.page.encode(), status=200, headers={"Content-Type": "text/html; charset=utf-8"}
                )
                return
            self._route(url.path.strip("/").split("/"))
        except _RefusedError as refused:
            self._send_json({"error": refused.message}, status=refused.status, headers=refused.headers)

    def _fail_as_told(self) -> None:
        if self.fault is None:
            return
        if self.fault.redirects_to:
            place = {"Location": self.fault.redirects_to + self.path}
            raise _RefusedError(self.fault.status or 307, "Redirecting", **place)
        if self.fault.status:
            raise _RefusedError(self.fault.status, "the stand-in was told to fail", **self.fault.headers)

    # Routes

    def _route(self, parts: list[str]) -> None:
        if parts[:2] == ["api", "agent-harnesses"] or parts[:2] == ["api", "telemetry"]:
            self._send_json({"standardEnvVars": [], "harnesses": {}})
        elif parts == ["api", "whoami-v2"]:
            self._whoami()
        elif parts[:2] == ["api", "models"]:
            self._api(parts[2:])
        elif parts[:2] == ["api", "collections"]:
            self._collection("/".join(parts[2:]))
        elif "resolve" in parts[1:3]:
            at = parts.index("resolve", 1)
            repo = self._repository("/".join(parts[:at]), "/" + "/".join(parts[at:]))
            self._resolve(repo, unquote(parts[at + 1]), unquote("/".join(parts[at + 2 :])))
        else:
            raise _RefusedError(404, "Not Found")

    def _api(self, parts: list[str]) -> None:
        verbs = {"revision", "tree", "paths-info", "refs", "auth-check"}
        at = next((i for i, part in enumerate(parts) if i > 0 and part in verbs), len(parts))
        verb = parts[at] if at < len(parts) else "revision"
        repo = self._repository("/".join(parts[:at]), "".join(f"/{part}" for part in parts[at:]), api=True)
        if verb == "auth-check":
            self._check_gate(repo)
            self._send_json({})
            return
        if verb == "refs":
            branches = [{"name": n, "ref": f"refs/heads/{n}", "targetCommit": c} for n, c in repo.refs.items()]
            self._send_json({"branches": branches, "converts": [], "tags": [], "pullRequests": []})
            return
        commit = self._commit(repo, unquote(parts[at + 1]) if at + 1 < len(parts) else "main")
        if verb == "revision":
            self._model(repo, commit)
        elif verb == "tree":
            self._send_json([file.tree_row() for file in commit.listed])
        else:
            wanted = parse_qs(self.body.decode()).get("paths", [])
            self._send_json([file.tree_row() for file in commit.listed if file.path in wanted])

    def _collection(self, slug: str) -> None:
        held = self.server.hub.collections.get(slug)
        if self._right() == "unknown":
            raise _RefusedError(401, "Invalid credentials in Authorization header")
        if held is None:
            raise _RefusedError(404, "Collection not found")
        self._send_json({k: v for k, v in held.items() if not self.fault or k not in self.fault.drops_keys})

    def _model(self, repo: Repository, commit: Commit) -> None:
        body = repo.json(commit, blobs="blobs" in self.query, security="securityStatus" in self.query)
        expand = self.query.get("expand", []) + self.query.get("expand[]", [])
        if expand:
            body = {key: value for key, value in body.items() if key in {"_id", "id", *expand}}
        if self.fault:
            body = {**body, **self.fault.changes}
            body = {key: value for key, value in body.items() if key not in self.fault.drops_keys}
            if self.fault.drops_sizes:
                body["siblings"] = [{"rfilename": row["rfilename"]} for row in body["siblings"]]
            body["siblings"] = [{**row, **self.fault.lists.get(row["rfilename"], {})} for row in body["siblings"]]
        self._send_json(body)

    def _resolve(self, repo: Repository, revision: str, path: str) -> None:
        self._check_gate(repo)
        commit = self._commit(repo, revision)
        file = commit.file(path)
        if file is None:
            raise _RefusedError(404, "Entry not found", "EntryNotFound", X_Repo_Commit=commit.sha)
        headers = {"X-Repo-Commit": commit.sha, "ETag": f'"{file.etag}"', "X-Linked-Size": str(file.size)}
        if file.sha256:
            headers["X-Linked-ETag"] = f'"{file.sha256}"'
        self._send_file(file, headers)

    def _send_file(self, file: StoredFile, headers: dict[str, str]) -> None:
        if self.command == "HEAD":
            self._send(b"", status=200, headers=headers, length=file.size)
            return
        if file.content is None:
            raise _RefusedError(501, "the stand-in knows the size and the hash of this file, not its bytes")
        if self.fault and self.fault.truncates_json:
            self._send(file.content[: file.size // 2], status=200, headers=headers)
            return
        content, status, span = file.content, 200, self.headers.get("Range")
        if span:
            begin, _, end = span.removeprefix("bytes=").partition("-")
            stop = min(int(end or file.size), file.size - 1)
            content, status = content[int(begin) : stop + 1], 206
            headers["Content-Range"] = f"bytes {begin}-{stop}/{file.size}"
        self._send(content, status=status, headers=headers)

    def _whoami(self) -> None:
        if self._right() in {None, "unknown"}:
            raise _RefusedError(401, "Invalid credentials in Authorization header")
        self._send_json({"type": "user", "name": "stand-in", "auth": {"accessToken": {"role": "read"}}})

    # Access

    def _right(self) -> str | None:
        """Return what the token may do, `unknown` for one that the Hub does not know, None for none."""
        header = self.headers.get("Authorization")
        return TOKENS.get(header.removeprefix("Bearer "), "unknown") if header else None

    def _repository(self, repo_id: str, rest: str, *, api: bool = False) -> Repository:
        right = self._right()
        repo = self.server.hub.repositories.get(repo_id)
        if right == "unknown" and (repo is None or api):
            raise _RefusedError(401, "Invalid credentials in Authorization header")
        if repo is None or (repo.is_private and right != "access"):
            if right is None:  # so that nobody learns which private repositories there are; no code either
                raise _RefusedError(401, "Invalid username or password.")
            raise _RefusedError(404, "Repository not found", "RepoNotFound")
        if repo.moved_to:
            query = urlsplit(self.path).query
            place = f"{'/api/models' if api else ''}/{repo.moved_to}{rest}{'?' + query if query else ''}"
            raise _RefusedError(307, f"Temporary Redirect. Redirecting to {place}", Location=place)
        if repo.is_disabled:
            raise _RefusedError(403, "Access to this resource is disabled.")
        return repo

    def _check_gate(self, repo: Repository) -> None:
        right = self._right()
        if not repo.gated or right == "access":
            return
        if right in {None, "unknown"}:
            message = (
                f"Access to model {repo.id} is restricted. You must have access to it and be authenticated to "
                "access it. Please log in."
            )
            raise _RefusedError(401, message, "GatedRepo")
        if right == "no-gated-scope":
            message = (
                "Please enable access to public gated repositories in your fine-grained token settings to view "
                "this repository."
            )
            raise _RefusedError(403, message)
        message = (
            f"Access to model {repo.id} is restricted and you are not in the authorized list. Visit "
            f"https://huggingface.co/{repo.id} to ask for access."
        )
        raise _RefusedError(403, message, "GatedRepo")

    def _commit(self, repo: Repository, revision: str) -> Commit:
        commit = repo.commit(revision)
        if commit is None:
            raise _RefusedError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return commit

    # Answers

    def _send_json(self, value: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        if self.fault and self.fault.truncates_json:
            body = body[: len(body) // 2]
        content_type = {"Content-Type": "application/json; charset=utf-8"}
        self._send(body, status=status, headers={**content_type, **(headers or {})})

    def _send(self, body: bytes, *, status: int, headers: dict[str, str], length: int | None = None) -> None:
        fault = self.fault
        whole = {
            "Date": self.date_time_string(),
            **headers,
            "Content-Length": str(len(body) if length is None else length),
        }
        if fault:
            whole |= fault.headers
        if fault and fault.cuts_chunks:
            del whole["Content-Length"]
            whole["Transfer-Encoding"] = "chunked"
        self.send_response_only(status)
        for name, value in whole.items():
            self.send_header(name, value)
        if fault and fault.drip_seconds:
            head = b"".join(self._headers_buffer)  # pyright: ignore[reportAttributeAccessIssue]  not in typeshed
            self._drip(head + b"\r\n" + body, fault.drip_seconds)
            return
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault and (fault.cuts_body or fault.cuts_chunks or fault.resets):
            self._break_off(body[: len(body) // 2], fault)
            return
        self.wfile.write(body)

    def _break_off(self, half: bytes, fault: Fault) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(half), half) if fault.cuts_chunks else half)
        self.close_connection = True
        if fault.resets:  # with no time to linger, closing sends a reset
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def _drip(self, answer: bytes, seconds: float) -> None:
        self.close_connection = True
        for at in range(len(answer)):
            self.wfile.write(answer[at : at + 1])
            if self.server.hub.closing.wait(seconds):
                return
