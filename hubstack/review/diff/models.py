# SPDX-License-Identifier: Apache-2.0
"""Compares the models of two plans: which are added, removed, moved, renamed or changed.

Owns model identity: a model is its key. If one key was removed and one added, it is a rename if `was:` or the
Hub ID says so. Reasons are those of the new plan.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, cast

from hubstack.inputs.measured import measured_name
from hubstack.review.diff.engine_versions import version_changes
from hubstack.review.diff.paths import ABSENT, differences
from hubstack.review.diff.reported import Reported
from hubstack.review.diff.state import Data, State

GB, GIB = 1_000_000_000, 1024**3
NOTICEABLE = 0.1
"""Our choice: a smaller change of throughput or cost per token is not reported."""
ENGINE_ARGUMENTS, ENGINE_VARIABLES, ENGINE_FILES = "engine arguments", "engine variables", "engine files"
"""Topics of what the list gives the engine past the keys: `engine_args:`, `env:` and `files:`."""
ENGINE_OWN_TOPICS = frozenset({ENGINE_ARGUMENTS, ENGINE_VARIABLES, ENGINE_FILES})
ENGINE_TOPICS = ENGINE_OWN_TOPICS | {"engine"}
"""Topics of the gate `engine`."""
EVIDENCE, MEASURED = "evidence", "measured"
"""The topic of a model whose measured figures differ, and the evidence of such figures."""
_MEASURED_FIGURES = ("evidence", "requests_per_second", "token_ms", "token_alone_ms", "first_token_ms")


class ModelAction(StrEnum):
    """The change to a model."""

    ADDED = "added"
    REMOVED = "removed"
    RENAMED = "renamed"
    MOVED = "moved"
    """Moved to or from another cluster of its environment."""
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting(Reported):
    """One changed decision."""

    topic: str
    """Which decision changed: `accelerator`, `replicas`, `context` ..."""
    before: str
    """Value in the base plan."""
    after: str
    """Value in the new plan."""
    why: str | None = None
    """The new plan's reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChange(Reported):
    """One changed model."""

    key: str
    """Key in the new list, or in the base list if removed."""
    id: str
    """Repository id on the Hub."""
    action: ModelAction
    """The kind of change."""
    settings: tuple[Setting, ...] = ()
    """Changed decisions."""
    was: str | None = None
    """Earlier key of a renamed model."""
    weights_bytes: int | None = None
    """Bytes to copy from the Hub; None if unknown or nothing is copied."""
    is_kept: bool = False
    """Whether a renamed model keeps its resources."""
    said: str = ""
    """Description of a new model, or the consequences of a rename."""


def find_renamed(base: State, head: State) -> dict[str, str]:
    """Return new key to old key of models that were only renamed."""
    gone = [model for key, model in base.models.items() if key not in head.models]
    came = [model for key, model in head.models.items() if key not in base.models]
    pairs = {
        model["key"]: former
        for model in came
        for former in model.get("was", ())
        if former in base.models and former not in head.models
    }
    gone = [model for model in gone if model["key"] not in pairs.values()]
    came = [model for model in came if model["key"] not in pairs]
    for model in came:
        alike = [each for each in gone if each["id"] == model["id"]]
        rivals = [each for each in came if each["id"] == model["id"]]
        if len(alike) == 1 and len(rivals) == 1:
            pairs[model["key"]] = alike[0]["key"]
    return pairs


def compare_models(base: State, head: State, renamed: dict[str, str]) -> tuple[ModelChange, ...]:
    """Return every changed model, sorted by key."""
    found: list[ModelChange] = []
    for key, model in head.models.items():
        was = renamed.get(key, key)
        before = base.models.get(was)
        if before is None:
            found.append(_added_or_moved(model, base, head))
            continue
        settings = tuple(_settings(base, head, before, model))
        if was != key:
            found.append(_renamed(before, model, settings, head))
        elif settings:
            copied = _copied(model) if before["commit"] != model["commit"] else None
            found.append(
                ModelChange(
                    key=key, id=model["id"], action=ModelAction.CHANGED, settings=settings, weights_bytes=copied
                )
            )
    gone = (m for key, m in base.models.items() if key not in head.models and key not in renamed.values())
    found += [_gone(model, base, head) for model in gone]
    return tuple(sorted(found, key=lambda each: each.key))


def _copied(model: Data) -> int | None:
    return model["weights"].get("total_bytes")


