# SPDX-License-Identifier: Apache-2.0
"""What is no longer as the lock says: on the Hub, and in the buckets. Pure; who asks is `hubstack.review.watch`.

Owns what counts as drift and what is only worth knowing. A newer commit on the branch is no drift: the lock exists
so that nothing moves by itself. A bucket's listing holds md5 and crc32c, the Hub gives sha256 and git's sha1: bytes
cannot be compared, names and sizes are. The bytes were compared when they were staged (docs/concepts/weights.md).
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
from hubstack.plan import ModelPlan, Plan, WeightsPlan

MARKER = ".hubstack-complete"
"""The loader's, which is a script of its own and cannot be asked without the Hub's client."""
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as the lock says."""

    where: str
    """`hub`, or `gs://` and the bucket's name."""
    model: str
    """Its key, or keys with commas."""
    text: str
    is_drift: bool
    """False: worth knowing, and no reason to fail."""

    def render(self) -> str:
        """Return one line."""
        return f"{'drift' if self.is_drift else 'note '}  {self.where}  {self.model}: {self.text}"


def findings_json(findings: Iterable[Finding]) -> str:
    """Return the findings as JSON."""
    return json.dumps({"format": 1, "findings": [asdict(each) for each in findings]}, indent=1) + "\n"


def hub_findings(model: str, held: ModelFacts, now: ModelFacts, newest: ModelFacts | None) -> Iterator[Finding]:
    """Compare what is locked with what the Hub says.

    Args:
        model: key of the model.
        held: what is locked.
        now: what the Hub says of the locked commit.
        newest: what it says of the revision; None where that is gone.
    """
    for text in _said_otherwise(held, now):
        yield Finding(where="hub", model=model, text=text, is_drift=True)
    if now.id != held.id:
        text = f"is called {now.id} on the Hub now; `hubstack lock --upgrade` writes it"
        yield Finding(where="hub", model=model, text=text, is_drift=False)
    if newest is None:
        text = f"revision `{held.revision}` is gone; the locked commit is still there"
        yield Finding(where="hub", model=model, text=text, is_drift=True)
    elif newest.commit != held.commit:
        text = f"`{held.revision}` is at {newest.commit[:_SHOWN]} now, locked is {held.commit[:_SHOWN]}"
        yield Finding(where="hub", model=model, text=text, is_drift=False)


def gone(model: str, held: ModelFacts, why: str) -> Finding:
    """Return the finding for a locked commit that the Hub does not give any more."""
    text = f"the locked commit {held.commit[:_SHOWN]} cannot be had any more: {why}"
    return Finding(where="hub", model=model, text=text, is_drift=True)


def _said_otherwise(held: ModelFacts, now: ModelFacts) -> Iterator[str]:
    if held.gated != now.gated:
        yield f"gate: {held.gated or 'open'} when locked, {now.gated or 'open'} now"
    if (held.license, held.license_name) != (now.license, now.license_name):
        yield f"licence: {_license(held)} when locked, {_license(now)} now"
    for path, level in sorted(now.security.issues.items()):
        if held.security.issues.get(path) != level:
            yield f"security scan: `{path}` is {level} now"
    if held.files and now.files:
        for file in changed_files(held.files, now.files):
            if file.move is not FileMove.UNKNOWN:
                yield f"`{file.path}` is {file.move} at the same commit"


