# SPDX-License-Identifier: Apache-2.0
"""Every engine says what it measures. Proves nothing about a running server: the names were read in its source."""

import shutil
from pathlib import Path

import pytest

import hubstack.catalog
from hubstack.catalog import CatalogError, MetricType, load_catalog, read_catalog
from hubstack.catalog.engine_metrics import ROLES
from hubstack.kinds import EngineKind

DATA = Path(hubstack.catalog.__file__).parent


@pytest.fixture(scope="module")
def table():
    return load_catalog().engine_metrics


def test_every_engine_that_plans_may_name_has_its_metrics(table):
    assert set(table) == set(EngineKind)


@pytest.mark.parametrize("kind", EngineKind)
def test_a_role_is_there_or_says_why_not(table, kind):
    engine = table[kind]
    for role in ROLES:
        assert (getattr(engine, role) is None) == (role in engine.absent), role
    assert all(len(why) > 10 for why in engine.absent.values())


@pytest.mark.parametrize("kind", EngineKind)
def test_every_engine_has_a_queue_to_scale_on(table, kind):
    queue = table[kind].queue_length
    assert queue is not None
    assert queue.type is MetricType.GAUGE


def test_a_selector_has_the_metric_s_own_matchers_and_those_given(table):
    errors = table[EngineKind.VLLM].errors
    assert errors.select('model="chat"') == (
        'http_requests_total{model="chat",method="POST",handler!="none",status="5xx"}'
    )
    first = table[EngineKind.VLLM].time_to_first_token
    assert first.select(suffix="_count") == "vllm:time_to_first_token_seconds_count"


@pytest.mark.parametrize(
    ("kind", "wanted", "bound"),
    [
        (EngineKind.VLLM, 2.0, 2.5),
        (EngineKind.VLLM, 2.5, 2.5),
        (EngineKind.SGLANG, 2.1, 4.0),
        (EngineKind.VLLM, 2561, None),
    ],
)
def test_a_threshold_is_the_smallest_bucket_that_is_not_below_it(table, kind, wanted, bound):
    assert table[kind].time_to_first_token.bucket_at_least(wanted) == bound


def test_the_buckets_of_tei_are_powers_as_its_server_makes_them(table):
    bound, made = 0.00001, []
    for _ in range(35):
        bound *= 1.5
        made.append(bound)
    assert set(table[EngineKind.TEI].request_duration.buckets) <= set(made)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    running: it counts what waits, not what is in a batch\n", "", "check running"),
        (
            "tokens_out: {name: 'vllm:generation_tokens_total', type: counter}",
            "tokens_out: {name: x, type: gauge}",
            "`tokens_out` must be a counter, not a gauge",
        ),
        ("buckets: [0.001, 0.005,", "buckets: [0.005, 0.001,", "in ascending order"),
        ("sources: [tei-metrics]", "sources: [hearsay]", "a source that it does not contain: hearsay"),
        ("buckets: [0.1, 0.2,", "buckets: [none, 0.2,", "each of `buckets` must be a number"),
    ],
)
def test_a_planted_fault_is_refused(tmp_path, old, new, message):
    for file in DATA.glob("*.yaml"):
        shutil.copy(file, tmp_path)
    path = tmp_path / "engine_metrics.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(CatalogError) as refusal:
        read_catalog(tmp_path)
    assert message in str(refusal.value)
