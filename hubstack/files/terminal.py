# SPDX-License-Identifier: Apache-2.0
"""What reaches a terminal: texts of lists, locks and the Hub are hostile, and none of them may steer it.

Owns the console and the pages' filter that show control and format characters as text; `hubstack.files.escape` says
which those are.
"""

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from hubstack.files.escape import visible


class SafeConsole(Console):
    """A console that shows what could steer a terminal."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render anything; every text passes here, in tables too."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text == "\n":
                yield segment
            else:
                yield Segment(visible(segment.text, keep="\n"), segment.style)


def shown_in_page(value: object) -> object:
    """Return a value as a page shows it; for jinja's `finalize`, which escapes HTML after it."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return visible(value, keep="\n\t")
