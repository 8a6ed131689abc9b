# SPDX-License-Identifier: Apache-2.0
"""A stack of tiny models behind a stand-in of the Hub, locked and rendered by hubstack's own commands."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from proof.engines.container import Container
from proof.engines.install import Engines
from proof.engines.models import adapter_files, model_files, model_gguf
from proof.hub.repository import Repository
from proof.hub.tiny import commit
from tests.support.hub import StandIn
from tests.support.project import PROJECT, copy_project

SAYS = {"chat": "Here speaks the chat model", "gguf": "Here speaks another model from one file"}
"""Model to its answer."""
ADAPTER, ADAPTER_SAYS = "inverted", "Here the chat model speaks"
"""Name of the adapter of `chat`, and what it answers."""
MODELS = """models:
  - {id: tiny/chat, name: chat, replicas: {min: 1, max: 2}, lora: {adapters: [{id: tiny/voice, name: inverted}]}}
  - {id: tiny/gguf, name: gguf, replicas: {min: 1, max: 2}}
  - {id: tiny/texts, name: texts, engine: vllm, replicas: {min: 1, max: 2}}
"""
CONFIG = """config:
  gcp:project: acme-models-dev
  gcp:region: us-central1
  hubstack:deletionProtection: false
"""


@dataclass(frozen=True)
class TinyStack:
    """What was rendered, and the files that its buckets would have."""

    rendered: Path
    volumes: Mapping[str, Mapping[str, Path]]
    """Model to what is mounted from its bucket, by the name of the volume."""

    def container(self, key: str) -> Container:
        return Container.of(self.read(f"kubernetes/namespaces/models/deployment-{key}.yaml"))

    def read(self, path: str) -> Any:
        return yaml.safe_load((self.rendered / path).read_text())


def tiny_stack(folder: Path, engines: Engines) -> TinyStack:
    """Lock and render the stack in a new folder."""
    embedder = engines.embedding_model
    files: dict[str, dict[str, Any]] = {
        "chat": model_files(SAYS["chat"]),
        "gguf": {"tiny-F32.gguf": model_gguf(SAYS["gguf"])},
        "texts": {str(path.relative_to(embedder)): path.read_bytes() for path in _files(embedder)},
    }
    tasks = {"chat": "text-generation", "gguf": "text-generation", "texts": "sentence-similarity"}
    libraries = {"chat": "transformers", "gguf": "gguf", "texts": "sentence-transformers"}
    repositories = [_repository(key, files[key], tasks[key], libraries[key]) for key in files]
    voice = adapter_files(SAYS["chat"], ADAPTER_SAYS, "tiny/chat")
    repositories.append(_repository("voice", voice, "text-generation", "peft"))
    project = folder / "project"
    project.mkdir()
    copy_project(project)
    (project / "stacks").mkdir()
    (project / "stacks" / "dev.models.yaml").write_text(MODELS)
    (project / "stacks" / "Pulumi.dev.yaml").write_text(CONFIG)
    with StandIn(repositories) as hub:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        environment = {**kept, "HF_ENDPOINT": hub.url, "PYTHONPATH": str(PROJECT)}
        for words in (["lock", "dev"], ["render", "dev", str(folder / "rendered")]):
            command = [sys.executable, "-m", "hubstack", *words]
            subprocess.run(command, cwd=project, env=environment, check=True, capture_output=True)
    volumes = {key: {"weights": _written(folder / key, held)} for key, held in files.items()}
    commit_of_voice = next(iter(repositories[-1].commits))
    _written(folder / "companions" / commit_of_voice, voice)
    volumes["chat"]["companions"] = folder / "companions"
    return TinyStack(folder / "rendered", volumes)


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


def _repository(key: str, files: dict[str, Any], task: str, library: str) -> Repository:
    first = commit(f"tiny/{key}", "main", files)
    return Repository(
        id=f"tiny/{key}",
        commits={first.sha: first},
        refs={"main": first.sha},
        metadata={"tags": [], "pipeline_tag": task, "library_name": library},
        gated=False,
        security={"scansDone": True, "filesWithIssues": []},
        invented=("everything",),
    )


def _written(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder
