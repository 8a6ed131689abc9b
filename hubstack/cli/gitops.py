# SPDX-License-Identifier: Apache-2.0
"""The commands for stacks kept in git: promote, drift, eject, init. Registered by `hubstack.cli.app`.

Exit codes: 0 success, 1 a check found something, 2 bad input or usage.
"""

from json import JSONDecodeError
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hubstack.cli.console import (
    Check,
    Jobs,
    Json,
    Progress,
    Project,
    Quiet,
    load_stack,
    out,
    print_changes,
    print_folder,
    print_parts,
    status,
)
from hubstack.cli.each_cluster import each_cluster
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem
from hubstack.inputs.environment import find_project

if TYPE_CHECKING:
    from hubstack.inputs.stack import Stack
    from hubstack.review.drift import StoredObject

Listing = Annotated[
    list[Path] | None,
    typer.Option(
        "--bucket-listing", help="File with output of `gcloud storage ls --json --recursive`. Repeatable."
    ),
]
Buckets = Annotated[bool, typer.Option("--buckets", help="Print the bucket URLs and exit.")]
Collection = Annotated[
    str | None, typer.Option("--from-collection", help="A Hub collection: OWNER/TITLE-HASH, or its URL.")
]
Manifests = Annotated[
    bool,
    typer.Option(
        "--from-manifests", help="Read Kubernetes manifests from the given files and folders; `-` is stdin."
    ),
]
GcpProject = Annotated[str | None, typer.Option("--gcp-project", help="Google Cloud project of the new stack.")]
Region = Annotated[str | None, typer.Option("--region", help="Google Cloud region of the new stack.")]
Only = Annotated[
    list[str] | None, typer.Option("--model", help="Key of a model to promote. Repeatable. Default: all.")
]


def promote(
    source: Annotated[str, typer.Argument(help="Environment to copy from: dev.")],
    target: Annotated[str, typer.Argument(help="Environment to copy to: prod.")],
    *,
    model: Only = None,
    check: Check = False,
    json: Json = False,
    quiet: Quiet = False,
    project: Project = None,
) -> None:
    """Copy locked commits to another environment.

    Does not contact the Hub.
    """
    from hubstack.hub.promote import write_promotion  # noqa: PLC0415

    to = load_stack(target, project)
    lines = write_promotion(
        to.project_dir, load_stack(source, project).models_path, to.models_path, model or [], check=check
    )
    print_changes(lines, f"{target} already has the commits of {source}", as_json=json, quiet=quiet)
    raise typer.Exit(1 if check and lines else 0)


@each_cluster
def drift(
    stack: "Stack",
    *,
    bucket_listing: Listing = None,
    buckets: Buckets = False,
    json: Json = False,
    jobs: Jobs = None,
    quiet: Quiet = False,
) -> None:
    """Compare the lock with the Hub and the buckets.

    Exits 1 if either differs.
    """
    from hubstack.planner.inputs import StackInputs  # noqa: PLC0415
    from hubstack.planner.planner import plan_inputs  # noqa: PLC0415
    from hubstack.review import drift as found  # noqa: PLC0415

    inputs = StackInputs.of(stack)
    if buckets:
        print_parts(*(f"gs://{name}" for name in found.staged_buckets(plan_inputs(inputs))))
        return
    from hubstack.hub.remote import JOBS, RetryLimits  # noqa: PLC0415
    from hubstack.review.watch import watch_hub  # noqa: PLC0415

    locked = [*inputs.facts.items(), *((facts.id, facts) for facts in inputs.companions.values())]
    objects = _stored(bucket_listing) if bucket_listing else None
    with Progress(quiet=quiet or json) as progress:
        findings, unknown = watch_hub(locked, progress, RetryLimits(jobs=jobs or JOBS))
    if objects is not None:
        findings += found.bucket_findings(plan_inputs(inputs), objects)
    if json:
        out(found.findings_json(findings))
    else:
        print_parts(*(finding.render() for finding in findings))
        if objects is None:
            print_parts("Buckets were not checked: pass --bucket-listing (docs/guides/gitops.md).")
        if not unknown and not any(finding.is_drift for finding in findings):
            print_parts(f"No drift: {len(locked)} models match the lock.")
    if unknown:
        raise unknown
    raise typer.Exit(1 if any(finding.is_drift for finding in findings) else 0)


def _stored(listings: list[Path]) -> "list[StoredObject]":
    from hubstack.files.documents import MAX_JSON_BYTES, json_problem, read_text  # noqa: PLC0415
    from hubstack.review.drift import read_listing  # noqa: PLC0415

    hint = "use the output of `gcloud storage ls --json --recursive gs://BUCKET`"
    objects: list[StoredObject] = []
    for path in listings:
        try:
            objects += read_listing(read_text(path, str(path), hint, MAX_JSON_BYTES))
        except JSONDecodeError as error:
            raise InputError([json_problem(error, str(path), hint)]) from None
        except RecursionError:
            raise InputError([Problem(path=str(path), message="is nested too deeply", hint=hint)]) from None
        except ValueError as error:
            raise InputError(
                [Problem(path=str(path), message=f"is not a bucket listing: {error}", hint=hint)]
            ) from None
    return objects


@each_cluster
def eject(
    stack: "Stack",
    folder: Annotated[
        Path, typer.Argument(help="New or empty folder, or one written by an earlier `eject`.", metavar="DIR")
    ],
    *,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write the stack as a program without hubstack.

    A plain Pulumi program and plain Kubernetes files.
    """
    from hubstack.files.managed_folder import write_folder  # noqa: PLC0415
    from hubstack.review.eject import ejected_files  # noqa: PLC0415
    from hubstack.review.preview.environment import preview_stack  # noqa: PLC0415

    with status("running the program", quiet=quiet or json):
        files = ejected_files(stack, preview_stack(stack))
    changed, removed = write_folder(folder, files, "eject")
    print_folder(folder, files, changed, removed, as_json=json)


def init(  # noqa: PLR0913  one parameter per command-line option
    env: Annotated[str, typer.Argument(help="Name of the environment: dev.")],
    paths: Annotated[list[str] | None, typer.Argument(help="Manifest files.", metavar="[PATH]...")] = None,
    *,
    from_collection: Collection = None,
    from_manifests: Manifests = False,
    gcp_project: GcpProject = None,
    region: Region = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing list.")] = False,
    json: Json = False,
    quiet: Quiet = False,
    project: Project = None,
) -> None:
    """Create the model list of a new environment.

    Read from a Hub collection or from the manifests of existing servers.
    """
    from hubstack.inputs.init import InitOptions, check_options, read_manifests, write_environment  # noqa: PLC0415

    if bool(from_collection) == from_manifests or from_manifests != bool(paths):
        hint = "--from-collection OWNER/TITLE-HASH, or --from-manifests FILE_OR_FOLDER..."
        raise InputError([Problem(path=f"init {env}", message="name one source", hint=hint)])
    root = (project or find_project(Path.cwd())).resolve()
    options = InitOptions(env=env, project_dir=root, gcp_project=gcp_project, region=region, force=force)
    check_options(options)
    if from_collection:
        from hubstack.hub.remote import read_collection  # noqa: PLC0415

        with Progress(quiet=quiet or json) as progress:
            found = read_collection(from_collection, listener=progress)
    else:
        found = read_manifests(paths or [])
    print_changes(write_environment(options, found), "nothing was written", as_json=json)
