# SPDX-License-Identifier: Apache-2.0
"""The transparency page says what the plan says, and a hostile text stays a text."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from hubstack.plan import Plan
from hubstack.plan.gateway import Exposure, GatewayAuth, GatewayPlan
from hubstack.plan.settings import MonitoringPlan
from hubstack.review.sbom.page import html_text, markdown_text
from hubstack.review.sbom.transparency import Section, sections
from tests.support import plans
from tests.support.facts import made
from tests.support.light_plans import GARDEN

FACTS = {model.key: made(model.id, gated="manual" if model.gated else None) for model in plans.MODELS}
TITLES = ["What runs", "Where", "Licences and terms", "Provenance", "Who can reach it", "What data leaves"]


def page(plan: Plan, **facts: object) -> dict[str, Section]:
    held = {key: replace(one, **facts) for key, one in FACTS.items()}  # type: ignore[arg-type]
    return {part.title: part for part in sections(plan, held, {})}


def said(plan: Plan, title: str) -> str:
    return " ".join(page(plan)[title].lines)


def test_it_answers_the_five_questions_of_every_model() -> None:
    told = page(plans.make_plan())
    assert list(told) == TITLES
    keys = [model.key for model in plans.MODELS]
    for title in TITLES[:4]:
        assert [row[0] for row in told[title].rows] == keys, title
    assert [row[2] for row in told["What runs"].rows] == [model.commit for model in plans.MODELS]


def test_without_a_gateway_nobody_is_outside() -> None:
    assert "Outside the cluster: nobody." in said(plans.make_plan(), "Who can reach it")


@pytest.mark.parametrize(
    ("exposure", "auth", "words"),
    [
        (Exposure.INTERNAL, None, "In the VPC network"),
        (
            Exposure.EXTERNAL,
            GatewayAuth.IAP,
            "From the internet, at models.example, over TLS: users and service accounts",
        ),
        (Exposure.EXTERNAL, GatewayAuth.API_KEYS, "holders of an API key"),
    ],
)
def test_a_gateway_says_who_is_let_in(exposure: Exposure, auth: GatewayAuth | None, words: str) -> None:
    gateway = GatewayPlan(exposure=exposure, auth=auth, host="models.example", certificate="c", timeout_seconds=60)
    text = said(plans.with_gateway(plans.make_plan(), gateway), "Who can reach it")
    assert words in text
    assert "Outside the cluster: nobody" not in text


def test_terms_of_a_gated_model_are_linked() -> None:
    terms = {row[0]: row[2] for row in page(plans.make_plan())["Licences and terms"].rows}
    assert terms["chat"] == "open to everyone"
    assert "https://huggingface.co/acme/gated" in terms["gated"]
    assert "the publisher approves" in terms["gated"]


def test_what_leaves_follows_from_the_servers_settings() -> None:
    plan = plans.make_plan()
    loud = said(plan, "What data leaves")
    assert "Usage statistics not disabled: chat, embed, gated, tpu." in loud
    quiet_env = (("DO_NOT_TRACK", "1"),)
    models = tuple(replace(m, server=replace(m.server, env=quiet_env)) for m in plan.models)
    quiet = said(replace(plan, models=models), "What data leaves")
    assert "Usage statistics disabled" in quiet
    assert "not disabled" not in quiet
    assert "DNS queries and the Cloud Storage of other projects are not blocked" in loud, (
        "what is open must be said"
    )
    assert "Cloud NAT" not in loud, "network policies close it (tests/security/test_network.py)"
    watched = replace(plan, monitoring=MonitoringPlan(emails=("ops@example.org",)))
    assert "ops@example.org" in said(watched, "What data leaves")


def test_vertex_is_said_to_take_no_commit() -> None:
    plan = plans.make_plan(without=("embed", "gated", "tpu"))
    there = replace(
        plan, models=(replace(plan.models[0], vertex=GARDEN.vertex, has_nodes=False, has_bucket=False),)
    )
    assert "does not accept a commit" in said(there, "What runs")
    assert "To the Hub" not in said(there, "What data leaves"), "no loader of ours runs"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.links += [str(value) for name, value in attrs if name in {"src", "href"}]


HOSTILE = "<script>alert(1)</script>|[a](http://x) `code` *b*"


def test_a_hostile_text_is_shown_and_does_nothing() -> None:
    plan = plans.make_plan()
    parts = sections(plan, {key: replace(one, datasets=(HOSTILE,)) for key, one in FACTS.items()}, {})
    text = html_text(plan, parts)
    tags = _Tags()
    tags.feed(text)
    assert "script" not in tags.seen
    assert tags.links == ["data:,"], "the page asks nobody for anything"
    shown = markdown_text(plan, parts)
    assert "<script>" not in shown
    assert r"\|\[a\](http:" in shown
    assert r" \`code\` \*b\*" in shown
    assert "http://" not in shown
    assert HOSTILE not in shown


def test_both_formats_hold_every_sentence() -> None:
    plan = plans.make_plan()
    parts = sections(plan, FACTS, {})
    html, markdown = html_text(plan, parts), markdown_text(plan, parts)
    for part in parts:
        assert part.title in html
        assert f"## {part.title}" in markdown
        for line in part.lines:
            assert line.replace("&", "&amp;").replace("'", "&#39;") in html
