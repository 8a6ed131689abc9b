# SPDX-License-Identifier: Apache-2.0
"""Which files are read as inputs."""

from pathlib import Path

import pytest

from hubstack.files.documents import read_text
from hubstack.files.errors import InputError
from hubstack.inputs.models import load_request


@pytest.mark.parametrize("name", ["stacks/dev.prices.yaml", "stacks/dev.models.yaml", "policy.yaml"])
def test_a_link_out_of_the_project_is_not_followed(tmp_path: Path, name: str) -> None:
    project = tmp_path / "project"
    (project / name).parent.mkdir(parents=True)
    (tmp_path / "private").write_text("root:x:0:0\n")
    (project / name).symlink_to(tmp_path / "private")
    with pytest.raises(InputError) as caught:
        read_text(project / name, name)
    assert "a symlink to a file outside the project" in str(caught.value)
    assert "root:x" not in str(caught.value)


def test_a_link_inside_the_project_is_followed(tmp_path: Path) -> None:
    (tmp_path / "shared.yaml").write_text("models: []\n")
    (tmp_path / "dev.yaml").symlink_to("shared.yaml")
    assert read_text(tmp_path / "dev.yaml", "dev.yaml") == "models: []\n"


def test_a_list_that_is_named_by_its_whole_path_leads_to_no_other_folder_either(tmp_path: Path) -> None:
    (tmp_path / "private").write_text("models: [Qwen/Qwen3-8B]\n")
    (tmp_path / "project").mkdir()
    listed = tmp_path / "project" / "models.yaml"
    listed.symlink_to(tmp_path / "private")
    with pytest.raises(InputError, match="a symlink to a file outside the project"):
        load_request(listed, str(listed))
