# SPDX-License-Identifier: Apache-2.0
"""What hubstack itself is made of: locked by hash, told in a bill of materials, audited."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation import make_schemabased_validator

from hubstack.deploy import manifests
from hubstack.deploy.weights_job import loader_packages, loader_requirements
from tests.support.plans import make_plan
from tests.support.pythons import interpreter

PROJECT = Path(__file__).resolve().parents[2]
LOCK = tomllib.loads((PROJECT / "uv.lock").read_text())
DEV = (PROJECT / "dev").read_text()
SHA256 = r"sha256:[0-9a-f]{64}"


def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", PROJECT / ".ci" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_package_of_the_lock_has_a_hash_of_each_of_its_files() -> None:
    packages = [each for each in LOCK["package"] if "editable" not in each["source"]]
    assert len(packages) > 50
    for package in packages:
        assert package["source"] == {"registry": "https://pypi.org/simple"}, package["name"]
        files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ())]
        assert files, package["name"]
        assert all(re.fullmatch(SHA256, file["hash"]) for file in files), package["name"]


def test_nothing_is_installed_but_what_is_locked() -> None:
    installs = re.findall(r'"\$uv" (?:sync|run) .*', DEV)
    assert len(installs) == 1
    assert all("--frozen" in each for each in installs)


def test_uv_itself_is_installed_by_hash() -> None:
    installs = re.findall(r".* -m pip install .*", DEV)
    assert len(installs) == 1
    assert "--require-hashes" in installs[0]
    assert ".ci/uv.txt" in installs[0]
    said = (PROJECT / ".ci" / "uv.txt").read_text().replace("\\\n", "")
    (line,) = [line for line in said.splitlines() if line and not line.startswith("#")]
    assert re.fullmatch(rf"uv==[\d.]+( +--hash={SHA256}){{10,}}", line)


def test_the_loader_installs_wheels_by_hash_and_nothing_else() -> None:
    lines = [line for line in loader_requirements().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(rf"[a-z0-9_-]+==[0-9.]+ --hash={SHA256}", line) for line in lines)
    assert len(loader_packages()) == len(lines), "the bill of models has each of them"
    assert {"huggingface_hub", "hf-xet"} <= {name for name, _, _ in loader_packages()}
    plan = make_plan()
    model = plan.on_gke[0]
    container = manifests.loader_job(plan.target, model)["spec"]["template"]["spec"]["containers"][0]
    command = " ".join(container["command"])
    assert "--require-hashes" in command
    assert "--only-binary :all:" in command
    assert manifests.loader_config(plan.target, model)["data"]["requirements.txt"] == loader_requirements()


@pytest.mark.pythons
def test_pip_takes_what_the_loader_installs_and_refuses_another_wheel(tmp_path: Path) -> None:
    python = str(interpreter(12, "the loader's packages were not installed"))

    def install(requirements: str, folder: str) -> subprocess.CompletedProcess[str]:
        file = tmp_path / f"{folder}.txt"
        file.write_text(requirements)
        command = [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-cache-dir",
            "--require-hashes",
            "--only-binary",
            ":all:",
            "--target",
            str(tmp_path / folder),
            "--requirement",
            str(file),
        ]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = install(loader_requirements(), "site")
    assert done.returncode == 0, done.stderr
    script = PROJECT / "hubstack" / "deploy" / "weights_job" / "load_weights.py"
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path / "site"), "HOME": str(tmp_path)}
    told = subprocess.run([python, str(script), "--help"], env=env, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    name, _, sha256 = loader_packages()[0]
    other = install(loader_requirements().replace(sha256, "0" * 64), "other")
    assert other.returncode != 0
    assert name in other.stderr
    assert not (tmp_path / "other" / "huggingface_hub").exists()
    less = "".join(line for line in loader_requirements().splitlines(keepends=True) if not line.startswith("idna"))
    assert "hash" in install(less, "less").stderr, "nothing comes along unpinned"


def test_a_file_with_another_hash_is_not_installed(tmp_path: Path) -> None:
    """The way that `dev` takes, on a package of our own."""
    wheel = tmp_path / "example-1.0-py3-none-any.whl"
    shutil.make_archive(str(tmp_path / "example"), "zip", _wheel(tmp_path / "content"))
    (tmp_path / "example.zip").rename(wheel)
    asked = tmp_path / "asked.txt"
    asked.write_text(f"example==1.0 --hash=sha256:{'0' * 64}\n")
    uv = os.environ.get("UV") or shutil.which("uv") or str(PROJECT / ".uv" / "bin" / "uv")
    command = [
        uv,
        "pip",
        "install",
        "--require-hashes",
        "--no-index",
        "--find-links",
        str(tmp_path),
        "--target",
        str(tmp_path / "installed"),
        "--requirement",
        str(asked),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "hash" in done.stderr.lower()


def _wheel(folder: Path) -> Path:
    info = folder / "example-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: example\nVersion: 1.0\n")
    (info / "WHEEL").write_text("Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    (info / "RECORD").write_text("")
    return folder


def test_our_own_bill_is_valid_and_names_every_package_with_its_hashes(tmp_path: Path) -> None:
    audit().export("cyclonedx1.5", tmp_path / "bill.json", "--no-dev")
    bill = json.loads((tmp_path / "bill.json").read_text())
    # The validator takes a third of a second for an address: it sees those of one package.
    first, *others = bill["components"]
    brief = [first, *({**each, "externalReferences": []} for each in others)]
    text = json.dumps({**bill, "components": brief})
    assert make_schemabased_validator(OutputFormat.JSON, SchemaVersion.V1_5).validate_str(text) is None
    locked = {each["name"]: each["version"] for each in LOCK["package"]}
    held = {each["name"]: each["version"] for each in bill["components"]}
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    asked = {re.split(r"[<>=~ \[]", each)[0].replace("_", "-") for each in project["dependencies"]}
    assert asked <= held.keys()
    assert held.items() <= locked.items()
    for component in bill["components"]:
        files = component["externalReferences"]
        assert all(len(each["content"]) == 64 for file in files for each in file["hashes"])


def row(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "version": "1.0", "vulns": [], **more}


def test_a_known_vulnerability_fails_and_is_named() -> None:
    known = {"id": "PYSEC-2026-1", "fix_versions": ["1.1"]}
    lines, code = audit().judge([row("bad", vulns=[known]), row("good")], "")
    assert code == 1
    assert lines == ["bad 1.0: PYSEC-2026-1, fixed in 1.1", "2 packages audited, 1 known vulnerabilities"]


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        ([{"name": "a", "skip_reason": "not found"}], "1"),
        ([row("a"), {"name": "b", "skip_reason": "x"}], "1"),
        ([], "all"),
    ],
)
def test_what_nobody_answered_for_is_not_called_clean(rows: list[dict[str, Any]], count: str) -> None:
    lines, code = audit().judge(rows, "could not connect")
    assert code == 0
    assert f"NOT AUDITED: {count} packages" in lines[-1]


def test_an_auditor_that_breaks_is_not_called_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "requirements.txt"
    broken.write_text("this is no requirement !!\n")
    rows, complaint = audit().ask(broken)
    assert rows == []
    assert "NOT AUDITED: all" in audit().judge(rows, complaint)[0][-1]


def test_ci_runs_the_audit() -> None:
    assert re.search(r"^\./dev audit$", (PROJECT / ".ci" / "run").read_text(), re.MULTILINE)
