# SPDX-License-Identifier: Apache-2.0
"""Custom resources that name a model in their own fields: KubeAI, KAITO, llm-d, Ray and the vLLM production stack.

Owns these fields. Does not own pods (`workloads`) or other kinds (`unread`).
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from urllib.parse import parse_qsl

import yaml

from hubstack import names
from hubstack.catalog import Catalog
from hubstack.files.documents import Document, parse_documents
from hubstack.files.errors import InputError
from hubstack.inputs.init.command_line import Word
from hubstack.inputs.init.entry import Entry, Setting, Unknown, clean
from hubstack.inputs.init.flags import (
    EngineFlags,
    Flag,
    engine_rows,
    read_flags,
    redundant_and_lost_flags,
    settings_of,
)
from hubstack.inputs.init.objects import Part
from hubstack.inputs.init.unread import HUB_ID, MAX_VALUES, origin_of, unread
from hubstack.inputs.init.workloads import group_of

_SCHEMES = ("hf://", "huggingface://", "https://huggingface.co/", "https://hf.co/")
_KUBEAI_ENGINES = {"": "vLLM", "VLLM": "vLLM", "Infinity": "Infinity", "OLlama": "Ollama"}
_READ_OF_KUBEAI = frozenset(
    {"args", "autoscaling", "autoscalingDisabled", "engine", "features", "maxReplicas", "minReplicas", "owner"}
    | {"replicas", "resourceProfile", "url"}
)
_COMPUTED_OF_VLLM = frozenset({"enableTool", "hfTokenName", "hfTokenSecret", "image", "modelURL", "port", "v1"})


def read_operator(part: Part, catalog: Catalog, *, has_pods: bool) -> list[Entry | Unknown]:
    """Return the models that a custom resource serves, or that it is not read; nothing if it cannot serve one.

    Args:
        part: the object.
        catalog: the catalogue.
        has_pods: whether it has pods, which are read apart.
    """
    readers = {
        ("kubeai.org", "Model"): _kubeai,
        ("kaito.sh", "Workspace"): _kaito,
        ("kaito.sh", "InferenceSet"): _kaito,
        ("kaito.sh", "MultiRoleInference"): _kaito_roles,
        ("llm-d.ai", "ModelService"): _model_service,
        ("ray.io", "RayService"): _ray,
        ("production-stack.vllm.ai", "VLLMRuntime"): _vllm_runtime,
    }
    reader = readers.get((group_of(part), part.at("kind").text))
    return list(reader(part, catalog)) if reader else [*unread(part, has_pods=has_pods)]


@cache
def _kaito_presets() -> Mapping[str, str]:
    return yaml.safe_load(files("hubstack.inputs.init").joinpath("presets.yaml").read_text(encoding="utf-8"))


def _row(name: str) -> EngineFlags:
    return next(row for row in engine_rows() if row.name == name)


def _entry(
    part: Part, model: str, at: Part, settings: dict[str, Setting], *, lost: Sequence[str], served: str = ""
) -> Entry | Unknown:
    """Return the entry for a model.

    Args:
        part: the object.
        model: its Hub ID or URL.
        at: where that is.
        settings: what else is known of it.
        lost: what is not carried over.
        served: the name that clients use.
    """
    repo_id, _, query = model.partition("?")
    scheme = next((each for each in _SCHEMES if repo_id.startswith(each)), "")
    repo_id, extra = repo_id.removeprefix(scheme), list[str]()
    if repo_id.startswith("pvc+hf://"):  # a volume with the Hub's cache: the last two parts are the ID
        repo_id = "/".join(repo_id.split("/")[-2:])
    for word, value in parse_qsl(query):
        if word in {"rev", "revision"}:
            settings["revision"] = Setting(value=value, source=f"the URL, line {at.mark.line}")
        elif re.fullmatch(r"\w{1,32}", word):  # the value may be a secret
            is_model = word == "model" and re.fullmatch(r"[\w.:/-]{1,96}", value)
            extra.append(f"{word}={value}" if is_model else word)
    if not HUB_ID.fullmatch(repo_id):
        more = f" ({', '.join(extra)})" if extra else ""
        kind = part.at("kind").text
        said = f"names the model `{clean(repo_id)[:96]}`{more}, which is not a Hub ID"
        why = f"`{kind}` {said if repo_id else 'names no Hub model'}"
        hint = "find out which Hub model it is, and list its ID"
        return Unknown(origin=origin_of(part, at if repo_id else None), why=why, hint=hint)
    label = served.rpartition("/")[2] or part.at("metadata", "name").text
    key = names.slug(label) if label else ""
    if key and key != names.key_of(repo_id) and len(key) <= names.KEY_MAX and key not in names.RESERVED_KEYS:
        settings["name"] = Setting(value=key, source=f"the name, line {part.at('metadata', 'name').mark.line}")
    shown = [*lost, *(f"`{each}` of the URL" for each in extra)]
    notes = [f"not carried over: {', '.join(shown)}"] if shown else []
    if served not in {"", key, repo_id} and re.fullmatch(r"[\w.:/-]{1,96}", served):
        notes.append(f"clients that use the model name `{served}` must switch to its ID or key")
    return Entry(id=repo_id, origin=origin_of(part), settings=settings, notes=tuple(notes), spare_name=key)


def _bounds(low: Part, high: Part, default: int, limit: int | None = None) -> dict[str, Setting]:
    least = default if low.count is None else low.count
    most = limit if high.count is None else high.count
    if (least, most) == (1, 1):
        return {}
    value = {"min": least} if most is None else {"min": least, "max": max(most, least, 1)}
    return {"replicas": Setting(value=value, source=f"line {(low if low.count is not None else high).mark.line}")}


def _count(part: Part) -> dict[str, Setting]:
    return _bounds(part, part, 1, 1)


def _flags(args: Part, row: EngineFlags, settings: dict[str, Setting]) -> list[str]:
    """Add the settings for flags that have a key in the list; return the flags that are lost."""
    found, _ = read_flags([Word(part.text, part.mark) for part in args.items()])
    read, rest = settings_of(found, row, "")
    settings |= read
    return redundant_and_lost_flags([flag for flag in rest if flag.name not in row.model])[1]


def _fields(part: Part, settings: dict[str, Setting], *, but: frozenset[str] = frozenset()) -> list[str]:
    """Add the settings for fields that are named like flags of vLLM; return the fields that are lost."""
    row, flags, fields = _row("vLLM"), list[Flag](), dict[str, str]()
    for key, each in part.pairs():
        if key in but or each.value in (None, False, "", 0):
            continue
        name = "--" + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", key.replace("_", "-")).lower()
        is_plain = not each.is_mapping and not each.items()
        value = each.text if is_plain else json.dumps(each.value, default=str)
        flags.append(Flag(name=name, values=() if value == "true" else (value,), mark=each.mark))
        fields[name] = key
    read, rest = settings_of(flags, row, "")
    settings |= read
    decided = set(redundant_and_lost_flags(rest)[0])
    return [fields[flag.name] for flag in rest if not decided & {flag.name, f"{flag.name} {' '.join(flag.values)}"}]


def _card(word: str, catalog: Catalog) -> str | None:
    """Return the accelerator that an operator's word means, such as `nvidia-gpu-h100` or `A100-80G`."""
    short = re.sub(r"-\d+x\d+(x\d+)?$", "", word.lower().replace("nvidia-gpu-", "").replace("google-tpu-", "tpu-"))
    for each in (short, f"nvidia-{short}", f"{short}b", f"{short}-80gb", f"nvidia-tesla-{short}"):
        if row := catalog.accelerator(each):
            return row.id
    return None


