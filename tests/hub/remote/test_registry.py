# SPDX-License-Identifier: Apache-2.0
"""What a tag names: digests, platforms, logins, and every way in which a registry gives no answer."""

import base64
import gzip
import json
import socket
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hubstack.hub.facts import LockedImage
from hubstack.hub.remote.registry import Registries, RegistryError, UnreachableError
from tests.support.registry import INDEX, PASSWORD, USER, Registry, config_of, digest_of

IMAGE = "vllm/vllm-openai:v1"


@pytest.fixture(autouse=True)
def no_login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as served:
        yield served


def resolve(registry: Registry, image: str = IMAGE, waits: list[float] | None = None) -> LockedImage:
    with Registries(sleep=(waits if waits is not None else []).append) as registries:
        return registries.resolve(f"{registry.host}/{image}", published=image)


def refused(registry: Registry, image: str = IMAGE, waits: list[float] | None = None) -> RegistryError:
    with pytest.raises(RegistryError) as held:
        resolve(registry, image, waits)
    assert not isinstance(held.value, UnreachableError)
    return held.value


def test_an_index_is_locked_with_the_manifest_of_the_platform(registry: Registry) -> None:
    arm, amd = config_of("linux/arm64"), config_of("linux/amd64", user="65532:65532")
    digest, manifests = registry.push_index(IMAGE, arm, amd)
    assert resolve(registry) == LockedImage(
        image=IMAGE,
        digest=digest,
        platform="linux/amd64",
        manifest=manifests[1],
        created="2026-10-30T12:13:14Z",
        entrypoint=("vllm", "serve"),
        user="65532:65532",
    )


def test_a_manifest_is_locked_by_its_own_digest(registry: Registry) -> None:
    digest = registry.push(IMAGE, config_of(entrypoint=()))
    found = resolve(registry)
    assert (found.digest, found.manifest) == (digest, None)
    assert (found.entrypoint, found.user) == ((), "root")


def test_an_anonymous_token_is_fetched_when_the_registry_asks_for_one() -> None:
    with Registry(needs_token=True) as registry:
        registry.push(IMAGE)
        resolve(registry)
        asked = [(path.rpartition("/")[0], scheme) for path, scheme in registry.requests]
        assert asked[:3] == [
            ("/v2/vllm/vllm-openai/manifests", None),
            ("", None),
            ("/v2/vllm/vllm-openai/manifests", "Bearer"),
        ]
        assert len(registry.requests) == 4, "one token serves all requests of a repository"


def store(folder: Path, host: str, password: str = PASSWORD) -> None:
    login = base64.b64encode(f"{USER}:{password}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": login}}}))


def test_a_login_of_docker_is_sent_to_the_token_server(tmp_path: Path) -> None:
    with Registry(needs_login=True) as registry:
        registry.push(IMAGE)
        store(tmp_path, registry.host)
        resolve(registry)
        assert ("/token", "Basic") in registry.requests


