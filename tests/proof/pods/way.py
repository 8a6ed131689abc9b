# SPDX-License-Identifier: Apache-2.0
"""A stack of these tests, locked and brought up by the real engine, with what a test asks of it."""

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import yaml

from hubstack.inputs.environment import find_environment
from proof.api import Object
from proof.binaries import programs as sandbox_programs
from proof.crds import crd_files
from proof.engine.binaries import programs
from proof.engine.charts import ChartRepository
from proof.engine.engine import Engine
from proof.engine.stacks import engine_of, use_charts
from proof.gateway.binaries import programs as gateway_programs
from proof.hub.repository import Commit, StoredFile
from proof.hub.tiny import made_commit
from proof.pods.world import World
from proof.sandbox import Sandbox
from proof.stack import Stack, read_stack
from tests.support.golden import PROJECT
from tests.support.hub import StandIn

BUCKET = "gcp:storage/bucket:Bucket"


class Way:
    """The stack, brought up."""

    def __init__(self, engine: Engine, sandbox: Sandbox, world: World, hub: StandIn, stack_folder: str) -> None:
        self.stack_folder = stack_folder
        self.engine, self.sandbox, self.world, self.hub = engine, sandbox, world, hub
        self.client = httpx2.Client(timeout=60, trust_env=False)

    def hubstack(self, *words: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "hubstack", *words, "--project", str(self.engine.project)],
            env=without_token() | {"HF_ENDPOINT": self.hub.url, "PYTHONPATH": str(PROJECT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def report(self, *words: str, code: int = 0, context: bool = True) -> dict[str, Any]:
        """Return the JSON of a command, which reads the cluster by the sandbox's kubectl if it takes a context."""
        kubeconfig = self.sandbox.kubeconfig
        found = ["--project", str(self.engine.project), "--json"]
        if context:
            found += ["--context", yaml.safe_load(kubeconfig.read_text())["current-context"]]
        path = f"{self.sandbox.plane.programs}:{os.environ['PATH']}"
        done = subprocess.run(
            [sys.executable, "-m", "hubstack", *words, *found],
            env=without_token() | {"PATH": path, "KUBECONFIG": str(kubeconfig), "PYTHONPATH": str(PROJECT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    def read(self, folder: Path) -> Stack:
        return read_stack(self.engine.project, self.stack_folder, folder)

    @property
    def url(self) -> str:
        gateways = self.sandbox.api.objects("gateway.networking.k8s.io/v1", "Gateway")
        self.sandbox.wait("the gateway is served", lambda: self.world.gateways.address(gateways[0]) is not None)
        found = self.world.gateways.address(gateways[0])
        assert found
        return found

    def ask(self, model: str, path: str = "/v1/chat/completions", **more: Any) -> httpx2.Response:
        body = {"model": model, "messages": [{"role": "user", "content": "Who are you?"}], **more}
        return self.client.post(self.url + path, json=body)

    def answered_by(self, model: str, **more: Any) -> str:
        answer = self.ask(model, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()["choices"][0]["message"]["content"]

    def pods(self, key: str, name: str = "server") -> list[Object]:
        """Return the pods of a model: its servers, or its `loader`."""
        wanted = {"app.kubernetes.io/instance": key, "app.kubernetes.io/name": name}.items()
        return [pod for pod in self.sandbox.pods("models") if pod["metadata"].get("labels", {}).items() >= wanted]

    def change(self, repo_id: str, **changes: Any) -> None:
        """Change a model in the list, and lock."""
        path = self.engine.project / self.stack_folder / "models.yaml"
        said = yaml.safe_load(path.read_text())
        next(row for row in said["models"] if row["id"] == repo_id).update(changes)
        path.write_text(yaml.safe_dump(said))
        self.hubstack("lock", self.stack_folder)

    @contextmanager
    def asking(self, model: str, clients: int = 4, tokens: int = 40) -> Iterator[list[tuple[int, str]]]:
        """Ask without a pause while the context lasts; yield status and text of each answer."""
        found: list[tuple[int, str]] = []
        is_over = threading.Event()
        url = f"{self.url}/v1/chat/completions"

        def ask() -> None:
            with httpx2.Client(timeout=60, trust_env=False) as client:
                while not is_over.is_set():
                    answer = client.post(url, json={"model": model, "messages": [], "max_tokens": tokens})
                    is_good = answer.status_code == 200
                    text = answer.json()["choices"][0]["message"]["content"] if is_good else answer.text
                    found.append((answer.status_code, text))

        threads = [threading.Thread(target=ask, daemon=True) for _ in range(clients)]
        for each in threads:
            each.start()
        try:
            yield found
            time.sleep(2)
        finally:
            is_over.set()
            for each in threads:
                each.join(60)


def say(text: str) -> None:
    """Tell the person who waits for the tests."""
    sys.stderr.write(f"{text}\n")


def fetch_all() -> None:
    """Have what is built and fetched for a stack, since a network namespace reaches no registry."""
    for each in (sandbox_programs, programs, gateway_programs):
        each(say)
    list(crd_files())


def without_token() -> dict[str, str]:
    """Return our environment without a token, which the stand-in would not know."""
    return {name: value for name, value in os.environ.items() if name != "HF_TOKEN"}


def says(repo_id: str, label: str) -> str:
    """Return the answer of a model at a commit."""
    made = made_commit(repo_id, label)
    return f"commit {made.sha}, weights sha256 {digest(made)}"


@contextmanager
def brought_up(stack_folder: str, folder: Path, sandbox: Sandbox, world: World, hub: StandIn) -> Iterator[Way]:
    """Lock a stack and bring it up; it is destroyed at the end."""
    with ChartRepository(sandbox.plane.certificates) as charts:
        engine = engine_of(find_environment(stack_folder, PROJECT, PROJECT), folder / "engine", programs(), sandbox)
        world.buckets_of_cloud = lambda: engine.cloud.ids(BUCKET)
        way = Way(engine, sandbox, world, hub, stack_folder)
        way.hubstack("lock", stack_folder)
        sandbox.use(way.read(folder / "rendered").pools)
        releases = (folder / "rendered" / "helm").glob("*.yaml")
        use_charts(engine, charts, [yaml.safe_load(path.read_text()) for path in releases])
        engine.up()
        try:
            yield way
        finally:
            way.client.close()
            engine.destroy()


def digest(found: Commit) -> str:
    """Return the digest of the weights, as the server of these weights reports it."""
    held = found.file("model.safetensors")
    assert isinstance(held, StoredFile)
    assert held.content is not None
    return hashlib.sha256(held.content).hexdigest()
