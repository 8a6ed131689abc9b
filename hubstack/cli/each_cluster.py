# SPDX-License-Identifier: Apache-2.0
"""One command for each cluster of an environment: processes side by side, and what they said in the keys' order.

Owns the processes, the order, the total and the exit code, which is the worst of all. Does not know what a command
does: each runs it as if its stack had been named.
"""

import importlib
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
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import typer

from hubstack.cli.console import config_of, environment_of, out, print_error, print_parts, status
from hubstack.files.errors import HubstackError, InputError
from hubstack.files.problems import Problem
from hubstack.files.write import STDOUT, is_stream
from hubstack.inputs.environment import Environment

if TYPE_CHECKING:
    from hubstack.inputs.stack import Group
    from hubstack.plan.bill import StackBill

_FILES = ("base_file", "html", "markdown", "output", "page", "save")
"""Options that name a file: each cluster has its own."""
_FAILED = 2
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a command did for one cluster."""

    text: str
    error: str
    code: int
    bill: "StackBill | None" = None
    """Of commands that return a plan."""


def group_of(environment: Environment) -> "Group | None":
    """Return the clusters of an environment; None where it is one stack.

    Raises:
        InputError: its settings are wrong.
    """
    from hubstack.inputs.clusters import SETTING, SHARD_OF  # noqa: PLC0415

    config = config_of(environment)
    if SETTING not in config or SHARD_OF in config:
        return None
    from hubstack.inputs.stack import load_group  # noqa: PLC0415

    file, project = environment.config_file, environment.project_dir
    if not file.is_relative_to(project):  # its clusters' stacks name it from there
        raise InputError([Problem(path=str(file), message=f"is outside the project {project}")])
    return load_group(project, str(file.relative_to(project)))


def each_cluster(command: Callable[P, R]) -> Callable[P, R | None]:
    """Run a command once for each cluster where the environment that it is given has several."""

    @wraps(command)
    def run(*args: P.args, **arguments: P.kwargs) -> R | None:
        env, project = str(arguments["env"]), arguments.get("project")
        try:
            environment = environment_of(env, project if isinstance(project, Path) else None)
        except InputError:
            return _ended(command(*args, **arguments))  # it knows best what to say
        group = group_of(environment)
        if group is None:
            return _ended(command(*args, **arguments))
        _run_all(command, dict(arguments), environment, group)
        return None

    return run


def _ended(returned: R) -> R:
    """Exit as the plan of a command says, once everything is shown."""
    if code := plan_exit_code(returned):
        raise typer.Exit(code)
    return returned


def plan_exit_code(returned: object) -> int:
    """Return 1 of a plan that is over its budget, else 0."""
    from hubstack.plan import Plan  # noqa: PLC0415

    return int(isinstance(returned, Plan) and returned.cost.over_budget_usd > 0)


def _run_all(
    command: Callable[..., Any], arguments: Mapping[str, Any], environment: Environment, group: "Group"
) -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    keys = [cluster.key for cluster in group.clusters]
    if "against" in arguments and not arguments.get(
        "base_file"
    ):  # what had a cluster that is gone shows as removed
        from hubstack.review.diff.command import former_clusters  # noqa: PLC0415

        against = arguments["against"]
        keys = sorted({*keys, *former_clusters(environment.config_file, environment.project_dir, against)})
    asked = {key: _arguments(arguments, environment, group, key) for key in keys}
    is_terminal, name = sys.stdout.isatty(), (command.__module__, command.__name__)
    with (
        status(f"running {len(asked)} clusters"),
        ThreadPoolExecutor(max_workers=min(len(asked), _processors())) as threads,
    ):
        said = threads.map(partial(_in_process, *name, is_terminal), asked.values())
        found = dict(zip(asked, said, strict=True))
    _show(group.name, found, as_json=bool(arguments.get("json")))
    raise typer.Exit(max(said.code for said in found.values()))


def _show(environment: str, found: Mapping[str, Said], *, as_json: bool) -> None:
    if as_json:
        texts = {key: json.loads(said.text) for key, said in found.items() if said.text}
        out(json.dumps(texts, indent=2) + "\n")
    for key, said in found.items():
        title = f"{environment}-{key}"
        if said.text and not as_json:
            out(f"{title}\n{'=' * len(title)}\n{said.text}\n")
        if said.error:
            print_error(f"{title}:\n{said.error}")
    if any(said.bill for said in found.values()) and not as_json:
        from hubstack.review.report.report import bill_table  # noqa: PLC0415

        print_parts(bill_table([said.bill for said in found.values() if said.bill]))
        print_parts(
            *(f"{environment}-{key} failed and is not counted." for key, said in found.items() if not said.bill)
        )


def _arguments(arguments: Mapping[str, Any], environment: Environment, group: "Group", key: str) -> dict[str, Any]:
    """Return the arguments of one cluster: its stack, and files of its own."""
    mine = dict(arguments)
    is_stack = environment.config_file.parent == environment.project_dir / "stacks"
    mine["env"] = f"{group.name}-{key}" if is_stack else f"{str(arguments['env']).rstrip('/')}/{key}"
    for name in _FILES:
        if isinstance(path := arguments.get(name), Path) and str(path) != STDOUT and not is_stream(path):
            mine[name] = path.with_stem(f"{path.stem}-{key}")
    if isinstance(folder := arguments.get("folder"), Path):
        mine["folder"] = folder / key
    return mine


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_process(module: str, name: str, is_terminal: bool, arguments: dict[str, Any]) -> Said:
    """Run a command in a process of its own: one that is killed takes no other with it."""
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415
    from concurrent.futures.process import BrokenProcessPool  # noqa: PLC0415
    from multiprocessing import get_context  # noqa: PLC0415

    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as process:
        try:
            return process.submit(_said, module, name, is_terminal, arguments).result()
        except BrokenProcessPool:
            return Said(text="", error="its process was killed, perhaps for memory\n", code=_FAILED)


class _Text(io.StringIO):
    """What is printed here is shown on the parent's terminal, where it has one."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


def _said(module: str, name: str, is_terminal: bool, arguments: dict[str, Any]) -> Said:
    # Not the one that looks for clusters: this is one of them, and its plan is still to be read.
    command = getattr(importlib.import_module(module), name).__wrapped__
    text, error, code, bill = _Text(is_terminal=is_terminal), io.StringIO(), 0, None
    with redirect_stdout(text), redirect_stderr(error):
        try:
            returned = command(**arguments)
        except typer.Exit as ended:
            code = ended.exit_code
        except HubstackError as refused:
            error.write(f"{refused}\n")
            code = _FAILED
        except Exception:  # noqa: BLE001  a defect in one cluster is shown beside what the others say
            traceback.print_exc()
            code = _FAILED
        else:
            code, bill = plan_exit_code(returned), _bill(returned)
    return Said(text=text.getvalue(), error=error.getvalue(), code=code, bill=bill)


def _bill(plan: Any) -> "StackBill | None":
    from hubstack.plan import Plan  # noqa: PLC0415
    from hubstack.plan.bill import StackBill  # noqa: PLC0415

    if not isinstance(plan, Plan):
        return None
    return StackBill(
        stack=plan.target.stack, region=plan.target.region, models=len(plan.models),
        usd_per_month_min=plan.cost.usd_per_month_min, usd_per_month_max=plan.cost.usd_per_month_max,
        unpriced=len(plan.cost.unpriced),
    )  # fmt: skip
