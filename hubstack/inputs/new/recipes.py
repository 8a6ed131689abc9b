# SPDX-License-Identifier: Apache-2.0
"""The CI recipes of examples/gitops, as a repository that only depends on hubstack needs them.

Owns what differs: the command, the paths, and two environments instead of three. The recipes themselves, with their
tests, are those of the clone.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from hubstack.files.bundled import bundled


class Recipe(StrEnum):
    """Where CI runs."""

    GITHUB = "github"
    GITLAB = "gitlab"
    CLOUD_BUILD = "cloudbuild"
    NONE = "none"


_FOLDERS: Mapping[Recipe, tuple[str, str]] = {
    Recipe.GITHUB: ("github", ".github/workflows"),
    Recipe.GITLAB: ("gitlab", "."),
    Recipe.CLOUD_BUILD: ("cloud-build", "gitops/cloud-build"),
}
"""The folder of a recipe in examples/gitops, and where its files go."""
_SCRIPTS = ("review.sh", "drift.sh")
_SETUP_UV = re.compile(r"( +- uses: astral-sh/setup-uv@.*?\n(?=\s+-|\s*\n|\Z))", re.DOTALL)
_PYTHON = re.compile(r'( +- uses: actions/setup-python@[^\n]*\n +with:\n +python-version: "[\d.]+"\n)')
_CHANGES = (
    # The script of the base commit runs the hubstack that the base commit pins.
    (
        'hubstack=$(cd "$(dirname "$0")/../.." && pwd)/dev\n',
        """root=$(cd "$(dirname "$0")/.." && pwd)
hubstack() { uv run --quiet --frozen --project "$root" hubstack "$@"; }
""",
    ),
    ('"$hubstack" ', "hubstack "),
    ("`./dev ", "`uv run hubstack "),
    ("./dev ", "uv run --quiet --frozen hubstack "),
    ("examples/gitops/", "gitops/"),
    ("[dev, staging, prod]", "[dev, prod]"),
    ("[review, dev, staging, prod, watch]", "[review, dev, prod, watch]"),
    ("Staging and prod\n# follow with", "Prod\n# follows with"),
    ("dev, then staging, then prod", "dev, then prod"),
    ("`dev-watch`, `staging-watch` and `prod-watch`", "`dev-watch` and `prod-watch`"),
    ("    needs: staging\n", "    needs: dev\n"),
    (
        "hubstack/**, components/pulumi_hubstack/**, __main__.py, Pulumi.yaml, uv.lock",
        "__main__.py, Pulumi.yaml, pyproject.toml, uv.lock",
    ),
    ("      - policy/** # the rules\n", ""),
    ("      - hubstack/**\n      - components/**\n      - .ci/**\n      - dev\n", "      - wheels/**\n"),
    ("Needs git, Python and a package index", "Needs git, uv and a package index"),
)
_STAGING_JOB = re.compile(r"^  staging:\n(?:    .*\n)+|^up-staging:\n(?:  .*\n)+\n", re.MULTILINE)


def recipe_files(recipe: Recipe) -> dict[str, str]:
    """Return a recipe's files: path in the repository to text."""
    if recipe is Recipe.NONE:
        return {}
    root = bundled("examples/gitops")
    held, into = _FOLDERS[recipe]
    files = {str(Path("gitops") / name): _fitted((root / name).read_text("utf-8")) for name in _SCRIPTS}
    for path in sorted((root / held).iterdir()):
        text = path.read_text("utf-8")
        files[str(Path(into) / path.name)] = _with_uv(_fitted(text), root)
    return files


def _fitted(text: str) -> str:
    for before, after in _CHANGES:
        text = text.replace(before, after)
    return _STAGING_JOB.sub("", text)


def _with_uv(text: str, root: Path) -> str:
    """Install uv after Python, with the action that `up.yml` pins; `./dev` of a clone brings its own."""
    if "setup-uv@" in text or not _PYTHON.search(text):
        return text
    action = _SETUP_UV.search((root / "github" / "up.yml").read_text("utf-8"))
    return _PYTHON.sub(lambda found: found[0] + (action[1] if action else ""), text)
