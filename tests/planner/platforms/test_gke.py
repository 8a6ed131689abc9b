# SPDX-License-Identifier: Apache-2.0
import pytest

from hubstack.planner.platforms.gke import SPEC
from tests.support.facts import ask, catalog, steps


@pytest.mark.parametrize("asked", [{"accelerators": ("v6e",)}, {"accelerators": ("tpu-v6e", "v5e")}])
def test_a_tpu_is_not_shared(asked: dict[str, tuple[str, ...]]) -> None:
    (problem,) = SPEC.find_problems(ask("acme/model", share_gpu=True, **asked), "us-central1", catalog())
    assert "a TPU runs one server" in problem.message


@pytest.mark.parametrize("words", [(), ("l4",), ("l4", "tpu-v6e")])
def test_what_may_still_be_a_gpu_can_be_shared(words: tuple[str, ...]) -> None:
    request = ask("acme/model", share_gpu=True, accelerators=words, capacity=steps("spot"))
    assert list(SPEC.find_problems(request, "us-central1", catalog())) == []