def _kubeai(part: Part, catalog: Catalog) -> Iterator[Entry | Unknown]:
    spec = part.at("spec")
    scale = spec.at("autoscaling") if spec.at("autoscaling").is_mapping else spec
    is_fixed = spec.at("autoscalingDisabled").value is True
    settings = (
        _count(spec.at("replicas")) if is_fixed else _bounds(scale.at("minReplicas"), scale.at("maxReplicas"), 0)
    )
    engine, profile, url = spec.at("engine").text, spec.at("resourceProfile"), spec.at("url")
    row = _row(_KUBEAI_ENGINES.get(engine, "vLLM"))
    lost = _flags(spec.at("args"), row, settings)
    if card := _card(profile.text.partition(":")[0], catalog):
        settings["accelerator"] = Setting(value=card, source=f"resourceProfile, line {profile.mark.line}")
    elif profile.text:
        lost.append(f"resourceProfile {profile.text[:64]}")
    if engine not in {"", "VLLM"}:
        lost.append(f"the engine {_KUBEAI_ENGINES.get(engine, engine)[:64]}")
    lost += [key for key, each in spec.pairs() if key not in _READ_OF_KUBEAI and each.value]
    model = url.text
    if host := next((each for each in row.hub_hosts if model.startswith(f"ollama://{each}")), None):
        model, _, tag = model.removeprefix(f"ollama://{host}").partition("?")[0].partition(":")
        if re.fullmatch(r"[\w.-]{1,32}", tag):
            source = f"the quantization {tag}, line {url.mark.line}"
            settings["file"] = Setting(value=f"*{tag}*.gguf", source=source)
    yield _entry(part, model, url, settings, lost=lost, served=part.at("metadata", "name").text)


