# SPDX-License-Identifier: Apache-2.0
"""What a model without a place is told: the true reason, and changes that work when they are made."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from hubstack.files.documents import Mark
from hubstack.files.errors import PlanError
from hubstack.files.problems import Problem
from hubstack.inputs.models_schema import Accelerators, CapacityStep
from hubstack.kinds import CapacityKind
from hubstack.planner.platforms import NODES
from tests.support.facts import ask, hub, plan, plan_one, steps, target

SMALL, LARGE = "Qwen/Qwen3-4B-Instruct-2507", "meta-llama/Llama-3.3-70B-Instruct"


def step(kind: str, **fields: Any) -> CapacityStep:
    """Return a step; `reservation` is one named `ours`."""
    reservation = "ours" if kind == "reservation" else None
    return CapacityStep(kind=CapacityKind(kind), reservation=reservation, **fields)


REFUSED: dict[str, tuple[str, dict[str, Any], dict[str, Any], str]] = {
    # case: model, its settings, the stack's, the reason
    "not sold so": (
        SMALL,
        {"accelerator": "h200-141gb"},
        {},
        "a3-ultragpu-8g in us-central1 is not sold as on-demand",
    ),
    "no card of the kind is sold so": (
        SMALL,
        {"accelerator": "t4", "capacity": steps("flex-start")},
        {},
        "t4 in us-central1 is not sold as flex-start; Google sells it as on-demand, reservation, spot",
    ),
    "the second step is not sold": (
        SMALL,
        {"accelerator": "h200-141gb", "capacity": steps("spot", "on-demand")},
        {},
        "step 2: a3-ultragpu-8g in us-central1 is not sold as on-demand",
    ),
    "the second step's card is not sold": (
        SMALL,
        {"accelerator": "l4", "capacity": (step("spot"), step("on-demand", accelerator="h200-141gb"))},
        {},
        "step 2: a3-ultragpu-8g in us-central1 is not sold as on-demand",
    ),
    "a reservation of a machine that cannot be reserved": (
        SMALL,
        {"capacity": (step("reservation", machine_type="a3-highgpu-1g"),)},
        {},
        "a3-highgpu-1g in us-central1 is not sold as reservation",
    ),
    "a machine of another card": (
        SMALL,
        {"accelerator": "h100-80gb", "capacity": (step("spot", machine_type="g2-standard-8"),)},
        {},
        "step 1 of `capacity` asks for g2-standard-8, which has l4, not h100-80gb",
    ),
    "a machine of a TPU that is not named": (
        SMALL,
        {"capacity": (step("spot", machine_type="ct6e-standard-4t"),)},
        {},
        "a TPU is used only if you name it in `accelerator:`",
    ),
    "a machine with a fraction that is not named": (
        SMALL,
        {"capacity": (step("spot", machine_type="g4-standard-24"),)},
        {},
        "has a fraction of rtx-pro-6000 and is used only if you name that in `accelerator:`",
    ),
    "a machine that is too small": (
        LARGE,
        {"capacity": (step("spot", machine_type="g4-standard-48"),)},
        {},
        "does not fit g4-standard-48: needs",
    ),
    "a machine that the region lacks": (
        SMALL,
        {"capacity": (step("spot", machine_type="a3-highgpu-1g"),)},
        {"region": "us-east1"},
        "us-east1 has no a3-highgpu-1g",
    ),
    "a card that the region lacks": (
        SMALL,
        {"accelerator": "v6e"},
        {"region": "me-west1"},
        "me-west1 has no machine type with v6e",
    ),
    "a zone without the card": (
        SMALL,
        {"accelerator": "b200", "capacity": (step("spot", zones=("us-central1-a",)),)},
        {},
        "step 1 of `capacity` is limited to us-central1-a, which has no b200",
    ),
    "a zone that the stack excludes": (
        SMALL,
        {"accelerator": "l4", "capacity": (step("spot", zones=("us-central1-a",)),)},
        {"zones": ("us-central1-b",)},
        "is limited to us-central1-a, which `hubstack:zones` (us-central1-b) excludes",
    ),
    "zones of the stack without the card": (
        SMALL,
        {"accelerator": "h200-141gb", "capacity": steps("spot")},
        {"zones": ("us-central1-f",)},
        "`hubstack:zones` (us-central1-f) has no machine type with h200-141gb",
    ),
    "weights larger than the card": (LARGE, {"accelerator": "t4"}, {}, "for the weights alone"),
    "a context that needs more memory": (
        LARGE,
        {"accelerator": "h100-80gb", "context": 131072, "concurrency": 512, "capacity": steps("reservation:ours")},
        {},
        "needs",
    ),
    "more replicas than are allowed": (
        SMALL,
        {
            "traffic": {"requests_per_second": 400, "input_tokens": 900, "output_tokens": 500},
            "accelerator": "l4",
            "replicas": {"max": 1},
        },
        {},
        "replicas for its traffic, but `replicas.max` is 1",
    ),
    "requests longer than the context": (
        SMALL,
        {"traffic": {"requests_per_second": 0.1, "input_tokens": 900, "output_tokens": 20000}},
        {},
        "a request of its `traffic:` has 20,900 tokens, but `context:` is 8,192",
    ),
    "a cache that the card cannot hold": (
        SMALL,
        {"accelerator": "t4", "kv_cache_dtype": "fp8"},
        {},
        "no attention kernel supports a fp8 KV cache",
    ),
    "an engine for TPUs on a GPU": (
        SMALL,
        {"accelerator": "l4", "engine": "vllm-tpu"},
        {},
        "vllm-tpu has no image for l4",
    ),
    "an engine for TPUs that has no such task": (
        "BAAI/bge-large-en-v1.5",
        {"accelerator": "v6e", "engine": "vllm-tpu"},
        {},
        "vllm-tpu has no image for v6e",
    ),
    "an engine for TPUs that has no such task, on any accelerator": (
        "BAAI/bge-large-en-v1.5",
        {"engine": "vllm-tpu"},
        {},
        "vllm-tpu runs this model on no accelerator in us-central1",
    ),
    "two settings that contradict each other": (
        LARGE,
        {"accelerator": "t4", "capacity": (step("spot", machine_type="n1-standard-4"),)},
        {},
        "does not fit n1-standard-4+nvidia-tesla-t4x1: needs",
    ),
}


def refused(model: str, asked: dict[str, Any], stack: dict[str, Any]) -> Problem:
    marks = {field: Mark("acme.models.yaml", 3, 5, "") for field in ("id", *asked)}
    with pytest.raises(PlanError) as caught:
        plan((hub(model), ask(model, marks=marks, **asked)), where=target(**stack))
    (problem,) = caught.value.problems
    return problem


def followed(
    hint: str, asked: dict[str, Any], stack: dict[str, Any]
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield the settings of the model and of the stack after each change that a hint names."""
    held: tuple[CapacityStep, ...] = asked.get("capacity", steps("on-demand"))
    for way in hint.partition("; the Hub lists")[0].split(", or "):
        words = re.findall(r"`([^`]+)`", way)
        at = int(found[1]) - 1 if (found := re.search(r"step (\d)", way)) else 0

        def with_step(at: int = at, **changed: Any) -> dict[str, Any]:
            return asked | {"capacity": (*held[:at], held[at].model_copy(update=changed), *held[at + 1 :])}

        match way.split()[0]:
            case "allow":
                own = asked["accelerator"]
                yield from ((asked | {"accelerator": Accelerators(any=(own, word))}, stack) for word in words[:-1])
            case "raise" if words[0] == "replicas.max":
                yield asked | {"replicas": {"max": int(way.split()[-1])}}, stack
            case "lower" | "raise":
                yield asked | {words[0].rstrip(":"): int(way.split()[-1])}, stack
            case "use":
                yield from ((asked, stack | {"region": word}) for word in way.partition("such as ")[2].split(", "))
            case "add":
                zones = re.findall(r"[a-z]+-[a-z]+\d-[a-z]\b", way.partition(" to ")[0])
                yield from ((asked, stack | {"zones": (*stack["zones"], zone)}) for zone in zones)
            case "set" if words[0].startswith("accelerator"):
                yield asked | {"accelerator": words[0].partition(": ")[2]}, stack
            case "set" if words[0].startswith("platform"):
                yield asked | {"platform": NODES}, stack
            case "set":
                yield from (
                    (asked | {"capacity": steps(each.replace(" NAME", "ours"))}, stack) for each in words[1:]
                )
            case "change" if "zones of" in way:
                for zone in re.findall(r"[a-z]+-[a-z]+\d-[a-z]\b", way):
                    yield with_step(zones=(zone,)), stack
            case "change" if "machine_type" in way:
                yield with_step(machine_type=words[-1]), stack
            case "change":
                at = next(number for number, each in enumerate(held) if each.kind == words[0])
                for word in words[2:]:
                    kind = word.partition(":")[0]
                    yield (
                        with_step(at, kind=CapacityKind(kind), reservation="x" if kind == "reservation" else None),
                        stack,
                    )
            case "remove" if way == "remove it":
                yield with_step(machine_type=None), stack
            case "remove" if found:
                yield asked | {"capacity": (*held[:at], *held[at + 1 :])}, stack
            case "remove":
                dropped = {word.rstrip(":") for word in words}
                yield {key: value for key, value in asked.items() if key not in dropped}, stack
            case _:
                raise AssertionError(f"a hint that says nothing to do: {way}")


