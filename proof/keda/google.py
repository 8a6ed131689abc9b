# SPDX-License-Identifier: Apache-2.0
"""Our stand-ins for what KEDA asks of Google: a token of the metadata server, and Cloud Monitoring.

Monitoring has no samples: every query has an empty answer, as of a model that has not run for a while.
"""

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from proof.certificates import Certificates

MONITORING = "monitoring.googleapis.com"
ADDRESS = "10.97.0.1"
"""Of Monitoring, in the namespace."""
METADATA = "10.97.0.2"


class Google:
    """Both; use it as a context."""

    def __init__(self, certificates: Certificates) -> None:
        certificate, key = certificates.issue("monitoring", MONITORING, hosts=(MONITORING,))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._monitoring = ThreadingHTTPServer((ADDRESS, 443), _Monitoring)
        self._monitoring.socket = context.wrap_socket(self._monitoring.socket, server_side=True)
        self._metadata = ThreadingHTTPServer((METADATA, 80), _Metadata)

    def __enter__(self) -> Self:
        for each in (self._monitoring, self._metadata):
            threading.Thread(target=each.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in (self._monitoring, self._metadata):
            each.shutdown()
            each.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def send(self, text: str, kind: str = "application/json") -> None:
        """Answer."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Metadata-Flavor", "Google")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing."""


class _Monitoring(_Handler):
    def do_GET(self) -> None:
        """Answer a query."""
        self.send(json.dumps({"status": "success", "data": {"resultType": "vector", "result": []}}))

    def do_POST(self) -> None:
        """Answer a query that is in the body."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.do_GET()


class _Metadata(_Handler):
    def do_GET(self) -> None:
        """Answer with a token, a project, or an account."""
        if "/token" in self.path:
            self.send(json.dumps({"access_token": "stand-in", "expires_in": 3600, "token_type": "Bearer"}))
        else:
            self.send("acme-models-living", "text/plain")
