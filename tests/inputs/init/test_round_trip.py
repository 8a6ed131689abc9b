# SPDX-License-Identifier: Apache-2.0
"""What hubstack renders and gives back: the same models, as far as Kubernetes objects say them.

Lost on the way, and told in docs/getting-started/arrive.md: models on Cloud Run and Vertex AI, which are no
Kubernetes objects; `concurrency`, `capacity`, a GPU's kind (node pools decide it), `loading`, `share_gpu`, `slo`.
"""

from pathlib import Path

import pytest

from hubstack.files.managed_folder import write_folder
from hubstack.inputs.environment import find_environment
from hubstack.inputs.init import InitOptions, read_manifests, write_environment
from hubstack.inputs.models import load_request
from hubstack.kinds import EngineKind
from hubstack.planner.inputs import StackInputs
from hubstack.planner.planner import plan_inputs
from hubstack.review.preview import preview
from hubstack.review.preview.files import graph_files
from tests.inputs.init.conftest import PROJECT

EXAMPLES = ("fleet", "multi-host", "production")


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_rendered_stack_gives_back_ids_keys_context_and_replicas(name: str, project: Path) -> None:
    found = find_environment(f"examples/{name}", PROJECT, PROJECT)
    graph = preview(PROJECT, stack=found.stack, config=found.config_file)
    write_folder(project / "out", graph_files(graph), "render")
    options = InitOptions(env="again", project_dir=project, gcp_project="acme-again", region="us-central1")
    write_environment(options, read_manifests([str(project / "out" / "kubernetes")]))
    again = {model.key: model for model in load_request(project / "stacks" / "again.models.yaml").models}
    plan = plan_inputs(StackInputs.load(found))
    request = {m.key: m for m in load_request(PROJECT / "examples" / name / "models.yaml").models}
    assert {key: model.id for key, model in again.items()} == {model.key: model.id for model in plan.models}
    for model in plan.models:
        got, was = again[model.key], request[model.key]
        if model.server.engine is not EngineKind.TEI:  # its flags name no length
            assert got.settings.context == model.need.context
        if was.canary_of is None:
            assert got.settings.replicas == was.settings.replicas, model.key
        for setting in (
            "tool_call_parser",
            "reasoning_parser",
            "trust_remote_code",
            "kv_cache_dtype",
            "lora",
        ):
            assert getattr(got.settings, setting) == getattr(was.settings, setting), f"{model.key}.{setting}"
