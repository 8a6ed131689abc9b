# SPDX-License-Identifier: Apache-2.0
"""What a repository of the stand-in is. Owns the data and the shapes of the Hub's JSON, not the routes."""

import hashlib
from dataclasses import dataclass, field
from typing import Any


def git_oid(content: bytes) -> str:
    """Return git's name of a blob."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def fake_hash(what: str, digits: int = 40) -> str:
    """Return an invented hash that is the same in each run."""
    return hashlib.sha256(f"fake-{what}".encode()).hexdigest()[:digits]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    path: str
    size: int
    git_oid: str | None = None
    sha256: str | None = None
    """Of large files only."""
    content: bytes | None = None
    """None where only size and hash are known: HEAD answers, GET cannot."""
    is_listed: bool = True
    """False for a config.json made of the known fields: its size and hash would be invented, so no list has it."""

    @classmethod
    def small(cls, path: str, content: bytes, *, is_listed: bool = True) -> "StoredFile":
        return cls(path=path, size=len(content), git_oid=git_oid(content), content=content, is_listed=is_listed)

    @classmethod
    def large(cls, path: str, content: bytes) -> "StoredFile":
        digest = hashlib.sha256(content).hexdigest()
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(content)}\n"
        return cls(path=path, size=len(content), git_oid=git_oid(pointer.encode()), sha256=digest, content=content)

    def sibling(self, *, blobs: bool) -> dict[str, Any]:
        row: dict[str, Any] = {"rfilename": self.path}
        if blobs:
            row |= {"size": self.size}
            if self.git_oid:
                row["blobId"] = self.git_oid
            if self.sha256:
                row["lfs"] = {"sha256": self.sha256, "size": self.size, "pointerSize": 134}
        return row

    def tree_row(self) -> dict[str, Any]:
        # The client needs an oid in each row; where no source gives it, one is invented.
        oid = self.git_oid or fake_hash(f"oid:{self.path}")
        row: dict[str, Any] = {"type": "file", "path": self.path, "size": self.size, "oid": oid}
        if self.sha256:
            row["lfs"] = {"oid": self.sha256, "size": self.size, "pointerSize": 134}
        return row

    @property
    def etag(self) -> str:
        return self.sha256 or self.git_oid or fake_hash(f"oid:{self.path}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    sha: str
    files: tuple[StoredFile, ...] = ()

    def file(self, path: str) -> StoredFile | None:
        return next((file for file in self.files if file.path == path), None)

    @property
    def listed(self) -> list[StoredFile]:
        return [file for file in self.files if file.is_listed]


@dataclass(slots=True, kw_only=True)
class Repository:
    id: str
    commits: dict[str, Commit]
    refs: dict[str, str]
    """Branch or tag to commit; `main` always."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """Keys of the model's JSON that are the same at each commit (`pipeline_tag`, `cardData`, `safetensors` ...)."""
    gated: Any = None
    """As the Hub spells it; None where no source says, then the key is left out."""
    is_private: bool = False
    is_disabled: bool = False
    moved_to: str | None = None
    security: Any = None
    invented: tuple[str, ...] = ()
    """What no source gives."""

    def commit(self, revision: str) -> Commit | None:
        return self.commits.get(self.refs.get(revision, revision))

    def json(self, commit: Commit, *, blobs: bool, security: bool) -> dict[str, Any]:
        body: dict[str, Any] = {
            "_id": fake_hash(f"id:{self.id}", 24),
            "id": self.id,
            "modelId": self.id,
            "sha": commit.sha,
            "private": self.is_private,
            "disabled": self.is_disabled,
            **self.metadata,
            "siblings": [file.sibling(blobs=blobs) for file in commit.listed],
            "standInInvented": list(self.invented),
        }
        if self.gated is not None:
            body["gated"] = self.gated
        if security and self.security is not None:
            body["securityRepoStatus"] = self.security
        return body
