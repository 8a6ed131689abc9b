# SPDX-License-Identifier: Apache-2.0
"""Differences between the lock and the Hub or the buckets. Pure; `hubstack.review.watch` makes the requests.

Owns what counts as drift and what is only a note. A newer commit on the branch is not drift: the lock exists to pin
commits. A bucket listing has md5 and crc32c, the Hub gives sha256 and Git's sha1, so names and sizes are compared
rather than content. The loader verified the content when it copied the files (docs/concepts/weights.md).
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from hubstack.deploy.manifests.base import bucket_name
from hubstack.files.problems import shown
from hubstack.hub.facts import ModelFacts
from hubstack.hub.file_changes import FileMove, changed_files
from hubstack.names import COMPANIONS, is_own
from hubstack.plan import ModelPlan, Plan, WeightsPlan

MARKER = ".hubstack-complete"
"""Must match the loader script, which cannot be imported without the Hub client."""
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One difference from the lock."""

    where: str
    """`hub`, the bucket's `gs://` URL, or the ID of own weights."""
    model: str
    """Key of the model, or comma-separated keys."""
    text: str
    is_drift: bool
    """False for a note that does not fail the command."""

    def render(self) -> str:
        """Return one line."""
        return f"{'drift' if self.is_drift else 'note '}  {self.where}  {self.model}: {self.text}"


def findings_json(findings: Iterable[Finding]) -> str:
    """Return the findings as JSON."""
    return json.dumps({"format": 1, "findings": [asdict(each) for each in findings]}, indent=1) + "\n"


def hub_findings(model: str, held: ModelFacts, now: ModelFacts, newest: ModelFacts | None) -> Iterator[Finding]:
    """Compare the locked facts with the Hub's current answers.

    Args:
        model: key of the model.
        held: locked facts.
        now: current facts of the locked commit.
        newest: current facts of the revision; None if it was deleted.
    """
    for text in _changed_facts(held, now):
        yield Finding(where="hub", model=model, text=text, is_drift=True)
    if now.id != held.id:
        text = f"was renamed to {now.id} on the Hub; run `hubstack lock --upgrade` to record the new name"
        yield Finding(where="hub", model=model, text=text, is_drift=False)
    if newest is None:
        text = f"revision `{held.revision}` was deleted; the locked commit still exists"
        yield Finding(where="hub", model=model, text=text, is_drift=True)
    elif newest.commit != held.commit:
        text = f"`{held.revision}` is now at {newest.commit[:_SHOWN]}; the lock has {held.commit[:_SHOWN]}"
        yield Finding(where="hub", model=model, text=text, is_drift=False)


def gone(model: str, held: ModelFacts, why: str) -> Finding:
    """Return the finding for a locked commit that the Hub, or the bucket of own weights, no longer serves."""
    text = f"the locked commit {held.commit[:_SHOWN]} is no longer available: {why}"
    return Finding(where=held.id if is_own(held.id) else "hub", model=model, text=text, is_drift=True)


def source_findings(model: str, held: ModelFacts, now: ModelFacts) -> Iterator[Finding]:
    """Compare the locked objects of own weights with the current listing of their folder.

    A replaced or deleted object is drift: what was locked cannot be copied again. A new one is only a note.
    """
    current = {file.path: file for file in now.files}
    for file in held.files:
        found = current.get(file.path)
        if found is None:
            text = f"`{file.path}` was deleted; the lock has generation {file.generation}"
        elif found.generation != file.generation:
            same = "with the same content" if found.crc32c == file.crc32c else "with other content"
            text = (
                f"`{file.path}` was replaced {same}: generation {found.generation}; the lock has {file.generation}"
            )
        else:
            continue
        yield Finding(where=held.id, model=model, text=text, is_drift=True)
    for path in sorted(current.keys() - {file.path for file in held.files}):
        yield Finding(where=held.id, model=model, text=f"`{path}` is new", is_drift=False)


def _changed_facts(held: ModelFacts, now: ModelFacts) -> Iterator[str]:
    if held.gated != now.gated:
        yield f"gate: {held.gated or 'open'} when locked, {now.gated or 'open'} now"
    if (held.license, held.license_name) != (now.license, now.license_name):
        yield f"licence: {_license(held)} when locked, {_license(now)} now"
    for path, level in sorted(now.security.issues.items()):
        if held.security.issues.get(path) != level:
            yield f"security scan: `{path}` is now {level}"
    if held.files and now.files:
        for file in changed_files(held.files, now.files):
            if file.move is not FileMove.UNKNOWN:
                yield f"`{file.path}` is {file.move} at the same commit"


