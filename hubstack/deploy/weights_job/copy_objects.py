# SPDX-License-Identifier: Apache-2.0
"""Copy own weights, object by object at the locked generations, from their bucket into a model's bucket.

A standalone script, with the standard library only: it is put in a ConfigMap and run by a Job. Cloud Storage copies
the bytes itself (JSON API, `objects.rewrite`), so nothing passes through this machine. A generation never changes,
and one that no longer exists is refused; the checksum of each copy is compared with the locked one.

Runs may be repeated: what is complete is left alone, what was cut off is done again. The marker is written last, so
a folder with a marker is whole.

Exit codes: 0 the folder is complete; 2 the manifest or the arguments are wrong; 3 a copy is not what was locked; 4
Cloud Storage refuses (no access, no such generation), trying again is of no use; 5 anything that may pass (network,
errors of the service).
"""

import argparse
import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

MARKER = ".hubstack-complete"
ENDPOINT = "https://storage.googleapis.com"
METADATA = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token"
SILENCE_SECONDS = 120
"""A call of `rewrite` returns after half a minute at most, and is then repeated for the rest."""
MARGIN_SECONDS = 120
"""A token is renewed this long before it expires."""
MOST_CALLS = 10_000
"""Of `rewrite` for one object: each copies at least a mebibyte, mostly all."""


