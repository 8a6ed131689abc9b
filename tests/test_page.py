# SPDX-License-Identifier: Apache-2.0
"""The page's text; tests/browser looks at it in Chromium."""

import re
from html.parser import HTMLParser

from hubstack.page import page_text
from tests.support.facts import hub, llama, plan


def test_texts_from_the_hub_are_escaped() -> None:
    page = page_text(plan(llama(license="<script>alert(1)</script>")))
    assert "<script" not in page
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


def test_one_model_alone_is_explained_alone() -> None:
    page = page_text(plan(llama(), hub("Qwen/Qwen3-8B")), "llama")
    assert 'id="model-llama"' in page
    assert 'id="model-qwen3-8b"' not in page


def test_every_tag_is_closed() -> None:
    class Checker(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in {"meta", "link", "br", "img"}:
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    checker = Checker()
    checker.feed(page_text(plan(llama())))
    assert checker.open == []
