# SPDX-License-Identifier: Apache-2.0
"""The part of a kubelet's own server that `kubectl logs` asks, through the API server: what containers print.

Owns the path and following. The API server checks no certificate of a kubelet unless told to, as on GKE.
"""

import ssl
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

POLL_SECONDS = 0.1

FindLog = Callable[[str, str, str], tuple[Path, Callable[[], bool]] | None]
"""Returns, for a namespace, a pod and a container, its log and whether it may still print."""


class KubeletApi:
    """Serves logs on the loopback until it is stopped."""

    def __init__(self, certificate: Path, key: Path, find: FindLog) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                _serve(self, find)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the parent's name
                """Print nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="kubelet's server", daemon=True).start()

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


def _serve(request: BaseHTTPRequestHandler, find: FindLog) -> None:
    asked = urlsplit(request.path)
    words = asked.path.strip("/").split("/")
    is_log = len(words) == 4 and words[0] == "containerLogs"
    found = find(words[1], words[2], words[3]) if is_log else None
    if found is None:
        request.send_error(HTTPStatus.NOT_FOUND)
        return
    path, may_print = found
    request.send_response(HTTPStatus.OK)
    request.send_header("Content-Type", "text/plain")
    request.end_headers()
    follows = parse_qs(asked.query).get("follow") == ["true"]
    with path.open("rb") as log:
        while True:
            goes_on = follows and may_print()
            request.wfile.write(log.read())
            request.wfile.flush()
            if not goes_on:
                return
            time.sleep(POLL_SECONDS)