def _runs(model: Data) -> str:
    return f"{_engine(model)} on {_accelerator(model)}, {_replicas(model)} replicas, {_context(model)} context"


def _added(model: Data) -> ModelChange:
    return ModelChange(
        key=model["key"], id=model["id"], action=ModelAction.ADDED, weights_bytes=_copied(model), said=_runs(model)
    )


def _added_or_moved(model: Data, base: State, head: State) -> ModelChange:
    """Return a model that is new here; one that another cluster gave up has moved."""
    found = _added(model)
    left = _only(base, head, model["key"])
    return replace(found, action=ModelAction.MOVED, said=f"moved here from {left}: {found.said}") if left else found


def _gone(model: Data, base: State, head: State) -> ModelChange:
    found = ModelChange(key=model["key"], id=model["id"], action=ModelAction.REMOVED, said=_runs(model))
    if taken := _only(head, base, model["key"]):
        return replace(found, action=ModelAction.MOVED, said=f"moved to {taken}")
    still = ", ".join(head.elsewhere.get(model["key"], ()))
    return replace(found, said=f"{found.said}; still served by {still}") if still else found


def _only(side: State, other: State, key: str) -> str:
    """Name the other clusters that have a model on one side only."""
    before = other.elsewhere.get(key, ())
    return ", ".join(stack for stack in side.elsewhere.get(key, ()) if stack not in before)


def _renamed(before: Data, model: Data, settings: tuple[Setting, ...], head: State) -> ModelChange:
    was, size = before["key"], _copied(model)
    if _original_key(before) == _original_key(model):
        said = (
            "nothing is replaced: resources keep their names, and clients can still use the old model "
            "name; keep `was` in the list as long as the model is served"
        )
        return ModelChange(
            key=model["key"],
            id=model["id"],
            action=ModelAction.RENAMED,
            settings=settings,
            was=was,
            is_kept=True,
            said=said,
        )
    own = sum(1 for each in head.resources.values() if each["name"].startswith(f"{model['key']}-"))
    copies = f"copied again ({size / GB:,.1f} GB)" if size else "copied again"
    said = (
        f"a new name makes a new model: its {own or 'own'} resources are created again, the old ones deleted, "
        f"its weights {copies}, and clients must use the new name; add `was: {_former(before)}` to the model "
        "to keep everything"
    )
    return ModelChange(
        key=model["key"],
        id=model["id"],
        action=ModelAction.RENAMED,
        settings=settings,
        was=was,
        weights_bytes=size,
        said=said,
    )


def _original_key(model: Data) -> str:
    """Return the root of its physical names (`hubstack.names.original_key`)."""
    return str((*model.get("was", ()), model["key"])[0])


def _former(model: Data) -> str:
    """Return the value that `was` needs for a renamed model."""
    keys = [*model.get("was", ()), model["key"]]
    return str(keys[0]) if len(keys) == 1 else f"[{', '.join(keys)}]"


def _accelerator(model: Data) -> str:
    share, hosts = model.get("servers_per_accelerator", 1), model.get("hosts", 1)
    count = f"1/{share}" if share > 1 else str(model["accelerator_count"])
    nodes = f" on {hosts} nodes" if hosts > 1 else ""
    return f"{count} x {model['accelerator']} ({model['machine_type']}){nodes}"


def _engine(model: Data) -> str:
    return f"{model['server']['engine']} {model['server']['version'] or ''}".strip()


def is_older_engine(setting: Setting) -> bool:
    """Return whether a model goes back to an earlier version of its engine, whose flaws later ones have mended."""
    if setting.topic != "engine":
        return False
    (kind, _, before), (other, _, after) = (each.partition(" ") for each in (setting.before, setting.after))
    old, new = ([int(number) for number in re.findall(r"\d+", version)] for version in (before, after))
    return kind == other and new < old


def _replicas(model: Data) -> str:
    return f"{model['replicas']['min']}-{model['replicas']['max']}"


def _context(model: Data) -> str:
    return f"{model['need']['context']:,}"


def _capacity(model: Data) -> str:
    return ", then ".join(
        f"{step['kind']} {step['reservation']}" if step.get("reservation") else str(step["kind"])
        for step in model.get("steps", ())
    )


def _zones(model: Data) -> str:
    return ", ".join(sorted({zone for step in model.get("steps", ()) for zone in step["zones"]}))


def _canary(model: Data) -> str:
    weight = model.get("canary_weight", 0)
    return f"{weight} of 100 requests of {model['canary_of']}" if model.get("canary_of") else "none"


