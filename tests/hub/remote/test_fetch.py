# SPDX-License-Identifier: Apache-2.0
"""The real client against the stand-in: what is read of a model, and what each refusal says.

Not proven here: that the live Hub answers as the stand-in does.
"""

import dataclasses
from typing import Any

import pytest

from hubstack.files.errors import HubError
from hubstack.hub.facts import ModelFacts
from hubstack.hub.lock import parse_lock, render_lock
from hubstack.hub.remote import Refusal, RetryLimits, fetch_each, fetch_facts
from hubstack.planner.model.geometry import read_geometry
from proof.hub.repository import Repository
from proof.hub.tiny import TINY, safetensors
from tests.support.hub import TOKENS, Fault, StandIn
from tests.support.hub.fixtures import Told
from tests.support.hub.invented import repository
from tests.support.hub.real import config_of, ids_with_a_real_commit, real_models

ACCESS, NO_ACCESS, FINE_GRAINED = TOKENS
QWEN = "Qwen/Qwen3-8B"
SHARDED = "stand-in/sharded"


def one(repo_id: str, revision: str = "main", token: str | None = None) -> ModelFacts:
    return fetch_facts([(repo_id, revision)], token=token)[0]


def refused(repo_id: str, revision: str = "main", **options: object) -> Refusal:
    answer = fetch_each([(repo_id, revision)], **options)[repo_id, revision]  # type: ignore[arg-type]
    assert isinstance(answer, Refusal), "a model that cannot be read must not be locked"
    return answer


def test_a_real_model_is_read_with_its_commit_files_counts_and_config(hub: StandIn) -> None:
    facts = one(QWEN)
    assert facts.commit == "b968826d9c46dd6066d109eabc6255188de91218"
    assert (facts.pipeline_tag, facts.license, facts.gated) == ("text-generation", "apache-2.0", None)
    assert dict(facts.parameters) == {"BF16": 8190735360}
    assert facts.config["num_key_value_heads"] == 8
    shards = {f.path: f for f in facts.files if f.path.endswith(".safetensors")}
    assert len(shards) == 5
    assert shards["model-00005-of-00005.safetensors"].size_bytes == 1244659840
    assert all(shard.sha256 for shard in shards.values())


def test_three_requests_a_model_are_enough_for_the_default_branch(hub: StandIn) -> None:
    one(QWEN)
    assert [asked.method + " " + asked.path for asked in hub.requests] == [
        f"GET /api/models/{QWEN}",
        f"GET /{QWEN}/resolve/b968826d9c46dd6066d109eabc6255188de91218/config.json",
        f"GET /{QWEN}/resolve/b968826d9c46dd6066d109eabc6255188de91218/tokenizer_config.json",
    ]


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        ({"max_seq_length": 256, "do_lower_case": False}, {"max_seq_length": 256}),
        ({"max_seq_length": True}, None),
        ({"max_seq_length": "long"}, None),
        ({}, None),
    ],
)
def test_the_longest_text_of_sentence_transformers_is_locked(hub: StandIn, content: Any, kept: Any) -> None:
    made = repository("sentences", {"config.json": TINY, "sentence_roberta_config.json": content})
    hub.repositories[made.id] = made
    assert one(made.id).config.get("sentence_transformers") == kept


@pytest.mark.parametrize(
    ("files", "kept"),
    [
        ({"preprocessor_config.json": {"auto_map": {"AutoProcessor": "p.P"}}}, {"AutoProcessor": "p.P"}),
        ({"processor_config.json": {"auto_map": {"AutoProcessor": "o/r--p.P"}}}, {"AutoProcessor": "o/r--p.P"}),
        (
            {
                "processor_config.json": {"auto_map": {"AutoProcessor": "first.P"}},
                "preprocessor_config.json": {"auto_map": {"AutoProcessor": "later.P", "AutoImageProcessor": "i.I"}},
            },
            {"AutoProcessor": "first.P", "AutoImageProcessor": "i.I"},
        ),
        (
            {"video_preprocessor_config.json": {"auto_map": {"AutoVideoProcessor": "v.V"}}},
            {"AutoVideoProcessor": "v.V"},
        ),
        ({"preprocessor_config.json": {"auto_map": ["p.P"], "image_processor_type": "X"}}, None),
        ({"preprocessor_config.json": {"auto_map": {"AutoProcessor": 1, "Other": "x.Y"}}}, None),
    ],
)
def test_the_code_of_processors_is_locked(hub: StandIn, files: dict[str, Any], kept: Any) -> None:
    made = repository("processors", {"config.json": TINY, **files})
    hub.repositories[made.id] = made
    facts = one(made.id)
    assert facts.config.get("processor_code") == kept
    assert facts.custom_code is bool(kept)


