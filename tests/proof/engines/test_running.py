# SPDX-License-Identifier: Apache-2.0
"""Rendered containers on real engines: vLLM with a model that chats and one that embeds, llama.cpp with a GGUF.

Command, arguments, environment, user, volumes, read-only root, probes, preStop and grace are those that hubstack
renders for a stack locked at a stand-in of the Hub. A processor computes; limits of memory and seccomp are not
applied (proof/engines/container.py), and TEI, SGLang and TPUs are not here.
"""

import http.client
import math
import re
import threading
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hubstack.catalog.engine_metrics import ROLES, MetricType
from hubstack.kinds import EngineKind
from proof.binaries import SandboxError
from proof.engines.container import Running, running
from proof.engines.install import Engines
from tests.proof.engines.stack import ADAPTER, ADAPTER_SAYS, SAYS, TinyStack, tiny_stack
from tests.support.facts import catalog

pytestmark = [pytest.mark.proof, pytest.mark.usefixtures("namespaces")]

ENGINE = {"chat": EngineKind.VLLM, "gguf": EngineKind.LLAMA_CPP, "texts": EngineKind.VLLM}
CHAT = "/v1/chat/completions"
PREFIXES = {EngineKind.VLLM: ("vllm:", "http_requests_"), EngineKind.LLAMA_CPP: ("llamacpp:",)}
"""Of the metrics of an engine, in what is rendered."""
EVERY = pytest.mark.parametrize("server", ["chat", "gguf", "texts"], indirect=True)
CHATS = pytest.mark.parametrize("server", ["chat", "gguf"], indirect=True)
TOKENS = 1500
"""Of a long answer: it takes seconds, and is less than the models' context."""


@dataclass
class Server:
    key: str
    running: Running
    passed_at_once: bool
    """Whether a probe passed before it could have loaded."""

    @property
    def engine(self) -> EngineKind:
        return ENGINE[self.key]

    def probes(self) -> list[bool]:
        spec = self.running.container.spec
        return [self.running.passes(spec[name]) for name in ("startupProbe", "readinessProbe", "livenessProbe")]

    def chat(self, model: str = "", **more: Any) -> Any:
        return {"model": model or self.key, "messages": [{"role": "user", "content": "Hello"}], **more}


@pytest.fixture(scope="module")
def stack(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> TinyStack:
    return tiny_stack(tmp_path_factory.mktemp("stack"), engines)


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, stack: TinyStack, engines: Engines) -> Generator[Server]:
    key: str = request.param
    with running(stack.container(key), engines, stack.volumes[key]) as started:
        passed = started.passes(started.container.spec["startupProbe"])
        started.wait_started()
        yield Server(key, started, passed)


@EVERY
def test_it_starts_as_rendered_and_its_probes_pass_when_it_is_ready(server: Server) -> None:
    assert not server.passed_at_once
    assert server.probes() == [True, True, True]
    spec = server.running.container.spec
    assert server.running.command_line[-len(spec["args"]) :] == spec["args"]
    told = {each["name"]: each["value"] for each in spec["env"]}
    assert {name: server.running.environment.get(name) for name in told} == told


@EVERY
def test_it_runs_as_the_pods_user_without_privileges(server: Server) -> None:
    status, pod = server.running.status, server.running.container.pod["securityContext"]
    assert set(status["Uid"].split()) == {str(pod["runAsUser"])} != {"0"}
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"


@EVERY
def test_what_it_writes_it_may_write(server: Server) -> None:
    """It has started, answers and writes to its volume, while all but the volumes is read-only."""
    mounts = server.running.container.spec["volumeMounts"]
    volumes = {mount["mountPath"] for mount in mounts if not mount.get("readOnly")}
    system = {path for path in server.running.writable if path.startswith(("/proc", "/dev"))}
    assert server.running.writable - system == volumes
    said = catalog().engines[server.engine].image_facts.writes or ()
    for mount in mounts:
        if mount["mountPath"] in volumes:
            written = [path for path in (server.running.volumes / mount["name"]).rglob("*") if path.is_file()]
            assert bool(written) is (mount["mountPath"] in said), written
    log = server.running.log.read_text(errors="replace")
    assert not re.findall(r".*(?:Read-only file system|Permission denied|Errno 13|Errno 30).*", log)


@EVERY
def test_it_answers_under_every_name_with_what_its_weights_say(server: Server) -> None:
    listed = server.running.get("/v1/models").json["data"]
    assert f"tiny/{server.key}" in [model["id"] for model in listed]
    # It has no setting for this (docs/concepts/gateway.md).
    own = [model for model in listed if model["id"] != ADAPTER]
    assert {model.get("root") for model in own} == {"/weights" if server.engine is EngineKind.VLLM else None}
    if server.key == "texts":
        assert_embeds(server)
        return
    for name in (server.key, f"tiny/{server.key}"):
        answer = server.running.post(CHAT, server.chat(name))
        assert answer.status == 200, answer.body
        assert answer.json["choices"][0]["message"]["content"] == SAYS[server.key]


