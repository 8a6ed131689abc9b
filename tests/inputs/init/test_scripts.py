# SPDX-License-Identifier: Apache-2.0
"""What `hubstack init` reads of scripts: branches, functions, files, nested shells, downloads, other engines."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from hubstack.inputs.init import Found, read_manifests
from tests.inputs.init.conftest import Made, deployment

Make = Callable[..., Made]
QWEN = "Qwen/Qwen3-8B"


def script(text: str, **container: Any) -> str:
    return deployment(command=["/bin/bash", "-c", text], **container)


def pod(*documents: str, **spec: Any) -> str:
    """Return a Deployment with more in its pod spec, and further documents."""
    first = yaml.safe_load(documents[0])
    first["spec"]["template"]["spec"] |= spec
    return "---\n".join([yaml.safe_dump(first), *documents[1:]])


def config_map(**data: str) -> str:
    return yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data})


def found(tmp_path: Path, text: str) -> Found:
    path = tmp_path / "given.yaml"
    path.write_text(text)
    return read_manifests([str(path)])


@pytest.mark.parametrize(
    "text",
    [
        'if [ "$BIG" = 1 ]; then\n  vllm serve Qwen/Qwen3-32B\nelse\n  vllm serve Qwen/Qwen3-8B\nfi',
        "case $SIZE in\n  l|xl) exec vllm serve Qwen/Qwen3-32B ;;\n  *) exec vllm serve Qwen/Qwen3-8B ;;\nesac",
        '[ -n "$BIG" ] && vllm serve Qwen/Qwen3-32B || vllm serve Qwen/Qwen3-8B',
        "if test -d /big; then start() { vllm serve Qwen/Qwen3-32B; }; start; fi\nvllm serve Qwen/Qwen3-8B",
    ],
)
def test_models_of_which_a_condition_starts_one_are_named_and_none_is_chosen(tmp_path: Path, text: str) -> None:
    read = found(tmp_path, script(text))
    assert read.entries == ()
    assert [each.guess for each in read.unknown] == ["Qwen/Qwen3-32B", QWEN]
    assert {each.why for each in read.unknown} == {
        "a condition of its script starts `Qwen/Qwen3-32B` or `Qwen/Qwen3-8B`"
    }


def test_a_variable_that_a_condition_sets_is_not_known(tmp_path: Path) -> None:
    text = "MODEL=Qwen/Qwen3-8B\nif [ $BIG ]; then MODEL=Qwen/Qwen3-32B; fi\nvllm serve $MODEL"
    (unknown,) = found(tmp_path, script(text)).unknown
    assert unknown.why == "vLLM serves `$MODEL`, whose value is not in these files"


def test_servers_beside_each_other_are_all_listed(made: Make) -> None:
    _, request, _ = made(script(f"vllm serve {QWEN} --port 8000 &\nvllm serve BAAI/bge-m3 --port 8001 &\nwait -n"))
    assert {model.id for model in request.models} == {QWEN, "BAAI/bge-m3"}


START = """set -euo pipefail
MODEL=${MODEL:-Qwen/Qwen3-8B}
exec vllm serve "$MODEL" --max-model-len 4096 "$@"
"""


@pytest.mark.parametrize(
    "text",
    [
        "cat > /tmp/t.jinja <<'EOF'\n{{ it's }} don't\nEOF\nvllm serve Qwen/Qwen3-8B --max-model-len 4096",
        "cat <<-EOF >/tmp/c.yaml\nmodel: Qwen/Qwen3-8B\nmax_model_len: 4096\nEOF\nvllm serve --config /tmp/c.yaml",
        'start() {\n  vllm serve "$1" --max-model-len "$2"\n}\nstart Qwen/Qwen3-8B 4096',
        "ARGS=(--model Qwen/Qwen3-8B # don't\n --max-model-len 4096)\nexec vllm serve ${ARGS[@]}",
        "ARGS=(Qwen/Qwen3-8B)\nARGS+=(--max-model-len 4096)\nvllm serve ${ARGS[@]}",
        "ARGS='--max-model-len 4096'\nARGS+=\" --enforce-eager\"\nvllm serve Qwen/Qwen3-8B $ARGS",
        'exec su vllm -c "vllm serve Qwen/Qwen3-8B --max-model-len 4096"',
        "bash -lc 'source /opt/venv/bin/activate && vllm serve Qwen/Qwen3-8B --max-model-len 4096'",
        "(vllm serve Qwen/Qwen3-8B --max-model-len 4096)",
        "vllm serve Qwen/Qwen3-8B --max-model-len 4096 || vllm serve Qwen/Qwen3-8B --max-model-len 1024",
        "while true; do vllm serve Qwen/Qwen3-8B --max-model-len 4096; sleep 5; done",
        "export MODEL=${MODEL:=Qwen/Qwen3-8B}; vllm serve ${MODEL:?missing} --max-model-len 4096",
        f"cat > /tmp/start.sh <<'EOF'\n{START}EOF\nbash /tmp/start.sh --enable-lora",
    ],
)
def test_the_shapes_of_shells_are_read(made: Make, text: str) -> None:
    _, request, _ = made(script(text))
    assert [(model.id, model.settings.context) for model in request.models] == [(QWEN, 4096)]


def test_a_dollar_in_single_quotes_is_no_variable(tmp_path: Path) -> None:
    read = found(tmp_path, script("vllm serve '$MODEL'", env=[{"name": "MODEL", "value": QWEN}]))
    assert (read.entries, len(read.unknown)) == ((), 1)


@pytest.mark.parametrize(
    "container",
    [
        {"args": ["--config", "/conf/vllm.yaml"]},
        {"command": ["bash", "/conf/start.sh"]},
        {"command": ["/conf/start.sh"]},
        {"command": ["sh", "-c"], "args": ["vllm serve $(cat /conf/name) --max-model-len 4096"]},
    ],
)
def test_files_of_config_maps_are_read_where_they_are_mounted(made: Make, container: dict[str, Any]) -> None:
    files = {
        "vllm.yaml": f"model: {QWEN}\nmax-model-len: 4096\nenforce-eager: false\n",
        "start.sh": f"#!/bin/bash\n{START}",
        "name": f"{QWEN}\n",
    }
    mounts = [{"name": "v", "mountPath": "/conf"}]
    text = pod(
        deployment(volumeMounts=mounts, **container),
        config_map(**files),
        volumes=[{"name": "v", "configMap": {"name": "c"}}],
    )
    _, request, _ = made(text)
    assert [(model.id, model.settings.context) for model in request.models] == [(QWEN, 4096)]


def test_flags_in_a_file_that_is_not_there_are_named(tmp_path: Path) -> None:
    (unknown,) = found(tmp_path, deployment("--config", "/conf/vllm.yaml")).unknown
    assert unknown.why == "the flags of vLLM are in `/conf/vllm.yaml`, which is not in these files"
    (entry,) = found(tmp_path, deployment("--model", QWEN, "--config", "/conf/vllm.yaml")).entries
    assert "not read: the flags in `/conf/vllm.yaml`, which is not in these files" in entry.notes


@pytest.mark.parametrize(
    "command",
    [
        ["hf", "download", "--revision", "abc", QWEN, "--local-dir", "/m/q"],
        [
            "sh",
            "-c",
            f"pip install -q x; huggingface-cli download --revision=abc --local-dir=/m/q {QWEN} || exit 1",
        ],
        [
            "sh",
            "-c",
            f"git lfs install && git clone -b abc --depth 1 https://u:hf_x@huggingface.co/{QWEN}.git /m/q",
        ],
        ["python", "-c", f'snapshot_download(\n  repo_id="{QWEN}", revision="abc",\n  local_dir="/m/q")'],
        ["sh", "-c", f"python3 - <<'EOF'\nsnapshot_download('{QWEN}', revision='abc', local_dir='/m/q')\nEOF\n"],
    ],
)
def test_the_path_of_a_download_is_the_model_that_was_downloaded(made: Make, command: list[str]) -> None:
    """The volume is mounted elsewhere in the server."""
    get = {"name": "get", "image": "x", "command": command, "volumeMounts": [{"name": "v", "mountPath": "/m"}]}
    serve = deployment("--model", "/models/q", volumeMounts=[{"name": "v", "mountPath": "/models"}])
    _, request, _ = made(pod(serve, initContainers=[get]))
    assert [(model.id, model.revision) for model in request.models] == [(QWEN, "abc")]


def test_a_path_that_aibrix_fills_is_its_repository(made: Make) -> None:
    told = ["--model-uri", QWEN, "--local-dir", "/m/", "--model-name", "q"]
    mounted = [{"name": "v", "mountPath": "/m"}]
    get = {"name": "get", "command": ["python", "-m", "aibrix.downloader", *told], "volumeMounts": mounted}
    _, request, _ = made(pod(deployment("--model", "/m/q", volumeMounts=mounted), initContainers=[get]))
    assert [model.id for model in request.models] == [QWEN]


@pytest.mark.parametrize(
    "command",
    [
        "[ -f /m/q.gguf ] || curl -fLo /m/q.gguf https://huggingface.co/Qwen/Qwen3-8B-GGUF/resolve/main/Q4.gguf?download=true",
        "wget -O /m/q.gguf 'https://huggingface.co/Qwen/Qwen3-8B-GGUF/resolve/main/Q4.gguf'",
        "aria2c -x 8 -d /m -o q.gguf https://huggingface.co/Qwen/Qwen3-8B-GGUF/resolve/main/Q4.gguf",
    ],
)
def test_a_file_that_is_fetched_by_its_address_is_that_file_of_the_repository(made: Make, command: str) -> None:
    get = {"name": "get", "image": "x", "command": ["sh", "-c", command]}
    _, request, _ = made(pod(deployment("-m", "/m/q.gguf", image="ggml-org/llama.cpp"), initContainers=[get]))
    assert [(model.id, model.settings.file) for model in request.models] == [("Qwen/Qwen3-8B-GGUF", "Q4.gguf")]


def test_a_download_to_another_path_is_only_a_guess(tmp_path: Path) -> None:
    get = {"name": "get", "image": "x", "command": ["hf", "download", QWEN, "--local-dir", "/elsewhere"]}
    read = found(tmp_path, pod(deployment("--model", "/m"), initContainers=[get]))
    assert (read.entries, [each.guess for each in read.unknown]) == ((), [QWEN])


@pytest.mark.parametrize(
    ("image", "command", "note"),
    [
        ("openmmlab/lmdeploy", ["lmdeploy", "serve", "api_server", QWEN, "--session-len", "4096"], "LMDeploy"),
        ("nvcr.io/nvidia/tensorrt-llm/release", ["trtllm-serve", QWEN, "--max_seq_len", "4096"], "TensorRT-LLM"),
        (
            "nvcr.io/nvidia/tensorrt-llm/release",
            ["trtllm-serve", "serve", QWEN, "--max_seq_len=4096"],
            "TensorRT-LLM",
        ),
    ],
)
def test_engines_that_hubstack_does_not_run_are_read_and_said(
    made: Make, image: str, command: list[str], note: str
) -> None:
    text, request, _ = made(deployment(image=image, command=command))
    assert [(model.id, model.settings.context) for model in request.models] == [(QWEN, 4096)]
    assert f"hubstack does not run {note}" in text


def test_only_models_of_the_hub_are_read_of_ollama(tmp_path: Path) -> None:
    text = "ollama serve & sleep 5; ollama pull hf.co/bartowski/Q-GGUF:Q4_K_M; ollama pull llama3.1; wait"
    hook = {"postStart": {"exec": {"command": ["sh", "-c", "ollama pull qwen3:8b"]}}}
    read = found(tmp_path, script(text, image="ollama/ollama", lifecycle=hook))
    assert [(each.id, each.settings["file"].value) for each in read.entries] == [
        ("bartowski/Q-GGUF", "*Q4_K_M*.gguf")
    ]
    assert [each.why for each in read.unknown] == [
        "Ollama serves `llama3.1:latest` of its own library",
        "Ollama serves `qwen3:8b` of its own library",
    ]


def test_scripts_that_start_each_other_without_end_are_read_to_a_bound(tmp_path: Path) -> None:
    calls = "; ".join(["f"] * 50)
    read = found(tmp_path, script(f"f() {{ {calls}; }}\nf\nvllm serve {QWEN}"))
    assert [each.id for each in read.entries] == [QWEN]


@pytest.mark.parametrize("piece", ["f() {\n", "${A:-", "A=(", "cat <<EOF\n", "$(", ">a "])
def test_a_script_that_never_closes_what_it_opens_is_read_or_named(tmp_path: Path, piece: str) -> None:
    """Each was once searched for its end as often as it begins."""
    read = found(tmp_path, script(piece * 40_000 + f"\nvllm serve {QWEN}"))
    assert len(read.entries) + len(read.unknown) >= 1
