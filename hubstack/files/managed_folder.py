# SPDX-License-Identifier: Apache-2.0
"""An output folder that a command manages: stale files are removed, and other people's files are never touched.

Owns the index file, which lists the managed files and the command that wrote them. Nothing outside the folder is
read, written or removed: symbolic links inside it are refused, never followed.
"""

from collections.abc import Mapping
from pathlib import Path

from hubstack.files.errors import InputError
from hubstack.files.problems import Problem
from hubstack.files.write import write_text_atomically

INDEX = ".hubstack-render"
_HEADER = "# Written by `hubstack {}`: the files of this folder that it owns. Do not edit them.\n"
_NEW_FOLDER = "name a new or empty folder"


def write_folder(folder: Path, files: Mapping[str, str], command: str) -> tuple[list[str], list[str]]:
    """Write these files to the folder and remove managed files that are no longer among them.

    Args:
        folder: a new or empty folder, or one written by the same command.
        files: relative path to text.
        command: name of the command (`render`); no other command may write to the folder.

    Returns:
        The paths that were written because their text changed, and the paths that were removed.

    Raises:
        InputError: the folder belongs to someone else, a path in it is a link or the wrong kind of file, or it is
            not writable. Nothing was changed, or the next run completes the change.
    """
    owned = _owned(folder, command)
    for path in sorted({*files, *owned}):
        _refuse_symlinks(folder, path)
    strangers = [path for path in files if path not in owned and _exists(folder / path)]
    if strangers:
        message = "exists, and hubstack did not write it"
        raise _refused(folder / strangers[0], message, "move it away, or name another folder")
    changed = [path for path, text in sorted(files.items()) if _read(folder / path) != text.encode()]
    gone = sorted(owned - files.keys())
    # Write the index first, with old and new files: if the process is killed, the next run completes the change.
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
    """Return the paths that this command wrote earlier."""
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
    """Return the command that wrote a folder; old versions of `eject` wrote the header of `render`."""
    if lines and lines[0] == _HEADER.format("eject").rstrip():
        return "eject"
    return "eject" if "Pulumi.yaml" in paths else "render"


def _refuse_symlinks(folder: Path, path: str) -> None:
    """Reject a path that goes through a symbolic link, or where a file or folder of the other kind exists."""
    at = folder
    parts = Path(path).parts
    for number, part in enumerate(parts, 1):
        at /= part
        if at.is_symlink():
            message = "is a symbolic link, which hubstack does not follow"
            raise _refused(at, message, "remove the link, or name another folder")
        if number == len(parts) and at.is_dir():
            raise _refused(at, "is a folder, but hubstack needs a file here", "remove it, or name another folder")
        if number < len(parts) and _exists(at) and not at.is_dir():
            raise _refused(at, "is a file, but hubstack needs a folder here", "remove it, or name another folder")


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
            path.parent, f"cannot be created: {error.strerror}", "check the parent folder and its permissions"
        ) from None
    write_text_atomically(path, text)


def _remove(folder: Path, path: str) -> None:
    """Remove a file and any folders left empty; ignore a file that is already gone."""
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
