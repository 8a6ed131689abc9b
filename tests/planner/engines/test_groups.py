# SPDX-License-Identifier: Apache-2.0
"""How the nodes of one replica find each other. The scripts are run by a shell, with stand-ins of ray and vllm."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from hubstack.kinds import EngineKind
from hubstack.planner.engines import spec_of
from hubstack.planner.engines.spec import NodeGroup
from tests.deploy.test_completeness import LLAMA_70B
from tests.support.facts import ask, llama, plan

ARGS = ("/weights", "--served-model-name", "acme/it's a model", "--hf-overrides", '{"a": "$(LWS_GROUP_SIZE)"}')


def group_of(kind: EngineKind, args: tuple[str, ...], hosts: int) -> NodeGroup:
    start = spec_of(kind).group
    assert start
    return start(("vllm", "serve"), args, hosts, hosts)


TPU = group_of(EngineKind.VLLM_TPU, ARGS, 4)


def test_nodes_of_gpus_are_told_of_the_first_one() -> None:
    group = group_of(EngineKind.VLLM, ("/weights",), 2)
    assert group.args == (
        "/weights",
        "--pipeline-parallel-size",
        "2",
        "--nnodes",
        "2",
        "--node-rank",
        "$(LWS_WORKER_INDEX)",
        "--master-addr",
        "$(LWS_LEADER_ADDRESS)",
    )
    assert group.worker_args == (*group.args, "--headless")
    assert (group.command, group.env) == (("vllm", "serve"), ()), (
        "vLLM takes its own multiprocessing where --nnodes is above 1"
    )


def test_tpu_hosts_are_joined_by_ray_and_never_by_nnodes() -> None:
    assert TPU.env == (("TPU_MULTIHOST_BACKEND", "ray"),)
    assert "--nnodes" not in TPU.args[0], "vLLM refuses it with Ray"
    assert TPU.args[0].endswith("--pipeline-parallel-size 4")


def run(script: str, folder: Path, **tools: str) -> subprocess.CompletedProcess[str]:
    for name, body in tools.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
    env = {"PATH": f"{folder}:{os.environ['PATH']}", "LWS_LEADER_ADDRESS": "lead.svc", "HOME": str(folder)}
    command = [*TPU.command, script]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)


def test_the_leader_starts_ray_waits_for_all_and_becomes_the_engine(tmp_path: Path) -> None:
    engine = 'for a in "$@"; do echo "<$a>"; done; ps -o comm= -p $PPID'
    done = run(TPU.args[0], tmp_path, ray='echo "ray $@"', python3='echo "wait $2"', vllm=engine)
    lines = done.stdout.splitlines()
    assert lines[0] == "ray start --head --port=6379"
    assert "< 4" in done.stdout, "all four hosts"
    told = [line[1:-1] for line in lines if line.startswith("<")]
    assert told[:6] == ["serve", *ARGS], "quotes and brackets reach the engine as they are"
    assert not [line for line in lines if line.strip() == "sh"], "the shell is gone, so signals reach the engine"


def test_a_leader_whose_ray_fails_does_not_serve(tmp_path: Path) -> None:
    done = run(TPU.args[0], tmp_path, ray="exit 3", python3="echo waited", vllm="echo served")
    assert (done.returncode, done.stdout) == (3, "")


def test_the_leader_waits_until_all_have_joined_whoever_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    alive, naps = iter([1, 3, 4]), list[int]()
    ray = SimpleNamespace(init=lambda **_: None, nodes=lambda: [{"Alive": True}] * next(alive) + [{"Alive": False}])
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "time", SimpleNamespace(sleep=naps.append))
    waiting = re.search(r'python3 -c "(.*?)"\n', TPU.args[0], re.DOTALL)
    assert waiting
    exec(waiting.group(1), {})  # noqa: S102  what the container runs
    assert len(naps) == 2


def test_a_worker_waits_for_the_leader_and_stays_as_long_as_ray_does(tmp_path: Path) -> None:
    (script,) = TPU.worker_args
    log, up = tmp_path / "log", tmp_path / "up"
    ray = f"""
        echo "ray $@" >> {log}
        test "$1" = start && exit 7
        test -e {up} || {{ touch {up}; exit 1; }}
    """
    done = run(script, tmp_path, ray=ray, sleep="exit 0")
    assert done.returncode == 7, "the end of Ray is the container's, and the group starts anew"
    assert log.read_text().splitlines() == [
        "ray health-check --address lead.svc:6379",
        "ray health-check --address lead.svc:6379",
        "ray start --address=lead.svc:6379 --block",
    ]


@pytest.mark.parametrize("part", ["args", "worker_args"])
def test_a_planned_slice_is_started_by_these_scripts(part: str) -> None:
    asked = ask("acme/llama", accelerator="v5e")
    (model,) = plan((llama(config=LLAMA_70B, parameters={"BF16": 70_553_706_496}), asked)).models
    server = model.server
    assert server.command == ("/bin/sh", "-c")
    assert len(getattr(server, part)) == 1
    assert ("TPU_MULTIHOST_BACKEND", "ray") in server.env
    assert "--tensor-parallel-size 4" in server.args[0]
