# SPDX-License-Identifier: Apache-2.0
"""What a reviewer of an upgrade is told of a model at two commits."""

from typing import Any

import pytest

from hubstack.files.escape import markdown_code as code
from hubstack.hub.facts import FileFacts, ModelFacts, SecurityFacts
from hubstack.hub.file_changes import FileMove, changed_files
from hubstack.hub.upgrade_page import MAX_FILES, upgrade_page

OLD, NEW = "1" * 40, "2" * 40


def file(path: str, size: int = 1, **hashes: str) -> FileFacts:
    return FileFacts(path=path, size_bytes=size, **hashes)


def facts(commit: str, *files: FileFacts, **fields: Any) -> ModelFacts:
    return ModelFacts(**{"id": "a/m", "revision": "main", "commit": commit, "files": files, **fields})


def page(before: ModelFacts, after: ModelFacts) -> str:
    return upgrade_page([before], [after], {("a/m", "main"): ["chat"]})


def test_files_are_compared_by_hash_and_by_size_where_there_is_none() -> None:
    before = facts(
        OLD,
        file("gone"),
        file("same", sha256="a"),
        file("hash", sha256="a"),
        file("size", 1),
        file("unknown"),
        file("git", git_oid="a"),
        file("became-lfs", git_oid="a"),
    )
    after = facts(
        NEW,
        file("new"),
        file("same", sha256="a"),
        file("hash", sha256="b"),
        file("size", 2),
        file("unknown"),
        file("git", git_oid="b"),
        file("became-lfs", sha256="a"),
    )
    assert {change.path: change.move for change in changed_files(before.files, after.files)} == {
        "became-lfs": FileMove.UNKNOWN,
        "git": FileMove.CHANGED,
        "gone": FileMove.REMOVED,
        "hash": FileMove.CHANGED,
        "new": FileMove.ADDED,
        "size": FileMove.CHANGED,
        "unknown": FileMove.UNKNOWN,
    }


def test_the_page_tells_commits_files_licence_gate_code_and_scan() -> None:
    before = facts(OLD, file("w.safetensors", 10, sha256="a"), license="mit")
    after = facts(
        NEW,
        file("w.safetensors", 2000, sha256="b"),
        file("modeling.py", 5, git_oid="c"),
        license="other",
        license_name="made-up",
        gated="manual",
        custom_code=True,
        security=SecurityFacts(issues={"w": "unsafe"}),
    )
    assert page(before, after) == (
        "# What the Hub changed\n\nModels: 1 moved to another commit.\n\n## `a/m` (`chat`)\n\n"
        "`111111111111` → `222222222222`\n\n"
        "- **licence**: `mit` → `other` (`made-up`)\n"
        "- **gate**: open → gated (`manual`)\n"
        "- **custom code**: added\n"
        "- **security scan**: not reported → `w` `unsafe`\n"
        "- chat template: as before\n\n"
        "| file | | before | after |\n| --- | --- | ---: | ---: |\n"
        "| `modeling.py` | added |  | 5 |\n"
        "| `w.safetensors` | changed | 10 | 2,000 |\n"
    )


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (file("chat_template.jinja", git_oid="a"), file("chat_template.jinja", git_oid="b"), "**changed**"),
        (file("x/chat_template.json", 1), file("x/chat_template.json", 2), "**changed**"),
        (file("tokenizer_config.json", 1), file("tokenizer_config.json", 2), "may have changed"),
        (file("tokenizer_config.json"), file("tokenizer_config.json"), "unknown: no hash"),
        (file("config.json", 1), file("config.json", 2), "as before"),
    ],
)
def test_the_chat_template_is_said_to_change_only_where_that_is_known(
    before: FileFacts, after: FileFacts, said: str
) -> None:
    assert f"- chat template: {said}" in page(facts(OLD, before), facts(NEW, after))


def test_without_a_list_of_files_nothing_is_claimed_of_them() -> None:
    text = page(facts(OLD), facts(NEW, file("x")))
    assert "so what changed is unknown" in text
    assert "- chat template: unknown" in text


def test_a_scan_that_is_newer_at_the_same_commit_is_told() -> None:
    text = page(facts(OLD), facts(OLD, security=SecurityFacts(scans_done=True, issues={"x.bin": "suspicious"})))
    assert "1 new facts at the same commit" in text
    assert "not reported → `x.bin` `suspicious`" in text


def test_new_and_dropped_models_are_told() -> None:
    text = upgrade_page([facts(OLD, id="a/gone")], [facts(NEW, file("x", 7), license="mit")], {})
    assert "Models: 1 new, 1 dropped." in text
    assert "- files: 1, 7 bytes" in text
    assert "## No longer in the list\n\n- `a/gone`\n" in text


def test_nothing_changed_is_said_so() -> None:
    assert page(facts(OLD), facts(OLD)) == "# What the Hub changed\n\nNothing changed.\n"


def test_the_order_of_models_and_files_does_not_matter() -> None:
    one, two = facts(OLD, file("a"), file("b"), id="a/1"), facts(OLD, id="a/2")
    moved = facts(NEW, file("c"), file("d"), id="a/1")
    turned = facts(NEW, file("d"), file("c"), id="a/1")
    assert upgrade_page([one, two], [moved, two], {}) == upgrade_page([two, one], [two, turned], {})


def test_many_files_are_counted_not_listed() -> None:
    text = page(facts(OLD, file("a")), facts(NEW, *(file(f"{n:03}") for n in range(MAX_FILES + 9))))
    assert "and 10 more files." in text, "the one that is gone counts too"
    assert text.count("| added |") == MAX_FILES


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "`plain`"),
        ("a`b", "``a`b``"),
        ("`a", "`` `a ``"),
        ("a\n# heading", "`a # heading`"),
        ("a\u202eb", r"`a\u202eb`"),
        ("", "`?`"),
    ],
)
def test_other_peoples_words_cannot_leave_their_code_span(text: str, shown: str) -> None:
    assert code(text) == shown


def test_a_path_cannot_leave_its_cell_of_the_table() -> None:
    text = page(facts(OLD, file("a")), facts(NEW, file("x|y\n@everyone"), file("a")))
    assert "| `x\\|y @everyone` | added |" in text