def _license(facts: ModelFacts) -> str:
    return f"{facts.license or 'none'}{f' ({facts.license_name})' if facts.license_name else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """One object of a bucket listing."""

    bucket: str
    name: str
    size_bytes: int


def read_listing(text: str) -> tuple[StoredObject, ...]:
    """Read the output of `gcloud storage ls --json --recursive gs://BUCKET ...`: one JSON array per URL.

    Each row has `url` and `type`; a `cloud_object` also has `metadata`, the object resource of the Cloud Storage
    JSON API (https://cloud.google.com/storage/docs/json_api/v1/objects), in which numbers are strings.

    Raises:
        ValueError: the text is not such a listing.
    """
    found: list[StoredObject] = []
    decoder, position = json.JSONDecoder(), 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        value, position = decoder.raw_decode(text, position)
        if not isinstance(value, list):
            raise ValueError(f"expected an array of objects, got {shown(value)}")  # noqa: TRY004  reported like any malformed listing
        rows = cast("list[Any]", value)
        found += [_object(number, row) for number, row in enumerate(rows, start=1) if _is_object(row)]
    return tuple(sorted(found, key=lambda each: (each.bucket, each.name)))


def _is_object(row: Any) -> bool:
    return isinstance(row, dict) and cast("dict[str, Any]", row).get("type") == "cloud_object"


def _object(number: int, row: Mapping[str, Any]) -> StoredObject:
    try:
        bucket, name = str(row["url"]).removeprefix("gs://").split("/", 1)
        metadata = cast("dict[str, Any]", row["metadata"])
        # The URL may end in `#GENERATION`; the name in the metadata does not.
        return StoredObject(bucket=bucket, name=str(metadata.get("name", name)), size_bytes=_size(metadata["size"]))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ValueError(f"object {number} has no URL, name or size") from None


def _size(text: Any) -> int:
    size = int(text)
    if size < 0:
        raise ValueError(text)
    return size


def staged_buckets(plan: Plan) -> dict[str, tuple[ModelPlan, ...]]:
    """Map each weights bucket to its models; a canary shares the bucket of its model."""
    buckets: dict[str, list[ModelPlan]] = {}
    for model in plan.models:
        if model.vertex is None:
            buckets.setdefault(bucket_name(plan.target, model), []).append(model)
    return {name: tuple(models) for name, models in sorted(buckets.items())}


def bucket_findings(plan: Plan, objects: Sequence[StoredObject]) -> Iterator[Finding]:
    """Compare the contents of the buckets with the files that the plan stages."""
    for bucket, models in staged_buckets(plan).items():
        held = {each.name: each.size_bytes for each in objects if each.bucket == bucket}
        where, keys = f"gs://{bucket}", ", ".join(model.key for model in models)
        if not held:
            yield Finding(where=where, model=keys, text="is empty or missing from the listing", is_drift=True)
            continue
        for model in models:
            for text in _of_folder(model.weights, held):
                yield Finding(where=where, model=model.key, text=text, is_drift=True)
            for each in () if model.canary_of else model.companions or ():
                for text in _of_folder(each.weights, held):
                    said = f"{each.role} {each.id}: {text}"
                    yield Finding(where=where, model=model.key, text=said, is_drift=True)
        for text in _others(models, held):
            yield Finding(where=where, model=keys, text=text, is_drift=False)


def _of_folder(weights: WeightsPlan, held: Mapping[str, int]) -> Iterator[str]:
    inside = {
        name.removeprefix(f"{weights.prefix}/"): size
        for name, size in held.items()
        if name.startswith(f"{weights.prefix}/") and not name.endswith("/")
    }
    if MARKER not in inside:
        yield f"{weights.commit[:_SHOWN]} is not complete: it has no {MARKER}"
    for file in weights.files:
        if file.path not in inside:
            yield f"`{file.path}` is missing"
        elif file.size_bytes not in {None, inside[file.path]}:
            yield f"`{file.path}` has {inside[file.path]:,} bytes; the lock has {file.size_bytes:,}"
    if weights.files:
        for path in sorted(inside.keys() - {file.path for file in weights.files} - {MARKER}):
            yield f"`{path}` is not in the lock"


def _others(models: Sequence[ModelPlan], held: Mapping[str, int]) -> Iterator[str]:
    used = {model.weights.prefix for model in models}
    replaced = {model.weights.replaces for model in models}
    for folder in sorted({name.split("/", 1)[0] for name in held if "/" in name} - used):
        if _COMMIT.fullmatch(folder):
            why = "which was replaced" if folder in replaced else "which no model uses"
            yield f"contains commit {folder[:_SHOWN]}, {why}"
    beside = {each.weights.prefix for model in models for each in model.companions or ()}
    folders = {"/".join(name.split("/")[:2]) for name in held if name.startswith(f"{COMPANIONS}/")}
    for folder in sorted(folders - beside):
        commit = folder.removeprefix(f"{COMPANIONS}/")
        if _COMMIT.fullmatch(commit):
            yield f"contains commit {commit[:_SHOWN]} of an adapter or draft model, which no model uses"
    if unlisted := [model.key for model in models if not model.weights.files]:
        yield f"the lock lists no files for {', '.join(unlisted)}: only the marker was checked"
