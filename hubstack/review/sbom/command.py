# SPDX-License-Identifier: Apache-2.0
"""`hubstack sbom`: read one environment's files and make its bill or its page. Owns the reading only."""

from collections.abc import Mapping
from pathlib import Path

from hubstack.catalog import load_catalog
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem
from hubstack.hub.facts import ModelFacts
from hubstack.plan import Plan
from hubstack.planner.planner import plan_stack, read_inputs
from hubstack.review.sbom.bom import bom_text
from hubstack.review.sbom.page import html_text, markdown_text
from hubstack.review.sbom.transparency import sections


def bill(project_dir: Path, stack: str, config: Mapping[str, str]) -> str:
    """Return the CycloneDX bill of a stack.

    Raises:
        InputError: with every problem of its files.
    """
    return bom_text(*_read(project_dir, stack, config))


def page(project_dir: Path, stack: str, config: Mapping[str, str], path: Path) -> str:
    """Return the transparency page of a stack, in the format that the file's name asks for.

    Raises:
        InputError: the name ends in neither `.html` nor `.md`, or the stack's files are wrong.
    """
    if path.suffix not in {".html", ".md"}:
        raise InputError([Problem(path=str(path), message="is no page", hint="end its name in .html or .md")])
    plan, facts = _read(project_dir, stack, config)
    write = html_text if path.suffix == ".html" else markdown_text
    return write(plan, sections(plan, facts))


def _read(project_dir: Path, stack: str, config: Mapping[str, str]) -> tuple[Plan, dict[str, ModelFacts]]:
    inputs = read_inputs(project_dir, stack, config)
    plan = plan_stack(inputs.request, inputs.lock, load_catalog(), inputs.target, inputs.placement)
    found = ((model.key, inputs.lock.get(model.id, model.revision)) for model in inputs.request.models)
    return plan, {key: facts for key, facts in found if facts is not None}
