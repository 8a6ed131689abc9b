# SPDX-License-Identifier: Apache-2.0
"""What is read of a cluster is returned without secrets, whatever form it has."""

import json
from pathlib import Path
from typing import Any

from hubstack.review.doctor.cluster import read_folder

SECRET = "canary-of-a-variable"
ENV: list[dict[str, str]] = [{"name": "DATABASE", "value": SECRET}]


def read(folder: Path, pod: dict[str, Any] | str) -> dict[str, Any]:
    (folder / "pods.json").write_text(pod if isinstance(pod, str) else json.dumps({"items": [pod]}))
    state = read_folder(folder)
    state.write(folder / "saved")
    assert SECRET not in (folder / "saved" / "pods.json").read_text()
    return state.objects["pods"][0]


def test_the_copy_of_an_object_in_its_annotation_is_left_out(tmp_path: Path) -> None:
    copy = json.dumps({"spec": {"containers": [{"env": ENV}]}})
    notes = {"kubectl.kubernetes.io/last-applied-configuration": copy, "team": "search"}
    assert read(tmp_path, {"metadata": {"annotations": notes}}) == {"metadata": {"annotations": {"team": "search"}}}


def test_the_value_of_a_secret_flag_is_left_out(tmp_path: Path) -> None:
    found = read(tmp_path, {"args": ["--model", "m", "--api-key", SECRET, "--token", SECRET, "--port", "80"]})
    assert found == {"args": ["--model", "m", "--api-key", "***", "--token", "***", "--port", "80"]}


def test_an_object_nested_without_end_is_cut(tmp_path: Path) -> None:
    assert read(tmp_path, '{"items": [{"a": ' + "[" * 900 + "]" * 900 + "}]}")["a"]