def _kaito(part: Part, _catalog: Catalog) -> Iterator[Entry | Unknown]:
    if part.at("tuning").is_mapping:
        hint = "if you serve what it makes, list that model by hand"
        yield Unknown(origin=origin_of(part), why="it tunes a model, and hubstack runs servers only", hint=hint)
        return
    is_set = part.at("kind").text == "InferenceSet"
    told = part.at("spec", "template") if is_set else part
    preset, resource = told.at("inference", "preset", "name"), told.at("resource")
    lost = [f"instanceType {each.text[:64]}" for each in [resource.at("instanceType")] if each.text]
    lost += [f"count {each.count} of its nodes" for each in [resource.at("count")] if (each.count or 1) > 1]
    lost += ["partition"] if resource.at("partition").value else []
    lost += [key for key, each in told.at("inference").pairs() if key not in {"preset", "template"} and each.value]
    settings = _count(part.at("spec", "replicas")) if is_set else {}
    model = _kaito_presets().get(preset.text, preset.text)
    yield _entry(part, model, preset, settings, lost=lost)


def _kaito_roles(part: Part, _catalog: Catalog) -> Iterator[Entry | Unknown]:
    """Read a disaggregated model, whose replicas are those of its decode role."""
    name, roles = part.at("spec", "model", "name"), part.at("spec", "roles").items()
    decode = [each for each in roles if each.at("type").text != "prefill"]
    settings = _count(decode[0].at("replicas")) if decode else {}
    lost = [f"instanceType {each.text[:64]}" for one in decode for each in [one.at("instanceType")] if each.text]
    lost += ["the role prefill"] if len(decode) < len(roles) else []
    yield _entry(part, _kaito_presets().get(name.text, name.text), name, settings, lost=lost)


def _model_service(part: Part, _catalog: Catalog) -> Iterator[Entry | Unknown]:
    """Read llm-d's ModelService, whose replicas and flags are those of its decode pods."""
    spec, decode = part.at("spec"), part.at("spec", "decode")
    settings = _count(decode.at("replicas"))
    row = _row("vLLM")
    lost = [name for each in decode.at("containers").items() for name in _flags(each.at("args"), row, settings)]
    lost += [key for key in ("baseConfigMapRef", "prefill") if spec.at(key).value]
    lost += [f"decode.{key}" for key in ("acceleratorTypes", "parallelism") if decode.at(key).value]
    uri = spec.at("modelArtifacts", "uri")
    yield _entry(part, uri.text, uri, settings, lost=lost, served=spec.at("routing", "modelName").text)


