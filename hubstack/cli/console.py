# SPDX-License-Identifier: Apache-2.0
"""Shared by all commands: common arguments, stack lookup, progress and printing.

Does not own commands; see `hubstack.cli.app` and `hubstack.cli.gitops`.
"""

import json
import os
import re
import shlex
import sys
import time
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from hubstack.files.bundled import bundled, is_clone
from hubstack.files.errors import InputError
from hubstack.files.escape import for_log
from hubstack.files.problems import Problem, listed, nearest
from hubstack.files.write import STDOUT, is_stream, write_stdout
from hubstack.inputs.environment import Environment, find_environment, find_project

if TYPE_CHECKING:
    from rich.status import Status

    from hubstack.inputs.stack import Stack
    from hubstack.plan import ModelPlan, Plan


def _announce_default(context: typer.Context, env: str) -> str:
    """Say which environment a command without one uses."""
    source = context.get_parameter_source("env")
    if not context.resilient_parsing and source is not None and source.name == "DEFAULT":
        print_error(f"Environment: {env} (the default). To use another one, name it as the first argument.")
    return env


Env = Annotated[
    str,
    typer.Argument(
        help="A stack in stacks/ (dev), or a folder such as examples/fleet.", callback=_announce_default
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Check = Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if the file is out of date.")]
Jobs = Annotated[
    int | None, typer.Option("--jobs", min=1, max=64, help="Number of models to fetch in parallel. Default: 24.")
]
Project = Annotated[
    Path | None, typer.Option("--project", help="Folder with Pulumi.yaml. Default: this folder or a parent.")
]

Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Also print reasons, performance, nodes and price sources.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only the result, without progress.")]

Context = Annotated[
    str | None,
    typer.Option("--context", help="kubectl context. Default: the stack's GKE cluster, as gcloud names it."),
]

GatewayUrl = Annotated[
    str | None, typer.Option("--url", help="Base URL of the gateway. Default: the stack's output.")
]

DEFAULT_ENVIRONMENT = "dev"
_NEEDS_ENVIRONMENT = re.compile(
    r"(`hubstack (?:bench|check|connect|diff|doctor|drift|explain|images|keys|lock|place|plan|preview|refresh|sbom"
    r"|smoke))"
    r"(?: ENV(?=[ `])|(?=`| -))([^`]*)`"
)
"""A command in a hint that does not name its environment."""
_SELECTED: ContextVar[tuple[str, Path | None] | None] = ContextVar("selected", default=None)
"""Arguments of the running command that select its environment."""
_PAGE = re.compile(r"`?(?<![\w/])docs/([\w/-]+)\.md\b`?")
_ANY_WIDTH = 100_000
UV_RUN = "uv run hubstack"
JSON_FORMAT = 1
"""Format of the JSON of several clusters, and of what commands print about files that they write."""
SECONDS_BETWEEN_LINES = 5
"""Minimum time between progress lines when stderr is not a terminal, to keep logs short."""


def environment_of(env: str, project: Path | None) -> Environment:
    """Return the environment selected by a command's arguments."""
    here = Path.cwd()
    _SELECTED.set((env, project))
    return find_environment(env, (project or find_project(here)).resolve(), here)


def load_stack(env: str, project: Path | None) -> "Stack":
    """Load the stack selected by a command's arguments."""
    from hubstack.inputs.stack import Stack  # noqa: PLC0415

    return Stack.load(environment_of(env, project))


def find_model(plan: "Plan", env: str, key: str | None, otherwise: str = "name one") -> "ModelPlan":
    """Return a model of a plan.

    Args:
        plan: the plan.
        env: the environment as the user named it.
        key: the model's key; None if the user named none.
        otherwise: what to do instead, if a key is not required.

    Raises:
        InputError: there is no such model.
    """
    by_key = {model.key: model for model in plan.models}
    if key in by_key:
        return by_key[key]
    if base := next((model.key for model in plan.models for each in model.adapters if each.name == key), None):
        message, hint = f"`{key}` is an adapter: it runs in the servers of `{base}`", f"name `{base}`"
        raise InputError([Problem(path=env, message=message, hint=hint)])
    near = nearest(key or "", by_key)
    hint = f"did you mean `{near}`?" if near else f"models: {listed(list(by_key))}"
    message = f"has no model `{key}`" if key else f"missing MODEL: {otherwise}"
    raise InputError([Problem(path=env, message=message, hint=hint)])


class Progress:
    """Reports Hub requests on stderr: a live status on a terminal, otherwise an occasional line.

    Implements the listener of `hubstack.hub.remote`.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        from rich.console import Console  # noqa: PLC0415

        self._console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        self._bar: Status | None = None
        self._models = self._done = 0
        self._told = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, models: int, what: str) -> None:
        """Report that fetching starts."""
        self._models, self._done, self._told = models, 0, time.monotonic()
        if self._quiet:
            return
        if self._bar is not None:  # a list of Hub models and own weights is fetched from two services
            self._bar.stop()
        self._console.print(f"fetching {models:,} model revision{'' if models == 1 else 's'} from {what}")
        if self._console.is_terminal:
            self._bar = self._console.status("")
            self._bar.start()

    def done(self, repo_id: str) -> None:  # noqa: ARG002  required by the listener interface
        """Count one finished model."""
        self._done += 1
        self._say(f"{self._done:,} of {self._models:,} model revisions", at_once=self._bar is not None)

    def pause(self, seconds: float) -> None:
        """Report that the Hub rate-limits requests."""
        done = f"{self._done:,} of {self._models:,} model revisions"
        self._say(f"{done}; rate-limited by the Hub, retrying in {seconds:.0f} s", at_once=True)

    def _say(self, text: str, *, at_once: bool) -> None:
        now = time.monotonic()
        if self._quiet or not (at_once or now - self._told > SECONDS_BETWEEN_LINES):
            return
        self._told = now
        if self._bar is not None:
            self._bar.update(text)
        else:
            self._console.print(text)


def status(text: str, *, quiet: bool = False) -> AbstractContextManager[Any]:
    """Return a context manager that shows a status line on a terminal."""
    if quiet:
        return nullcontext()
    from rich.console import Console  # noqa: PLC0415

    return Console(stderr=True).status(text)


def _piped_width() -> int:
    """Return the width for piped output: COLUMNS if set, otherwise unlimited."""
    asked = os.environ.get("COLUMNS", "")
    return int(asked) if asked.isdecimal() and int(asked) else _ANY_WIDTH


def print_parts(*parts: Any) -> None:
    """Print texts and tables in order."""
    from hubstack.files.escape import escape_ci_commands  # noqa: PLC0415
    from hubstack.files.terminal import SafeConsole  # noqa: PLC0415

    console = SafeConsole(
        highlight=False, markup=False, soft_wrap=False, width=None if sys.stdout.isatty() else _piped_width()
    )
    for part in parts:
        # The terminal wraps sentences; only tables are fitted to the width.
        with console.capture() as held:
            console.print(part, soft_wrap=isinstance(part, str))
        write_stdout(escape_ci_commands(re.sub(r" +$", "", as_run_here(held.get()), flags=re.MULTILINE)))


def program_name() -> str:
    """Return how the user runs hubstack here: `./dev` in a clone, `uv run hubstack` under uv, or `hubstack`."""
    if program := os.environ.get("HUBSTACK_COMMAND"):
        return program
    # Set by `uv run` for what it starts, also through a script; `uvx` does not set it.
    return UV_RUN if "UV_RUN_RECURSION_DEPTH" in os.environ else "hubstack"


def runs_in_clone() -> bool:
    """Return whether the user works in a clone, whose pages are at hand, not in a project that depends on it."""
    return is_clone() and program_name() != UV_RUN


def forget_environment() -> None:
    """Start a command: no environment is selected yet."""
    _SELECTED.set(None)


def as_run_here(text: str) -> str:
    """Make the suggested commands and pages work where hubstack runs: program name, environment, page command."""
    program = program_name()
    text = _NEEDS_ENVIRONMENT.sub(_select_environment, text)
    if not runs_in_clone():  # elsewhere hubstack prints its pages itself
        text = _PAGE.sub(_page_command, text)
    return text if program == "hubstack" else text.replace("`hubstack ", f"`{program} ")


def _select_environment(found: re.Match[str]) -> str:
    """Return a suggested command with the arguments that select the environment of the running one."""
    if (selected := _SELECTED.get()) is None:
        return found[0]
    env, project = selected
    return f"{found[1]} {shlex.quote(env)}{found[2]}{f' --project {shlex.quote(str(project))}' if project else ''}`"


def _page_command(found: re.Match[str]) -> str:
    """Return the command that prints a page of hubstack's, or the text as it is if it names another file."""
    is_ours = bundled(f"docs/{found[1]}.md").is_file()
    return f"`hubstack docs {found[1]}`" if is_ours else found[0]


def print_changes(lines: Sequence[str], nothing: str, *, as_json: bool, quiet: bool = False) -> None:
    """Print what a command changed or would change, one line each; `nothing` if there is no line."""
    if as_json:
        out(json.dumps({"format": JSON_FORMAT, "changes": list(lines)}, indent=2, ensure_ascii=False) + "\n")
    elif lines or not quiet:
        print_parts(*lines or [nothing])


def print_folder(
    folder: Path, files: Collection[str], changed: Sequence[str], removed: Sequence[str], *, as_json: bool
) -> None:
    """Print what was written to a folder."""
    if as_json:
        said = {"format": JSON_FORMAT, "folder": str(folder), "files": len(files)}
        said |= {"changed": list(changed), "removed": list(removed)}
        out(json.dumps(said, indent=2, ensure_ascii=False) + "\n")
        return
    noun = "file" if len(files) == 1 else "files"
    print_parts(f"{folder}: {len(files):,} {noun}, {len(changed):,} changed, {len(removed):,} removed")


def print_written(path: Path) -> None:
    """Print that a file was written, unless it is standard output or a device."""
    if str(path) != STDOUT and not is_stream(path):
        print_parts(f"wrote {path}")


def out(text: str) -> None:
    """Print JSON to standard output."""
    from hubstack.files.escape import json_text  # noqa: PLC0415

    write_stdout(json_text(text))


def with_version(text: str) -> str:
    """Add the version of hubstack to the JSON of a plan or a diff, which another version may decide otherwise."""
    import json  # noqa: PLC0415
    from importlib.metadata import version  # noqa: PLC0415

    said = {**json.loads(text), "hubstack": version("hubstack")}
    return json.dumps(said, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def tell(line: str) -> None:
    """Print a line about what is going on, on stderr."""
    print_error(line)


def print_error(text: str) -> None:
    """Print an error of one or more lines on stderr."""
    sys.stdout.flush()
    sys.stderr.write(for_log(f"{as_run_here(text.rstrip())}\n"))
