# SPDX-License-Identifier: Apache-2.0
"""The command `smoke`: one real request to each model, at the address that callers use."""

from json import dumps
from typing import Annotated

import typer

from hubstack.cli.console import (
    Context,
    Env,
    GatewayUrl,
    Json,
    Project,
    Quiet,
    find_model,
    load_stack,
    out,
    print_parts,
    tell,
)

Keys = Annotated[
    list[str] | None,
    typer.Option("--model", help="Key of a model to check. Repeatable. Default: all.", metavar="KEY"),
]
Inside = Annotated[
    bool,
    typer.Option(
        "--in-cluster", help="Send the requests from a Job in the cluster, for a gateway without a public address."
    ),
]
Requests = Annotated[
    int, typer.Option("--requests", min=1, max=100, help="Number of requests for the first check of each model.")
]
Timeout = Annotated[
    int | None,
    typer.Option("--timeout", min=1, help="Seconds to wait for a model. Default: its cold start, or 120."),
]
Manifest = Annotated[bool, typer.Option("--manifest", help="Print the Job and what it needs; run nothing.")]


def smoke(  # noqa: PLR0913  one parameter per command-line option
    env: Env = "dev",
    *,
    model: Keys = None,
    url: GatewayUrl = None,
    in_cluster: Inside = False,
    requests: Requests = 3,
    timeout: Timeout = None,
    context: Context = None,
    manifest: Manifest = False,
    json: Json = False,
    quiet: Quiet = False,
    project: Project = None,
) -> None:
    """Send every model one real request, to check that the stack works.

    Sends requests for the model's task through the gateway, and compares the running commit with the lock. Exits 1
    if a model fails.
    """
    from dataclasses import replace  # noqa: PLC0415

    from hubstack.planner.inputs import StackInputs  # noqa: PLC0415
    from hubstack.planner.planner import plan_inputs  # noqa: PLC0415
    from hubstack.review.callers import base_of  # noqa: PLC0415
    from hubstack.review.kubectl import Kubectl, default_context  # noqa: PLC0415
    from hubstack.review.smoke.report import smoke_parts, smoke_result  # noqa: PLC0415
    from hubstack.review.smoke.run import Here, InCluster, Wanted, running_commits  # noqa: PLC0415

    stack = load_stack(env, project)
    inputs = StackInputs.of(stack)
    decided = plan_inputs(inputs)
    if model:
        decided = replace(decided, models=tuple(find_model(decided, env, key) for key in dict.fromkeys(model)))
    base = None if url is None else base_of(url)
    kubectl = Kubectl(context=context or default_context(decided), namespace=decided.target.namespace)
    wanted = Wanted(plan=decided, facts=inputs.facts, requests=requests, timeout=timeout)
    inside = InCluster(wanted=wanted, kubectl=kubectl, url=base)
    if manifest:
        out(dumps(inside.objects(inside.asked()[0]), indent=2))
        return
    place = inside if in_cluster else Here(wanted=wanted, project_dir=stack.project_dir, url=base)
    asked, skipped = place.asked()
    results = place.ask(asked, (lambda _: None) if quiet else tell)
    on_gke = any(each.has_nodes for each in decided.models)
    commits = running_commits(kubectl, decided) if on_gke else None
    found = smoke_result(decided, results, skipped, commits)
    if json:
        out(dumps(found.to_json(), indent=2))
    else:
        print_parts(*smoke_parts(found))
        if on_gke and commits is None and not quiet:
            tell(f"The commit is unknown: kubectl cannot read the pods in {kubectl.context} (--context NAME).")
    raise typer.Exit(0 if found.passed else 1)
