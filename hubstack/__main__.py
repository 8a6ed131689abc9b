# SPDX-License-Identifier: Apache-2.0
"""The `hubstack` command's first and last moments: signals, streams, and what ends it.

Owns what a command line promises whatever happens: no traceback for bad input, a full disk, a closed pipe or an
interrupt, and no temporary folder left behind. The commands are in `hubstack.cli.app`, imported after this is set
up.
"""

import contextlib
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130
"""128 + SIGINT, as a shell reports it."""
_SIGNALLED = 128
_SECONDS_TO_CLEAN_UP = 10


def main() -> None:
    """Run the command.

    Exit codes: 0 fine, 1 a check found something, 2 bad input or usage, 130 interrupted, 143 terminated.
    """
    code = INTERRUPTED
    try:
        signal.signal(signal.SIGTERM, _terminate)
        _open_streams()
        from hubstack.cli.app import run  # noqa: PLC0415  an interrupt while this loads is one like any other

        code = run()
    except KeyboardInterrupt:
        _say("interrupted")
    except MemoryError:
        code = 2
        _say("out of memory: raise the limit (`ulimit -v`), or give the machine more")
    except (OSError, RuntimeError) as error:
        # A path that no system call takes: too long, a loop of links, a file system that is read-only.
        if isinstance(error, RuntimeError) and "Symlink loop" not in str(error):
            raise
        code = 2
        _say(_sentence(error))
    _leave(code)


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_SECONDS_TO_CLEAN_UP)  # a thread that never ends does not keep the process
    raise SystemExit(128 + signal.SIGTERM)


def _open_streams() -> None:
    """Make both streams take any text: what an encoding lacks is replaced, a closed stream is discarded."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123  until the end
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace" if "utf" in str(stream.encoding).lower() else "replace")


def _sentence(error: OSError | RuntimeError) -> str:
    if isinstance(error, OSError):
        place = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        return f"{place}{error.strerror or error}"
    return str(error) or type(error).__name__


def _say(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"hubstack: {text}\n")


def _leave(code: int) -> NoReturn:
    """End with the code; the reader of standard output may be gone, and that is no failure."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            _say(f"standard output: {error.strerror or error}")
            code = 2
    sys.stderr.flush()
    if code > _SIGNALLED:
        raise SystemExit(code)  # what a signal cut short is cleaned up by the interpreter
    # Not `sys.exit`: tearing down the interpreter takes time, and waits for threads that may never end.
    os._exit(code)


if __name__ == "__main__":
    main()
