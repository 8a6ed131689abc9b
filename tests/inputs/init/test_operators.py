# SPDX-License-Identifier: Apache-2.0
"""What `hubstack init` reads of operators' kinds, overlays, compute classes and shells, or names as not read."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hubstack.inputs.init import read_manifests
from tests.inputs.init.conftest import MANIFESTS, Made, server

Make = Callable[..., Made]


def test_models_in_kinds_of_other_operators_are_read(made: Make) -> None:
    _, request, _ = made(MANIFESTS / "platforms.yaml")
    got = {
        m.key: (m.id, m.settings.context, m.settings.replicas.min, m.settings.replicas.max) for m in request.models
    }
    assert got == {
        "drafts": ("mistralai/Mistral-7B-Instruct-v0.3", 12000, 0, 4),
        "mini": ("microsoft/Phi-4-mini-instruct", None, 1, 1),
        "qwen-small": ("Qwen/Qwen2.5-7B-Instruct", 20000, 1, 3),
        "llama": ("meta-llama/Llama-3.1-8B", 4096, 2, 2),
        "bge-base-en-v1-5": ("BAAI/bge-base-en-v1.5", None, 1, 2),
        "qwen2-5-coder-7b-instruct": ("Qwen/Qwen2.5-Coder-7B-Instruct", None, 2, 2),
        "set": ("microsoft/phi-4", None, 3, 3),
        "llama-3-2-3b-instruct": ("meta-llama/Llama-3.2-3B-Instruct", None, 1, 1),
        "qwen3-8b": ("Qwen/Qwen3-8B", 8192, 2, 2),
        "storm-7b": ("acme/storm-7b", None, 1, 1),
        "ray-32b": ("acme/ray-32b", None, 1, 1),
        "shift-7b": ("acme/shift-7b", None, 4, 4),
        "service": ("acme/service-7b", 2048, 2, 2),
    }
    assert next(m for m in request.models if m.key == "drafts").settings.accelerators == ("l4",)


def test_kinds_that_are_not_read_are_named_and_no_others() -> None:
    found = read_manifests([str(MANIFESTS / "platforms.yaml")])
    told = [(each.origin.partition(",")[0], each.why) for each in found.unknown]
    assert told == [
        ("Workspace default/old-names", "`Workspace` names the model `falcon-7b`, which is not a Hub ID"),
        ("BentoDeployment default/bento", "`BentoDeployment` (serving.yatai.ai) is not supported"),
        ("Application default/chart", "`Application` (argoproj.io) is not supported"),
        (
            "JobSet default/batch (replicatedJobs.workers)",
            "vLLM in a JobSet: it runs to completion, and hubstack runs servers only",
        ),
    ]
    notes = {entry.id: entry.notes for entry in found.entries}
    assert notes["Qwen/Qwen2.5-7B-Instruct"] == ("not carried over: quantization",)
    (prefill,) = (note for note in notes["Qwen/Qwen3-8B"] if "prefill" in note)
    assert (
        prefill == "services.prefill serves it too, with replicas: 1; hubstack runs one kind of server for a model"
    )
    assert next(each.guess for each in found.unknown if "chart" in each.origin) == "acme/chart-8b"


@pytest.mark.parametrize("kind", ["kind: Kustomization\napiVersion: kustomize.config.k8s.io/v1beta1\n", ""])
def test_an_overlay_is_said_not_to_be_applied(tmp_path: Path, kind: str) -> None:
    (tmp_path / "kustomization.yaml").write_text(
        f"{kind}resources: [base.yaml]\nimages: [{{name: a, newTag: b}}]\n"
    )
    (tmp_path / "base.yaml").write_text(server("[vllm, serve, Qwen/Qwen3-4B]"))
    found = read_manifests([str(tmp_path)])
    assert [entry.id for entry in found.entries] == ["Qwen/Qwen3-4B"]
    assert "kubectl kustomize" in found.unknown[0].hint


def test_what_an_overlay_changes_is_in_doubt(tmp_path: Path) -> None:
    base, overlay = tmp_path / "base", tmp_path / "over"
    for folder, text in (
        (base, "resources: [chat.yaml]\n"),
        (overlay, "resources: [../base]\npatches: [{path: big.yaml}]\n"),
    ):
        folder.mkdir()
        (folder / "kustomization.yaml").write_text(text)
    (base / "chat.yaml").write_text(server("[vllm, serve, Qwen/Qwen3-4B]"))
    (tmp_path / "other.yaml").write_text(server("[vllm, serve, Qwen/Qwen3-8B]"))
    notes = {entry.id: " ".join(entry.notes) for entry in read_manifests([str(tmp_path)]).entries}
    assert f"{overlay / 'kustomization.yaml'} changes it and is not applied" in notes["Qwen/Qwen3-4B"]
    assert "not applied" not in notes["Qwen/Qwen3-8B"]


def test_values_of_a_chart_are_named_and_other_yaml_is_not(tmp_path: Path) -> None:
    (tmp_path / "chat.yaml").write_text(server("[vllm, serve, Qwen/Qwen3-4B]"))
    (tmp_path / "values.yaml").write_text(
        "servingEngineSpec: {modelSpec: [{name: a, modelURL: Qwen/Qwen3-8B, replicaCount: 1}]}\n"
    )
    (tmp_path / "compose.yaml").write_text("services: {chat: {image: vllm/vllm-openai, command: [--model, a/b]}}\n")
    (tmp_path / "other.yaml").write_text("server: {image: {repository: nginx}, resources: {}}\nname: x\n")
    told = [(each.origin.rpartition("/")[2], each.guess) for each in read_manifests([str(tmp_path)]).unknown]
    assert told == [("compose.yaml:1", None), ("values.yaml:1", "Qwen/Qwen3-8B")]


def test_aliases_and_merge_keys_of_manifests_are_read(made: Make) -> None:
    _, request, _ = made("""
