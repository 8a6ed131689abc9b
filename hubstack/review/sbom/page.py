# SPDX-License-Identifier: Apache-2.0
"""The transparency page as HTML or Markdown.

Owns the layout. Texts from the Hub are hostile: HTML is escaped by the template, Markdown by
`hubstack.files.markdown`. The page runs no script and asks for nothing from any network.
"""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from hubstack.files.escape import markdown as escape
from hubstack.files.terminal import shown_in_page
from hubstack.plan import Plan
from hubstack.review.sbom.transparency import Section


def html_text(plan: Plan, parts: tuple[Section, ...]) -> str:
    """Return the page as HTML that stands alone."""
    return _template().render(target=plan.target, count=len(plan.models), parts=parts)


def markdown_text(plan: Plan, parts: tuple[Section, ...]) -> str:
    """Return the page as Markdown with tables."""
    target = plan.target
    text = [f"# {escape(target.stack)}", "", f"Written by `hubstack sbom`. {len(plan.models)} models.", ""]
    for part in parts:
        text += [f"## {part.title}", ""]
        text += [f"- {escape(line)}" for line in part.lines] + ([""] if part.lines else [])
        if part.rows:
            rows = [part.columns, tuple("---" for _ in part.columns)]
            rows += [tuple(escape(cell) for cell in row) for row in part.rows]
            text += [f"| {' | '.join(row)} |" for row in rows] + [""]
    return "\n".join(text).rstrip() + "\n"


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("hubstack.review.sbom", ""), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, finalize=shown_in_page,
    )  # fmt: skip
    return environment.get_template("page.html.jinja")
