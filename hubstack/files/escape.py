# SPDX-License-Identifier: Apache-2.0
r"""Text that other people wrote, made harmless for where it is shown: a terminal, a CI log, Markdown, JSON.

Owns what counts as invisible, which lines a CI runner obeys, and what Markdown turns into links, mentions and
markup. Lists, locks, the Hub, pull requests and other programs' errors are hostile; every output passes here. The
weights job runs without this package and has a short copy of its own (`hubstack.deploy.weights_job`).
"""

import re
from html import escape as escape_html

_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U00013441\U00013442\U00016fe4\U0001d159\U000e0100-\U000e01ef]"
)
"""Printable by Python's rule, yet drawn as nothing or as a blank: fillers, variation selectors, the Braille blank
(Unicode 16: Default_Ignorable_Code_Point, less what is not printable anyway, and blanks of category Lo and So)."""
_COMMANDS = (
    (re.compile(r"(?m)^([^\S\n]*):(?=:)"), r"\1\\x3a"),
    (re.compile(r"##(?=[\w.-]*\[)"), r"\\x23#"),
    (re.compile(r"section_(?=(?:start|end):)"), r"section\\x5f"),
)
"""What runners obey: `::name` at the start of a line, after spaces too, and `##[` anywhere in it (GitHub:
actions/runner src/Runner.Common/ActionCommand.cs); `##vso[` and `##teamcity[` anywhere (Azure Pipelines, TeamCity);
`section_start:` (GitLab). Read 2026-11."""
_BREAK = "<span></span>"
"""An element that shows nothing: hosts look for mentions and references in one run of text."""
_REFERENCES = re.compile(
    r"@(?=\w)"  # @name, @org/team, owner/repo@commit, an address of e-mail
    r"|#(?=\w)|(?<=[Gg][Hh])-(?=\d)"  # #12, owner/repo#3, GH-12
    r'|[!$%~](?=[\w"])|&amp;(?=\w)|\[(?=\w+:)'  # GitLab: !12, $12, %"1.0", ~label, &12, [vulnerability:12]
    r"|:(?=//)|(?<=www)(?=\.)|(?<=mailto):|(?<=xmpp):"  # addresses
    r"|:(?=(?:[A-Za-z][\w+-]*|[+-]1|100|1234):)"  # :emoji:, and not file:line:column:
)
_MARKUP = re.compile(r"([\\`*_\[\]|~!#$])")


def visible(text: str, keep: str = "") -> str:
    r"""Return the text with every character that could steer a terminal, or hide, as `\x1b` or `\u202e`.

    Those are all that Python calls not printable: control and format characters (escape sequences, bidirectional
    overrides, zero-width characters, tags), separators other than the space, surrogates, what is unassigned; and
    the printable ones that nobody sees.
    """
    if text.isprintable() and not _BLANK.search(text):
        return text
    return "".join(char if char in keep or not is_hidden(char) else _escaped(char) for char in text)


def is_hidden(char: str) -> bool:
    """Return whether a character is drawn as nothing, or steers what draws it."""
    return not char.isprintable() or _BLANK.match(char) is not None


def escape_ci_commands(text: str) -> str:
    """Return printed lines of which none is a command to the CI that shows them."""
    for pattern, shown in _COMMANDS:
        text = pattern.sub(shown, text)
    return text


def for_log(text: str) -> str:
    """Return a text of several lines, fit for a terminal and for the log of a CI."""
    return escape_ci_commands(visible(text, keep="\n\t"))


def markdown(text: str) -> str:
    """Return a text that a host's Markdown shows as it is, on one line: no markup, link, mention or command."""
    flat = visible(" ".join(text.split()))
    escaped = _MARKUP.sub(r"\\\1", escape_html(flat, quote=False))
    plain = _REFERENCES.sub(lambda found: f"{found[0]}{_BREAK}", escaped)
    # GitLab obeys a line that begins with a slash, as `/approve`.
    return f"\\{plain}" if plain.startswith("/") else plain


def markdown_code(text: str, *, in_table: bool = False) -> str:
    """Return a text as a code span of one line, in which neither Markdown nor a mention works."""
    plain = visible(" ".join(text.split()))
    plain = plain.replace("|", "\\|") if in_table else plain
    fence = "`" * (max((len(run) for run in re.findall("`+", plain)), default=0) + 1)
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{pad}{plain or '?'}{pad}{fence}"


def json_text(text: str) -> str:
    """Return JSON text with hidden characters as escapes; JSON itself escapes those below the space."""
    text = re.sub(r"##(?=[\w.-]*\[)", r"\\u0023#", text)
    text = re.sub(r"section_(?=(?:start|end):)", r"section\\u005f", text)
    return "".join(char if char < "\x7f" or not is_hidden(char) else _json_escaped(char) for char in text)


def _json_escaped(char: str) -> str:
    code = ord(char)
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


def _escaped(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
