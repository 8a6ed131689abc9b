# SPDX-License-Identifier: Apache-2.0
"""Converts a workload into entries for the models that it serves.

Owns how the model's Hub ID is determined, and which node requirements, names and variables become settings.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from hubstack import names
from hubstack.catalog import Catalog
from hubstack.inputs.init.command_line import Word, commands, variables
from hubstack.inputs.init.containers import Server, containers, find_servers
from hubstack.inputs.init.downloads import Download
from hubstack.inputs.init.entry import Entry, Setting, Unknown, clean, with_note
from hubstack.inputs.init.flags import EngineFlags, Flag, redundant_and_lost_flags, settings_of
from hubstack.inputs.init.nodes import Classes, node_notes, node_settings
from hubstack.inputs.init.objects import Part
from hubstack.inputs.init.staged import Source, sources_of, staged_from
from hubstack.inputs.init.unread import names_model
from hubstack.inputs.init.workloads import NOT_SERVED, ConfigMaps, Workload, mounted_files
from hubstack.inputs.models_schema import DEFAULT_CONTEXT

_HUB_TOKENS = frozenset({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_API_TOKEN", "HUGGINGFACEHUB_API_TOKEN"})
_FOLDERS = frozenset({"cache", "data", "hub", "huggingface", "mnt", "model", "models", "snapshots", "weights"})
"""Folder names that are never the owner of a model."""
_LOST_PARTS = (
    *(("spec", "model", "lora"), ("spec", "prefill"), ("spec", "worker"), ("spec", "parallelism")),
    *(("spec", "predictor", "workerSpec"), ("spec", "transformer"), ("spec", "explainer")),
    *(("spec", "predictor", key) for key in ("canaryTrafficPercent", "containerConcurrency", "scaleTarget")),
    *(("spec", "template", "spec", "containerConcurrency"), ("spec", "traffic")),
)
_OURS = "hubstack.dev/model"
_DEVICES = ("nvidia.com/gpu", "google.com/tpu", "amd.com/gpu")


def read_workload(
    workload: Workload, maps: ConfigMaps, catalog: Catalog, classes: Classes
) -> list[Entry | Unknown] | None:
    """Return the models that a workload serves; None if it runs no known engine and requests no accelerator."""
    found: list[Entry | Unknown] = []
    held = containers(workload)
    for container in held:
        env = variables(container, workload.namespace, maps)
        try:
            run = commands(container, env, mounted_files(workload, container, maps))
        except ValueError:
            why = f"the script of its container `{container.at('name').text}` has an unclosed quote"
            found.append(Unknown(origin=workload.origin, why=why, hint="add its model to the list by hand"))
            continue
        servers = _by_model(find_servers(workload, container, env, run))
        sources = sources_of(workload, container, run, maps) if servers else []
        entries = [_entry(server, sources, catalog, classes) for server in servers]
        one_of = len(entries) > 1 and any(server.is_branch for server in servers)
        found += [_one_of(each, servers) for each in entries] if one_of else entries
    is_plain = workload.kind not in NOT_SERVED and not workload.role
    if not found and is_plain and any(_devices(container) for container in held):
        why = "it requests accelerators but runs no known engine"
        found.append(Unknown(origin=workload.origin, why=why, hint="if it serves a Hub model, list it by hand"))
    return found or None


def one_for_all_roles(found: Sequence[Entry | Unknown]) -> list[Entry | Unknown]:
    """Return one entry for each model of an object: its decode and prefill become one kind of server."""
    kept: dict[object, Entry | Unknown] = {}
    for each in sorted(found, key=lambda one: isinstance(one, Entry) and "prefill" in one.role.lower()):
        first = kept.setdefault(each.id if isinstance(each, Entry) and each.role else id(each), each)
        if isinstance(first, Entry) and isinstance(each, Entry) and first is not each:
            kept[each.id] = with_note(first, _served_too(each, each.role))
    return list(kept.values())


def without_prefill(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries without the workloads that prefill for another one of the same model."""
    decoding = {each.id for each in entries if each.role == "decode"}
    apart = [each for each in entries if each.role == "prefill" and each.id in decoding]
    found: list[Entry] = []
    for each in entries:
        if each not in apart:
            notes = [_served_too(one, one.origin) for one in apart if (one.id, each.role) == (each.id, "decode")]
            found.append(with_note(each, *notes))
    return found


