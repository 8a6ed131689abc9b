# SPDX-License-Identifier: Apache-2.0
"""A change as a terminal, a comment or a page shows it. Owns the layout only: every figure is the change's."""

from hubstack.change.render.html import html_text
from hubstack.change.render.markdown import MAX_BYTES, markdown_text
from hubstack.change.render.sections import Report, Section, report
from hubstack.change.render.terminal import terminal_parts

__all__ = ["MAX_BYTES", "Report", "Section", "html_text", "markdown_text", "report", "terminal_parts"]
