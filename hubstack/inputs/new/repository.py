# SPDX-License-Identifier: Apache-2.0
"""The files of a new repository, and writing them all or none.

Owns the template's values, where hubstack is installed from, and the folder. Does not own what CI runs
(`hubstack.inputs.new.recipes`) or the placement of the first models, which the caller writes before the folder is
shown.
"""

import contextlib
import json
import re
import shutil
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from hubstack.files.bundled import bundled
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem
from hubstack.files.uv import run_uv
from hubstack.inputs.new.recipes import Recipe, recipe_files

ENVIRONMENTS = ("dev", "prod")
_TEMPLATE = Path(__file__).with_name("template")
_SUFFIX = ".in"
_SCHEMAS = ("models", "settings", "policy")
_SCRATCH = ".hubstack-new"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_WHEELS = "wheels"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProject:
    """What to create."""

    folder: Path
    """As the user named it."""
    name: str
    recipe: Recipe


def project_of(folder: Path, name: str | None, recipe: Recipe) -> NewProject:
    """Return what to create, validated.

    Args:
        folder: new, empty, or an empty git repository.
        name: name of the Pulumi project; by default that of the folder.
        recipe: what to write for CI.

    Raises:
        InputError: the folder or the name cannot be used. Nothing was written.
    """
    _check_folder(folder)
    if name is None:
        name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")[:63].strip("-") or "models"
    elif not _NAME.fullmatch(name):
        hint = "use lower-case letters, digits and `-`, at most 63"
        raise InputError([Problem(path="--name", message=f"`{name}` is not a project name", hint=hint)])
    around = next((each for each in folder.resolve().parents if (each / ".git").exists()), None)
    if recipe is not Recipe.NONE and around and not (folder / ".git").exists():
        message = f"is inside the git repository {around}, which reads CI files only from its own root"
        hint = f"pass --ci none and adapt the recipes (docs/guides/gitops.md), or name {around} if it is empty"
        raise InputError([Problem(path=str(folder), message=message, hint=hint)])
    return NewProject(folder=folder, name=name, recipe=recipe)


def _check_folder(folder: Path) -> None:
    try:
        held = sorted(each.name for each in folder.iterdir() if each.name != ".git")
    except FileNotFoundError:
        return
    except OSError as error:
        message = "is a file" if isinstance(error, NotADirectoryError) else f"cannot be read: {error.strerror}"
        raise InputError([Problem(path=str(folder), message=message, hint="name a new or empty folder")]) from None
    if held:
        message = f"is not empty: it holds {held[0]}" + (f" and {len(held) - 1} more" if len(held) > 1 else "")
        raise InputError(
            [Problem(path=str(folder), message=message, hint="name a new folder, such as a subfolder of it")]
        )


@contextmanager
def written(project: NewProject) -> Generator[Path]:
    """Write a project; yield its hidden folder for what is still to be added, then move all of it into place.

    If anything fails, nothing remains.

    Raises:
        InputError: the folder cannot be written.
    """
    try:
        made = [each for each in (project.folder, *project.folder.parents) if not each.exists()]
        project.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(project, error) from None
    scratch, moved = project.folder / _SCRATCH, list[Path]()
    try:
        _write(project, scratch)
        yield scratch
        for path in sorted(scratch.iterdir()):
            moved.append(path.rename(project.folder / path.name))
        scratch.rmdir()
    except BaseException as error:
        for path in (scratch, *moved):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            for path in made:
                path.rmdir()
        if isinstance(error, OSError):
            raise _unwritable(project, error) from None
        raise


def lock_packages(folder: Path) -> None:
    """Write uv.lock of a project, for the Python that runs here.

    Raises:
        UvError: there is no uv, or it failed. The project is as it was.
    """
    run_uv(["lock", "--python", sys.executable], folder)


def _unwritable(project: NewProject, error: OSError) -> InputError:
    message, hint = f"cannot be written: {error.strerror}", "check the folder, its permissions and the space left"
    return InputError([Problem(path=str(project.folder), message=message, hint=hint)])


