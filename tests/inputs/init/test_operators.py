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
        "batch": ("acme/batch", None, 1, 1),
        "shift-7b": ("acme/shift-7b", None, 4, 4),
        "service": ("acme/service-7b", 2048, 2, 2),
    }
    assert next(m for m in request.models if m.key == "drafts").settings.accelerators == ("l4",)


def test_kinds_that_are_not_read_are_named_and_no_others() -> None:
    found = read_manifests([str(MANIFESTS / "platforms.yaml")])
    told = [(each.origin.partition(",")[0], each.why) for each in found.unknown]
    assert told == [
        ("Workspace default/old-names", "`Workspace` names the model `llama-2-7b`, which is not a Hub ID"),
        ("BentoDeployment default/bento", "`BentoDeployment` (serving.yatai.ai) is not supported"),
        ("Application default/chart", "`Application` (argoproj.io) is not supported"),
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
    assert told == [("compose.yaml:1", "a/b"), ("values.yaml:1", "Qwen/Qwen3-8B")]


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


def test_arguments_and_scaling_of_kubeai_become_keys_and_the_rest_is_named(made: Make) -> None:
    text, request, _ = made("""
apiVersion: kubeai.org/v1
kind: Model
metadata: {name: llama-3.1-8b}
spec:
  url: hf://acme/chat-8b
  engine: VLLM
  args: [--max-model-len, "16384", --tool-call-parser=hermes, --revision=v2]
  autoscaling: {minReplicas: 1, maxReplicas: 9}
  adapters: [{name: a, url: "hf://acme/a"}]
  resourceProfile: google-tpu-v5e-2x2:4
""")
    (model,) = request.models
    told = model.settings
    assert (model.revision, told.context, told.tool_call_parser) == ("v2", 16384, "hermes")
    assert (told.replicas.min, told.replicas.max, told.accelerators) == (1, 9, ("v5e",))
    assert "not carried over: adapters" in text
    assert "clients that use the model name `llama-3.1-8b` must switch" in text


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("pvc://volume/path?model=qwen2:0.5b", "`pvc://volume/path` (model=qwen2:0.5b), which is not a Hub ID"),
        ("s3://key:secret@bucket/llama?token=secret", "`s3://bucket/llama` (token), which is not a Hub ID"),
        ("ollama://gemma2:2b", "`ollama://gemma2:2b`, which is not a Hub ID"),
    ],
)
def test_a_url_that_is_not_of_the_hub_is_named_with_its_place(tmp_path: Path, url: str, why: str) -> None:
    path = tmp_path / "models.yaml"
    path.write_text(f'apiVersion: kubeai.org/v1\nkind: Model\nmetadata: {{name: a}}\nspec:\n  url: "{url}"\n')
    (unknown,) = read_manifests([str(path)]).unknown
    assert unknown.why == f"`Model` names the model {why}"
    assert unknown.origin == f"Model default/a, {path}:5"


def test_a_gguf_repository_of_ollama_is_read(made: Make) -> None:
    _, request, _ = made("""
apiVersion: kubeai.org/v1
kind: Model
metadata: {name: chat}
spec: {url: "ollama://hf.co/unsloth/Qwen3-8B-GGUF:Q4_K_M?pull=false", engine: OLlama}
""")
    (model,) = request.models
    assert (model.id, model.settings.file) == ("unsloth/Qwen3-8B-GGUF", "*Q4_K_M*.gguf")


def test_a_preset_of_kaito_is_its_repository_and_nodes_are_no_replicas(made: Make) -> None:
    text, request, _ = made("""
apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata: {name: chat}
resource: {count: 2, instanceType: Standard_ND96}
inference: {preset: {name: phi-4-mini-instruct}, adapters: [{source: {name: a}}]}
""")
    (model,) = request.models
    assert (model.id, model.settings.replicas.max) == ("microsoft/Phi-4-mini-instruct", 1)
    assert "count 2 of its nodes, adapters" in text


def test_the_decode_role_of_kaito_says_the_replicas(made: Make) -> None:
    text, request, _ = made("""
apiVersion: kaito.sh/v1alpha1
kind: MultiRoleInference
metadata: {name: chat}
spec: {model: {name: phi-4}, roles: [{type: prefill, replicas: 1}, {type: decode, replicas: 3}]}
""")
    (model,) = request.models
    assert (model.id, model.settings.replicas.max) == ("microsoft/phi-4", 3)
    assert "not carried over: the role prefill" in text


def test_a_cache_of_the_hub_on_a_volume_names_the_repository(made: Make) -> None:
    _, request, _ = made("""
apiVersion: llm-d.ai/v1alpha1
kind: ModelService
metadata: {name: chat}
spec: {modelArtifacts: {uri: "pvc+hf://volume/hub/Qwen/Qwen3-8B"}, decode: {replicas: 2}}
""")
    assert request.models[0].id == "Qwen/Qwen3-8B"


