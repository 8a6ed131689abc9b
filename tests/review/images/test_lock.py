# SPDX-License-Identifier: Apache-2.0
"""`hubstack lock` and `hubstack images` on a copy of an example, with a registry of this machine as its mirror."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from hubstack.cli import app
from hubstack.hub.lock import load_lock
from hubstack.inputs.environment import find_environment
from hubstack.inputs.stack import Stack
from hubstack.plan.images import image_path, read_image
from hubstack.planner.inputs import StackInputs
from hubstack.planner.planner import plan_inputs
from hubstack.review.images.used import stack_images
from tests.support.project import copy_project
from tests.support.registry import Registry, config_of

VLLM, LOADER = "vllm/vllm-openai:v0.33.0", "library/python:3.12-slim-bookworm"


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as served:
        yield served


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = copy_project(tmp_path, "examples/quickstart")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HUBSTACK_LOCK_IMAGES", "1")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "nothing"))
    monkeypatch.setenv("COLUMNS", "200")
    return folder


def mirror(project: Path, setting: str) -> None:
    path = project / "examples/quickstart/Pulumi.quickstart.yaml"
    path.write_text(path.read_text().rstrip("\n") + f"\n  hubstack:images: {setting}\n")


def stack(project: Path) -> Stack:
    return Stack.load(find_environment("examples/quickstart", project, project))


def fill(registry: Registry, project: Path) -> list[str]:
    """Push every image that the stack uses; return their published names."""
    images = [each.used.image for each in stack_images(stack(project))]
    for image in images:
        entrypoint = ("vllm", "serve") if "vllm" in image else ("./entrypoint.sh",)
        registry.push(image_path(read_image(image)), config_of(entrypoint=entrypoint, salt=image))
    return images


def lock_of(project: Path) -> Path:
    return project / "examples/quickstart/models.lock.yaml"


def locked(project: Path, registry: Registry) -> list[str]:
    mirror(project, f"{{registry: {registry.host}}}")
    images = fill(registry, project)
    assert app.run(["lock", "examples/quickstart"]) == 0
    return images


def test_every_image_of_the_plan_is_locked_and_runs_by_its_digest(
    project: Path, registry: Registry, capfd: pytest.CaptureFixture[str]
) -> None:
    before = lock_of(project).read_text()
    images = locked(project, registry)
    said = capfd.readouterr()
    assert said.out.count("added the image ") == len(images) == 9
    assert said.err == ""
    text = lock_of(project).read_text()
    assert text.startswith(before.replace("format: 2", "format: 3", 1)), "the models are as they were"
    held = load_lock(lock_of(project))
    assert [image.image for image in held.images] == images
    plan = plan_inputs(StackInputs.of(stack(project)))
    digests = {image.image: image.digest for image in held.images}
    vllm = f"{registry.host}/{VLLM}@{digests[VLLM]}"
    assert vllm in {model.server.image for model in plan.models}
    assert {model.weights.loader_image for model in plan.models} == {
        f"{registry.host}/{LOADER}@{digests['python:3.12-slim-bookworm']}"
    }
    assert not [warning for warning in plan.warnings if "image" in warning]


def test_a_locked_image_stays_until_it_is_asked_for_again(
    project: Path, registry: Registry, capfd: pytest.CaptureFixture[str]
) -> None:
    locked(project, registry)
    registry.requests.clear()
    new = registry.push(VLLM, config_of(salt="rebuilt"))
    capfd.readouterr()
    text = lock_of(project).read_text()
    assert app.run(["lock", "examples/quickstart"]) == 0
    assert (lock_of(project).read_text(), registry.requests) == (text, [])
    capfd.readouterr()
    assert app.run(["lock", "examples/quickstart", "--upgrade-images"]) == 0
    (line,) = [line for line in capfd.readouterr().out.splitlines() if line.startswith("moved the image")]
    assert line.endswith(f"to {new[:19]}")
    assert app.run(["lock", "examples/quickstart", "--check"]) == 0


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        ((401, {}), "cannot be read from"),
        ((404, {}), "is not in"),
        ((429, {"Retry-After": "3600"}), "limits requests (status 429), and asks to wait 3,600 s"),
    ],
)
def test_a_refusal_names_setting_cause_and_fix_and_leaves_the_lock_alone(
    failure: tuple[int, dict[str, str]],
    message: str,
    project: Path,
    registry: Registry,
    capfd: pytest.CaptureFixture[str],
) -> None:
    mirror(project, f"{{registry: {registry.host}}}")
    fill(registry, project)
    registry.failures = [failure] * 99
    before = lock_of(project).read_text()
    assert app.run(["lock", "examples/quickstart"]) == 2
    said = capfd.readouterr().err
    assert message in said
    assert "Pulumi.quickstart.yaml:6:" in said, "the place of the setting"
    assert said.count("    hint: ") == 9
    assert "the models are locked; the images in the lock are unchanged" in said
    assert lock_of(project).read_text() == before


def test_one_refused_image_writes_no_other(project: Path, registry: Registry) -> None:
    mirror(project, f"{{registry: {registry.host}}}")
    fill(registry, project)
    registry.push(VLLM, config_of("linux/arm64"))
    before = lock_of(project).read_text()
    assert app.run(["lock", "examples/quickstart"]) == 2
    assert lock_of(project).read_text() == before


def test_without_a_way_to_the_registry_the_lock_stands_and_tags_are_named(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    mirror(project, "{registry: '127.0.0.1:1'}")
    before = lock_of(project).read_text()
    assert app.run(["lock", "examples/quickstart"]) == 0
    said = capfd.readouterr().err
    assert "127.0.0.1:1 cannot be reached" in said
    assert "these images run by their tags, without a digest: " in said
    assert VLLM in said
    assert lock_of(project).read_text() == before
    assert app.run(["lock", "examples/quickstart", "--check"]) == 0


def test_an_entrypoint_that_the_catalogue_does_not_know_is_named_in_lock_and_plan(
    project: Path, registry: Registry, capfd: pytest.CaptureFixture[str]
) -> None:
    mirror(project, f"{{registry: {registry.host}}}")
    fill(registry, project)
    registry.push(VLLM, config_of(entrypoint=("/wrapped.sh",), user="1000"))
    assert app.run(["lock", "examples/quickstart"]) == 0
    said = capfd.readouterr().err
    plan = plan_inputs(StackInputs.of(stack(project)))
    for text in ("has the entrypoint `/wrapped.sh`", "has the user `1000`"):
        assert f"the image {VLLM} {text}, but hubstack/catalog/engines.yaml says of vllm" in said
        assert any(text in warning for warning in plan.warnings)


def test_an_image_that_is_not_locked_is_named_by_check_and_plan(
    project: Path, registry: Registry, capfd: pytest.CaptureFixture[str]
) -> None:
    locked(project, registry)
    held = yaml.safe_load(lock_of(project).read_text())
    held["images"] = [each for each in held["images"] if each["image"] != VLLM]
    lock_of(project).write_text(yaml.safe_dump(held, sort_keys=False))
    capfd.readouterr()
    assert app.run(["lock", "examples/quickstart", "--check"]) == 1
    assert capfd.readouterr().out == f"missing: the image {VLLM}\n"
    plan = plan_inputs(StackInputs.of(stack(project)))
    assert f"the image {VLLM} is not in the lock and runs by its tag: run `hubstack lock`" in plan.warnings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("user: root", "user: '0'"), "was edited after hubstack wrote it"),
        (("digest: sha256:", "digest: sha512:"), "digest"),
    ],
)
def test_an_edited_image_is_refused_at_its_line(
    change: tuple[str, str],
    message: str,
    project: Path,
    registry: Registry,
    capfd: pytest.CaptureFixture[str],
) -> None:
    locked(project, registry)
    lock_of(project).write_text(lock_of(project).read_text().replace(*change, 1))
    assert app.run(["plan", "examples/quickstart"]) == 2
    said = capfd.readouterr().err
    assert message in said
    assert "models.lock.yaml:" in said


def test_images_names_each_with_digest_and_use(
    project: Path, registry: Registry, capfd: pytest.CaptureFixture[str]
) -> None:
    images = locked(project, registry)
    capfd.readouterr()
    assert app.run(["images", "examples/quickstart"]) == 0
    said = capfd.readouterr().out
    assert all(image in said for image in images)
    assert "6 of 9 images run by digest." in said
    assert "Locked, but run by tag, because the chart accepts no digest: keda-add-ons-http." in said
    assert app.run(["images", "examples/quickstart", "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert [each["image"] for each in told["images"]] == images
    assert {each["runs_by"] for each in told["images"] if each["chart"] == "keda"} == {"digest"}


@pytest.mark.parametrize("tool", ["crane", "gcrane", "skopeo"])
def test_the_copy_of_an_image_is_of_its_locked_digest(
    tool: str, project: Path, registry: Registry, capfd: pytest.CaptureFixture[str]
) -> None:
    locked(project, registry)
    capfd.readouterr()
    assert app.run(["images", "examples/quickstart", "--copy-to", "m.example/all", "--with", tool]) == 0
    lines = capfd.readouterr().out.splitlines()
    held = {image.image: image.digest for image in load_lock(lock_of(project)).images}
    (line,) = [line for line in lines if "vllm-openai" in line]
    assert len(lines) == 9
    assert line.split()[0] == tool
    assert f"docker.io/vllm/vllm-openai@{held[VLLM]}" in line
    assert line.endswith(f"m.example/all/{VLLM}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--copy-to", "https://m.example"], "must be a registry or a repository in one"),
        (["--copy-to", "m.example", "--with", "skopio"], "did you mean `skopeo`?"),
    ],
)
def test_a_wrong_target_or_program_is_refused(
    arguments: list[str], message: str, project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert app.run(["images", "examples/quickstart", *arguments]) == 2
    assert message in capfd.readouterr().err


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("{registry: https://m.example}", "must be a registry or a repository in one"),
        ("{registry: m.example, remote: true}", "conflicts with `registry`"),
        ("{}", "is missing: the setting names no registry"),
        ("{registries: {hub.docker.com: m.example}}", "in image names, that registry is `docker.io`"),
        ("{registri: m.example}", "did you mean `registries`?"),
    ],
)
def test_a_wrong_setting_is_refused_at_its_line(
    setting: str, message: str, project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    mirror(project, setting)
    assert app.run(["plan", "examples/quickstart"]) == 2
    said = capfd.readouterr().err
    assert message in said
    assert "Pulumi.quickstart.yaml:6:" in said


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ("{registry: m.example/a}", "Images: run by their tags, pulled from m.example/a."),
        ("{registries: {ghcr.io: m.example/a}}", "pulled from m.example/a (ghcr.io)."),
        ("{remote: true}", "pulled through Artifact Registry remote repositories of the stack."),
    ],
)
def test_the_plan_says_where_images_come_from(
    setting: str, line: str, project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    mirror(project, setting)
    assert app.run(["plan", "examples/quickstart"]) == 0
    assert line in capfd.readouterr().out


def test_a_mirror_in_another_project_names_the_grant(project: Path) -> None:
    mirror(project, "{registry: europe-docker.pkg.dev/other-project/mirror}")
    plan = plan_inputs(StackInputs.of(stack(project)))
    assert (
        "`hubstack:images` names europe-docker.pkg.dev/other-project/mirror: the nodes' service account of "
        "acme-models-quickstart needs roles/artifactregistry.reader on the repository mirror of other-project"
    ) in plan.warnings


@pytest.mark.slow
def test_by_digest_from_one_registry_can_be_required_and_met(
    project: Path, registry: Registry, capfd: pytest.CaptureFixture[str]
) -> None:
    locked(project, registry)
    policy = project / "examples/quickstart/policy.yaml"
    policy.write_text(f"registries: ['{registry.host}']\nlevels: {{HS019: error}}\n")
    capfd.readouterr()
    assert app.run(["check", "examples/quickstart", "--json"]) == 1
    told = json.loads(capfd.readouterr().out)
    failed = [each for each in told["findings"] if each["level"] == "error"]
    assert {(each["rule"], each["resource"]) for each in failed} == {("HS019", "autoscaling-interceptor")}
    waiver = "{rule: HS019, resource: autoscaling-interceptor, owner: a@b.example, until: 2099-01-01, why: tags}"
    policy.write_text(policy.read_text() + f"waivers: [{waiver}]\n")
    assert app.run(["check", "examples/quickstart"]) == 0