def test_what_a_model_was_made_from_is_read_as_the_card_says_it(hub: StandIn) -> None:
    facts = one("stand-in/made-from")
    assert facts.base_models == ("stand-in/sharded", "stand-in/adapter"), "each once, in the card's order"
    assert facts.datasets == ("stand-in/talks",), "a card is free text: what is no name is left out"
    facts = one("stand-in/made-from-one")
    assert (facts.base_models, facts.datasets) == (("stand-in/sharded",), ())
    assert one(QWEN).base_models == ()


def test_large_files_have_a_sha256_and_small_ones_a_git_oid(hub: StandIn) -> None:
    facts = one(SHARDED)
    stored = {file.path: file for file in next(iter(hub.repositories[SHARDED].commits.values())).files}
    assert [file.path for file in facts.files] == sorted(stored)
    for file in facts.files:
        assert file.size_bytes == stored[file.path].size
        large = file.path.endswith(".safetensors")
        assert file.sha256 == (stored[file.path].sha256 if large else None)
        assert file.git_oid == (None if large else stored[file.path].git_oid)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bnb", {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}),
        ("gptq", {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": False, "sym": True}),
        ("nvfp4", {"quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8", "group_size": 16}),
    ],
)
def test_quantization_is_read_from_the_config_or_from_nvidias_file(
    hub: StandIn, name: str, said: dict[str, object]
) -> None:
    assert one(f"stand-in/{name}").quantization == said


@pytest.mark.parametrize(
    ("name", "license_id", "license_name"),
    [
        ("licence-list", "mit, apache-2.0", None),
        ("licence-other", "other", "made-up"),
        ("licence-tag", "mit", None),
        ("unscanned", None, None),
    ],
)
def test_each_form_of_licence_is_read(
    hub: StandIn, name: str, license_id: str | None, license_name: str | None
) -> None:
    facts = one(f"stand-in/{name}")
    assert (facts.license, facts.license_name) == (license_id, license_name)


def test_the_scan_and_the_custom_code_are_read(hub: StandIn) -> None:
    assert one("stand-in/unsafe-pickle").security.issues == {"pytorch_model.bin": "unsafe"}
    assert one("stand-in/unscanned").security.scans_done is False
    assert one(SHARDED).security.scans_done is True
    assert one(QWEN).security.scans_done is None, "where the Hub does not say, nothing is claimed"
    assert one("stand-in/custom-code").custom_code
    assert not one(SHARDED).custom_code


def test_a_gguf_repository_keeps_its_header_and_no_chat_template(hub: StandIn) -> None:
    facts = one("stand-in/gguf")
    assert facts.config == {"gguf": {"total": 1000, "architecture": "llama", "context_length": 2048}}
    assert facts.library == "gguf"


def test_a_repository_without_config_json_is_locked_without_a_config(hub: StandIn) -> None:
    assert one("stand-in/diffusers").config == {}
    assert one("stand-in/adapter").config == {"adapters": {".": {"base_model_name_or_path": "stand-in/sharded"}}}


@pytest.mark.parametrize("revision", ["v1", "refs/pr/1"])
def test_another_revision_has_its_own_commit_and_config_and_no_counts_of_main(hub: StandIn, revision: str) -> None:
    facts = one(SHARDED, revision)
    assert facts.commit == hub.repositories[SHARDED].refs[revision]
    assert facts.config["max_position_embeddings"] != one(SHARDED).config["max_position_embeddings"]
    assert not facts.parameters, "the Hub counts the default branch only"
    assert facts.parameters_total is None


