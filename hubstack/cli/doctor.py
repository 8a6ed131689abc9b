# SPDX-License-Identifier: Apache-2.0
"""The command `doctor`: why a model does not start."""

from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from hubstack.cli.console import (
    Context,
    Env,
    Json,
    Project,
    find_model,
    load_stack,
    out,
    print_parts,
    print_written,
)

From = Annotated[
    Path | None,
    typer.Option("--from", help="Read a folder written by --save instead of the cluster.", metavar="DIR"),
]
Save = Annotated[
    Path | None,
    typer.Option("--save", help="Also write what was read to this folder, without secrets.", metavar="DIR"),
]


def doctor(
    env: Env,
    model: Annotated[str | None, typer.Argument(help="The model's key. Default: all models.")] = None,
    *,
    read_from: From = None,
    save: Save = None,
    context: Context = None,
    json: Json = False,
    project: Project = None,
) -> None:
    """Explain why a model does not start, from its pods, events and logs.

    Only reads. Names the cause, the engine's figures beside the plan's, and the key to change. Exits 1 if something
    is wrong.
    """
    from hubstack.planner.inputs import StackInputs  # noqa: PLC0415
    from hubstack.planner.planner import plan_inputs  # noqa: PLC0415
    from hubstack.review.doctor.cluster import read_cluster, read_folder  # noqa: PLC0415
    from hubstack.review.doctor.diagnose import diagnose  # noqa: PLC0415
    from hubstack.review.doctor.report import report_parts  # noqa: PLC0415
    from hubstack.review.kubectl import Kubectl, default_context  # noqa: PLC0415

    decided = plan_inputs(StackInputs.of(load_stack(env, project)))
    keys = [find_model(decided, env, model).key] if model is not None else []
    if read_from is not None:
        state = read_folder(read_from)
    else:
        otherwise = (
            "install it, or run `hubstack doctor --save DIR` where kubectl reaches the cluster, and --from DIR here"
        )
        kubectl = Kubectl(
            context=context or default_context(decided), namespace=decided.target.namespace, otherwise=otherwise
        )
        state = read_cluster(kubectl, decided.target.namespaces)
    if save is not None:
        state.write(save)
    report = diagnose(decided, state, keys)
    if json:
        out(dumps(report.to_json(), indent=2))
    else:
        print_parts(*report_parts(report))
        if save is not None:
            print_written(save)
    raise typer.Exit(0 if report.is_well else 1)
