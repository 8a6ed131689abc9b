# SPDX-License-Identifier: Apache-2.0
"""Throw-away certificates: one authority, one server on the loopback, one client for each identity.

Owns the files in its folder, which goes with the sandbox.
"""

from base64 import b64encode
from pathlib import Path

import trustme
import yaml

LOOPBACK = ("127.0.0.1", "localhost")


class Certificates:
    """An authority and what it has signed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority = trustme.CA()
        self.authority_pem = self._authority.cert_pem.bytes()
        self.authority = self._write("ca.crt", self.authority_pem)
        self.server, self.server_key = self.issue("tls", "sandbox")
        # The keys that sign the tokens of service accounts; any pair does.
        _, self.account_key = self.issue("accounts", "accounts")

    def issue(
        self, name: str, user: str, group: str | None = None, hosts: tuple[str, ...] = LOOPBACK
    ) -> tuple[Path, Path]:
        """Return certificate and key, for a server of these hosts and for a client of that user and group."""
        leaf = self._authority.issue_cert(*hosts, common_name=user, organization_name=group)
        chain = b"".join(part.bytes() for part in leaf.cert_chain_pems)
        return self._write(f"{name}.crt", chain), self._write(f"{name}.key", leaf.private_key_pem.bytes())

    def kubeconfig(self, name: str, server: str, user: str, group: str | None = None) -> Path:
        """Write a kubeconfig of an identity and return its path."""
        certificate, key = (b64encode(path.read_bytes()).decode() for path in self.issue(name, user, group))
        authority = b64encode(self.authority_pem).decode()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "sandbox", "cluster": {"server": server, "certificate-authority-data": authority}}
            ],
            "users": [{"name": name, "user": {"client-certificate-data": certificate, "client-key-data": key}}],
            "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": name}}],
            "current-context": "sandbox",
        }
        return self._write(f"{name}.kubeconfig", yaml.safe_dump(config).encode())

    def _write(self, name: str, content: bytes) -> Path:
        path = self._folder / name
        path.touch(mode=0o600)
        path.write_bytes(content)
        return path
