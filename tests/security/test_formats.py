# SPDX-License-Identifier: Apache-2.0
"""What of a hostile repository is refused, and what never comes near a server."""

from fnmatch import fnmatchcase

import pytest

from hubstack.files.errors import InputError
from hubstack.planner.model.weights import UNSAFE_FILES, choose_files
from tests.support.facts import file, llama, plan_one

UNSAFE = (
    "pytorch_model.bin",
    "model.pt",
    "model.pth",
    "model.pkl",
    "model.pickle",
    "model.ckpt",
    "model.joblib",
    "model.dill",
    "model.npy",
    "model.npz",
    "tf_model.h5",
    "model.hdf5",
    "model.keras",
    "flax_model.msgpack",
    "model.onnx",
)
SMUGGLED = (
    "tokenizer.pkl",
    "tokenizer_config.BIN",
    "tokenizer.py",
    "2_Dense/pytorch_model.bin",
    "2_Dense/evil.pkl",
    "3_Normalize/run.py",
    "1_Pooling/weights.pt",
    "tokenizer.model.joblib",
    *UNSAFE,
)
SAFE = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer.model", "2_Dense/config.json")

REFUSALS = (
    r"has only pickled weights|has no safetensors, GGUF or pickle weights|a format that none of hubstack's engines"
)


@pytest.mark.parametrize("path", UNSAFE)
def test_a_model_in_a_format_that_can_run_code_is_refused(path: str) -> None:
    files = (file("config.json"), file(path, 2_000_000_000))
    with pytest.raises(InputError, match=REFUSALS):
        plan_one(llama(parameters={}, parameters_total=None, files=files))


def test_beside_safetensors_no_file_that_can_run_code_is_staged() -> None:
    weights = file("model.safetensors", 2_000_000_000)
    paths = [path for path in (*SAFE, *SMUGGLED) if path != weights.path]
    plan = plan_one(llama(files=(weights, *(file(path) for path in paths))))
    assert {each.path for each in plan.weights.files} == set(SAFE)


def test_where_the_lock_has_no_list_the_loader_leaves_the_same_out() -> None:
    weights = plan_one(llama()).weights
    assert weights.files == ()

    def taken(path: str) -> bool:
        wanted = any(fnmatchcase(path, pattern) for pattern in weights.patterns)
        return wanted and not any(fnmatchcase(path.lower(), pattern) for pattern in weights.exclude)

    assert [path for path in SAFE if not taken(path)] == []
    assert [path for path in SMUGGLED if taken(path)] == []


def test_only_weights_that_are_allowed_as_pickles_are_staged_as_such() -> None:
    pickled = llama(
        files=(
            file("config.json"),
            file("pytorch_model.bin", 2_000_000_000),
            file("tokenizer.pkl"),
            file("tokenizer.json"),
        )
    )
    staged = {each.path for each in plan_one(pickled, allow_pickle=True).weights.files}
    assert staged == {"config.json", "pytorch_model.bin", "tokenizer.json"}
    assert not set(UNSAFE_FILES) & set(choose_files(pickled).exclude)


def test_remote_code_is_neither_staged_nor_switched_on_by_the_repository() -> None:
    """`auto_map` of a tokenizer or a config names Python of the repository; only the list may let it run."""
    files = (
        file("config.json"),
        file("model.safetensors", 2_000_000_000),
        file("tokenization_evil.py"),
        file("tokenizer_config.json"),
        file("modeling_evil.py"),
    )
    model = plan_one(llama(custom_code=True, files=files))
    assert not [each.path for each in model.weights.files if each.path.endswith(".py")]
    assert "--trust-remote-code" not in model.server.args
    assert ("HF_HUB_OFFLINE", "1") in model.server.env


def test_an_engine_is_told_the_format_and_does_not_guess_it() -> None:
    model = plan_one(llama(files=(file("config.json"), file("model.safetensors", 2_000_000_000))))
    at = model.server.args.index("--load-format")
    assert model.server.args[at + 1] in {"safetensors", "runai_streamer"}
