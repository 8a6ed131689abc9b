# SPDX-License-Identifier: Apache-2.0
"""A model without a server is woken by its first request, and goes to sleep again, under the real KEDA.

Real: KEDA's operator, its HTTP add-on's interceptor and scaler, with their own manifests; the objects of the stack
as rendered, except that an idle model sleeps after seconds. Stand-ins: the metadata server's token, and Cloud
Monitoring without samples. Needs root, for a network namespace in which the cluster's addresses are the machine's.
"""

import sys
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import pytest

from proof.api import Object
from proof.binaries import programs as sandbox_programs
from proof.crds import crd_files
from proof.engine.binaries import programs as engine_programs
from proof.gateway.binaries import programs as gateway_programs
from proof.hub.tiny import tiny
from proof.keda.binaries import programs as keda_programs
from proof.keda.google import Google
from proof.keda.install import install
from proof.namespace import own_namespace
from proof.pods.world import World
from proof.sandbox import running
from tests.proof.pods.way import Way, brought_up, says
from tests.support.hub import StandIn

pytestmark = [pytest.mark.proof, pytest.mark.usefixtures("namespaces")]

FOLDER = "tests/proof/pods/from_zero"
FIRST = "stand-in/first"
IDLE_SECONDS = 10
ASLEEP_SECONDS = 90
"""Idleness, and KEDA's look every 30 seconds."""


@pytest.fixture(scope="module")
def way(tmp_path_factory: pytest.TempPathFactory) -> Generator[Way]:
    fetch_all()
    folder = tmp_path_factory.mktemp("zero")
    with own_namespace(), StandIn([tiny(FIRST, main="one")]) as hub:
        world = World(folder / "world", hub.url, is_namespace=True)
        with (
            running(lambda text: sys.stderr.write(f"{text}\n"), world.stand_ins) as sandbox,
            Google(sandbox.plane.certificates),
            brought_up(FOLDER, folder, sandbox, world, hub) as made,
        ):
            sandbox.api.patch(scaled_object(made), {"spec": {"cooldownPeriod": IDLE_SECONDS}})
            install(sandbox)
            yield made


def fetch_all() -> None:
    """Have what is built and fetched, since the namespace reaches no registry."""
    for each in (sandbox_programs, engine_programs, gateway_programs, keda_programs):
        each(lambda text: sys.stderr.write(f"{text}\n"))
    list(crd_files())


def replicas(way: Way) -> int:
    metadata = {"name": "first", "namespace": "models"}
    found = way.sandbox.api.get({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata})
    return found["spec"]["replicas"]


def scaled_object(way: Way) -> Object:
    metadata = {"name": "first", "namespace": "models"}
    return way.sandbox.api.get({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": metadata})


def test_the_first_request_is_held_until_a_server_is_there_and_is_answered(way: Way) -> None:
    way.sandbox.wait("KEDA knows of the model", lambda: _is_known(way), 60)
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


def _is_known(way: Way) -> bool:
    conditions = scaled_object(way).get("status", {}).get("conditions", ())
    return any((each["type"], each["status"]) == ("Ready", "True") for each in conditions)
