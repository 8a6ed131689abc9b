# SPDX-License-Identifier: Apache-2.0
"""Replicas follow the load under the real KEDA: from zero by a request, from one to many by a queue, and back.

Real: KEDA's operator and metrics adapter, its HTTP add-on's interceptor and scaler, with their own manifests; the
controller of HorizontalPodAutoscalers; the objects of the stack as rendered, except that seconds stand for minutes
of idleness. Stand-ins: the metadata server's token, and Managed Prometheus, which scrapes what the PodMonitoring
selects. Needs root, for a network namespace in which the cluster's addresses are the machine's.
"""

import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import pytest

from proof.api import Object, has_condition
from proof.gateway.routes import is_ready
from proof.hub.tiny import tiny
from proof.keda.binaries import programs as keda_programs
from proof.keda.collector import Collector
from proof.keda.google import Google
from proof.keda.install import installed
from proof.namespace import own_namespace
from proof.pods.world import World
from proof.sandbox import running
from tests.proof.pods.way import Way, brought_up, fetch_all, say, says
from tests.support.hub import StandIn

pytestmark = [pytest.mark.proof, pytest.mark.usefixtures("namespaces")]

FOLDER = "tests/proof/pods/from_zero"
FIRST, SECOND = "stand-in/first", "stand-in/second"
IDLE_SECONDS = 10
SETTLE_SECONDS = 5
CLUSTER = "hubstack-zero"
CLIENTS = 40
"""More than the servers of two replicas answer at once."""
ASLEEP_SECONDS = 90
"""Idleness, and KEDA's look every 30 seconds."""


@pytest.fixture(scope="module")
def way(tmp_path_factory: pytest.TempPathFactory) -> Generator[Way]:
    fetch_all()
    keda_programs(say)
    folder = tmp_path_factory.mktemp("zero")
    with own_namespace(), StandIn([tiny(FIRST, main="one"), tiny(SECOND, main="two")]) as hub:
        world = World(folder / "world", hub.url, is_namespace=True)
        with (
            running(say, world.stand_ins) as sandbox,
            Google(sandbox.plane.certificates, Collector(sandbox.api, world.addresses, CLUSTER)),
            brought_up(FOLDER, folder, sandbox, world, hub) as made,
        ):
            sandbox.api.patch(scaled_object(made, "first"), {"spec": {"cooldownPeriod": IDLE_SECONDS}})
            sandbox.api.patch(scaled_object(made, "second"), {"spec": {"advanced": in_seconds(made)}})
            with installed(sandbox):
                yield made


def replicas(way: Way, model: str = "first") -> int:
    metadata = {"name": model, "namespace": "models"}
    found = way.sandbox.api.get({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata})
    return found["spec"]["replicas"]


def scaled_object(way: Way, model: str) -> Object:
    metadata = {"name": model, "namespace": "models"}
    return way.sandbox.api.get({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": metadata})


def in_seconds(way: Way) -> Object:
    """Return how the second model scales, with seconds in place of minutes."""
    advanced = scaled_object(way, "second")["spec"]["advanced"]
    behavior = advanced["horizontalPodAutoscalerConfig"]["behavior"]
    for policy in (*behavior["scaleUp"]["policies"], *behavior["scaleDown"]["policies"]):
        policy["periodSeconds"] = SETTLE_SECONDS
    behavior["scaleDown"]["stabilizationWindowSeconds"] = SETTLE_SECONDS
    return advanced


def test_the_first_request_is_held_until_a_server_is_there_and_is_answered(way: Way) -> None:
    way.sandbox.wait("KEDA knows of the model", lambda: _is_known(way, "first"), 60)
    assert replicas(way) == 0
    assert way.pods("first") == []
    begun = time.monotonic()
    answer = way.ask("first")
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"] == says(FIRST, "one")
    assert answer.headers["X-Keda-Http-Cold-Start"] == "true"
    assert replicas(way) == 1
    assert time.monotonic() - begun < 60
    assert (
        "X-Keda-Http-Cold-Start" not in way.ask("first").headers
        or way.ask("first").headers["X-Keda-Http-Cold-Start"] == "false"
    )


def test_without_requests_it_has_no_server_again_and_many_wake_it_at_once(way: Way) -> None:
    way.sandbox.wait("it sleeps", lambda: replicas(way) == 0, ASLEEP_SECONDS)
    way.sandbox.wait("its server is gone", lambda: not way.pods("first"), 60)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: way.answered_by("first"), range(16)))
    assert set(found) == {says(FIRST, "one")}
    assert replicas(way) == 1


def test_a_queue_adds_replicas_step_by_step_and_its_end_takes_them_away(way: Way) -> None:
    way.sandbox.wait("KEDA knows of the model", lambda: _is_known(way, "second"), 60)
    way.sandbox.wait("its server is ready", lambda: way.ask("second").status_code == 200, 60)
    assert replicas(way, "second") == 1
    seen = [1]
    with way.asking("second", clients=CLIENTS, tokens=100) as answers:
        way.sandbox.wait("all replicas are wanted", lambda: _seen(way, seen) == 3, 60)
        way.sandbox.wait("all replicas answer", lambda: len(ready(way)) == 3, 60)
    assert seen == [1, 2, 3]
    assert set(answers) == {(200, says(SECOND, "two"))}
    way.sandbox.wait("one replica is left", lambda: _seen(way, seen) == 1, 90)
    assert seen == [1, 2, 3, 2, 1]
    way.sandbox.wait("the others are gone", lambda: len(way.pods("second")) == 1, 60)


def test_a_job_in_the_cluster_asks_every_model_and_wakes_the_one_that_rests(way: Way) -> None:
    way.sandbox.wait("it sleeps", lambda: replicas(way) == 0, ASLEEP_SECONDS)
    found = way.report("smoke", FOLDER, "--in-cluster")
    assert found["passed"], found
    assert [(model["key"], model["checks"][0]["passed"]) for model in found["models"]] == [
        ("first", True),
        ("second", True),
    ]
    assert replicas(way) == 1


def ready(way: Way) -> list[Object]:
    return [each for each in way.pods("second") if is_ready(each)]


def _seen(way: Way, seen: list[int]) -> int:
    """Return the replicas that are wanted now, noted where they changed."""
    if (now := replicas(way, "second")) != seen[-1]:
        seen.append(now)
    return now


def _is_known(way: Way, model: str) -> bool:
    return has_condition(scaled_object(way, model), "Ready")
