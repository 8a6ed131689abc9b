# SPDX-License-Identifier: Apache-2.0
"""`hubstack bench` with a tool and a kubectl that record what they are asked; tests/proof has the real one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from hubstack.files.errors import InputError
from hubstack.review.bench.load import Load, Server
from hubstack.review.bench.run import Here
from tests.support.project import copy_project

PROJECT = Path(__file__).resolve().parents[2]
MODEL = "qwen3-4b-instruct-2507"
TOOL = """#!{python}
import json, sys
words = sys.argv[1:]
if words == ["--version"]:
    print("vllm 0.33.0")
    sys.exit()
flag = lambda name: words[words.index(name) + 1]
if flag("--base-url").endswith(":1"):
    sys.exit("connection refused\\nby \\x1b[31mthe server")
count = int(flag("--num-prompts"))
result = {{
    "model_id": flag("--model"), "completed": count, "failed": 0,
    "total_input_tokens": count * int(flag("--random-input-len")),
    "total_output_tokens": count * int(flag("--random-output-len")),
    "request_throughput": 3.0 * int(flag("--max-concurrency")) ** 0.5,
    "median_ttft_ms": 50.0, "p99_ttft_ms": 90.0, "median_tpot_ms": 20.0, "p99_tpot_ms": 30.0,
}}
open(flag("--result-dir") + "/" + flag("--result-filename"), "w").write(json.dumps(result))
"""
KUBECTL = """#!{python}
import json, os, sys
from pathlib import Path
words = sys.argv[1:]
with open(r"{log}", "a") as log:
    log.write(json.dumps(words) + "\\n")
state = "{state}"
if "create" in words:
    Path(r"{log}").with_name("created.json").write_text(sys.stdin.read())
    if state == "denied":
        sys.exit("Error from server (Forbidden): jobs.batch is forbidden")
    if state == "elsewhere":
        sys.exit('error: context "gke_x" does not exist')
elif "get" in words:
    if state == "interrupted":
        os.kill(os.getppid(), 2)
    condition = "Failed" if state == "failed" else "Complete"
    print(json.dumps({{"status": {{"conditions": [{{"type": condition, "status": "True"}}]}}}}))
elif "logs" in words:
    print("Namespace(...)")
    for clients in (1, 64):
        result = {{"model_id": "m", "completed": 256, "failed": 0, "total_input_tokens": 256000,
                   "total_output_tokens": 76800, "request_throughput": 2.0 * clients ** 0.5,
                   "median_ttft_ms": 50.0, "p99_ttft_ms": 90.0, "median_tpot_ms": 20.0, "p99_tpot_ms": 30.0}}
        if clients == 1:
            result |= {{"completed": 16, "total_input_tokens": 16000, "total_output_tokens": 4800}}
        print("hubstack-bench-result: " + json.dumps(result))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    copy_project(folder, "examples/quickstart")
    return folder


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def run(project: Path, *words: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hubstack", *words]
    search = f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"]
    env = {"PATH": search, "PYTHONPATH": str(PROJECT), "COLUMNS": "200", "HOME": str(project)}
    return subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, timeout=120, check=False)


def rows(project: Path) -> list[dict[str, Any]]:
    path = project / "examples" / "quickstart" / "quickstart.measured.yaml"
    return yaml.safe_load(path.read_text())["measurements"] if path.exists() else []


def with_kubectl(project: Path, state: str = "complete") -> Path:
    text = KUBECTL.format(python=sys.executable, log=project / "kubectl.log", state=state)
    return program(project / "bin" / "kubectl", text).parent


def test_a_run_from_here_is_recorded_and_planned_with(project: Path) -> None:
    tool = program(project / "tool", TOOL.format(python=sys.executable))
    asked = ("bench", "examples/quickstart", MODEL, "--url", "http://127.0.0.1:9/v1", "--tool", str(tool))
    ended = run(project, *asked)
    assert ended.returncode == 0, ended.stderr
    assert "64 clients: 24 requests/s, a token every 20 ms, the first after 50 ms (median)" in ended.stdout
    assert [row["concurrency"] for row in rows(project)] == [1, 64]
    planned = json.loads(run(project, "explain", "examples/quickstart", MODEL, "--json").stdout)
    assert planned["model"]["performance"]["evidence"] == "measured"
    assert planned["model"]["performance"]["requests_per_second"]["value"] == 24.0
    assert "predicted without measurements" in run(project, "explain", "examples/quickstart", MODEL).stdout


def test_a_server_on_something_else_is_recorded_as_that_and_changes_no_plan(project: Path) -> None:
    tool = program(project / "tool", TOOL.format(python=sys.executable))
    asked = ("bench", "examples/quickstart", MODEL, "--url", "http://127.0.0.1:9", "--tool", str(tool))
    ended = run(project, *asked, "--accelerator", "cpu", "--json")
    assert ended.returncode == 0, ended.stderr
    assert {row["setup"]["accelerator"] for row in json.loads(ended.stdout)["measurements"]} == {"cpu"}
    planned = json.loads(run(project, "explain", "examples/quickstart", MODEL, "--json").stdout)
    assert planned["model"]["performance"]["evidence"] != "measured"


