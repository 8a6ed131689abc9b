# SPDX-License-Identifier: Apache-2.0
"""The header of a safetensors file is untrusted: what no tensor has is refused, and quickly."""

import json
import time
from typing import Any

import pytest

from hubstack.hub.remote.safetensors_header import NotSafetensorsError, count_parameters


@pytest.mark.parametrize(
    "shape", [[9_999_999_999] * 100_000, [2**63], [2**32, 2**32], [1] * 100_000, [-1], [1.5], [True], "ab", None]
)
def test_a_shape_that_no_tensor_has_is_refused_at_once(shape: Any) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": shape}}).encode()
    start = time.monotonic()
    with pytest.raises(NotSafetensorsError):
        count_parameters(header)
    assert time.monotonic() - start < 2


def test_tensors_are_counted_by_dtype() -> None:
    tensors = {
        "a": {"dtype": "F32", "shape": [2, 3]},
        "b": {"dtype": "I8", "shape": []},
        "__metadata__": {"x": "y"},
    }
    assert count_parameters(json.dumps(tensors).encode()) == {"F32": 6, "I8": 1}
