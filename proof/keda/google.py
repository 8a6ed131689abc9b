# SPDX-License-Identifier: Apache-2.0
"""Our stand-ins for what KEDA asks of Google: a token of the metadata server, and Cloud Monitoring's PromQL.

Monitoring answers with what a collector finds at that moment, and emptily where it finds nothing, as for a model
that has not run for a while.
"""

import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from proof.certificates import Certificates
from proof.keda.collector import Collector, UnknownQueryError

MONITORING = "monitoring.googleapis.com"
ADDRESS = "10.97.0.1"
"""Of Monitoring, in the namespace."""
METADATA = "10.97.0.2"


class Google:
    """Both; use it as a context."""

    def __init__(self, certificates: Certificates, collector: Collector) -> None:
        certificate, key = certificates.issue("monitoring", MONITORING, hosts=(MONITORING,))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._monitoring = _Monitored((ADDRESS, 443), _Monitoring)
        self._monitoring.collector = collector
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

    def send(self, text: str, kind: str = "application/json", status: int = 200) -> None:
        """Answer."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Metadata-Flavor", "Google")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing."""


class _Monitored(ThreadingHTTPServer):
    collector: Collector


class _Monitoring(_Handler):
    server: _Monitored  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        """Answer a query that is in the address."""
        self._answer(urlsplit(self.path).query)

    def do_POST(self) -> None:
        """Answer a query that is in the body."""
        self._answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode())

    def _answer(self, form: str) -> None:
        query = parse_qs(form).get("query", [""])[0]
        try:
            value = self.server.collector.sum_of(query)
        except UnknownQueryError:
            self.send(json.dumps({"status": "error", "errorType": "bad_data", "error": query}), status=400)
            return
        result = [] if value is None else [{"metric": {}, "value": [time.time(), str(value)]}]
        self.send(json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}))


class _Metadata(_Handler):
    def do_GET(self) -> None:
        """Answer with a token, a project, or an account."""
        if "/token" in self.path:
            self.send(json.dumps({"access_token": "stand-in", "expires_in": 3600, "token_type": "Bearer"}))
        else:
            self.send("acme-models-living", "text/plain")
