# SPDX-License-Identifier: Apache-2.0
"""Copy one model's files from the Hub, at a locked commit, into a mounted bucket.

A standalone script: it is put in a ConfigMap and run by a Job, with the standard library and huggingface_hub
only. Owns the check of every byte against the locked hashes before a server may read it. It never prints or
passes on the token: huggingface_hub reads it from HF_TOKEN_PATH by itself.

Runs may be repeated: what is complete is left alone, what was cut off is done again. The marker is written
last, so a folder with a marker is whole.

Exit codes: 0 the folder is complete; 2 the manifest or the arguments are wrong; 3 the bytes are not those
that were locked; 4 the Hub refuses (no access, no such file), trying again is of no use; 5 anything that may
pass (network, the Hub's errors, a full disk).
"""

import argparse
import fnmatch
import hashlib
import json
import shutil
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

import huggingface_hub
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

MARKER = ".hubstack-complete"
CHUNK_BYTES = 16 * 1024 * 1024
MAX_HEADER_BYTES = 100_000_000
"""Of safetensors (its own limit: safetensors/src/tensor.rs, MAX_HEADER_SIZE)."""


class LoadError(Exception):
    """A run that ends with a message and an exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file as it was locked."""

    path: str
    size_bytes: int | None
    sha256: str | None
    git_oid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What to copy."""

    repo_id: str
    commit: str
    patterns: tuple[str, ...]
    exclude: tuple[str, ...]
    files: tuple[File, ...]
    """Empty: the Hub's own list at the commit, chosen by the patterns."""


def say(text: str, stream: TextIO | None = None) -> None:
    """Print one line of the log; names of files are the publisher's, so what is not plain ASCII is escaped."""
    print(text.encode("unicode_escape").decode("ascii"), file=stream or sys.stdout, flush=True)


