# SPDX-License-Identifier: Apache-2.0
"""`hubstack init` as a user runs it: what is written, what is refused, what is left alone."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hubstack.cli.app import app
from hubstack.files.errors import InputError
from hubstack.inputs.models import load_request
from hubstack.inputs.pulumi_config import load_stack_config
from hubstack.inputs.settings import read_settings
from tests.inputs.init.conftest import MANIFESTS, PROJECT, deployment

PLACE = ("--gcp-project", "acme-new", "--region", "us-central1")


def init(project: Path, *arguments: str, stdin: str = "", code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "hubstack", "init", *arguments],
        cwd=project,
        input=stdin,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def files(project: Path) -> dict[str, str]:
    return {str(path.relative_to(project)): path.read_text() for path in project.rglob("*") if path.is_file()}


def test_a_new_environment_is_a_list_and_its_settings_and_the_next_step_is_said(project: Path) -> None:
    said = init(
        project, "new", "--from-manifests", str(MANIFESTS / "vllm.yaml"), str(MANIFESTS / "shell.yaml"), *PLACE
    )
    assert "wrote stacks/new.models.yaml: 3 models" in said
    assert said.rstrip().endswith("`hubstack lock new`")
    assert len(load_request(project / "stacks" / "new.models.yaml").models) == 3
    target = read_settings("new", load_stack_config(project, project / "stacks" / "Pulumi.new.yaml").config)
    assert (target.project, target.region, target.deletion_protection) == ("acme-new", "us-central1", True)


def test_manifests_come_from_the_standard_input(project: Path) -> None:
    init(project, "new", "--from-manifests", "-", *PLACE, stdin=deployment("--model", "Qwen/Qwen3-8B"))
    assert "# Deployment default/one, standard input:" in (project / "stacks" / "new.models.yaml").read_text()


def test_a_list_that_is_there_stays_unless_it_is_forced_and_settings_always_stay(project: Path) -> None:
    source = str(MANIFESTS / "vllm.yaml")
    init(project, "new", "--from-manifests", source, *PLACE)
    path, config = (project / "stacks" / name for name in ("new.models.yaml", "Pulumi.new.yaml"))
    path.write_text("models: [Qwen/Qwen3-8B] # mine\n")
    config.write_text(config.read_text() + "  hubstack:budget: 100\n")
    before = files(project)
    said = init(project, "new", "--from-manifests", source, code=2)
    assert "stacks/new.models.yaml: already exists" in said
    assert files(project) == before
    init(project, "new", "--from-manifests", source, "--force")
    assert [m.id for m in load_request(path).models] == ["google/gemma-3-27b-it"]
    assert config.read_text() == before["stacks/Pulumi.new.yaml"]


def test_the_list_goes_where_the_settings_of_the_environment_say(project: Path) -> None:
    (project / "stacks").mkdir()
    (project / "stacks" / "Pulumi.new.yaml").write_text(
        "config:\n  gcp:project: acme-new\n  gcp:region: us-central1\n  hubstack:models: lists/mine.yaml\n"
    )
    init(project, "new", "--from-manifests", str(MANIFESTS / "vllm.yaml"))
    assert (project / "lists" / "mine.yaml").is_file()


BAD: dict[tuple[str, ...], tuple[str, ...]] = {
    ("new",): ("name one source", "--from-manifests FILE"),
    ("new", "--from-manifests"): ("name one source",),
    ("new", "--from-manifests", "x.yaml", "--from-collection", "a/b"): ("name one source",),
    ("new", "--from-manifests", "none.yaml", *PLACE): ("none.yaml: cannot be read: there is no such file",),
    ("new", "--from-manifests", "VLLM"): ("stacks/Pulumi.new.yaml: does not exist yet", "--gcp-project ID"),
    ("new", "--from-manifests", "VLLM", "--gcp-project", "X", "--region", "mars"): ('`"X"`', '`"mars"`'),
    ("../new", "--from-manifests", "VLLM", *PLACE): ("is not a valid environment name",),
    ("new", "--from-manifests", "bad.yaml", "worse.json", *PLACE): ("bad.yaml:2:4", "worse.json:1:22: is not JSON"),
    ("new", "--from-manifests", "chart.yaml", *PLACE): ("chart.yaml:3:", "`helm template`"),
    ("new", "--from-manifests", "list.yaml", *PLACE): ("contains no Kubernetes object", "kubectl get"),
    ("new", "--from-manifests", "empty", *PLACE): ("empty: contains no .yaml",),
    ("new", "--from-manifests", "UNKNOWN", *PLACE): (
        "`gs://bucket/llama`",
        "no models found",
        "nothing was written",
    ),
}


@pytest.mark.parametrize("arguments", BAD, ids=" ".join)
def test_bad_input_is_told_with_its_place_and_nothing_is_written(
    project: Path, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "bad.yaml").write_text("kind: Pod\n  a: b\n")
    (project / "worse.json").write_text('{"kind": "Pod", "a": }')
    (project / "chart.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: {{ .Release.Name }}}\n")
    (project / "list.yaml").write_text("models: [Qwen/Qwen3-8B]\n")
    (project / "empty").mkdir()
    before = files(project)
    named = {"VLLM": str(MANIFESTS / "vllm.yaml"), "UNKNOWN": str(MANIFESTS / "unknown.yaml")}
    monkeypatch.chdir(project)
    with pytest.raises(InputError) as caught:
        app(["init", *(named.get(word, word) for word in arguments)], standalone_mode=False)
    for word in BAD[arguments]:
        assert word in str(caught.value)
    assert files(project) == before


def test_the_guide_shows_the_list_that_its_manifest_makes(project: Path) -> None:
    blocks = re.findall(
        r"```yaml\n(.*?)```", (PROJECT / "docs" / "getting-started" / "arrive.md").read_text(), re.DOTALL
    )
    (project / "stacks").mkdir()
    (project / "stacks" / "running.yaml").write_text(blocks[0])
    init(project, "new", "--from-manifests", "stacks/running.yaml", *PLACE)
    _, _, entries = (project / "stacks" / "new.models.yaml").read_text().partition("models:\n")
    assert entries == blocks[1]