def _license(facts: ModelFacts) -> str:
    return f"{facts.license or 'none'}{f' ({facts.license_name})' if facts.license_name else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """One object of a listing."""

    bucket: str
    name: str
    size_bytes: int


def read_listing(text: str) -> tuple[StoredObject, ...]:
    """Read what `gcloud storage ls --json --recursive gs://BUCKET ...` prints: an array for each address.

    Shape (the Google Cloud CLI's own test of `cloud_list_task`, read as a stored copy): `url`, `type`, and for
    `cloud_object` the JSON API's object as `metadata`, where numbers are texts.

    Raises:
        ValueError: it is no such listing.
    """
    found: list[StoredObject] = []
    decoder, position = json.JSONDecoder(), 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        value, position = decoder.raw_decode(text, position)
        if not isinstance(value, list):
            raise ValueError(f"it holds {shown(value)}, not an array of objects")  # noqa: TRY004  as any bad text
        rows = cast("list[Any]", value)
        found += [_object(number, row) for number, row in enumerate(rows, start=1) if _is_object(row)]
    return tuple(sorted(found, key=lambda each: (each.bucket, each.name)))


def _is_object(row: Any) -> bool:
    return isinstance(row, dict) and cast("dict[str, Any]", row).get("type") == "cloud_object"


def _object(number: int, row: Mapping[str, Any]) -> StoredObject:
    try:
        bucket, name = str(row["url"]).removeprefix("gs://").split("/", 1)
        metadata = cast("dict[str, Any]", row["metadata"])
        # The address may end in `#GENERATION`; the name in the metadata does not.
        return StoredObject(bucket=bucket, name=str(metadata.get("name", name)), size_bytes=_size(metadata["size"]))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ValueError(f"object {number} has no address, name or size") from None


def _size(text: Any) -> int:
    size = int(text)
    if size < 0:
        raise ValueError(text)
    return size


def staged_buckets(plan: Plan) -> dict[str, tuple[ModelPlan, ...]]:
    """Return the buckets with weights to the models that they hold; a canary shares its model's bucket."""
    buckets: dict[str, list[ModelPlan]] = {}
    for model in plan.models:
        if model.vertex is None:
            buckets.setdefault(bucket_name(plan, model), []).append(model)
    return {name: tuple(models) for name, models in sorted(buckets.items())}


def bucket_findings(plan: Plan, objects: Sequence[StoredObject]) -> Iterator[Finding]:
    """Compare what is in the buckets with what the plan stages there."""
    for bucket, models in staged_buckets(plan).items():
        held = {each.name: each.size_bytes for each in objects if each.bucket == bucket}
        where, keys = f"gs://{bucket}", ", ".join(model.key for model in models)
        if not held:
            yield Finding(where=where, model=keys, text="is empty, or was not listed", is_drift=True)
            continue
        for model in models:
            for text in _of_folder(model.weights, held):
                yield Finding(where=where, model=model.key, text=text, is_drift=True)
        for text in _others(models, held):
            yield Finding(where=where, model=keys, text=text, is_drift=False)


def _of_folder(weights: WeightsPlan, held: Mapping[str, int]) -> Iterator[str]:
    inside = {name.removeprefix(f"{weights.prefix}/"): size for name, size in held.items()
              if name.startswith(f"{weights.prefix}/") and not name.endswith("/")}  # fmt: skip
    if MARKER not in inside:
        yield f"{weights.prefix[:_SHOWN]} is not complete: it has no {MARKER}"
    for file in weights.files:
        if file.path not in inside:
            yield f"`{file.path}` is missing"
        elif file.size_bytes not in {None, inside[file.path]}:
            yield f"`{file.path}` has {inside[file.path]:,} bytes, locked are {file.size_bytes:,}"
    if weights.files:
        for path in sorted(inside.keys() - {file.path for file in weights.files} - {MARKER}):
            yield f"`{path}` is not of the locked files"


def _others(models: Sequence[ModelPlan], held: Mapping[str, int]) -> Iterator[str]:
    used = {model.weights.prefix for model in models}
    replaced = {model.weights.replaces for model in models}
    for folder in sorted({name.split("/", 1)[0] for name in held if "/" in name} - used):
        if _COMMIT.fullmatch(folder):
            why = "the replaced one" if folder in replaced else "of no model of the list"
            yield f"holds commit {folder[:_SHOWN]}, {why}"
    if unlisted := [model.key for model in models if not model.weights.files]:
        yield f"the lock lists no files of {', '.join(unlisted)}: only the marker was looked for"
