# SPDX-License-Identifier: Apache-2.0
"""The guide's pages can be followed: their files are written and their hubstack commands run, in order.

In a page, a `yaml` block whose first line is `# stacks/...` is that whole file; each line of a `sh` block that
begins with `./dev` is run on a copy of the project, beside stand-ins of the Hub and Cloud Storage; every line of a
`text` block must be in what the commands before it printed. Commands of other tools (pulumi, gcloud, kubectl, git,
curl) are not run: no Google Cloud is here.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.buckets import Buckets, fine_tune
from tests.support.hub import TOKENS, StandIn, invented_collections, invented_repositories, real_repositories
from tests.support.project import PROJECT, copy_project

pytestmark = pytest.mark.slow

GUIDE = PROJECT / "docs"
PAGES = sorted(
    str(path.relative_to(GUIDE))
    for folder in ("getting-started", "guides")
    for path in (GUIDE / folder).glob("*.md")
)
OTHERS = ("cd", "curl", "gcloud", "git", "kubectl", "pulumi", "export", "uvx")
BLOCK = re.compile(r"^ *```(yaml|sh|text|python)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
QUOTED = re.compile(r"'[^']*'")
FULL_ACCESS = next(token for token, right in TOKENS.items() if right == "access")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_project(tmp_path, "stacks", "examples", "policy")


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    with StandIn([*real_repositories(), *invented_repositories()], invented_collections()) as served:
        yield served.url


@pytest.fixture(scope="module", autouse=True)
def storage() -> Iterator[None]:
    with Buckets() as served, pytest.MonkeyPatch.context() as patched:
        served.put_all("acme-tunes", "support/v3", fine_tune())
        patched.setenv("STORAGE_EMULATOR_HOST", served.url)
        yield


def run(line: str, project: Path, hub: str) -> str:
    words = shlex.split(line, comments=True)
    env = {**os.environ, "HF_ENDPOINT": hub, "PYTHONPATH": str(PROJECT), "COLUMNS": "200"}
    env["UV"] = "/nowhere/uv"  # locking a new repository asks the package index
    env.pop("HF_TOKEN", None)
    if words[0].startswith("HF_TOKEN="):
        env["HF_TOKEN"] = FULL_ACCESS
        words = words[1:]
    assert words[0] == "./dev", line
    done = subprocess.run(  # noqa: PLW1510  the exit code is what is tested
        [sys.executable, "-m", "hubstack", *words[1:]],
        cwd=project,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
    )
    wanted = 1 if line.endswith("# exits 1") else 0
    assert done.returncode == wanted, f"{line}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout + done.stderr


ELSEWHERE = re.compile(r" sandbox| up-local| refresh | (bench|smoke|connect|doctor) (?!.*--manifest)")
"""Commands that need a cluster, or build one (tests/proof runs them), or Google (tests/review/refresh)."""


def is_ours(line: str) -> bool:
    return line.startswith(("./dev ", "HF_TOKEN="))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_followed(page: str, project: Path, hub: str) -> None:
    printed, ran = "", 0
    for kind, text in BLOCK.findall((GUIDE / page).read_text()):
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if kind == "yaml" and lines[0].startswith("# stacks/"):
            (project / lines[0].removeprefix("# ").split()[0]).write_text(text)
        elif kind == "sh":
            ours = [line for line in lines if is_ours(line)]
            printed = "".join(run(line, project, hub) for line in ours if not ELSEWHERE.search(line)) or printed
            ran += len(ours)
        elif kind == "text":
            for line in lines:
                assert " ".join(line.split()) in " ".join(printed.split()), (
                    f"{page} shows what is not printed: {line}"
                )
    assert ran, f"{page} has no command of ours to follow"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_only_tools_that_its_reader_was_told_of(page: str) -> None:
    for kind, text in BLOCK.findall((GUIDE / page).read_text()):
        lines = QUOTED.sub("''", text.replace("\\\n", " ")).splitlines()
        for line in lines if kind == "sh" else ():
            word = line.strip().split(" ")[0]
            assert not word or word.startswith("#") or is_ours(line.strip()) or word in OTHERS, f"{page}: {line}"


def test_every_page_is_in_the_index() -> None:
    index = (GUIDE / "README.md").read_text()
    assert [page for page in PAGES if f"]({page})" not in index] == []