def _write(project: NewProject, into: Path) -> None:
    found = distribution("hubstack")
    files = _files(project, found)
    for name, text in files.items():
        path = into / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="\n")
        if name.endswith(".sh"):
            path.chmod(0o755)
    if wheel := _wheel(found):
        (into / _WHEELS).mkdir()
        shutil.copyfile(wheel, into / _WHEELS / wheel.name)


def _files(project: NewProject, found: Distribution) -> dict[str, str]:
    recipes = recipe_files(project.recipe)
    values = {
        "name": project.name,
        # A project cannot depend on itself.
        "package": f"{project.name}-stack"
        if project.name in {"hubstack", "pulumi", "pulumi-gcp"}
        else project.name,
        "python": found.metadata["Requires-Python"] or ">=3.11",
        "range": _range(found.version),
        "source": _source(found),
        "recipes": f"| {_recipe_row(project.recipe)} |\n" if recipes else "",
    }
    files = {
        str(path.relative_to(_TEMPLATE)).removesuffix(_SUFFIX): _filled(path.read_text("utf-8"), values)
        for path in sorted(_TEMPLATE.rglob(f"*{_SUFFIX}"))
    }
    for name in _SCHEMAS:
        file = f"{name}.schema.json"
        files[f"schemas/{file}"] = bundled(f"docs/reference/{file}").read_text("utf-8")
    lock = bundled("examples/quickstart/models.lock.yaml").read_text("utf-8")
    files |= {f"stacks/{name}.models.lock.yaml": lock for name in ENVIRONMENTS}
    return files | recipes


def _recipe_row(recipe: Recipe) -> str:
    files = {
        Recipe.GITHUB: "`.github/workflows/`, `gitops/`",
        Recipe.GITLAB: "`.gitlab-ci.yml`, `gitops/`",
        Recipe.CLOUD_BUILD: "`gitops/`",
    }
    return f"{files[recipe]} | review, deployment, upgrades and drift: `uv run hubstack docs guides/gitops`"


def _filled(text: str, values: dict[str, str]) -> str:
    return re.sub(r"@([a-z]+)@", lambda found: values[found[1]], text)


def _range(version: str) -> str:
    """Return the versions that may follow without a new decision: up to the next that may break something."""
    major, minor = (int(part) for part in version.split(".")[:2])
    return f">={version},<{major + 1}" if major else f">={version},<0.{minor + 1}"


def _direct_url(found: Distribution) -> dict[str, Any]:
    """Return what the installer recorded if hubstack does not come from an index (PEP 610)."""
    return json.loads(found.read_text("direct_url.json") or "{}")


def _wheel(found: Distribution) -> Path | None:
    """Return the wheel on this machine that hubstack was installed from."""
    url = str(_direct_url(found).get("url", ""))
    path = Path(unquote(urlsplit(url).path))
    return path if url.startswith("file:") and path.suffix == ".whl" and path.is_file() else None


def _source(found: Distribution) -> str:
    """Return the part of pyproject.toml that installs hubstack from where this one came; empty for an index."""
    said = _direct_url(found)
    url = str(said.get("url", ""))
    if wheel := _wheel(found):
        where = f'path = "{_WHEELS}/{wheel.name}"'
    elif url.startswith("file:"):
        where = f"path = {json.dumps(unquote(urlsplit(url).path))}"
        where += ", editable = true" if said.get("dir_info", {}).get("editable") else ""
    elif vcs := said.get("vcs_info"):
        where = f"{vcs['vcs']} = {json.dumps(url)}, rev = {json.dumps(vcs['commit_id'])}"
    elif url:
        where = f"url = {json.dumps(url)}"
    else:
        return ""
    return (
        "\n[tool.uv.sources]\n"
        "# Where `hubstack new` was run from. Remove this for the releases of a package index.\n"
        f"hubstack = {{ {where} }}\n"
    )
