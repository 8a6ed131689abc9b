# SPDX-License-Identifier: Apache-2.0
"""What a plan says of capacity that is paid for and not used, and of what would cost less."""

import re
from itertools import pairwise

from hubstack.hub.lock import Lock
from hubstack.inputs.models import Request
from hubstack.plan import Plan
from hubstack.planner.planner import plan_stack
from tests.support.facts import ask, catalog, hub, plan, target

EMBEDDERS = ("BAAI/bge-large-en-v1.5", "Qwen/Qwen3-Embedding-0.6B")


def warned(planned: Plan) -> list[str]:
    return [each for each in planned.warnings if "you pay for" in each]


def on_h100(replicas: int, *capacity: str) -> Plan:
    settings = {"accelerator": "h100-80gb", "capacity": list(capacity), "replicas": {"min": 1, "max": replicas}}
    return plan((hub("Qwen/Qwen3-8B"), ask("Qwen/Qwen3-8B", **settings)))


def test_one_card_of_a_node_of_eight_is_named_with_its_price_and_what_is_cheaper() -> None:
    planned = on_h100(1, "on-demand")
    (said,) = warned(planned)
    assert "uses 1 of the 8 h100-80gb you pay for" in said
    assert "sold in nodes of 8" in said
    month = round(planned.cost.pools[0].usd_per_hour_busy * planned.cost.hours_per_month)
    assert f"${month:,} a month" in said
    prices = [int(price.replace(",", "")) for price in re.findall(r"\$([\d,]+) a month", said)]
    assert len(prices) >= 2, "at least one alternative"
    assert all(price < prices[0] for price in prices[1:]), "an alternative costs less"


def test_a_node_that_is_half_used_is_not_warned_of() -> None:
    assert warned(on_h100(4, "on-demand")) == []


def test_nodes_that_are_bought_as_spot_already_are_not_suggested_as_spot() -> None:
    for said in warned(on_h100(1, "spot")):
        assert "as spot" not in said


def advised(repos: tuple[str, ...], **settings: object) -> Plan:
    asked = {"replicas": {"min": 1, "max": 1}, **settings}
    models = tuple(sorted((ask(repo, **asked) for repo in repos), key=lambda model: model.key))
    lock = Lock(path="acme.models.lock.yaml", models=tuple(hub(repo) for repo in repos))
    return plan_stack(Request(path="acme.models.yaml", models=models), lock, catalog(), target(), advises=True)


def pair(**settings: object) -> Plan:
    return advised(EMBEDDERS, accelerator="l4", **settings)


def test_two_small_models_with_a_card_each_could_share_one_and_the_saving_is_that_of_the_bills() -> None:
    apart, shared = pair(), pair(share_gpu=True)
    (said,) = apart.advice
    found = re.search(r"`share_gpu: true` on them saves up to \$([\d,]+) a month", said)
    assert found, said
    saved = apart.cost.usd_per_month_max - shared.cost.usd_per_month_max
    assert int(found[1].replace(",", "")) == round(saved)
    assert saved > 100


def test_models_that_share_already_and_a_model_alone_get_no_advice() -> None:
    assert pair(share_gpu=True).advice == ()
    assert advised(EMBEDDERS[:1], accelerator="l4").advice == ()


def test_a_large_model_is_not_told_to_share() -> None:
    assert advised(("Qwen/Qwen3-8B", "microsoft/Phi-3.5-mini-instruct")).advice == ()


def test_advice_names_models_in_order() -> None:
    (said,) = pair().advice
    keys = said.split(" each use")[0].split(", ")
    assert all(one < other for one, other in pairwise(keys))
