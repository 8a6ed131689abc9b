# SPDX-License-Identifier: Apache-2.0
"""`./dev up-local [ENV]`: a list's models behind one address on this machine, without a cloud.

Owns the command. It plans, renders, loads and routes as in a cluster, with a real control plane, loader, body
router and gateway. Each model has tiny weights of a stand-in of the Hub. By default a server of ours stands for its
engine and answers with the commit that it has loaded; with `--engines` it is the real vLLM, on the processor, and
says a sentence that is in the weights. Pulumi, KEDA and the endpoint pickers are left out
(docs/guides/up-local.md).
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from hubstack.files.errors import HubstackError
from hubstack.inputs.environment import find_environment
from hubstack.inputs.stack import Stack as StackFiles
from hubstack.planner.inputs import StackInputs
from hubstack.planner.planner import plan_inputs
from proof.binaries import HERE, SandboxError
from proof.binaries import programs as sandbox_programs
from proof.engines.install import installed
from proof.engines.models import model_files
from proof.gateway.binaries import programs as gateway_programs
from proof.hub.repository import Repository
from proof.hub.server import StandIn
from proof.hub.tiny import commit, tiny
from proof.pods.world import World
from proof.sandbox import Sandbox, running
from proof.stack import Stack, read_stack
from proof.terminal import say, wait_for_interrupt

PORT = 8080
MOST_MODELS, MOST_ENGINES = 4, 1
"""At once: of our servers, and of real engines, which need a minute of both cores each."""
READY_SECONDS, ENGINE_READY_SECONDS = 180, 900
STACK = "local"
_FOLDER = f"examples/{STACK}"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A model of the list."""

    key: str
    repo_id: str
    size_bytes: int


@app.command()
def up_local(
    env: Annotated[str, typer.Argument(help="A stack of stacks/, or a folder.")] = "examples/quickstart",
    *,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = PORT,
    engines: Annotated[
        bool, typer.Option("--engines", help="Run the real vLLM, for the smallest model: 3 GB of downloads, once.")
    ] = False,
) -> None:
    """Run the smallest models of a list on this machine, each with tiny stand-in weights, until Ctrl-C.

    Exit codes: 0 ended by Ctrl-C, 2 it could not be brought up.
    """
    _check_port(port)
    chosen = _smallest(env, MOST_ENGINES if engines else MOST_MODELS)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hubstack-local-") as made:
        folder = Path(made)
        sandbox_programs(say)
        gateway_programs(say)
        programs = installed(say).programs if engines else None
        with StandIn([_repository(each, engines=engines) for each in chosen]) as hub:
            stack = _write_stack(folder / "project", chosen, hub.url, folder / "rendered")
            world = World(folder / "world", hub.url, port=port)
            world.engines = programs
            with running(say, world.stand_ins) as sandbox:
                _bring_up(sandbox, world, stack, ENGINE_READY_SECONDS if engines else READY_SECONDS)
                say(f"ready after {time.monotonic() - begun:.0f} seconds")
                _show(chosen, port, engines=engines)
                wait_for_interrupt()
    say("stopped; nothing is left")


def _check_port(port: int) -> None:
    with socket.socket() as each:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            each.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            raise SandboxError(
                f"port {port} of 127.0.0.1 cannot be used ({error}): pass another with --port"
            ) from None


def _repository(model: Named, *, engines: bool) -> Repository:
    """Return the simulated Hub's entry for a model."""
    if not engines:
        return tiny(model.repo_id, main="local")
    made = tiny(model.repo_id)
    only = commit(model.repo_id, "local", dict(model_files(f"Here speaks model-{model.key}")))
    made.commits, made.refs = {only.sha: only}, {"main": only.sha}
    return made