def test_a_commit_as_revision_keeps_the_counts_where_main_stands_there(hub: StandIn) -> None:
    main = hub.repositories[SHARDED].refs["main"]
    assert one(SHARDED, main).parameters_total == 132096
    assert one(SHARDED, main).commit == main


def test_a_renamed_repository_is_locked_under_its_new_name_and_found_by_the_old(hub: StandIn) -> None:
    facts = one("stand-in/old-name")
    assert (facts.id, facts.asked_id) == ("stand-in/new-name", "stand-in/old-name")
    lock = parse_lock(render_lock([facts]), "lock")
    assert lock.get("stand-in/old-name", "main") == lock.get("stand-in/new-name", "main") == facts


def test_a_renamed_gated_repository_still_gets_the_token(hub: StandIn) -> None:
    hub.repositories["stand-in/new-name"].gated = "auto"
    assert one("stand-in/old-name", token=ACCESS).gated == "auto"


@pytest.mark.parametrize("gated", ["auto", "manual"])
def test_a_gated_repository_is_read_with_a_token_that_has_access(hub: StandIn, gated: str) -> None:
    assert one(f"stand-in/gated-{gated}", token=ACCESS).gated == gated


def test_the_token_of_the_environment_is_used(hub: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", ACCESS)
    assert one("google/gemma-3-4b-it").gated == "manual"
    assert one("stand-in/private").id == "stand-in/private"


@pytest.mark.parametrize(
    ("repo_id", "token", "message", "hint"),
    [
        ("google/gemma-3-4b-it", None, "no valid token was sent", "accept the terms at"),
        ("google/gemma-3-4b-it", NO_ACCESS, "no access to it", "ask for access at"),
        ("google/gemma-3-4b-it", FINE_GRAINED, "may not read gated", "fine-grained token's settings"),
        ("google/gemma-3-4b-it", "hf_standinUnknown", "expired or mistyped", "hf auth login"),
        ("stand-in/private", None, "anyone without a token", "check the spelling"),
        ("stand-in/private", NO_ACCESS, "is not on the Hub, or is private", "check the spelling"),
        ("nobody/nothing", None, "is not on the Hub, or is private", "check the spelling"),
        ("nobody/nothing", ACCESS, "is not on the Hub, or is private", "check the spelling"),
        ("stand-in/disabled", ACCESS, "is disabled by the Hub", "choose another model"),
        ("a--b/c", None, "is not a Hub ID", "owner/name"),
    ],
)
def test_each_refusal_says_what_happened_and_what_to_do(
    hub: StandIn, repo_id: str, token: str | None, message: str, hint: str
) -> None:
    found = refused(repo_id, token=token)
    assert message in found.message
    assert hint in (found.hint or "")
    assert token is None or token not in found.render(), "a token must never be printed"


def put(hub: StandIn, made: Repository) -> None:
    hub.repositories[made.id] = made


def shards(*numbers: int) -> dict[str, object]:
    return {f"model-0000{n}-of-00003.safetensors": safetensors("BF16", w=[8]) for n in numbers}


@pytest.mark.parametrize(
    ("held", "named"),
    [
        (shards(1, 3), "model-00002-of-00003.safetensors"),
        (
            {
                "layers.safetensors": safetensors("BF16", w=[8]),
                "model.safetensors.index.json": {
                    "weight_map": {"a": "layers.safetensors", "b": "head.safetensors"}
                },
            },
            "head.safetensors",
        ),
    ],
)
def test_a_repository_that_lacks_a_part_of_its_weights_is_refused(
    hub: StandIn, held: dict[str, object], named: str
) -> None:
    put(hub, repository("missing-part", {"config.json": TINY, **held}))
    found = refused("stand-in/missing-part")
    assert f"is not complete at this commit: {named} is missing" in found.message


def test_parts_of_another_copy_may_be_missing(hub: StandIn) -> None:
    held = {
        "config.json": TINY,
        "model.safetensors": safetensors("BF16", w=[8]),
        "pytorch_model-00001-of-00002.bin": b"",
        "old/model-00001-of-00003.safetensors": b"x" * 9,
    }
    put(hub, repository("whole", held))
    assert len(one("stand-in/whole").files) == 4


def test_of_weights_that_were_split_anew_only_those_of_the_index_are_locked(hub: StandIn) -> None:
    new = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    held = {
        "config.json": TINY,
        **shards(1, 2),  # of three: what an earlier upload left
        **{path: safetensors("BF16", w=[8]) for path in new},
        "model.safetensors.index.json": {"weight_map": {"a": new[0], "b": new[1]}},
    }
    put(hub, repository("split-anew", held))
    locked = [file.path for file in one("stand-in/split-anew").files]
    assert [path for path in locked if path.endswith(".safetensors")] == new


def test_a_missing_revision_is_named(hub: StandIn) -> None:
    assert refused(SHARDED, "v9").render().startswith(f"`{SHARDED}` has no revision `v9`")


def test_all_refused_models_are_told_at_once(hub: StandIn) -> None:
    with pytest.raises(HubError) as caught:
        fetch_facts([(QWEN, "main"), ("nobody/nothing", "main"), ("google/gemma-3-4b-it", "main")])
    assert [line.split("`")[1] for line in str(caught.value).splitlines() if line.startswith("`")] == [
        "nobody/nothing",
        "google/gemma-3-4b-it",
    ]


def test_a_request_refused_for_good_is_asked_once(hub: StandIn) -> None:
    refused("stand-in/private", token=NO_ACCESS)
    assert len(hub.requests) == 1


@pytest.mark.parametrize("route", [f"/api/models/{QWEN}", "config.json"])
@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "Wed, 25 Nov 2026 10:00:09 GMT", "Date": "Wed, 25 Nov 2026 10:00:00 GMT"}, 9),
        ({"RateLimit": '"api";r=0;t=11', "RateLimit-Policy": '"fixed window";"api";q=500;w=300'}, 12),
        ({}, 1),
    ],
)
def test_the_wait_that_the_hub_asks_for_is_kept(
    hub: StandIn, hurry: RetryLimits, waits: list[float], route: str, headers: dict[str, str], wait: float
) -> None:
    with hub.fault(Fault(route=route, status=429, headers=headers)):
        facts = fetch_facts([(QWEN, "main")], limits=hurry)[0]
    assert facts.config["num_hidden_layers"] == 36
    asked, *own = waits
    assert asked == pytest.approx(wait) if headers else 1 <= asked <= 2
    assert all(0 <= jitter <= 1 for jitter in own), "not all in the same moment"


