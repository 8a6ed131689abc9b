# SPDX-License-Identifier: Apache-2.0
"""What `hubstack init` reads in manifests of servers that run already."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from hubstack.inputs.init import read_manifests
from hubstack.inputs.models_schema import DEFAULT_CONTEXT, Lora, Speculative
from hubstack.kinds import CapacityKind, EngineKind
from tests.inputs.init.conftest import MANIFESTS, Made, deployment

Make = Callable[..., Made]
NGRAM = Speculative(method="ngram", tokens=5)


def test_a_deployment_of_vllm_becomes_an_entry_with_what_the_list_can_say(made: Make) -> None:
    text, request, _ = made(MANIFESTS / "vllm.yaml")
    (model,) = request.models
    assert (model.key, model.id, model.settings.context) == ("gemma", "google/gemma-3-27b-it", 32768)
    assert model.settings.accelerators == ("l4",)
    assert (model.settings.replicas.min, model.settings.replicas.max) == (3, 3)
    assert [step.kind for step in model.settings.capacity] == [CapacityKind.SPOT]
    assert "# Deployment chat/gemma-server, " in text
    lines = (MANIFESTS / "vllm.yaml").read_text().splitlines()
    place = next(i for i, line in enumerate(lines, start=1) if "--max-model-len" in line)
    assert f"context: 32768 # --max-model-len, line {place}" in text, "a person can go and look"


def test_what_the_list_cannot_say_is_told_and_what_hubstack_computes_is_told_apart(made: Make) -> None:
    text, request, report = made(MANIFESTS / "vllm.yaml")
    said = " ".join(text.replace("#", " ").split())
    ours = "--tensor-parallel-size 8, --max-num-seqs 4, --gpu-memory-utilization 0.95, 8 nvidia.com/gpu"
    assert f"set by hubstack: {ours}" in said
    assert "not carried over: --quantization awq" in said
    assert "not carried over (values are never copied): LD_LIBRARY_PATH" in said
    assert "pulumi config set --secret hubstack:hfToken" in said
    assert request.models[0].settings.concurrency == 2, (
        "--max-num-seqs bounds a batch; `concurrency` is room for full sequences"
    )
    assert any("--quantization awq" in line for line in report), "the terminal says it too"


def test_a_model_is_found_in_the_script_of_a_shell(made: Make) -> None:
    _, request, _ = made(MANIFESTS / "shell.yaml")
    by_id = {model.id: model for model in request.models}
    small = by_id["mistralai/Mistral-7B-Instruct-v0.3"]
    assert (small.settings.trust_remote_code, small.settings.context) == (True, 8000), "vLLM reads `8k` as 8000"
    large = by_id["meta-llama/Llama-3.1-405B-Instruct"]
    assert (large.revision, large.settings.accelerators, large.settings.replicas.min) == ("v1.0", ("h100-80gb",), 2)
    assert len(request.models) == 2, "the workers of a group are no model of their own"


def test_the_other_engines_and_kserve_are_read(made: Make) -> None:
    text, request, _ = made(MANIFESTS / "others.yaml")
    got = {
        m.id: (
            m.settings.engine_kind,
            m.settings.context,
            m.revision,
            m.settings.replicas.min,
            m.settings.replicas.max,
        )
        for m in request.models
    }
    assert got == {
        "meta-llama/Llama-3.3-70B-Instruct": (None, 4096, "main", 1, 1),
        "BAAI/bge-m3": (EngineKind.TEI, None, "refs/pr/5", 2, 2),
        "Qwen/Qwen3-8B": (EngineKind.SGLANG, 16384, "main", 1, 1),
        "ggml-org/gemma-3-1b-it-GGUF": (EngineKind.LLAMA_CPP, 4096, "main", 1, 1),
        "google-bert/bert-base-uncased": (None, 512, "main", 0, 3),
        "Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8": (None, 65536, "main", 3, 3),
    }
    keys = {m.id: m for m in request.models}
    assert keys["google-bert/bert-base-uncased"].key == "bert", "clients go on asking for this name"
    assert keys["Qwen/Qwen3-8B"].settings.accelerators == ("l4", "a100-80gb")
    assert keys["Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8"].settings.tool_call_parser == "qwen3_coder"
    assert "hubstack does not support TGI" in text
    assert "the quantization Q4_K_M" in text


def test_a_model_of_which_nobody_says_the_id_is_named_with_its_place_and_never_dropped(made: Make) -> None:
    text, request, report = made(MANIFESTS / "unknown.yaml", MANIFESTS / "vllm.yaml")
    assert [m.id for m in request.models] == ["google/gemma-3-27b-it"]
    said = "\n".join(report)
    for origin, why in (
        ("unknown.yaml:17", "the path `/data/Llama-3.1-8B-Instruct`"),
        ("unknown.yaml:27", "`$(MODEL)`, whose value is not in these files"),
        ("unknown.yaml:37", "the path `gs://bucket/llama`"),
        ("Job default/batch", "it runs to completion"),
        ("Deployment default/triton", "Triton has no model argument"),
        ("Deployment default/own", "it requests accelerators but runs no known engine"),
        ("Deployment default/unclosed", "an unclosed quote"),
    ):
        assert any(origin in line and why in line for line in report), f"{origin}\n{said}"
        assert why.split("`")[0].split(",")[0] in " ".join(text.replace("#", " ").split()), "the list keeps it too"
    assert "  # - id: unsloth/Llama-3.1-8B-Instruct" in text
    assert "no model server found in Deployment kube-system/coredns" in said


def test_a_cached_folder_of_the_hub_and_a_bucket_by_owner_suggest_an_id(made: Make) -> None:
    cached = "/root/.cache/huggingface/hub/models--Qwen--Qwen3-8B/snapshots/abc"
    docs = [deployment("--model", path) for path in (cached, "/gcs/google/gemma-3-1b-it", "/mnt/models/foo")]
    text, _, _ = made("---\n".join([*docs, deployment("--model", "Qwen/Qwen3-4B")]))
    assert [line for line in text.splitlines() if "# - id" in line] == [
        "  # - id: Qwen/Qwen3-8B",
        "  # - id: google/gemma-3-1b-it",
    ]


def test_a_variable_that_names_the_model_suggests_an_id_before_its_path(made: Make) -> None:
    env = [{"name": "MODEL_ID", "value": "meta-llama/Meta-Llama-3-8B"}]
    text, _, _ = made(
        deployment("--model=gs://acme/llama3/llama3-8b-hf", env=env)
        + "---\n"
        + deployment("--model", "Qwen/Qwen3-4B")
    )
    assert [line for line in text.splitlines() if "# - id" in line] == ["  # - id: meta-llama/Meta-Llama-3-8B"]


SECRETS = ("hf_AbCdEfGhIjKlMnOpQrStUvWx", "sk-live-1234567890", "hunter2", "4815162342", "wJalrXUtnFEMI")


def test_no_secret_of_a_manifest_reaches_the_list_or_the_report(made: Make) -> None:
    secret, key, word, number, aws = SECRETS
    text, _, report = made(
        deployment(
            "--model",
            "Qwen/Qwen3-8B",
            "--api-key",
            key,
            f"--hf-token={secret}",
            "--tokenizer",
            word,
            "--auth-pin",
            number,
            f"-p{word}",
            "--middleware",
            f"x:{aws}",
            word,
            env=[
                {"name": "HF_TOKEN", "value": secret},
                {"name": "VLLM_API_KEY", "value": key},
                {"name": "AWS_SECRET_ACCESS_KEY", "value": aws},
            ],
        )
        + "---\n"
        + deployment("--model", f"https://user:{word}@example.com/m?token={key}").replace("one", "two")
        + "---\n"
        + yaml.safe_dump(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"MODEL": secret}}
        )
        + "---\n"
        + deployment("--model", "$(MODEL)", envFrom=[{"secretRef": {"name": "s"}}])
    )
    for value in SECRETS:
        assert value not in text, "the list is committed"
        assert value not in "\n".join(report), "the report stands in a log of CI"
    assert "--api-key (value not shown)" in text
    assert "VLLM_API_KEY" in text


def test_a_broken_manifest_does_not_show_the_line_which_may_hold_a_secret(made: Make) -> None:
    with pytest.raises(Exception, match=r"given\.yaml:3:\d+") as caught:
        made(f"apiVersion: v1\nkind: Secret\ntoken: {SECRETS[0]}: x\n")
    assert SECRETS[0] not in str(caught.value)


def test_autoscalers_say_the_bounds(made: Make) -> None:
    scaled = {"kind": "Deployment", "name": "one"}
    hpa = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h"},
        "spec": {"scaleTargetRef": scaled, "maxReplicas": 6},
    }
    keda = {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": "k"},
        "spec": {"scaleTargetRef": {"name": "one"}, "maxReplicaCount": 4},
    }
    for scaler, bounds in ((hpa, (1, 6)), (keda, (0, 4))):
        _, request, _ = made(deployment("--model", "Qwen/Qwen3-8B") + "---\n" + yaml.safe_dump(scaler))
        assert (request.models[0].settings.replicas.min, request.models[0].settings.replicas.max) == bounds


def test_variables_come_from_config_maps_that_are_given(made: Make) -> None:
    maps = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"ID": "Qwen/Qwen3-8B"}}
    for container in (
        {"envFrom": [{"configMapRef": {"name": "c"}}]},
        {"env": [{"name": "ID", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "ID"}}}]},
    ):
        _, request, _ = made(deployment("--model=$(ID)", **container) + "---\n" + yaml.safe_dump(maps))
        assert [m.id for m in request.models] == ["Qwen/Qwen3-8B"]


@pytest.mark.parametrize(
    ("args", "setting", "value"),
    [
        (("--kv-cache-dtype", "fp8_e4m3"), "kv_cache_dtype", "fp8"),
        (("--kv-cache-dtype", "fp8_e5m2"), "kv_cache_dtype", "auto"),
        (("--enable-lora", "--max-loras", "4", "--max-lora-rank", "64"), "lora", Lora(slots=4, rank=64)),
        (("--enable-lora", "--max-lora-rank", "48"), "lora", None),
        (("--enable-expert-parallel",), "expert_parallel", True),
        (
            ("--speculative-config", '{"method": "ngram", "num_speculative_tokens": 5}'),
            "speculative",
            NGRAM,
        ),
        (("--speculative-config", '{"model": "x/y"}'), "speculative", None),
        (("--runner", "pooling"), "engine_kind", EngineKind.VLLM),
        (("--max-model-len", "32K"), "context", 32768),
        (("--max-model-len", "64"), "context", None),
        (("--max-model-len", "auto"), "context", None),
        (("--revision", "$UNKNOWN"), "revision", "main"),
        (("--trust-remote-code=false",), "trust_remote_code", False),
    ],
)
def test_a_flag_is_a_key_of_the_list_where_both_mean_the_same_and_a_comment_else(
    made: Make, args: tuple[str, ...], setting: str, value: object
) -> None:
    text, request, _ = made(deployment("Qwen/Qwen3-8B", *args))
    assert getattr(request.models[0].settings, setting) == value
    is_kept = f"{args[0].partition('=')[0]}, line" in text and "not carried over: " + args[0] not in text
    assert is_kept or "not carried over" in text, "nothing goes without a word"


def test_a_model_without_a_length_is_told_of_the_default(made: Make) -> None:
    text, _, _ = made(deployment("Qwen/Qwen3-8B"))
    assert f"uses the model's own limit, at most {DEFAULT_CONTEXT}" in " ".join(text.replace("#", " ").split())


def test_a_switch_before_the_model_does_not_swallow_it(made: Make) -> None:
    _, request, _ = made(deployment("--enable-prefix-caching", "Qwen/Qwen3-8B", "--port", "8000"))
    assert [m.id for m in request.models] == ["Qwen/Qwen3-8B"]


def test_models_of_one_key_get_names_of_their_own(made: Make) -> None:
    two = deployment("--model", "Qwen/Qwen3-8B", "--revision", "v2").replace("one", "two")
    text, request, _ = made("---\n".join([deployment("--model", "Qwen/Qwen3-8B"), two, two]))
    assert [m.key for m in request.models] == ["qwen-qwen3-8b", "qwen3-8b", "two"]
    assert "name: two # the key `qwen3-8b` is already in use" in text


def test_a_name_that_no_key_can_be_is_told_to_its_clients(made: Make) -> None:
    text, request, _ = made(deployment("--model", "Qwen/Qwen3-8B", "--served-model-name", "My_Model", "GPT-4"))
    assert request.models[0].key == "qwen3-8b"
    assert "clients that use the model name `My_Model`" in text


def test_pods_of_a_deployment_that_is_given_too_are_not_read_twice(made: Make) -> None:
    spec = {"containers": [{"name": "s", "image": "vllm/vllm-openai", "args": ["--model", "Qwen/Qwen3-8B"]}]}
    owner = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "one"}]
    replica = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "r", "ownerReferences": owner},
        "spec": {"template": {"spec": spec}},
    }
    _, request, _ = made(deployment("--model", "Qwen/Qwen3-8B") + "---\n" + yaml.safe_dump(replica))
    assert len(request.models) == 1


def test_json_and_folders_are_read(made: Make, project: Path) -> None:
    folder = project / "k8s"
    (folder / "deep").mkdir(parents=True)
    held = yaml.safe_load(deployment("--model", "Qwen/Qwen3-8B"))
    (folder / "deep" / "a.json").write_text(json.dumps(held, indent="\t"))
    (folder / "notes.txt").write_text("- : nothing")
    (folder / ".hidden.yaml").write_text("- : nothing")
    _, request, _ = made(folder)
    assert [m.id for m in request.models] == ["Qwen/Qwen3-8B"]


def test_comments_cannot_be_left_by_words_of_a_manifest(made: Make) -> None:
    evil = deployment("--model", "Qwen/Qwen3-8B", "--x\nmodels: []", env=[{"name": "A\nmodels: []", "value": "x"}])
    text, request, _ = made(evil.replace("one", '"a\\nmodels: []\\n"'))
    assert [m.id for m in request.models] == ["Qwen/Qwen3-8B"]
    assert text.count("\nmodels:") == 1


def test_the_files_of_a_folder_are_read_in_the_order_of_their_names() -> None:
    origins = [entry.origin.split(", ")[0] for entry in read_manifests([str(MANIFESTS)]).entries]
    assert origins[:2] == ["Deployment default/tgi", "StatefulSet default/embeddings"], "others.yaml is the first"
    assert origins[-1] == "Deployment chat/gemma-server", "vllm.yaml is the last"
