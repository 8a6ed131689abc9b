# SPDX-License-Identifier: Apache-2.0
"""What a list can name besides models of the Hub, all of it in one stack under the real engine, and a gateway with
callers in another: both are made, found again, changed as `hubstack diff` says, and gone without a trace."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from hubstack.hub.facts import FileFacts, LockedImage, ModelFacts
from hubstack.hub.lock import render_lock
from hubstack.inputs.environment import Environment
from hubstack.inputs.stack import Stack
from hubstack.planner.inputs import StackInputs
from hubstack.planner.planner import plan_inputs
from hubstack.review.diff.state import State
from hubstack.review.images.used import stack_images
from proof.engine.charts import ChartRepository
from proof.engine.engine import Done, Engine
from proof.engine.google_schema import schema_of
from proof.engine.stacks import engine_of, use_charts
from proof.nodes import pool_of
from proof.sandbox import Sandbox
from tests.identity.sides import Side
from tests.planner.serving.test_companions import adapter, head
from tests.proof.engine.test_life import CANARIES, announced, assert_no_canary, custom, expected
from tests.support.facts import catalog, llama
from tests.support.golden import environment
from tests.support.in_process import graph_of

pytestmark = pytest.mark.proof

PROJECT, REGION = "acme-models-quickstart", "us-central1"
FOLDER = "examples/quickstart"
API, BUCKET = "gcp:projects/service:Service", "gcp:storage/bucket:Bucket"
THEIRS = ("acme-tunes", "acme-batch")
"""Buckets of somebody else: own weights, and requests with their answers."""
TUNED = "gs://acme-tunes/support/v3"
LEAN: dict[str, Any] = {
    "gcp:project": PROJECT,
    "gcp:region": REGION,
    "hubstack:models": f"{FOLDER}/models.yaml",
    "hubstack:deletionProtection": False,
}
TEAMS: dict[str, Any] = {
    **LEAN,
    "hubstack:teams": {
        "search": {"owner": "search@example.com", "quota": {"l4": 4}, "priority": 100},
        "chat": {"labels": {"cost-center": "1234"}, "owner": "chat@example.com"},
    },
    "hubstack:gateway": {
        "mode": "inference",
        "exposure": "external",
        "auth": "api-keys",
        "host": "models.example.com",
        "certificate": "acme",
    },
    "hubstack:images": {"remote": True},
    "hubstack:gpuDrivers": {"l4": "default"},
    "hubstack:secretVersions": {"hfToken": 2},
}
LIST: dict[str, Any] = {
    "defaults": {"accelerator": "l4", "capacity": ["spot", "on-demand"]},
    "models": [
        {
            "id": "acme/llama",
            "name": "chat",
            "team": "chat",
            "context": 8192,
            "replicas": {"min": 1, "max": 2},
            "engine": {"kind": "vllm", "version": "0.32.0"},
            "engine_args": {"max-logprobs": 50},
            "env": {"VLLM_LOGGING_LEVEL": "DEBUG"},
            "files": ["chat.jinja"],
            "chat_template": "chat.jinja",
            "lora": {"adapters": ["acme/support"]},
            "speculative": {"method": "eagle3", "model": "acme/head", "tokens": 2},
        },
        {
            "id": TUNED,
            "name": "tuned",
            "team": "search",
            "context": 8192,
            "replicas": {"min": 0, "max": 1},
            "license": "apache-2.0",
        },
        {
            "id": "acme/plain",
            "name": "plain",
            "context": 8192,
            "replicas": {"min": 0, "max": 1},
            "batch": {"input": "gs://acme-batch/in/may.jsonl", "output": "gs://acme-batch/out/may", "parts": 2},
        },
    ],
}
PRICES = {
    "as_of": date(2026, 11, 1),
    "prices": [{"accelerator": "l4", "on-demand": 0.55}],
    "discounts": [{"percent": 12}],
}
CALLERS: dict[str, Any] = {
    **LEAN,
    "hubstack:gateway": {
        "mode": "services",
        "exposure": "external",
        "host": "models.example.com",
        "dns_zone": "acme",
        "security_policy": "edge",
    },
    "hubstack:callers": {
        "search": {"models": ["plain"], "requests_per_minute": 600, "readers": ["group:search@example.com"]},
        "research": {"models": ["plain"], "tokens_per_minute": 200000},
    },
}
PLAIN = {
    "defaults": LIST["defaults"],
    "models": [{key: value for key, value in LIST["models"][2].items() if key != "batch"}],
}


def tuned() -> ModelFacts:
    sizes = {"config.json": 700, "model.safetensors": 2_471_645_608, "tokenizer.json": 9_000}
    files = tuple(
        FileFacts(path=each, size_bytes=size, generation=7, crc32c="AAAAAA==") for each, size in sizes.items()
    )
    return llama(TUNED, files=files)


def locked(said: Mapping[str, Any]) -> list[ModelFacts]:
    """Return the facts of what a list names; the draft model is gated."""
    known = [llama(), adapter(), replace(head(), gated="manual"), tuned(), llama("acme/plain")]
    text = json.dumps(said)
    return [facts for facts in known if f'"{facts.id}"' in text]


Stage = tuple[Mapping[str, Any], Mapping[str, Any]]
"""Settings and list."""


@dataclass(frozen=True)
class Project:
    """The copy of a project under the engine, and what its files say."""

    engine: Engine

    @property
    def environment(self) -> Environment:
        settings = self.engine.project / "stacks" / f"Pulumi.{self.engine.stack}.yaml"
        here = self.engine.project
        return replace(environment("quickstart"), project_dir=here, config_file=settings, stack=self.engine.stack)

    def write(self, config: Mapping[str, Any], said: Mapping[str, Any]) -> Side:
        """Write settings, list and lock; return what they plan and register."""
        held = self.environment.config_file
        before = yaml.safe_load(held.read_text())
        secrets = {key: value for key, value in before["config"].items() if key in CANARIES}
        held.write_text(yaml.safe_dump({**before, "config": {**config, **secrets}}))
        folder = self.engine.project / FOLDER
        (folder / "models.yaml").write_text(yaml.safe_dump(said))
        (folder / "models.lock.yaml").write_text(render_lock(locked(said)))
        if "hubstack:images" in config:
            images = [_image(each.used.image) for each in stack_images(Stack.load(self.environment))]
            (folder / "models.lock.yaml").write_text(render_lock(locked(said), images))
        plan = plan_inputs(StackInputs.of(Stack.load(self.environment)))
        graph = json.loads(graph_of(plan).to_json())
        return Side(plan=plan, state=State(name="", plan=json.loads(plan.to_json()), graph=graph))


def _image(name: str) -> LockedImage:
    return LockedImage(
        image=name, digest=f"sha256:{hashlib.sha256(name.encode()).hexdigest()}", platform="linux/amd64"
    )


def started(name: str, folder: Path, programs: Path, sandbox: Sandbox) -> Project:
    """Return a stack that was not brought up, in a cloud with somebody else's buckets."""
    sandbox.empty()
    engine = engine_of(replace(environment("quickstart"), stack=name), folder / "engine", programs, sandbox)
    storage = {"service": "storage.googleapis.com", "disableOnDestroy": False}
    engine.cloud.create(schema_of(API), storage, PROJECT, REGION)
    for bucket in THEIRS:
        inputs = {"name": bucket, "location": "US", "uniformBucketLevelAccess": True}
        engine.cloud.create(schema_of(BUCKET), inputs, PROJECT, REGION)
    for key, value in CANARIES.items():
        engine.run("config", "set", "--secret", key, value)
    return Project(engine)