def _companions(model: Data, role: str) -> str:
    """Return the adapters, or the draft model, with their commits."""
    held = [each for each in model.get("companions", ()) if each["role"] == role]
    return ", ".join(f"{each['name']}: {each['id']} at {each['commit'][:12]}" for each in held) or "none"


_TOPICS: tuple[tuple[str, Callable[[Data], Any]], ...] = (
    ("id", lambda m: m["id"]),
    ("revision", lambda m: m["revision"]),
    ("commit", lambda m: m["commit"][:12]),
    ("licence", lambda m: m["license"] or "none given"),
    ("gated", lambda m: "yes" if m["gated"] else "no"),
    ("engine", _engine),
    ("image", lambda m: m["server"]["image"]),
    ("accelerator", _accelerator),
    ("capacity", _capacity),
    ("zones", _zones),
    ("context", _context),
    ("concurrency", lambda m: str(m["need"]["concurrency"])),
    ("KV cache", lambda m: str(m.get("kv_cache_dtype", "auto"))),
    ("replicas", _replicas),
    ("platform", lambda m: str(m.get("platform", "gke"))),
    ("canary", _canary),
    ("adapters", lambda m: _companions(m, "adapter")),
    ("draft", lambda m: _companions(m, "draft")),
    ("resource names", _original_key),
    ("served as", lambda m: m["server"]["served_model_name"]),
    ("weights", lambda m: f"{(_copied(m) or 0) / GB:,.1f} GB"),
    ("start", lambda m: f"{m['server']['load_seconds']} s to load"),
)


_BLOCKS = {"scaling": "scaling", "loading": "loading", "service level": "slo"}
"""Topic to a part of the plan; each differing value in it is reported as a setting."""


def _settings(base: State, head: State, before: Data, after: Data) -> Iterator[Setting]:
    reasons = {reason["topic"]: reason["text"] for reason in after.get("reasons", ())}
    for topic, shown in _TOPICS:
        if topic == "platform" and topic not in before:
            continue  # written by a hubstack that knew no such setting
        pair = str(shown(before)), str(shown(after))
        if pair[0] != pair[1]:
            yield Setting(topic=topic, before=pair[0], after=pair[1], why=reasons.get(topic))
    yield from _engine_settings(before, after)
    for topic, key in _BLOCKS.items():
        if key in before:  # else written by a hubstack that knew no such setting
            yield from _block_settings(topic, before[key], after.get(key), reasons.get(topic))
    file = measured_name(str(head.target.get("stack")))
    yield from _performance_settings(before.get("performance"), after.get("performance"), file)
    for topic, key in (("flags", "args"), ("environment", "env")):
        parts = [[_flat(item) for item in model["server"][key]] for model in (before, after)]
        if parts[0] != parts[1]:
            yield _list_setting(topic, parts[0], parts[1])
    spaces = _namespace(base, before), _namespace(head, after)
    if spaces[0] != spaces[1]:
        why = (
            "its servers are replaced, and clients in the cluster use another address"
            if before.get("team") != after.get("team")
            else None
        )
        yield Setting(topic="namespace", before=str(spaces[0]), after=str(spaces[1]), why=why)


def _namespace(state: State, model: Data) -> str:
    """Return the namespace of a model: that of its team, or the stack's."""
    teams = {each["key"]: each["namespace"] for each in state.target.get("teams") or ()}
    return teams.get(model.get("team"), str(state.target.get("namespace")))


def _engine_settings(before: Data, after: Data) -> Iterator[Setting]:
    """Yield what the list gives the engine itself, and what another version of it brings."""
    old, new = before["server"], after["server"]
    for topic, key in ((ENGINE_ARGUMENTS, "engine_args"), (ENGINE_VARIABLES, "engine_env")):
        parts = [" ".join(flag_pairs(list(server.get(key) or ()))) or "none" for server in (old, new)]
        if parts[0] != parts[1]:
            yield Setting(topic=topic, before=parts[0], after=parts[1])
    files = [
        " ".join(f"{f['name']}={f['sha256'][:12]}" for f in server.get("files") or ()) or "none"
        for server in (old, new)
    ]
    if files[0] != files[1]:
        yield Setting(topic=ENGINE_FILES, before=files[0], after=files[1])
    if old["engine"] != new["engine"] or old["version"] == new["version"]:
        return
    for topic, text in version_changes(str(new["engine"]), str(old["version"]), str(new["version"])):
        yield Setting(topic=topic, before=str(old["version"]), after=text)
    memory = [_memory(each["need"]) for each in (before, after)]
    if memory[0] != memory[1]:
        yield Setting(topic="memory", before=memory[0], after=memory[1])


