# SPDX-License-Identifier: Apache-2.0
"""How an image's name is read, and what it becomes in a mirror and at a digest."""

import pytest

from hubstack.plan.images import UPSTREAMS, ImagesPlan, read_image, remote_mirrors, remote_repository_id

DIGEST = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("python:3.12-slim", ("docker.io/library/python", "3.12-slim", None)),
        ("vllm/vllm-openai:v1", ("docker.io/vllm/vllm-openai", "v1", None)),
        ("ghcr.io/a/b/c:1@" + DIGEST, ("ghcr.io/a/b/c", "1", DIGEST)),
        ("localhost:5000/a", ("localhost:5000/a", None, None)),
    ],
)
def test_an_image_is_read_as_docker_reads_it(image: str, parts: tuple[str, str | None, str | None]) -> None:
    read = read_image(image)
    assert (read.repository, read.tag, read.digest) == parts


@pytest.mark.parametrize(
    ("image", "mirrors", "reference"),
    [
        ("vllm/vllm-openai:v1", {}, f"vllm/vllm-openai:v1@{DIGEST}"),
        ("vllm/vllm-openai:v1", {"*": "m.example/all"}, f"m.example/all/vllm/vllm-openai:v1@{DIGEST}"),
        ("python:3.12", {"*": "m.example", "docker.io": "hub.example/d"}, "hub.example/d/library/python:3.12"),
        ("ghcr.io/a/b:1", {"docker.io": "hub.example/d"}, "ghcr.io/a/b:1"),
        ("ghcr.io/a/b@" + DIGEST, {"*": "m.example"}, f"m.example/a/b@{DIGEST}"),
    ],
)
def test_a_mirror_replaces_the_registry_and_a_locked_digest_follows_the_tag(
    image: str, mirrors: dict[str, str], reference: str
) -> None:
    plan = ImagesPlan(mirrors=mirrors, digests={"vllm/vllm-openai:v1": DIGEST})
    assert plan.reference(image) == reference


def test_remote_repositories_have_distinct_ids_that_artifact_registry_accepts() -> None:
    for slug in ("dev", "a" * 90):
        ids = [remote_repository_id(slug, registry) for registry in UPSTREAMS]
        assert len(set(ids)) == len(UPSTREAMS)
        assert all(len(each) <= 63 and each.replace("-", "").isalnum() for each in ids)
    assert remote_mirrors("p", "europe-west4", "dev")["ghcr.io"] == (
        "europe-west4-docker.pkg.dev/p/hubstack-dev-ghcr-io"
    )