class CopyError(Exception):
    """A run that ends with a message and an exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One object as it was locked."""

    path: str
    size_bytes: int
    generation: int
    crc32c: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What to copy."""

    repo_id: str
    commit: str
    bucket: str
    folder: str
    files: tuple[File, ...]


def say(text: str, stream: TextIO | None = None) -> None:
    """Print one line of the log; what is not plain ASCII is escaped."""
    print(text.encode("unicode_escape").decode("ascii"), file=stream or sys.stdout, flush=True)


def read_manifest(path: Path) -> Manifest:
    """Read the manifest; refuse one that is damaged or that would write outside the target."""
    try:
        said: dict[str, Any] = json.loads(path.read_text())
        files = tuple(File(**file) for file in said.pop("files"))
        manifest = Manifest(files=files, **said)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CopyError(f"the manifest {path} cannot be read: {error}", 2) from error
    for file in manifest.files:
        parts = PurePosixPath(file.path).parts
        if not parts or parts[0] == "/" or ".." in parts:
            raise CopyError(f"the file path `{file.path}` leads out of the target", 2)
    return manifest


class Storage:
    """Cloud Storage's JSON API, with the token of the Job's identity."""

    def __init__(self) -> None:
        host = os.environ.get("STORAGE_EMULATOR_HOST", "").rstrip("/")
        self._endpoint = (host if "://" in host else f"http://{host}") if host else ENDPOINT
        self._needs_token = not host
        self._token, self._until = "", 0.0

    def list_objects(self, bucket: str, folder: str) -> dict[str, tuple[int, str]]:
        """Return size and checksum of each object in a folder, by path."""
        found: dict[str, tuple[int, str]] = {}
        token = None
        while True:
            query = {"prefix": f"{folder}/", "fields": "nextPageToken,items(name,size,crc32c)"}
            query |= {"pageToken": token} if token else {}
            page = self._call("GET", f"/storage/v1/b/{bucket}/o?{urllib.parse.urlencode(query)}")
            for row in page.get("items", []):
                found[row["name"].removeprefix(f"{folder}/")] = int(row["size"]), row.get("crc32c", "")
            token = page.get("nextPageToken")
            if not token:
                return found

    def copy(self, source: Manifest, file: File, bucket: str, name: str) -> dict[str, Any]:
        """Copy one generation of an object; return what was written."""
        here = _quote(f"{source.folder}/{file.path}")
        path = f"/storage/v1/b/{source.bucket}/o/{here}/rewriteTo/b/{bucket}/o/{_quote(name)}"
        query = {"sourceGeneration": str(file.generation)}
        for _ in range(MOST_CALLS):
            said = self._call("POST", f"{path}?{urllib.parse.urlencode(query)}", b"{}")
            if said.get("done"):
                return said["resource"]
            query["rewriteToken"] = said["rewriteToken"]
        raise CopyError(f"{file.path} is not copied after {MOST_CALLS} calls", 5)

    def read(self, bucket: str, name: str) -> Any:
        """Return a JSON object."""
        return self._call("GET", f"/storage/v1/b/{bucket}/o/{_quote(name)}?alt=media")

    def write(self, bucket: str, name: str, content: bytes) -> None:
        """Write a small object."""
        query = urllib.parse.urlencode({"uploadType": "media", "name": name})
        self._call("POST", f"/upload/storage/v1/b/{bucket}/o?{query}", content)

    def _call(self, method: str, path: str, body: bytes | None = None) -> Any:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if self._needs_token:
            headers["Authorization"] = f"Bearer {self._fresh_token()}"
        # An endpoint of our own choice; only paths vary.
        asked = urllib.request.Request(f"{self._endpoint}{path}", data=body, headers=headers, method=method)  # noqa: S310
        with urllib.request.urlopen(asked, timeout=SILENCE_SECONDS) as answer:  # noqa: S310
            return json.loads(answer.read() or b"{}")

    def _fresh_token(self) -> str:
        if time.monotonic() > self._until:
            asked = urllib.request.Request(METADATA, headers={"Metadata-Flavor": "Google"})
            with urllib.request.urlopen(asked, timeout=SILENCE_SECONDS) as answer:  # noqa: S310
                said = json.loads(answer.read())
            self._token = said["access_token"]
            self._until = time.monotonic() + max(said["expires_in"] - MARGIN_SECONDS, 0)
        return self._token


def _quote(name: str) -> str:
    return urllib.parse.quote(name, safe="")


def copy_all(manifest: Manifest, storage: Storage, bucket: str, folder: str) -> None:
    """Bring the folder to the state that the manifest describes."""
    marker = {
        "repo_id": manifest.repo_id,
        "commit": manifest.commit,
        "files": [asdict(file) for file in sorted(manifest.files, key=lambda file: file.path)],
    }
    there = storage.list_objects(bucket, folder)
    is_there = {file.path: there.get(file.path) == (file.size_bytes, file.crc32c) for file in manifest.files}
    if MARKER in there and all(is_there.values()) and storage.read(bucket, f"{folder}/{MARKER}") == marker:
        say(f"complete  {manifest.repo_id}@{manifest.commit}")
        return
    for file in manifest.files:
        if is_there[file.path]:
            say(f"there     {file.path}")
            continue
        written = storage.copy(manifest, file, bucket, f"{folder}/{file.path}")
        if (int(written["size"]), written["crc32c"]) != (file.size_bytes, file.crc32c):
            raise CopyError(f"{file.path} is not the locked object: its copy has another size or checksum", 3)
        say(f"copied    {file.path}")
    storage.write(bucket, f"{folder}/{MARKER}", f"{json.dumps(marker, indent=2, sort_keys=True)}\n".encode())
    say(f"complete  {manifest.repo_id}@{manifest.commit}, {len(manifest.files)} files")


def explain(error: Exception) -> tuple[str, int]:
    """Return what to say of an error, and the exit code."""
    match error:
        case CopyError():
            return str(error), error.code
        case urllib.error.HTTPError(code=404):
            return "Cloud Storage has no such bucket, or no longer the locked generation: run `hubstack lock`", 4
        case urllib.error.HTTPError(code=401 | 403):
            return "Cloud Storage refuses: the loader's identity may not read the source (storage.objects.get)", 4
        case urllib.error.HTTPError():
            return f"Cloud Storage answered with status {error.code}", 4 if error.code in {400, 412} else 5
        case urllib.error.URLError() | http.client.HTTPException() | OSError():
            return "Cloud Storage could not be reached, or did not answer", 5
        case _:
            return f"{type(error).__name__} on the way between the buckets", 5


def main(arguments: list[str] | None = None) -> int:
    """Run the copy; return the exit code."""
    parser = argparse.ArgumentParser(description="Copy own weights at locked generations into a model's bucket.")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--bucket", required=True, help="the model's bucket")
    parser.add_argument("--folder", required=True, help="folder in it")
    said = parser.parse_args(arguments)
    try:
        copy_all(read_manifest(said.manifest), Storage(), said.bucket, said.folder)
    except Exception as error:  # noqa: BLE001  a Job's log is read by people: a message, no traceback
        message, code = explain(error)
        say(f"error: {message}", sys.stderr)
        return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
