# SPDX-License-Identifier: Apache-2.0
"""Safe output to terminals and pages: untrusted text cannot control the terminal.

Owns the console and the page filter that escape control and format characters. Does not own which characters those
are (`hubstack.files.escape`).
"""

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from hubstack.files.escape import visible


class SafeConsole(Console):
    """A console that escapes control characters."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render with escaped text; all output passes through here, including tables."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text == "\n":
                yield segment
            else:
                yield Segment(visible(segment.text, keep="\n"), segment.style)


def shown_in_page(value: object) -> object:
    """Return a value with hidden characters escaped; jinja's `finalize`, which runs before HTML escaping."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return visible(value, keep="\n\t")
