# SPDX-License-Identifier: Apache-2.0
"""An earlier release of hubstack in an environment of its own, made by uv and gone afterwards.

Owns which release is meant and its installation. Wheels only: installing runs no code of a package. Does not own
how a side is run (`hubstack.review.diff.base_head`).
"""

import re
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from hubstack.files.bundled import is_clone
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem
from hubstack.files.uv import UvError, run_uv, without_password

OPTION = "--against-version"
_VERSION = re.compile(r"\d{1,4}\.\d{1,4}(\.\d{1,4})?")


def requirement(release: str, project_dir: Path) -> str:
    """Return what uv installs for a release.

    Args:
        release: `X.Y`, `X.Y.Z`, or the path of a wheel.
        project_dir: the user's project.

    Raises:
        InputError: it names no release, or the project is a clone of hubstack.
    """
    if (project_dir / "hubstack" / "cli").is_dir() or is_clone():
        hint = "compare with a commit: `--against v0.1.0`; this option is for projects that depend on hubstack"
        raise _refused(release, "runs an installed hubstack, but this is a clone of it", hint)
    if release.endswith(".whl"):
        wheel = Path(release).resolve()
        if not wheel.is_file():
            raise _refused(release, "does not exist", "name a version, 0.1 or 0.1.2, or an existing wheel")
        return str(wheel)
    if not _VERSION.fullmatch(release):
        raise _refused(release, "is not a version", "name a version, 0.1 or 0.1.2, or the path of a wheel")
    return f"hubstack=={release}" if release.count(".") > 1 else f"hubstack=={release}.*"


@contextmanager
def installed(wanted: str) -> Generator[Path]:
    """Install a release; yield its Python.

    Args:
        wanted: what `requirement` returned.

    Raises:
        InputError: uv is missing, or cannot install it.
    """
    with tempfile.TemporaryDirectory(prefix="hubstack-release-") as folder:
        python = Path(folder) / "bin" / "python"
        make = ["venv", "--no-project", "--python", sys.executable, folder]
        fill = ["pip", "install", "--only-binary", ":all:", "--python", str(python), wanted]
        try:
            run_uv(make)
            run_uv(fill)
        except UvError as error:
            hint = "check uv (https://docs.astral.sh/uv), the version, and that the package index answers"
            raise _refused(wanted, f"cannot be installed: {error}", hint) from None
        yield python


def _refused(release: str, message: str, hint: str) -> InputError:
    return InputError([Problem(path=f"{OPTION} {without_password(release)}", message=message, hint=hint)])