def test_fields_of_vllms_operator_become_keys_and_the_rest_is_named(made: Make) -> None:
    text, request, _ = made("""
apiVersion: production-stack.vllm.ai/v1alpha1
kind: VLLMRuntime
metadata: {name: chat}
spec:
  model: {modelURL: Qwen/Qwen3-8B, maxModelLen: 4096, toolCallParser: hermes, enableLoRA: false, maxNumSeqs: 32}
  vllmConfig: {tensorParallelSize: 2, extraArgs: [--kv-cache-dtype=fp8, --seed=1]}
  lmCacheConfig: {enabled: true}
  autoscalingConfig: {enabled: true, minReplicas: 1, maxReplicas: 3}
""")
    told = request.models[0].settings
    assert (told.context, told.tool_call_parser, told.kv_cache_dtype, told.replicas.max) == (
        4096,
        "hermes",
        "fp8",
        3,
    )
    assert "not carried over: --seed 1, lmCacheConfig" in text


RAY = """
apiVersion: ray.io/v1
kind: RayService
metadata: {name: ray}
spec:
  serveConfigV2: |
    applications:
    - args:
"""


def test_ray_serves_as_many_replicas_on_the_card_that_its_configuration_says(made: Make) -> None:
    text, request, _ = made(f"""{RAY}
        llm_configs:
        - model_loading_config: {{model_id: qwen2.5-7b, model_source: Qwen/Qwen2.5-7B-Instruct}}
          accelerator_type: A100-80G
          deployment_config: {{num_replicas: 3}}
          engine_kwargs: {{tool_call_parser: hermes, seed: 1}}
          lora_config: {{max_num_adapters_per_replica: 4}}
""")
    told = request.models[0].settings
    assert (told.replicas.min, told.accelerators, told.tool_call_parser) == (3, ("a100-80gb",), "hermes")
    assert "not carried over: seed, lora_config" in text
    assert "clients that use the model name `qwen2.5-7b` must switch" in text


def test_decode_of_ray_says_the_settings_and_prefill_is_named(made: Make) -> None:
    config = "model_loading_config: {model_id: Qwen/Qwen3-8B}, engine_kwargs"
    pair = f"prefill_config: {{{config}: {{}}}}\n        decode_config: {{{config}: {{max_model_len: 2048}}}}"
    text, request, _ = made(f"{RAY}        {pair}\n")
    assert [(model.id, model.settings.context) for model in request.models] == [("Qwen/Qwen3-8B", 2048)]
    assert "not carried over: prefill_config" in text


@pytest.mark.parametrize(
    ("config", "why", "guess"),
    [
        ("./chat.yaml", "a model is configured in `./chat.yaml`, which is not in these files", None),
        (
            "{model_loading_config: {model_id: Qwen/Qwen3-8B, model_source: {bucket_uri: 's3://acme/qwen'}}}",
            "`RayService` loads `Qwen/Qwen3-8B` from `s3://acme/qwen`, which is not the Hub",
            "Qwen/Qwen3-8B",
        ),
    ],
)
def test_a_model_of_ray_that_is_elsewhere_is_named(
    tmp_path: Path, config: str, why: str, guess: str | None
) -> None:
    (tmp_path / "ray.yaml").write_text(f"{RAY}        llm_configs:\n        - {config}\n")
    (unknown,) = read_manifests([str(tmp_path / "ray.yaml")]).unknown
    assert (unknown.why, unknown.guess) == (why, guess)


def test_pods_of_ray_do_not_hide_what_its_configuration_says(tmp_path: Path) -> None:
    head = "  rayClusterConfig: {headGroupSpec: {template: {spec: {containers: [{image: rayproject/ray}]}}}}\n"
    (tmp_path / "ray.yaml").write_text(f"{RAY}        llm_configs: [./chat.yaml]\n{head}")
    (unknown,) = read_manifests([str(tmp_path / "ray.yaml")]).unknown
    assert unknown.why == "a model is configured in `./chat.yaml`, which is not in these files"


def test_an_application_of_ray_with_code_suggests_the_model_of_its_variables(tmp_path: Path) -> None:
    spec = "{runtime_env: {env_vars: {MODEL_ID: Qwen/Qwen3-8B}}}"
    (tmp_path / "ray.yaml").write_text(RAY.replace("- args:", f"- {spec}"))
    assert [each.guess for each in read_manifests([str(tmp_path / "ray.yaml")]).unknown] == ["Qwen/Qwen3-8B"]