@pytest.mark.parametrize("server", ["chat"], indirect=True)
def test_an_adapter_answers_under_its_name_and_the_model_under_its_own(server: Server) -> None:
    listed = {model["id"]: model for model in server.running.get("/v1/models").json["data"]}
    assert listed[ADAPTER]["root"].startswith("/companions/")
    assert listed[ADAPTER]["parent"] == "tiny/chat"
    said = {}
    for name in ("chat", ADAPTER, "chat"):
        answer = server.running.post(CHAT, server.chat(name))
        assert answer.status == 200, answer.body
        said[name] = answer.json["choices"][0]["message"]["content"]
    assert said == {"chat": SAYS["chat"], ADAPTER: ADAPTER_SAYS}
    assert server.running.post(CHAT, server.chat("another-adapter")).status == 404
    assert server.running.post("/v1/load_lora_adapter", {"lora_name": "x", "lora_path": "/tmp"}).status == 404  # noqa: S108


@CHATS
def test_it_streams(server: Server) -> None:
    events = list(server.running.stream(CHAT, server.chat(stream=True)))
    parts = [event["choices"][0]["delta"].get("content") or "" for event in events if event["choices"]]
    assert "".join(parts) == SAYS[server.key]
    assert len([part for part in parts if part]) > 1


def assert_embeds(server: Server) -> None:
    texts = ["A cat sits on the mat.", "A kitten rests on a rug.", "Quarterly revenue rose by four percent."]
    for name in (server.key, f"tiny/{server.key}"):
        answer = server.running.post("/v1/embeddings", {"model": name, "input": texts})
        assert answer.status == 200, answer.body
        cat, kitten, money = (row["embedding"] for row in answer.json["data"])
        assert len(cat) == 384
        assert near(cat, kitten) > 0.4 > near(cat, money)


def near(one: Sequence[float], other: Sequence[float]) -> float:
    product = sum(a * b for a, b in zip(one, other, strict=True))
    return product / math.sqrt(sum(a * a for a in one) * sum(b * b for b in other))


def collected(server: Server, stack: TinyStack) -> str:
    """Return what the collector keeps of a server's metrics: PodMonitoring's port, path and drop rules."""
    (endpoint,) = stack.read("kubernetes/namespaces/models/podmonitoring-servers.yaml")["spec"]["endpoints"]
    (port,) = server.running.container.spec["ports"]
    assert endpoint["port"] == port["name"]
    answer = server.running.get(endpoint["path"])
    assert answer.status == 200
    kept = answer.body.splitlines()
    for rule in endpoint["metricRelabeling"]:
        assert (rule["action"], rule["sourceLabels"]) == ("drop", ["__name__"])
        kept = [line for line in kept if not re.fullmatch(rule["regex"], re.split(r"[{ ]", line)[0])]
    return "\n".join(kept)


def series_of(text: str) -> set[str]:
    return set(re.findall(r"^([a-zA-Z_:][\w:]*)[{ ]", text, re.MULTILINE))


@EVERY
def test_every_metric_of_the_catalogue_is_exposed_with_its_type_labels_and_buckets(
    server: Server, stack: TinyStack
) -> None:
    text, known = collected(server, stack), catalog().engine_metrics[server.engine]
    families = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    for metric in (getattr(known, role) for role in ROLES if role not in known.absent):
        # A Python client names a counter's family without its suffix in one format, with it in the other.
        assert families.get(metric.name, families.get(metric.name.removesuffix("_total"))) == metric.type, metric
        if metric.type is MetricType.HISTOGRAM:
            bounds = re.findall(rf'^{metric.name}_bucket{{.*le="([^"]+)"', text, re.MULTILINE)
            assert tuple(sorted({float(bound) for bound in bounds} - {math.inf})) == metric.buckets
        else:
            lines = re.findall(rf"^{metric.name}[{{ ].*", text, re.MULTILINE)
            assert lines
            for label in re.findall(r'(\w+)[!=~]+"', metric.where):
                assert any(f'{label}="' in line for line in lines), f"no series of {metric.name} has {label}"


