# SPDX-License-Identifier: Apache-2.0
"""`hubstack render` writes the same bytes on every Python that hubstack supports.

Each other interpreter that the machine has gets an environment of its own from uv.lock; one that it lacks is
skipped by name. `./dev test -m pythons -n 0` runs it, and CI: installing and compiling the SDKs takes a minute.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.pythons import interpreter

pytestmark = pytest.mark.pythons

PROJECT = Path(__file__).resolve().parents[3]
REQUIRES = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["requires-python"]
SUPPORTED = range(*(int(minor) for minor in re.findall(r"3\.(\d+)", REQUIRES)))
"""Minor versions: `>=3.11,<3.14`."""
EXAMPLE = "examples/fleet"


def environment(python: Path, folder: Path) -> Path:
    uv = os.environ.get("UV") or shutil.which("uv")
    assert uv, "run it by `./dev test`, which has uv"
    env = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(folder)}
    env.pop("VIRTUAL_ENV", None)
    command = [uv, "sync", "--frozen", "--quiet", "--no-dev", "--python", str(python)]
    subprocess.run(command, cwd=PROJECT, env=env, check=True)
    return folder / "bin" / "python"


def render(python: Path, folder: Path) -> dict[str, bytes]:
    env = {**os.environ, "PYTHONPATH": str(PROJECT)}
    env.pop("VIRTUAL_ENV", None)
    command = [str(python), "-m", "hubstack", "render", EXAMPLE, str(folder)]
    done = subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return render(Path(sys.executable), tmp_path_factory.mktemp("here") / "out")


@pytest.mark.parametrize("minor", [minor for minor in SUPPORTED if minor != sys.version_info.minor])
def test_a_render_on_another_python_is_equal_to_the_byte(
    minor: int, here: dict[str, bytes], tmp_path: Path
) -> None:
    other = render(
        environment(interpreter(minor, "what `render` writes there was not compared"), tmp_path / "venv"),
        tmp_path / "out",
    )
    assert other.keys() == here.keys()
    assert [path for path, content in here.items() if other[path] != content] == []
    assert len(here) > 200, "a whole fleet was compared"
