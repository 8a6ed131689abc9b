# SPDX-License-Identifier: Apache-2.0
"""The loader against a Hub of its own: a real HTTP server, the real huggingface_hub, in a process of its own."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hubstack.deploy.weights_job import load_weights

SCRIPT = Path(__file__).resolve().parents[2] / "hubstack" / "deploy" / "weights_job" / "load_weights.py"
REPO, COMMIT, TOKEN = "acme/tiny", "a" * 40, "hf_secretsecretsecret"
HEADER = b'{"__metadata__":{}}'
WEIGHTS, CONFIG = len(HEADER).to_bytes(8, "little") + HEADER + b"weights" * 1000, b'{"model_type": "tiny"}\n'


def git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


@dataclass
class Hub:
    files: dict[str, bytes] = field(
        default_factory=lambda: {
            "config.json": CONFIG,
            "model.safetensors": WEIGHTS,
            "original/model.safetensors": b"another copy",
        }
    )
    gated: bool = False
    is_hub: bool = True
    """Else a proxy answers, which knows nothing of commits."""
    requests: list[str] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    url: str = ""

    def tree(self) -> list[dict[str, Any]]:
        return [
            {"type": "file", "path": path, "size": len(content), "oid": git_oid(content)}
            | (
                {"lfs": {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}}
                if path.endswith(".safetensors")
                else {}
            )
            for path, content in self.files.items()
        ]


def handler_of(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hub.requests.append(f"{self.command} {self.path}")
            hub.tokens.append(self.headers.get("Authorization"))
            if not hub.is_hub:
                self.answer(200, b"sign in", {})
                return
            resolve, tree = f"/{REPO}/resolve/{COMMIT}/", f"/api/models/{REPO}/tree/{COMMIT}"
            if hub.gated and self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self.answer(401, b"", {"X-Error-Code": "GatedRepo", "X-Error-Message": "restricted"})
            elif self.path.startswith(tree):
                self.answer(200, json.dumps(hub.tree()).encode(), {"Content-Type": "application/json"})
            elif self.path.startswith(resolve) and self.path.removeprefix(resolve) in hub.files:
                content = hub.files[self.path.removeprefix(resolve)]
                self.answer(200, content, {"X-Repo-Commit": COMMIT, "ETag": f'"{git_oid(content)}"'})
            else:
                self.answer(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})

        do_HEAD = do_GET  # noqa: N815  http.server's name

        def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture
def hub() -> Iterator[Hub]:
    said = Hub()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler_of(said)) as server:
        said.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield said
        server.shutdown()
        thread.join()


def locked(**changes: Any) -> dict[str, Any]:
    files = [
        {"path": "config.json", "size_bytes": len(CONFIG), "sha256": None, "git_oid": git_oid(CONFIG)},
        {
            "path": "model.safetensors",
            "size_bytes": len(WEIGHTS),
            "git_oid": None,
            "sha256": hashlib.sha256(WEIGHTS).hexdigest(),
        },
    ]
    said = {
        "repo_id": REPO,
        "commit": COMMIT,
        "patterns": ["*.safetensors", "*.json"],
        "exclude": ["original/*"],
        "files": files,
    }
    return said | changes


@dataclass
class Run:
    code: int
    text: str


def run(hub: Hub, folder: Path, manifest: dict[str, Any], *, token: bool = False) -> Run:
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "scratch").mkdir(exist_ok=True)
    (folder / "token").write_text(TOKEN)
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder / "home"),
        "HF_HOME": str(folder / "home"),
        "HF_ENDPOINT": hub.url,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_ETAG_TIMEOUT": "5",
    }
    if token:
        env["HF_TOKEN_PATH"] = str(folder / "token")
    command = [
        sys.executable,
        str(SCRIPT),
        "--manifest",
        str(folder / "manifest.json"),
        "--target",
        str(folder / "bucket"),
        "--scratch",
        str(folder / "scratch"),
    ]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    return Run(done.returncode, done.stdout + done.stderr)


def landed(folder: Path) -> dict[str, bytes]:
    bucket = folder / "bucket"
    return {str(path.relative_to(bucket)): path.read_bytes() for path in bucket.rglob("*") if path.is_file()}


def test_the_locked_files_land_and_the_marker_comes_with_them(hub: Hub, tmp_path: Path) -> None:
    done = run(hub, tmp_path, locked())
    assert done.code == 0, done.text
    files = landed(tmp_path)
    marker = json.loads(files.pop(".hubstack-complete"))
    assert files == {"config.json": CONFIG, "model.safetensors": WEIGHTS}
    assert marker["commit"] == COMMIT
    assert [file["path"] for file in marker["files"]] == ["config.json", "model.safetensors"]
    assert not any((tmp_path / "scratch").iterdir()), "the scratch disk holds one file at a time"


def test_a_second_run_asks_the_hub_nothing(hub: Hub, tmp_path: Path) -> None:
    assert run(hub, tmp_path, locked()).code == 0
    hub.requests.clear()
    assert run(hub, tmp_path, locked()).code == 0
    assert hub.requests == []


def test_a_run_that_was_cut_off_downloads_only_what_is_missing_or_damaged(hub: Hub, tmp_path: Path) -> None:
    assert run(hub, tmp_path, locked()).code == 0
    (tmp_path / "bucket" / ".hubstack-complete").unlink()
    (tmp_path / "bucket" / "model.safetensors").write_bytes(b"x" * len(WEIGHTS))
    hub.requests.clear()
    assert run(hub, tmp_path, locked()).code == 0
    assert landed(tmp_path)["model.safetensors"] == WEIGHTS
    assert [line for line in hub.requests if "config.json" in line] == []


@pytest.mark.parametrize("path", ["model.safetensors", "config.json"])
def test_bytes_that_were_not_locked_are_refused_and_leave_nothing(hub: Hub, tmp_path: Path, path: str) -> None:
    hub.files[path] = hub.files[path][:-1] + b"!"
    done = run(hub, tmp_path, locked())
    assert done.code == 3
    assert path in done.text
    assert path not in landed(tmp_path), "a server could read what nobody has checked"
    assert ".hubstack-complete" not in landed(tmp_path)
    assert not any((tmp_path / "scratch").iterdir())


def test_without_a_locked_list_the_hubs_own_list_at_the_commit_is_taken(hub: Hub, tmp_path: Path) -> None:
    done = run(hub, tmp_path, locked(files=[]))
    assert done.code == 0, done.text
    assert set(landed(tmp_path)) == {"config.json", "model.safetensors", ".hubstack-complete"}
    hub.requests.clear()
    assert run(hub, tmp_path, locked(files=[])).code == 0
    assert hub.requests == []


def test_a_file_locked_without_a_hash_is_checked_against_the_hubs_own(hub: Hub, tmp_path: Path) -> None:
    manifest = locked()
    manifest["files"][0]["git_oid"] = None
    assert run(hub, tmp_path, manifest).code == 0
    assert any("/tree/" in line for line in hub.requests)
    manifest["files"][0]["size_bytes"] = 7
    done = run(hub, tmp_path, manifest)
    assert done.code == 3, done.text


def test_a_gated_model_lands_with_the_token_and_the_token_is_never_printed(hub: Hub, tmp_path: Path) -> None:
    hub.gated = True
    refused = run(hub, tmp_path, locked())
    assert refused.code == 4, refused.text
    assert "token" in refused.text
    done = run(hub, tmp_path, locked(), token=True)
    assert done.code == 0, done.text
    assert f"Bearer {TOKEN}" in hub.tokens
    assert TOKEN not in refused.text + done.text
    assert all(TOKEN.encode() not in content for content in landed(tmp_path).values())


def test_a_file_that_the_hub_does_not_have_ends_without_another_try(hub: Hub, tmp_path: Path) -> None:
    del hub.files["config.json"]
    done = run(hub, tmp_path, locked())
    assert done.code == 4
    assert "Traceback" not in done.text


def test_something_else_in_the_hubs_place_is_worth_another_try(hub: Hub, tmp_path: Path) -> None:
    hub.is_hub = False
    done = run(hub, tmp_path, locked())
    assert done.code == 5
    assert "Traceback" not in done.text


@pytest.mark.parametrize("path", ["../escape", "/etc/passwd", "a/../../b", ""])
def test_a_path_that_leads_out_of_the_bucket_is_refused(hub: Hub, tmp_path: Path, path: str) -> None:
    done = run(hub, tmp_path, locked(files=[{"path": path, "size_bytes": 1, "sha256": "0" * 64}]))
    assert done.code == 2
    assert hub.requests == []


def test_a_damaged_manifest_is_refused_with_one_message(hub: Hub, tmp_path: Path) -> None:
    done = run(hub, tmp_path, {"repo_id": REPO})
    assert (done.code, done.text.count("\n")) == (2, 1)


def test_what_changes_between_the_check_and_the_bucket_does_not_stay_there(tmp_path: Path) -> None:
    """The disk is read again for the copy; what is hashed then is what was written."""
    found, landing = tmp_path / "found", tmp_path / "landed"
    found.write_bytes(b"x" * len(WEIGHTS))
    file = load_weights.File(
        path="model.safetensors", size_bytes=len(WEIGHTS), sha256=hashlib.sha256(WEIGHTS).hexdigest()
    )
    with pytest.raises(load_weights.LoadError) as error:
        load_weights.copy_bytes(file, found, landing)
    assert error.value.code == 5
    assert not landing.exists()
    found.write_bytes(WEIGHTS)
    load_weights.copy_bytes(file, found, landing)
    assert landing.read_bytes() == WEIGHTS


def test_the_marker_comes_last(hub: Hub, tmp_path: Path) -> None:
    """A copy that ends half-way leaves a folder that no later run and no collector takes for whole."""
    manifest = locked()
    manifest["files"][1]["sha256"] = "0" * 64
    assert run(hub, tmp_path, manifest).code == 3
    assert ".hubstack-complete" not in landed(tmp_path)


PICKLE = b"\x80\x04\x95" + b"csystem" * 9
DISGUISED = {
    "model.safetensors": (b"PK\x03\x04" + b"archive/data.pkl" * 9, "no safetensors file"),
    "adapter.safetensors": (PICKLE, "no safetensors file"),
    "short.safetensors": (b"\x08", "no safetensors file"),
    "long.safetensors": ((2**40).to_bytes(8, "little") + b"{}", "no safetensors file"),
    "model.gguf": (PICKLE, "no GGUF file"),
    "model.safetensors.index.json": (b'{"weight_map": {"a": "../../etc/passwd"}}', "which is not beside it"),
    "above.safetensors.index.json": (
        b'{"weight_map": {"a": "/weights/other.safetensors"}}',
        "which is not beside it",
    ),
    "list.safetensors.index.json": (b'{"weight_map": ["a"]}', "no index of weights"),
    "words.safetensors.index.json": (b"no JSON", "no index of weights"),
}


@pytest.mark.parametrize("path", DISGUISED)
def test_a_file_that_is_not_what_its_name_says_is_refused_though_its_hash_is_right(
    hub: Hub, tmp_path: Path, path: str
) -> None:
    content, why = DISGUISED[path]
    hub.files[path] = content
    file = {"path": path, "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    done = run(hub, tmp_path, locked(files=[file]))
    assert done.code == 3
    assert why in done.text
    assert landed(tmp_path) == {}


def test_a_pickle_whose_name_is_in_capitals_is_left_out(hub: Hub, tmp_path: Path) -> None:
    hub.files["model.BIN"] = PICKLE
    done = run(hub, tmp_path, locked(files=[], patterns=["*"], exclude=["original/*", "*.bin"]))
    assert done.code == 0, done.text
    assert "model.BIN" not in landed(tmp_path)


def test_an_index_of_files_beside_it_lands(hub: Hub, tmp_path: Path) -> None:
    hub.files["model.safetensors.index.json"] = b'{"metadata": {}, "weight_map": {"a": "model.safetensors"}}'
    done = run(hub, tmp_path, locked(files=[], patterns=["*.safetensors", "*.json"]))
    assert done.code == 0, done.text


def test_a_folder_that_lacks_a_part_of_its_index_is_not_complete(hub: Hub, tmp_path: Path) -> None:
    parts = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    hub.files = {
        parts[0]: WEIGHTS,
        "model.safetensors.index.json": json.dumps({"weight_map": dict(zip("ab", parts, strict=True))}).encode(),
    }
    done = run(hub, tmp_path, locked(files=[], patterns=["*.safetensors", "*.json"]))
    assert (done.code, parts[1] in done.text) == (4, True), "another try would not help"
    assert load_weights.MARKER not in landed(tmp_path), "no server starts from it"


@pytest.mark.parametrize("path", ["../escape.json", "a/../../escape.json"])
def test_a_name_that_the_hub_itself_lists_outside_of_the_repository_is_refused(
    hub: Hub, tmp_path: Path, path: str
) -> None:
    hub.files[path] = b"{}"
    done = run(hub, tmp_path, locked(files=[]))
    assert done.code == 2
    assert landed(tmp_path) == {}
