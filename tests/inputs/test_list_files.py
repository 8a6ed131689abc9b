# SPDX-License-Identifier: Apache-2.0
"""Files of a list reach the server's container as they are, or are refused at the line of `files:`."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hubstack.deploy.manifests import deployment, files_config
from hubstack.files.errors import InputError
from hubstack.inputs.list_files import MAX_BYTES, ListFile, read_list_files
from hubstack.inputs.models import Request, load_request
from hubstack.plan import ModelPlan
from hubstack.plan.target import TargetPlan
from tests.support.facts import ask, hub, plan

MODEL = "Qwen/Qwen3-8B"
SETTINGS: dict[str, Any] = {"files": ["templates/chat.jinja"], "chat_template": "templates/chat.jinja"}


def request(folder: Path, line: str) -> Request:
    (folder / "stacks").mkdir(exist_ok=True)
    path = folder / "stacks" / "dev.models.yaml"
    path.write_text(f"models:\n  - {{id: {MODEL}, files: {line}}}\n")
    return load_request(path, "stacks/dev.models.yaml")


def refused(folder: Path, line: str) -> str:
    with pytest.raises(InputError) as caught:
        request(folder, line)
    (problem,) = caught.value.problems
    assert (problem.path, problem.line) == ("stacks/dev.models.yaml", 2)
    return problem.message


def mounted(text: str) -> tuple[TargetPlan, ModelPlan]:
    asked = replace(ask(MODEL, **SETTINGS), files=(ListFile(name="chat.jinja", text=text),))
    made = plan((hub(MODEL), asked))
    return made.target, made.models[0]


def test_a_file_beside_the_list_is_read(tmp_path: Path) -> None:
    (tmp_path / "stacks" / "templates").mkdir(parents=True)
    (tmp_path / "stacks" / "templates" / "chat.jinja").write_text("{{ messages }}")
    (model,) = request(tmp_path, "[templates/chat.jinja]").models
    assert model.files == (ListFile(name="chat.jinja", text="{{ messages }}"),)


def test_a_file_of_a_base_list_lies_beside_that_list(tmp_path: Path) -> None:
    (tmp_path / "stacks" / "base").mkdir(parents=True)
    (tmp_path / "stacks" / "base" / "a.txt").write_text("base")
    base = f"models:\n  - {{id: {MODEL}, files: [a.txt]}}\n"
    (tmp_path / "stacks" / "base" / "base.models.yaml").write_text(base)
    top = tmp_path / "stacks" / "dev.models.yaml"
    top.write_text("extends: base/base.models.yaml\n")
    (model,) = load_request(top, "stacks/dev.models.yaml").models
    assert [file.text for file in model.files] == ["base"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[none.jinja]", "is not a file"),
        ("[folder]", "is not a file"),
        ("[link.jinja]", "is a symbolic link"),
        ("[linked/a.txt]", "is a symbolic link"),
        ("[large.txt]", "is larger than 65,536 bytes"),
        ("[image.png]", "is not text"),
        ("[nul.txt]", "is not text"),
        ("[../dev.txt]", "points outside the list's folder"),
        ("[/etc/passwd]", "points outside the list's folder"),
        ("['a b.txt']", "has characters that a mounted file may not have"),
        ("[.env]", "has characters that a mounted file may not have"),
        ("[a/x.txt, b/x.txt]", "two files are named `x.txt`"),
        ("[5]", "is not a path"),
    ],
)
def test_what_is_no_small_text_file_beside_the_list_is_refused(tmp_path: Path, line: str, said: str) -> None:
    stacks = tmp_path / "stacks"
    (stacks / "folder").mkdir(parents=True)
    (stacks / "folder" / "a.txt").write_text("a")
    (stacks / "linked").symlink_to(stacks / "folder")
    (stacks / "link.jinja").symlink_to(stacks / "folder" / "a.txt")
    (stacks / "large.txt").write_text("a" * (MAX_BYTES + 1))
    (stacks / "image.png").write_bytes(b"\x89PNG\xff")
    (stacks / "nul.txt").write_bytes(b"a\0b")
    assert said in refused(tmp_path, line)


def test_the_files_of_a_model_are_limited_together(tmp_path: Path) -> None:
    for i in range(5):
        (tmp_path / f"{i}.txt").write_text("a" * MAX_BYTES)
    assert len(read_list_files(tmp_path, ["0.txt", "1.txt"])) == 2
    with pytest.raises(ValueError, match="together"):
        read_list_files(tmp_path, [f"{i}.txt" for i in range(5)])


def test_the_server_mounts_them_and_takes_its_template_from_them() -> None:
    target, model = mounted("{{ messages }}")
    pod = deployment(target, model)["spec"]["template"]["spec"]
    (server,) = pod["containers"]
    config = files_config(target, model)
    assert config
    assert config["data"] == {"chat.jinja": "{{ messages }}"}
    assert {"name": "files", "configMap": {"name": config["metadata"]["name"]}} in pod["volumes"]
    assert {"name": "files", "mountPath": "/etc/hubstack/files", "readOnly": True} in server["volumeMounts"]
    assert server["args"][server["args"].index("--chat-template") + 1] == "/etc/hubstack/files/chat.jinja"


def test_a_change_of_a_file_is_another_pod() -> None:
    first, other = (deployment(*mounted(text))["spec"]["template"] for text in ("one", "two"))
    assert first != other


def test_without_files_there_is_nothing() -> None:
    made = plan(hub(MODEL))
    assert files_config(made.target, made.models[0]) is None
    assert made.models[0].server.files is None
