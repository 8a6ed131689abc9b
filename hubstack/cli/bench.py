# SPDX-License-Identifier: Apache-2.0
"""The command `bench`: measure a running model, and record what was measured. Registered by `hubstack.cli.app`."""

import datetime as dt
import time
from json import dumps
from typing import TYPE_CHECKING, Annotated

import typer

from hubstack.cli.console import Context, Env, Json, Project, find_model, load_stack, out, print_parts, tell
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem

if TYPE_CHECKING:
    from hubstack.inputs.measured import Measurement
    from hubstack.plan import ModelPlan, Plan
    from hubstack.review.bench.run import Here, InCluster

Url = Annotated[
    str | None, typer.Option("--url", help="Measure the server at this address from here, not from the cluster.")
]
Tokenizer = Annotated[
    str | None, typer.Option("--tokenizer", help="Hub ID or folder of the tokenizer. Default: the model's own.")
]
Tool = Annotated[
    str | None, typer.Option("--tool", help="Path of vLLM's program, for --url. Default: the one on PATH.")
]
Accelerator = Annotated[
    str | None, typer.Option("--accelerator", help="What the server at --url runs on, if not as planned.")
]
Clients = Annotated[
    list[int] | None,
    typer.Option("--concurrency", min=1, help="Concurrent clients. Repeatable. Default: 1 and the planned peak."),
]
Requests = Annotated[
    int | None, typer.Option("--requests", min=1, help="Requests of each run. Default: 4 a client.")
]
Minutes = Annotated[int, typer.Option("--minutes", min=1, help="How long to wait for the Job.")]
Manifest = Annotated[bool, typer.Option("--manifest", help="Print the Job and its network policies; run nothing.")]


def bench(  # noqa: PLR0913  one parameter per command-line option
    env: Env,
    model: Annotated[str, typer.Argument(help="The model's key.")],
    *,
    url: Url = None,
    tokenizer: Tokenizer = None,
    tool: Tool = None,
    accelerator: Accelerator = None,
    concurrency: Clients = None,
    requests: Requests = None,
    context: Context = None,
    minutes: Minutes = 60,
    manifest: Manifest = False,
    json: Json = False,
    project: Project = None,
) -> None:
    """Measure a running model, and plan with the result.

    Runs vLLM's load tool as a Job in the cluster, or from here with --url, and writes `<stack>.measured.yaml`.
    """
    from hubstack.inputs.measured import load_measured, write_measured  # noqa: PLC0415
    from hubstack.planner.inputs import StackInputs  # noqa: PLC0415
    from hubstack.planner.planner import plan_inputs  # noqa: PLC0415
    from hubstack.review.bench.load import loads_of, read_result  # noqa: PLC0415
    from hubstack.review.callers import base_of  # noqa: PLC0415

    inputs = StackInputs.of(load_stack(env, project))
    decided = plan_inputs(inputs)
    planned = find_model(decided, env, model)
    asked = next(each for each in inputs.request.models if each.key == model)
    if accelerator and url is None:
        message, hint = "--accelerator needs --url", "in the cluster, the model runs on the planned accelerator"
        raise InputError([Problem(path="--accelerator", message=message, hint=hint)])
    base = None if url is None else base_of(url)
    loads = loads_of(planned, asked, inputs.facts[model], int(time.time()), concurrency, requests)
    cluster = _in_cluster(decided, planned, tokenizer, context, minutes)
    if manifest and base is None:
        out(dumps(cluster.objects(loads), indent=2))
        return
    place = cluster if base is None else _here(planned, base, tokenizer, tool)
    results = place.measure(loads, tell)
    today, name = dt.datetime.now(tz=dt.UTC).date(), place.tool
    found = tuple(
        read_result(text, planned, load, accelerator=accelerator, date=today, tool=name)
        for load, text in zip(loads, results, strict=True)
    )
    # Read again: another run may have ended during this one.
    known = load_measured(inputs.measured_path, inputs.measured_name)
    write_measured(inputs.measured_path, known, found)
    if json:
        out(dumps({"format": 1, "measurements": [row.model_dump(mode="json") for row in found]}, indent=2))
    else:
        print_parts(*(_line(row) for row in found), f"wrote {inputs.measured_name}: review and commit it")


def _here(planned: "ModelPlan", url: str, tokenizer: str | None, tool: str | None) -> "Here":
    from hubstack.catalog import load_catalog  # noqa: PLC0415
    from hubstack.review.bench.load import Server  # noqa: PLC0415
    from hubstack.review.bench.run import Here  # noqa: PLC0415

    server = Server(
        url=url,
        name=planned.server.served_model_name,
        tokenizer=tokenizer or planned.id,
    )
    program, *words = load_catalog().load_tool.load_tool
    return Here(server=server, command=[tool or program, *words], name=" ".join([program, *words]))


def _in_cluster(
    decided: "Plan", planned: "ModelPlan", tokenizer: str | None, context: str | None, minutes: int
) -> "InCluster":
    from hubstack.catalog import load_catalog  # noqa: PLC0415
    from hubstack.review.bench.run import InCluster  # noqa: PLC0415
    from hubstack.review.kubectl import default_context  # noqa: PLC0415

    engine = load_catalog().load_tool
    return InCluster(
        plan=decided,
        model=planned,
        command=engine.load_tool,
        image=decided.target.image(engine.images[0].image),
        version=engine.version or "",
        tokenizer=tokenizer,
        context=context or default_context(decided),
        minutes=minutes,
    )


def _line(row: "Measurement") -> str:
    clients = "1 client" if row.concurrency == 1 else f"{row.concurrency} clients"
    times = ""
    if row.token_ms and row.first_token_ms:
        first = f"the first after {row.first_token_ms.median:,.3g} ms (median)"
        times = f", a token every {row.token_ms.median:.3g} ms, {first}"
    return f"{clients}: {row.requests_per_second:.3g} requests/s{times}"
