# SPDX-License-Identifier: Apache-2.0
"""Adds the rows of a new release to engines.yaml and sources.yaml, as text: what is there stays."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

NOTE = "Read from its wheel; the tag follows the publisher's pattern and was not seen itself."


def add(catalog: Path, made: Mapping[str, Any], today: str) -> Iterator[str]:
    """Add a row for each version and each source that the catalogue lacks, and yield what was added.

    Args:
        catalog: folder of the catalogue.
        made: contents of `releases/`, by name.
        today: date of the sources, YYYY-MM-DD.
    """
    for name, facts in made.items():
        engine, _, version = name.removesuffix("_flags").rpartition("-")
        if "source" in facts and _add_source(catalog / "sources.yaml", facts["source"], engine, version, today):
            yield f"sources.yaml: {facts['source']}"
        if engine != "transformers" and _add_version(catalog / "engines.yaml", engine, version):
            yield f"engines.yaml: {engine} {version}"


def _add_source(file: Path, source: str, package: str, version: str, today: str) -> bool:
    text = file.read_text()
    if source in yaml.safe_load(text)["sources"]:
        return False
    url = f"https://pypi.org/project/{package}/{version}/"
    title = f"{package} {version} wheel, read by tools/engine_facts"
    row = f"  {source}: {{title: '{title}', url: '{url}', as_of: '{today}'}}\n"
    file.write_text(text.rstrip("\n") + "\n" + row)
    return True


def _add_version(file: Path, engine: str, version: str) -> bool:
    text = file.read_text()
    (row,) = (row for row in yaml.safe_load(text)["engines"] if row["id"] == engine)
    if version == row["version"] or version in row.get("versions", {}):
        return False
    start = text.index(f"- id: {engine}\n")
    head, block = text[:start], text[start:]
    line = f'    {version}:\n      notes: ["{NOTE}"]\n'
    if "versions" in row:
        block = block.replace("  versions:\n", f"  versions:\n{line}", 1)
    else:
        block = re.sub(r"(  version: .*\n)", rf"\1  versions:\n{line}", block, count=1)
    file.write_text(head + block)
    return True
