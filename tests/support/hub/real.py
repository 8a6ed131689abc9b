# SPDX-License-Identifier: Apache-2.0
"""Facts of real models as repositories. What a source does not give is left out, or invented and labelled."""

import json
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import yaml

from proof.hub.repository import Commit, Repository, StoredFile, fake_hash

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def real_models() -> tuple[dict[str, Any], ...]:
    text = (Path(__file__).parent / "models.yaml").read_text("utf-8")
    return tuple(yaml.load(text, Loader=_LOADER)["models"])  # noqa: S506  a safe loader in C


def ids_with_a_real_commit() -> tuple[str, ...]:
    return tuple(model["id"] for model in real_models() if model["commits"])


def real_repositories(*, as_listed: bool = False) -> list[Repository]:
    """Return them; as listed: config.json has its real size and hash, and the bytes served are not those."""
    return [_repository(model, as_listed=as_listed) for model in real_models()]


def config_of(model: dict[str, Any]) -> dict[str, Any]:
    """Return the known fields of config.json, with the folded list of layer types written out."""
    return _unfolded(model["config"])


def _unfolded(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if "repeating_pattern" in value:
        total = sum(value["counts"].values())
        return list(islice(cycle(value["repeating_pattern"]), total))
    return {key: _unfolded(inner) for key, inner in value.items()}


def _repository(model: dict[str, Any], *, as_listed: bool) -> Repository:
    main = model.get("main") or fake_hash(f"commit:{model['id']}")
    shas = {main, *(commit["sha"] for commit in model["commits"])}
    lists = [model["files"].get(kind, {}) for kind in ("manifest", "derived")]
    commits = {}
    for sha in shas:
        rows = [row for held in lists if sha == held.get("revision") for row in held["files"]]
        commits[sha] = Commit(sha=sha, files=_files(rows, config_of(model), as_listed=as_listed))
    return Repository(
        id=model["id"],
        commits=commits,
        refs={"main": main},
        metadata=_metadata(model),
        gated=model.get("gated", True if model.get("is_gated") else None),
        invented=() if model["commits"] else ("sha",),
    )


def _files(rows: list[dict[str, Any]], config: dict[str, Any], *, as_listed: bool) -> tuple[StoredFile, ...]:
    files = {
        row["path"]: StoredFile(
            path=row["path"],
            size=row["size"],
            git_oid=row.get("git_oid"),
            sha256=row.get("sha256") if _is_large(row) else None,
        )
        for row in rows
        if row.get("size") is not None
    }
    if config and not as_listed:
        # The real bytes are not known. Where the list has a row of it, the row is that of the bytes served here.
        is_listed = files.pop("config.json", None) is not None
        made = StoredFile.small("config.json", json.dumps(config).encode(), is_listed=is_listed)
        return (made, *files.values())
    return tuple(files.values())


def _is_large(row: dict[str, Any]) -> bool:
    """Say whether the Hub would keep the file in LFS, the only ones whose sha256 it tells.

    Some lists give the sha256 of small files too, taken from their bytes.
    """
    return row["size"] > 10_000_000 or row["path"].endswith((".safetensors", ".bin", ".pt", ".h5", ".onnx"))


def _metadata(model: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {"tags": []}
    card: dict[str, Any] = {}
    if model.get("license"):
        card["license"] = model["license"]
        body["tags"].append(f"license:{model['license']}")
    if model.get("license_name"):
        card["license_name"] = model["license_name"]
    for key in ("base_model", "datasets"):
        if model.get(key):
            card[key] = model[key]
    if card:
        body["cardData"] = card
    for key in ("pipeline_tag", "library_name"):
        if model.get(key):
            body[key] = model[key]
    counts = model["safetensors_parameters"]
    if counts.get("total") is not None:
        body["safetensors"] = {"parameters": counts.get("by_dtype", {}), "total": counts["total"]}
    short = {key: model["config"][key] for key in ("architectures", "model_type") if key in model["config"]}
    if short:
        body["config"] = short
    return body
