# SPDX-License-Identifier: Apache-2.0
"""Own weights against a server of Cloud Storage that others wrote: locked, copied by their Job, replaced."""

import json
import os
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from hubstack.hub.lock import parse_lock
from proof.storage.server import serving
from tests.support.buckets import fine_tune
from tests.support.project import PROJECT, copy_project

pytestmark = pytest.mark.proof
SOURCE, FOLDER = "acme-tunes", "support/v3"
LIST = f"models:\n  - {{id: gs://{SOURCE}/{FOLDER}, name: support, license: apache-2.0}}\n"
SETTINGS = (
    "config:\n  gcp:project: acme-models-dev\n  gcp:region: us-central1\n  hubstack:deletionProtection: false\n"
)


@dataclass(frozen=True)
class Storage:
    """The server, and what it is asked besides hubstack."""

    url: str

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        asked = urllib.request.Request(f"{self.url}{path}", data=body, method=method)  # noqa: S310
        with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310
            return answer.read()

    def make(self, bucket: str) -> None:
        self.ask("POST", "/storage/v1/b?project=acme", json.dumps({"name": bucket}).encode())

    def put(self, bucket: str, name: str, content: bytes) -> None:
        query = urllib.parse.urlencode({"uploadType": "media", "name": name})
        self.ask("POST", f"/upload/storage/v1/b/{bucket}/o?{query}", content)

    def objects(self, bucket: str) -> dict[str, bytes]:
        rows = json.loads(self.ask("GET", f"/storage/v1/b/{bucket}/o")).get("items", [])
        read = f"/storage/v1/b/{bucket}/o/"
        return {
            row["name"]: self.ask("GET", f"{read}{urllib.parse.quote(row['name'], safe='')}?alt=media")
            for row in rows
        }


@dataclass(frozen=True)
class Project:
    """A project with one model, whose weights are in the server's bucket."""

    path: Path
    storage: Storage

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "PYTHONPATH": str(PROJECT), "STORAGE_EMULATOR_HOST": self.storage.url}
        command = [sys.executable, "-m", "hubstack", *words]
        return subprocess.run(command, cwd=self.path, env=env, capture_output=True, text=True, check=False)

    def done(self, *words: str) -> str:
        found = self.run(*words)
        assert found.returncode == 0, found.stdout + found.stderr
        return found.stdout

    def rendered(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the loader's ConfigMap and Job, as they would be applied."""
        folder = self.path / "rendered"
        self.done("render", "dev", str(folder))
        objects = [yaml.safe_load(path.read_text()) for path in folder.rglob("*.yaml")]
        loaders = [each for each in objects if "-load-" in each.get("metadata", {}).get("name", "")]
        by_kind = {each["kind"]: each for each in loaders}
        return by_kind["ConfigMap"], by_kind["Job"]

    def load(self, tmp_path: Path) -> subprocess.CompletedProcess[str]:
        """Run the Job's command on its ConfigMap."""
        config, job = self.rendered()
        for name, text in config["data"].items():
            (tmp_path / name).write_text(text)
        (container,) = job["spec"]["template"]["spec"]["containers"]
        script = container["command"][-1].replace("/loader/", f"{tmp_path}/").replace("exec python", sys.executable)
        env = os.environ | {"STORAGE_EMULATOR_HOST": self.storage.url}
        return subprocess.run(["sh", "-c", script], env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with serving(lambda text: print(text, file=sys.stderr)) as url:
        storage = Storage(url)
        storage.make(SOURCE)
        storage.make("acme-models-dev-dev-support")
        for path, content in fine_tune().items():
            storage.put(SOURCE, f"{FOLDER}/{path}", content)
        copied = copy_project(tmp_path, "stacks", "policy")
        (copied / "stacks" / "dev.models.yaml").write_text(LIST)
        (copied / "stacks" / "Pulumi.dev.yaml").write_text(SETTINGS)
        for stale in ("dev.models.lock.yaml", "dev.placement.yaml"):
            (copied / "stacks" / stale).unlink(missing_ok=True)
        yield Project(copied, storage)


def test_own_weights_are_locked_copied_and_watched(project: Project, tmp_path: Path) -> None:
    project.done("lock", "dev")
    lock = project.path / "stacks" / "dev.models.lock.yaml"
    (facts,) = parse_lock(lock.read_text(), "lock").models
    assert dict(facts.parameters) == {"BF16": 20_000, "F32": 7}
    assert all(file.generation and file.crc32c for file in facts.files)
    assert "No drift" in project.done("drift", "dev")

    target = "acme-models-dev-dev-support"
    loaded = project.load(tmp_path)
    assert loaded.returncode == 0, loaded.stderr
    held = project.storage.objects(target)
    assert held[f"{facts.commit}/model.safetensors"] == fine_tune()["model.safetensors"]
    assert json.loads(held[f"{facts.commit}/.hubstack-complete"])["commit"] == facts.commit
    again = project.load(tmp_path)
    assert again.stdout.startswith("complete"), again.stdout

    project.storage.put(SOURCE, f"{FOLDER}/model.safetensors", fine_tune()["model.safetensors"] + b"more")
    drifted = project.run("drift", "dev")
    assert drifted.returncode == 1
    assert "`model.safetensors` was replaced with other content" in drifted.stdout
    assert project.load(tmp_path).returncode == 0, "the copy is whole: a moved source does not matter"

    project.done("lock", "dev", "--upgrade", "support")
    (newer,) = parse_lock(lock.read_text(), "lock").models
    assert newer.replaced == facts.commit
    assert project.load(tmp_path).returncode == 0
    held = project.storage.objects(target)
    assert held[f"{newer.commit}/model.safetensors"].endswith(b"more")
    assert held[f"{facts.commit}/model.safetensors"] == fine_tune()["model.safetensors"], (
        "the old servers still read it"
    )


def test_a_generation_that_was_replaced_before_the_copy_is_refused(project: Project, tmp_path: Path) -> None:
    project.done("lock", "dev")
    project.storage.put(SOURCE, f"{FOLDER}/config.json", b"{}")
    loaded = project.load(tmp_path)
    assert loaded.returncode == 4
    assert "no longer the locked generation" in loaded.stderr


def test_a_bucket_and_a_folder_that_do_not_exist_are_named(project: Project) -> None:
    path = project.path / "stacks" / "dev.models.yaml"
    path.write_text("models: ['gs://acme-other/support', 'gs://acme-tunes/nothing']\n")
    found = project.run("lock", "dev")
    assert found.returncode == 2
    assert "there is no bucket `acme-other`" in found.stderr
    assert "the bucket `acme-tunes` has nothing under `nothing/`" in found.stderr
