# SPDX-License-Identifier: Apache-2.0
"""`hubstack sbom`: the bill of materials of a stack, or its transparency page."""

from pathlib import Path

from hubstack.files.errors import InputError
from hubstack.files.problems import Problem
from hubstack.planner.inputs import StackInputs
from hubstack.planner.planner import plan_inputs
from hubstack.review.sbom.bom import bom_text
from hubstack.review.sbom.page import html_text, markdown_text
from hubstack.review.sbom.transparency import sections


def bill(inputs: StackInputs) -> str:
    """Return the CycloneDX bill of materials of a stack.

    Raises:
        InputError: the models cannot be planned; lists every problem.
    """
    return bom_text(plan_inputs(inputs), inputs.facts, inputs.companions)


def page(inputs: StackInputs, path: Path) -> str:
    """Return the transparency page of a stack, as HTML or Markdown by the file's suffix.

    Raises:
        InputError: the name ends in neither `.html` nor `.md`, or its models cannot be planned.
    """
    if path.suffix not in {".html", ".md"}:
        raise InputError(
            [Problem(path=str(path), message="must end in .html or .md", hint="as in `--page models.html`")]
        )
    plan = plan_inputs(inputs)
    write = html_text if path.suffix == ".html" else markdown_text
    return write(plan, sections(plan, inputs.facts, inputs.companions))
