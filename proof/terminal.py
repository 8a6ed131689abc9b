# SPDX-License-Identifier: Apache-2.0
"""What the commands of `proof` tell their user, and how they wait for Ctrl-C."""

import sys
import threading


def say(text: str) -> None:
    """Print a line of progress."""
    sys.stderr.write(f"{text}\n")


def wait_for_interrupt() -> None:
    """Return when the user presses Ctrl-C."""
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        say("stopping")
