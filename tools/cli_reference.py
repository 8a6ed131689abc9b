# SPDX-License-Identifier: Apache-2.0
"""The page of all commands, made from the command line itself: docs/reference/cli.md."""

from collections.abc import Iterator
from typing import Any

import typer

from hubstack.cli.app import app

_INTRODUCTION = """# Commands

Generated from the command line by `./dev gen`; do not edit. In a clone, write `./dev` for `hubstack`.

`ENV` is an environment: the name of a stack in `stacks/`, or a folder that contains one. Where it is optional, the
default is `dev`, and the command says on standard error that it uses it.

Exit codes: 0 fine, 1 a check found something, 2 bad input or usage, 130 interrupted. A command writes to standard
output; progress, warnings and errors go to standard error. `-` names standard output wherever a file is written.
"""


def cli_page() -> str:
    """Return the page as Markdown."""
    group: Any = typer.main.get_command(app)
    parts = [_INTRODUCTION]
    for name, command in sorted(group.commands.items()):
        parts += ["\n".join(_command(name, command))]
    return "\n".join(parts)


def _command(name: str, command: Any) -> Iterator[str]:
    context = typer.Context(command, info_name=f"hubstack {name}")
    yield f"## {name}\n"
    yield f"{command.get_usage(context).removeprefix('Usage: ')}\n".join(("```text\n", "```\n"))
    yield f"{' '.join((command.help or '').split())}\n"
    rows = [row for parameter in command.params if (row := _row(parameter, context))]
    if rows:
        yield "| argument or option | meaning |\n| --- | --- |"
        yield from rows
        yield ""


def _row(parameter: Any, context: typer.Context) -> str | None:
    if parameter.param_type_name == "argument":
        name = parameter.name.upper()
        name = parameter.metavar or (name if parameter.required else f"[{name}]")
        return f"| `{name}` | {_escape(parameter.help or '')} |"
    record = parameter.get_help_record(context)
    if record is None or "--help" in parameter.opts:
        return None
    return f"| `{_escape(record[0])}` | {_escape(record[1])} |"


def _escape(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
