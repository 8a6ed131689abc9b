# SPDX-License-Identifier: Apache-2.0
"""The keys of models.yaml: names, types, limits and the text that documents each.

Owns what a file may say; the reference page and the JSON Schema for editors are made from it. Does not own
reading with positions or the merging of layers: `hubstack.inputs.models` does.
"""

import re
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from hubstack import names
from hubstack.files.problems import RefusedError, nearest, shown
from hubstack.inputs.hub_names import REVISION_PATTERN, path_problem, repo_id_problem
from hubstack.kinds import CapacityKind, EngineKind, PlatformKind


def _inside(value: str) -> str:
    if value and (problem := path_problem(value)):
        hint = "a name, or a path from the repository's root: `chat/template.jinja`"
        raise RefusedError(f"`{value}` {problem}", hint)
    return value


def _revision(value: str) -> str:
    if value and (problem := path_problem(value)):
        raise RefusedError(f"`{value}` {problem}", "name a branch, a tag or a 40-digit commit")
    return value


Revision = Annotated[str, AfterValidator(_revision)]
Inside = Annotated[str, AfterValidator(_inside)]
"""A path, or a name with slashes, in a repository."""


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


class ReplicasRequest(_Strict):
    """Bounds of the number of replicas."""

    min: int | None = Field(None, ge=0, le=1000)
    """Replicas that always run. With 0 the model and its nodes rest once nobody has asked for a while, and the next
    request wakes it and waits. Default 1."""
    max: int | None = Field(None, ge=1, le=1000)
    """Most replicas. Default: `min`, at least 1."""


class ScalingRequest(_Strict):
    """When replicas are added, and when a model with `replicas.min: 0` rests.

    Without effect where `replicas.min` is `replicas.max`.
    """

    queue: int | None = Field(None, ge=1, le=1000)
    """Requests that may wait in a replica's queue before another replica is asked for. Default 5."""
    kv_cache_percent: int | None = Field(None, ge=10, le=100)
    """How full a replica's KV cache may be, in percent, before another one is asked for; engines that do not say it
    are scaled by their queue alone. Default 80."""
    idle_minutes: int | None = Field(None, ge=1, le=1440)
    """Minutes without a request after which a model with `replicas.min: 0` rests. Default 15."""


_RESERVATION_NAME = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
RESERVATION_PATTERN = (
    rf"^(projects/([a-z0-9.-]+:)?[a-z][-a-z0-9]{{4,28}}[a-z0-9]/reservations/)?{_RESERVATION_NAME}"
    rf"(/reservationBlocks/{_RESERVATION_NAME}(/reservationSubBlocks/{_RESERVATION_NAME})?)?$"
)
"""As GKE takes it: by name, or by the path of one that another project shares; with a block of it."""


class CapacityStepRequest(_Strict):
    """One way to buy nodes."""

    kind: Literal["reservation", "spot", "flex-start", "on-demand"]
    """How it is bought."""
    reservation: str | None = Field(None, pattern=RESERVATION_PATTERN)
    """Name of the reservation, of the kind `reservation` only; `projects/OWNER/reservations/NAME` where another
    project shares it."""
    machine_type: str | None = None
    """Machine type that this step buys: a reservation holds one. Default: the cheapest that fits."""
    zone: str | None = None
    """Zone of the reservation, of the kind `reservation` only: short for `zones` with one."""
    accelerator: str | None = None
    """Another accelerator for this step: a catalogue id or GKE label. As many of them as in the first step, and the
    plan shows that the model fits. Default: that of the first step."""
    zones: list[str] | None = Field(None, min_length=1, max_length=8)
    """Zones of the region for this step. Default: every zone that has the accelerator."""


class LoraRequest(_Strict):
    """Room for LoRA adapters beside the model."""

    slots: int = Field(ge=1, le=64)
    """Adapters that are on the accelerator at once."""
    rank: Literal[8, 16, 32, 64, 128, 256, 320, 512] = 16
    """Largest rank of an adapter."""


class SpeculativeRequest(_Strict):
    """Guess several tokens a step, keep those that the model confirms. No second repository is loaded."""

    method: Literal["ngram", "mtp"]
    """`ngram` guesses from the prompt; `mtp` uses the checkpoint's own multi-token-prediction layers."""
    tokens: int = Field(3, ge=1, le=16)
    """Tokens guessed a step."""


