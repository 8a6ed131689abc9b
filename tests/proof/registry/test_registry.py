# SPDX-License-Identifier: Apache-2.0
"""`hubstack lock` against a real registry: what it locks can be pulled, and refusals are those of a registry."""

import base64
import json
from pathlib import Path

import pytest

from hubstack.cli import app
from hubstack.hub.lock import load_lock
from hubstack.hub.remote.registry import Registries, RegistryError
from hubstack.inputs.environment import find_environment
from hubstack.inputs.stack import Stack
from hubstack.plan.images import image_path, read_image
from hubstack.review.images.used import stack_images
from tests.proof.registry.conftest import PASSWORD, USER, Start
from tests.support.project import copy_project
from tests.support.registry import config_of

pytestmark = pytest.mark.proof
IMAGE = "vllm/vllm-openai:v1"


@pytest.fixture(autouse=True)
def no_login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


def test_the_digests_are_those_of_the_registry(start: Start) -> None:
    registry = start()
    index = registry.push(IMAGE, config_of("linux/arm64"), config_of("linux/amd64", user="1000"))
    single = registry.push("library/python:3", config_of(entrypoint=()))
    with Registries() as registries:
        found = registries.resolve(f"{registry.host}/{IMAGE}")
        alone = registries.resolve(f"{registry.host}/library/python:3")
    assert (found.digest, found.user, found.entrypoint) == (index, "1000", ("vllm", "serve"))
    assert registry.has("vllm/vllm-openai", found.manifest or "")
    assert (alone.digest, alone.manifest, alone.entrypoint) == (single, None, ())


def test_a_pull_through_cache_has_the_digest_of_its_upstream(start: Start) -> None:
    upstream = start()
    digest = upstream.push(IMAGE, config_of("linux/arm64"), config_of())
    mirror = start(upstream=upstream)
    with Registries() as registries:
        assert registries.resolve(f"{mirror.host}/{IMAGE}", published=IMAGE).digest == digest
    assert mirror.has("vllm/vllm-openai", digest)


def test_a_registry_with_users_is_read_with_the_login_of_docker(start: Start, tmp_path: Path) -> None:
    registry = start(login=True)
    digest = registry.push(IMAGE, config_of())
    with Registries() as registries, pytest.raises(RegistryError, match=r"without a login \(status 401\)"):
        registries.resolve(f"{registry.host}/{IMAGE}")
    login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": login}}}))
    with Registries() as registries:
        assert registries.resolve(f"{registry.host}/{IMAGE}").digest == digest


def test_a_missing_tag_and_a_missing_platform_are_named(start: Start) -> None:
    registry = start()
    registry.push(IMAGE, config_of("linux/arm64"), config_of("windows/amd64"))
    with Registries() as registries:
        with pytest.raises(RegistryError, match="only for linux/arm64, windows/amd64"):
            registries.resolve(f"{registry.host}/{IMAGE}")
        with pytest.raises(RegistryError, match="it has no tag `v2` of vllm/vllm-openai"):
            registries.resolve(f"{registry.host}/vllm/vllm-openai:v2")


def test_every_image_of_a_locked_stack_can_be_pulled_at_its_digest(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    registry, project = start(), tmp_path / "project"
    project.mkdir()
    copy_project(project, "examples/production")
    monkeypatch.chdir(project)
    monkeypatch.setenv("HUBSTACK_LOCK_IMAGES", "1")
    settings = project / "examples/production/Pulumi.production.yaml"
    settings.write_text(
        settings.read_text().rstrip("\n") + f"\n  hubstack:images: {{registry: '{registry.host}'}}\n"
    )

    def images() -> list[tuple[str, str]]:
        stack = Stack.load(find_environment("examples/production", project, project))
        return [(each.used.image, each.reference) for each in stack_images(stack)]

    for image, _ in images():
        registry.push(image_path(read_image(image)), config_of("linux/arm64"), config_of(salt=image))
    assert app.run(["lock", "examples/production"]) == 0, capfd.readouterr().err
    (lock,) = (project / "examples/production").glob("*.lock.yaml")
    held = {image.image: image for image in load_lock(lock).images}
    assert len(held) == len(images()) > 9
    for image, reference in images():
        name = read_image(reference)
        assert name.registry == registry.host
        assert registry.has(name.path, held[image].digest)
        assert name.digest == held[image].digest or "http-add-on" in image
