# SPDX-License-Identifier: Apache-2.0
"""A folder that hubstack writes whole: what is no longer said is removed, what is someone else's is never touched.

Owns the index file that tells its own files from others.
"""

from collections.abc import Mapping
from pathlib import Path

from hubstack.files.errors import InputError
from hubstack.files.problems import Problem
from hubstack.files.write import write_text_atomically

INDEX = ".hubstack-render"
_HEADER = "# Written by `hubstack render`: the files of this folder that it owns. Do not edit them.\n"


def write_folder(folder: Path, files: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Make the folder hold exactly these files, besides what others have put there.

    Args:
        folder: new, empty, or written by this function before.
        files: relative path to text.

    Returns:
        The paths that were written because their text changed, and those that were removed.

    Raises:
        InputError: the folder holds files and no index of ours, or cannot be written to.
    """
    owned = _owned(folder)
    strangers = [path for path in files if path not in owned and (folder / path).exists()]
    if strangers:
        raise InputError(
            [
                Problem(
                    path=str(folder / strangers[0]),
                    message="exists and is not hubstack's to replace",
                    hint="move it away, or name another folder",
                )
            ]
        )
    changed = [path for path, text in sorted(files.items()) if _read(folder / path) != text]
    for path in changed:
        _make(folder / path, files[path])
    gone = sorted(owned - files.keys())
    # The index names old and new files until the old ones are gone: killed in between, the next run ends the work.
    _make(folder / INDEX, _HEADER + "".join(f"{path}\n" for path in sorted({*files, *gone})))
    for path in gone:
        _remove(folder, path)
    if gone:
        _make(folder / INDEX, _HEADER + "".join(f"{path}\n" for path in sorted(files)))
    return changed, gone


def _owned(folder: Path) -> set[str]:
    index = _read(folder / INDEX)
    if index is None:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            message = "is not empty, and hubstack did not write it"
            raise InputError([Problem(path=str(folder), message=message, hint="name a new or an empty folder")])
        return set()
    paths = {line for line in index.splitlines() if line and not line.startswith("#")}
    outside = [path for path in paths if Path(path).is_absolute() or ".." in Path(path).parts]
    if outside:
        message = f"names `{outside[0]}`, which is outside the folder"
        raise InputError([Problem(path=str(folder / INDEX), message=message, hint="name a new or an empty folder")])
    return paths


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None


def _make(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"cannot be made: {error.strerror}"
        hint = "check the folder above it and its permissions"
        raise InputError([Problem(path=str(path.parent), message=message, hint=hint)]) from None
    write_text_atomically(path, text)


def _remove(folder: Path, path: str) -> None:
    (folder / path).unlink(missing_ok=True)
    for parent in (folder / path).parents:
        if parent == folder or any(parent.iterdir()):
            return
        parent.rmdir()
