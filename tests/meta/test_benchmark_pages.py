# SPDX-License-Identifier: Apache-2.0
import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def test_every_benchmark_that_dev_runs_is_there_and_its_page_is_linked() -> None:
    found = re.search(r"for name in ([\w ]+); do\n\s+\"\$python\" -m \"benchmarks", (PROJECT / "dev").read_text())
    assert found
    run = found[1].split()
    for name in run:
        assert (PROJECT / "benchmarks" / f"{name}.py").exists() or (PROJECT / "benchmarks" / name).is_dir(), name
    linked = set(
        re.findall(r"\(\.\./benchmarks/(\w+)\.md\)", (PROJECT / "benchmarks" / "preview_speed.py").read_text())
    )
    pages = {path.stem for path in (PROJECT / "docs" / "benchmarks").glob("*.md")}
    assert pages <= linked, f"{pages - linked} are in no list"
    assert linked <= set(run), f"{linked - set(run)} are not run"