class CanaryRequest(_Strict):
    """Another commit of the model, for a part of its requests. Needs a gateway."""

    revision: Revision = Field(min_length=1, max_length=255, pattern=REVISION_PATTERN)
    """Branch, tag or commit of the same repository; the lock holds the commit it resolved to."""
    weight: int = Field(ge=1, le=99)
    """Of 100 requests to the model's names, how many go to this commit."""
    replicas: int = Field(1, ge=1, le=1000)
    """Most replicas of it; one always runs."""


class SloRequest(_Strict):
    """The service level that alerts hold the model to (docs/concepts/monitoring.md)."""

    time_to_first_token_seconds: float | None = Field(None, ge=0.02, le=600)
    """Longest wait for the first token, or for the whole answer of embeddings and ranking. Watched at the next
    bucket of the engine's histogram, which the plan names. Default 2."""
    time_per_output_token_seconds: float | None = Field(None, ge=0.001, le=60)
    """Longest time between two tokens of an answer. Said, it decides what the model is placed on
    (docs/concepts/traffic.md); no alert watches it. Default none."""
    latency_percent: float | None = Field(None, ge=94, le=99.99)
    """Requests that must be that fast, of a hundred. At least 94: below, not even all requests being slow would
    burn the budget at the fast alert's rate. Default 95."""
    error_percent: float | None = Field(None, ge=0.01, le=6)
    """Requests that may fail by the server's fault, of a hundred. Default 1."""


Percent = Annotated[float, Field(ge=0, le=100)]


class TrafficRequest(_Strict):
    """What a model is asked to do: it is placed on what serves this within its `slo:` at the lowest price."""

    requests_per_second: float = Field(gt=0, le=100_000)
    """At the peak."""
    input_tokens: int = Field(ge=1, le=16_777_216)
    """Of an average request, prefix and all; of a text to embed or to rank."""
    output_tokens: int = Field(0, ge=0, le=16_777_216)
    """Of an average answer. 0 for embeddings and ranking, which is the default."""
    prefix_percent: float = Field(0, ge=0, le=99)
    """Of 100 input tokens, how many stand in a prefix that a request before had, so that they are not read again:
    a system prompt, the turns of a chat. Default 0."""
    hours_per_day: float | None = Field(None, gt=0, le=24)
    """Hours of a day at the peak; in the others there are no requests. For the price of a month. Default 24."""
    profile: list[Percent] | None = Field(None, min_length=24, max_length=168)
    """Percent of the peak in each hour: 24 numbers for a day, or 168 for a week that begins on Monday. Instead of
    `hours_per_day`."""

    @field_validator("profile")
    @classmethod
    def _is_day_or_week(cls, value: list[float] | None) -> list[float] | None:
        if value is not None and len(value) not in {24, 168}:
            raise RefusedError(f"a profile has 24 or 168 numbers, not {len(value)}", "one for each hour")
        return value


class AcceleratorRequest(_Strict):
    """Accelerators to choose from."""

    any: list[str] = Field(min_length=1)
    """Catalogue ids (`l4`, `h100-80gb`, `tpu-v6e`) or GKE labels (`nvidia-l4`)."""


_STEP_WORDS = tuple(kind.value for kind in CapacityKind if kind is not CapacityKind.RESERVATION)


_STEP_HINT = "as in `capacity: [reservation: team-a, spot, {kind: on-demand, accelerator: l4}]`"


def _read_step(value: Any) -> Any:
    allowed = f"one of {', '.join(_STEP_WORDS)} or `reservation: NAME`"
    if isinstance(value, str):
        value = {"kind": value}
    if not isinstance(value, dict):
        raise RefusedError(f"a capacity is {allowed}", _STEP_HINT)
    step = cast("dict[str, Any]", value)
    if "reservation" in step:
        step = {"kind": "reservation", **step}
    kind = step.get("kind")
    if "kind" not in step or (kind == "reservation") != ("reservation" in step):
        raise RefusedError(f"a capacity is {allowed}", _STEP_HINT)
    known = [*_STEP_WORDS, "reservation"]
    if kind not in known:
        near = nearest(kind, known) if isinstance(kind, str) else None
        raise RefusedError(
            f"{shown(kind)} is no capacity: {allowed}", f"did you mean `{near}`?" if near else _STEP_HINT
        )
    if "zone" in step and ("zones" in step or kind != "reservation"):
        raise RefusedError("`zone` is of a reservation, which is in one; `zones` limits other steps", _STEP_HINT)
    return step


def _read_accelerator(value: Any) -> Any:
    return {"any": [value]} if isinstance(value, str) else value


