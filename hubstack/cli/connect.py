# SPDX-License-Identifier: Apache-2.0
"""The command `connect`: how to call a running model."""

import sys
from contextlib import suppress
from enum import StrEnum
from json import dumps
from typing import TYPE_CHECKING, Annotated

import typer

from hubstack.cli.console import (
    Context,
    Env,
    GatewayUrl,
    Json,
    Project,
    find_model,
    load_stack,
    out,
    print_parts,
    tell,
)
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem

if TYPE_CHECKING:
    from hubstack.plan import ModelPlan, Plan
    from hubstack.review.callers import Address
    from hubstack.review.connect.snippets import Call


class Language(StrEnum):
    """Languages of the snippets."""

    CURL = "curl"
    PYTHON = "python"
    JS = "js"
    LANGCHAIN = "langchain"


Lang = Annotated[Language | None, typer.Option("--lang", help="Print only this snippet.")]
Forward = Annotated[bool, typer.Option("--port-forward", help="Open a port-forward to the model, until Ctrl-C.")]
Port = Annotated[int, typer.Option("--port", min=1, max=65535, help="Local port of the port-forward.")]
Chat = Annotated[bool, typer.Option("--chat", help="Chat with the model in the terminal.")]


def connect(  # noqa: PLR0913  one parameter per command-line option
    env: Env,
    model: Annotated[str, typer.Argument(help="The model's key, or an adapter's name.")],
    *,
    url: GatewayUrl = None,
    lang: Lang = None,
    port_forward: Forward = False,
    port: Port = 8080,
    chat: Chat = False,
    context: Context = None,
    json: Json = False,
    project: Project = None,
) -> None:
    """Print snippets that call a running model, or chat with it.

    Prints where the key comes from, never the key.
    """
    from hubstack.deploy.manifests.base import server_name  # noqa: PLC0415
    from hubstack.planner.inputs import StackInputs  # noqa: PLC0415
    from hubstack.planner.planner import plan_inputs  # noqa: PLC0415
    from hubstack.review.callers import Address, base_of, key_source, reachable_address  # noqa: PLC0415
    from hubstack.review.connect.forward import forwarded  # noqa: PLC0415
    from hubstack.review.connect.snippets import call_of, snippets  # noqa: PLC0415
    from hubstack.review.kubectl import Kubectl, default_context  # noqa: PLC0415

    stack = load_stack(env, project)
    inputs = StackInputs.of(stack)
    decided = plan_inputs(inputs)
    serving = (each.key for each in decided.models if model in {adapter.name for adapter in each.adapters})
    planned = find_model(decided, env, next(serving, model))
    if port_forward and (url is not None or not planned.has_nodes):
        message = "replaces --url" if url is not None else f"needs pods: `{model}` runs on {planned.platform_name}"
        raise InputError([Problem(path="--port-forward", message=message, hint="use only one of them")])

    def show(address: "Address") -> None:
        call = call_of(decided, planned, inputs.facts[planned.key], address, model)
        if chat:
            _chat(decided, call, planned)
            return
        wanted = [lang.value] if lang else [each.value for each in Language]
        found, source = snippets(call, wanted), key_source(decided, planned)
        if json:
            said = {"format": 1, "model": call.model, "url": call.base, "key": source, "snippets": found}
            out(dumps(said, indent=2))
        else:
            print_parts(*_lines(call.base, source, found))

    if not port_forward:
        base = None if url is None else base_of(url)
        address, note = reachable_address(decided, planned, stack.project_dir, base)
        if note and chat:
            raise InputError([Problem(path=model, message=note, hint="add --port-forward or --url")])
        show(address)
        if note:
            tell(note)
        return
    kubectl = Kubectl(
        context=context or default_context(decided), namespace=decided.target.of_team(planned.team).namespace
    )
    with suppress(KeyboardInterrupt), forwarded(kubectl, server_name(planned), port) as opened:
        show(Address(url=opened.url, is_gateway=False))
        if not chat:
            tell(f"forwarding {opened.url} to {model}; Ctrl-C stops it")
            opened.wait()


def _lines(base: str, source: str | None, found: dict[str, str]) -> list[str]:
    lines = [f"address: {base}"]
    lines.append(f"key:     export OPENAI_API_KEY=$({source})" if source else "key:     not needed")
    for language, text in found.items():
        lines += ["", f"# {language}", text]
    return lines


def _chat(decided: "Plan", call: "Call", planned: "ModelPlan") -> None:
    from hubstack.review.callers import key_of  # noqa: PLC0415
    from hubstack.review.connect.chat import chat as talk  # noqa: PLC0415

    if call.what != "chat":
        message, hint = f"`{call.model}` is not a chat model: it serves {call.what}", "omit --chat to get a snippet"
        raise InputError([Problem(path="--chat", message=message, hint=hint)])
    if sys.stdin.isatty():
        tell(f"chatting with {call.model}; Ctrl-D ends it")
    talk(call.url, call.model, key_of(decided, planned), _ask, _say)


def _ask() -> str | None:
    try:
        return input("> " if sys.stdin.isatty() else "")
    except (EOFError, KeyboardInterrupt):
        if sys.stdin.isatty():
            _say("\n")
        return None


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
