# SPDX-License-Identifier: Apache-2.0
"""Lists, templates, roles, autoscalers and overlays: the objects that `hubstack init` finds, and their replicas."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from hubstack.files.errors import InputError
from hubstack.inputs.init import Found, read_manifests
from tests.inputs.init.conftest import Made, deployment

Make = Callable[..., Made]
QWEN = "Qwen/Qwen3-8B"


def made_of(kind: str, version: str, name: str = "one", **spec: Any) -> str:
    return yaml.safe_dump({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec})


def template(*args: str, **container: Any) -> dict[str, Any]:
    """Return a pod template of one container of vLLM."""
    return {"spec": {"containers": [{"image": "vllm/vllm-openai", "args": list(args), **container}]}}


def bounds(made: Make, *texts: str) -> tuple[int, int | None]:
    """Return the replicas of the only model."""
    _, request, _ = made("---\n".join(texts))
    (model,) = request.models
    return model.settings.replicas.min, model.settings.replicas.max


def found(folder: Path, *texts: str) -> Found:
    (folder / "given.yaml").write_text("---\n".join(texts))
    return read_manifests([str(folder / "given.yaml")])


def test_the_decode_role_says_the_settings_and_the_prefill_role_is_named(made: Make) -> None:
    roles = [
        {"name": "prefill", "replicas": 4, "podTemplate": template("--model", QWEN)},
        {"name": "decode", "replicas": 2, "podTemplate": template("--model", QWEN, "--max-model-len=4096")},
    ]
    text, request, _ = made(made_of("DynamoGraphDeployment", "nvidia.com/v1beta1", components=roles))
    (model,) = request.models
    assert (model.settings.context, model.settings.replicas.min) == (4096, 2)
    assert "components.prefill serves it too, with replicas: 4" in text


def test_deployments_that_only_prefill_are_named_at_the_one_that_decodes(made: Make) -> None:
    def of_role(role: str, replicas: int) -> str:
        held = yaml.safe_load(deployment("--model", QWEN))
        held["metadata"] = {"name": role, "labels": {"llm-d.ai/role": role}}
        return yaml.safe_dump({**held, "spec": {**held["spec"], "replicas": replicas}})

    text, request, _ = made(of_role("prefill", 4) + "---\n" + of_role("decode", 2))
    assert [model.settings.replicas.min for model in request.models] == [2]
    assert "Deployment default/prefill" in text


def test_replicas_of_replicas_are_multiplied(made: Make) -> None:
    roles = [{"name": "decode", "replicas": 3, "template": template("--model", QWEN)}]
    storm = made_of(
        "StormService", "orchestration.aibrix.ai/v1alpha1", replicas=2, template={"spec": {"roles": roles}}
    )
    assert bounds(made, storm) == (6, 6)


def test_workers_of_a_ray_cluster_are_no_servers_of_their_own(tmp_path: Path) -> None:
    shell = ["/bin/bash", "-lc", "--"]
    head = template(f"$KUBERAY_GEN_RAY_START_CMD & vllm serve {QWEN}", command=shell)
    worker = template("$KUBERAY_GEN_RAY_START_CMD", command=shell)
    cluster = {"headGroupSpec": {"template": head}, "workerGroupSpecs": [{"template": worker}]}
    read = found(tmp_path, made_of("RayCluster", "ray.io/v1", **cluster))
    assert ([entry.id for entry in read.entries], read.unknown) == ([QWEN], ())


def test_pods_of_a_kind_that_run_no_known_engine_are_named_so(tmp_path: Path) -> None:
    head = {"spec": {"containers": [{"image": "rayproject/ray", "args": ["serve.py"]}]}}
    (unknown,) = found(tmp_path, made_of("RayCluster", "ray.io/v1", headGroupSpec={"template": head})).unknown
    assert unknown.why == "its pods run no known engine"


@pytest.mark.parametrize("leader", [{"containers": [{"image": "nginx"}]}, template("--model", QWEN)["spec"]])
def test_workers_of_a_set_are_read_if_their_leader_serves_nothing(tmp_path: Path, leader: dict[str, Any]) -> None:
    pods = {"size": 2, "leaderTemplate": {"spec": leader}, "workerTemplate": template("--model", QWEN)}
    read = found(tmp_path, made_of("LeaderWorkerSet", "leaderworkerset.x-k8s.io/v1", leaderWorkerTemplate=pods))
    assert ([entry.id for entry in read.entries], read.unknown, read.skipped) == ([QWEN], (), ())


@pytest.mark.parametrize(
    ("kind", "version", "spec"),
    [
        ("HorizontalPodAutoscaler", "autoscaling/v2", {"minReplicas": 2, "maxReplicas": 5}),
        ("PodAutoscaler", "autoscaling.aibrix.ai/v1alpha1", {"minReplicas": 2, "maxReplicas": 5}),
        ("ScaledObject", "keda.sh/v1alpha1", {"minReplicaCount": 2, "maxReplicaCount": 5}),
        ("HTTPScaledObject", "http.keda.sh/v1alpha1", {"replicas": {"min": 2, "max": 5}}),
    ],
)
def test_each_kind_of_autoscaler_says_the_bounds(made: Make, kind: str, version: str, spec: dict[str, Any]) -> None:
    scaler = made_of(kind, version, scaleTargetRef={"kind": "Deployment", "name": "one"}, **spec)
    assert bounds(made, deployment("--model", QWEN), scaler) == (2, 5)


def test_a_rollout_says_the_replicas_of_the_deployment_that_it_takes_over(made: Make) -> None:
    rollout = made_of(
        "Rollout", "argoproj.io/v1alpha1", replicas=2, workloadRef={"kind": "Deployment", "name": "one"}
    )
    assert bounds(made, deployment("--model", QWEN), rollout) == (2, 2)


def test_a_stopped_server_is_said_to_be_started_by_requests(tmp_path: Path) -> None:
    held = yaml.safe_load(deployment("--model", QWEN))
    held["spec"]["replicas"] = 0
    scaler = {"scaleTargetRef": {"name": "one"}, "minReplicaCount": 0, "maxReplicaCount": 1}
    stopped, scaled = yaml.safe_dump(held), made_of("ScaledObject", "keda.sh/v1alpha1", **scaler)
    assert "it is stopped" in " ".join(found(tmp_path, stopped).entries[0].notes)
    assert "it is stopped" not in " ".join(found(tmp_path, stopped, scaled).entries[0].notes)


def test_servers_of_a_job_set_are_read_with_a_note(tmp_path: Path) -> None:
    jobs = [
        {"name": name, "template": {"spec": {"template": template(script, command=["sh", "-c"])}}}
        for name, script in (("leader", f"ray start --head; vllm serve {QWEN}"), ("workers", "ray start --block"))
    ]
    read = found(tmp_path, made_of("JobSet", "jobset.x-k8s.io/v1alpha2", replicatedJobs=jobs))
    (entry,) = read.entries
    assert (entry.id, entry.role, read.unknown) == (QWEN, "replicatedJobs.leader", ())
    assert "a JobSet may end, and hubstack's servers do not" in entry.notes


@pytest.mark.parametrize("words", [("min-scale", "max-scale"), ("minScale", "maxScale")])
def test_both_names_of_the_bounds_of_knative_are_read(made: Make, words: tuple[str, str]) -> None:
    notes = {f"autoscaling.knative.dev/{word}": number for word, number in zip(words, ("1", "4"), strict=True)}
    held = {"metadata": {"annotations": notes}, **template("--model", QWEN)}
    assert bounds(made, made_of("Service", "serving.knative.dev/v1", template=held)) == (1, 4)


@pytest.mark.parametrize("nesting", ["typed", "nested", "bare"])
def test_objects_in_lists_of_any_form_are_read(made: Make, nesting: str) -> None:
    one = yaml.safe_load(deployment("--model", QWEN))
    typed = {
        "apiVersion": "apps/v1",
        "kind": "DeploymentList",
        "items": [{k: one[k] for k in ("metadata", "spec")}],
    }
    inner = {"apiVersion": "v1", "kind": "List", "items": [one]}
    nested = {"apiVersion": "v1", "kind": "List", "items": [inner]}
    _, request, _ = made(yaml.safe_dump({"typed": typed, "nested": nested, "bare": [one]}[nesting]))
    assert [model.id for model in request.models] == [QWEN]


def test_objects_of_an_openshift_template_are_read(made: Make) -> None:
    held = {
        "apiVersion": "template.openshift.io/v1",
        "kind": "Template",
        "objects": [yaml.safe_load(deployment(QWEN))],
    }
    held["objects"][0]["spec"]["template"]["spec"]["containers"][0]["command"] = ["vllm", "serve"]
    _, request, report = made(yaml.safe_dump(held))
    assert [model.id for model in request.models] == [QWEN]
    assert report[0].startswith(f"{QWEN}: Deployment default/one")


def test_templates_of_a_chart_in_a_folder_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "server.yaml").write_text("kind: Pod\nmetadata: {name: {{ .Release.Name }}}\n")
    (tmp_path / "chat.yaml").write_text(deployment("--model", QWEN))
    read = read_manifests([str(tmp_path)])
    assert [entry.id for entry in read.entries] == [QWEN]
    assert read.skipped[0].endswith(f"pass the output of `helm template`: {tmp_path}/templates/server.yaml:2")


def test_a_broken_file_in_a_folder_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "chat.yaml").write_text(deployment("--model", QWEN))
    (tmp_path / "mkdocs.yaml").write_text("a: 1\nb: !!python/name:x.y\n")
    read = read_manifests([str(tmp_path)])
    assert [entry.id for entry in read.entries] == [QWEN]
    (unknown,) = read.unknown
    assert (unknown.origin, unknown.why[:21]) == (f"{tmp_path}/mkdocs.yaml:2", "the file is not read:")


def test_a_broken_file_that_is_named_is_refused(tmp_path: Path) -> None:
    (tmp_path / "chat.yaml").write_text("a: !!python/name:x.y\n")
    with pytest.raises(InputError):
        read_manifests([str(tmp_path / "chat.yaml")])


class TestOverlays:
    def write(self, folder: Path, files: dict[str, Any]) -> Found:
        for name, held in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(held if isinstance(held, str) else yaml.safe_dump(held))
        return read_manifests([str(folder)])

    @pytest.mark.parametrize(
        "patch",
        [
            {"patches": [{"path": "patch.yaml", "target": {"kind": "Deployment"}}]},
            {"patchesStrategicMerge": ["patch.yaml"]},
        ],
    )
    def test_a_patch_is_no_server_and_its_target_is_in_doubt(self, tmp_path: Path, patch: dict[str, Any]) -> None:
        read = self.write(
            tmp_path,
            {
                "base/kustomization.yaml": {"resources": ["one.yaml"]},
                "base/one.yaml": deployment("--model", QWEN),
                "over/kustomization.yaml": {"resources": ["../base"], **patch},
                "over/patch.yaml": deployment("--model", "Qwen/Qwen3-32B"),
            },
        )
        assert [entry.id for entry in read.entries] == [QWEN]
        assert f"{tmp_path}/over/kustomization.yaml changes it and is not applied" in read.entries[0].notes[-1]
        assert read.skipped == ()

    def test_a_patch_of_a_component_is_no_server(self, tmp_path: Path) -> None:
        component = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"}
        read = self.write(
            tmp_path,
            {
                "kustomization.yaml": {"resources": ["one.yaml"], "components": ["big"]},
                "one.yaml": deployment("--model", QWEN),
                "big/kustomization.yaml": {**component, "patches": [{"path": "patch.yaml"}]},
                "big/patch.yaml": deployment("--model", "Qwen/Qwen3-32B"),
            },
        )
        assert [entry.id for entry in read.entries] == [QWEN]
        assert f"{tmp_path}/kustomization.yaml changes it" in read.entries[0].notes[-1]

    def test_every_overlay_of_a_base_is_named(self, tmp_path: Path) -> None:
        over = {"resources": ["../base"], "images": [{"name": "a", "newTag": "b"}]}
        read = self.write(
            tmp_path,
            {
                "base/kustomization.yaml": {"resources": ["one.yaml"]},
                "base/one.yaml": deployment("--model", QWEN),
                "dev/kustomization.yaml": over,
                "prod/kustomization.yaml": over,
            },
        )
        note = read.entries[0].notes[-1]
        assert f"{tmp_path}/dev/kustomization.yaml, {tmp_path}/prod/kustomization.yaml change it" in note
        assert len(read.unknown) == 2, "the base changes nothing, and its files are read"

    def test_a_kustomization_that_takes_files_from_elsewhere_is_named(self, tmp_path: Path) -> None:
        files = {"kustomization.yaml": {"resources": ["one.yaml", "github.com/acme/models//base?ref=v1"]}}
        read = self.write(tmp_path, {**files, "one.yaml": deployment("--model", QWEN)})
        assert [each.origin for each in read.unknown] == [f"Kustomization, {tmp_path}/kustomization.yaml:1"]
