# SPDX-License-Identifier: Apache-2.0
"""Kinds, charts and other YAML that are not read are named, with each Hub ID in them; other objects are counted."""

from pathlib import Path

import pytest

from hubstack.inputs.init import Found, read_manifests
from tests.inputs.init.conftest import deployment

HEAD = "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: one}}\nspec: {spec}\n"


def found(folder: Path, version: str, kind: str, spec: str) -> Found:
    path = folder / "given.yaml"
    path.write_text(HEAD.format(version=version, kind=kind, spec=spec) + "---\n" + deployment("--model", "acme/b"))
    return read_manifests([str(path)])


ARGO, FLUX = "argoproj.io/v1alpha1", "helm.toolkit.fluxcd.io/v2"
PARAMETER = "[{name: 'modelSpec[0].modelURL', value: acme/a}]"


@pytest.mark.parametrize(
    ("version", "kind", "spec", "guess"),
    [
        (ARGO, "Application", "{source: {helm: {valuesObject: {modelSpec: [{modelURL: acme/a}]}}}}", "acme/a"),
        (ARGO, "Application", f"{{source: {{helm: {{parameters: {PARAMETER}}}}}}}", "acme/a"),
        (ARGO, "Application", "{source: {chart: vllm-stack, helm: {valueFiles: [prod.yaml]}}}", None),
        (ARGO, "Application", "{sources: [{path: apps/llm/overlays/prod}]}", None),
        (ARGO, "ApplicationSet", "{template: {spec: {source: {chart: text-embeddings}}}}", None),
        (FLUX, "HelmRelease", "{values: {model: {id: acme/a}}}", "acme/a"),
        (FLUX, "HelmRelease", "{values: {image: {repository: vllm/vllm-openai}}}", None),
        (FLUX, "HelmRelease", "{chart: {spec: {chart: ollama}}, values: {}}", None),
        ("helm.cattle.io/v1", "HelmChart", '{valuesContent: "model: acme/a\\nreplicas: 1\\n"}', "acme/a"),
        ("core.oam.dev/v1beta1", "Application", "{components: [{image: vllm/vllm-openai, cmd: [x]}]}", None),
        ("workload.serving.volcano.sh/v1", "ModelBooster", '{modelURI: "hf://acme/a"}', "acme/a"),
        ("model.aibrix.ai/v1alpha1", "ModelClaim", '{artifactURL: "huggingface://acme/a"}', "acme/a"),
        ("serving.kserve.io/v1alpha1", "TrainedModel", "{model: {storageUri: s3://acme/a}}", None),
        ("ome.io/v1beta1", "InferenceService", "{model: {name: llama}}", None),
        ("acme.io/v1", "Server", "{runs: {image: x, args: [--model-id, acme/a]}}", "acme/a"),
        (
            "acme.io/v1",
            "Server",
            "{runs: {image: x, resources: {}, env: [{name: MODEL_ID, value: acme/a}]}}",
            "acme/a",
        ),
        ("acme.io/v1", "Server", "{runs: {image: x, command: [sh, -c, serve --model=acme/a]}}", "acme/a"),
    ],
)
def test_what_may_serve_a_model_is_named_with_the_id_in_it(
    tmp_path: Path, version: str, kind: str, spec: str, guess: str | None
) -> None:
    read = found(tmp_path, version, kind, spec)
    assert [(each.origin.partition(",")[0], each.guess) for each in read.unknown] == [
        (f"{kind} default/one", guess)
    ]
    assert [entry.id for entry in read.entries] == ["acme/b"]


@pytest.mark.parametrize(
    ("version", "kind", "spec"),
    [
        ("ray.io/v1", "RayJob", "{entrypoint: python infer.py --model acme/a}"),
        (
            "kubeflow.org/v1",
            "PyTorchJob",
            "{a: {template: {spec: {containers: [{image: x, args: [--model, acme/a]}]}}}}",
        ),
    ],
)
def test_the_model_of_a_job_of_another_kind_is_named(tmp_path: Path, version: str, kind: str, spec: str) -> None:
    (unknown,) = found(tmp_path, version, kind, spec).unknown
    assert (unknown.why, unknown.guess) == ("it runs to completion, and hubstack runs servers only", "acme/a")


@pytest.mark.parametrize(
    ("version", "kind", "spec", "label"),
    [
        (ARGO, "Application", "{source: {chart: prometheus}}", "Application default/one"),
        ("sparkoperator.k8s.io/v1", "SparkApplication", "{driver: {}}", "SparkApplication (sparkoperator.k8s.io)"),
    ],
)
def test_other_objects_of_unknown_kinds_are_named_in_one_sentence(
    tmp_path: Path, version: str, kind: str, spec: str, label: str
) -> None:
    read = found(tmp_path, version, kind, spec)
    assert (read.unknown, read.skipped) == ((), (f"not read, and no model found in it: {label}",))


@pytest.mark.parametrize(
    ("version", "kind", "spec"),
    [
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "{properties: {image: {type: string}, args: {}}}"),
        ("monitoring.coreos.com/v1", "ServiceMonitor", "{selector: {}}"),
        ("v1", "Service", "{ports: [{port: 80}]}"),
        ("inference.networking.x-k8s.io/v1", "InferenceModel", "{modelName: chat}"),
    ],
)
def test_objects_that_serve_no_model_are_not_named(tmp_path: Path, version: str, kind: str, spec: str) -> None:
    read = found(tmp_path, version, kind, spec)
    assert (read.unknown, read.skipped) == ((), ())


def test_the_model_that_a_kustomization_sets_is_named(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("configMapGenerator: [{name: a, literals: [MODEL_ID=acme/a]}]\n")
    assert [each.guess for each in read_manifests([str(tmp_path)]).unknown] == ["acme/a"]


def test_the_name_of_a_model_that_a_chart_downloads_is_named(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text(
        'modelArtifacts: {name: acme/a, uri: "hf://{{ .Values.modelArtifacts.name }}"}\n'
    )
    assert [each.guess for each in read_manifests([str(tmp_path)]).unknown] == ["acme/a"]


def test_each_model_of_a_values_file_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "values.yaml"
    path.write_text("modelSpec:\n- {name: a, modelURL: acme/a}\n- {name: b, modelURL: acme/b}\n")
    told = [(each.origin, each.guess) for each in read_manifests([str(path)]).unknown]
    assert told == [(f"YAML, {path}:2", "acme/a"), (f"YAML, {path}:3", "acme/b")]
