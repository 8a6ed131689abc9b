# SPDX-License-Identifier: Apache-2.0
"""The lock as text: it comes back as it went in, and what is wrong with it is said with line and column."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubstack.files.errors import InputError, LockError
from hubstack.files.write import write_text_atomically
from hubstack.hub.facts import FileFacts, ModelFacts, SecurityFacts
from hubstack.hub.lock import MAX_BYTES, Lock, StaleEntry, check_fresh, load_lock, lock_key, parse_lock, render_lock
from hubstack.inputs.hub_names import path_problem, revision_problem

COMMIT = "b968826d9c46dd6066d109eabc6255188de91218"
FACTS = ModelFacts(
    id="Qwen/Qwen3-8B",
    revision="main",
    commit=COMMIT,
    license="apache-2.0",
    parameters={"BF16": 8190735360},
    parameters_total=8190735360,
    config={"hidden_size": 4096},
    files=(
        FileFacts(path="config.json", size_bytes=728, git_oid="31553d63b8f18df5d6d440860751533ada3759e4"),
        FileFacts(path="model.safetensors", size_bytes=10**9, sha256="d8" * 32),
    ),
)

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
tricky = words | st.sampled_from(
    ["null", "~", "yes", "1e5", "0o7", "<<", "=", "2024-01-01", "- a", "a: b", "*x", "&x"]
)
ids = st.from_regex(r"[A-Za-z0-9_]{1,8}(/[A-Za-z0-9_]{1,8})?", fullmatch=True) | st.just("null") | st.just("1e5")
revisions = tricky.filter(lambda text: revision_problem(text) is None)
paths = tricky.filter(lambda text: path_problem(text) is None)
hexes = st.text("0123456789abcdef", min_size=40, max_size=40)
sha256s = st.text("0123456789abcdef", min_size=64, max_size=64)
numbers = st.integers(min_value=0, max_value=10**15)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | tricky
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(tricky, inner, max_size=3), max_leaves=8
)
files = st.lists(
    st.builds(FileFacts, path=paths, size_bytes=numbers, sha256=st.none() | sha256s, git_oid=st.none() | hexes),
    unique_by=lambda file: file.path,
    max_size=4,
)
facts = st.builds(
    ModelFacts,
    id=ids,
    revision=revisions,
    commit=hexes,
    replaced=st.none() | hexes,
    asked_id=st.none() | ids,
    pipeline_tag=st.none() | tricky,
    library=st.none() | tricky,
    license=st.none() | tricky,
    license_name=st.none() | tricky,
    base_models=st.lists(tricky, max_size=2).map(tuple),
    datasets=st.lists(tricky, max_size=2).map(tuple),
    gated=st.none() | tricky,
    custom_code=st.booleans(),
    security=st.builds(
        SecurityFacts, scans_done=st.none() | st.booleans(), issues=st.dictionaries(paths, tricky, max_size=2)
    ),
    parameters=st.dictionaries(tricky, numbers, max_size=3),
    parameters_total=st.none() | numbers,
    config=st.dictionaries(tricky, values, max_size=4),
    quantization=st.dictionaries(tricky, values, max_size=2),
    files=files.map(lambda found: tuple(sorted(found, key=lambda file: file.path))),
)


@given(st.lists(facts, unique_by=lock_key, max_size=3), st.randoms())
def test_a_lock_comes_back_as_it_went_in_in_whatever_order(models: list[ModelFacts], random) -> None:
    text = render_lock(models)
    assert list(parse_lock(text, "lock").models) == sorted(models, key=lock_key)
    shuffled = [replace(model, files=tuple(random.sample(model.files, len(model.files)))) for model in models]
    random.shuffle(shuffled)
    assert render_lock(shuffled) == text


def test_what_a_model_was_made_from_stands_in_the_lock_only_where_the_card_says_it() -> None:
    assert "base_models" not in render_lock([FACTS])
    text = render_lock([replace(FACTS, base_models=("a/b",), datasets=("c/d", "e"))])
    assert "  base_models: [a/b]\n  datasets: [c/d, e]\n" in text


def test_the_text_is_this() -> None:
    assert render_lock([FACTS]).splitlines()[2:] == [
        "format: 2",
        "models:",
        "- id: Qwen/Qwen3-8B",
        "  revision: main",
        f"  commit: {COMMIT}",
        "  license: apache-2.0",
        "  parameters:",
        "    BF16: 8190735360",
        "  parameters_total: 8190735360",
        "  config:",
        "    hidden_size: 4096",
        "  files:",
        "    config.json: {size_bytes: 728, git_oid: 31553d63b8f18df5d6d440860751533ada3759e4}",
        f"    model.safetensors: {{size_bytes: 1000000000, sha256: {'d8' * 32}}}",
        "  content: sha256:ea56c834ad1009994701383900983589cc675f2d02c065a34d9d194fa4bcf2b4",
    ]


def test_two_different_facts_of_one_model_are_never_written() -> None:
    with pytest.raises(ValueError, match="two models"):
        render_lock([FACTS, replace(FACTS, commit="0" * 40)])


HEAD = f"format: 1\nmodels:\n- id: a/b\n  revision: main\n  commit: {COMMIT}\n"


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", "lock:", "is empty"),
        ("- a\n", "lock:", "is not a lock"),
        ("models: []\n", "lock:1:1:", "the lock has no `format:`"),
        ("format: 4\nmodels: []\n", "lock:1:9:", "unknown lock format `4`"),
        ("format: true\nmodels: []\n", "lock:1:9:", "unknown lock format `true`"),
        ("format: one\nmodels: []\n", "lock:1:9:", 'unknown lock format `"one"`'),
        ("format: 1\n", "lock:1:1:", "`models` is missing"),
        ("format: 1\nmodels: a\n", "lock:2:9:", "`models` must be a list"),
        ("format: 1\nmodels:\n- id: a/b\n", "lock:3:3:", "`commit` is missing"),
        (HEAD.replace(COMMIT, "main"), "lock:5:11:", "`models.commit` may not be"),
        (HEAD + "  comit: x\n", "lock:6:3:", "unknown key `comit`"),
        (HEAD + "  files: [a]\n", "lock:6:10:", "`models.files` must be a mapping"),
        (HEAD + "  files:\n    a: {size_bytes: -1}\n", "lock:7:21:", "must be at least 0"),
        (HEAD + "  files:\n    a: {size_bytes: '1'}\n", "lock:7:21:", "must be a whole number"),
        (HEAD + "  parameters: {BF16: 1.5}\n", "lock:6:22:", "must be a whole number"),
        (HEAD + HEAD.split("models:\n")[1], "lock:6:3:", "locked twice (first on line 3)"),
        (HEAD + "  files:\n    a: {size_bytes: 1}\n    a: {size_bytes: 2}\n", "lock:8:5:", "duplicate key"),
        (HEAD + "\tlicense: mit\n", "lock:", "tab"),
        ("format: 1\nmodels: [\n", "lock:", "is not YAML"),
        ("<<<<<<< HEAD\nformat: 1\n=======\n>>>>>>> x\n", "lock:1:1:", "an unresolved merge"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "lock:2:8:", "an alias (`*name`)"),
        ("format: " + "[" * 5000, "lock:", ""),
    ],
)
def test_what_is_wrong_with_a_lock_is_said_with_its_place(text: str, place: str, message: str) -> None:
    with pytest.raises(LockError) as caught:
        parse_lock(text, "lock")
    assert str(caught.value).startswith(place)
    assert message in str(caught.value)
    assert "hubstack" in str(caught.value), "every message says what to do"


EDITED = render_lock([FACTS, replace(FACTS, id="a/b")]).replace("license: apache-2.0", "license: mit", 1)


def test_an_entry_that_was_edited_is_refused_at_its_place_and_no_other_is() -> None:
    with pytest.raises(LockError) as caught:
        parse_lock(EDITED, "lock")
    (problem,) = caught.value.problems
    assert problem.line == EDITED.split("\n").index(next(li for li in EDITED.split("\n") if "content:" in li)) + 1
    assert "`Qwen/Qwen3-8B` was edited" in problem.message
    assert "hubstack lock --upgrade Qwen/Qwen3-8B" in (problem.hint or "")


def test_an_edited_entry_is_read_by_who_locks_it_anew() -> None:
    assert len(parse_lock(EDITED, "lock", {("Qwen/Qwen3-8B", "main")}).models) == 2
    with pytest.raises(LockError, match="was edited"):
        parse_lock(EDITED, "lock", {("a/b", "main")})


def test_layout_order_and_comments_are_no_edit_and_two_branches_merge() -> None:
    head, first, second = (
        render_lock([FACTS, replace(FACTS, id="a/b")]).partition("- id: Qwen")[0],
        *("- id:" + part for part in render_lock([FACTS, replace(FACTS, id="a/b")]).split("- id:")[1:]),
    )
    assert (
        len(parse_lock(head.split("- id")[0] + "# reviewed\n" + second + first.replace(": ", ":  "), "lock").models)
        == 2
    )


def test_a_lock_of_the_first_format_is_read_as_it_is() -> None:
    text = re.sub(r"  content: .*\n", "", render_lock([FACTS]).replace("format: 2", "format: 1"))
    assert parse_lock(text, "lock").models == (FACTS,)
    with pytest.raises(LockError, match="was edited"):
        parse_lock(text.replace("format: 1", "format: 2"), "lock")


def test_a_thousand_models_of_a_hundred_files_fit_into_a_lock(tmp_path: Path) -> None:
    files = tuple(
        FileFacts(path=f"model-{n:05d}-of-00100.safetensors", size_bytes=10**9, sha256="d8" * 32)
        for n in range(100)
    )
    assert len(render_lock([replace(FACTS, files=files)])) * 1000 < MAX_BYTES


def test_all_problems_of_a_lock_are_told_at_once() -> None:
    with pytest.raises(LockError) as caught:
        parse_lock("format: 1\nmodels:\n- id: a/b\n- id: c/d\n", "lock")
    assert len(caught.value.problems) == 4


def test_a_missing_lock_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(LockError, match=r"x\.lock: cannot be read: there is no such file\n.*run `hubstack lock`"):
        load_lock(tmp_path / "x.lock", "x.lock")


def test_a_lock_is_found_by_the_asked_id_before_the_new_one() -> None:
    new = replace(FACTS, id="a/new", commit="1" * 40)
    old = replace(FACTS, id="a/new", asked_id="a/old", commit="2" * 40)
    lock = Lock(path="lock", models=(new, old))
    assert lock.get("a/old", "main") == old
    assert lock.get("a/new", "main") == new
    assert Lock(path="lock", models=(old,)).get("a/new", "main") == old
    assert lock.get("a/new", "v1") is None


def test_freshness_names_what_is_missing_stale_and_extra() -> None:
    models = (FACTS, replace(FACTS, id="a/gone"), replace(FACTS, id="a/moved", revision="v1"))
    asked = [("Qwen/Qwen3-8B", "main"), ("a/moved", "v2"), ("a/unknown", "main")]
    found = check_fresh(Lock(path="lock", models=models), asked)
    assert found.missing == (("a/unknown", "main"),)
    assert found.stale == (StaleEntry(id="a/moved", revision="v2", locked_revisions=("v1",)),)
    assert found.extra == (("a/gone", "main"), ("a/moved", "v1"))
    assert not found.is_fresh
    assert check_fresh(Lock(path="lock", models=(FACTS,)), asked[:1]).is_fresh


def test_a_file_is_replaced_whole_and_keeps_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    write_text_atomically(path, "one\n")
    write_text_atomically(path, "two\n")
    assert path.read_text() == "two\n"
    assert [found.name for found in tmp_path.iterdir()] == ["x.yaml"]
    assert path.stat().st_mode & 0o444 == 0o444, "others of the team must be able to read it"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_text_atomically(tmp_path / "no" / "x.yaml", "text")


@pytest.mark.parametrize(
    "path",
    [
        "../../x",
        "/etc/passwd",
        "a//b",
        "a/./b",
        "a/",
        ".",
        "..",
        "",
        "a\\b",
        "C:/x",
        "a\x1b[2Jb",
        "a\nb",
        "a\x00b",
        "a\u202eb",
        "a\u200bb",
        "a\u3164b",
        "a\U000e0041b",
        "a\ufe0fb",
    ],
)
def test_a_path_that_leads_out_or_hides_is_refused_where_it_stands(path: str) -> None:
    for facts in (
        replace(FACTS, files=(FileFacts(path=path, size_bytes=1),)),
        replace(FACTS, security=SecurityFacts(issues={path: "unsafe"})),
    ):
        with pytest.raises(LockError) as refused:
            parse_lock(render_lock([facts]), "lock")
        shown = str(refused.value)
        assert "the file path" in shown
        assert re.match(r"lock:\d+:\d+: ", shown)
        assert [char for char in shown if not char.isprintable() and char != "\n"] == []


@pytest.mark.parametrize(
    "repo_id",
    ["../evil", "/a/b", "a/b/c", "a\x1bb/c", "a/b\n", "a\\b", "a/..", "-a/b", "a/\u202eb", "Qwen/Qw\u0435n3"],
)
@pytest.mark.parametrize("key", ["id", "asked_id"])
def test_an_id_that_the_hub_does_not_give_is_refused(repo_id: str, key: str) -> None:
    with pytest.raises(LockError, match="is not a Hub ID"):
        parse_lock(render_lock([replace(FACTS, **{key: repo_id})]), "lock")


@pytest.mark.parametrize("revision", ["a b", "../x", "/main", "a\x1b", "a\nb", "a\u202eb"])
def test_a_revision_that_git_does_not_take_is_refused(revision: str) -> None:
    with pytest.raises(LockError, match=r"lock:6:3: "):
        parse_lock(render_lock([replace(FACTS, revision=revision)]), "lock")


def test_a_pinned_revision_is_served_at_no_other_commit() -> None:
    with pytest.raises(LockError, match="not the one that `revision` names"):
        parse_lock(render_lock([replace(FACTS, revision="0" * 40)]), "lock")
