# SPDX-License-Identifier: Apache-2.0
"""Remove the folders of commits that nothing uses any more from a mounted bucket.

A standalone script, with the standard library only: it is put in a ConfigMap and run by a Job after the servers
have switched to a new commit. It removes folders whose name is a full commit and that are not to be kept, and
nothing else. Where the current commit's folder is not complete it removes nothing: then something else is wrong.

Exit codes: 0 done; 2 the arguments are wrong; 3 the current commit is not complete; 5 a folder could not be
removed, which may pass.
"""

import argparse
import json
import os
import re
import sys
from pathlib import Path

MARKER = ".hubstack-complete"
COMMIT = re.compile(r"[0-9a-f]{40}")


class CollectError(Exception):
    """A run that ends with a message and an exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def collect(root: Path, current: str, keep: frozenset[str]) -> None:
    """Remove what is not kept.

    Args:
        root: the mounted bucket.
        current: the commit that servers read; its folder must be complete.
        keep: commits that are in use beside it.
    """
    for commit in (current, *keep):
        if not COMMIT.fullmatch(commit):
            raise CollectError(f"`{commit}` is no full commit: nothing was removed", 2)
    if root.is_symlink() or not root.is_dir():
        raise CollectError(f"{root} is no folder: nothing was removed", 2)
    _check_complete(root / current, current)
    for path in sorted(root.iterdir()):
        name = path.name
        if name == current or name in keep:
            print(f"kept      {name}", flush=True)
        elif not COMMIT.fullmatch(name) or path.is_symlink() or not path.is_dir():
            print(f"ignored   {name!a}: not the folder of a commit", flush=True)
        else:
            remove(path)
            print(f"removed   {name}", flush=True)


def _check_complete(folder: Path, commit: str) -> None:
    try:
        said = json.loads((folder / MARKER).read_text())
        complete = not folder.is_symlink() and said["commit"] == commit
    except (OSError, ValueError, KeyError, TypeError):
        complete = False
    if not complete:
        raise CollectError(f"the folder of {commit} is not complete: nothing was removed", 3)


def remove(folder: Path) -> None:
    """Remove a folder, its marker first: half a folder must not look whole. Links are not followed."""
    (folder / MARKER).unlink(missing_ok=True)
    for parent, folders, files in os.walk(folder, topdown=False, followlinks=False):
        here = Path(parent)
        for name in files:
            (here / name).unlink(missing_ok=True)
        for name in folders:
            if (here / name).is_symlink():
                (here / name).unlink(missing_ok=True)
        _remove_empty(here)


def _remove_empty(folder: Path) -> None:
    # A folder of a bucket may be gone with its last object.
    try:
        folder.rmdir()
    except FileNotFoundError:
        return


def main(arguments: list[str] | None = None) -> int:
    """Run the collection; return the exit code."""
    parser = argparse.ArgumentParser(description="Remove the folders of unused commits from a mounted bucket.")
    parser.add_argument("--root", type=Path, required=True, help="the mounted bucket")
    parser.add_argument("--current", required=True, help="commit that servers read")
    parser.add_argument("--keep", action="append", default=[], help="commit in use beside it; may be repeated")
    said = parser.parse_args(arguments)
    try:
        collect(said.root, said.current, frozenset(said.keep))
    except CollectError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return error.code
    except OSError as error:
        print(f"error: {type(error).__name__}: a folder could not be removed", file=sys.stderr, flush=True)
        return 5
    return 0


if __name__ == "__main__":
    sys.exit(main())
