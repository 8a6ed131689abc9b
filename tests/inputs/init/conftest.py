# SPDX-License-Identifier: Apache-2.0
"""A project without environments, and `hubstack init` on it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from hubstack.inputs.init import InitOptions, read_manifests, write_environment
from hubstack.inputs.models import Request, load_request

MANIFESTS = Path(__file__).parent / "manifests"
PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text((PROJECT / "Pulumi.yaml").read_text())
    return tmp_path


Made = tuple[str, Request, list[str]]
"""Text of the list, the list as read, the report."""


@pytest.fixture
def made(project: Path) -> Callable[..., Made]:
    def make(*sources: Path | str, force: bool = True) -> Made:
        """Make `new` from files, or from the text of one."""
        names: list[str] = []
        for source in sources:
            if isinstance(source, str):
                path = project / "given.yaml"
                path.write_text(source)
                names.append(str(path))
            else:
                names.append(str(source))
        old = (project / "stacks" / "Pulumi.new.yaml").exists()
        place = {} if old else {"gcp_project": "acme-new", "region": "us-central1"}
        options = InitOptions(env="new", project_dir=project, force=force, **place)
        report = write_environment(options, read_manifests(names))
        path = project / "stacks" / "new.models.yaml"
        return path.read_text(), load_request(path), report

    return make


def deployment(*args: str, image: str = "vllm/vllm-openai", **container: Any) -> str:
    """Return a Deployment of one container."""
    held = {"name": "server", "image": image, "args": list(args), **container}
    return yaml.safe_dump(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "one"},
            "spec": {"template": {"spec": {"containers": [held]}}},
        }
    )


def server(command: str, args: str = "[]", more: str = "") -> str:
    """Return a Deployment named `chat` of one container of vLLM."""
    return f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: chat}}
spec:
  template:
    spec:
      {more}
      containers:
      - name: server
        image: vllm/vllm-openai:v0.11.0
        command: {command}
        args: {args}
        resources: {{limits: {{nvidia.com/gpu: "1"}}}}
"""