def life(project: Project, stages: list[Stage], sandbox: Sandbox, charts: ChartRepository) -> list[Done]:
    """Make the first stage, find it unchanged, go through the others as `hubstack diff` says, and leave nothing.

    Returns:
        What the engine did for each of the others.
    """
    engine, edits = project.engine, list[Done]()
    sides = [project.write(*stage) for stage in stages]
    resources = [each for side in sides for each in side.state.resources.values()]
    pools = [each["inputs"] for each in resources if each["type"] == "gcp:container/nodePool:NodePool"]
    sandbox.use({pool.name: pool for pool in (pool_of(each, catalog(), REGION) for each in pools)}.values())
    use_charts(engine, charts, resources)
    project.write(*stages[0])
    size = announced(engine)
    assert engine.up().counts == {"create": size}
    assert engine.up().counts == {"same": size}, "a second `up` changes something"
    assert engine.refresh().counts == {"same": size}, "a refresh finds another state than the one that was made"
    assert_no_canary(engine)
    for stage, (before, after) in zip(stages[1:], pairwise(sides), strict=True):
        project.write(*stage)
        edits.append(engine.up())
        assert custom(edits[-1], before, after) == expected(before, after), "`hubstack diff` says otherwise"
    assert_no_canary(engine)
    engine.destroy()
    left = {kind: ids for kind, ids in engine.cloud.everything().items() if kind != API}
    assert left == {BUCKET: sorted(THEIRS)}
    sandbox.empty()
    return edits


