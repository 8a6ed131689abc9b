# SPDX-License-Identifier: Apache-2.0
"""KServe's services are read with the runtimes and base configurations that they refer to."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hubstack.inputs.init import Found, read_manifests
from tests.inputs.init.conftest import Made

Make = Callable[..., Made]

BASES = """
apiVersion: serving.kserve.io/v1alpha1
kind: LLMInferenceServiceConfig
metadata: {name: model, namespace: kserve}
spec: {model: {uri: "hf://Qwen/Qwen3-8B", name: Qwen/Qwen3-8B}, replicas: 3}
---
apiVersion: serving.kserve.io/v1alpha1
kind: LLMInferenceServiceConfig
metadata: {name: pods, namespace: kserve}
spec:
  template:
    nodeSelector: {cloud.google.com/gke-accelerator: nvidia-l4}
    containers: [{name: main, image: vllm/vllm-openai, args: [--max-model-len=4096]}]
---
"""
RUNTIME = """
apiVersion: serving.kserve.io/v1alpha1
kind: ServingRuntime
metadata: {name: ours}
spec:
  supportedModelFormats: [{name: vLLM, autoSelect: true}]
  nodeSelector: {cloud.google.com/gke-accelerator: nvidia-l4}
  containers:
  - name: kserve-container
    image: quay.io/acme/vllm
    command: [python, -m, vllm.entrypoints.openai.api_server]
    args: [--model=/mnt/models, "--served-model-name={{.Name}}", --max-model-len=6144]
---
"""


def service(spec: str, kind: str = "InferenceService") -> str:
    version = "v1beta1" if kind == "InferenceService" else "v1alpha1"
    return f"apiVersion: serving.kserve.io/{version}\nkind: {kind}\nmetadata: {{name: chat}}\nspec: {spec}\n"


def found(folder: Path, text: str) -> Found:
    (folder / "given.yaml").write_text(text)
    return read_manifests([str(folder / "given.yaml")])


def test_a_service_is_merged_with_its_base_configurations(made: Make) -> None:
    pods = "{containers: [{name: main, args: [--max-model-len=2048]}]}"
    own = f"{{baseRefs: [{{name: model}}, {{name: pods}}], template: {pods}}}"
    _, request, _ = made(BASES + service(own, "LLMInferenceService"))
    (model,) = request.models
    assert (model.id, model.settings.replicas.min, model.settings.accelerators) == ("Qwen/Qwen3-8B", 3, ("l4",))
    assert model.settings.context == 2048, "the service's own arguments replace those of the base"


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [("{minReplicas: 2, maxReplicas: 5, wva: {hpa: {}}}", (2, 5)), ("{maxReplicas: 4, wva: {keda: {}}}", (1, 4))],
)
def test_the_scaling_of_a_service_is_its_replicas(made: Make, bounds: str, expected: tuple[int, int]) -> None:
    own = f'{{model: {{uri: "hf://Qwen/Qwen3-8B"}}, scaling: {bounds}}}'
    _, request, _ = made(service(own, "LLMInferenceService"))
    told = request.models[0].settings.replicas
    assert (told.min, told.max) == expected


def test_a_base_configuration_that_is_not_given_is_named(tmp_path: Path) -> None:
    read = found(tmp_path, service("{baseRefs: [{name: not-here}]}", "LLMInferenceService"))
    assert "the base configuration not-here, which is not in these files" in read.unknown[0].why


@pytest.mark.parametrize("runtime", ["runtime: ours, ", ""], ids=["named", "chosen by its format"])
def test_the_arguments_of_a_runtime_apply_before_those_of_the_service(made: Make, runtime: str) -> None:
    model = (
        f'{runtime}modelFormat: {{name: vLLM}}, storageUri: "hf://Qwen/Qwen3-8B", args: [--tool-call-parser=hermes]'
    )
    _, request, _ = made(RUNTIME + service(f"{{predictor: {{model: {{{model}}}}}}}"))
    (entry,) = request.models
    assert (entry.key, entry.settings.context, entry.settings.tool_call_parser) == ("chat", 6144, "hermes")
    assert entry.settings.accelerators == ("l4",)


def test_a_runtime_that_is_not_given_is_named(tmp_path: Path) -> None:
    model = 'runtime: theirs, modelFormat: {name: vLLM}, storageUri: "hf://Qwen/Qwen3-8B"'
    read = found(tmp_path, service(f"{{predictor: {{model: {{{model}}}}}}}"))
    assert "not read: the runtime theirs, which is not in these files" in read.entries[0].notes


def test_a_model_of_a_data_connection_is_named_by_its_path(tmp_path: Path) -> None:
    model = "modelFormat: {name: vLLM}, storage: {key: aws, path: models/granite}"
    (unknown,) = found(tmp_path, RUNTIME + service(f"{{predictor: {{model: {{{model}}}}}}}")).unknown
    assert "serves the path `aws:/models/granite`" in unknown.why


def test_the_only_one_of_several_storage_uris_is_the_model(made: Make) -> None:
    uris = '[{uri: "hf://Qwen/Qwen3-8B", mountPath: /mnt/models}]'
    _, request, _ = made(service(f"{{predictor: {{model: {{modelFormat: {{name: vLLM}}}}, storageUris: {uris}}}}}"))
    assert [model.id for model in request.models] == ["Qwen/Qwen3-8B"]


def test_the_old_form_of_a_predictor_is_read(made: Make) -> None:
    _, request, _ = made(service("{predictor: {huggingface: {args: [--model_id=Qwen/Qwen3-8B]}}}"))
    assert [model.id for model in request.models] == ["Qwen/Qwen3-8B"]


def test_parts_of_a_service_without_a_counterpart_are_named(tmp_path: Path) -> None:
    model = '{modelFormat: {name: vLLM}, storageUri: "hf://Qwen/Qwen3-8B"}'
    predictor = f"{{model: {model}, workerSpec: {{tensorParallelSize: 8}}, canaryTrafficPercent: 10}}"
    read = found(tmp_path, service(f"{{predictor: {predictor}, transformer: {{containers: [{{image: a}}]}}}}"))
    assert (
        "not carried over: spec.predictor.workerSpec, spec.transformer, spec.predictor.canaryTrafficPercent"
        in read.entries[0].notes
    )