def _vllm_runtime(part: Part, _catalog: Catalog) -> Iterator[Entry | Unknown]:
    spec, settings = part.at("spec"), dict[str, Setting]()
    config, scale = spec.at("vllmConfig"), spec.at("autoscalingConfig")
    lost = _fields(spec.at("model"), settings, but=_COMPUTED_OF_VLLM)
    lost += _fields(config, settings, but=_COMPUTED_OF_VLLM | {"extraArgs"})
    lost += _flags(config.at("extraArgs"), _row("vLLM"), settings)
    lost += ["lmCacheConfig"] if spec.at("lmCacheConfig", "enabled").value is True else []
    settings |= _count(spec.at("deploymentConfig", "replicas"))
    if scale.at("enabled").value is True:
        settings |= _bounds(scale.at("minReplicas"), scale.at("maxReplicas"), 1)
    url = spec.at("model", "modelURL")
    yield _entry(part, url.text, url, settings, lost=lost)


def _ray(part: Part, catalog: Catalog) -> Iterator[Entry | Unknown]:
    """Read the models of Ray Serve's LLM applications."""
    said = part.at("spec", "serveConfigV2")
    try:
        documents: list[Document] = parse_documents(said.text, said.mark.path, MAX_VALUES)
    except InputError:
        documents = []
    applications = [each for told in documents for each in Part(told, (), told.value).at("applications").items()]
    found = False
    for args in (each.at("args") for each in applications):
        pair = args.at("decode_config"), args.at("prefill_config")
        single = [each for each in (args.at("llm_config"), pair[0]) if each.value]
        for config in [*args.at("llm_configs").items(), *single]:
            found = True
            lost = ["prefill_config"] if config is pair[0] and pair[1].value else []
            yield _ray_model(part, config, catalog, lost)
    if not found:
        why = "its `serveConfigV2` has no `llm_configs`"
        named = [each.guess for each in unread(part, has_pods=True) if each.guess]
        guess = named[0] if len(set(named)) == 1 else None
        yield Unknown(
            origin=origin_of(part), why=why, hint="if its Python serves a Hub model, list it by hand", guess=guess
        )


def _ray_model(part: Part, config: Part, catalog: Catalog, lost: list[str]) -> Entry | Unknown:
    told = config.at("model_loading_config")
    model_id, source = told.at("model_id").text, told.at("model_source")
    hint = "find out which Hub model it is, and list its ID"
    if config.text:
        why = f"a model is configured in `{clean(config.text)[:96]}`, which is not in these files"
        return Unknown(origin=origin_of(part), why=why, hint=hint)
    if source.is_mapping:
        guess = model_id if HUB_ID.fullmatch(model_id) else None
        uri = clean(source.at("bucket_uri").text) or "a bucket"
        why = f"`{part.at('kind').text}` loads `{model_id[:96]}` from `{uri}`, which is not the Hub"
        return Unknown(origin=origin_of(part), why=why, hint=hint, guess=guess)
    settings = dict[str, Setting]()
    deployment, word = config.at("deployment_config"), config.at("accelerator_type").text
    lost += _fields(config.at("engine_kwargs"), settings)
    lost += [key for key in ("lora_config", "runtime_env") if config.at(key).value]
    scale = deployment.at("autoscaling_config")
    replicas = _bounds(scale.at("min_replicas"), scale.at("max_replicas"), 1, 1)
    settings |= replicas if scale.is_mapping else _count(deployment.at("num_replicas"))
    if card := _card(word, catalog) if word else None:
        settings["accelerator"] = Setting(value=card, source="accelerator_type")
    elif word:
        lost.append(f"accelerator_type {word[:64]}")
    plain = {
        key: Setting(value=each.value, source=each.source.partition(", ")[0]) for key, each in settings.items()
    }
    said = part.at("spec", "serveConfigV2")
    return _entry(part, source.text or model_id, said, plain, lost=lost, served=model_id)