def test_a_tool_that_fails_shows_its_last_words_and_records_nothing(project: Path) -> None:
    tool = program(project / "tool", TOOL.format(python=sys.executable))
    ended = run(project, "bench", "examples/quickstart", MODEL, "--url", "http://127.0.0.1:1", "--tool", str(tool))
    assert ended.returncode == 2
    assert "connection refused" in ended.stderr
    assert "\x1b" not in ended.stderr
    assert rows(project) == []


def test_a_job_is_created_read_and_deleted(project: Path) -> None:
    ended = run(project, "bench", "examples/quickstart", MODEL, path=with_kubectl(project))
    assert ended.returncode == 0, ended.stderr
    calls = [json.loads(line) for line in (project / "kubectl.log").read_text().splitlines()]
    assert [next(w for w in call if w in {"create", "get", "logs", "delete"}) for call in calls] == [
        "create",
        "get",
        "logs",
        "delete",
    ]
    assert all(
        call[:2] == ["--context", "gke_acme-ml_us-central1_quickstart"] or call[0] == "--context" for call in calls
    )
    kinds = [each["kind"] for each in json.loads((project / "created.json").read_text())["items"]]
    assert kinds == ["NetworkPolicy", "NetworkPolicy", "Job"]
    assert [row["requests_per_second"] for row in rows(project)] == [2.0, 16.0]


@pytest.mark.parametrize(
    ("state", "message"),
    [("failed", "bench failed"), ("denied", "jobs.batch is forbidden")],
)
def test_a_job_that_fails_is_deleted_and_records_nothing(project: Path, state: str, message: str) -> None:
    ended = run(project, "bench", "examples/quickstart", MODEL, path=with_kubectl(project, state))
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "\\x0a" not in ended.stderr
    assert rows(project) == []
    assert ("delete" in (project / "kubectl.log").read_text()) == (state != "denied")


def test_a_context_that_is_missing_is_answered_with_how_to_add_it(project: Path) -> None:
    ended = run(project, "bench", "examples/quickstart", MODEL, path=with_kubectl(project, "elsewhere"))
    assert ended.returncode == 2
    lines = ended.stderr.splitlines()
    assert '    error: context "gke_x" does not exist' in lines
    assert "get-credentials" in lines[-1]


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_run_deletes_its_job(project: Path) -> None:
    ended = run(project, "bench", "examples/quickstart", MODEL, path=with_kubectl(project, "interrupted"))
    assert ended.returncode != 0
    assert "Traceback" not in ended.stderr
    assert "delete" in (project / "kubectl.log").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("qwen3-4b-instruct-2506",), f"did you mean `{MODEL}`?"),
        ((MODEL, "--accelerator", "cpu"), "--accelerator needs --url"),
        ((MODEL, "--url", "http://127.0.0.1:9", "--tool", "no-such-tool"), "the load tool is not installed here"),
        ((MODEL, "--url", "file:///etc/passwd"), "is not the address of a server"),
        ((MODEL, "--url", "http://user:hunter2@127.0.0.1:9"), "contains a user or password"),
        ((MODEL, "--url", ""), "is not the address of a server"),
        ((MODEL, "--concurrency", "0"), "--concurrency"),
    ],
    ids=["model", "accelerator", "tool", "url", "password", "empty", "concurrency"],
)
def test_bad_arguments_are_refused(project: Path, words: tuple[str, ...], message: str) -> None:
    ended = run(project, "bench", "examples/quickstart", *words)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "hunter2" not in ended.stderr + ended.stdout


def test_a_key_that_the_tool_repeats_is_not_printed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hunter2")
    said = '#!/bin/sh\necho "headers: Bearer $OPENAI_API_KEY" >&2\nexit 1\n'
    tool = program(project / "tool", said)
    server = Server(url="http://127.0.0.1:1", name="m", tokenizer="t")
    load = Load(input_tokens=1, prefix_tokens=0, output_tokens=1, concurrency=1, requests=1, seed=1)
    with pytest.raises(InputError) as caught:
        Here(server=server, command=[str(tool)], name="tool").measure([load], print)
    assert "Bearer (the value of OPENAI_API_KEY)" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_tool_that_is_no_program_and_a_result_that_is_no_text_are_errors(project: Path) -> None:
    asked = ("bench", "examples/quickstart", MODEL, "--url", "http://127.0.0.1:9", "--tool", str(project / "tool"))
    binary = f"#!{sys.executable}\nimport sys\nw = sys.argv\nopen('/'.join(w[w.index(f) + 1] for f in "
    binary += "('--result-dir', '--result-filename')), 'wb').write(b'\\xff\\xfe{')\n"
    for text, message in (("no program", "cannot be run"), (binary, "the load tool's result cannot be used")):
        program(project / "tool", text)
        ended = run(project, *asked)
        assert (ended.returncode, "Traceback" in ended.stderr) == (2, False), ended.stderr
        assert message in ended.stderr


def test_the_manifest_is_printed_and_nothing_runs(project: Path) -> None:
    ended = run(project, "bench", "examples/quickstart", MODEL, "--manifest", path=with_kubectl(project))
    assert json.loads(ended.stdout)["kind"] == "List"
    assert not (project / "kubectl.log").exists()