def _served_too(entry: Entry, name: str) -> str:
    told = entry.settings["replicas"].value if "replicas" in entry.settings else {"min": 1, "max": 1}
    count = " to ".join(str(each) for each in dict.fromkeys(told.values()))
    return f"{name} serves it too, with replicas: {count}; hubstack runs one kind of server for a model"


def _by_model(servers: Sequence[Server]) -> list[Server]:
    """Return the first server of each model: a script may start one again, or with other flags."""
    found: dict[str, Server] = {}
    for server in servers:
        model = _model(server)
        found.setdefault(model.text if model else "", server)
    return list(found.values())


def _one_of(entry: Entry | Unknown, servers: Sequence[Server]) -> Unknown:
    """Return that a container starts one of several models, by what is not in the manifests."""
    shown = " or ".join(f"`{clean(model.text)}`" for server in servers if (model := _model(server)))
    hint = "list the one that it starts"
    guess = entry.id if isinstance(entry, Entry) else entry.guess
    return Unknown(origin=entry.origin, why=f"a condition of its script starts {shown}", hint=hint, guess=guess)


def _entry(server: Server, sources: Sequence[Source], catalog: Catalog, classes: Classes) -> Entry | Unknown:
    workload, row = server.workload, server.row
    model, tail = _at(server, _model(server))
    staged = staged_from(server.container, model, sources)
    folder = model.text if model else ""
    if staged and model:
        model = Word(staged[0].repo_id, model.mark)
    served = [value for flag in server.flags if flag.name in row.names for value in flag.values]
    kserve = workload.root.at("spec", "model", "name")
    if workload.kind == "LLMInferenceService" and kserve.text:
        served.append(kserve.text)
    if workload.kind in NOT_SERVED:
        why = f"{row.name} in a {workload.kind}: {NOT_SERVED[workload.kind]}"
        guess = model.text if model and _is_hub_id(model.text) else None
        return Unknown(
            origin=workload.origin, why=why, hint="list its model by hand if you want to serve it", guess=guess
        )
    ours = workload.annotation(_OURS) if _is_hub_id(workload.annotation(_OURS)) else ""
    if not ours and (model is None or not _is_hub_id(model.text)):
        return _unknown(server, model, served, [source.download for source in sources])
    repo_id = ours or (model.text if model else "")
    settings, rest = settings_of(server.flags, row, folder)
    if staged and not ours:
        settings |= _of_download(*staged, row)
    rest = [flag for flag in rest if flag.name not in {*row.model, *row.path, *row.names}]
    if tail and not row.tags_quantization:
        settings["revision"] = Setting(value=tail, source=f"the model URI, line {model.mark.line if model else 0}")
    if row.engine and not ours:
        settings["engine"] = Setting(value=row.engine, source=f"{row.name}, line {server.container.mark.line}")
    settings |= _replicas(workload) | node_settings(workload.pod, catalog, classes)
    if tail and row.tags_quantization and re.fullmatch(r"[\w.-]{1,32}", tail):
        line = model.mark.line if model else 0
        settings["file"] = Setting(value=f"*{tail}*.gguf", source=f"the quantization {tail}, line {line}")
    name, others = _name(server, repo_id, served, is_ours=bool(ours))
    if name:
        settings["name"] = name
    return Entry(
        id=repo_id,
        origin=workload.origin,
        role=workload.role or workload.stage,
        settings=settings,
        spare_name=names.slug(workload.name),
        notes=tuple(
            _notes_from_hubstack(workload)
            if ours
            else (
                *_notes(server, rest, others),
                *node_notes(workload.pod, catalog, classes),
                *_notes_of_meaning(server, settings),
            )
        ),
    )


