# SPDX-License-Identifier: Apache-2.0
"""A folder that a command writes whole: it removes what it no longer writes and never touches anyone else's files.

Owns the index file, which lists the folder's own files and names the command that wrote them. Nothing outside the
folder is read, written or removed: a symbolic link inside it is refused, never followed.
"""

from collections.abc import Mapping
from pathlib import Path

from hubstack.files.errors import InputError
from hubstack.files.problems import Problem
from hubstack.files.write import write_text_atomically

INDEX = ".hubstack-render"
_HEADER = "# Written by `hubstack {}`: the files of this folder that it owns. Do not edit them.\n"
_NEW_FOLDER = "name a new or an empty folder"


def write_folder(folder: Path, files: Mapping[str, str], command: str) -> tuple[list[str], list[str]]:
    """Make the folder hold exactly these files, besides what others have put there.

    Args:
        folder: new, empty, or written by this command before.
        files: relative path to text.
        command: who writes it (`render`); no other command may write the folder.

    Returns:
        The paths that were written because their text changed, and those that were removed.

    Raises:
        InputError: the folder is someone else's, a path in it leads elsewhere, or it cannot be written to. Nothing
            was changed, or the next run completes what this one began.
    """
    owned = _owned(folder, command)
    for path in sorted({*files, *owned}):
        _refuse_detours(folder, path)
    strangers = [path for path in files if path not in owned and _exists(folder / path)]
    if strangers:
        message = "exists, and hubstack did not write it"
        raise _refused(folder / strangers[0], message, "move it away, or name another folder")
    changed = [path for path, text in sorted(files.items()) if _read(folder / path) != text.encode()]
    gone = sorted(owned - files.keys())
    # The index comes first and names old and new files: after a kill at any point, the next run completes the work.
    if changed or gone:
        _write_index(folder, command, {*files, *owned})
    for path in changed:
        _make(folder / path, files[path])
    for path in gone:
        _remove(folder, path)
    if gone or not owned:
        _write_index(folder, command, files)
    return changed, gone


def _write_index(folder: Path, command: str, paths: Mapping[str, str] | set[str]) -> None:
    _make(folder / INDEX, _HEADER.format(command) + "".join(f"{path}\n" for path in sorted(paths)))


def _owned(folder: Path, command: str) -> set[str]:
    """Return the paths that this command has written before."""
    try:
        if not folder.exists():
            return set()
        is_empty = folder.is_dir() and not any(folder.iterdir())
    except OSError as error:
        raise _refused(folder, f"cannot be read: {error.strerror}", _NEW_FOLDER) from None
    if is_empty:
        return set()
    index = folder / INDEX
    content = None if index.is_symlink() else _read(index)
    if content is None:
        raise _refused(folder, "is not empty, and hubstack did not write it", _NEW_FOLDER)
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError:
        raise _refused(index, "is not UTF-8 text", f"delete the folder, or {_NEW_FOLDER}") from None
    paths = {line for line in lines if line and not line.startswith("#")}
    for path in sorted(paths):
        if Path(path).is_absolute() or ".." in Path(path).parts or "\0" in path:
            raise _refused(index, f"names `{path}`, which is outside the folder", _NEW_FOLDER)
    writer = _writer(lines, paths)
    if writer != command:
        raise _refused(folder, f"was written by `hubstack {writer}`", f"{_NEW_FOLDER} for `hubstack {command}`")
    return paths


def _writer(lines: list[str], paths: set[str]) -> str:
    """Return the command that wrote a folder; `eject` once wrote the header of `render`."""
    if lines and lines[0] == _HEADER.format("eject").rstrip():
        return "eject"
    return "eject" if "Pulumi.yaml" in paths else "render"


def _refuse_detours(folder: Path, path: str) -> None:
    """Refuse a path that a link leads elsewhere, or that stands where a folder or file of another kind does."""
    at = folder
    parts = Path(path).parts
    for number, part in enumerate(parts, 1):
        at /= part
        if at.is_symlink():
            message = "is a symbolic link: hubstack writes and removes nothing through it"
            raise _refused(at, message, "remove the link, or name another folder")
        if number == len(parts) and at.is_dir():
            raise _refused(at, "is a folder where hubstack writes a file", "remove it, or name another folder")
        if number < len(parts) and _exists(at) and not at.is_dir():
            raise _refused(at, "is a file where hubstack needs a folder", "remove it, or name another folder")


def _exists(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _make(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refused(
            path.parent, f"cannot be created: {error.strerror}", "check the folder above it and its permissions"
        ) from None
    write_text_atomically(path, text)


def _remove(folder: Path, path: str) -> None:
    """Remove a file and the folders that it leaves empty; what is gone already is no error."""
    try:
        (folder / path).unlink(missing_ok=True)
        for parent in (folder / path).parents:
            if parent == folder or not parent.is_dir() or any(parent.iterdir()):
                return
            parent.rmdir()
    except OSError as error:
        message = f"cannot be removed: {error.strerror}"
        raise _refused(folder / path, message, "check its permissions and run the command again") from None


def _refused(path: Path, message: str, hint: str) -> InputError:
    return InputError([Problem(path=str(path), message=message, hint=hint)])