@pytest.mark.parametrize("case", REFUSED)
def test_a_model_without_a_place_is_told_the_true_reason(case: str) -> None:
    model, asked, stack, reason = REFUSED[case]
    assert reason in refused(model, asked, stack).message


@pytest.mark.parametrize("case", REFUSED)
def test_each_change_that_a_hint_names_gives_the_model_a_place(case: str) -> None:
    model, asked, stack, _ = REFUSED[case]
    changes = list(followed(refused(model, asked, stack).hint or "", asked, stack))
    assert changes
    for changed, there in changes:
        assert plan_one(hub(model), where=target(**there), **changed).machine_type


def test_less_memory_is_advised_only_if_it_would_help() -> None:
    for case in ("not sold so", "a zone without the card", "weights larger than the card"):
        model, asked, stack, _ = REFUSED[case]
        assert "lower" not in (refused(model, asked, stack).hint or ""), case
    model, asked, stack, _ = REFUSED["a context that needs more memory"]
    assert re.search(r"lower `context:` to \d+", refused(model, asked, stack).hint or "")


def test_of_many_refused_models_the_first_are_told_what_would_work() -> None:
    facts = hub(SMALL)
    asked = [(facts, ask(SMALL, key=f"m{number:02}", accelerator="h200-141gb")) for number in range(25)]
    with pytest.raises(PlanError) as caught:
        plan(*asked)
    hints = [problem.hint or "" for problem in caught.value.problems]
    assert sum("set `capacity:`" in hint for hint in hints) == 20
    assert sum(hint.startswith("fix the models above first") for hint in hints) == 5
