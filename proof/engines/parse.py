# SPDX-License-Identifier: Apache-2.0
# pyright: reportMissingImports=false
# ruff: noqa: PLC0415  each release has its own packages
"""Asks a release's parser, in the engines' own Python: `parse.py RELEASE FILE`.

FILE has a list of command lines, each a list of words; it becomes a list of refusals, null where one is accepted.
"""

import argparse
import importlib.abc
import importlib.machinery
import json
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

Parse = Callable[[list[str]], Any]


class RefusedError(Exception):
    """The parser refused."""


class Absent(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Packages that a parser's modules import and no parser uses."""

    def __init__(self, *packages: str) -> None:
        self._packages = packages

    def find_spec(self, fullname: str, *_: Any) -> importlib.machinery.ModuleSpec | None:
        """Return a module of the package, whatever its name."""
        known = fullname.partition(".")[0] in self._packages
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True) if known else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """Return a module that has every name."""
        module = types.ModuleType(spec.name)
        module.__getattr__ = _anything  # pyright: ignore[reportAttributeAccessIssue]
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """Do nothing: there is no code."""


def _anything(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return MagicMock(name=name)


def vllm() -> Parse:
    """Return what `vllm serve` does with its arguments before it starts anything."""
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.entrypoints.cli.serve import ServeSubcommand
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    parser, command = FlexibleArgumentParser(), ServeSubcommand()
    command.subparser_init(parser.add_subparsers())

    def parse(words: list[str]) -> Any:
        arguments = parser.parse_args(["serve", *words])
        command.validate(arguments)
        arguments.model = arguments.model_tag
        return AsyncEngineArgs.from_cli_args(arguments)

    return parse


def sglang() -> Parse:
    """Return what `python3 -m sglang.launch_server` does with its arguments first."""
    sys.meta_path.append(Absent("triton", "IPython"))
    from sglang.srt.server_args import ServerArgs

    parser = argparse.ArgumentParser()
    ServerArgs.add_cli_args(parser)
    return parser.parse_args


RELEASES = {"vllm": vllm, "vllm-tpu": vllm, "sglang": sglang}


def refusal(parse: Parse, words: list[str]) -> str | None:
    """Return why a parser refuses, None if it accepts."""
    try:
        parse(words)
    except Exception as error:  # noqa: BLE001  each release has errors of its own
        return str(error) or type(error).__name__
    return None


def _refuse(_parser: argparse.ArgumentParser, message: str) -> None:
    raise RefusedError(message)


if __name__ == "__main__":
    release, file = sys.argv[1], Path(sys.argv[2])
    accepts = RELEASES[release]()
    argparse.ArgumentParser.error = _refuse  # pyright: ignore[reportAttributeAccessIssue]
    file.write_text(json.dumps([refusal(accepts, words) for words in json.loads(file.read_text())]))