def changed(config: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """Return settings with others of hubstack's; None removes one."""
    made = {**config, **{f"hubstack:{key}": value for key, value in changes.items()}}
    return {key: value for key, value in made.items() if value is not None}


def with_models(*changes: Mapping[str, Any], said: Mapping[str, Any] = LIST) -> dict[str, Any]:
    """Return a list with changes of each model in order; None removes a key."""
    models = [
        {key: value for key, value in {**model, **change}.items() if value is not None}
        for model, change in zip(said["models"], changes, strict=True)
    ]
    return {**said, "models": models}


def test_teams_images_adapters_own_weights_and_a_batch(
    tmp_path: Path, engine_programs: Path, sandbox: Sandbox, charts: ChartRepository
) -> None:
    project = started("features", tmp_path, engine_programs, sandbox)
    folder = project.engine.project / FOLDER
    (folder / "prices.yaml").write_text(yaml.safe_dump(PRICES))
    for name in ("chat.jinja", "other.jinja"):
        (folder / name).write_text("{% for each in messages %}{{ each.content }}{% endfor %}\n")
    other = with_models(
        {
            "engine": {"kind": "vllm", "version": "0.33.0"},
            "engine_args": {"max-logprobs": 20},
            "env": None,
            "files": ["other.jinja"],
            "chat_template": "other.jinja",
            "lora": None,
        },
        {"team": "chat"},
        {"batch": {**LIST["models"][2]["batch"], "parts": 3}},
    )
    fewer = {"chat": TEAMS["hubstack:teams"]["chat"]}
    without = with_models({"speculative": None}, {"team": None}, {"team": "chat", "batch": None}, said=other)
    stages = [
        (TEAMS, LIST),
        (changed(TEAMS, gpuDrivers={"l4": "latest"}, secretVersions={"hfToken": 3, "apiKey": 2}), other),
        (changed(TEAMS, teams=fewer, images=None, gpuDrivers=None), without),
    ]
    rotated, _ = life(project, stages, sandbox, charts)
    written = {urn.rpartition("::")[2]: step for urn, step in rotated.steps.items() if "SecretVersion" in urn}
    assert written == dict.fromkeys(("gateway-api-key-version", "hub-token-version"), "replace")


def test_callers_and_the_name_of_a_gateway(
    tmp_path: Path, engine_programs: Path, sandbox: Sandbox, charts: ChartRepository
) -> None:
    gateway, callers = CALLERS["hubstack:gateway"], CALLERS["hubstack:callers"]
    others = {"ops": callers["research"], "search": {**callers["search"], "requests_per_minute": 60, "readers": []}}
    own = {key: value for key, value in gateway.items() if key not in ("dns_zone", "security_policy")}
    stages = [
        (CALLERS, PLAIN),
        (changed(CALLERS, gateway={**gateway, "host": "llm.example.com"}, callers=others), PLAIN),
        (changed(CALLERS, gateway={**own, "certificate": "acme"}), PLAIN),
    ]
    life(started("callers", tmp_path, engine_programs, sandbox), stages, sandbox, charts)
