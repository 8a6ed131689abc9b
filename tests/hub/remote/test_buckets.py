# SPDX-License-Identifier: Apache-2.0
"""Own weights: what is locked of a folder in a bucket, and what each refusal says."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from hubstack.hub.facts import ModelFacts
from hubstack.hub.lock import parse_lock, render_lock
from hubstack.hub.remote import Refusal, RetryLimits, fetch_each, write_lock
from hubstack.hub.remote import bucket_client as bucket_client_module
from hubstack.inputs.models import load_request
from tests.support.buckets import CONFIG, Buckets, fine_tune, names_of, safetensors
from tests.support.hub import StandIn
from tests.support.hub.fixtures import Told

BUCKET, FOLDER = "acme-tunes", "support/v3"
ID = f"gs://{BUCKET}/{FOLDER}"


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Buckets]:
    monkeypatch.delenv("GOOGLE_OAUTH_ACCESS_TOKEN", raising=False)
    with Buckets() as served:
        served.put_all(BUCKET, FOLDER, fine_tune())
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", served.url.removeprefix("http://"))
        yield served


def one(model_id: str = ID, limits: RetryLimits | None = None) -> ModelFacts:
    answer = fetch_each([(model_id, "main")], limits=limits)[model_id, "main"]
    assert isinstance(answer, ModelFacts), answer
    return answer


def refused(model_id: str = ID, limits: RetryLimits | None = None) -> Refusal:
    answer = fetch_each([(model_id, "main")], limits=limits)[model_id, "main"]
    assert isinstance(answer, Refusal), "what cannot be pinned must not be locked"
    return answer


def test_a_folder_is_read_like_a_repository(storage: Buckets) -> None:
    facts = one()
    assert (facts.id, facts.license, facts.base_models) == (ID, "apache-2.0", ("Qwen/Qwen3-4B",))
    assert dict(facts.parameters) == {"BF16": 20_000, "F32": 7}, "counted from the headers, as the Hub does"
    assert facts.parameters_total == 20_007
    assert facts.config["num_key_value_heads"] == CONFIG["num_key_value_heads"]
    assert facts.tokenizer is not None
    assert facts.tokenizer.has_chat_template
    assert facts.security.scans_done is None, "nobody scanned it"


def test_each_object_is_pinned_by_generation_and_checksum(storage: Buckets) -> None:
    storage.composite.add(f"{FOLDER}/model.safetensors")
    files = {file.path: file for file in one().files}
    stored = storage.buckets[BUCKET][f"{FOLDER}/config.json"]
    assert files["config.json"].generation == stored.generation
    assert files["config.json"].size_bytes == len(stored.content)
    assert files["config.json"].md5
    assert files["model.safetensors"].md5 is None, "an object of parts has none"
    assert all(file.crc32c for file in files.values())


def test_every_read_names_the_generation_that_was_listed(storage: Buckets) -> None:
    one()
    reads = [each for each in storage.requests if "alt=media" in each]
    assert reads
    assert all("generation=17" in each for each in reads)


def test_a_lock_of_own_weights_reads_back_as_it_was_written(storage: Buckets) -> None:
    facts = one()
    assert parse_lock(render_lock([facts]), "lock").models == (facts,)


def test_the_commit_changes_with_any_object_and_with_nothing_else(storage: Buckets) -> None:
    before = one().commit
    assert one().commit == before
    storage.put(BUCKET, f"{FOLDER}/tokenizer.json", b"{}")
    assert one().commit != before, "the same bytes, written again, are another generation"


def test_a_large_header_is_read_to_its_end(storage: Buckets) -> None:
    many = {f"layer-{number:05}": ("BF16", [2, 3]) for number in range(6000)}
    storage.put(BUCKET, f"{FOLDER}/model.safetensors", safetensors(**many))
    assert dict(one().parameters) == {"BF16": 36_000}
    assert names_of(storage.requests).count(f"{FOLDER}/model.safetensors") == 2


def test_a_listing_of_several_pages_is_read_to_its_end(storage: Buckets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_client_module, "PAGE_SIZE", 2)
    assert len(one().files) == len(fine_tune())


def test_other_folders_that_start_alike_are_not_read(storage: Buckets) -> None:
    storage.put(BUCKET, f"{FOLDER}-old/model.safetensors", b"other")
    storage.put(BUCKET, f"{FOLDER}/", b"")
    assert {file.path for file in one().files} == set(fine_tune())


def test_names_are_escaped_in_addresses(storage: Buckets) -> None:
    storage.put_all(BUCKET, "run #1/ä+?&%", fine_tune())
    assert one(f"gs://{BUCKET}/run #1/ä+?&%").parameters_total == 20_007


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "nothing under `support/v3/`"),
        ({"checkpoint-9/config.json": b"{}", "checkpoint-9/model.safetensors": b""}, f"it has `{ID}/checkpoint-9`"),
        ({"model.safetensors": b""}, "no config.json and no GGUF file"),
        (fine_tune(model_safetensors=b"\x80\x04pickle"), "a model.safetensors that is not a safetensors file"),
        (
            fine_tune(model_safetensors=b"\x02\0\0\0\0\0\0\0[]"),
            "a model.safetensors that is not a safetensors file",
        ),
        (fine_tune(config_json=b"not json"), "a config.json that is not JSON"),
        (fine_tune(config_json=b"[]"), "a config.json that is not a JSON object"),
        (fine_tune() | {"../escape": b""}, "points outside the folder"),
        (fine_tune() | {"a//b": b""}, "points outside the folder"),
        (fine_tune() | {"two\nlines": b""}, r"`two\x0alines`, which contains a control or invisible character"),
        (fine_tune() | {"\x1b[31mred": b""}, r"`\x1b[31mred`, which contains a control"),
        (
            fine_tune(model_safetensors=None) | {"model-00001-of-00002.safetensors": safetensors(a=("BF16", [1]))},
            "model-00002-of-00002.safetensors is missing",
        ),
    ],
)
def test_a_folder_that_is_no_whole_model_is_refused(
    storage: Buckets, hurry: RetryLimits, files: dict[str, bytes], says: str
) -> None:
    storage.buckets[BUCKET] = {}
    storage.put_all(BUCKET, FOLDER, files)
    found = refused(limits=hurry)
    assert says in found.message
    assert "\x1b" not in found.render()
    assert "\nlines" not in found.render()


def test_a_gguf_needs_no_config(storage: Buckets) -> None:
    storage.put(BUCKET, "quantized/m-Q4_K_M.gguf", b"GGUF")
    assert [file.path for file in one(f"gs://{BUCKET}/quantized").files] == ["m-Q4_K_M.gguf"]


def test_a_card_that_is_not_yaml_is_ignored(storage: Buckets) -> None:
    for text in (b"---\nlicense: [\n---\n", b"---\n&a [*a]\n---\n", b"no front matter", b"\xff\xfe"):
        storage.put(BUCKET, f"{FOLDER}/README.md", text)
        assert one().license is None


@pytest.mark.parametrize(
    ("fault", "says", "hint"),
    [
        (
            ("/o?", 403, "a@b does not have storage.objects.list access. Permission 'storage.objects.list' denied"),
            "the credentials lack `storage.objects.list` on `gs://acme-tunes`",
            "roles/storage.objectViewer",
        ),
        (("alt=media", 403, "<html>"), "lack `storage.objects.get`", "roles/storage.objectViewer"),
        (("/o?", 404, "The specified bucket does not exist."), "no bucket `acme-tunes`", "gcloud storage ls"),
        (("/o?", 401, "Invalid Credentials"), "expired or not valid", "gcloud auth application-default login"),
        (("/o?", 503, ""), "failed with status 503", "later"),
        (("/o?", 400, "Bad"), "status 400", "gcloud storage ls"),
    ],
)
def test_a_refusal_of_cloud_storage_names_its_cause(
    storage: Buckets, hurry: RetryLimits, fault: tuple[str, int, str], says: str, hint: str
) -> None:
    storage.faults.append(fault)
    found = refused(limits=hurry)
    assert says in found.message
    assert hint in (found.hint or "")


def test_what_changes_while_it_is_read_is_refused(storage: Buckets) -> None:
    def replace_config(path: str) -> None:
        if "model.safetensors" in path:
            storage.put(BUCKET, f"{FOLDER}/config.json", json.dumps(CONFIG).encode())

    storage.on_request = replace_config
    assert "changed while it was read" in refused().message


def test_what_is_added_while_it_is_read_is_refused(storage: Buckets) -> None:
    def add(path: str) -> None:
        if "tokenizer_config" in path:
            storage.put(BUCKET, f"{FOLDER}/generation_config.json", b"{}")

    storage.on_request = add
    assert "changed while it was read" in refused().message


def test_more_objects_than_one_model_has_are_refused(storage: Buckets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_client_module, "MAX_OBJECTS", 3)
    assert "more than 3 objects" in refused().message


def test_a_listing_without_end_is_refused(storage: Buckets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_client_module, "MAX_PAGES", 5)
    storage.is_endless = True
    assert "a listing that does not end" in refused().message
    assert len(storage.requests) == 5


def test_without_credentials_nothing_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.delenv("GOOGLE_OAUTH_ACCESS_TOKEN", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "absent.json"))
    found = refused()
    assert "no Google credentials" in found.message
    assert "gcloud auth application-default login" in (found.hint or "")


@pytest.mark.parametrize("address", ["://", "http://", "ftp://host", "http://user:secret@host", "http://a b"])
def test_an_emulator_that_is_not_an_address_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
    found = refused().render()
    assert "STORAGE_EMULATOR_HOST is not an address" in found
    assert "secret" not in found


def test_one_list_holds_models_of_the_hub_and_own_weights(hub: StandIn, storage: Buckets, tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.write_text(f"models:\n  - stand-in/sharded\n  - {{id: {ID}, name: support}}\n")
    told = Told()
    lines, error = write_lock(load_request(path, "models.yaml"), path, (), told)
    assert error is None
    assert lines[-1] == "wrote models.lock.yaml: 2 models"
    assert [each.split()[0] for each in told.begun] == ["1", "1"]
    held = parse_lock((tmp_path / "models.lock.yaml").read_text(), "lock")
    assert held.get(ID, "main") is not None
