# SPDX-License-Identifier: Apache-2.0
"""`engine_args:` and `env:` reach the engine as written, or are refused at their own line.

Proves nothing about what an engine does with them: its own parser is asked in tests/proof/engines.
"""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from hubstack.catalog.engine_arguments import Owner, argument_rules
from hubstack.catalog.engine_flags import engine_flags
from hubstack.files.errors import InputError, PlanError
from hubstack.inputs.environment import find_environment
from hubstack.kinds import EngineKind
from hubstack.planner.inputs import StackInputs
from hubstack.planner.planner import plan_inputs
from tests.bad_input.runner import base_project
from tests.planner.serving.test_engine_flags import ASKED, GGUF, check, planned
from tests.support.facts import catalog, hub, hub_ids, plan_one

CHAT, TEXTS = "Qwen/Qwen3-8B", "BAAI/bge-large-en-v1.5"
ARGS = {
    "max-logprobs": 50,
    "enable-prefix-caching": False,
    "disable-fastapi-docs": True,
    "limit-mm-per-prompt": {"image": 2},
    "allowed-origins": ("https://a.example", "https://b.example"),
}


def refused(repo_id: str = CHAT, **settings: Any) -> str:
    with pytest.raises(PlanError) as caught:
        plan_one(hub(repo_id), **settings)
    return "\n".join(f"{each.message} | {each.hint}" for each in caught.value.problems)


def test_arguments_reach_the_engine_as_its_parser_takes_them() -> None:
    plain, given = plan_one(hub(CHAT)).server, plan_one(hub(CHAT), engine_args=ARGS).server
    added = given.args[len(plain.args) - 2 : -2]
    assert given.args[: len(plain.args) - 2] == plain.args[:-2], "before the shutdown's"
    assert added == (
        *("--max-logprobs", "50"),
        "--no-enable-prefix-caching",
        "--disable-fastapi-docs",
        *("--limit-mm-per-prompt", '{"image": 2}'),
        *("--allowed-origins", "https://a.example", "https://b.example"),
    )
    check(given)


def test_every_node_of_a_replica_gets_them() -> None:
    server = plan_one(hub("deepseek-ai/DeepSeek-V3"), engine_args={"seed": 7}).server
    assert "--seed 7" in " ".join(server.args)
    assert "--seed 7" in " ".join(server.worker_args)


def test_what_changes_memory_in_an_unknown_way_is_said() -> None:
    (warning,) = (each for each in plan_one(hub(CHAT), engine_args=ARGS).warnings if "engine_args" in each)
    assert "`--limit-mm-per-prompt`" in warning


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"max-logprob": 5}, "did you mean `max-logprobs`?"),
        ({"max-model-len": 5}, "`context:` sets it"),
        ({"served-model-name": "x"}, "set `name:` instead"),
        ({"tensor-parallel-size": 2}, "set `accelerator:` instead"),
        ({"port": 1}, "probes, Services and the gateway depend on it"),
        ({"gpu-memory-utilization": 0.95}, "share of memory"),
        ({"kv-cache-dtype": "fp8"}, "set `kv_cache_dtype:` instead"),
        ({"trust-remote-code": True}, "set `trust_remote_code:` instead"),
        ({"allowed-local-media-path": "/"}, "read files of the pod"),
        ({"middleware": "os.system"}, "loads Python code"),
        ({"config": "/weights/x.yaml"}, "past every check"),
        ({"max-logprobs": "many"}, "needs a value of type int"),
        ({"max-logprobs": True}, "needs a value"),
        ({"enable-prefix-caching": "yes"}, "give it `true` or `false`"),
        ({"tokenizer-mode": ("a", "b")}, "which takes one value"),
        ({"no-enable-prefix-caching": True}, "write `enable-prefix-caching: false`"),
    ],
    ids=lambda part: next(iter(part)) if isinstance(part, dict) else "",
)
def test_an_argument_that_the_engine_may_not_get_is_refused(asked: dict[str, Any], said: str) -> None:
    assert said in refused(engine_args=asked)


def test_flags_are_those_of_the_models_own_version() -> None:
    new = {"monokernel": True}  # came with 0.33.0
    assert plan_one(hub(CHAT), engine_args=new).server.args[-3] == "--monokernel"
    pinned = {"kind": "vllm", "version": "0.32.0"}
    assert "passes `--monokernel` to vllm 0.32.0" in refused(engine=pinned, engine_args=new)