def _of_download(download: Download, file: str, row: EngineFlags) -> dict[str, Setting]:
    found: dict[str, Setting] = {}
    if download.revision not in {"", "main"} and "$" not in download.revision:
        found["revision"] = Setting(value=download.revision, source="the download")
    if file and row.tags_quantization:
        found["file"] = Setting(value=file, source="the download")
    return found


def _model(server: Server) -> Word | None:
    """Return the argument that names the model."""
    row, workload = server.row, server.workload
    for part in (workload.root.at("spec", "model", "uri"), server.container.at("storageUri")):
        if part.text:
            return Word(part.text, part.mark)
    for flag in reversed(server.flags):
        if flag.name in (*row.model, *row.path) and flag.values:
            text = flag.values[-1]
            return Word(f"./{text}" if flag.name in row.path and not text.startswith("/") else text, flag.mark)
    return server.bare[0] if row.positional and server.bare else None


def _at(server: Server, model: Word | None) -> tuple[Word | None, str]:
    """Split a revision (KServe's `hf://`) or a quantization (llama.cpp) from the model."""
    if model is not None and server.row.hub_hosts:
        host = next((each for each in server.row.hub_hosts if model.text.startswith(each)), None)
        if host is None:
            return Word(model.text if ":" in model.text else f"{model.text}:latest", model.mark), ""
        model = Word(model.text.removeprefix(host), model.mark)
    if model is None or not (model.text.startswith("hf://") or server.row.tags_quantization):
        return model, ""
    repo_id, _, tail = model.text.removeprefix("hf://").partition(":")
    return Word(repo_id, model.mark), tail


