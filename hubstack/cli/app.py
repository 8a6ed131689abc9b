# SPDX-License-Identifier: Apache-2.0
"""The `hubstack` command: parses arguments, calls the rooms that decide, and prints.

Exit codes: 0 success, 1 a check found something, 2 bad input or usage, or the Hub refused a request
(docs/concepts/lock.md). Heavy modules are imported by the command that needs them, so that `plan` never waits for
Pulumi or the Hub client.
"""

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hubstack.cli import bench as cli_bench
from hubstack.cli import connect as cli_connect
from hubstack.cli import doctor as cli_doctor
from hubstack.cli import gitops as cli_gitops
from hubstack.cli import images as cli_images
from hubstack.cli import keys as cli_keys
from hubstack.cli import refresh as cli_refresh
from hubstack.cli import repository as cli_repository
from hubstack.cli import smoke as cli_smoke
from hubstack.cli.console import (
    Check,
    Env,
    Jobs,
    Json,
    Progress,
    Project,
    Quiet,
    Verbose,
    as_run_here,
    find_model,
    forget_environment,
    load_stack,
    print_changes,
    print_error,
    print_folder,
    print_written,
    program_name,
    with_version,
)
from hubstack.cli.console import out as _out
from hubstack.cli.console import print_parts as _print
from hubstack.cli.console import status as _status
from hubstack.cli.each_cluster import each_cluster, plan_exit_code
from hubstack.files.errors import HubstackError, InputError
from hubstack.files.problems import Problem
from hubstack.inputs.environment import find_project

if TYPE_CHECKING:
    from hubstack.inputs.stack import Stack
    from hubstack.plan import Plan
    from hubstack.plan.performance import Comparison
    from hubstack.planner.inputs import StackInputs
    from hubstack.review.preview import Graph

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="A YAML list of Hugging Face Hub models becomes a whole inference stack on Google Cloud.",
)

Upgrade = Annotated[
    list[str] | None, typer.Option(help="Key of a model to upgrade to its newest commit, or `all`.")
]
LockImages = Annotated[
    bool,
    typer.Option(
        "--images/--no-images",
        help="Look up the digest of each image that is not locked yet.",
        envvar="HUBSTACK_LOCK_IMAGES",
    ),
]
UpgradeImages = Annotated[
    bool, typer.Option("--upgrade-images", help="Look up the digests of locked images again.")
]
Summary = Annotated[
    Path | None, typer.Option("--summary", help="Write a summary of Hub changes to this Markdown file.")
]
Rebalance = Annotated[
    bool, typer.Option("--rebalance", help="Recompute all placements instead of keeping existing ones.")
]
WhatIf = Annotated[
    list[str] | None,
    typer.Option("--what-if", help="SETTING=VALUE or KEY.SETTING=VALUE: print what would change. Repeatable."),
]
Regions = Annotated[
    str | None, typer.Option("--regions", help="Compare prices in comma-separated regions, or `any`.")
]
By = Annotated[
    str | None,
    typer.Option("--by", help="Split the cost by the values of a label: team, cost-center.", metavar="LABEL"),
]
Html = Annotated[Path | None, typer.Option("--html", help="Write an HTML report with charts to this file.")]

CountsOnly = Annotated[bool, typer.Option("--summary", help="Count the resources instead of listing them.")]

Against = Annotated[
    str | None,
    typer.Option("--against", help="A git reference. Default: where the branch left main."),
]
BaseFile = Annotated[
    Path | None, typer.Option("--base-file", help="Compare with a file written by --save, not a git reference.")
]
AgainstVersion = Annotated[
    str | None,
    typer.Option(
        "--against-version",
        help="Compare this hubstack with an earlier release on the same files: 0.1, or a wheel. uv installs it.",
        metavar="X.Y",
    ),
]
Save = Annotated[Path | None, typer.Option("--save", help="Save the current graph to a file; compare nothing.")]
FailOn = Annotated[
    str,
    typer.Option(
        "--fail-on", help=as_run_here("Comma-separated gates: replace,cost>+10%,license (docs/reference/diff.md).")
    ),
]
Quota = Annotated[
    Path | None, typer.Option("--quota", help=as_run_here("File with accelerator quotas (docs/reference/diff.md)."))
]
Markdown = Annotated[Path | None, typer.Option("--markdown", help="Write a pull-request comment to this file.")]
Link = Annotated[
    str | None, typer.Option("--link", help="URL of the full report, linked from a shortened comment.")
]


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # noqa: PLC0415

        _print(f"hubstack {version('hubstack')}")
        raise typer.Exit


