# SPDX-License-Identifier: Apache-2.0
"""Runs a command once per cluster of an environment, in parallel processes.

Owns the processes, the output order (by cluster key), the total, and the exit code, which is the highest of all.
Does not know what a command does: each process runs it as if the cluster's stack had been named.
"""

import importlib
import inspect
import io
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from hubstack.cli.console import (
    DEFAULT_ENVIRONMENT,
    JSON_FORMAT,
    Env,
    Project,
    load_stack,
    out,
    print_error,
    print_parts,
    status,
)
from hubstack.files.errors import HubstackError, InputError
from hubstack.files.write import STDOUT, is_stream

if TYPE_CHECKING:
    from hubstack.inputs.stack import Group, Stack
    from hubstack.plan.bill import StackBill

_FILES = ("base_file", "html", "markdown", "output", "page", "save")
"""Options that name a file; each cluster writes its own."""
_FAILED = 2
_ENV, _PROJECT, _STACK = "env", "project", "stack"
"""Names of the arguments that select a stack, and of the parameter that receives it."""
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """What a command printed for one cluster, and its exit code."""

    text: str
    error: str
    code: int
    bill: "StackBill | None" = None
    """The cost of the stack, from commands that return a plan."""


def each_cluster(command: Callable[..., R]) -> Callable[..., R | None]:
    """Decorate a command to run once per cluster if its environment has several.

    A command with a `stack` parameter receives the loaded stack; its command line has the arguments that select it.
    """
    parameters = inspect.signature(command).parameters
    takes_stack = _STACK in parameters

    @wraps(command)
    def run(**arguments: Any) -> R | None:
        try:
            stack = load_stack(str(arguments[_ENV]), arguments.get(_PROJECT))
        except InputError:
            if takes_stack:
                raise
            return _ended(command(**arguments))  # it reports the error itself
        if stack.divided is None:
            return _ended(_call(command, arguments, stack))
        _run_all(command, arguments, stack.source.path, stack.divided)
        return None

    if takes_stack:
        _name_stack(run, [each for key, each in parameters.items() if key != _STACK])
    return run


def _call(command: Callable[..., R], arguments: Mapping[str, Any], stack: "Stack | None" = None) -> R:
    """Run a command for one stack, loading the stack if the command takes one."""
    if _STACK not in inspect.signature(command).parameters:
        return command(**arguments)
    own = {key: value for key, value in arguments.items() if key not in {_ENV, _PROJECT}}
    return command(**own, stack=stack or load_stack(str(arguments[_ENV]), arguments.get(_PROJECT)))


def _ended(returned: R) -> R:
    """Exit with the code that the returned plan asks for, after all output is printed."""
    if code := plan_exit_code(returned):
        raise typer.Exit(code)
    return returned


def plan_exit_code(returned: object) -> int:
    """Return 1 for a plan that is over its budget, else 0."""
    from hubstack.plan import Plan  # noqa: PLC0415

    return int(isinstance(returned, Plan) and returned.cost.over_budget_usd > 0)


def _name_stack(run: Callable[..., Any], others: list[inspect.Parameter]) -> None:
    """Give a command the arguments that select its stack; ENV defaults to `dev` unless the command writes."""
    writes = any(each.default is inspect.Parameter.empty for each in others)
    kind = inspect.Parameter.KEYWORD_ONLY
    env = inspect.Parameter(
        _ENV, kind, annotation=Env, default=inspect.Parameter.empty if writes else DEFAULT_ENVIRONMENT
    )
    project = inspect.Parameter(_PROJECT, kind, annotation=Project, default=None)
    made = [env, *(each.replace(kind=kind) for each in others), project]
    run.__annotations__ = {each.name: each.annotation for each in made}
    run.__signature__ = inspect.Signature(made)  # pyright: ignore[reportFunctionMemberAccess]  read by Typer