def _smallest(env: str, most: int) -> list[Named]:
    """Return the smallest models of an environment that are served on nodes."""
    found = StackFiles.load(find_environment(env, HERE.parent, Path.cwd()))
    plan = plan_inputs(StackInputs.of(found))
    models = [
        Named(key=each.key, repo_id=each.weights.repo_id, size_bytes=each.weights.total_bytes or 0)
        for each in plan.on_gke
        if each.weights is not None
    ]
    if not models:
        raise SandboxError(f"{env} has no model that runs in a cluster")
    by_repo = {each.repo_id: each for each in sorted(models, key=lambda each: each.key, reverse=True)}
    chosen = sorted(by_repo.values(), key=lambda each: (each.size_bytes, each.key))[:most]
    left = len(models) - len(chosen)
    say(
        f"{env}: {', '.join(each.key for each in chosen)}"
        + (f"; {left} more left out (larger, or of the same repository)" if left else "")
    )
    return chosen


def _write_stack(project: Path, chosen: Iterable[Named], hub: str, rendered: Path) -> Stack:
    """Write a project with the models, lock it, and render it."""
    folder = project / _FOLDER
    folder.mkdir(parents=True)
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(HERE.parent / name, project / name)
    models = [{"id": each.repo_id, "name": each.key, "replicas": {"min": 1, "max": 1}} for each in chosen]
    (folder / "models.yaml").write_text(yaml.safe_dump({"models": models}))
    config: dict[str, Any] = {
        "gcp:project": "local-models",
        "gcp:region": "us-central1",
        "hubstack:models": f"{_FOLDER}/models.yaml",
        "hubstack:gateway": {"mode": "services"},
    }
    (folder / f"Pulumi.{STACK}.yaml").write_text(yaml.safe_dump({"config": config}))
    # The stand-in knows no token of the user's.
    own = {name: value for name, value in os.environ.items() if name != "HF_TOKEN"}
    done = subprocess.run(
        [sys.executable, "-m", "hubstack", "lock", _FOLDER, "--project", str(project)],
        env=own | {"HF_ENDPOINT": hub, "PYTHONPATH": str(HERE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SandboxError(f"the list could not be locked:\n{done.stderr.strip()}")
    return read_stack(project, _FOLDER, rendered)


def _bring_up(sandbox: Sandbox, world: World, stack: Stack, seconds: float) -> None:
    sandbox.use(stack.pools)
    for path in (stack.folder.parent / "google" / "storage.Bucket").glob("*.yaml"):
        world.make_bucket(yaml.safe_load(path.read_text())["inputs"]["name"])
    objects = sandbox.apply(stack.folder)
    say(f"{len(objects.splitlines())} objects applied; loading the weights and starting the servers")
    sandbox.wait("every server is ready", lambda: not _waiting(sandbox, stack), seconds)
    gateway = next(each for each in sandbox.api.objects("gateway.networking.k8s.io/v1", "Gateway"))
    sandbox.wait("the gateway is served", lambda: world.gateways.address(gateway) is not None)


def _waiting(sandbox: Sandbox, stack: Stack) -> list[str]:
    """Return the workloads that are not ready."""
    found = [sandbox.api.get(each) for each in stack.workloads]
    return [
        each["metadata"]["name"]
        for each in found
        if each["status"].get("readyReplicas", 0) < each["spec"]["replicas"]
    ]


def _show(chosen: Sequence[Named], port: int, *, engines: bool) -> None:
    url = f"http://127.0.0.1:{port}/v1"
    sys.stdout.write(f"\n{url}\n")
    for each in chosen:
        sys.stdout.write(f"  {each.key}  (stand-in weights for {each.repo_id})\n")
    body = f'{{"model": "{chosen[0].key}", "messages": [{{"role": "user", "content": "Hello"}}]}}'
    sys.stdout.write(f"\n  curl {url}/chat/completions -H 'Content-Type: application/json' -d '{body}'\n")
    what = (
        "vLLM runs a model made up of one sentence, whatever it is asked."
        if engines
        else "No model runs: each answer names the commit and the digest of the weights that were loaded."
    )
    sys.stdout.write(f"\n{what}\nCtrl-C stops it.\n")
    sys.stdout.flush()


def main() -> None:
    """Run the command; print errors without a traceback."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # it cleans up then too
    try:
        app(prog_name="./dev up-local")
    except (HubstackError, SandboxError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
