# SPDX-License-Identifier: Apache-2.0
"""Real registries on this machine: Debian's `docker-registry`, installed or unpacked from its package.

Skipped, with the reason, where the package cannot be had.
"""

import contextlib
import hashlib
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

INDEX, MANIFEST = "application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json"
USER, PASSWORD = "robot", "abc"
PASSWORD_HASH = "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"
"""bcrypt of `abc`: a public test vector of jBCrypt."""


@dataclass(frozen=True)
class Served:
    """A registry that runs."""

    host: str
    login: tuple[str, str] | None = None

    def push(self, name: str, *configs: dict[str, Any]) -> str:
        """Push an image, with an index if it has several configs; return the digest that the registry gives it."""
        repository, _, tag = name.rpartition(":")
        with httpx2.Client(
            base_url=f"http://{self.host}/v2/{repository}/", auth=self.login, trust_env=False
        ) as client:
            rows = [self._manifest(client, config) for config in configs]
            if len(rows) == 1:
                body, media = rows[0][1], MANIFEST
            else:
                told = [
                    {
                        "mediaType": MANIFEST,
                        "digest": digest,
                        "size": len(manifest),
                        "platform": {key: config[key] for key in ("os", "architecture")},
                    }
                    for (digest, manifest), config in zip(rows, configs, strict=True)
                ]
                body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": told}).encode()
                media = INDEX
            done = client.put(f"manifests/{tag}", content=body, headers={"Content-Type": media})
            assert done.status_code == 201, done.text
            return done.headers["Docker-Content-Digest"]

    def _manifest(self, client: httpx2.Client, config: dict[str, Any]) -> tuple[str, bytes]:
        layer, blob = b"a layer made by hand", json.dumps(config).encode()
        rows = [
            {"mediaType": media, "digest": self._blob(client, body), "size": len(body)}
            for media, body in (
                ("application/vnd.oci.image.config.v1+json", blob),
                ("application/vnd.oci.image.layer.v1.tar", layer),
            )
        ]
        told = {"schemaVersion": 2, "mediaType": MANIFEST, "config": rows[0], "layers": rows[1:]}
        body = json.dumps(told).encode()
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        done = client.put(f"manifests/{digest}", content=body, headers={"Content-Type": MANIFEST})
        assert done.status_code == 201, done.text
        return digest, body

    def _blob(self, client: httpx2.Client, body: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        begun = client.post("blobs/uploads/")
        assert begun.status_code == 202, begun.text
        done = client.put(
            begun.headers["Location"],
            params={**dict(httpx2.URL(begun.headers["Location"]).params), "digest": digest},
            content=body,
        )
        assert done.status_code == 201, done.text
        return digest

    def has(self, repository: str, digest: str) -> bool:
        """Return whether a manifest can be pulled by its digest."""
        url = f"http://{self.host}/v2/{repository}/manifests/{digest}"
        return httpx2.get(url, headers={"Accept": f"{INDEX}, {MANIFEST}"}, trust_env=False).status_code == 200


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program, from the machine or from Debian's package."""
    if found := shutil.which("docker-registry"):
        return found
    folder = tmp_path_factory.mktemp("docker-registry")
    try:
        subprocess.run(
            ["apt-get", "download", "docker-registry"], cwd=folder, check=True, capture_output=True, timeout=120
        )
        (package,) = folder.glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True, capture_output=True, timeout=60)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        pytest.skip(f"no registry was started: Debian's docker-registry cannot be had ({type(error).__name__})")
    return str(folder / "usr/bin/docker-registry")


Start = Callable[..., Served]


@pytest.fixture
def start(program: str, tmp_path: Path) -> Iterator[Start]:
    """Start registries: with a login, or as a pull-through cache of another one."""
    with contextlib.ExitStack() as stack:
        count = iter(range(9))

        def one(*, login: bool = False, upstream: Served | None = None) -> Served:
            folder = tmp_path / f"registry-{next(count)}"
            folder.mkdir()
            return stack.enter_context(_running(program, folder, login=login, upstream=upstream))

        yield one


@contextmanager
def _running(program: str, folder: Path, *, login: bool, upstream: Served | None) -> Generator[Served]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    host = f"127.0.0.1:{port}"
    config: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": host},
    }
    if login:
        (folder / "users").write_text(f"{USER}:{PASSWORD_HASH}\n")
        config["auth"] = {"htpasswd": {"realm": "test", "path": str(folder / "users")}}
    if upstream:
        config["proxy"] = {"remoteurl": f"http://{upstream.host}"}
    (folder / "config.yml").write_text(json.dumps(config))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "serve", str(folder / "config.yml")], stdout=log, stderr=log)
    try:
        _wait(host, process, folder / "log")
        yield Served(host, (USER, PASSWORD) if login else None)
    finally:
        process.terminate()
        process.wait(10)


def _wait(host: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(100):
        with contextlib.suppress(httpx2.TransportError):
            httpx2.get(f"http://{host}/v2/", trust_env=False)
            return
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(log.read_text())
