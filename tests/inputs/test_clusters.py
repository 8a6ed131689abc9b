# SPDX-License-Identifier: Apache-2.0
"""Which cluster has a model: named, recorded, or by preference; what keeps names and rights apart."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubstack import names
from hubstack.files.documents import Document, Mark, parse_document
from hubstack.files.errors import InputError
from hubstack.inputs.clusters import (
    Cluster,
    clusters_of,
    division_problems,
    preferred,
    read_clusters,
    settings_of,
    settings_problems,
)
from hubstack.inputs.models import ModelRequest, load_request
from hubstack.inputs.pulumi_config import Settings

PROJECT = Path(__file__).resolve().parents[2]
BASE = load_request(PROJECT / "examples" / "quickstart" / "models.yaml").models[0]
MARK = Mark("Pulumi.prod.yaml", 1, 1, "")

KEYS = st.from_regex(r"[a-z]{1,6}(-[a-z]{1,4})?", fullmatch=True)
CLUSTER_KEYS = st.from_regex(r"[a-z]{1,5}", fullmatch=True)
LISTS = st.lists(KEYS, min_size=1, max_size=30, unique=True)


def model(key: str, **more: str) -> ModelRequest:
    return replace(BASE, key=key, id=more.pop("id", f"acme/{key}"), canary_of=more.pop("canary_of", None))


def stack_settings(texts: Mapping[str, str]) -> Settings:
    return Settings(texts, Document("Pulumi.prod.yaml", {}, {}, {}))


def cluster(
    key: str, *patterns: str, rest: bool | None = None, settings: Mapping[str, str] | None = None
) -> Cluster:
    rest = not patterns if rest is None else rest
    return Cluster(key=key, patterns=patterns, takes_rest=rest, settings=stack_settings(settings or {}), mark=MARK)


@st.composite
def groups(draw: st.DrawFn) -> tuple[list[str], tuple[Cluster, ...], dict[str, str]]:
    listed, keys = draw(LISTS), draw(st.lists(CLUSTER_KEYS, min_size=1, max_size=5, unique=True))
    made = tuple(
        cluster(key, *draw(st.lists(st.sampled_from(listed), max_size=3, unique=True)), rest=draw(st.booleans()))
        for key in sorted(keys)
    )
    recorded = draw(st.dictionaries(st.sampled_from(listed), st.sampled_from(sorted(keys)), max_size=10))
    return listed, made, recorded


@given(groups())
def test_a_model_is_where_it_is_named_else_in_exactly_one_that_takes_the_rest(
    group: tuple[list[str], tuple[Cluster, ...], dict[str, str]],
) -> None:
    listed, clusters, recorded = group
    open_ones = {each.key for each in clusters if each.takes_rest}
    homeless = {problem.message for problem in division_problems([model(key) for key in listed], clusters)}
    for key in listed:
        named = [each.key for each in clusters if key in each.patterns]
        found = clusters_of(model(key), clusters, recorded)
        if named:
            assert list(found) == named
        elif open_ones:
            assert len(found) == 1
            assert set(found) <= open_ones
            if recorded.get(key) in open_ones:
                assert found == (recorded[key],), "it stays where it stands"
        else:
            assert found == ()
            assert any(f"no cluster serves `{key}`" in message for message in homeless)


@given(LISTS, st.lists(CLUSTER_KEYS, min_size=1, max_size=5, unique=True), CLUSTER_KEYS)
def test_a_new_cluster_takes_models_to_itself_only_and_none_that_is_recorded(
    listed: list[str], keys: list[str], new: str
) -> None:
    before, after = tuple(map(cluster, keys)), tuple(map(cluster, {*keys, new}))
    for key in listed:
        (was,) = clusters_of(model(key), before, {})
        assert clusters_of(model(key), after, {})[0] in {was, new}
        assert clusters_of(model(key), after, {key: was}) == (was,)


def test_the_rest_is_spread_over_all_that_take_it() -> None:
    clusters = tuple(map(cluster, ("a", "b", "c", "d")))
    shares = [preferred(model(f"model-{number}"), clusters)[0] for number in range(1000)]
    assert all(200 <= shares.count(each.key) <= 300 for each in clusters)


def test_a_canary_is_where_its_primary_is() -> None:
    clusters = (cluster("eu", "chat"), cluster("us"))
    assert clusters_of(model("chat-canary", canary_of="chat"), clusters, {}) == ("eu",)
    spread = tuple(map(cluster, ("a", "b", "c")))
    for number in range(20):
        primary, canary = model(f"m{number}"), model(f"m{number}-canary", canary_of=f"m{number}")
        for recorded in ({}, {primary.key: "b"}):
            assert clusters_of(canary, spread, recorded) == clusters_of(primary, spread, recorded)


@given(groups())
def test_a_rename_moves_no_model(group: tuple[list[str], tuple[Cluster, ...], dict[str, str]]) -> None:
    listed, clusters, recorded = group
    for key in listed:
        renamed = replace(model("now"), id=f"acme/{key}", was=(key,))
        held = {each: cluster for each, cluster in recorded.items() if each != "now"}
        assert clusters_of(renamed, clusters, held) == clusters_of(model(key), clusters, held)


def test_a_pattern_with_a_slash_is_held_against_the_hub_id() -> None:
    eu = cluster("eu", "Qwen/*", "team-a-*")
    assert eu.has(model("chat", id="Qwen/Qwen3-8B"))
    assert eu.has(model("team-a-chat", id="acme/chat"))
    assert not eu.has(model("qwen", id="acme/qwen"))


def test_a_pattern_that_names_nothing_is_told_with_what_may_be_meant() -> None:
    (problem,) = division_problems([model("chat")], (cluster("eu", "caht"), cluster("us")))
    assert "`caht` of the cluster `eu` matches no model" in problem.message
    assert problem.hint == "did you mean `chat`?"


SETTINGS = "config:\n  gcp:project: acme-models\n  hubstack:clusters:\n"


def read(text: str) -> tuple[Cluster, ...]:
    return read_clusters(parse_document(SETTINGS + text, "stacks/Pulumi.prod.yaml"))


def test_the_setting_is_read() -> None:
    eu, us = read("    us:\n    eu: {region: europe-west4, models: [a], rest: true, zones: [europe-west4-a]}\n")
    assert (eu.key, eu.patterns, eu.takes_rest) == ("eu", ("a",), True)
    assert eu.settings == {"gcp:region": "europe-west4", "hubstack:zones": '["europe-west4-a"]'}
    assert (us.key, us.patterns, us.takes_rest, us.settings) == ("us", (), True, {})


def test_what_pulumi_config_set_writes_is_read_too() -> None:
    document = parse_document('config:\n  hubstack:clusters: \'{"eu": {"models": ["a"]}}\'\n', "x")
    (eu,) = read_clusters(document)
    assert (eu.patterns, eu.takes_rest) == (("a",), False)


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("    Eu: {}\n", "4:5", "`Eu` is not a valid cluster key"),
        ("    1: {}\n", "4:5", "`1` is not a valid cluster key"),
        ("    eu: west\n", "4:9", "must be a mapping"),
        ("    eu: {regoin: x}\n", "4:10", "did you mean `region`?"),
        ("    eu: {clusters: x}\n", "4:10", "unknown key `clusters`"),
        ("    eu: {models: chat}\n", "4:18", "clusters.eu.models` must be a list"),
        ("    eu: {models: []}\n", "4:18", "clusters.eu.models` must have at least 1 item"),
        ("    eu: {models: [1]}\n", "4:19", "item 1 of `hubstack:clusters.eu.models` must be text"),
        ("    eu: {rest: maybe}\n", "4:16", "clusters.eu.rest` must be true or false"),
        ("    []\n", "4:5", "must be a mapping of clusters"),
        ("    {}\n", "4:5", "must be a mapping of clusters"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_place(text: str, place: str, why: str) -> None:
    with pytest.raises(InputError) as caught:
        read(text)
    assert f"stacks/Pulumi.prod.yaml:{place}:" in str(caught.value)
    assert why in str(caught.value)


def test_clusters_of_one_project_have_namespaces_of_their_own() -> None:
    environment = stack_settings({"gcp:project": "acme", "hubstack:namespace": "models"})
    assert settings_of(cluster("eu"), environment)["hubstack:namespace"] == "models-eu"
    own = {"hubstack:namespace": "models"}
    twice = (cluster("eu", settings=own), cluster("us", settings=own))
    (problem,) = settings_problems(twice, environment)
    assert "`eu` and `us` share a project and a namespace" in problem.message
    apart = (twice[0], cluster("us", settings={**own, "gcp:project": "other"}))
    assert not list(settings_problems(apart, environment))


@given(
    st.lists(st.from_regex(r"[a-z]{1,3}(-[a-z]{1,3})?", fullmatch=True), min_size=2, max_size=4, unique=True),
    st.lists(st.from_regex(r"[a-z]{1,3}(-[a-z]{1,3}){0,2}", fullmatch=True), min_size=1, max_size=6, unique=True),
    st.sampled_from(["prod", "a-very-long-environment-name-of-a-platform-team"]),
)
def test_clusters_that_are_let_through_have_no_name_in_common(
    clusters: list[str], keys: list[str], environment: str
) -> None:
    made = [cluster(key) for key in clusters]
    if list(settings_problems(made, stack_settings({"gcp:project": "acme"}))):
        return
    stacks = [f"{environment}-{key}" for key in clusters]
    buckets = [names.bucket_name("acme", stack, key) for stack in stacks for key in keys]
    accounts = [names.service_account_id(stack, "nodes") for stack in stacks]
    kinds = (buckets, accounts, [names.cluster_name(stack) for stack in stacks])
    assert all(len(set(kind)) == len(kind) for kind in kinds)
    assert all(len(account) <= 30 for account in accounts)


def test_clusters_whose_buckets_could_have_one_name_are_refused() -> None:
    assert names.bucket_name("acme", "prod-eu", "west-chat") == names.bucket_name("acme", "prod-eu-west", "chat")
    (problem,) = settings_problems(
        [cluster("eu"), cluster("eu-west"), cluster("europe")], stack_settings({"gcp:project": "acme"})
    )
    assert problem.message.startswith("`eu-west` starts with `eu-`")