def _is_hub_id(text: str) -> bool:
    parts = text.split("/")
    fine = [re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?", part) for part in parts]
    return len(parts) <= 2 and all(fine) and "--" not in text and ".." not in text


def _unknown(server: Server, model: Word | None, served: Sequence[str], found: Sequence[Download]) -> Unknown:
    workload, row = server.workload, server.row
    ids = {each.repo_id for each in found if _is_hub_id(each.repo_id)}
    told = {each.value for name, each in server.env.items() if each.value and names_model(name, each.value)}
    ids |= {text for text in told if "/" in text and _is_hub_id(text)}
    guess = (next(iter(ids)) if len(ids) == 1 else None) or _guess(model.text if model else "", served)
    hint = (
        f"it looks like `{guess}`: if that is its Hub ID, uncomment the line"
        if guess
        else "find out which Hub model it is, and list its ID"
    )
    if model is None and server.unread:
        why = f"the flags of {row.name} are in `{clean(server.unread)}`, which is not in these files"
        mark = server.container.mark
    elif model is None:
        mark, why = server.container.mark, f"{row.name} has no model argument"
    elif row.hub_hosts and "$" not in model.text:
        mark, why = model.mark, f"{row.name} serves `{clean(model.text)}` of its own library"
    elif "$" in model.text:
        mark, why = model.mark, f"{row.name} serves `{clean(model.text)}`, whose value is not in these files"
    else:
        mark, why = (
            model.mark,
            f"{row.name} serves the path `{clean(model.text)}`, which does not contain a Hub ID",
        )
    return Unknown(origin=f"{workload.label}, {mark.path}:{mark.line}", why=why, hint=hint, guess=guess)


def _guess(path: str, served: Sequence[str]) -> str | None:
    """Return a likely Hub ID derived from a path or served names; unverified."""
    cached = re.search(r"models--([\w.-]+?)--([\w.-]+?)(?:/|$)", path)
    tail = re.search(r"/[\w.-]+/([\w.-]+/[\w.-]+)/?$", path)
    found = [name for name in served if "/" in name]
    found += [f"{cached[1]}/{cached[2]}"] if cached else []
    found += [tail[1]] if tail and tail[1].partition("/")[0] not in _FOLDERS else []
    return next((name for name in found if _is_hub_id(name)), None)


def _replicas(workload: Workload) -> dict[str, Setting]:
    told = workload.replicas
    if (told.min, told.max) == (1, 1):
        return {}
    value = {"min": told.min} if told.max is None else {"min": told.min, "max": max(told.max, told.min, 1)}
    return {"replicas": Setting(value=value, source=told.source)}


def _name(
    server: Server, repo_id: str, served: Sequence[str], *, is_ours: bool
) -> tuple[Setting | None, list[str]]:
    """Return the key that keeps the name that clients use, and the served names that are lost."""
    usual = names.key_of(repo_id)
    label = server.workload.root.at("metadata", "labels", "app.kubernetes.io/instance")
    if is_ours and label.text:
        wanted, line = [label.text], label.mark.line
    else:
        wanted = [name for name in served if name != repo_id]
        said = server.workload.root.at("spec", "model", "name")
        flagged = (flag.mark.line for flag in server.flags if flag.name in server.row.names)
        line = next(flagged, said.mark.line)
    fit = next((name for name in wanted if _is_key(name)), None)
    lost = [name for name in wanted if name != fit]
    if fit is None or fit == usual:
        return None, lost
    return Setting(value=fit, source=f"the served name, line {line}"), lost


def _is_key(name: str) -> bool:
    fits = len(name) <= names.KEY_MAX and re.fullmatch(names.KEY_PATTERN, name)
    return bool(fits) and name not in names.RESERVED_KEYS


def _devices(container: Part) -> list[str]:
    limits = container.at("resources", "limits")
    return [f"{limits.at(key).text} {key}" for key in _DEVICES if limits.at(key).text not in {"", "0"}]


def _notes_from_hubstack(workload: Workload) -> Iterator[str]:
    commit = workload.annotation("hubstack.dev/commit")
    if re.fullmatch(r"[0-9a-f]{40}", commit):
        yield f"it runs commit {commit}; `hubstack lock` takes the newest commit of its branch"


def _notes(server: Server, rest: Sequence[Flag], names_lost: Sequence[str]) -> Iterator[str]:
    """Yield a note for each thing that is not carried over, without values that may be secrets."""
    decided, lost = redundant_and_lost_flags(rest)
    if decided := [*decided, *_devices(server.container)]:
        yield f"set by hubstack: {', '.join(decided)}"
    lost += [".".join(path) for path in _LOST_PARTS if server.workload.root.at(*path).value]
    if lost:
        yield f"not carried over: {', '.join(lost)}"
    if server.unread:
        yield f"not read: the flags in `{clean(server.unread)}`, which is not in these files"
    for name in names_lost:
        if re.fullmatch(r"[\w.:/-]{1,96}", name):
            yield f"clients that use the model name `{name}` must switch to its ID or key"
    words = " ".join(part.text for key in ("command", "args") for part in server.container.at(key).items())
    used = {name for name in server.env if re.search(rf"\$[({{]?{re.escape(name)}\b", words)}
    variables_lost = sorted(set(server.env) - server.row.variables.keys() - _HUB_TOKENS - used)
    if variables_lost:
        yield f"variables not carried over (values are never copied): {', '.join(variables_lost)}"
    if _HUB_TOKENS & server.env.keys():
        yield "it uses a Hub token: set it with `pulumi config set --secret hubstack:hfToken`"


def _notes_of_meaning(server: Server, settings: Mapping[str, Setting]) -> Iterator[str]:
    """Yield a note where a setting means something different in hubstack."""
    row, told = server.row, server.workload.replicas
    if told.min == 0 and told.source.startswith("replicas,"):
        yield "it is stopped: with `replicas.min: 0`, hubstack starts it at the first request"
    if server.workload.kind == "JobSet":
        yield "a JobSet may end, and hubstack's servers do not"
    if row.note:
        yield row.note
    if "context" not in settings and any(told["key"] == "context" for told in row.keys.values()):
        yield f"no context length is set: hubstack uses the model's own limit, at most {DEFAULT_CONTEXT}"
