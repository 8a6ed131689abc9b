# SPDX-License-Identifier: Apache-2.0
"""The Hub's rules for repository IDs, revisions and paths in a repository.

Owns them for model lists, locks and Hub responses alike: a name that breaks them can escape a folder, hide in a
review, or control the terminal that prints it.
"""

import re

from hubstack.files.escape import is_hidden

DEFAULT_REVISION = "main"
"""The Hub's default branch."""
REVISION_PATTERN = r"^[^\s\\^~:?*\[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+$"
"""What git accepts, minus invisible characters."""


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
