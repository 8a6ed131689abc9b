# SPDX-License-Identifier: Apache-2.0
"""The command `keys`: how the callers of a gateway get, rotate and revoke their keys. It never reads a key."""

import json as json_text
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from hubstack.cli.console import JSON_FORMAT, Env, Json, Project, load_stack, out, print_parts
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem, listed, nearest

if TYPE_CHECKING:
    from hubstack.plan import Plan
    from hubstack.plan.callers import CallerPlan


def keys(
    env: Env = "dev",
    caller: Annotated[str | None, typer.Argument(help="Name of a caller. Default: all.")] = None,
    *,
    json: Json = False,
    project: Project = None,
) -> None:
    """Print the commands that make, read, rotate and revoke callers' keys.

    Keys stay between Secret Manager and your shell: this command reads and prints none.
    """
    from hubstack.deploy.callers.key_commands import key_commands  # noqa: PLC0415
    from hubstack.planner.inputs import StackInputs  # noqa: PLC0415
    from hubstack.planner.planner import plan_inputs  # noqa: PLC0415

    plan = plan_inputs(StackInputs.of(load_stack(env, project)))
    found = {each.name: (each, key_commands(plan.target, each)) for each in _callers(plan, env, caller)}
    if json:
        rows = [
            {"name": name, "models": list(one.models), "secret": one.secret_id, "commands": asdict(commands)}
            for name, (one, commands) in found.items()
        ]
        out(json_text.dumps({"format": JSON_FORMAT, "callers": rows}, indent=2) + "\n")
        return
    for name, (one, commands) in found.items():
        print_parts(
            f"{name}: may use {', '.join(one.models) or 'no model here'}; its keys are in {one.secret_id}\n"
            f"# the first key, after `pulumi up`\n{commands.create}\n"
            f"# the newest key, for the team\n{commands.read}\n"
            f"# add a new key; the current one stays valid\n{commands.rotate}\n"
            f"# revoke all keys except the newest\n{commands.revoke}"
        )


def _callers(plan: "Plan", env: str, name: str | None) -> tuple["CallerPlan", ...]:
    every = plan.callers.callers if plan.callers else ()
    if not every:
        hint = "list teams under `hubstack:callers` in the settings (docs/guides/callers.md)"
        raise InputError([Problem(path=env, message="has no callers", hint=hint)])
    if name is None:
        return every
    found = tuple(each for each in every if each.name == name)
    if not found:
        names = [each.name for each in every]
        near = nearest(name, names)
        hint = f"did you mean `{near}`?" if near else f"callers: {listed(names)}"
        raise InputError([Problem(path=env, message=f"has no caller `{name}`", hint=hint)])
    return found
