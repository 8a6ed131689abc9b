# SPDX-License-Identifier: Apache-2.0
"""What a person reads about throughput: figures with ranges, what they rest on, and what they cost."""

from hubstack.review.report import report
from hubstack.review.report.performance import performance_lines, performance_table
from tests.review.report.test_report import printed
from tests.support.facts import hub, llama, plan

EMBEDDING = "Qwen/Qwen3-Embedding-0.6B"


def test_a_plan_shows_requests_tokens_and_cost_of_every_model() -> None:
    table = printed(performance_table(plan(llama(), hub(EMBEDDING)).models))
    assert "requests/s" in table
    assert "USD a million in" in table
    (row,) = [line for line in table.splitlines() if line.startswith("llama")]
    assert "1,000 + 300" in row
    assert "extrapolated" in row, "no row of this vLLM on an L4 is in the collection"


def test_an_explanation_says_lengths_range_and_evidence() -> None:
    text = " ".join(printed(report.explanation(plan(llama()).models[0])).split())
    assert "1,000 tokens in and 300 out (assumed: no `traffic:` in the list)" in text
    assert "where queueing starts" in text
    assert "no benchmark row for this engine" in text


def test_an_embedding_model_is_rated_in_texts() -> None:
    text = printed(performance_lines(plan(hub(EMBEDDING)).models[0]))
    assert "texts/s" in text
    assert "the first after" not in text
