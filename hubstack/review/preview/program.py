# SPDX-License-Identifier: Apache-2.0
"""The child process: runs a program as Pulumi's Python language host does.

Owns the startup of the SDK runtime (settings, config, event loop) and the exit codes. Protocol of the host:
https://github.com/pulumi/pulumi, sdk/python/cmd (read 2026-08-21). As there, config is passed in PULUMI_CONFIG.
"""

import asyncio
import gc
import json
import logging
import os
import runpy
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hubstack.names import OFFLINE

WORKERS = 64
"""Threads for registrations; many block while children wait for their parents."""


def main() -> int:
    """Run the program described by the environment; return the exit code."""
    gc.disable()  # short-lived process with many long-lived objects: collection would take a fifth of the time
    threading.excepthook = _exit_on_thread_crash
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    import pulumi  # noqa: PLC0415
    from pulumi import runtime  # noqa: PLC0415

    said: dict[str, Any] = json.loads(os.environ[OFFLINE])
    runtime.set_all_config(runtime.get_config_env(), runtime.get_config_secret_keys_env())
    runtime.configure(
        runtime.Settings(
            monitor=said["monitor"],
            engine=said["engine"],
            project=said["project"],
            stack=said["stack"],
            parallel=WORKERS,
            dry_run=True,
            organization="organization",
            root_directory=said["root_directory"],
        )
    )
    # The SDK logs a debug line for each step and waits for the reply, a fifth of the total time.
    pulumi.log.debug = _no_debug
    program = Path(said["program"])
    sys.argv = [str(program)]
    # The program's own folder comes first, as for `python __main__.py`.
    sys.path.insert(0, str(program if program.is_dir() else program.parent))
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    executor = ThreadPoolExecutor(max_workers=WORKERS)
    loop.set_default_executor(executor)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)

    def run() -> None:
        runpy.run_path(str(program), run_name="__main__")

    try:
        loop.run_until_complete(runtime.run_in_stack(run))
    except pulumi.RunError as error:
        _report(pulumi.log.error, str(error))
        return 1
    except Exception as error:  # noqa: BLE001  every error is reported, as the language host does
        _report(pulumi.log.error, _describe_error(error, program))
        return 32
    finally:
        executor.shutdown(wait=True)
        loop.close()
    return 0


def _report(log: Callable[[str], None], text: str) -> None:
    """Report an error to the engine, or on standard output if the engine is gone."""
    import grpc  # noqa: PLC0415

    try:
        log(text)
    except grpc.RpcError:
        sys.stdout.write(f"{text}\n")


def _exit_with_parent() -> None:
    """Exit when standard input closes, which means that the parent process has ended."""
    sys.stdin.buffer.read()
    os._exit(1)


def _exit_on_thread_crash(failed: threading.ExceptHookArgs) -> None:
    """Exit the process: other threads would wait forever for a crashed thread, usually out of memory."""
    sys.stdout.write(f"a thread crashed: {failed.exc_type.__name__}: {failed.exc_value or 'out of memory'}\n")
    sys.stdout.flush()
    os._exit(33)


def _no_debug(*_args: object, **_options: object) -> None:
    """Replace `pulumi.log.debug`; the preview shows no debug messages."""


def _describe_error(error: Exception, program: Path) -> str:
    """Return the error with the last location in the user's own code."""
    folder = str(program if program.is_dir() else program.parent)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.startswith(folder) and "site-packages" not in frame.filename
    ]
    place = f"{os.path.relpath(frames[-1].filename, folder)}:{frames[-1].lineno}: " if frames else ""
    return f"{place}{type(error).__name__}: {error}"


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is registered; a normal interpreter shutdown would take another second.
    os._exit(code)