def test_a_wait_beyond_our_patience_is_given_up_at_once(
    hub: StandIn, hurry: RetryLimits, waits: list[float]
) -> None:
    hub.faults.append(Fault(route="/api/models/", count=9, status=429, headers={"Retry-After": "3600"}))
    assert "rate limit still applied" in refused(QWEN, limits=hurry).message
    assert waits == [], "nobody waits an hour for a lock"


@pytest.mark.parametrize(
    "fault",
    [
        Fault(route=QWEN, status=500, count=3),
        Fault(route=QWEN, status=502, count=3),
        Fault(route=QWEN, status=503, count=3),
        Fault(route=QWEN, cuts_body=True, count=3),
        Fault(route=QWEN, truncates_json=True, count=3),
        Fault(route=QWEN, stall_seconds=5, count=1),
    ],
    ids=["500", "502", "503", "cut-off", "truncated", "slow"],
)
def test_what_passes_is_waited_for(hub: StandIn, hurry: RetryLimits, waits: list[float], fault: Fault) -> None:
    hub.faults.append(dataclasses.replace(fault))
    facts = fetch_facts([(QWEN, "main")], limits=dataclasses.replace(hurry, silence_seconds=1))[0]
    assert len(facts.files) == 15
    assert facts.config["hidden_size"] == 4096
    assert len(waits) == fault.count
    assert all(least <= wait <= least + 1 for least, wait in zip([1, 2, 4], waits, strict=False)), waits


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault(route=QWEN, status=503, count=99), "failed with status 503"),
        (Fault(route=QWEN, cuts_body=True, count=99), "only malformed responses"),
        (Fault(route=QWEN, truncates_json=True, count=99), "only malformed responses"),
        (Fault(route=QWEN, stall_seconds=5, count=99), "no response"),
        (Fault(route=QWEN, drops_keys=("sha",), count=99), "no commit"),
        (Fault(route=QWEN, changes={"sha": "main"}, count=99), "no commit"),
        (Fault(route=QWEN, changes={"disabled": True}, count=99), "disabled"),
        (Fault(route=QWEN, drops_sizes=True, count=99), "without its size"),
        (Fault(route=QWEN, drops_keys=("id",), count=99), "cannot be used"),
        (Fault(route=QWEN, changes={"safetensors": {"total": 1}}, count=99), "cannot be used"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_what_does_not_pass_is_given_up_with_one_message(
    hub: StandIn, hurry: RetryLimits, waits: list[float], fault: Fault, message: str
) -> None:
    hub.faults.append(dataclasses.replace(fault))
    found = refused(QWEN, limits=dataclasses.replace(hurry, silence_seconds=0.2 if fault.stall_seconds else 10))
    assert message in found.message
    assert len(waits) <= 3, "the number of tries is bounded"


def test_a_commit_other_than_the_asked_one_is_refused(hub: StandIn) -> None:
    asked = hub.repositories[QWEN].refs["main"]
    hub.faults.append(Fault(route="/revision/", changes={"sha": "0" * 40}))
    assert "answered with 0000" in refused(QWEN, asked).message


def test_an_answer_without_counts_or_gate_leaves_them_out(hub: StandIn) -> None:
    hub.faults.append(Fault(route="/api/models/", drops_keys=("safetensors", "gated", "cardData")))
    facts = one(QWEN)
    assert (facts.parameters, facts.parameters_total, facts.gated) == ({}, None, None)
    assert facts.license == "apache-2.0", "the tag still says it"


def test_an_unreachable_hub_is_one_clear_message(
    hub: StandIn, hurry: RetryLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://someone:secret-word@127.0.0.1:9")
    text = refused(QWEN, limits=hurry).render()
    assert "no connection to http://127.0.0.1:9" in text
    assert "secret-word" not in text


def test_offline_mode_is_named(hub: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set" in refused(QWEN).message


@pytest.mark.parametrize("token", ["hf_plantedWith\nBreak", "hf_plantedWithÜmlaut"])
def test_a_token_that_no_header_can_carry_is_not_printed(hub: StandIn, hurry: RetryLimits, token: str) -> None:
    text = refused(QWEN, token=token, limits=hurry).render()
    assert "planted" not in text
    assert "token" in text


def test_a_token_pasted_into_the_wrong_place_is_not_printed(hub: StandIn) -> None:
    text = refused(SHARDED, "hf_plantedAsRevision").render()
    assert "has no revision `[token]`" in text
    assert "planted" not in text


def test_the_order_of_answers_is_that_of_the_request_whatever_comes_first(hub: StandIn) -> None:
    hub.faults.append(Fault(route=f"/api/models/{QWEN}", stall_seconds=0.2))
    asked = [(QWEN, "main"), ("openai-community/gpt2", "main"), (SHARDED, "main")]
    told = Told()
    assert [facts.id for facts in fetch_facts(asked, listener=told)] == [pair[0] for pair in asked]
    assert told.done_ids[-1] == QWEN, "progress is told as it happens"


def test_every_model_of_the_collection_is_locked_and_comes_back_the_same(hub: StandIn) -> None:
    ids = ids_with_a_real_commit()
    assert len(ids) >= 30
    facts = fetch_facts([(repo_id, "main") for repo_id in ids], token=ACCESS)
    text = render_lock(facts)
    assert list(parse_lock(text, "lock").models) == sorted(facts, key=lambda fact: fact.id)
    again = fetch_facts([(repo_id, "main") for repo_id in reversed(ids)], token=ACCESS)
    assert render_lock(again) == text


@pytest.mark.parametrize("model", real_models(), ids=lambda model: model["id"])
def test_the_kept_fields_give_the_same_geometry_as_the_whole_config(hub: StandIn, model: dict[str, object]) -> None:
    kept = one(str(model["id"]), token=ACCESS)
    whole = dataclasses.replace(kept, config=config_of(model))
    assert read_geometry(kept) == read_geometry(whole), "a field that sizing reads is not kept"
