# SPDX-License-Identifier: Apache-2.0
"""Renders a change for a terminal, a comment or a page. Owns the layout only; all figures come from the change."""

from hubstack.review.diff.render.html import html_text
from hubstack.review.diff.render.markdown import MAX_BYTES, markdown_text
from hubstack.review.diff.render.sections import Report, Section, report
from hubstack.review.diff.render.terminal import terminal_parts

__all__ = ["MAX_BYTES", "Report", "Section", "html_text", "markdown_text", "report", "terminal_parts"]