@app.callback()
def _all_commands(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
@each_cluster
def plan(  # noqa: PLR0913  one parameter per command-line option
    stack: "Stack",
    *,
    json: Json = False,
    rebalance: Rebalance = False,
    what_if: WhatIf = None,
    regions: Regions = None,
    by: By = None,
    html: Html = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> object:
    """Print the accelerator and cost of each model."""
    for option, asked in (("--html", html), ("--regions", regions), ("--by", by)):
        if json and asked:
            problem = Problem(path=option, message="prints no JSON", hint="leave out `--json`")
            raise InputError([problem])
    inputs = _inputs(stack)
    try:
        decided = _plan(inputs, rebalance=rebalance)
    except InputError as refused:
        if refused.models and not (html or what_if or regions):
            refused = _show_valid_models(inputs, refused, rebalance=rebalance, as_json=json)
        raise refused from None
    if html:
        _write_page(decided, html)
    elif what_if:
        return _what_if(inputs, decided, what_if, rebalance=rebalance, as_json=json)
    elif json:
        _out(with_version(decided.to_json()))
    elif regions:
        _compare(inputs, regions)
    else:
        _print(*(_by_label(decided, by) if by else _tables(decided, verbose=verbose, quiet=quiet)))
        _print(*_refreshed_notes(inputs, decided))
        if inputs.target.regions and not by:
            _print("")
            _compare(inputs, ",".join(inputs.target.regions))
    return decided


@app.command()
def explain(
    env: Env,
    model: Annotated[str | None, typer.Argument(help="The model's key.")] = None,
    *,
    json: Json = False,
    html: Html = None,
    quiet: Quiet = False,
    project: Project = None,
) -> None:
    """Explain how one model was sized and placed.

    Shows each memory term, each capacity step, and every rejected option with the reason.
    """
    inputs = _inputs(load_stack(env, project))
    decided = _plan(inputs)
    own = None
    if model is not None or not html:
        own = find_model(decided, env, model, "name one, or pass --html FILE for all models")
    from hubstack.planner.alternatives import compare_accelerators  # noqa: PLC0415

    found = compare_accelerators(inputs, own) if own and not quiet else None
    if html:
        _write_page(decided, html, model, found)
    elif own and json:
        _out(decided.model_json(own.key, found))
    elif own:
        from hubstack.review.report import report  # noqa: PLC0415

        parts = (report.explanation(own, found), report.command_line(own), *report.budget_lines(decided))
        _print(*(parts[1:] if quiet else parts))
    raise typer.Exit(plan_exit_code(decided))


@app.command()
@each_cluster
def preview(
    stack: "Stack",
    *,
    json: Json = False,
    summary: CountsOnly = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> object:
    """Print every resource that `pulumi up` would create.

    Runs the Pulumi program offline; needs no cloud access and no credentials.
    """
    decided = _plan(_inputs(stack))
    from hubstack.review.preview.render import component_table, render_tree  # noqa: PLC0415

    graph = _graph(stack, decided, quiet=quiet)
    if json:
        _out(graph.to_json())
        return decided
    parts: list[Any] = [] if quiet else [component_table(graph) if summary else render_tree(graph), ""]
    tables = _tables(decided, verbose=verbose, quiet=quiet or summary)
    _print(
        *parts,
        *tables,
        f"{graph.count} resources would be created. This was an offline preview: nothing was created.",
    )
    return decided


@app.command()
@each_cluster
def render(
    stack: "Stack",
    folder: Annotated[
        Path, typer.Argument(help="New or empty folder, or one written by an earlier `render`.", metavar="DIR")
    ],
    *,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write every resource as a file, for a GitOps repository.

    Each Kubernetes object and Google Cloud resource becomes one file.
    """
    from hubstack.files.managed_folder import write_folder  # noqa: PLC0415
    from hubstack.review.preview.files import graph_files  # noqa: PLC0415

    files = graph_files(_graph(stack, quiet=quiet))
    changed, removed = write_folder(folder, files, "render")
    print_folder(folder, files, changed, removed, as_json=json)


@app.command()
@each_cluster
def diff(  # noqa: PLR0913  one parameter per command-line option
    env: Env = "dev",
    *,
    against: Against = None,
    base_file: BaseFile = None,
    against_version: AgainstVersion = None,
    save: Save = None,
    fail_on: FailOn = "",
    quota: Quota = None,
    by: By = None,
    json: Json = False,
    markdown: Markdown = None,
    html: Html = None,
    link: Link = None,
    quiet: Quiet = False,
    project: Project = None,
) -> None:
    """Print the effect of a change: cost, data, access.

    Compares two versions of an environment. Exits 1 if a --fail-on gate trips or the budget is exceeded.
    """
    from hubstack.review.diff import read_gates  # noqa: PLC0415
    from hubstack.review.diff.command import run_diff  # noqa: PLC0415

    given = {"--against": against, "--base-file": base_file, "--against-version": against_version}
    bases = [option for option, value in given.items() if value is not None]
    if len(bases) > 1:
        message = f"`{bases[0]}` and `{bases[1]}` are mutually exclusive"
        hint = (
            "use `--against` for a git reference, `--base-file` for a file written by --save, `--against-version` "
            "for an earlier hubstack"
        )
        raise InputError([Problem(path=bases[1], message=message, hint=hint)])
    gates = read_gates(fail_on)
    root = (project or find_project(Path.cwd())).resolve()
    if save:
        from hubstack.review.diff.base_head import save_version  # noqa: PLC0415
        from hubstack.review.diff.command import resolve_name  # noqa: PLC0415

        save_version(resolve_name(root, env), root, save)
        print_written(save)
        return
    with _status("running both versions", quiet=quiet):
        asked = run_diff(env, root, against, quota, gates, base_file, release=against_version, label=by)
    written = asked.write(markdown=markdown, html=html, link=link)
    if json:
        _out(with_version(asked.change.to_json()))
    else:
        _print(*((asked.report.title, asked.report.verdict) if quiet else asked.terminal()), *written)
    raise typer.Exit(asked.exit_code)


@app.command()
def lock(  # noqa: PLR0913  one parameter per command-line option
    env: Env = "dev",
    *,
    upgrade: Upgrade = None,
    images: LockImages = True,
    upgrade_images: UpgradeImages = False,
    check: Check = False,
    summary: Summary = None,
    jobs: Jobs = None,
    json: Json = False,
    quiet: Quiet = False,
    project: Project = None,
) -> None:
    """Pin each model to a commit, and each image to a digest.

    The lock is written next to the model list; other commands read it instead of the Hub and the registries.
    """
    from hubstack.hub.remote import JOBS, RetryLimits, check_lock, write_lock  # noqa: PLC0415

    stack = load_stack(env, project)
    request, path = stack.listed, stack.project_dir / stack.models_path
    if check:
        from hubstack.planner.inputs import stack_lock  # noqa: PLC0415

        held = stack_lock(stack)
        found, warnings = check_lock(request, held)
        found = found or cli_images.unlocked_images(stack, held)
        for warning in warnings:
            print_error(warning)
        print_changes(found, "the lock is up to date", as_json=json, quiet=quiet)
        raise typer.Exit(1 if found else 0)
    with Progress(quiet=quiet or json) as progress:
        lines, refused = write_lock(request, path, upgrade or [], progress, RetryLimits(jobs=jobs or JOBS), summary)
    places: list[str] = []
    unplaced: HubstackError | None = None
    try:
        places = [] if refused else _write_places(stack)
    except HubstackError as error:
        unplaced = error
    pinned: list[str] = []
    unpinned: HubstackError | None = None
    if (images or upgrade_images) and not (refused or unplaced):
        try:
            with _status("asking registries", quiet=quiet or json):
                pinned = cli_images.lock_stack_images(load_stack(env, project), upgrade=upgrade_images)
        except HubstackError as error:
            unpinned = error
    print_changes([*lines, *places, *pinned], "nothing changed", as_json=json)
    if refused:
        raise refused
    if unplaced:
        print_error(f"the lock was written, but some models cannot be placed:\n{unplaced}")
        raise typer.Exit(2)
    if unpinned:
        print_error(f"the models are locked; the images in the lock are unchanged:\n{unpinned}")
        raise typer.Exit(2)


@app.command()
def place(
    env: Env = "dev",
    *,
    rebalance: Rebalance = False,
    check: Check = False,
    json: Json = False,
    quiet: Quiet = False,
    project: Project = None,
) -> None:
    """Record where each model runs, so that placements stay stable.

    Models added later are placed around existing ones.
    """
    lines = _write_places(load_stack(env, project), rebalance=rebalance, check=check)
    print_changes(lines, "placement is up to date", as_json=json, quiet=quiet)
    raise typer.Exit(1 if check and lines else 0)


@app.command()
@each_cluster
def check(stack: "Stack", *, json: Json = False, quiet: Quiet = False) -> None:
    """Check lock, plan and resources against the policy.

    Limits come from policy.yaml. Exits 1 if a rule is violated.
    """
    import datetime as dt  # noqa: PLC0415

    from hubstack.review.check.report import report_json, report_parts  # noqa: PLC0415
    from hubstack.review.check.run import check_stack  # noqa: PLC0415

    today = dt.datetime.now(tz=dt.UTC).date()
    with _status("checking", quiet=quiet or json):
        report = check_stack(stack, today)
    if json:
        _out(report_json(report))
    else:
        _print(*report_parts(report, quiet=quiet))
    raise typer.Exit(0 if report.passes else 1)


@app.command()
@each_cluster
def sbom(
    stack: "Stack",
    *,
    output: Annotated[Path | None, typer.Option("--output", help="Write the bill to this file.")] = None,
    page: Annotated[Path | None, typer.Option("--page", help="Write a readable page: .html or .md.")] = None,
) -> None:
    """Print a CycloneDX bill of materials.

    Lists commits, hashes, licences and images; --page writes a readable page instead.
    """
    from hubstack.files.write import write_text_atomically  # noqa: PLC0415
    from hubstack.review.sbom import command  # noqa: PLC0415

    inputs = _inputs(stack)
    if page:
        write_text_atomically(page, command.page(inputs, page))
        print_written(page)
    if output:
        write_text_atomically(output, command.bill(inputs))
        print_written(output)
    elif not page:
        _out(command.bill(inputs))


def _write_places(stack: "Stack", *, rebalance: bool = False, check: bool = False) -> list[str]:
    if stack.divided:
        from hubstack.planner.placement.choose_clusters import write_group_places  # noqa: PLC0415

        return write_group_places(stack.divided, rebalance=rebalance, check=check)
    from hubstack.planner.placement.write_placement import write_places  # noqa: PLC0415

    return write_places(_inputs(stack), rebalance=rebalance, check=check)


def _what_if(
    inputs: "StackInputs", decided: "Plan", changes: list[str], *, rebalance: bool, as_json: bool
) -> "Plan":
    from dataclasses import replace  # noqa: PLC0415

    from hubstack.inputs.what_if import change_request  # noqa: PLC0415
    from hubstack.review.report import report  # noqa: PLC0415

    after = _plan(replace(inputs, request=change_request(inputs.request, changes)), rebalance=rebalance)
    if as_json:
        _out(with_version(after.to_json()))
        return after
    _print(report.difference_table(decided, after), *(f"Warning: {warning}." for warning in after.warnings))
    return after


def _compare(inputs: "StackInputs", asked: str) -> None:
    from hubstack.planner.placement.regions import compare_regions  # noqa: PLC0415
    from hubstack.review.report import report  # noqa: PLC0415

    words = [word.strip() for word in asked.split(",") if word.strip()]
    found = compare_regions(inputs.request, inputs.lock, inputs.catalog, inputs.target, words, inputs.measured)
    _print(
        report.region_table(found, inputs.target.region),
        "Nothing was changed. To change a stack's region, set `gcp:region`.",
    )


def _write_page(
    decided: "Plan", path: Path, model: str | None = None, comparison: "Comparison | None" = None
) -> None:
    from hubstack.files.write import write_text_atomically  # noqa: PLC0415
    from hubstack.review.report.page import page_text  # noqa: PLC0415

    write_text_atomically(path, page_text(decided, model, comparison))
    print_written(path)


def _inputs(stack: "Stack") -> "StackInputs":
    from hubstack.planner.inputs import StackInputs  # noqa: PLC0415

    return StackInputs.of(stack)


def _plan(inputs: "StackInputs", *, rebalance: bool = False) -> "Plan":
    from hubstack.planner.planner import plan_inputs  # noqa: PLC0415

    return plan_inputs(inputs, rebalance=rebalance)


def _show_valid_models(inputs: "StackInputs", refused: InputError, *, rebalance: bool, as_json: bool) -> InputError:
    """Print the plan of the valid models; return one error with the problems of all others."""
    from hubstack.planner.others import plan_valid_models  # noqa: PLC0415

    rest, errors = plan_valid_models(inputs, refused, rebalance=rebalance)
    problems = [problem for error in errors for problem in error.problems]
    if rest is not None and as_json:
        _out(with_version(rest.to_json([problem.message for problem in problems])))
    elif rest is not None:
        left = len(inputs.request.models) - len(rest.models)
        noun = "model is" if left == 1 else "models are"
        _print(
            *_tables(rest),
            "",
            f"{left} {noun} invalid and not in this plan; `pulumi up` deploys nothing.",
        )
    return InputError(problems)


def _refreshed_notes(inputs: "StackInputs", decided: "Plan") -> list[str]:
    """Return how old refreshed files are, and what the project's quotas, reservations and zones do not allow."""
    if inputs.refreshed is None and inputs.quota is None:
        return []
    import datetime as dt  # noqa: PLC0415

    from hubstack.review.check.quota import lacking_refreshed, missing_zones  # noqa: PLC0415
    from hubstack.review.report.freshness import age_line  # noqa: PLC0415

    today = dt.datetime.now(tz=dt.UTC).date()
    files = ((inputs.prices_name, inputs.refreshed), (inputs.quota_name, inputs.quota))
    notes = [f"{age_line(name, file.as_of, today)}." for name, file in files if file]
    if inputs.quota:
        short = (*lacking_refreshed(decided, inputs.quota), *missing_zones(decided, inputs.quota))
        notes += [f"Warning: {each} ({inputs.quota_name})." for each in short]
    return notes


def _graph(stack: "Stack", decided: "Plan | None" = None, *, quiet: bool = False) -> "Graph":
    from hubstack.review.preview.environment import preview_stack  # noqa: PLC0415

    with _status("running the program", quiet=quiet):
        return preview_stack(stack, decided)


def _by_label(decided: "Plan", label: str) -> tuple[Any, ...]:
    from hubstack.review.report.labels import label_table  # noqa: PLC0415

    return (label_table(decided, label),)


def _tables(decided: "Plan", *, verbose: bool = False, quiet: bool = False) -> tuple[Any, ...]:
    """Return the models and their cost; with `verbose` also reasons, performance, nodes and prices."""
    from hubstack.review.report import report  # noqa: PLC0415
    from hubstack.review.report.performance import performance_table  # noqa: PLC0415

    if quiet:
        return (report.cost_notes(decided, is_whole=False),)
    parts: list[Any] = [report.plan_table(decided), ""]
    if verbose:
        parts += [report.why_lines(decided), "", performance_table(decided.models), ""]
        if decided.pools:
            parts += [report.pool_table(decided.pools), "", report.cost_table(decided), ""]
        if any(model.cloud_run for model in decided.models):
            parts += [report.service_table(decided.models), ""]
    key = decided.models[0].key if decided.models else "KEY"
    line = f"More: `hubstack explain ENV {key}` for one model; `-v` for reasons, performance, nodes and prices."
    more = () if verbose else (line,)
    notes = (report.cost_notes(decided, is_whole=verbose), *report.image_lines(decided))
    return (*parts, *notes, *more)


app.command()(cli_images.images)
app.command()(cli_bench.bench)
app.command()(cli_smoke.smoke)
app.command()(cli_doctor.doctor)
app.command()(cli_refresh.refresh)
app.command()(cli_keys.keys)
app.command()(cli_connect.connect)
app.command()(cli_gitops.promote)
app.command()(cli_gitops.drift)
app.command()(cli_gitops.eject)
app.command()(cli_gitops.init)
app.command()(cli_repository.new)
app.command()(cli_repository.docs)


def run(arguments: list[str] | None = None) -> int:
    """Run one command, print any hubstack error, and return the exit code.

    Args:
        arguments: the command line; `sys.argv` by default.
    """
    # Objects live until the command ends: default garbage collection would take a fifth of a plan's time.
    gc.set_threshold(100_000, 50, 100)
    forget_environment()
    try:
        app(arguments, prog_name=program_name())
    except HubstackError as error:
        print_error(str(error))
        return 2
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0