def _run_all(command: Callable[..., Any], arguments: Mapping[str, Any], config_file: Path, group: "Group") -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    keys = [cluster.key for cluster in group.clusters]
    by_git = not (arguments.get("base_file") or arguments.get("against_version"))
    if "against" in arguments and by_git:  # a deleted cluster is shown as removed
        from hubstack.review.diff.command import removed_clusters  # noqa: PLC0415

        against = arguments["against"]
        keys = sorted({*keys, *removed_clusters(config_file, group.project.folder, against)})
    asked = {key: _arguments(arguments, config_file, group, key) for key in keys}
    is_terminal, name = sys.stdout.isatty(), (command.__module__, command.__name__)
    with (
        status(f"running {len(asked)} clusters"),
        ThreadPoolExecutor(max_workers=min(len(asked), _processors())) as threads,
    ):
        results = threads.map(partial(_in_process, *name, is_terminal), asked.values())
        found = dict(zip(asked, results, strict=True))
    _show(group.name, found, as_json=bool(arguments.get("json")))
    raise typer.Exit(max(result.code for result in found.values()))


def _show(environment: str, found: Mapping[str, CommandResult], *, as_json: bool) -> None:
    if as_json:
        texts = {key: json.loads(result.text) for key, result in found.items() if result.text}
        out(json.dumps({"format": JSON_FORMAT, "clusters": texts}, indent=2) + "\n")
    for key, result in found.items():
        title = f"{environment}-{key}"
        if result.text and not as_json:
            out(f"{title}\n{'=' * len(title)}\n{result.text}\n")
        if result.error:
            print_error(f"{title}:\n{result.error}")
    if any(result.bill for result in found.values()) and not as_json:
        from hubstack.review.report.report import bill_table  # noqa: PLC0415

        print_parts(bill_table([result.bill for result in found.values() if result.bill]))
        print_parts(
            *(
                f"{environment}-{key} failed and is not included in the total."
                for key, each in found.items()
                if not each.bill
            )
        )


def _arguments(arguments: Mapping[str, Any], config_file: Path, group: "Group", key: str) -> dict[str, Any]:
    """Return the arguments for one cluster, with its own stack and file names."""
    mine = dict(arguments)
    is_stack = config_file.parent == group.project.folder / "stacks"
    mine[_ENV] = f"{group.name}-{key}" if is_stack else f"{str(arguments[_ENV]).rstrip('/')}/{key}"
    for name in _FILES:
        if isinstance(path := arguments.get(name), Path) and str(path) != STDOUT and not is_stream(path):
            mine[name] = path.with_stem(f"{path.stem}-{key}")
    if isinstance(folder := arguments.get("folder"), Path):
        mine["folder"] = folder / key
    return mine


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_process(module: str, name: str, is_terminal: bool, arguments: dict[str, Any]) -> CommandResult:
    """Run a command in a separate process, so that a crash does not affect the other clusters."""
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415
    from concurrent.futures.process import BrokenProcessPool  # noqa: PLC0415
    from multiprocessing import get_context  # noqa: PLC0415

    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as process:
        try:
            return process.submit(_run_here, module, name, is_terminal, arguments).result()
        except BrokenProcessPool:
            return CommandResult(
                text="", error="its process was killed, possibly because it ran out of memory\n", code=_FAILED
            )


class _Text(io.StringIO):
    """A text buffer that reports whether the parent process prints to a terminal."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


def _run_here(module: str, name: str, is_terminal: bool, arguments: dict[str, Any]) -> CommandResult:
    # The undecorated command: it must not run once per cluster again, and its return value is needed.
    command = getattr(importlib.import_module(module), name).__wrapped__
    text, error, code, bill = _Text(is_terminal=is_terminal), io.StringIO(), 0, None
    with redirect_stdout(text), redirect_stderr(error):
        try:
            returned = _call(command, arguments)
        except typer.Exit as ended:
            code = ended.exit_code
        except HubstackError as refused:
            error.write(f"{refused}\n")
            code = _FAILED
        except Exception:  # noqa: BLE001  a failure in one cluster must not hide the others' output
            traceback.print_exc()
            code = _FAILED
        else:
            code, bill = plan_exit_code(returned), _bill(returned)
    return CommandResult(text=text.getvalue(), error=error.getvalue(), code=code, bill=bill)


def _bill(plan: Any) -> "StackBill | None":
    from hubstack.plan import Plan  # noqa: PLC0415
    from hubstack.plan.bill import StackBill  # noqa: PLC0415

    if not isinstance(plan, Plan):
        return None
    return StackBill(
        stack=plan.target.stack,
        region=plan.target.region,
        models=len(plan.models),
        usd_per_month_min=plan.cost.usd_per_month_min,
        usd_per_month_max=plan.cost.usd_per_month_max,
        unpriced=len(plan.cost.unpriced),
    )
