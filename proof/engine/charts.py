# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for the Helm charts that a stack installs, and for their repository.

No repository is reachable from here. Helm uses a proxy on the loopback, which answers for every host with a
certificate from the sandbox's authority; a chart in an OCI registry is a local folder of that name, which Helm
prefers. A stand-in only contains its values, so that a changed value is an upgrade.
"""

import io
import ssl
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from proof.certificates import Certificates

OCI = "oci://"
_TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-values
  namespace: {{ .Release.Namespace }}
data:
  values: {{ .Values | toJson | quote }}
"""


class ChartRepository:
    """Serves charts to Helm; use it as a context manager."""

    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates
        self._files: dict[str, bytes] = {}
        self._index: dict[str, list[dict[str, object]]] = {}
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.proxy = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="charts", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, chart: str, version: str, folder: Path) -> None:
        """Add a chart.

        Args:
            chart: name in a repository, or address in an OCI registry.
            version: which a release asks for.
            folder: in which the program runs.
        """
        name = chart.rpartition("/")[2]
        about = yaml.safe_dump({"apiVersion": "v2", "name": name, "version": version})
        files = {"Chart.yaml": about, "templates/values.yaml": _TEMPLATE}
        if chart.startswith(OCI):
            for path, text in files.items():
                (folder / chart / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / chart / path).write_text(text)
            return
        archive = f"{name}-{version}.tgz"
        self._files[archive] = _packed(name, files)
        self._index[name] = [{"apiVersion": "v2", "name": name, "version": version, "urls": [archive]}]

    def answer(self, path: str) -> bytes | None:
        """Return a file of any repository."""
        name = path.rpartition("/")[2]
        if name == "index.yaml":
            return yaml.safe_dump({"apiVersion": "v1", "entries": self._index}).encode()
        return self._files.get(name)

    def context(self, host: str) -> ssl.SSLContext:
        """Return the TLS context for a host."""
        if host not in self._contexts:
            certificate, key = self._certificates.issue(f"charts-{host}", host, hosts=(host,))
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self._contexts[host] = context
        return self._contexts[host]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        repository = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_CONNECT(self) -> None:
                self.send_response(200)
                self.end_headers()
                host = self.path.partition(":")[0]
                self.connection = repository.context(host).wrap_socket(self.connection, server_side=True)
                self.setup()

            def setup(self) -> None:
                # Called again for the connection inside of the tunnel.
                self.request = getattr(self, "connection", self.request)
                super().setup()

            def finish(self) -> None:
                super().finish()
                self.connection.close()

            def do_GET(self) -> None:
                found = repository.answer(self.path)
                self.send_response(404 if found is None else 200)
                self.send_header("Content-Length", str(len(found or b"")))
                self.end_headers()
                self.wfile.write(found or b"")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Log nothing."""

        return Handler


def _packed(name: str, files: dict[str, str]) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return held.getvalue()
