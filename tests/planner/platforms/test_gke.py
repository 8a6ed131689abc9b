# SPDX-License-Identifier: Apache-2.0
import pytest

from hubstack.planner.platforms.gke import SPEC
from tests.support.facts import ask, catalog


@pytest.mark.parametrize("words", [["v6e"], ["tpu-v6e", "v5e"]])
def test_a_tpu_is_not_shared(words: list[str]) -> None:
    (problem,) = SPEC.find_problems(
        ask("acme/model", share_gpu=True, accelerator={"any": words}), "us-central1", catalog()
    )
    assert "a TPU runs one server" in problem.message


@pytest.mark.parametrize("words", [["l4"], ["l4", "tpu-v6e"]])
def test_what_may_still_be_a_gpu_can_be_shared(words: list[str]) -> None:
    request = ask("acme/model", share_gpu=True, accelerator={"any": words})
    assert list(SPEC.find_problems(request, "us-central1", catalog())) == []