def test_overrides_of_a_reranker_are_hubstacks() -> None:
    ranker = hub("Qwen/Qwen3-8B", pipeline_tag="text-ranking")
    with pytest.raises(PlanError, match="hubstack sets it for this model"):
        plan_one(ranker, engine_args={"hf-overrides": {"a": 1}})
    assert plan_one(hub(CHAT), engine_args={"hf-overrides": {"a": 1}})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("HF_TOKEN", "x", "looks like a secret"),
        ("EXTRA", "hf_0123456789", "looks like a secret"),
        ("HOME", "/", "hubstack sets it"),
        ("VLLM_API_KEY", "x", "looks like a secret"),
        ("VLLM_PORT", "1", "hubstack sets it"),
        ("VLLM_SERVER_DEV_MODE", "1", "weakens security"),
        ("VLLM_PLUGINS", "x", "weakens security"),
        ("PYTHONPATH", "/weights", "which code or files"),
        ("LD_PRELOAD", "/weights/x.so", "which code or files"),
        ("VLLM_LOGGING_CONFIG_PATH", "/files/logging.json", "which code or files"),
        ("OPENSSL_CONF", "/files/openssl.cnf", "which code or files"),
        ("CC", "/bin/sh", "which code or files"),
        ("TRITON_PTXAS_PATH", "/bin/sh", "which code or files"),
        ("EXTRA", "ghp_" + "a" * 36, "looks like a secret"),
        ("HF_ENDPOINT", "https://x.example", "which code or files"),
        ("CUDA_VISIBLE_DEVICES", "0", "the platform sets it"),
    ],
)
def test_a_variable_that_the_engine_may_not_get_is_refused(name: str, value: str, said: str) -> None:
    assert said in refused(env={name: value})


def test_a_flag_in_the_form_of_a_variable_is_refused() -> None:
    assert "`max-batch-tokens` of `engine_args:`" in refused(TEXTS, env={"MAX_BATCH_TOKENS": "1"})
    with pytest.raises(PlanError, match="`ctx-size` of `engine_args:`"):
        plan_one(GGUF, env={"LLAMA_ARG_CTX_SIZE": "1"})


def test_a_secret_is_not_shown_in_the_error_about_it() -> None:
    with pytest.raises(PlanError) as caught:
        plan_one(hub(CHAT), env={"EXTRA": "hf_0123456789"})
    (problem,) = caught.value.problems
    assert problem.source_line is None
    assert "0123456789" not in str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [{"api-key": "canary-value"}, {"hf-token": "canary-value"}, {"otlp-traces-endpoint": "hf_canary-value"}],
)
def test_a_secret_among_the_arguments_is_refused_and_not_shown(arguments: dict[str, str], tmp_path: Path) -> None:
    base_project(tmp_path)
    (name, value), listed = *arguments.items(), tmp_path / "stacks" / "dev.models.yaml"
    listed.write_text(f"models:\n  - id: Qwen/Qwen3-4B-Instruct-2507\n    engine_args: {{{name}: {value}}}\n")
    with pytest.raises(InputError) as caught:
        plan_inputs(StackInputs.load(find_environment("dev", tmp_path, tmp_path)))
    assert name in str(caught.value)
    assert "canary" not in str(caught.value)


def test_a_variable_reaches_the_container() -> None:
    assert ("VLLM_LOGGING_LEVEL", "DEBUG") in plan_one(hub(CHAT), env={"VLLM_LOGGING_LEVEL": "DEBUG"}).server.env


@pytest.mark.parametrize("kind", EngineKind)
def test_every_rule_is_about_a_flag_that_some_version_has(kind: EngineKind) -> None:
    rules = argument_rules(kind)
    alike = [each for each in EngineKind if argument_rules(each) == rules]
    flags = {
        flag
        for each in alike
        for version in catalog().versions_of(each)
        for flag in engine_flags(catalog().engine_at(each, version)).flags
    }
    patterns = {*rules.flags, *rules.memory}
    assert {pattern for pattern in patterns if not any(fnmatchcase(flag, pattern) for flag in flags)} == set()


def test_every_key_that_a_rule_names_is_one_of_the_list() -> None:
    known = {*plan_keys(), "id", "name"}
    for kind in EngineKind:
        named = {rule.why for rule in argument_rules(kind).flags.values() if rule.owner is Owner.KEY}
        assert named <= known


def plan_keys() -> set[str]:
    from hubstack.inputs.models_schema import Settings  # noqa: PLC0415  for this test only

    return set(Settings.model_fields)


@pytest.mark.parametrize("kind", [EngineKind.VLLM, EngineKind.SGLANG, EngineKind.TEI, EngineKind.LLAMA_CPP])
def test_every_flag_that_hubstack_writes_is_refused_in_a_list(kind: EngineKind) -> None:
    plans = [planned(repo_id, engine=kind, **asked) for repo_id in sorted(hub_ids()) for asked in ASKED[:7]]
    plans += [plan_one(GGUF)] if kind is EngineKind.LLAMA_CPP else []
    written = {word for each in plans if each for word in each.server.args if word.startswith("--")}
    rules = argument_rules(kind)
    # Those of an architecture or a tokenizer format are refused where hubstack writes them, and only there.
    free = {"--hf-overrides", "--tokenizer-mode"}
    assert {flag for flag in written - free if rules.ruled(flag) is None} == set()
    assert written
