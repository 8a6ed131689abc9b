# SPDX-License-Identifier: Apache-2.0
"""What needs no control plane: nodes from rendered pools, quantities, processes that end with us."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from fractions import Fraction
from pathlib import Path

import pytest

from hubstack.catalog import load_catalog
from proof.nodes import node_of, pool_of
from proof.quantity import amount, requests

CATALOG = load_catalog()


def inputs(**config: object) -> dict[str, object]:
    return {
        "name": "pool",
        "autoscaling": {"totalMinNodeCount": 0, "totalMaxNodeCount": 3},
        "nodeLocations": ["us-central1-a"],
        "nodeConfig": {"machineType": "g2-standard-12", "diskSizeGb": 200, **config},
    }


L4 = {"type": "nvidia-l4", "count": 1}


def test_a_shared_card_offers_as_many_gpus_as_clients() -> None:
    sharing = {"gpuSharingStrategy": "TIME_SHARING", "maxSharedClientsPerGpu": 4}
    pool = pool_of(inputs(guestAccelerators=[L4 | {"gpuSharingConfig": sharing}]), CATALOG, "us-central1")
    assert pool.allocatable["nvidia.com/gpu"] == "4"
    assert pool.labels["cloud.google.com/gke-gpu-sharing-strategy"] == "time-sharing"
    assert pool.labels["cloud.google.com/gke-max-shared-clients-per-gpu"] == "4"


def test_a_node_has_what_gke_puts_on_it() -> None:
    taint = {"key": "cloud.google.com/compute-class", "value": "any", "effect": "NO_SCHEDULE"}
    labels = {"cloud.google.com/compute-class": "any"}
    pool = pool_of(inputs(guestAccelerators=[L4], taints=[taint], labels=labels, spot=True), CATALOG, "us-central1")
    node = node_of(pool, 0, "us-central1-a")
    assert (
        node["metadata"]["labels"].items()
        >= {
            "cloud.google.com/gke-nodepool": "pool",
            "cloud.google.com/compute-class": "any",
            "cloud.google.com/gke-spot": "true",
            "cloud.google.com/gke-accelerator": "nvidia-l4",
            "cloud.google.com/gke-accelerator-count": "1",
            "topology.kubernetes.io/zone": "us-central1-a",
            "node.kubernetes.io/instance-type": "g2-standard-12",
        }.items()
    )
    assert [(each["key"], each["effect"]) for each in node["spec"]["taints"]] == [
        ("cloud.google.com/compute-class", "NoSchedule"),
        ("nvidia.com/gpu", "NoSchedule"),
    ]


def test_a_tpu_node_names_its_topology_and_offers_its_chips() -> None:
    pool = pool_of(inputs(machineType="ct6e-standard-8t"), CATALOG, "us-central1")
    assert pool.allocatable["google.com/tpu"] == "8"
    assert pool.labels["cloud.google.com/gke-tpu-topology"] == "2x4"
    assert pool.labels["cloud.google.com/gke-tpu-accelerator"] == CATALOG.accelerators["v6e"].gke_label
    assert pool.slice_nodes == 1


def test_a_slice_of_several_hosts_comes_whole() -> None:
    given = inputs(machineType="ct5lp-hightpu-4t") | {
        "placementPolicy": {"type": "COMPACT", "tpuTopology": "4x4"},
        "autoscaling": {"totalMinNodeCount": 0, "totalMaxNodeCount": 4},
    }
    pool = pool_of(given, CATALOG, "us-central1")
    assert (pool.slice_nodes, pool.max_nodes) == (4, 4)
    assert pool.labels["cloud.google.com/gke-tpu-topology"] == "4x4"


def test_an_unknown_machine_is_an_error() -> None:
    with pytest.raises(KeyError):
        pool_of(inputs(machineType="g9-standard-1"), CATALOG, "us-central1")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500m", Fraction(1, 2)),
        ("4Gi", 4 * 2**30),
        ("2", 2),
        ("3k", 3000),
        ("1289748", 1289748),
        ("1.5Gi", 3 * 2**29),
    ],
)
def test_quantities_are_read_as_kubernetes_does(text: str, value: Fraction) -> None:
    assert amount(text) == value


def test_a_pods_request_counts_sidecars_with_its_containers_and_init_containers_alone() -> None:
    def container(cpu: str, **more: str) -> dict[str, object]:
        return {"name": "any", "resources": {"requests": {"cpu": cpu}}, **more}

    spec = {
        "initContainers": [container("1", restartPolicy="Always"), container("5")],
        "containers": [container("2")],
    }
    assert requests({"spec": spec})["cpu"] == 6, "the init container runs beside the sidecar"
    spec = {
        "initContainers": [container("1", restartPolicy="Always")],
        "containers": [container("2"), container("3")],
    }
    assert requests({"spec": spec})["cpu"] == 6


def test_the_docs_name_the_pinned_versions() -> None:
    project = Path(__file__).resolve().parents[2]
    docs = (project / "docs" / "concepts" / "sandbox.md").read_text()
    crds = re.findall(r"^\t(\S+ v\S+)$", (project / "proof" / "crds" / "go.mod").read_text(), re.MULTILINE)
    modules = (project / "proof" / "go.mod").read_text()
    built = [
        re.search(rf"^\t{name} v\S+", modules, re.MULTILINE)
        for name in ("k8s.io/kubernetes", "go.etcd.io/etcd/server/v3")
    ]
    assert crds
    assert not [pin for pin in crds if pin not in docs]
    assert not [pin for pin in built if pin is None or pin[0].strip() not in docs]
    groups = (project / "proof" / "lws" / "go.mod").read_text()
    assert re.findall(r"sigs.k8s.io/lws (v\S+)", groups) == [pin.split()[1] for pin in crds if "/lws" in pin]


def test_what_was_started_ends_when_we_are_killed(tmp_path: Path) -> None:
    script = f"""
        import time
        from pathlib import Path
        from proof.processes import Processes
        started = Processes(Path({str(tmp_path)!r}))
        started.start("sleeper", ["/bin/sh", "-c", "echo $$; exec sleep 600"])
        time.sleep(600)
    """
    ours = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=Path(__file__).resolve().parents[2]
    )
    log = tmp_path / "sleeper.log"
    pid = int(_eventually(lambda: log.exists() and log.read_text().strip()))
    ours.send_signal(signal.SIGKILL)
    ours.wait()
    _eventually(lambda: not _is_alive(pid))


def _eventually(look: object, seconds: float = 20) -> str:
    end = time.monotonic() + seconds
    while not (found := look()):  # pyright: ignore[reportCallIssue]
        assert time.monotonic() < end
        time.sleep(0.05)
    return str(found)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie that nobody waits for has ended too.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
