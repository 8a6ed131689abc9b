# SPDX-License-Identifier: Apache-2.0
"""What reaches a terminal: texts of lists, locks and the Hub are hostile, and none of them may steer it.

Owns the console that shows control and format characters as text, and JSON that holds none. What counts as such a
character is said by `hubstack.files.problems.visible`.
"""

import re
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from hubstack.files.problems import visible

_HIDDEN = re.compile("[\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


class SafeConsole(Console):
    """A console that shows what could steer a terminal."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render anything; every text passes here, in tables too."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text == "\n":
                yield segment
            else:
                yield Segment(visible(segment.text, keep="\n"), segment.style)


def safe_json(text: str) -> str:
    """Return JSON text with hidden characters as escapes; JSON itself escapes those below the space."""
    text = text.replace("##[", "\\u0023#[")  # a command to GitHub's runner: `hubstack.files.problems.inert`
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def shown_in_page(value: object) -> object:
    """Return a value as a page shows it; for jinja's `finalize`, which escapes HTML after it."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return visible(value, keep="\n\t")
