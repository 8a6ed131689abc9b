# SPDX-License-Identifier: Apache-2.0
"""The list as people write it, rightly and wrongly. Messages are tested as they are printed."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hubstack.files.errors import InputError
from hubstack.inputs.models import Request, load_request
from hubstack.inputs.models_schema import Scaling
from hubstack.kinds import CapacityKind


def read(folder: Path, text: str | bytes, name: str = "dev.models.yaml") -> Request:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_request(path, name)


def refusal(folder: Path, text: str | bytes) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, text)
    return str(caught.value)


def test_a_string_is_a_model_with_every_default(tmp_path: Path) -> None:
    (model,) = read(tmp_path, "models: [Qwen/Qwen3-8B]").models
    assert (model.key, model.id, model.revision) == ("qwen3-8b", "Qwen/Qwen3-8B", "main")
    assert (model.settings.context, model.settings.concurrency) == (None, 2)
    assert (model.settings.replicas.min, model.settings.replicas.max) == (1, 1)
    assert [step.kind for step in model.settings.capacity] == [CapacityKind.ON_DEMAND]
    assert all(
        model.settings.is_default(key)
        for key in ("trust_remote_code", "allow_pickle", "allow_unsafe", "accelerator")
    )


def test_capacity_keeps_its_order_and_its_reservation(tmp_path: Path) -> None:
    (model,) = read(tmp_path, "models: [{id: a/b, capacity: [reservation: team-a, spot, on-demand]}]").models
    assert [(step.kind.value, step.reservation) for step in model.settings.capacity] == [
        ("reservation", "team-a"),
        ("spot", None),
        ("on-demand", None),
    ]


def test_a_reservation_has_a_machine_type_and_a_zone_and_may_be_of_another_project(tmp_path: Path) -> None:
    path = "projects/acme-central/reservations/team-a"
    text = f"models: [{{id: a/b, capacity: [{{reservation: {path}, machine_type: a3-highgpu-8g, zone: us-a1-b}}]}}]"
    (step,) = read(tmp_path, text).models[0].settings.capacity
    assert (step.reservation, step.machine_type, step.zones) == (path, "a3-highgpu-8g", ("us-a1-b",))


@pytest.mark.parametrize(
    "said", ["reservation: projects/acme/zones/z/reservations/r", "reservation: Team", "kind: spot, zone: us-a1-b"]
)
def test_what_names_no_reservation_is_refused(tmp_path: Path, said: str) -> None:
    with pytest.raises(InputError):
        read(tmp_path, f"models: [{{id: a/b, capacity: [{{{said}}}]}}]")


@given(st.permutations(["a/one", "a/two", "b/three", "b/four"]))
@settings(max_examples=20)
def test_the_order_of_the_list_changes_nothing(order: list[str]) -> None:
    import tempfile  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        models = read(Path(folder), yaml.safe_dump({"models": order})).models
    assert [model.key for model in models] == ["four", "one", "three", "two"]


def test_later_layers_win_over_earlier_ones(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        "defaults: {context: 1024, concurrency: 3, revision: v1}\n"
        "overrides: {b: {concurrency: 4}}\n"
        "models: [a/a, {id: a/b, context: 2048}, {id: a/c, context: 2048}]\n"
    )
    models = read(
        tmp_path,
        "extends: base.yaml\ndefaults: {revision: v2}\noverrides: {'*': {context: 4096}, c: {context: 512}}\n",
    ).models
    assert {m.key: (m.settings.context, m.settings.concurrency, m.revision) for m in models} == {
        "a": (4096, 3, "v2"),
        "b": (4096, 4, "v2"),
        "c": (512, 3, "v2"),
    }


def test_scaling_merges_by_its_own_keys_over_the_defaults(tmp_path: Path) -> None:
    text = (
        "defaults: {scaling: {queue: 9, idle_minutes: 60}}\n"
        "models: [{id: a/b, scaling: {kv_cache_percent: 50}}, a/c]\n"
        "overrides: {b: {scaling: {queue: 2}}}\n"
    )
    first, second = read(tmp_path, text).models
    assert first.settings.scaling == Scaling(queue=2, kv_cache_percent=50, idle_minutes=60)
    assert second.settings.scaling == Scaling(queue=9, kv_cache_percent=80, idle_minutes=60)


def test_replicas_merge_by_their_own_keys(tmp_path: Path) -> None:
    text = (
        "defaults: {replicas: {max: 5}}\n"
        "models: [{id: a/b, replicas: {min: 2}}]\n"
        "overrides: {b: {replicas: {min: 0}}}\n"
    )
    (model,) = read(tmp_path, text).models
    assert (model.settings.replicas.min, model.settings.replicas.max) == (0, 5)


def test_a_problem_in_the_base_names_the_base(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("models:\n- id: a/b\n  contxt: 3\n")
    assert refusal(tmp_path, "extends: base.yaml").startswith("base.yaml:3:3: unknown key `contxt`")


RENDERED = {
    "models:\n- id: a/b\n  contxt: 5\n": (
        "dev.models.yaml:3:3: unknown key `contxt`\n      contxt: 5\n      ^\n    hint: did you mean `context`?"
    ),
    "models:\n- a//b\n": (
        "dev.models.yaml:2:3: `a//b` is not a Hub ID: write it as `owner/name`\n    - a//b\n      ^\n"
        "    hint: use `owner/name`, as in the URL of the model page: `Qwen/Qwen3-8B`"
    ),
    "models: [a/b]\nmodels: [c/d]\n": (
        "dev.models.yaml:2:1: duplicate key `models`\n    models: [c/d]\n    ^\n    hint: first defined on line 1"
    ),
    "models:\n- id: a/b\n  replicas: {min: 3, max: 2}\n": (
        "dev.models.yaml:3:13: replicas of `b`: min 3 is above max 2\n      replicas: {min: 3, max: 2}\n"
        "                ^\n    hint: raise `max`, or lower `min`"
    ),
    "models:\n- id: a/b\n  scaling: {queue: 0, idle_minute: 5}\n": (
        "dev.models.yaml:3:20: `models.scaling.queue` must be at least 1, not `0`\n"
        "      scaling: {queue: 0, idle_minute: 5}\n                       ^\n"
        "    hint: `queue`: Queued requests per replica, on average, above which a replica is added\n"
        "dev.models.yaml:3:23: unknown key `idle_minute`\n      scaling: {queue: 0, idle_minute: 5}\n"
        "                          ^\n    hint: did you mean `idle_minutes`?"
    ),
    "models: [a/x, b/x]\n": (
        "dev.models.yaml:1:15: two models have the key `x` (first used at dev.models.yaml:1)\n"
        "    models: [a/x, b/x]\n                  ^\n    hint: give one of them a different `name:`"
    ),
    "models: [a/b]\noverrides: {bb: {context: 512}}\n": (
        "dev.models.yaml:2:13: no model in the list has the key `bb`\n    overrides: {bb: {context: 512}}\n"
        "                ^\n    hint: did you mean `b`?"
    ),
    "models:\n- id: a/b\n  trust_remote_code: yes please\n": (
        'dev.models.yaml:3:22: `models.trust_remote_code` must be true or false, not `"yes please"`\n'
        "      trust_remote_code: yes please\n                         ^\n"
        "    hint: `trust_remote_code`: Allow the engine to run Python code from the repository"
    ),
    "": "dev.models.yaml: is empty: no models listed\n    hint: for example `models: [Qwen/Qwen3-8B]`; "
    "see docs/reference/models.md",
}


@pytest.mark.parametrize("text", sorted(RENDERED))
def test_a_problem_is_shown_with_place_caret_and_hint(text: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, text) == RENDERED[text]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models:\n\t- a/b\n", "2:1: a tab: YAML allows only spaces"),
        ("models:\n- id: a/b\n\tcontext: 3\n", "a tab"),
        ("a: &a [1]\nmodels: [*a]\n", "2:10: an alias"),
        ("a: &a [*a]\n", "an alias"),
        ("models: [a/b\n", "is not YAML"),
        ("models: [12]\n", "`models` must be a mapping (`key: value` lines), not `12`"),
        ("models: a/b\n", "must be a list"),
        ("[1, 2]\n", "the file must be a mapping"),
        ("? [1]\n: 2\n", "a key must be a plain word"),
        ("models: [a/b]\n---\nmodels: [c/d]\n", "2:1: a second document"),
        (b"\xff\xfe\x00models", "is UTF-16 text"),
        (b"models: [a/b]\x00", "1:14: NUL"),
        ("models: [{id: a/b, name: kubernetes}]", "is reserved by Kubernetes, an engine or the stack itself"),
        ("models: [{id: a/b, capacity: [sopt]}]", "did you mean `spot`?"),
        ("models: [{id: a/b, engine: vlm}]", "did you mean `vllm`?"),
        ("models: [{id: a/b, scaling: fast}]", "`models.scaling` must be a mapping"),
        ("models: [{id: a/b, scaling: {kv_cache_percent: 101}}]", "must be at most 100"),
        ("models: [{id: a/b, scaling: {kv_cache_percent: 0.8}}]", "must be a whole number"),
        ("models: [{id: a/b, scaling: {idle_minutes: 0}}]", "must be at least 1"),
        ("models: [a/b]\noverrides: {b: {scaling: {que: 3}}}", "did you mean `queue`?"),
        ("models: [{id: a/b, loading: gcsfus}]", "did you mean `gcsfuse`?"),
        ("models: [{id: a/b, loading: 3}]", "`models.loading` must be one of auto"),
        ("models: [{id: a/b, cache: anywere}]", "did you mean `anywhere`?"),
        ("models: [{id: a/b, keep_previous: maybe}]", "must be true or false"),
        ("extends: nowhere.yaml", "1:10: `nowhere.yaml` cannot be read: there is no such file"),
        ("extends: dev.models.yaml", "circular `extends:`"),
        ("x: " + "[" * 3000, "nested deeper than 64 levels"),
    ],
)
def test_bad_input_is_refused_in_words(text: str | bytes, message: str, tmp_path: Path) -> None:
    assert message in refusal(tmp_path, text)


def test_nine_levels_of_aliases_are_refused_at_once(tmp_path: Path) -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(9)
    )
    assert refusal(tmp_path, bomb).count("an alias") == 1


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbfmodels:\r\n- a/b\r\n").models[0].key == "b"


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_request(tmp_path)


WORDS = st.sampled_from(
    [
        "models",
        "id",
        "a/b",
        "name",
        "context",
        "replicas",
        "min",
        "1",
        "-3",
        "true",
        "null",
        "capacity",
        "spot",
        "overrides",
        "*",
        "defaults",
        "&a",
        "*a",
        "{",
        "[",
        "\t",
        "é",
    ]
)
YAMLISH = st.recursive(WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3))


@given(YAMLISH.map(yaml.safe_dump) | st.text(max_size=60) | st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_or_refused_and_never_a_traceback(text: str | bytes) -> None:
    import tempfile  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        try:
            assert read(Path(folder), text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
        except InputError as error:
            assert str(error).startswith("dev.models.yaml")  # noqa: PT017  either way is fine


def test_replicas_of_another_file_that_limit_a_batch_are_named_with_that_file(tmp_path: Path) -> None:
    batch = "batch: {input: gs://acme-in/a.jsonl, output: gs://acme-in/out, parts: 8, parallel: 4}"
    (tmp_path / "base.yaml").write_text(f"models: [{{id: a/b, replicas: {{max: 4}}, {batch}}}]\n")
    said = refusal(tmp_path, "extends: base.yaml\noverrides: {'*': {replicas: {min: 0, max: 1}}}")
    assert "`b` has at most 1 replica\n" in said
    assert "set `replicas: {max: 4}` for `b` in dev.models.yaml, whose `replicas` apply" in said
