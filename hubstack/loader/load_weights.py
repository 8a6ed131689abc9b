# SPDX-License-Identifier: Apache-2.0
"""Copy one model at one commit from the Hub into a mounted bucket, file by file, each checked.

Runs as a Kubernetes Job with nothing but the standard library and huggingface_hub. Each file is fetched to
scratch, checked (size; sha256, or the git hash of small files), copied, and removed from scratch. A finished copy
carries a marker, so a second run asks the Hub for nothing. The token is read by the client from HF_TOKEN_PATH and
is never printed.

    load_weights.py MANIFEST TARGET SCRATCH

MANIFEST is JSON: repo_id, commit, prefix, patterns, files [{path, size_bytes, sha256}]. With no files the Hub is
asked for the list at the commit, and each file is checked against the hash that the Hub gives for it.

Exit codes: 0 done, 3 a file is not what was locked, 4 the Hub refused or could not be reached.
"""

import hashlib
import json
import shutil
import sys
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

MARKER = ".hubstack-complete.json"
CHUNK_BYTES = 16 * 1024 * 1024


class WrongFileError(Exception):
    """A file is not what was locked."""


def load(manifest: dict[str, Any], target: Path, scratch: Path) -> int:
    """Copy what is missing; return the number of files that were copied."""
    folder = target / manifest["prefix"]
    marker = folder / MARKER
    if marker.is_file() and json.loads(marker.read_text(encoding="utf-8")).get("commit") == manifest["commit"]:
        print(f"{manifest['repo_id']} at {manifest['commit']} is there already", flush=True)
        return 0
    files = manifest["files"] or list_files(manifest)
    copied = 0
    for number, file in enumerate(files, 1):
        place = folder / safe(file["path"])
        if file["size_bytes"] is not None and place.is_file() and place.stat().st_size == file["size_bytes"]:
            # Copied by a run that was stopped: a copy is renamed into place only after its check.
            continue
        print(f"{number}/{len(files)} {file['path']}", flush=True)
        fetch(manifest, file, place, scratch)
        copied += 1
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.write_text(json.dumps({"commit": manifest["commit"], "files": len(files)}), encoding="utf-8")
    return copied


def list_files(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """Ask the Hub for the files at the commit that match the patterns, with their hashes."""
    from huggingface_hub import HfApi  # noqa: PLC0415
    from huggingface_hub.hf_api import RepoFile  # noqa: PLC0415

    tree = HfApi().list_repo_tree(manifest["repo_id"], recursive=True, revision=manifest["commit"])
    wanted = [
        entry
        for entry in tree
        if isinstance(entry, RepoFile) and any(fnmatchcase(entry.path, one) for one in manifest["patterns"])
    ]
    return [
        {
            "path": entry.path,
            "size_bytes": entry.size,
            "sha256": entry.lfs.sha256 if entry.lfs else None,
            "git_oid": None if entry.lfs else entry.blob_id,
        }
        for entry in sorted(wanted, key=lambda entry: entry.path)
    ]


def safe(path: str) -> PurePosixPath:
    """Return a repository path that stays in its folder."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        raise WrongFileError(f"{path} leaves the folder of the model")
    return pure


def fetch(manifest: dict[str, Any], file: dict[str, Any], place: Path, scratch: Path) -> None:
    """Fetch one file to scratch, check it, copy it to its place."""
    from huggingface_hub import hf_hub_download  # noqa: PLC0415

    local = Path(
        hf_hub_download(  # pyright: ignore[reportUnknownVariableType]
            manifest["repo_id"], str(file["path"]), revision=manifest["commit"], local_dir=scratch / "files"
        )
    )
    try:
        check(local, file)
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = place.with_name(f".{place.name}.partial")
        shutil.copyfile(local, partial)
        partial.replace(place)
    finally:
        shutil.rmtree(scratch / "files", ignore_errors=True)


def check(local: Path, file: dict[str, Any]) -> None:
    """Raise WrongFileError unless size and hash are those that were locked."""
    size = local.stat().st_size
    if file["size_bytes"] not in (None, size):
        raise WrongFileError(f"{file['path']} has {size} bytes, and {file['size_bytes']} were locked")
    wanted, digest = file.get("sha256"), hashlib.sha256()
    if not wanted and file.get("git_oid"):
        # git's own hash of a small file: sha1 over a header and the content
        wanted, digest = file["git_oid"], hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    if not wanted:
        return
    with local.open("rb") as content:
        while chunk := content.read(CHUNK_BYTES):
            digest.update(chunk)
    if digest.hexdigest() != wanted:
        raise WrongFileError(f"{file['path']} hashes to {digest.hexdigest()}, and {wanted} was locked")


def main(arguments: list[str]) -> int:
    """Run as a command; return the exit code."""
    manifest_path, target, scratch = (Path(argument) for argument in arguments)
    manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    try:
        copied = load(manifest, target, scratch)
    except WrongFileError as error:
        print(f"refused: {error}", file=sys.stderr, flush=True)
        return 3
    except Exception as error:  # noqa: BLE001  the client's errors are many; the Job is tried again
        print(f"failed: {type(error).__name__}: {str(error).splitlines()[0]}", file=sys.stderr, flush=True)
        return 4
    print(f"{copied} files copied", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
