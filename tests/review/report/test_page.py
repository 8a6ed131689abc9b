# SPDX-License-Identifier: Apache-2.0
"""The page's text; tests/review/browser looks at it in Chromium."""

import base64
import hashlib
import re
from html.parser import HTMLParser

from hubstack.kinds import PlatformKind
from hubstack.review.report.page import _coded, page_text
from tests.planner.test_alternatives import compared
from tests.support.facts import ask, hub, llama, plan


def test_texts_from_the_hub_are_escaped() -> None:
    page = page_text(plan(llama(license="<script>alert(1)</script>")))
    assert page.count("<script") == 1, "the page's own"
    assert "&lt;script&gt;" in page


def test_the_page_asks_for_nothing_from_elsewhere() -> None:
    page = page_text(plan(llama(), hub("Qwen/Qwen3-8B")))
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!data:|#)""", page)
    assert "@import" not in page
    assert "url(" not in page


def test_every_figure_of_the_bill_is_on_the_page() -> None:
    decided = plan(llama(), hub("Qwen/Qwen3-32B"))
    page = page_text(decided)
    assert f"{decided.cost.usd_per_month_max:,.0f} USD" in page
    for pool in decided.cost.pools:
        assert f"{pool.usd_per_hour_busy:,.2f}" in page
    for model in decided.models:
        assert model.server.image in page
        for other in model.rejected:
            assert other.machine_type in page


def test_the_policy_of_the_page_allows_its_own_script_and_no_other() -> None:
    page = page_text(plan(llama()))
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)
    assert script
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert "default-src 'none'" in page


def test_one_model_alone_is_explained_alone_and_first() -> None:
    page = page_text(plan(llama(), hub("Qwen/Qwen3-8B")), "llama")
    assert page.index('id="model-llama"') < page.index("Accelerator memory by model")
    assert 'id="model-qwen3-8b"' not in page
    assert 'href="#model-qwen3-8b"' not in page, "a link leads to what is on the page"


def test_free_memory_of_a_server_without_a_kv_cache_is_not_painted_as_one() -> None:
    page = page_text(plan(hub("BAAI/bge-large-en-v1.5")))
    assert '<span class="free"' in page
    assert '<span class="cache"' not in page


class Checker(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in {"meta", "link", "br", "img", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_every_tag_is_closed() -> None:
    checker = Checker()
    checker.feed(page_text(plan(llama())))
    assert checker.open == []


def test_models_beside_gke_are_on_the_page_with_their_place_and_cost() -> None:
    repo_id = "Qwen/Qwen3-4B-Instruct-2507"
    light = (hub(repo_id), ask(repo_id, platform=PlatformKind.CLOUD_RUN, replicas={"min": 0}))
    garden = (hub("Qwen/Qwen3-8B"), ask("Qwen/Qwen3-8B", platform=PlatformKind.VERTEX))
    for decided in (plan(light), plan(light, llama(), garden), plan(garden)):
        page = page_text(decided)
        for model in decided.models:
            assert f"1 x {model.accelerator}" in page
        checker = Checker()
        checker.feed(page)
        assert checker.open == []
    page = page_text(plan(light))
    assert "1 x l4 on cloud-run" in page
    assert "764 USD" in page
    assert "busy hours a month" in page


def test_what_stands_between_backticks_is_code_and_still_escaped() -> None:
    assert _coded("set `share_gpu: <true>`, <b>now</b>") == (
        "set <code>share_gpu: &lt;true&gt;</code>, &lt;b&gt;now&lt;/b&gt;"
    )


def test_one_is_singular() -> None:
    assert "1 model on 1 node type<" in page_text(plan(llama()))


def test_the_page_of_one_model_draws_its_alternatives_and_its_latency_by_load() -> None:
    found = compared("quickstart", "qwen3-4b-instruct-2507")
    decided = plan(hub("Qwen/Qwen3-4B-Instruct-2507"))
    page = page_text(decided, decided.models[0].key, found)
    assert page.count("<polyline") == 2
    assert "Cost of a million generated tokens by accelerator" in page
    assert "<strong>1 x l4</strong>" in page
    assert "<polyline" not in page_text(decided, decided.models[0].key)


def test_a_weekly_profile_is_drawn_with_the_replicas_that_serve_it() -> None:
    week = [100 if day < 5 and 8 <= hour < 18 else 5 for day in range(7) for hour in range(24)]
    asked = {"requests_per_second": 40, "input_tokens": 1000, "output_tokens": 200, "profile": week}
    decided = plan((llama(), ask("acme/llama", traffic=asked)))
    performance = decided.models[0].performance
    assert performance
    assert performance.traffic
    hours = performance.traffic.hourly
    assert hours
    assert (len(hours), hours[9].requests_per_second, hours[0].requests_per_second) == (168, 40, 2)
    assert hours[9].replicas > hours[0].replicas
    page = page_text(decided)
    assert page.count("<rect") == 168
    assert "from Monday 0:00" in page
    assert "Traffic by hour" not in page_text(plan(llama())), "no profile, no chart"
