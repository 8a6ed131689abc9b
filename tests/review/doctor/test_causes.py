# SPDX-License-Identifier: Apache-2.0
"""Each known cause is found in the text that was published, and in no text of another cause."""

import re

import pytest

from hubstack.inputs.models_schema import Settings
from hubstack.review.doctor.causes import Cause, Text, causes, find_cause

OOM = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.74 GiB. GPU 1 has a total capacity of"
TRACE = """\
(VllmWorker rank=5 pid=3073)   File ".../vllm/v1/worker/gpu_worker.py", line 136, in {outer}
(VllmWorker rank=5 pid=3073)     self.model_runner.{outer}()
(VllmWorker rank=5 pid=3073)   File ".../vllm/v1/worker/gpu_model_runner.py", line 1167, in {inner}
(VllmWorker rank=5 pid=3073) {oom}
"""
"""The form of vllm#15182; the functions are those of vLLM 0.33.0, v1/worker."""


@pytest.mark.parametrize("cause", causes(), ids=lambda cause: cause.id)
def test_a_cause_is_found_in_its_own_example_and_no_earlier_one_is(cause: Cause) -> None:
    for where in cause.where:
        found = find_cause([Text(where=where, of="pod/x", text=cause.example)])
        if found:
            assert (found.cause.id, found.line) == (cause.id, cause.example)
            return
    pytest.fail(f"{cause.id} is not found in its example")


@pytest.mark.parametrize("cause", causes(), ids=lambda cause: cause.id)
def test_a_cause_has_a_source_and_names_only_keys_of_the_list_and_settings(cause: Cause) -> None:
    assert cause.source.startswith("https://") or "hubstack/" in cause.source or "vLLM 0.33.0" in cause.source
    keys = set(Settings.model_fields) | {"replicas.max", "on-demand", "reservation", "zones", "region", "latest"}
    for word in re.findall(r"`([a-z_.-]+)`", cause.do):
        assert word in keys | {"disabled"}, word


@pytest.mark.parametrize(
    ("outer", "inner", "cause"),
    [
        ("load_model", "load_model", "oom-weights"),
        ("determine_available_memory", "profile_run", "oom-activation"),
        ("compile_or_warm_up_model", "capture_model", "oom-graphs"),
        ("execute_model", "forward", "oom"),
    ],
)
def test_the_traceback_tells_which_memory_term_ran_out(outer: str, inner: str, cause: str) -> None:
    text = TRACE.format(outer=outer, inner=inner, oom=OOM)
    found = find_cause([Text(where="log", of="log", text=f"INFO starting\n{text}")])
    assert found
    assert found.cause.id == cause
    assert "OutOfMemoryError" in found.line


def test_the_engines_figures_are_read() -> None:
    (cause,) = [each for each in causes() if each.id == "kv-too-small"]
    found = find_cause([Text(where="log", of="log", text=cause.example)])
    assert found
    assert found.figures == {"context": "262144", "needed": "24.0", "available": "3.18", "longest": "34736"}


def test_vllm_0_33s_wording_of_the_same_is_read() -> None:
    said = (
        "To serve at least one request with the model's max seq len (100000), (4.26 GiB KV cache is needed, "
        "which is larger than the available KV cache memory (4.25 GiB). Based on the available memory, the "
        "estimated maximum model length is 99744. Try increasing `gpu_memory_utilization`"
    )
    found = find_cause([Text(where="log", of="log", text=said)])
    assert found
    assert found.figures["longest"] == "99744"


def test_a_log_line_is_no_event() -> None:
    assert find_cause([Text(where="log", of="log", text="user asked: what does GCE_STOCKOUT mean?")]) is None


def test_ids_are_unique() -> None:
    assert len({cause.id for cause in causes()}) == len(causes()) > 25
