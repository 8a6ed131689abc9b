# SPDX-License-Identifier: Apache-2.0
"""Which GGUF files are the same model."""

import pytest

from hubstack.hub.gguf_files import first_parts, model_of


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("Qwen3-8B-Q4_K_M.gguf", "qwen3-8b"),
        ("Qwen3-8B-UD-Q4_K_XL.gguf", "qwen3-8b"),
        ("BF16/Qwen3-8B-BF16-00001-of-00002.gguf", "qwen3-8b"),
        ("qwen2.5-7b-instruct-q4_k_m.gguf", "qwen2-5-7b-instruct"),
        ("tinyllama-1.1b-chat-v1.0.Q2_K.gguf", "tinyllama-1-1b-chat-v1-0"),
        ("Meta-Llama-3-8B.i1-IQ2_XXS.gguf", "meta-llama-3-8b"),
        ("Model-TQ1_0.gguf", "model"),
        ("gpt-oss-20b-MXFP4_MOE.gguf", "gpt-oss-20b"),
        ("gpt-oss-20b-mxfp4.gguf", "gpt-oss-20b"),
        ("gemma-3-4b-it-q4_0.gguf", "gemma-3-4b-it"),
        ("ggml-model-f16.gguf", "ggml-model"),
        ("Llama-3.2-1B-Instruct-Q4_0_4_4.gguf", "llama-3-2-1b-instruct"),
        ("Q4_K_M/Big-00001-of-00009.gguf", "big"),
        ("Llama-3.2-3B-Instruct-uncensored.Q6_K_L.gguf", "llama-3-2-3b-instruct-uncensored"),
    ],
)
def test_quantization_and_part_do_not_name_the_model(path: str, model: str) -> None:
    assert model_of(path) == model


def test_projectors_calibration_data_and_later_parts_are_no_models() -> None:
    found = first_parts(
        [
            "m-Q8_0-00001-of-00002.gguf",
            "m-Q8_0-00002-of-00002.gguf",
            "m-Q4_K_M.gguf",
            "mmproj-F16.gguf",
            "m-imatrix.gguf",
            "README.md",
        ]
    )
    assert found == {"m": ("m-Q4_K_M.gguf", "m-Q8_0-00001-of-00002.gguf")}
