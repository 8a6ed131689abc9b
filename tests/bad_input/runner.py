# SPDX-License-Identifier: Apache-2.0
"""Runs one bad file through the real command line, in this process, and says what a user would see.

    python -m tests.bad_input.runner [KIND/NAME ...]     rewrite `expected.yaml` of every kind, for review

A case is a file in a folder of `cases/`; the folder is its kind and decides where the file is put and which command
reads it. `NAME+OTHER` is put beside NAME as OTHER. A case of `catalogs` is an edit of one of its files, or several.
Cases that git cannot hold are made by `made.py`.
"""

import contextlib
import hashlib
import io
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import yaml

import hubstack.catalog.loader as catalog_loader
from hubstack.cli import app as cli

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
CATALOG = PROJECT / "hubstack" / "catalog"


@dataclass(frozen=True, slots=True)
class Kind:
    """Where a file of a kind is put, and the command that reads it."""

    path: str
    command: tuple[str, ...]


KINDS = {
    "models": Kind("stacks/dev.models.yaml", ("plan", "dev")),
    "locks": Kind("stacks/dev.models.lock.yaml", ("plan", "dev")),
    "placements": Kind("stacks/dev.placement.yaml", ("place", "dev", "--check")),
    "settings": Kind("stacks/Pulumi.dev.yaml", ("plan", "dev")),
    "projects": Kind("Pulumi.yaml", ("plan", "dev")),
    "policies": Kind("stacks/policy.yaml", ("check", "dev")),
    "prices": Kind("stacks/prices.yaml", ("plan", "dev")),
    "refreshed_prices": Kind("stacks/dev.prices.yaml", ("plan", "dev")),
    "refreshed_quotas": Kind("stacks/dev.quota.yaml", ("plan", "dev")),
    "quotas": Kind("stacks/quota.yaml", ("check", "dev")),
    "diff_quotas": Kind("quota.yaml", ("diff", "dev", "--quota", "quota.yaml")),
    "sides": Kind("main.json", ("diff", "dev", "--base-file", "main.json")),
    "listings": Kind("listing.json", ("drift", "dev", "--bucket-listing", "listing.json")),
    "catalogs": Kind("catalog", ("plan", "dev")),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a user sees, and what is left behind."""

    code: int
    stdout: str
    stderr: str
    is_untouched: bool


def case_names() -> list[str]:
    """Return `kind/name` of every stored case."""
    files = (path for kind in KINDS for path in (HERE / "cases" / kind).iterdir())
    return sorted(f"{path.parent.name}/{path.name}" for path in files if not _is_beside(path))


def _is_beside(path: Path) -> bool:
    return "+" in path.name or path.name == "expected.yaml"


def expectations(kind: str) -> dict[str, str]:
    """Return the reviewed text of each case of a kind."""
    return yaml.safe_load((HERE / "cases" / kind / "expected.yaml").read_text())


def base_project(folder: Path) -> None:
    """Make a project that plans without fault."""
    shutil.copy(PROJECT / "Pulumi.yaml", folder)
    stacks = folder / "stacks"
    stacks.mkdir()
    (stacks / "Pulumi.dev.yaml").write_text("config:\n  gcp:project: acme-models-dev\n  gcp:region: us-central1\n")
    shutil.copy(PROJECT / "examples/quickstart/models.yaml", stacks / "dev.models.yaml")
    shutil.copy(PROJECT / "examples/quickstart/models.lock.yaml", stacks / "dev.models.lock.yaml")


@contextlib.contextmanager
def project_with(name: str) -> Iterator[Path]:
    """Give a project that holds one bad file."""
    kind, _, case = name.partition("/")
    source = HERE / "cases" / kind / case
    with tempfile.TemporaryDirectory(prefix="bad-input-") as made:
        folder = Path(made).resolve()
        base_project(folder)
        if kind == "catalogs":
            shutil.copytree(CATALOG, folder / "catalog", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
            edits = json.loads(source.read_text())
            for edit in edits if isinstance(edits, list) else [edits]:
                target = folder / "catalog" / f"{edit['file']}.yaml"
                text = target.read_text()
                assert edit["old"] in text, f"{name}: the catalogue has moved on"
                target.write_text(text.replace(edit["old"], edit["new"], 1) if edit["old"] else edit["new"])
        else:
            target = folder / KINDS[kind].path
            shutil.copy(source, target)
            for beside in source.parent.glob(f"{source.name}+*"):
                shutil.copy(beside, target.parent / beside.name.partition("+")[2])
        yield folder


def run_case(name: str) -> Outcome:
    """Run the command that reads a stored case."""
    with project_with(name) as folder:
        return run(folder, name.partition("/")[0])


def run(folder: Path, kind: str, command: tuple[str, ...] | None = None) -> Outcome:
    """Run the command of a kind in a project, as `hubstack` would."""
    before = tree(folder)
    out, err = io.StringIO(), io.StringIO()
    code = 0
    place: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
    if kind == "catalogs":
        place = _other_catalog(folder / "catalog")
    arguments = ["hubstack", *(command or KINDS[kind].command)]
    with place, contextlib.chdir(folder), mock.patch.object(sys, "argv", arguments):  # noqa: SIM117  read in order
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                sys.exit(cli.run())
            except SystemExit as end:
                code = int(end.code or 0)
    return Outcome(code, out.getvalue(), err.getvalue().replace(str(folder), "PROJECT"), tree(folder) == before)


@contextlib.contextmanager
def _other_catalog(folder: Path) -> Iterator[None]:
    """Let the package's catalogue be a folder's, as in a clone that someone has edited."""
    catalog_loader.load_catalog.cache_clear()
    try:
        with mock.patch.object(catalog_loader, "FOLDER", folder):
            yield
    finally:
        catalog_loader.load_catalog.cache_clear()


def tree(folder: Path) -> dict[str, str]:
    """Return what a folder holds: path to kind, and hash of what can be read."""
    return {str(path.relative_to(folder)): _digest(path) for path in sorted(folder.rglob("*"))}


def _digest(path: Path) -> str:
    if not path.is_file() or not os.access(path, os.R_OK):
        return "-"
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def rewrite(words: list[str]) -> None:
    """Write what each case says now; whoever runs this reads the difference."""
    from tests.bad_input.made import MADE, run_made  # noqa: PLC0415

    names = [*case_names(), *MADE]
    for kind in KINDS:
        path = HERE / "cases" / kind / "expected.yaml"
        held = expectations(kind) if path.exists() else {}
        mine = [name for name in names if name.startswith(f"{kind}/")]
        runners: dict[str, Callable[[str], Outcome]] = {
            name: run_made if name in MADE else run_case for name in mine
        }
        texts = {
            name.partition("/")[2]: runners[name](name).stderr
            if not words or name in words or name.partition("/")[2] not in held
            else held[name.partition("/")[2]]
            for name in mine
        }
        head = "# What each file is answered with. `python -m tests.bad_input.runner` writes it; review it.\n"
        path.write_text(head + yaml.dump(texts, Dumper=_Blocks, width=1_000, allow_unicode=False))


class _Blocks(yaml.SafeDumper):
    pass


_Blocks.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)


if __name__ == "__main__":
    rewrite(sys.argv[1:])