apiVersion: v1
kind: List
x-shared: &shared {image: vllm/vllm-openai, args: [--model, Qwen/Qwen3-4B]}
items:
- apiVersion: apps/v1
  kind: Deployment
  metadata: &named {name: chat}
  spec: {template: {metadata: *named, spec: {containers: [{<<: *shared, args: [--model, Qwen/Qwen3-8B]}]}}}
""")
    assert [model.id for model in request.models] == ["Qwen/Qwen3-8B"]


def test_the_revision_of_a_url_and_the_card_of_a_profile_are_read(made: Make) -> None:
    _, request, _ = made("""
apiVersion: kubeai.org/v1
kind: Model
metadata: {name: chat}
spec: {url: "hf://Qwen/Qwen3-8B?rev=abc123", engine: VLLM, resourceProfile: "nvidia-gpu-h100:1"}
""")
    (model,) = request.models
    assert (model.revision, model.settings.accelerators) == ("abc123", ("h100-80gb",))


@pytest.mark.parametrize(
    ("command", "script"),
    [
        ("[/bin/bash, -euo, pipefail, -c]", "nvidia-smi\nexec vllm serve Qwen/Qwen3-8B --max-model-len 16384"),
        ("[bash, -o, pipefail, -c]", "vllm serve Qwen/Qwen3-8B --max-model-len 16384 2>&1 | tee /tmp/log"),
        ("[bash, -e, -o, errexit, +x, -lc]", "vllm serve Qwen/Qwen3-8B --max-model-len 16384 > /tmp/log &"),
        ("[sh, -c]", "# the image doesn't find them\nvllm serve Qwen/Qwen3-8B --max-model-len 16384"),
        ("[sh, -c]", "echo '# no comment' \"it's\"; vllm serve Qwen/Qwen3-8B --max-model-len 16384 # isn't set"),
    ],
)
def test_shells_with_options_comments_and_redirections_are_read(made: Make, command: str, script: str) -> None:
    block = "\n" + "".join(f"          {line}\n" for line in ["- |", *(f"  {each}" for each in script.split("\n"))])
    _, request, _ = made(server(command, block))
    assert [(model.id, model.settings.context) for model in request.models] == [("Qwen/Qwen3-8B", 16384)]


def test_a_quantization_of_llama_cpp_is_the_file(made: Make) -> None:
    text = server("[/app/llama-server]", '[-hf, "unsloth/Qwen3-30B-A3B-GGUF:UD-Q4_K_XL"]')
    _, request, _ = made(text.replace("vllm/vllm-openai:v0.11.0", "ghcr.io/ggml-org/llama.cpp:server-cuda"))
    assert request.models[0].settings.file == "*UD-Q4_K_XL*.gguf"


def test_the_name_of_a_kserve_model_stays_its_name(made: Make) -> None:
    _, request, _ = made("""
apiVersion: serving.kserve.io/v1alpha1
kind: LLMInferenceService
metadata: {name: chat}
spec: {model: {uri: "hf://Qwen/Qwen2.5-7B-Instruct", name: acme-chat}}
""")
    assert request.models[0].key == "acme-chat"
