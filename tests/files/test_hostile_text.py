# SPDX-License-Identifier: Apache-2.0
"""Texts of lists, locks and the Hub reach no output with a meaning of their own: not a terminal, a page or a CI."""

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

from hubstack.cli import console
from hubstack.files.escape import escape_ci_commands, for_log, json_text, markdown, markdown_code, visible
from hubstack.files.problems import Problem
from hubstack.files.yaml_reader import read_every
from hubstack.hub.lock import load_lock, lock_key, render_lock
from hubstack.hub.upgrade_page import upgrade_page
from hubstack.review.diff import Change
from hubstack.review.diff.facts import FactChange, Topic
from hubstack.review.diff.render import html_text, markdown_text, report, terminal_parts
from hubstack.review.report.page import page_text
from tests.bad_input.runner import base_project, run
from tests.support.facts import llama, plan

HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07\x9b31m\u202eevil\u200b\n::set-output name=x::y\n##[error]boo\r\n"
    "<script>alert(1)</script><img src=x onerror=a()> ](javascript:alert(1)) [a](https://evil.example) | a | `x`"
    " ``` @everyone <!-- \u2028 www.evil.example ${{ secrets.TOKEN }}\n"
    "##vso[task.setvariable variable=x]y ##teamcity[buildStop comment='x'] section_start:1:x[collapsed=true]\n"
    "/approve\n\u3164 \u115f \u2800 a\ufe0f \U000e0101 \U000e0041 #12 org/repo#3 GH-7 !4 &5 [vulnerability:6]"
    " a@b.example :shipit:"
)


def assert_moves_no_terminal(text: str) -> None:
    assert [char for char in text if char not in "\n\t" and not char.isprintable()] == []
    assert [line for line in text.splitlines() if line.lstrip().startswith("::")] == []
    assert re.search(r"##[\w.]*\[|section_(start|end):", text) is None
    assert re.search("[\u115f\u2800\u3164\ufe0f\U000e0101]", text) is None


