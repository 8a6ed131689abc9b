# SPDX-License-Identifier: Apache-2.0
"""A stack after an `up` that was killed, repaired as docs/guides/killed-up.md says.

Owns which id a person would find for an operation that nobody saw the end of: the resource of that kind that is
there and in no state.
"""

import json
import shutil
from typing import Any

from proof.engine.engine import Engine


def interrupted(engine: Engine) -> list[dict[str, Any]]:
    """Return the resources whose creation was interrupted."""
    pending = engine.state().get("pending_operations") or []
    return [each["resource"] for each in pending if each["type"] == "creating"]


def known_ids(engine: Engine) -> set[tuple[str, str]]:
    """Return the type and ID of every Google resource in the state."""
    resources = engine.state().get("resources") or []
    return {(each["type"], each["id"]) for each in resources if each["type"].startswith("gcp:")}


def unknown_ids(engine: Engine) -> set[tuple[str, str]]:
    """Return the type and ID of every resource in the cloud that is not in the state."""
    found = {(kind, each) for kind, ids in engine.cloud.everything().items() for each in ids}
    return found - known_ids(engine)


def restore_state(engine: Engine) -> None:
    """Restore the last complete checkpoint if a file backend was interrupted while writing the next one."""
    for path in (engine.folder / "state").glob(".pulumi/stacks/*/*.json"):
        try:
            json.loads(path.read_text())
        except ValueError:
            shutil.copyfile(path.with_name(f"{path.name}.bak"), path)


def repair(engine: Engine) -> None:
    """Remove the lock, drop pending operations, and import the resources that they created."""
    engine.cancel()
    rows, left = interrupted(engine), unknown_ids(engine)
    engine.refresh("--clear-pending-creates")
    found: list[dict[str, str]] = []
    for resource in rows:
        own = _inputs_in(resource)
        ids = [identity for kind, identity in sorted(left) if kind == resource["type"] and own in identity]
        if ids:
            left.discard((resource["type"], ids[0]))
            provider = str(resource["provider"]).rpartition("::")[0]
            found.append(
                {
                    "type": resource["type"],
                    "name": str(resource["urn"]).rpartition("::")[2],
                    "id": ids[0],
                    "parent": resource["parent"],
                    "provider": provider,
                }
            )
    if found:
        names = {row[of]: row[of] for row in found for of in ("parent", "provider")}
        path = engine.folder / "import.json"
        path.write_text(json.dumps({"nameTable": names, "resources": found}))
        engine.run(
            "import", "--yes", "--skip-preview", "--protect=false", "--generate-code=false", f"--file={path}"
        )


def _inputs_in(resource: dict[str, Any]) -> str:
    """Return the inputs that occur in the ID, to distinguish two resources of one type."""
    inputs = resource.get("inputs") or {}
    return next((str(inputs[name]) for name in ("accountId", "service", "name", "secretId") if name in inputs), "")
