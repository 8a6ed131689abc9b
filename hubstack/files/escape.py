# SPDX-License-Identifier: Apache-2.0
r"""Escapes untrusted text for its output: a terminal, a CI log, Markdown or JSON.

Owns which characters are invisible, which lines a CI runner treats as commands, and what Markdown turns into links,
mentions and markup. Lists, locks, Hub metadata, pull requests and errors of other programs are untrusted; all
output is escaped here. The weights job runs without this package and has a short copy
(`hubstack.deploy.weights_job`).
"""

import re
from html import escape as escape_html

_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U00013441\U00013442\U00016fe4\U0001d159\U000e0100-\U000e01ef]"
)
"""Printable according to Python, but rendered as nothing or as a blank: fillers, variation selectors, the Braille
blank (Unicode 16: printable Default_Ignorable_Code_Point, and blanks of category Lo and So)."""
_COMMANDS = (
    (re.compile(r"(?m)^([^\S\n]*):(?=:)"), r"\1\\x3a"),
    (re.compile(r"##(?=[\w.-]*\[)"), r"\\x23#"),
    (re.compile(r"section_(?=(?:start|end):)"), r"section\\x5f"),
)
"""Commands of CI runners: `::name` at the start of a line, also after spaces, and `##[` anywhere in it (GitHub:
actions/runner src/Runner.Common/ActionCommand.cs); `##vso[` and `##teamcity[` anywhere (Azure Pipelines, TeamCity);
`section_start:` (GitLab). Read 2026-11."""
_BREAK = "<span></span>"
"""An element that renders as nothing and splits mentions and references, which hosts detect in continuous text."""
_REFERENCES = re.compile(
    r"@(?=\w)"  # @name, @org/team, owner/repo@commit, an address of e-mail
    r"|#(?=\w)|(?<=[Gg][Hh])-(?=\d)"  # #12, owner/repo#3, GH-12
    r'|[!$%~](?=[\w"])|&amp;(?=\w)|\[(?=\w+:)'  # GitLab: !12, $12, %"1.0", ~label, &12, [vulnerability:12]
    r"|:(?=//)|(?<=www)(?=\.)|(?<=mailto):|(?<=xmpp):"  # addresses
    r"|:(?=(?:[A-Za-z][\w+-]*|[+-]1|100|1234):)"  # :emoji:, and not file:line:column:
)
_MARKUP = re.compile(r"([\\`*_\[\]|~!#$])")


def visible(text: str, keep: str = "") -> str:
    r"""Return the text with invisible and control characters escaped, as in `\x1b` or `\u202e`.

    Escapes everything that Python considers not printable: control and format characters (escape sequences,
    bidirectional overrides, zero-width characters, tags), separators other than the space, surrogates and
    unassigned code points; also printable characters that render as nothing.
    """
    if text.isprintable() and not _BLANK.search(text):
        return text
    return "".join(char if char in keep or not is_hidden(char) else _escaped(char) for char in text)


def is_hidden(char: str) -> bool:
    """Return whether a character is invisible or controls the terminal."""
    return not char.isprintable() or _BLANK.match(char) is not None


def escape_ci_commands(text: str) -> str:
    """Return lines of output with CI commands escaped."""
    for pattern, shown in _COMMANDS:
        text = pattern.sub(shown, text)
    return text


def for_log(text: str) -> str:
    """Return multi-line text that is safe in a terminal and in a CI log."""
    return escape_ci_commands(visible(text, keep="\n\t"))


def markdown(text: str) -> str:
    """Return text as one line that Markdown renders literally, without markup, links, mentions or commands."""
    flat = visible(" ".join(text.split()))
    escaped = _MARKUP.sub(r"\\\1", escape_html(flat, quote=False))
    plain = _REFERENCES.sub(lambda found: f"{found[0]}{_BREAK}", escaped)
    # GitLab runs quick actions on lines that start with a slash, such as `/approve`.
    return f"\\{plain}" if plain.startswith("/") else plain


def markdown_code(text: str, *, in_table: bool = False) -> str:
    """Return text as a one-line code span, in which neither Markdown nor mentions have an effect."""
    plain = visible(" ".join(text.split()))
    plain = plain.replace("|", "\\|") if in_table else plain
    fence = "`" * (max((len(run) for run in re.findall("`+", plain)), default=0) + 1)
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{pad}{plain or '?'}{pad}{fence}"


def json_text(text: str) -> str:
    """Return JSON text with hidden characters escaped; JSON itself already escapes those below U+0020."""
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
