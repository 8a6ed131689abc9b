# SPDX-License-Identifier: Apache-2.0
"""What is released, as a team meets it: built, installed beside nothing of this clone, and every command run.

The repository is a new one with folders `components/`, `policy/` and `docs/` of its own. Needs uv, and a
package index or the cache of uv.
"""

import json
import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hubstack.cli.app import app
from tests.cli.test_doctor import written
from tests.identity.test_releases import CONTENT
from tests.support.hub import StandIn, real_repositories

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[2]
PYTHONS = [path for path in ("python3.11", "/usr/bin/python3") if shutil.which(path)]


def uv() -> str:
    found = os.environ.get("UV") or shutil.which("uv") or str(PROJECT / ".uv" / "bin" / "uv")
    if not Path(found).is_file():
        pytest.skip("no uv: the wheel is not built here")
    return found


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, and the wheel built from it."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([uv(), "build", "--quiet", "--out-dir", str(folder), str(PROJECT)], check=True)
    return folder


@pytest.fixture(scope="module")
def wheel(released: Path) -> Path:
    (found,) = released.glob("*.whl")
    return found


def test_the_wheel_installs_two_packages_and_what_commands_read(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"hubstack", "pulumi_hubstack"}
    ours = subprocess.run(
        ["git", "ls-files", "hubstack", "docs", "policy"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout.split()
    wanted = {name if name.startswith("hubstack/") else f"hubstack/bundled/{name}" for name in ours}
    assert sorted(wanted - set(names)) == []
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_the_sdist_holds_the_tests_and_no_rubbish(released: Path) -> None:
    (path,) = released.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "uv.lock", "dev", "tests/release/test_wheel.py", "proof/go.mod", "LICENSE"} <= names
    assert not [name for name in names if name.startswith((".venv", ".uv", ".proof", "dist"))]


class Team:
    """A repository made by the installed hubstack, and that hubstack."""

    def __init__(self, root: Path, python: str, wheel: Path) -> None:
        self.root, self.repository, bins = root, root / "repository", root / "venv" / "bin"
        subprocess.run([uv(), "venv", "--quiet", "--python", python, str(root / "venv")], check=True)
        install = [uv(), "pip", "install", "--quiet", "--python", str(bins / "python"), str(wheel)]
        subprocess.run(install, check=True)
        self.command = bins / "hubstack"
        self.run("new", str(self.repository), cwd=root, UV="/nowhere/uv")
        for name in ("components", "policy", "docs", "hubstack"):
            (self.repository / name).mkdir()
            (self.repository / name / "note.txt").write_text("the team's own")
        for name in ("__init__", "yaml", "pulumi"):
            (self.repository / "components" / f"{name}.py").write_text("raise SystemExit('imported')\n")
        (self.repository / "policy" / "judge.py").write_text("raise SystemExit('run')\n")

    def run(self, *arguments: str, cwd: Path | None = None, code: int = 0, **env: str) -> str:
        index = ("UV_", "SSL_", "HTTP_", "HTTPS_", "NO_PROXY", "https_", "http_", "no_proxy")
        kept = {
            key: value
            for key, value in os.environ.items()
            if key in {"PATH", "HOME"} or (key.startswith(index) and key != "UV_RUN_RECURSION_DEPTH")
        }
        done = subprocess.run(
            [str(self.command), *arguments],
            cwd=cwd or self.repository / "stacks",
            env=kept | {"COLUMNS": "80", "HF_ENDPOINT": "http://127.0.0.1:9"} | env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"{arguments}: {done.stdout[-1000:]}{done.stderr[-2000:]}"
        said = done.stdout + done.stderr
        assert "Traceback" not in said
        assert "./dev" not in said, f"{arguments} names a command of a clone"
        assert "/bundled" not in said, f"{arguments} names a file inside the package"
        is_page = arguments[0] in {"docs", "new"} or "--json" in arguments
        assert "docs/" not in said or is_page, f"{arguments} names a page of a clone"
        return said


@pytest.fixture(scope="module", params=PYTHONS)
def team(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Team:
    return Team(tmp_path_factory.mktemp("team"), request.param, wheel)


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    with StandIn(real_repositories(as_listed=True)) as served:
        yield served.url


def test_every_command_runs_in_a_repository_of_its_own(team: Team, hub: str) -> None:
    key, git = "qwen3-4b-instruct-2507", ["git", "-c", "user.name=t", "-c", "user.email=t@example.com"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *arguments], cwd=team.repository, check=True)
    dev = team.repository / "stacks" / "dev.models.yaml"
    dev.write_text(dev.read_text().replace("[spot, on-demand]", "[on-demand]"))
    manifest = team.root / "server.yaml"
    manifest.write_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {containers: ["
        "{name: a, image: 'vllm/vllm-openai:v0.10.0', args: [--model, Qwen/Qwen3-8B]}]}}}\n"
    )
    target = ("--gcp-project", "acme-models-test", "--region", "us-central1")
    pods = written(team.root / "pods", [])
    said = {
        "plan": team.run("plan", "dev"),
        "explain": team.run("explain", "dev", key),
        "preview": team.run("preview", "dev"),
        "render": team.run("render", "dev", str(team.root / "rendered")),
        "diff": team.run("diff", "dev", "--against", "HEAD"),
        "lock": team.run("lock", "dev", "--check"),
        "place": team.run("place", "dev", "--check"),
        "check": team.run("check", "dev"),
        "sbom": team.run("sbom", "dev"),
        "promote": team.run("promote", "dev", "prod"),
        "drift": team.run("drift", "dev", HF_ENDPOINT=hub),
        "eject": team.run("eject", "dev", str(team.root / "ejected")),
        "init": team.run("init", "test", "--from-manifests", str(manifest), *target),
        "bench": team.run("bench", "dev", key, "--manifest"),
        "images": team.run("images", "dev", "--copy-to", "europe-docker.pkg.dev/acme-models-test/mirror"),
        "smoke": team.run("smoke", "dev", "--manifest"),
        "doctor": team.run("doctor", "dev", "--from", str(pods)),
        "connect": team.run("connect", "dev", key, "--url", "http://127.0.0.1:8080"),
        "keys": team.run("keys", "dev", code=2),
        "refresh": team.run("refresh", "dev", code=2, GOOGLE_APPLICATION_CREDENTIALS=str(team.root / "none.json")),
        "docs": team.run("docs", "guides/gitops"),
    }
    commands = {str(each.callback.__name__) for each in app.registered_commands if each.callback}
    assert commands == {*said, "new"}
    assert "qwen3-4b-instruct-2507 changed" in said["diff"]
    assert json.loads(team.run("check", "dev", "--json"))["resources_judged"] > 80
    assert "then run: `hubstack lock test`" in said["init"]
    assert "`hubstack docs guides/gitops`" in said["drift"]
    assert "`hubstack docs guides/callers`" in said["keys"]
    assert 'uv add "hubstack[refresh]"' in said["refresh"]
    assert "crane copy" in said["images"]
    assert json.loads(said["smoke"])
    assert key in said["doctor"]
    assert "http://127.0.0.1:8080/v1" in said["connect"]


def test_a_setting_of_each_kind_finds_its_data_in_the_wheel(team: Team) -> None:
    """Engine versions, an own gateway with callers, engine arguments: what they read ships with the package."""
    stacks, key = team.repository / "stacks", "qwen3-4b-instruct-2507"
    settings = stacks / "Pulumi.dev.yaml"
    (stacks / "Pulumi.full.yaml").write_text(
        settings.read_text()
        + "  hubstack:gateway: {mode: services}\n"
        + f"  hubstack:callers:\n    search: {{models: [{key}], requests_per_minute: 60}}\n"
    )
    for kind in ("lock", "placement"):
        for name in (f"dev.models.{kind}.yaml", f"dev.{kind}.yaml"):
            if (stacks / name).is_file():
                (stacks / name.replace("dev", "full", 1)).write_text((stacks / name).read_text())
    (stacks / "full.models.yaml").write_text(
        (stacks / "dev.models.yaml").read_text()
        + f"  {key}: {{engine_args: {{enforce-eager: true}}, env: {{VLLM_LOGGING_LEVEL: DEBUG}}}}\n"
    )
    team.run("preview", "full", "--summary")
    assert "search" in team.run("keys", "full")
    assert "envoy" in team.run("images", "full")


def test_its_errors_name_pages_that_it_prints(team: Team) -> None:
    said = team.run("plan", "nowhere", code=2)
    assert "stacks: dev, " in said
    assert "`hubstack new DIR`" in team.run("plan", cwd=team.root, code=2)
    assert "did you mean `guides/gitops`" in team.run("docs", "guides/gitop", code=2)
    schema = team.run("docs", "reference/models.schema.json")
    assert json.loads(schema) == json.loads((team.repository / "schemas" / "models.schema.json").read_text())


@pytest.fixture(scope="module")
def earlier(released: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of an invented earlier release, whose servers had less time to start."""
    folder = tmp_path_factory.mktemp("earlier")
    (sdist,) = released.glob("*.tar.gz")
    subprocess.run(["tar", "-xzf", str(sdist), "-C", str(folder)], check=True)
    (source,) = folder.iterdir()
    for name, old, new in (
        ("pyproject.toml", '\nversion = "', '\nversion = "0.0.'),
        ("hubstack/deploy/manifests/server.py", '"progressDeadlineSeconds": 600', '"progressDeadlineSeconds": 500'),
    ):
        text = (source / name).read_text()
        assert text.count(old) == 1, name
        (source / name).write_text(text.replace(old, new))
    subprocess.run(
        [uv(), "build", "--quiet", "--wheel", "--out-dir", str(folder / "dist"), str(source)], check=True
    )
    (made,) = (folder / "dist").glob("*.whl")
    return made


def test_an_upgrade_of_hubstack_is_reviewed_as_any_change(team: Team, earlier: Path, wheel: Path) -> None:
    said = json.loads(team.run("diff", "prod", "--against-version", str(earlier), "--json", UV=uv()))
    assert said["failures"] == []
    assert said["before"] == f"hubstack {earlier.name}"
    changed = {each["name"]: [path["path"] for path in each["changes"]] for each in said["resources"]}
    assert changed
    assert all(name.endswith("-deployment") for name in changed), changed
    assert {path for paths in changed.values() for path in paths} == {"spec.progressDeadlineSeconds"}
    same = json.loads(team.run("diff", "prod", "--against-version", str(wheel), "--json", UV=uv()))
    assert (same["failures"], same["resources"]) == ([], [])


@pytest.mark.parametrize(
    ("release", "why"),
    [
        ("latest", "is not a version"),
        ("0.1;import", "is not a version"),
        ("no/such.whl", "does not exist"),
        ("9999.1", "cannot be installed"),
    ],
)
def test_a_release_that_cannot_be_had_is_refused_with_its_cause(team: Team, release: str, why: str) -> None:
    said = team.run("diff", "dev", "--against-version", release, code=2, UV=uv())
    assert why in said
    assert "hint: " in said


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=PROJECT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


@pytest.fixture(scope="module")
def last(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources of the last release; before the first, of the first commit whose wheel makes a repository."""
    if git("rev-parse", "--is-shallow-repository") != "false":
        pytest.skip("the history is not here (no git, or a shallow clone): git fetch --unshallow --tags")
    tag = git("describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD^")
    first = git("log", "--reverse", "--diff-filter=A", "--format=%H", "--", "hubstack/inputs/new/repository.py")
    commit = tag or first.partition("\n")[0]
    if not commit or commit == git("rev-parse", "HEAD"):
        pytest.skip("the history has no earlier hubstack that makes repositories")
    folder = tmp_path_factory.mktemp("last")
    archive = folder / "source.tar"
    subprocess.run(["git", "archive", "--output", str(archive), commit], cwd=PROJECT, check=True)
    (folder / "source").mkdir()
    subprocess.run(["tar", "-xf", str(archive), "-C", str(folder / "source")], check=True)
    return folder / "source"


def test_a_stack_of_the_last_release_is_upgraded(last: Path, wheel: Path, tmp_path: Path) -> None:
    """Its repository, lists, locks and placement are those that the last release wrote; only hubstack is new."""
    subprocess.run(
        [uv(), "build", "--quiet", "--wheel", "--out-dir", str(tmp_path / "dist"), str(last)], check=True
    )
    (old,) = (tmp_path / "dist").glob("*.whl")
    before = Team(tmp_path / "before", PYTHONS[0], old)
    after = Team(tmp_path / "after", PYTHONS[0], wheel)
    shutil.copytree(last / "examples" / "production", before.repository / "examples" / "production")
    for env in ("dev", "examples/production"):
        here = before.repository
        was = json.loads(before.run("preview", env, "--json", cwd=here))
        now = json.loads(after.run("preview", env, "--json", cwd=here))
        assert after.run("lock", env, "--check", "--no-images", cwd=here)
        assert after.run("place", env, "--check", cwd=here)
        said = json.loads(after.run("diff", env, "--against-version", str(old), "--json", cwd=here, UV=uv()))
        assert said["failures"] == []
        by_action: dict[str, list[dict[str, Any]]] = {}
        for each in said["resources"]:
            by_action.setdefault(each["action"], []).append(each)
        kept = {each["urn"] for each in now["resources"]} | {each["old_urn"] for each in said["resources"]}
        lost = {CONTENT.sub("-loader-HASH", each["urn"]) for each in was["resources"]} - {
            CONTENT.sub("-loader-HASH", urn) for urn in kept if urn
        }
        assert lost == set(), f"{env}: the upgrade deletes resources"
        for each in by_action.get("replace", ()):
            assert each["because"] or each["follows"], each["urn"]
            assert each["held"] is None, f"{env}: the upgrade loses data: {each['urn']}"
        assert not [each for each in said["resources"] if each["refused"]]


def test_one_command_of_uv_makes_a_repository_whose_preview_works_at_once(tmp_path: Path, wheel: Path) -> None:
    kept = {key: value for key, value in os.environ.items() if key not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    make = [uv(), "tool", "run", "--quiet", "--from", str(wheel), "hubstack", "new", "models", "--ci", "github"]
    made = subprocess.run(make, cwd=tmp_path, env=kept | {"UV": uv()}, check=True, capture_output=True, text=True)
    assert "wrote models/uv.lock: " in made.stdout, made.stderr
    assert (tmp_path / "models" / "uv.lock").is_file()
    subprocess.run([uv(), "sync", "--quiet", "--frozen"], cwd=tmp_path / "models", env=kept, check=True)
    preview = [uv(), "run", "--quiet", "--frozen", "hubstack", "preview", "dev", "--summary"]
    done = subprocess.run(
        preview, cwd=tmp_path / "models", env=kept, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "resources would be created" in done.stdout
    version = [uv(), "run", "--quiet", "hubstack", "--version"]
    told = subprocess.run(version, cwd=tmp_path / "models", env=kept, capture_output=True, text=True, check=True)
    assert told.stdout.split()[1] in wheel.name
    reviewed(tmp_path, kept)


def reviewed(root: Path, env: dict[str, str]) -> None:
    """Run the repository's review as its pipeline does: the script and the hubstack of the base commit."""
    head = root / "models"

    def git(*arguments: str) -> str:
        names = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        command = ["git", *names, *arguments]
        return subprocess.run(command, cwd=head, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet", "--initial-branch", "main")
    git("add", "--all")
    git("commit", "--quiet", "--message", "first")
    base = git("rev-parse", "HEAD")
    git("worktree", "add", "--quiet", "--detach", str(root / "base"), base)
    dev = head / "stacks" / "dev.models.yaml"
    dev.write_text(dev.read_text().replace("[spot, on-demand]", "[on-demand]"))
    git("commit", "--quiet", "--all", "--message", "no spot")
    script, comment = root / "base" / "gitops" / "review.sh", root / "comment.md"
    with_uv = env | {"PATH": f"{Path(uv()).parent}:{env['PATH']}"}
    done = subprocess.run(
        [str(script), "dev", base, str(comment)], cwd=head, env=with_uv, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, "spot is no longer watched: a protection that the gate stops\n" + done.stdout
    assert "observability-preempted" in comment.read_text()
    assert "failed" not in comment.read_text()
