# SPDX-License-Identifier: Apache-2.0
"""What a benchmark asks of a model, as a command line of `vllm bench serve`, and its result as a `Measurement`.

Owns the loads, the tool's flags and the fields of its result file (vllm/benchmarks/serve.py of the pinned release).
For why this tool, see docs/adr/0016-load-tool.md. Pure: `hubstack.review.bench.run` starts it.
"""

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from hubstack.files.errors import InputError
from hubstack.files.problems import Problem
from hubstack.hub.facts import ModelFacts
from hubstack.inputs.measured import UNPINNED, Measurement, Milliseconds, Positive, Setup
from hubstack.inputs.models import ModelRequest
from hubstack.plan import ModelPlan
from hubstack.planner.engines.tasks import POOL, RANK, TRANSCRIBE

LEAST_REQUESTS, REQUESTS_PER_CLIENT = 16, 4
"""Our choice: enough for a median, and for every client to meet a full batch."""
LENGTH_TOLERANCE = 0.1
"""Our choice: a run whose requests are longer or shorter by more measured something else."""
RESULT_MARK = "hubstack-bench-result: "
"""Start of the line of a Job's log that holds a result."""
_RATE: TypeAdapter[float] = TypeAdapter(Positive)
_SEQUENCES = ("--max-num-seqs", "--max-running-requests", "--parallel")
_BATCH_TOKENS = ("--max-num-batched-tokens", "--chunked-prefill-size", "--batch-size", "--max-batch-tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Requests of equal length from clients that each wait for their answer."""

    input_tokens: int
    prefix_tokens: int
    """Of the input, the tokens that all requests share."""
    output_tokens: int
    """0 for a model that embeds."""
    concurrency: int
    requests: int
    seed: int
    """Of the random prompts. Different for every run, because a server caches the prompts of earlier ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The server to measure."""

    url: str
    name: str
    """The model name in requests."""
    tokenizer: str
    """Hub ID or folder of the tokenizer that counts the tokens."""


def loads_of(
    model: ModelPlan,
    request: ModelRequest,
    facts: ModelFacts,
    seed: int,
    concurrency: list[int] | None = None,
    requests: int | None = None,
) -> tuple[Load, ...]:
    """Return the loads to measure: a single client, and as many as the plan expects at the peak.

    Args:
        model: the planned model.
        request: its entry in the list.
        facts: its locked facts.
        seed: of the first load; the others have the following ones.
        concurrency: numbers of clients to use instead.
        requests: requests of each load. Default: four for each client, at least sixteen.

    Raises:
        InputError: the load tool cannot measure the model.
    """
    found, task, why = model.performance, facts.pipeline_tag, None
    if found is None:
        why = "has no predicted performance to compare with, because the lock lacks its dimensions"
    elif task in RANK | POOL or task in TRANSCRIBE:
        why = f"is for {task}: the load tool has requests for generated text and for embeddings only"
    if found is None or why:
        raise InputError([request.mark("id").problem(f"`{model.key}` {why}", "measure another model")])
    peak = found.traffic.sequences if found.traffic else found.sequences
    prefix = request.settings.traffic.prefix_percent if request.settings.traffic else 0
    return tuple(
        Load(
            input_tokens=found.input_tokens,
            prefix_tokens=int(found.input_tokens * prefix / 100),
            output_tokens=found.output_tokens,
            concurrency=clients,
            requests=requests or max(LEAST_REQUESTS, REQUESTS_PER_CLIENT * clients),
            seed=seed + at,
        )
        for at, clients in enumerate(sorted(set(concurrency or [1, peak])))
    )


def tool_command(tool: Sequence[str], server: Server, load: Load, folder: str, file: str) -> list[str]:
    """Return the command line of the load tool that writes `folder`/`file`."""
    embeds = not load.output_tokens
    lengths = ["--random-input-len", str(load.input_tokens - load.prefix_tokens)]
    if embeds:
        lengths += ["--random-batch-size", "1"]
    else:
        lengths += ["--random-output-len", str(load.output_tokens), "--ignore-eos"]
    if load.prefix_tokens:
        lengths += ["--random-prefix-len", str(load.prefix_tokens)]
    return [
        *(*tool, "--backend", "openai-embeddings" if embeds else "openai"),
        *("--base-url", server.url, "--endpoint", "/v1/embeddings" if embeds else "/v1/completions"),
        *("--model", server.name, "--tokenizer", server.tokenizer),
        *("--dataset-name", "random", "--random-range-ratio", "0", *lengths),
        *("--num-prompts", str(load.requests), "--max-concurrency", str(load.concurrency)),
        *("--num-warmups", str(min(load.concurrency, LEAST_REQUESTS)), "--seed", str(load.seed), "--disable-tqdm"),
        *("--percentile-metrics", "e2el" if embeds else "ttft,tpot", "--metric-percentiles", "99"),
        *("--save-result", "--result-dir", folder, "--result-filename", file),
    ]


def setup_of(model: ModelPlan, accelerator: str | None = None) -> Setup:
    """Return what a measurement of a planned model is recorded under.

    Args:
        model: the planned model.
        accelerator: what the measured server runs on, if not on the planned accelerator.
    """
    return Setup(
        model=model.id,
        commit=model.commit,
        accelerator=accelerator or model.accelerator,
        accelerators=model.accelerator_count,
        servers_per_accelerator=model.servers_per_accelerator,
        tensor_parallel=model.tensor_parallel,
        pipeline_parallel=model.pipeline_parallel,
        engine=model.server.engine.value,
        version=model.server.version or UNPINNED,
        kv_cache_dtype=model.kv_cache_dtype,
    )


def read_result(
    text: str, model: ModelPlan, load: Load, *, accelerator: str | None, date: dt.date, tool: str
) -> Measurement:
    """Return the measurement in a result file of the load tool.

    Args:
        text: the file.
        model: the measured model.
        load: the load that was asked for.
        accelerator: what the server ran on, if not on the planned accelerator.
        date: of the run.
        tool: name and version of the load tool.

    Raises:
        InputError: the file is no result, requests failed, or they had other lengths than asked for.
    """
    try:
        found: dict[str, Any] = json.loads(text)
        done, failed = int(found["completed"]), int(found.get("failed", 0))
        if failed or done < load.requests:
            lost = max(failed, load.requests - done)
            raise _refuse(model, f"{lost} of {load.requests} requests for `{found['model_id']}` failed")
        rate = _RATE.validate_python(float(f"{float(found['request_throughput']):.4g}"))
        got = float(found["total_input_tokens"]), float(found.get("total_output_tokens", 0))
        latencies = {
            name: Milliseconds(median=float(found[f"median_{key}_ms"]), p99=float(found[f"p99_{key}_ms"]))
            for name, key in (("first_token_ms", "ttft"), ("token_ms", "tpot"))
            if load.output_tokens > (key == "tpot")
        }
    except ValidationError:
        raise _refuse(model, "its throughput or times are not positive numbers: the answers held no text") from None
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise _refuse(model, f"the load tool's result cannot be used: {error!r}") from None
    for what, asked, total in zip(
        ("prompts", "answers"), (load.input_tokens, load.output_tokens), got, strict=True
    ):
        if asked and abs(total / done / asked - 1) > LENGTH_TOLERANCE:
            raise _refuse(model, f"{what} had {total / done:,.0f} tokens on average instead of {asked:,}")
    return Measurement(
        setup=setup_of(model, accelerator),
        max_num_seqs=_flag(model, _SEQUENCES),
        max_num_batched_tokens=_flag(model, _BATCH_TOKENS),
        input_tokens=load.input_tokens,
        output_tokens=load.output_tokens,
        concurrency=load.concurrency,
        requests=done,
        requests_per_second=rate,
        **{name: each.rounded for name, each in latencies.items()},
        date=date.isoformat(),
        tool=tool,
    )


def _refuse(model: ModelPlan, message: str) -> InputError:
    hint = "look at the server's log and the tokenizer (--tokenizer); nothing was recorded"
    return InputError([Problem(path=model.key, message=message, hint=hint)])


def _flag(model: ModelPlan, names: tuple[str, ...]) -> int | None:
    args = model.server.args
    for at, word in enumerate(args[:-1]):
        if word in names and args[at + 1].isdecimal():
            return int(args[at + 1])
    return None