def read_manifest(path: Path) -> Manifest:
    """Read the manifest; refuse one that is damaged or that would write outside the target."""
    try:
        said: dict[str, Any] = json.loads(path.read_text())
        files = tuple(File(**file) for file in said["files"])
        manifest = Manifest(
            repo_id=said["repo_id"], commit=said["commit"], patterns=tuple(said["patterns"]),
            exclude=tuple(said["exclude"]), files=files,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LoadError(f"the manifest {path} cannot be read: {error}", 2) from error
    _refuse_outside(file.path for file in files)
    return manifest


def _refuse_outside(paths: Iterable[str]) -> None:
    for path in paths:
        parts = PurePosixPath(path).parts
        if not parts or parts[0] == "/" or ".." in parts:
            raise LoadError(f"the file path `{path}` leads out of the target", 2)


def list_files(manifest: Manifest) -> tuple[File, ...]:
    """Return the files to copy, each with a hash, asking the Hub at the commit for what the lock lacks."""
    if manifest.files and all(file.sha256 or file.git_oid for file in manifest.files):
        return manifest.files
    rows = huggingface_hub.HfApi().list_repo_tree(manifest.repo_id, recursive=True, revision=manifest.commit)
    on_hub = {
        row.path: File(
            path=row.path, size_bytes=row.size, sha256=row.lfs.sha256 if row.lfs else None,
            git_oid=None if row.lfs else row.blob_id,
        )
        for row in rows if isinstance(row, huggingface_hub.RepoFile)
    }  # fmt: skip
    if manifest.files:
        return tuple(_completed(file, on_hub) for file in manifest.files)
    chosen = tuple(
        file for path, file in sorted(on_hub.items())
        if _matches(path, manifest.patterns) and not _matches(path.lower(), manifest.exclude)
    )  # fmt: skip
    if not chosen:
        raise LoadError(f"{manifest.repo_id}@{manifest.commit} has no file that matches {manifest.patterns}", 4)
    _refuse_outside(file.path for file in chosen)
    return chosen


def _completed(file: File, on_hub: dict[str, File]) -> File:
    if file.sha256 or file.git_oid:
        return file
    if file.path not in on_hub:
        raise LoadError(f"the Hub does not list {file.path} at the locked commit", 4)
    found = on_hub[file.path]
    if file.size_bytes not in {None, found.size_bytes}:
        raise LoadError(f"{file.path} has {found.size_bytes} bytes on the Hub, {file.size_bytes} were locked", 3)
    return found


def _matches(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def check_file(file: File, path: Path) -> None:
    """Refuse a file whose bytes are not the locked ones."""
    size = path.stat().st_size
    if file.size_bytes is not None and size != file.size_bytes:
        raise LoadError(f"{file.path} has {size} bytes, {file.size_bytes} were locked", 3)
    digest, wanted = _digest(file, size)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    if digest.hexdigest() != wanted:
        raise LoadError(f"{file.path} has the hash {digest.hexdigest()}, {wanted} was locked", 3)


def check_form(file: File, path: Path) -> None:
    """Refuse a file that is not what its name says, and an index that leads out of the folder.

    A reader that guesses the format by the content would else unpickle what is called safetensors.
    """
    if file.path.endswith(".safetensors") and not _is_safetensors(path):
        raise LoadError(f"{file.path} is no safetensors file", 3)
    if file.path.endswith(".gguf") and path.open("rb").read(4) != b"GGUF":
        raise LoadError(f"{file.path} is no GGUF file", 3)
    if file.path.endswith(".index.json"):
        try:
            named = set(json.loads(path.read_text())["weight_map"].values())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LoadError(f"{file.path} is no index of weights", 3) from error
        for name in named:
            if not isinstance(name, str) or "/" in name or "\\" in name or name.startswith("."):
                raise LoadError(f"{file.path} names `{name}`, which is not beside it", 3)


def check_indexes(files: Iterable[File], target: Path) -> None:
    """Refuse a folder whose index names a file that was not copied: the server would stop on it again and again."""
    paths = {file.path for file in files}
    for path in sorted(paths):
        # Another format's index stands beside the weights that are served: pytorch_model.bin.index.json.
        if not path.endswith(".safetensors.index.json"):
            continue
        named = set(json.loads((target / path).read_text())["weight_map"].values())
        missing = sorted(named - {PurePosixPath(other).name for other in paths})
        if missing and any(other.endswith(".safetensors") for other in named & paths):
            raise LoadError(f"{path} names {', '.join(missing[:3])}, which the locked commit does not hold", 4)


def _is_safetensors(path: Path) -> bool:
    """Return whether the file begins with its header's length and the header, a JSON object within the file."""
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        return 2 <= length <= min(path.stat().st_size - 8, MAX_HEADER_BYTES) and stream.read(1) == b"{"


def _digest(file: File, size: int) -> tuple[Any, str | None]:
    """Return a digest of the locked kind, and what it must come to."""
    if file.sha256:
        return hashlib.sha256(), file.sha256
    return hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False), file.git_oid


def is_complete(manifest: Manifest, target: Path) -> bool:
    """Return whether the marker is that of this manifest and its files are there in full."""
    try:
        said = json.loads((target / MARKER).read_text())
        files = tuple(File(**file) for file in said["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if said.get("repo_id") != manifest.repo_id or said.get("commit") != manifest.commit:
        return False
    held = {file.path: file for file in files}
    same = not manifest.files or (
        held.keys() == {file.path for file in manifest.files}
        and all(_is_same(file, held[file.path]) for file in manifest.files)
    )
    return same and all(_has_size(target / file.path, file.size_bytes) for file in files)


def _is_same(locked: File, held: File) -> bool:
    """Return whether all that is known of the locked file was so when the marker was written."""
    known = ((name, value) for name, value in asdict(locked).items() if value is not None)
    return all(getattr(held, name) == value for name, value in known)


def _has_size(path: Path, size_bytes: int | None) -> bool:
    return path.is_file() and size_bytes in {None, path.stat().st_size}


def copy_file(manifest: Manifest, file: File, target: Path, scratch: Path) -> None:
    """Download to scratch, check, then copy: what reaches the bucket has been checked."""
    landed = target / file.path
    if _has_size(landed, file.size_bytes):
        try:
            check_file(file, landed)
        except LoadError:
            say(f"again     {file.path}: what is in the bucket is not the locked file")
        else:
            say(f"there     {file.path}")
            return
    folder = scratch / "download"
    try:
        found = Path(
            huggingface_hub.hf_hub_download(  # pyright: ignore[reportUnknownMemberType]
                manifest.repo_id, file.path, revision=manifest.commit, local_dir=folder
            )
        )
        check_file(file, found)
        check_form(file, found)
        landed.parent.mkdir(parents=True, exist_ok=True)
        copy_bytes(file, found, landed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if not _has_size(landed, file.size_bytes):
        raise LoadError(f"{file.path} did not reach the bucket in full", 5)
    say(f"copied    {file.path}")


def copy_bytes(file: File, found: Path, landed: Path) -> None:
    """Copy a checked file and hash what is written: the disk is read again, and may answer otherwise."""
    digest, wanted = _digest(file, found.stat().st_size)
    # Not copyfile: it may hand the copy to the kernel, which a FUSE mount answers in its own way.
    with found.open("rb") as source, landed.open("wb") as sink:
        while chunk := source.read(CHUNK_BYTES):
            sink.write(chunk)
            digest.update(chunk)
    if digest.hexdigest() != wanted:
        landed.unlink(missing_ok=True)
        raise LoadError(f"{file.path} changed on its way to the bucket", 5)


def load(manifest: Manifest, target: Path, scratch: Path) -> None:
    """Bring the target to the state that the manifest describes."""
    if is_complete(manifest, target):
        say(f"complete  {manifest.repo_id}@{manifest.commit}")
        return
    files = list_files(manifest)
    for file in files:
        copy_file(manifest, file, target, scratch)
    check_indexes(files, target)
    marker = {
        "repo_id": manifest.repo_id, "commit": manifest.commit,
        "files": [asdict(file) for file in sorted(files, key=lambda file: file.path)],
    }  # fmt: skip
    (target / MARKER).write_text(json.dumps(marker, indent=2, sort_keys=True) + "\n")
    say(f"complete  {manifest.repo_id}@{manifest.commit}, {len(files)} files")


def main(arguments: list[str] | None = None) -> int:
    """Run the load; return the exit code."""
    parser = argparse.ArgumentParser(description="Copy a model's locked files from the Hub into a folder.")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--target", type=Path, required=True, help="folder of the mounted bucket")
    parser.add_argument("--scratch", type=Path, required=True, help="folder with room for the largest file")
    said = parser.parse_args(arguments)
    try:
        load(read_manifest(said.manifest), said.target, said.scratch)
    except Exception as error:  # noqa: BLE001  a Job's log is read by people: a message, no traceback
        message, code = explain(error)
        say(f"error: {message}", sys.stderr)
        return code
    return 0


def explain(error: Exception) -> tuple[str, int]:
    """Return what to say of an error, and the exit code."""
    match error:
        case LoadError():
            return str(error), error.code
        case GatedRepoError():
            return "the Hub refuses: the model is gated, and the token has no access (or there is none)", 4
        case LocalEntryNotFoundError():
            # huggingface_hub's word for "not asked, or not answered": the cause is mostly the network.
            return "the Hub could not be reached, or did not answer", 5
        case RepositoryNotFoundError() | RevisionNotFoundError() | EntryNotFoundError():
            return f"the Hub refuses: {type(error).__name__}", 4
        case HfHubHTTPError():
            status = error.response.status_code
            return f"the Hub answered with status {status}", 4 if status in {401, 403} else 5
        case _:
            # Its text may quote signed addresses; the type tells that a new try makes sense.
            return f"{type(error).__name__} on the way to the bucket", 5


if __name__ == "__main__":
    sys.exit(main())