def _read_was(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _read_entry(value: Any) -> Any:
    return {"id": value} if isinstance(value, str) else value


class _ReservationJson(BaseModel):
    reservation: str
    machine_type: str | None = None
    zone: str | None = None
    accelerator: str | None = None
    zones: list[str] | None = None


class _StepJson(BaseModel):
    kind: Literal["spot", "flex-start", "on-demand"]
    machine_type: str | None = None
    accelerator: str | None = None
    zones: list[str] | None = None


Step = Annotated[
    CapacityStepRequest,
    BeforeValidator(
        _read_step, json_schema_input_type=Literal["spot", "flex-start", "on-demand"] | _StepJson | _ReservationJson
    ),
]
AcceleratorChoice = Annotated[
    AcceleratorRequest, BeforeValidator(_read_accelerator, json_schema_input_type=str | AcceleratorRequest)
]


FORMER_MAX = 4
"""Former keys of a model: each is two rules of its route, which has at most 16 (Gateway API v1, HTTPRoute)."""
FormerKey = Annotated[str, Field(max_length=names.KEY_MAX, pattern=f"^{names.KEY_PATTERN}$")]
Former = Annotated[
    list[FormerKey],
    Field(min_length=1, max_length=FORMER_MAX),
    BeforeValidator(_read_was, json_schema_input_type=FormerKey | list[FormerKey]),
]


class Settings(_Strict):
    """What can be said of one model, of all by default, or of some as an override."""

    revision: Revision | None = Field(None, min_length=1, max_length=255, pattern=REVISION_PATTERN)
    """Branch, tag or commit on the Hub; the lock holds the commit it resolved to. Default `main`."""
    platform: PlatformKind | None = Field(None, strict=False)
    """Where it is served: `gke` nodes, `cloud-run` (one L4 or RTX PRO 6000 an instance, nothing to pay while idle;
    docs/concepts/cloud-run.md) or `vertex` (Model Garden). Default `gke`."""
    context: int | None = Field(None, ge=128, le=16_777_216)
    """Tokens of one sequence, prompt and answer together. Default: the model's own limit, at most 8192."""
    concurrency: int | None = Field(None, ge=1, le=4096)
    """Sequences of full context that must fit in the KV cache at once. Default 2. More, shorter ones run
    together as memory allows."""
    replicas: ReplicasRequest | None = None
    """`{min: 0, max: 4}`. Default one replica."""
    scaling: ScalingRequest | None = None
    """`{queue: 5, kv_cache_percent: 80, idle_minutes: 15}`, and each by default."""
    capacity: list[Step] | None = Field(None, min_length=1, max_length=8)
    """Ways to buy nodes, first choice first: `spot`, `on-demand`, `flex-start`, `reservation: NAME`; or a mapping
    `{kind: on-demand, accelerator: l4, zones: [...]}` for another accelerator or zone. Each must be sold for the
    machine type, and the plan shows that the model fits on each. Default `[on-demand]`."""
    accelerator: AcceleratorChoice | None = None
    """An accelerator, or `{any: [...]}`. Default: the cheapest that fits."""
    engine: EngineKind | None = Field(None, strict=False)
    """Serving engine. Default: chosen from what the Hub says of the model."""
    file: Inside | None = None
    """For GGUF repositories: the file to serve. Default: the Q4_K_M one."""
    share_gpu: bool | None = None
    """Let servers of other models that say so too run on the same card, each with a fixed part of its memory
    (GKE's time-sharing: no isolation of memory or faults). Default false: a card of its own."""
    kv_cache_dtype: Literal["auto", "fp8"] | None = None
    """Number format of the KV cache; `fp8` halves it at some loss of quality. Default `auto`: the model's own."""
    expert_parallel: bool | None = None
    """Mixture of experts: put whole experts on each accelerator rather than a part of every one. Default false, or
    where only that divides."""
    lora: LoraRequest | None = None
    """`{slots: 4, rank: 16}`: room for LoRA adapters. Default none."""
    speculative: SpeculativeRequest | None = None
    """`{method: mtp, tokens: 1}`. Default none."""
    traffic: TrafficRequest | None = None
    """`{requests_per_second: 5, input_tokens: 1500, output_tokens: 300}`: replicas, accelerator and batch limits
    follow from it (docs/concepts/traffic.md). Default none: the cheapest that fits, and `replicas`."""
    slo: SloRequest | None = None
    """`{time_to_first_token_seconds: 2, latency_percent: 95, error_percent: 1}`, which is the default."""
    tool_call_parser: str | None = Field(None, pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    """The engine's parser of tool calls (`hermes`, `llama3_json` ...); switches automatic tool choice on."""
    reasoning_parser: str | None = Field(None, pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    """The engine's parser of reasoning (`qwen3`, `deepseek_r1` ...)."""
    chat_template: Inside | None = Field(None, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]{0,254}$")
    """A template file of the repository, instead of the one in its tokenizer."""
    canary: CanaryRequest | None = None
    """`{revision: REV, weight: 10}`: that commit serves ten of a hundred requests (docs/guides/canary.md). Default
    none."""
    loading: Literal["auto", "runai-streamer", "gcsfuse", "hyperdisk-ml"] | None = None
    """How a server reads its weights: `runai-streamer` streams them from the bucket into the accelerator (vLLM on
    GPUs, safetensors), `gcsfuse` mounts the bucket, `hyperdisk-ml` mounts a disk filled from it, in one zone.
    Default `auto`: the streamer where it saves two minutes of a load and the engine can, else `gcsfuse`."""
    cache: Literal["none", "anywhere"] | None = None
    """`anywhere`: an Anywhere Cache on the model's bucket in each zone of its nodes; it is billed, and takes an
    hour to delete. Default `none`."""
    keep_previous: bool | None = None
    """Keep the folder of the commit that the lock replaced, so that going back stages nothing. Default false: it
    is removed once the servers have switched."""
    trust_remote_code: bool | None = None
    """Let the engine run Python from the repository. Default false: such a model is refused."""
    allow_pickle: bool | None = None
    """Load pickled weights (`.bin`, `.pt`), which can run code. Default false: safetensors or GGUF only."""
    allow_unsafe: bool | None = None
    """Serve a repository of which the Hub's scan reports a file that would be loaded. Default false."""
    accept_eula: bool | None = None
    """On `vertex`: you accept the model's terms, which Model Garden asks for. Default false."""


class EntryRequest(Settings):
    """One model of the list."""

    id: str
    """Repository id on the Hub: `owner/name`."""
    name: str | None = Field(None, max_length=names.KEY_MAX, pattern=f"^{names.KEY_PATTERN}$")
    """The key: root of the names of all its resources, so changing it replaces them unless `was` names the former
    one. Lower-case letters, digits and hyphens. Default: made from the id."""
    was: Former | None = None
    """The key that the model had before it was renamed; of several a list, oldest first. Its resources stay and
    keep the names that the oldest key gave them, and clients may ask for any of the keys. It must stay here for as
    long as the model does: without it everything is made anew (docs/concepts/identity.md)."""

    @field_validator("id")
    @classmethod
    def _is_repo_id(cls, value: str) -> str:
        if problem := repo_id_problem(value):
            raise RefusedError(problem, _repo_id_hint(value))
        return value

    @field_validator("name")
    @classmethod
    def _is_free(cls, value: str | None) -> str | None:
        if value in names.RESERVED_KEYS:
            raise RefusedError(
                f"`{value}` is a name that Kubernetes or an engine needs", f"choose another: `{value}-1`"
            )
        return value


Entry = Annotated[EntryRequest, BeforeValidator(_read_entry, json_schema_input_type=str | EntryRequest)]


class RequestFile(_Strict):
    """A list of Hub models to serve, and how."""

    extends: str | None = None
    """Another file whose list, defaults and overrides this one builds upon; path relative to this file."""
    defaults: Settings | None = None
    """Settings of every model that does not say otherwise."""
    overrides: dict[str, Settings] | None = None
    """Settings by key that win over the list; `*` means every model. This is how environments that share a
    list differ."""
    models: list[Entry] | None = None
    """The models: a Hub id, or a mapping with an `id`."""


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the file, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hubstack models",
        **RequestFile.model_json_schema(mode="validation"),
    }


def _repo_id_hint(repo_id: str) -> str:
    """Return the id that was meant, or how one looks."""
    path = re.sub(r"^(https?://)?(www\.)?(huggingface\.co|hf\.co)/", "", repo_id)
    found = re.match(r"([A-Za-z0-9._-]+/[A-Za-z0-9._-]+)(?:@|/tree/|/blob/|/resolve/|/?$)(.*)$", path)
    if not found or repo_id_problem(found[1]) or found[1] == repo_id:
        return "an id reads `owner/name`, as in the address of its page: `Qwen/Qwen3-8B`"
    revision = found[2].split("/")[0]
    return f"did you mean `{found[1]}`{f' with `revision: {revision}`' if revision else ''}?"