def _memory(need: Data) -> str:
    used = sum(term["size_bytes"] for term in need["terms"])
    return f"{used / GIB:.2f} GiB and {need['kv_available_bytes'] / GIB:.2f} GiB of KV cache"


def _performance_settings(before: Data | None, after: Data | None, file: str) -> Iterator[Setting]:
    """Yield throughput and cost per token of a replica if they differ noticeably, or by other evidence."""
    if not before or not after:
        return
    is_measured = MEASURED in {before["evidence"], after["evidence"]}
    if is_measured and any(before.get(key) != after.get(key) for key in _MEASURED_FIGURES):
        pair = _evidence(before, file), _evidence(after, file)
        yield Setting(topic=EVIDENCE, before=pair[0], after=pair[1], why=f"the rows in {file}")
    why = f"{after['evidence']}; one replica at full load"
    is_other_evidence = before["evidence"] != after["evidence"]
    if is_other_evidence or _is_noticeable(_rate(before), _rate(after)):
        yield Setting(topic="throughput", before=_throughput(before), after=_throughput(after), why=why)
    old, new = _million(before), _million(after)
    if old and new and (is_other_evidence or _is_noticeable(old, new)):
        topic = "cost of a million tokens"
        yield Setting(topic=topic, before=f"{old:.2g} USD", after=f"{new:.2g} USD", why=why)


def _evidence(performance: Data, file: str) -> str:
    found = str(performance["evidence"])
    return f"{found}: {performance.get('rows', 0):,} in {file}" if found == MEASURED else found


def _is_noticeable(before: float, after: float) -> bool:
    return abs(after - before) >= NOTICEABLE * before


def _rate(performance: Data) -> float:
    return float(performance["requests_per_second"]["value"])


def _throughput(performance: Data) -> str:
    token = performance.get("token_ms")
    return f"{_rate(performance):.2g} requests/s" + (f", {token['value']:.2g} ms a token" if token else "")


def _million(performance: Data) -> float:
    """Return USD for a million generated tokens, or input tokens if none are generated; 0 if unknown."""
    cost: Data = performance.get("cost") or {}
    found: Data = cost.get("usd_per_million_output_tokens") or cost.get("usd_per_million_input_tokens") or {}
    return float(found.get("value", 0.0))


def _block_settings(topic: str, before: Any, after: Any, why: str | None) -> Iterator[Setting]:
    """Yield the differing values of a block; queries by name only."""
    if not before or not after:
        if bool(before) != bool(after):
            yield Setting(
                topic=topic, before="set" if before else "none", after="set" if after else "none", why=why
            )
        return
    for each in differences(before, after):
        name = f"{topic}: {each.path.replace('_', ' ')}"
        if each.path.rpartition(".")[2] == "query":
            yield Setting(topic=name, before="a query", after="a different query", why=why)
        else:
            yield Setting(topic=name, before=_plain(each.before), after=_plain(each.after), why=why)


def _plain(value: Any) -> str:
    if value is ABSENT or value is None:
        return "none"
    if isinstance(value, list):
        return ", ".join(str(each) for each in cast("list[Any]", value)) or "none"
    return "set" if isinstance(value, Mapping) else str(value)


def _flat(item: Any) -> str:
    return "=".join(str(part) for part in cast("list[Any]", item)) if isinstance(item, list) else str(item)


def _list_setting(topic: str, before: list[str], after: list[str]) -> Setting:
    """Describe removed and added parts; a flag and its value are two parts."""
    joined = [flag_pairs(parts) for parts in (before, after)]
    gone = [part for part in joined[0] if part not in joined[1]]
    came = [part for part in joined[1] if part not in joined[0]]
    if not gone and not came:
        return Setting(topic=topic, before="order", after="reordered")
    return Setting(topic=topic, before=" ".join(gone) or "(nothing)", after=" ".join(came) or "(nothing)")


def flag_pairs(parts: list[str]) -> list[str]:
    """Return the parts of a command with each flag joined to its value."""
    found: list[str] = []
    for part in parts:
        if found and found[-1].startswith("--") and " " not in found[-1] and not part.startswith("--"):
            found[-1] = f"{found[-1]} {part}"
        else:
            found.append(part)
    return found
