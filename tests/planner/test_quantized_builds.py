# SPDX-License-Identifier: Apache-2.0
"""A quantized build is suggested by name where the model needs several accelerators and the build one."""

from typing import Any

import pytest

from hubstack.files.errors import PlanError
from hubstack.plan import ModelPlan
from tests.support.facts import hub, plan_one

LARGE = "Qwen/Qwen2.5-14B-Instruct"
BUILDS = {"Qwen/Qwen2.5-14B-Instruct-AWQ": 4, "Qwen/Qwen2.5-14B-Instruct-FP8": 8}


def suggested(repo_id: str, builds: dict[str, int], **settings: Any) -> list[str]:
    model: ModelPlan = plan_one(hub(repo_id, quantized_builds=builds), **settings)
    return [reason.text for reason in model.reasons if reason.topic == "quantized build"]


def test_the_build_that_fits_one_accelerator_is_named_with_its_size_and_price() -> None:
    [said] = suggested(LARGE, BUILDS, accelerator="l4")
    assert said.startswith("the Hub lists `Qwen/Qwen2.5-14B-Instruct-AWQ`, a 4-bit build: about ")
    assert "1 x NVIDIA L4 (g2-standard-" in said
    assert "an hour" in said


def test_a_model_that_fits_nowhere_is_told_of_the_build_too() -> None:
    with pytest.raises(PlanError) as caught:
        plan_one(hub("Qwen/Qwen2.5-72B-Instruct", quantized_builds={"acme/72B-AWQ": 4}), platform="cloud-run")
    assert "the Hub lists `acme/72B-AWQ`" in str(caught.value)


def test_a_build_that_does_not_fit_one_accelerator_is_passed_over() -> None:
    assert suggested("Qwen/Qwen3-32B", {"acme/fp8": 8}, accelerator="l4") == []


def test_a_build_in_4_bit_floats_is_larger_than_an_integer_one_by_its_scales() -> None:
    def gib(name: str) -> float:
        [said] = suggested(LARGE, {name: 4}, accelerator="l4")
        return float(said.partition("about ")[2].partition(" GiB")[0])

    # 13.2 billion parameters of its layers, with a scale of 8 bits for 16 or 32 of them; AWQ has 20 bits for 128.
    assert gib("acme/14b-awq") == pytest.approx(9.3, abs=0.1)
    assert gib("acme/14b-MXFP4") == pytest.approx(9.4, abs=0.1)
    assert gib("acme/14b-NVFP4") == gib("acme/14b-FP4") == pytest.approx(9.8, abs=0.1)


def test_no_name_is_made_up_and_none_is_given_where_one_accelerator_does() -> None:
    assert suggested(LARGE, {}, accelerator="l4") == []
    assert suggested("Qwen/Qwen3-4B-Instruct-2507", {"acme/small-awq": 4}) == []


def test_an_unknown_number_of_bits_suggests_nothing() -> None:
    assert suggested(LARGE, {"acme/odd": 3}, accelerator="l4") == []
