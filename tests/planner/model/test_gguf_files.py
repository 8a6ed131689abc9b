# SPDX-License-Identifier: Apache-2.0
"""Which GGUF files of a repository are served."""

import pytest

from hubstack.files.errors import PlanError
from tests.support.facts import file, made, plan_one

Q4, Q8 = file("m-Q4_K_M.gguf", 5_000_000_000), file("m-Q8_0.gguf", 9_000_000_000)
SIGHT = (file("mmproj-BF16.gguf", 800_000_000), file("mmproj-F16.gguf", 800_000_000))


def test_several_models_in_one_repository_are_asked_about() -> None:
    facts = made(files=(file("a-7B-Q4_K_M.gguf", 4_400_000_000), file("b-7B-Q4_K_M.gguf", 4_400_000_000)))
    with pytest.raises(
        PlanError, match=r"has several models: a-7b \(a-7B-Q4_K_M.gguf\); b-7b \(b-7B-Q4_K_M.gguf\)"
    ):
        plan_one(facts)
    with pytest.raises(PlanError, match=r"has several models that match `\*Q4_K_M\*`"):
        plan_one(facts, file="*Q4_K_M*")
    assert plan_one(facts, file="b-7B-Q4_K_M.gguf").server.args[1] == "/weights/b-7B-Q4_K_M.gguf"


def test_another_model_is_asked_about_even_without_the_default_quantization() -> None:
    facts = made(files=(Q4, Q8, file("draft-0.6B-Q8_0.gguf")))
    with pytest.raises(PlanError, match=r"draft-0-6b \(draft-0.6B-Q8_0.gguf\); m \("):
        plan_one(facts)


def test_calibration_data_is_no_model() -> None:
    assert plan_one(made(files=(Q4, file("m-imatrix.gguf")))).weights.model_path == "/weights/m-Q4_K_M.gguf"


def test_each_model_gets_its_own_projector() -> None:
    sights = (file("mmproj-a-7B-F16.gguf"), file("mmproj-b-7B-F16.gguf"))
    files = (file("a-7B-Q4_K_M.gguf"), file("b-7B-Q4_K_M.gguf"), *sights)
    model = plan_one(made(files=files, pipeline_tag="image-text-to-text"), file="b-7B-Q4_K_M.gguf")
    assert model.server.args[-1] == "/weights/mmproj-b-7B-F16.gguf"


def test_parts_of_one_file_are_one_model() -> None:
    parts = tuple(file(f"m-Q4_K_M-0000{n}-of-00002.gguf", 3_000_000_000) for n in (1, 2))
    assert len(plan_one(made(files=parts)).weights.files) == 2


def test_a_model_that_sees_gets_its_projector() -> None:
    model = plan_one(made(files=(Q4, Q8, *SIGHT), pipeline_tag="image-text-to-text"))
    assert model.server.args[-2:] == ("--mmproj", "/weights/mmproj-F16.gguf")
    assert {each.path for each in model.weights.files} == {"m-Q4_K_M.gguf", "mmproj-F16.gguf"}
    assert model.weights.model_path == "/weights/m-Q4_K_M.gguf"
    blind = plan_one(made(files=(Q4, Q8, *SIGHT), pipeline_tag="text-generation"))
    assert "--mmproj" not in blind.server.args


def test_a_model_that_hears_gets_its_projector_too() -> None:
    files = (file("m-Q4_K_M.gguf", 800_000_000), file("mmproj-m-f16.gguf", 1_300_000_000))
    model = plan_one(made(library="gguf", files=files, pipeline_tag="audio-text-to-text"))
    assert model.server.args[-2:] == ("--mmproj", "/weights/mmproj-m-f16.gguf")


@pytest.mark.parametrize(
    ("task", "says"), [("image-text-to-text", True), ("audio-text-to-text", True), ("text-generation", False)]
)
def test_a_model_without_its_projector_is_said_to_answer_text_only(task: str, *, says: bool) -> None:
    model = plan_one(made(library="gguf", files=(file("m-Q4_K_M.gguf", 800_000_000),), pipeline_tag=task))
    assert any("no projector (mmproj*.gguf)" in warning for warning in model.warnings) is says
