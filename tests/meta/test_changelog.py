# SPDX-License-Identifier: Apache-2.0
"""Changelog fragments become release notes, and every fragment that is there is named as it must be."""

from pathlib import Path

import pytest

from tools import changelog

PROJECT = Path(__file__).resolve().parents[2]


def test_the_fragments_of_the_project_are_named_as_they_must_be() -> None:
    changelog.fragments(PROJECT / "changelog.d")


def test_a_release_takes_every_fragment_in_the_order_of_kinds(tmp_path: Path) -> None:
    folder = tmp_path / "changelog.d"
    folder.mkdir()
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n## 0.1.0\n\nold\n")
    (folder / "b.fixed.md").write_text("A mended thing.\n")
    (folder / "a.breaking.md").write_text("A changed key. What to do: rename it.\n")
    changelog.main("0.2.0", tmp_path)
    text = (tmp_path / "CHANGELOG.md").read_text()
    assert text.index("### Breaking\n\n- A changed key. What to do: rename it.") < text.index(
        "### Fixed\n\n- A mended thing."
    )
    assert text.index("## Unreleased") < text.index("## 0.2.0") < text.index("## 0.1.0")
    assert not list(folder.iterdir())


def test_a_fragment_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.nice.md").write_text("x")
    with pytest.raises(ValueError, match=r"a\.nice\.md: must be named NAME\.KIND\.md"):
        changelog.fragments(tmp_path)


@pytest.mark.parametrize(
    "text", ["A changed key.", "A changed key. What to do:", "A changed key. what to do: rename it"]
)
def test_a_breaking_change_that_does_not_say_what_to_do_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.breaking.md").write_text(text)
    with pytest.raises(ValueError, match=r"a\.breaking\.md: has no sentence that starts with `What to do:`"):
        changelog.fragments(tmp_path)
    (tmp_path / "a.breaking.md").rename(tmp_path / "a.changed.md")
    assert changelog.fragments(tmp_path)
