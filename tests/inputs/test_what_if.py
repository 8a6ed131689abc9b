# SPDX-License-Identifier: Apache-2.0
import pytest

from hubstack.files.errors import InputError
from hubstack.hub.facts import ModelFacts
from hubstack.hub.lock import Lock
from hubstack.inputs.models import Request
from hubstack.inputs.what_if import change_request
from hubstack.kinds import CapacityKind
from hubstack.planner.placement.regions import compare_regions
from tests.support.facts import ask, catalog, hub, llama, target

REQUEST = Request(path="x", models=(ask("acme/a"), ask("acme/b", replicas={"max": 4})))


def test_a_change_is_of_all_models_or_of_one() -> None:
    changed = change_request(REQUEST, ["context=65536", "b.concurrency=7", "a.replicas.max=3"])
    a, b = changed.models
    a, b = a.settings, b.settings
    assert (a.context, b.context) == (65536, 65536)
    assert (a.concurrency, b.concurrency) == (2, 7)
    assert (a.replicas.max, b.replicas.max) == (3, 4)


def test_a_change_is_read_as_in_a_file() -> None:
    changed = (
        change_request(
            REQUEST,
            [
                "a.accelerator={any: [l4, h100-80gb]}",
                "a.capacity=[spot, on-demand]",
                "a.share_gpu=true",
                "a.kv_cache_dtype=fp8",
            ],
        )
        .models[0]
        .settings
    )
    assert changed.accelerators == ("l4", "h100-80gb")
    assert [step.kind for step in changed.capacity] == [CapacityKind.SPOT, CapacityKind.ON_DEMAND]
    assert (changed.share_gpu, changed.kv_cache_dtype) == (True, "fp8")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("contxt=1", "did you mean `context`?"),
        ("c.context=9000", "no model in the list has the key `c`"),
        ("context=12", "must be at least 128"),
        ("context", "SETTING=VALUE"),
        ("capacity=[spott]", "did you mean `spot`?"),
        ("b.replicas.min=9", "min 9 is above max 4"),
        ("context=[", "is not valid YAML"),
    ],
)
def test_what_is_no_change_is_refused(change: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        change_request(REQUEST, [change])
    assert said in str(caught.value)


def test_all_wrong_changes_are_named_at_once() -> None:
    with pytest.raises(InputError) as caught:
        change_request(REQUEST, ["contxt=1", "concurency=2"])
    assert len(caught.value.problems) == 2


# Regions --------------------------------------------------------------------------------------------------------


def regions(*asked: str, facts: ModelFacts | None = None) -> list[tuple[str, bool]]:
    model = facts or llama()
    lock, request = Lock(path="x", models=(model,)), Request(path="x", models=(ask(model.id),))
    found = compare_regions(request, lock, catalog(), target(), asked)
    return [(each.region, each.plan is not None) for each in found]


def test_regions_are_sorted_by_what_the_list_costs_there() -> None:
    found = regions("europe-west4", "us-central1")
    prices = [catalog().price("g2-standard-4", region).on_demand for region, _ in found]
    assert prices == sorted(prices)
    assert [region for region, _ in found] == ["us-central1", "europe-west4"]


def test_any_is_every_region_and_those_without_a_place_come_last() -> None:
    found = regions("any", facts=hub("meta-llama/Llama-3.3-70B-Instruct"))
    assert len(found) == len(catalog().all_regions())
    assert [fits for _, fits in found] == sorted((fits for _, fits in found), reverse=True)


def test_an_unknown_region_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean `europe-west4`"):
        regions("eurpe-west4")


@pytest.mark.parametrize("word", ["europe-west12", "europe-west99"])
def test_another_number_is_another_region_and_no_typo(word: str) -> None:
    with pytest.raises(InputError, match=r"hint: regions with accelerators: europe-west1, (europe-west\d+(, )?)+$"):
        regions(word)