def assert_refers_to_nothing(comment: str) -> None:
    """No host finds a mention, a reference, an emoji or a quick action in what is not a code span."""
    text = re.sub(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", "", comment)
    assert re.search(r"@\w|#\w|GH-\d|[!~$%]\w|&amp;\w|\[\w+:\d|:shipit:", text.replace("\\", "")) is None
    assert [line for line in comment.splitlines() if line.lstrip().startswith("/")] == []


def assert_is_no_markup(page: str) -> None:
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "\u202e" not in page
    assert "\x1b" not in page


@pytest.mark.parametrize("part", [HOSTILE, Text(HOSTILE), "table"])
def test_what_is_printed_moves_no_terminal_and_commands_no_runner(
    part: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    if part == "table":
        part = Table(HOSTILE, box=None, pad_edge=False)
        part.add_row(HOSTILE)
    printed = io.StringIO()
    monkeypatch.setattr("sys.stdout", printed)
    console.print_parts(part)
    assert "evil" in printed.getvalue()
    assert_moves_no_terminal(printed.getvalue())


def test_json_says_the_same_and_shows_nothing_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    console.out(json.dumps({"a": HOSTILE}, ensure_ascii=False))
    shown = capsys.readouterr().out
    assert json.loads(shown) == {"a": HOSTILE}
    assert_moves_no_terminal(shown)


def test_a_problem_shows_what_it_quotes_and_nothing_moves() -> None:
    shown = Problem(
        path=f"a{HOSTILE}.yaml", line=1, column=4, message=HOSTILE, hint=HOSTILE, source_line=HOSTILE
    ).render()
    assert_moves_no_terminal(escape_ci_commands(shown))
    assert "\\x1b[2J" in shown
    assert "\\u202e" in shown


COMMANDS = ("plan dev", "explain dev qwen3-4b-instruct-2507", "plan dev --json", "sbom dev")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_hostile_card_in_the_lock_moves_nothing(command: str, tmp_path: Path) -> None:
    base_project(tmp_path)
    lock = tmp_path / "stacks" / "dev.models.lock.yaml"
    models = [
        replace(
            one, license=HOSTILE, license_name=HOSTILE, library=HOSTILE, base_models=(HOSTILE,), datasets=(HOSTILE,)
        )
        for one in load_lock(lock).models
    ]
    lock.write_text(render_lock(models))
    seen = run(tmp_path, "models", tuple(command.split()))
    assert seen.code == 0, seen.stderr
    assert_moves_no_terminal(seen.stdout + seen.stderr)


def test_a_line_of_the_list_that_is_a_runners_command_is_quoted_as_none(tmp_path: Path) -> None:
    base_project(tmp_path)
    (tmp_path / "stacks" / "dev.models.yaml").write_text("models:\n- Qwen/Qwen3-8B\n::add-mask::x: [\n")
    seen = run(tmp_path, "models")
    assert seen.code == 2
    assert_moves_no_terminal(seen.stderr)


def change_with_hostile_texts() -> Change:
    hub = (FactChange(key="m", topic=Topic.LICENSE, text=HOSTILE, is_risk=True),)
    return replace(_change(), hub=hub)


def _change() -> Change:
    from tests.review.diff.test_facts_and_gates import change  # noqa: PLC0415

    return change()


def test_a_comment_and_a_page_of_a_change_hold_no_markup_of_others() -> None:
    made = change_with_hostile_texts()
    comment = markdown_text(report(made))
    assert_is_no_markup(comment)
    assert re.search(r"(?<!\\)\]\(", comment) is None
    assert "@everyone" not in comment
    assert "https://" not in comment
    assert_refers_to_nothing(comment)
    assert "| a |" not in comment.replace("\\|", "")
    assert_is_no_markup(html_text(made, report(made)))


def test_a_change_on_a_terminal_moves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_parts(*terminal_parts(report(change_with_hostile_texts())))
    assert_moves_no_terminal(capsys.readouterr().out)


def test_a_page_of_a_plan_and_of_an_upgrade_hold_no_markup_of_others() -> None:
    facts = llama(license=HOSTILE, license_name=HOSTILE, base_models=(HOSTILE,))
    assert_is_no_markup(page_text(plan(facts)))
    page = upgrade_page([llama()], [replace(facts, commit="1" * 40)], {lock_key(facts): ["m"]})
    outside = re.sub(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", "", page)  # CommonMark's code spans
    assert len(outside) < len(page)
    assert_is_no_markup(outside)
    assert "@everyone" not in outside


def test_escapes_are_only_for_what_cannot_be_seen() -> None:
    assert visible("é 模型 🚀 ─ \\x1b") == "é 模型 🚀 ─ \\x1b"
    assert visible("a\tb\n", keep="\n") == "a\\x09b\n"
    assert escape_ci_commands("  ::x::y\n a ::b\n:c") == "  \\x3a:x::y\n a ::b\n:c"
    assert json_text('"é\u202e"') == '"é\\u202e"'


@pytest.mark.parametrize(
    "blank", ["\u3164", "\u115f", "\u1160", "\uffa0", "\u2800", "\ufe0f", "\U000e0101", "\u180e", "\u034f"]
)
def test_a_character_that_is_printable_and_draws_nothing_is_shown(blank: str) -> None:
    assert (
        visible(f"a{blank}b")
        == f"a\\{'U' if ord(blank) > 0xFFFF else 'u'}{ord(blank):0{8 if ord(blank) > 0xFFFF else 4}x}b"
    )
    assert blank not in markdown(f"a{blank}b") + markdown_code(f"a{blank}b")
    assert json.loads(json_text(json.dumps(blank, ensure_ascii=False))) == blank
    assert blank not in json_text(json.dumps(blank, ensure_ascii=False))


@pytest.mark.parametrize(
    "command",
    [
        "::error file=a::b",
        "  ::stop-commands::x",
        "x ##[group]y",
        "x ##vso[task.complete]",
        "##teamcity[message]",
        "section_start:1560896352:x\r\x1b[0K",
        "section_end:1:x",
    ],
)
def test_a_command_to_a_runner_is_not_obeyed_in_a_log_or_in_json(command: str) -> None:
    assert_moves_no_terminal(for_log(f"first\n{command}\n"))
    held = json_text(json.dumps([command], ensure_ascii=False, indent=1))
    assert_moves_no_terminal(held)
    assert json.loads(held) == [command]


def test_a_text_that_begins_like_a_quick_action_is_none() -> None:
    assert markdown("/approve") == "\\/approve"
    assert markdown("a\n/merge") == "a /merge"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("a{n}: &a{n} [*a{before}, *a{before}]", "too many values"),
        ("a{n}: &a{n} [*a{before}]", "nested deeper"),
        ("a{n}: &a{n} {{<<: *a{before}, k{n}: [*a{before}]}}", "nested deeper"),
    ],
)
def test_aliases_of_another_program_that_expand_without_end_are_refused(line: str, told: str) -> None:
    lines = ["a0: &a0 {k: [1]}", *(line.format(n=number, before=number - 1) for number in range(1, 100))]
    (values,) = read_every("\n".join(lines), 10_000)
    assert told in values.faults[0].message or "too many values" in values.faults[0].message


def test_an_alias_of_itself_or_of_nothing_is_refused() -> None:
    for text in ("a: &a [*a]", "a: *b", "a: {<<: 3}"):
        (values,) = read_every(text, 100)
        assert values.faults, text