def test_a_credential_helper_is_asked_for_the_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = tmp_path / "docker-credential-standin"
    told = json.dumps({"Username": USER, "Secret": PASSWORD})
    helper.write_text(f"#!/bin/sh\nread host; echo $host >{tmp_path}/asked; echo '{told}'\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with Registry(needs_login=True) as registry:
        (tmp_path / "config.json").write_text(json.dumps({"credHelpers": {registry.host: "standin"}}))
        registry.push(IMAGE)
        resolve(registry)
        assert (tmp_path / "asked").read_text().strip() == registry.host


@pytest.mark.parametrize("password", [None, "wrong-" + PASSWORD])
def test_a_missing_or_wrong_login_names_the_command_and_no_secret(password: str | None, tmp_path: Path) -> None:
    with Registry(needs_login=True) as registry:
        registry.push(IMAGE)
        if password:
            store(tmp_path, registry.host, password)
        error = refused(registry)
    assert ("with this login" if password else "without a login") in error.message
    assert f"docker login {registry.host}" in error.hint
    assert "wrong" not in error.message + error.hint


def test_a_missing_tag_is_named(registry: Registry) -> None:
    registry.push(IMAGE)
    error = refused(registry, "vllm/vllm-openai:v2")
    assert error.message == f"is not in {registry.host}: it has no tag `v2` of vllm/vllm-openai"


def test_a_short_wait_that_the_registry_asks_for_is_waited_for(registry: Registry) -> None:
    registry.push(IMAGE)
    registry.failures = [(429, {"Retry-After": "7"}), (503, {})]
    waits: list[float] = []
    resolve(registry, waits=waits)
    assert waits == [7.0, 2.0]


def test_a_rate_limit_of_hours_is_named_at_once(registry: Registry) -> None:
    registry.push(IMAGE)
    registry.failures = [(429, {"Retry-After": "21600"})]
    waits: list[float] = []
    error = refused(registry, waits=waits)
    assert "limits requests (status 429), and asks to wait 21,600 s" in error.message
    assert "raises the limit, a mirror avoids it" in error.hint
    assert waits == []


def test_a_server_that_keeps_failing_is_named_after_three_attempts(registry: Registry) -> None:
    registry.failures = [(500, {})] * 9
    assert "failed with status 500" in refused(registry).message
    assert len(registry.requests) == 3


@pytest.mark.parametrize("is_index", [True, False])
def test_an_image_for_other_platforms_names_those_it_has(registry: Registry, is_index: bool) -> None:
    if is_index:
        registry.push_index(IMAGE, config_of("linux/arm64"), config_of("windows/amd64"))
    else:
        registry.push(IMAGE, config_of("linux/arm64"))
    there = "linux/arm64, windows/amd64" if is_index else "linux/arm64"
    assert refused(registry).message == f"is not built for linux/amd64, only for {there}"


def test_an_artifact_that_is_no_image_is_named(registry: Registry) -> None:
    registry.push(IMAGE, {"name": "a chart"})
    assert "is an artifact without a platform" in refused(registry).message


def test_a_digest_that_is_not_of_the_bytes_is_refused(registry: Registry) -> None:
    registry.push(IMAGE)
    registry.said_digest = "sha256:" + "0" * 64
    error = refused(registry)
    assert f"calls it sha256:{'0' * 64}: the bytes were changed on the way" in error.message


def test_a_config_that_is_not_of_its_digest_is_refused(registry: Registry) -> None:
    registry.push(IMAGE)
    (path,) = [path for path in registry.documents if "/blobs/" in path]
    registry.documents[path] = ("application/json", b'{"os": "linux", "architecture": "amd64"}')
    assert f"has the digest {digest_of(registry.documents[path][1])}" in refused(registry).message


@pytest.mark.parametrize("body", [b"<html>proxy</html>", b"[]", b"{", b'{"schemaVersion": 1, "fsLayers": []}'])
def test_an_answer_that_is_no_manifest_is_refused(registry: Registry, body: bytes) -> None:
    registry.documents["vllm/vllm-openai/manifests/v1"] = ("text/html", body)
    assert "manifest" in refused(registry).message


def test_an_answer_without_end_is_not_read_to_its_end(registry: Registry) -> None:
    registry.documents["vllm/vllm-openai/manifests/v1"] = ("application/json", b" " * 4_200_000)
    assert "got more than 4,194,304 bytes" in refused(registry).message


def test_a_registry_that_is_not_there_is_unreachable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with Registries() as registries, pytest.raises(UnreachableError) as held:
        registries.resolve(f"127.0.0.1:{port}/{IMAGE}")
    assert held.value.message.startswith(f"127.0.0.1:{port} cannot be reached")


def test_a_login_is_not_asked_for_by_a_host_that_the_registry_redirects_to(
    registry: Registry, tmp_path: Path
) -> None:
    store(tmp_path, registry.host)
    with Registry(needs_login=True) as other:
        registry.failures = [(307, {"Location": f"http://{other.host}/v2/{IMAGE.replace(':', '/manifests/')}"})] * 2
        assert "(status 401)" in refused(registry).message
        assert [scheme for _, scheme in (*registry.requests, *other.requests)] == [None, None]


def test_a_compressed_answer_is_not_expanded(registry: Registry) -> None:
    bomb = gzip.compress(gzip.compress(b" " * 50_000_000))
    registry.documents["vllm/vllm-openai/manifests/v1"] = ("application/json", bomb)
    registry.headers = {"Content-Encoding": "gzip, gzip"}
    tracemalloc.start()
    try:
        assert "manifest" in refused(registry).message
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "index",
    [
        b"[" * 100_000,
        b'{"manifests": 5}',
        b'{"manifests": [{"platform": {"os": []}}, 3]}',
        b'{"manifests": {"platform": {"os": "linux"}}}',
    ],
)
def test_an_index_of_another_form_is_refused(registry: Registry, index: bytes) -> None:
    registry.documents["vllm/vllm-openai/manifests/v1"] = (INDEX, index)
    assert len(refused(registry).message) < 500


def test_a_platform_without_end_is_shortened(registry: Registry) -> None:
    registry.push_index(IMAGE, config_of(f"{'x' * 9_999}/arm64"))
    assert len(refused(registry).message) < 500


@pytest.mark.parametrize(
    "realm", ["http://example.org/token", "file:///etc/passwd", "", "https://[::1", "https:///t"]
)
def test_a_login_is_not_sent_to_a_token_server_without_encryption(
    registry: Registry, realm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(tmp_path, registry.host)
    sent: list[Any] = []
    monkeypatch.setattr(Registries, "_send", wrapped(Registries._send, sent))  # pyright: ignore[reportPrivateUsage]
    registry.failures = [(401, {"WWW-Authenticate": f'Bearer realm="{realm}",service="x"'})] * 2
    assert "(status 401)" in refused(registry).message
    assert {url.partition("/v2/")[0] for url in sent} == {f"http://{registry.host}"}


def wrapped(send: Any, sent: list[Any]) -> Any:
    def record(self: Registries, place: Any, url: str, *rest: Any) -> Any:
        sent.append(url)
        return send(self, place, url, *rest)

    return record
