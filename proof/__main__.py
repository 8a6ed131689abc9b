# SPDX-License-Identifier: Apache-2.0
"""`./dev proof [EXAMPLE]`: apply a stack to a real control plane and show where each pod was scheduled.

Owns the command. `proof.places` decides what is correct.
"""

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hubstack.files.errors import HubstackError
from proof.binaries import HERE, SandboxError
from proof.places import missing, scale_to_max, settle, table, wrong
from proof.sandbox import Sandbox, running
from proof.stack import Stack, read_stack
from proof.terminal import say, wait_for_interrupt

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def sandbox(
    example: Annotated[str, typer.Argument(help="A stack of stacks/, or a folder.")] = "examples/fleet",
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Stay up until Ctrl-C and print the KUBECONFIG.")] = False,
) -> None:
    """Apply a stack to a local Kubernetes control plane, with every model at its maximum replicas.

    Exit codes: 0 every pod is in its planned pool, 1 some pod is not, 2 the check could not run.
    """
    with tempfile.TemporaryDirectory(prefix="hubstack-render-") as folder:
        stack = read_stack(HERE.parent, example, Path(folder) / "rendered")
        with running(say) as started:
            is_right = _show(started, stack)
            if keep:
                _wait(started)
    raise typer.Exit(0 if is_right else 1)


def _show(started: Sandbox, stack: Stack) -> bool:
    started.use(stack.pools)
    applied = started.apply(stack.folder)
    say(f"{len(applied.splitlines())} objects accepted, fields checked strictly")
    expected = scale_to_max(started, stack)
    found = settle(started, stack, expected)
    Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 160).print(table(found))
    faults = [*missing(started, stack, expected), *wrong(found)]
    nodes = len(started.nodes())
    sys.stdout.write(f"{len(found)} pods on {nodes} nodes, {len(faults)} not as planned\n")
    sys.stdout.writelines(f"  {fault}\n" for fault in faults)
    return not faults


def _wait(started: Sandbox) -> None:
    sys.stdout.write(f"export KUBECONFIG={started.kubeconfig}\nCtrl-C stops it\n")
    sys.stdout.flush()
    wait_for_interrupt()


def main() -> None:
    """Run the command; print errors without a traceback."""
    try:
        app(prog_name="./dev proof")
    except (HubstackError, SandboxError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
