# SPDX-License-Identifier: Apache-2.0
"""The rules for IDs of models, revisions and paths: the Hub's, and Cloud Storage's for own weights.

Owns them for model lists, locks and Hub responses alike: a name that breaks them can escape a folder, hide in a
review, or control the terminal that prints it.
"""

import re

from hubstack.files.escape import is_hidden
from hubstack.names import BUCKET_SCHEME, bucket_and_folder, is_own

DEFAULT_REVISION = "main"
"""The Hub's default branch."""
REVISION_PATTERN = r"^[^\s\\^~:?*\[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+$"
"""What git accepts, minus invisible characters."""


_BUCKET_PART = r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?"
_BUCKET = re.compile(rf"(?=[a-z0-9._-]{{3,222}}\Z){_BUCKET_PART}(\.{_BUCKET_PART})*")
"""Cloud Storage docs, "Bucket names"."""
_OBJECT_BYTES = 1024
"""Maximum length of an object's name in UTF-8 (Cloud Storage docs, "Objects")."""


def model_id_problem(model_id: str) -> str | None:
    """Return which rule the ID of a model breaks: a repository on the Hub, or own weights."""
    return own_weights_problem(model_id) if is_own(model_id) else repo_id_problem(model_id)


def own_weights_problem(model_id: str) -> str | None:
    """Return what is wrong with `gs://bucket/folder`, if anything."""
    bucket, folder = bucket_and_folder(model_id)
    if not _BUCKET.fullmatch(bucket):
        rule = "3 to 63 lower-case letters, digits, `-`, `_` and `.`, which start and end with a letter or digit"
        return f"`{BUCKET_SCHEME}{bucket}` is not a bucket: {rule}"
    if not folder:
        return f"`{model_id}` names no folder: write it as `gs://bucket/folder`"
    if folder.endswith("/"):
        return f"`{model_id}` ends with a slash"
    if problem := path_problem(folder):
        return f"`{model_id}` {problem.replace('repository', 'bucket')}"
    if len(folder.encode()) > _OBJECT_BYTES:
        return f"`{model_id[:60]}...` is too long: the name of an object has at most {_OBJECT_BYTES} bytes"
    return None


def repo_id_problem(repo_id: str) -> str | None:
    """Return which of the Hub's rules a repository ID breaks (huggingface_hub `validate_repo_id`), if any."""
    parts = repo_id.split("/")
    rules = (
        (len(parts) == 2 or (len(parts) == 1 and bool(repo_id)), "write it as `owner/name`"),
        (
            all(re.fullmatch(r"[A-Za-z0-9._-]{1,96}", part) for part in parts),
            "each part has 1 to 96 letters, digits, `-`, `_` and `.`",
        ),
        ("--" not in repo_id and ".." not in repo_id, "`--` and `..` are not allowed"),
        (
            all(part[:1] not in "-." and part[-1:] not in "-." for part in parts),
            "a part cannot start or end with `-` or `.`",
        ),
        (not repo_id.endswith(".git"), "it cannot end in `.git`"),
    )
    broken = next((text for fine, text in rules if not fine), None)
    return f"`{repo_id}` is not a Hub ID: {broken}" if broken else None


def revision_problem(revision: str) -> str | None:
    """Return what is wrong with a branch, tag or commit, if anything."""
    if not re.fullmatch(REVISION_PATTERN, revision):
        return "is not a branch, tag or commit"
    return path_problem(revision)


def path_problem(path: str) -> str | None:
    """Return what is wrong with a path in a repository, if anything."""
    if any(is_hidden(char) for char in path):
        return "contains a control or invisible character"
    if "\\" in path or re.match("[A-Za-z]:/", path):
        return "is not a repository path: separate its parts with `/`"
    if path.startswith("/") or any(part in {"", ".", ".."} for part in path.split("/")):
        return "points outside the repository, or has an empty part"
    return None