@EVERY
def test_every_metric_that_scaling_dashboards_and_alerts_ask_for_is_collected(
    server: Server, stack: TinyStack
) -> None:
    rendered = "\n".join(path.read_text() for path in sorted(stack.rendered.rglob("*.yaml")))
    asked = set(re.findall(r"([a-z_]+:?[a-z_]+)\{", rendered))
    asked = {name for name in asked if name.startswith(PREFIXES[server.engine])}
    assert len(asked) >= 3
    assert asked <= series_of(collected(server, stack))


@EVERY
def test_the_tests_clone_is_not_writable_for_a_container(server: Server, engines: Engines) -> None:
    assert not {path for path in server.running.writable if Path(path).is_relative_to(engines.folder)}


class Answering(threading.Thread):
    """A long answer, streamed or whole."""

    def __init__(self, server: Server, *, is_streamed: bool) -> None:
        super().__init__(daemon=True)
        self._server, self._is_streamed = server, is_streamed
        self.tokens, self.reason, self.ended = 0, "", 0.0
        self.error: Exception | None = None
        self.begun = threading.Event()

    def run(self) -> None:
        try:
            self._ask()
        except (OSError, http.client.HTTPException, SandboxError) as error:
            self.error = error
        self.ended = time.monotonic()

    def _ask(self) -> None:
        body = self._server.chat(max_tokens=TOKENS, ignore_eos=True)
        if not self._is_streamed:
            self.begun.set()
            answer = self._server.running.post(CHAT, body).json
            self.reason, self.tokens = answer["choices"][0]["finish_reason"], answer["usage"]["completion_tokens"]
            return
        more = {"stream": True, "stream_options": {"include_usage": True}}
        for event in self._server.running.stream(CHAT, body | more):
            self.begun.set()
            if event["choices"]:
                self.reason = event["choices"][0]["finish_reason"] or self.reason
            if event.get("usage"):
                self.tokens = event["usage"]["completion_tokens"]


def answering(server: Server) -> list[Answering]:
    """Return a streamed and a whole answer that have begun."""
    answers = [Answering(server, is_streamed=streamed) for streamed in (False, True)]
    for each in answers:
        each.start()
        assert each.begun.wait(60)
    return answers


def assert_whole(answers: list[Answering], seconds: float) -> None:
    for each in answers:
        each.join(seconds)
        assert (each.error, each.reason, each.tokens) == (None, "length", TOKENS)


@EVERY
def test_a_deleted_pod_ends_its_answers_and_then_itself(server: Server) -> None:
    """As the kubelet does it: the preStop hook, SIGTERM, and SIGKILL only after the grace."""
    container = server.running.container
    left = container.grace_seconds - container.pre_stop_seconds
    if server.key == "texts":
        time.sleep(1)
        server.running.terminate()
        assert server.running.wait_ended(left), server.running.tail()
        return
    if catalog().engines[server.engine].drains:
        time.sleep(container.pre_stop_seconds - 1)
        assert server.probes() == [True, True, True], "balancers send for some seconds more"
        answers = answering(server)
        told = time.monotonic()
        server.running.terminate()
        assert server.running.passes(container.spec["livenessProbe"]), "it would be restarted while it drains"
        assert_whole(answers, left)
        assert all(answer.ended > told for answer in answers), "an answer was over before it could be lost"
    else:
        # It would break off what it has begun, so the hook holds until the longest answer is through.
        began, answers = time.monotonic(), answering(server)
        assert_whole(answers, container.pre_stop_seconds)
        assert max(answer.ended for answer in answers) - began < container.pre_stop_seconds
        assert server.probes() == [True, True, True]
        assert server.running.post(CHAT, server.chat()).status == 200
        server.running.terminate()
    assert server.running.wait_ended(left), server.running.tail()


def test_a_broken_weight_file_ends_the_container_before_a_probe_passes(
    stack: TinyStack, engines: Engines, tmp_path: Path
) -> None:
    (whole,) = stack.volumes["gguf"]["weights"].iterdir()
    (tmp_path / whole.name).write_bytes(whole.read_bytes()[:-1000])
    with (
        running(stack.container("gguf"), engines, {"weights": tmp_path}) as started,
        pytest.raises(SandboxError, match=r"ended with code [1-9]"),
    ):
        started.wait_started()


def test_an_engine_that_does_not_drain_breaks_off_at_once(stack: TinyStack, engines: Engines) -> None:
    """Why its hook holds so long. Where this fails the catalogue's `drains` may be changed."""
    assert not catalog().engines[EngineKind.LLAMA_CPP].drains
    with running(stack.container("gguf"), engines, stack.volumes["gguf"]) as started:
        started.wait_started()
        answer = Answering(Server("gguf", started, passed_at_once=False), is_streamed=True)
        answer.start()
        assert answer.begun.wait(60)
        started.terminate()
        answer.join(5)
        assert answer.tokens == 0
