# SPDX-License-Identifier: Apache-2.0
"""The keys of models.yaml: names, types, limits, defaults and documentation.

Owns what a file may contain and the default of each key; the reference page and the JSON Schema for editors are
generated from it. Does not own reading with positions or which layer comes first (`hubstack.inputs.models`).
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    field_validator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from hubstack import names
from hubstack.files.problems import RefusedError, nearest, shown
from hubstack.inputs.hub_names import (
    DEFAULT_REVISION,
    REVISION_PATTERN,
    model_id_problem,
    own_weights_problem,
    path_problem,
    repo_id_problem,
)
from hubstack.inputs.labels import Labels
from hubstack.kinds import DEFAULT_PLATFORM, CapacityKind, EngineKind, PlatformKind

DEFAULT_CONTEXT = 8192


def _inside(value: str) -> str:
    if value and (problem := path_problem(value)):
        hint = "use a path relative to the repository root: `chat/template.jinja`"
        raise RefusedError(f"`{value}` {problem}", hint)
    return value


def _revision(value: Any) -> Any:
    if isinstance(value, str) and value and (problem := path_problem(value)):
        raise RefusedError(f"`{value}` {problem}", "use a branch, a tag or a 40-character commit hash")
    return value


def _repo_id(value: str) -> str:
    if problem := repo_id_problem(value):
        raise RefusedError(problem, _repo_id_hint(value))
    return value


Revision = Annotated[str, BeforeValidator(_revision)]
Inside = Annotated[str, AfterValidator(_inside)]
"""Maximum length of a path, or of a name with slashes, in a repository."""


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _skip_nulls(cls, value: Any) -> Any:
        """A key without a value (`context:`) is not set."""
        if not isinstance(value, dict):
            return value
        given = cast("dict[str, Any]", value)
        optional = {key for key, field in cls.model_fields.items() if not field.is_required()}
        return {key: each for key, each in given.items() if each is not None or key not in optional}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler, /
    ) -> JsonSchemaValue:
        schema = handler(core_schema)
        shape = handler.resolve_ref_schema(schema)
        for key, field in shape.get("properties", {}).items():
            if key not in shape.get("required", ()):
                shape["properties"][key] = _or_null(field)
        return schema


def _or_null(field: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an optional key, which may be left without a value."""
    if {"type": "null"} in field.get("anyOf", ()):
        return field
    about = {key: field[key] for key in ("title", "description", "default") if key in field}
    kinds = {key: value for key, value in field.items() if key not in about}
    return {"anyOf": [kinds, {"type": "null"}], **about}


class Replicas(_Strict):
    """Minimum and maximum number of replicas."""

    min: int = Field(default=1, ge=0, le=1000)
    """Replicas that always run. With 0 the model and its nodes scale to zero when idle, and the next request waits
    for a cold start."""
    max: int = Field(default_factory=lambda given: max(given.get("min", 1), 1), ge=1, le=1000)
    """Maximum number of replicas. Default: `min`, at least 1."""

    @property
    def is_bounded(self) -> bool:
        """Whether `max` is set, so that traffic cannot raise it."""
        return "max" in self.model_fields_set


class Scaling(_Strict):
    """When replicas are added, and when a model with `replicas.min: 0` scales to zero.

    Has no effect if `replicas.min` equals `replicas.max`. The defaults are our choice: behind a short queue the
    first token still arrives within seconds.
    """

    queue: int = Field(default=5, ge=1, le=1000)
    """Queued requests per replica, on average, above which a replica is added."""
    kv_cache_percent: int = Field(default=80, ge=10, le=100)
    """KV cache use in percent above which a replica is added; engines that do not report it scale by queue only."""
    idle_minutes: int = Field(default=15, ge=1, le=1440)
    """Minutes without a request after which a model with `replicas.min: 0` scales to zero."""


_RESERVATION_NAME = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
RESERVATION_PATTERN = (
    rf"^(projects/([a-z0-9.-]+:)?[a-z][-a-z0-9]{{4,28}}[a-z0-9]/reservations/)?{_RESERVATION_NAME}"
    rf"(/reservationBlocks/{_RESERVATION_NAME}(/reservationSubBlocks/{_RESERVATION_NAME})?)?$"
)
"""As GKE accepts it: a name, or the path of a reservation that another project shares; optionally with a block."""


class CapacityStep(_Strict):
    """One way to provision nodes."""

    kind: CapacityKind = Field(strict=False)
    """Provisioning model."""
    reservation: str | None = Field(default=None, pattern=RESERVATION_PATTERN)
    """Name of the reservation (`kind: reservation` only); `projects/OWNER/reservations/NAME` if another project
    shares it."""
    machine_type: str | None = None
    """Machine type for this step, as reserved. Default: the cheapest that fits."""
    zone: str | None = None
    """Zone of the reservation (`kind: reservation` only); short for `zones` with one zone."""
    accelerator: str | None = None
    """Accelerator for this step: a catalogue ID or a GKE label. The count is that of the first step, and the plan
    checks that the model fits. Default: the accelerator of the first step."""
    zones: tuple[str, ...] = Field(default=(), strict=False, min_length=1, max_length=8)
    """Zones for this step. Default: every zone of the region that has the accelerator."""


def _read_entry(value: Any) -> Any:
    return {"id": value} if isinstance(value, str) else value


_RepoId = Annotated[str, AfterValidator(_repo_id)]


class Adapter(_Strict):
    """A LoRA adapter that is served under its own name, together with the model that it was trained on."""

    id: _RepoId
    """Repository ID of the adapter on the Hub: `owner/name`."""
    name: str | None = Field(default=None, max_length=names.KEY_MAX, pattern=f"^{names.KEY_PATTERN}$")
    """The model name that requests use. Default: derived from the ID, like a model's key."""
    revision: Revision = Field(default=DEFAULT_REVISION, min_length=1, max_length=255, pattern=REVISION_PATTERN)
    """Branch, tag or commit on the Hub; the lock records the commit that it resolved to."""
    base: str | None = Field(default=None, min_length=1, max_length=1000)
    """What it names as its base, if that is the model under another name: a copy, `unsloth/Qwen3-8B`, or the folder
    of own weights, `/home/ml/support`. Otherwise an adapter of another base is refused."""

    @property
    def served_name(self) -> str:
        """The model name that requests use."""
        return self.name or names.key_of(self.id)


ADAPTERS_MAX = 32
"""Maximum adapters of a model: each is a match of its route, whose rule has at most 64 (Gateway API v1)."""
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Values of vLLM's `--max-lora-rank` (0.33.0, config/lora.py), without 1."""
DEFAULT_RANK = 16
"""vLLM's default."""


class Lora(_Strict):
    """LoRA adapters to serve, and the memory reserved for them."""

    adapters: tuple[Annotated[Adapter, BeforeValidator(_read_entry, json_schema_input_type=str | Adapter)], ...] = (
        Field(default=(), strict=False, max_length=ADAPTERS_MAX)
    )
    """Adapters to serve: each a Hub ID, or `{id: acme/support-lora, name: support, revision: v2}`
    (docs/guides/adapters.md)."""
    slots: int | None = Field(default=None, ge=1, le=64)
    """Maximum number of adapters on the accelerator at once, in one batch. Default: the number of `adapters`, at
    most 8; the others wait in host memory."""
    rank: Literal[8, 16, 32, 64, 128, 256, 320, 512] | None = None
    """Maximum rank of an adapter. Default: that of the listed adapters, from their adapter_config.json; 16 without
    any."""

    @model_validator(mode="after")
    def _needs_one(self) -> Self:
        if not self.adapters and self.slots is None:
            raise RefusedError(
                "`lora` needs `adapters` or `slots`", "for example `lora: {adapters: [acme/support-lora]}`"
            )
        return self

    @property
    def slot_count(self) -> int:
        """Adapters on the accelerator at once."""
        return self.slots or min(len(self.adapters), SLOTS_MAX)


SLOTS_MAX = 8
"""Default maximum of slots. Our choice: each takes accelerator memory at the highest rank of all, and adapters that
are not in a batch wait in host memory."""


class Speculative(_Strict):
    """Speculative decoding: propose tokens and keep those that the model accepts."""

    method: Literal["ngram", "mtp", "eagle", "eagle3", "draft_model"]
    """`ngram` proposes tokens from the prompt; `mtp` uses the checkpoint's own multi-token-prediction layers.
    `eagle` and `eagle3` use a head trained on this model, `draft_model` a small model with the same vocabulary:
    `model` names it."""
    tokens: int = Field(default=3, ge=1, le=16)
    """Tokens proposed per step."""
    model: _RepoId | None = None
    """Repository ID of the head or draft model: `yuhuili/EAGLE3-LLaMA3.1-Instruct-8B`."""
    revision: Revision = Field(default=DEFAULT_REVISION, min_length=1, max_length=255, pattern=REVISION_PATTERN)
    """Branch, tag or commit of that repository; the lock records the commit that it resolved to."""

    @model_validator(mode="after")
    def _names_its_model(self) -> Self:
        if self.method in DRAFTED and self.model is None:
            raise RefusedError(
                f"`method: {self.method}` needs a draft repository",
                "add `model: OWNER/NAME` to `speculative`, or use `{method: ngram}`, which needs none",
            )
        if self.method not in DRAFTED and (self.model or "revision" in self.model_fields_set):
            raise RefusedError(
                f"`method: {self.method}` uses no other repository",
                f"remove `model`, or use a method that needs it: {', '.join(sorted(DRAFTED))}",
            )
        return self


DRAFTED = frozenset({"eagle", "eagle3", "draft_model"})
"""Methods that draft with a model of another repository."""


class EngineVersion(_Strict):
    """A serving engine, at one of the catalogue's versions."""

    kind: EngineKind = Field(strict=False)
    """The engine."""
    version: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$")
    """Version of the catalogue, in quotes if it looks like a number. Default: the version that hubstack was
    released with, which changes when hubstack is upgraded."""


_OTHER_ENGINES = frozenset({"lmdeploy", "nim", "ollama", "tensorrt-llm", "tgi", "triton"})
"""Engines that hubstack does not have, whose names are spelled like those of others."""


def _read_engine(value: Any) -> Any:
    kind: Any = cast("dict[str, Any]", value).get("kind") if isinstance(value, dict) else value
    if isinstance(kind, str) and kind.lower() in _OTHER_ENGINES:
        known = ", ".join(engine.value for engine in EngineKind)
        hint = "remove `engine:`, and hubstack chooses one that loads the model"
        raise RefusedError(f"`{kind}` is not an engine of hubstack, which has {known}", hint)
    return {"kind": kind} if isinstance(value, str) else cast("Any", value)


EngineChoice = Annotated[
    EngineVersion, BeforeValidator(_read_engine, json_schema_input_type=EngineKind | EngineVersion)
]


class Canary(_Strict):
    """A second commit of the model, or another engine, that serves a share of its requests. Requires a gateway."""

    revision: Revision | None = Field(default=None, min_length=1, max_length=255, pattern=REVISION_PATTERN)
    """Branch, tag or commit of the same repository; the lock records the commit that it resolved to. Default: the
    model's own."""
    engine: EngineChoice | None = None
    """Engine of the canary: `{kind: vllm, version: 0.32.0}`. Default: the model's own."""
    weight: int = Field(ge=1, le=99)
    """Percentage of the model's requests that this commit serves."""
    replicas: int = Field(default=1, ge=1, le=1000)
    """Maximum number of canary replicas; one always runs."""

    @model_validator(mode="after")
    def _differs(self) -> Self:
        if self.revision is None and self.engine is None:
            raise RefusedError(
                "a canary needs a `revision` or an `engine` that differs from the model's",
                "for example `canary: {revision: v2, weight: 10}`",
            )
        return self


class Slo(_Strict):
    """The service level objective that alerts watch (docs/concepts/monitoring.md)."""

    # Our choice: users who wait longer for the first token assume a failure, and queueing at full load delays about
    # one request in twenty anyway.
    time_to_first_token_seconds: float = Field(default=2.0, ge=0.02, le=600)
    """Maximum time to the first token, or to the whole response for embeddings and ranking. Alerts use the next
    bucket of the engine's histogram, which the plan shows. Placement keeps to it only if it is set."""
    time_per_output_token_seconds: float | None = Field(default=None, ge=0.001, le=60)
    """Maximum time between two tokens of a response. Used for placement (docs/concepts/traffic.md); no alert
    watches it. Default: no limit."""
    latency_percent: float = Field(default=95.0, ge=94, le=99.99)
    """Percentage of requests that must meet the latency target. At least 94: with a lower target the fast-burn
    alert could not fire even if every request were slow."""
    error_percent: float = Field(default=1.0, ge=0.01, le=6)
    """Percentage of requests that may fail with a server error."""


class Batch(_Strict):
    """A file of requests that a Job on the model's nodes runs once, offline."""

    input: str
    """The requests: `gs://bucket/requests.jsonl`, in the format of OpenAI's Batch API."""
    output: str
    """Folder for the answers, in the same bucket: `gs://bucket/answers`. Existing parts are skipped."""
    parts: int = Field(default=1, ge=1, le=10_000)
    """Number of parts that the requests are split into; an interruption repeats only the running parts."""
    parallel: int = Field(default=1, ge=1, le=1000)
    """Parts that run at once; each uses the accelerators of one replica."""
    requests: int | None = Field(default=None, ge=1, le=10_000_000_000)
    """Number of requests in the input, for the estimate of hours and cost. Default: no estimate of either."""

    @field_validator("input", "output")
    @classmethod
    def _is_in_a_bucket(cls, value: str) -> str:
        problem = own_weights_problem(value) if names.is_own(value) else f"`{value}` is not in a bucket"
        if problem:
            hint = "for example `batch: {input: gs://acme-batch/in/may.jsonl, output: gs://acme-batch/out/may}`"
            raise RefusedError(problem, hint)
        return value

    @model_validator(mode="after")
    def _is_one_bucket(self) -> Self:
        (bucket, source), (other, folder) = (
            names.bucket_and_folder(self.input),
            names.bucket_and_folder(self.output),
        )
        if bucket != other:
            why = f"`batch` reads from `{bucket}` and writes to `{other}`: the Job mounts one bucket"
            raise RefusedError(why, f"write to a folder of it: `output: gs://{bucket}/answers`")
        if f"{source}/".startswith(f"{folder}/"):
            raise RefusedError("`batch` would overwrite its input", "use a separate folder for `output`")
        return self


Percent = Annotated[float, Field(ge=0, le=100)]


class Traffic(_Strict):
    """The load to plan for: the model is placed on the cheapest option that serves it within `slo:`."""

    requests_per_second: float = Field(gt=0, le=100_000)
    """Requests per second at the peak."""
    input_tokens: int = Field(ge=1, le=16_777_216)
    """Average input tokens per request, including any prefix; for embeddings and ranking, tokens per text."""
    output_tokens: int = Field(default=0, ge=0, le=16_777_216)
    """Average output tokens per request; 0 for embeddings and ranking."""
    prefix_percent: float = Field(default=0.0, ge=0, le=99)
    """Percentage of input tokens in a prefix shared with an earlier request, which prefix caching skips: a system
    prompt, earlier turns of a chat."""
    hours_per_day: float = Field(default=24.0, gt=0, le=24)
    """Hours per day at the peak, with no requests in the others. Used for the monthly price."""
    profile: tuple[Percent, ...] | None = Field(default=None, strict=False, min_length=24, max_length=168)
    """Load in each hour as a percentage of the peak: 24 numbers for a day, or 168 for a week from Monday. Replaces
    `hours_per_day`."""

    @field_validator("profile")
    @classmethod
    def _is_day_or_week(cls, value: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if value is not None and len(value) not in {24, 168}:
            raise RefusedError(f"a profile has 24 or 168 numbers, not {len(value)}", "give one number per hour")
        return value

    @property
    def hourly(self) -> tuple[float, ...]:
        """Load in each hour of a day or week, as a fraction of the peak."""
        if self.profile:
            return tuple(each / 100 for each in self.profile)
        return tuple(min(max(self.hours_per_day - hour, 0.0), 1.0) for hour in range(24))


class Accelerators(_Strict):
    """The accelerators to choose from."""

    any: tuple[str, ...] = Field(strict=False, min_length=1)
    """Catalogue IDs (`l4`, `h100-80gb`, `tpu-v6e`) or GKE labels (`nvidia-l4`)."""


_STEP_WORDS = tuple(kind.value for kind in CapacityKind if kind is not CapacityKind.RESERVATION)


_RESERVED_WAYS = frozenset({"calendar", "calendar-mode", "future", "future-reservation"})
"""Ways to get a reservation (https://docs.cloud.google.com/compute/docs/instances/future-reservations-overview)."""
_FORMER_WORDS = {
    "dws": "flex-start",
    "preemptible": "spot",
    "queued": "flex-start",
    "queued-provisioning": "flex-start",
    "specific-reservation": "reservation",
    "standard": "on-demand",
}
"""Google's other words for steps."""
_STEP_HINT = "for example `capacity: [reservation: team-a, spot, {kind: on-demand, accelerator: l4}]`"


def _read_step(value: Any) -> Any:
    allowed = f"one of {', '.join(_STEP_WORDS)} or `reservation: NAME`"
    if isinstance(value, CapacityStep):
        return value
    if isinstance(value, str):
        value = {"kind": value}
    if not isinstance(value, dict):
        raise RefusedError(f"a capacity must be {allowed}", _STEP_HINT)
    step = cast("dict[str, Any]", value)
    if "reservation" in step:
        step = {"kind": "reservation", **step}
    kind = step.get("kind")
    if (kind == "reservation") != ("reservation" in step):
        raise (
            RefusedError("a reservation needs its name", "write `reservation: NAME`")
            if kind == "reservation"
            else RefusedError(f"{shown(kind)} has no reservation", "remove `kind`, or remove `reservation`")
        )
    if "kind" not in step:
        raise RefusedError(f"a capacity must be {allowed}", _STEP_HINT)
    known = [*_STEP_WORDS, "reservation"]
    if kind not in known:
        raise RefusedError(f"{shown(kind)} is not a capacity: use {allowed}", _hint_of_step(kind, known))
    if "zone" in step and ("zones" in step or kind != "reservation"):
        raise RefusedError("`zone` is for reservations only; use `zones` to limit other steps", _STEP_HINT)
    if isinstance(zone := step.get("zone"), str):
        step = {key: each for key, each in step.items() if key != "zone"} | {"zones": [zone]}
    return step


def _hint_of_step(kind: object, known: list[str]) -> str:
    """Return what was probably meant by an unknown kind of step."""
    if not isinstance(kind, str):
        return _STEP_HINT
    word, _, name = kind.lower().replace("_", "-").partition(":")
    if word in _RESERVED_WAYS:
        return "it is used as a reservation once Google has made it: `reservation: NAME`"
    near = _FORMER_WORDS.get(word) or nearest(word, known)
    if near == "reservation":
        near = f"reservation: {name.strip() or 'NAME'}"
    return f"did you mean `{near}`?" if near else _STEP_HINT


def _distinct(steps: tuple[CapacityStep, ...]) -> tuple[CapacityStep, ...]:
    return tuple(dict.fromkeys(steps))


def _read_accelerator(value: Any) -> Any:
    return {"any": [value]} if isinstance(value, str) else value


def _read_was(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


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
    CapacityStep,
    BeforeValidator(
        _read_step, json_schema_input_type=Literal["spot", "flex-start", "on-demand"] | _StepJson | _ReservationJson
    ),
]
Steps = Annotated[tuple[Step, ...], Field(strict=False, min_length=1, max_length=8), AfterValidator(_distinct)]
ON_DEMAND = (CapacityStep(kind=CapacityKind.ON_DEMAND),)
AcceleratorChoice = Annotated[
    Accelerators, BeforeValidator(_read_accelerator, json_schema_input_type=str | Accelerators)
]


FORMER_MAX = 4
"""Maximum former keys of a model: each adds two rules to its route, which has at most 16 (Gateway API v1,
HTTPRoute)."""
FormerKey = Annotated[str, Field(max_length=names.KEY_MAX, pattern=f"^{names.KEY_PATTERN}$")]
Former = Annotated[
    tuple[FormerKey, ...],
    Field(strict=False, min_length=1, max_length=FORMER_MAX),
    BeforeValidator(_read_was, json_schema_input_type=FormerKey | list[FormerKey]),
]


_ARGUMENT_MAX, _ENV_MAX, _TEXT_MAX = 64, 64, 8192
"""Most arguments and variables of a model, and the longest value; our choice."""
Scalar = bool | int | float | str
ArgumentValue = Scalar | tuple[Scalar, ...] | dict[str, Any]
"""`true`, `false`, a value, a list of values, or a mapping that is passed as JSON."""


def _read_arguments(value: Any) -> Any:
    """Return the arguments by flag without its dashes."""
    if not isinstance(value, dict):
        return value
    given = cast("dict[Any, Any]", value)
    if len(given) > _ARGUMENT_MAX:
        raise RefusedError(f"at most {_ARGUMENT_MAX} arguments, not {len(given)}", _ARGUMENT_HINT)
    found: dict[str, Any] = {}
    for key, each in given.items():
        name = str(key).removeprefix("--")
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,99}", name):
            spelled = re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")
            raise RefusedError(
                f"{shown(key)} is not a flag", f"did you mean `{spelled}`?" if spelled else _ARGUMENT_HINT
            )
        if name in found:
            raise RefusedError(f"`{name}` is given twice", "remove one of them")
        for text in _texts_in(each):
            _check_value(name, text)
        found[name] = tuple(cast("list[Any]", each)) if isinstance(each, list) else each
        if each is None or each == []:
            raise RefusedError(f"`{name}` has no value", "write `true` for a flag that takes no value")
    return found


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in cast("dict[Any, Any]", value).items():
            yield str(key)
            yield from _texts_in(each)
    elif isinstance(value, list | tuple):
        for each in cast("list[Any]", value):
            yield from _texts_in(each)


def _check_value(name: str, text: str) -> None:
    """Refuse what Kubernetes, a shell or the parser would take for something else than a value."""
    if len(text) > _TEXT_MAX:
        raise RefusedError(
            f"the value of `{name}` is longer than {_TEXT_MAX:,} characters", "mount it with `files:`"
        )
    if "$(" in text:
        raise RefusedError(f"the value of `{name}` has `$(`, which Kubernetes would expand", "remove it")
    if text.startswith("--"):
        raise RefusedError(f"the value of `{name}` starts like a flag: {shown(text)}", "give each flag its own key")
    if any((ord(letter) < 32 and letter not in "\n\t") or ord(letter) == 127 for letter in text):
        raise RefusedError(f"the value of `{name}` has control characters", "remove them")


_ARGUMENT_HINT = "for example `engine_args: {max-logprobs: 50, enable-prefix-caching: false}`"
_ENV_HINT = "for example `env: {VLLM_LOGGING_LEVEL: DEBUG}`"


def _read_env(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    given = cast("dict[Any, Any]", value)
    if len(given) > _ENV_MAX:
        raise RefusedError(f"at most {_ENV_MAX} variables, not {len(given)}", _ENV_HINT)
    for key, each in given.items():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,127}", str(key)):
            raise RefusedError(f"{shown(key)} is not the name of a variable", _ENV_HINT)
        if isinstance(each, bool) or not isinstance(each, str | int | float):
            raise RefusedError(f"the value of `{key}` must be text", f'put it in quotes: `{key}: "1"`')
        if isinstance(each, str):
            _check_value(str(key), each)
    return {str(key): str(each) for key, each in given.items()}


FILES_MAX = 8
"""Most files of a model; our choice."""


def _read_files(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    paths = cast("list[Any]", value)
    for path in paths:
        if not isinstance(path, str):
            raise RefusedError(f"{shown(path)} is not a path", _FILES_HINT)
        if problem := path_problem(path):
            raise RefusedError(f"`{path}` {problem}".replace("repository", "list's folder"), _FILES_HINT)
        if not re.fullmatch(r"([A-Za-z0-9_][A-Za-z0-9_.-]*/)*[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", path):
            raise RefusedError(f"`{path}` has characters that a mounted file may not have", _FILES_HINT)
    names_ = [str(path).rpartition("/")[2] for path in paths]
    if twice := next((name for name in names_ if names_.count(name) > 1), None):
        raise RefusedError(f"two files are named `{twice}`, and both would be mounted in one folder", "rename one")
    return paths


_FILES_HINT = (
    "use paths relative to the list, with letters, digits, `_`, `.`, `-` and `/`: `files: [templates/chat.jinja]`"
)
Files = Annotated[
    tuple[str, ...],
    BeforeValidator(_read_files, json_schema_input_type=list[str]),
    Field(strict=False, max_length=FILES_MAX),
]
EngineArguments = Annotated[dict[str, ArgumentValue], BeforeValidator(_read_arguments)]
Environment = Annotated[
    dict[str, str], BeforeValidator(_read_env, json_schema_input_type=dict[str, str | int | float])
]

MERGED = frozenset({"replicas", "scaling", "slo"})
"""Mappings that are merged key by key; a later value of any other setting replaces the earlier one."""


class Settings(_Strict):
    """Settings of one model, also accepted under `defaults:` and `overrides:`."""

    revision: Revision = Field(default=DEFAULT_REVISION, min_length=1, max_length=255, pattern=REVISION_PATTERN)
    """Branch, tag or commit on the Hub; the lock records the commit that it resolved to."""
    platform: PlatformKind = Field(default=DEFAULT_PLATFORM, strict=False)
    """Where the model is served: `gke` nodes, `cloud-run` (one L4 or RTX PRO 6000 per instance, no cost while idle;
    docs/concepts/cloud-run.md) or `vertex` (Model Garden)."""
    context: int | None = Field(
        default=None,
        ge=128,
        le=16_777_216,
        description="Maximum tokens per sequence, prompt and response together. Default: the model's own limit, at "
        f"most {DEFAULT_CONTEXT}.",
    )
    concurrency: int = Field(default=2, ge=1, le=4096)
    """Full-context sequences that must fit in the KV cache at once. More and shorter sequences run together as
    memory allows."""
    replicas: Replicas = Replicas()
    """Number of replicas: `{min: 0, max: 4}`."""
    scaling: Scaling = Scaling()
    """When to scale: `{queue: 10, idle_minutes: 60}`."""
    capacity: Steps = Field(default=ON_DEMAND, json_schema_extra={"default": [str(CapacityKind.ON_DEMAND)]})
    """Ways to provision nodes, in order of preference: `spot`, `on-demand`, `flex-start`, `reservation: NAME`; or a
    mapping `{kind: on-demand, accelerator: l4, zones: [...]}` for another accelerator or zone. Each must be
    available for the machine type, and the plan checks that the model fits on each."""
    accelerator: AcceleratorChoice | None = None
    """An accelerator, or `{any: [...]}` to allow several. Default: the cheapest that fits."""
    engine: EngineChoice | None = None
    """Serving engine, `vllm`, or `{kind: vllm, version: 0.32.0}` for another version of the catalogue
    (docs/guides/pin-engine.md). Default: chosen from the model's Hub metadata."""
    engine_args: EngineArguments = Field(default={})
    """Arguments of the engine that no key sets, checked against its version: `{max-logprobs: 50,
    enable-prefix-caching: false, limit-mm-per-prompt: {image: 2}}` (docs/guides/pin-engine.md)."""
    env: Environment = Field(default={})
    """Environment variables of the engine: `{VLLM_LOGGING_LEVEL: DEBUG}`. Never secrets."""
    files: Files = ()
    """Small text files in the list's folder, mounted in the server at `/etc/hubstack/files`: `[templates/a.jinja]`,
    for `chat_template:` and `engine_args:`. A change restarts the servers."""
    file: Inside | None = None
    """For GGUF repositories: the file to serve. Default: the Q4_K_M file."""
    share_gpu: bool = False
    """Share a GPU with other models that set this, each with a fixed share of its memory (GKE time-sharing, without
    memory or fault isolation). Otherwise it has GPUs of its own."""
    kv_cache_dtype: Literal["auto", "fp8"] = "auto"
    """Data type of the KV cache; `fp8` halves its size at some loss of quality. `auto` is the model's own."""
    expert_parallel: bool = False
    """Mixture of experts: place whole experts on each accelerator instead of a slice of every expert. Always
    so if the model can only be split this way."""
    lora: Lora | None = None
    """`{adapters: [acme/support-lora]}`: LoRA adapters to serve (docs/guides/adapters.md). `{slots: 4, rank: 16}`
    only reserves memory."""
    speculative: Speculative | None = None
    """Speculative decoding: `{method: mtp, tokens: 1}`. With a head of another repository: `{method: eagle3, model:
    owner/head}` (docs/guides/speculative.md)."""
    traffic: Traffic | None = None
    """Expected load, which decides replicas, accelerator and batch limits: `{requests_per_second: 5, input_tokens:
    1500, output_tokens: 300}` (docs/concepts/traffic.md). Without it, the model gets the cheapest option that
    fits, and `replicas`."""
    slo: Slo = Slo()
    """Service level objective: `{time_to_first_token_seconds: 5, error_percent: 0.5}`."""
    tool_call_parser: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    """The engine's tool-call parser (`hermes`, `llama3_json` ...); turns on automatic tool choice."""
    reasoning_parser: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    """The engine's reasoning parser (`qwen3`, `deepseek_r1` ...)."""
    chat_template: Inside | None = Field(default=None, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]{0,254}$")
    """Chat template file in the repository, or one of `files:`, used instead of the tokenizer's."""
    canary: Canary | None = None
    """`{revision: REV, weight: 10}`: this commit serves 10 % of the requests (docs/guides/canary.md)."""
    loading: Literal["auto", "runai-streamer", "gcsfuse", "hyperdisk-ml"] = "auto"
    """How servers load weights: `runai-streamer` streams them from the bucket to the accelerator (vLLM on GPUs,
    safetensors), `gcsfuse` mounts the bucket, `hyperdisk-ml` mounts a disk filled from it, in one zone.
    `auto` is the streamer if the engine supports it and it saves two minutes of loading, otherwise `gcsfuse`."""
    cache: Literal["none", "anywhere"] = "none"
    """`anywhere` adds an Anywhere Cache to the model's bucket in each zone of its nodes; it is billed, and deleting
    it takes an hour."""
    labels: Labels = Field(default={})
    """Labels on the model's pods, bucket and Cloud Run or Vertex AI resources, over those of the stack: `{team:
    search, cost-center: "1234"}`."""
    team: str | None = Field(default=None, pattern=r"^[a-z]([-a-z0-9]{0,28}[a-z0-9])?$")
    """Team that owns the model, a key of the setting `hubstack:teams`: the model then runs in the team's namespace,
    with its labels. Changing it replaces the model's servers."""
    keep_previous: bool = False
    """Keep the weights of the previously locked commit, so that a rollback needs no download. Otherwise they
    are deleted once the servers have switched."""
    batch: Batch | None = None
    """`{input: gs://bucket/in.jsonl, output: gs://bucket/out}`: answers a file of requests offline, on the model's
    nodes (docs/guides/batch.md)."""
    license: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9.+-]{0,63}$")
    """Licence of own weights (`gs://`), as an SPDX ID or as the Hub writes it: `apache-2.0`, `llama3.1`. Default:
    that of the folder's README.md. A repository on the Hub states its own."""
    trust_remote_code: bool = False
    """Allow the engine to run Python code from the repository. Otherwise such models are refused."""
    allow_pickle: bool = False
    """Allow pickled weights (`.bin`, `.pt`), which can run code. Otherwise safetensors or GGUF only."""
    allow_unsafe: bool = False
    """Serve the model even if the Hub's security scan flags a file that would be loaded."""
    accept_eula: bool = False
    """On `vertex`: accept the model's terms, as Model Garden requires."""

    @property
    def engine_kind(self) -> EngineKind | None:
        """The requested engine; None if it is to be chosen."""
        return self.engine.kind if self.engine else None

    @property
    def is_template_mounted(self) -> bool:
        """Whether the chat template is one of `files:`, not of the repository."""
        return self.chat_template is not None and self.chat_template in self.files

    def version_of(self, kind: EngineKind) -> str | None:
        """Return the requested version of an engine; None for the catalogue's default."""
        return self.engine.version if self.engine and self.engine.kind is kind else None

    @property
    def accelerators(self) -> tuple[str, ...]:
        """The accelerators to choose from, as written; empty means any."""
        return self.accelerator.any if self.accelerator else ()

    def is_default(self, key: str) -> bool:
        """Return whether a key has the value that it has if no layer sets it."""
        return getattr(self, key) == type(self).model_fields[key].default

    def changed(self, **values: Any) -> Self:
        """Return a copy with some keys set to other values, which are not validated."""
        return self.model_copy(update=values)

    def under(self, top: "Settings") -> Self:
        """Return these settings with those that `top` sets over them."""
        values: dict[str, Any] = {}
        for key in top.model_fields_set & Settings.model_fields.keys():
            values[key] = getattr(top, key)
            if key in MERGED:
                base: BaseModel = getattr(self, key)
                given = values[key].model_dump(exclude_unset=True)
                values[key] = base.model_validate(base.model_dump(exclude_unset=True) | given)
        return self.changed(**values)


class EntryRequest(Settings):
    """One model in the list."""

    id: str
    """Repository ID on the Hub, `owner/name`; or own weights in a bucket, `gs://bucket/folder`
    (docs/guides/own-weights.md)."""
    name: str | None = Field(default=None, max_length=names.KEY_MAX, pattern=f"^{names.KEY_PATTERN}$")
    """The model's key, from which all its resources are named; changing it replaces them unless `was` lists the
    former key. Lower-case letters, digits and hyphens. Default: derived from the ID."""
    was: Former = ()
    """The key before a rename, or a list of former keys, oldest first. The resources keep the names derived from
    the oldest key, and clients may use any of the keys. Keep it as long as the model exists: removing it replaces
    every resource (docs/concepts/identity.md)."""

    @field_validator("id")
    @classmethod
    def _is_model_id(cls, value: str) -> str:
        if problem := model_id_problem(value):
            raise RefusedError(problem, _id_hint(value))
        return value

    @field_validator("name")
    @classmethod
    def _is_free(cls, value: str | None) -> str | None:
        if value in names.RESERVED_KEYS:
            raise RefusedError(
                f"`{value}` is reserved by Kubernetes, an engine or the stack itself",
                f"choose another name: `{value}-1`",
            )
        return value


Entry = Annotated[EntryRequest, BeforeValidator(_read_entry, json_schema_input_type=str | EntryRequest)]


class RequestFile(_Strict):
    """A list of Hub models and how to serve them."""

    extends: str | None = None
    """Path, relative to this file, of a file whose list, defaults and overrides this one extends."""
    defaults: Settings | None = None
    """Settings for every model that does not set its own."""
    overrides: dict[str, Settings] | None = None
    """Settings by model key that take precedence over the list; `*` applies to every model. Environments that share
    a list differ by these."""
    models: list[Entry] | None = None
    """The models: each a Hub ID, or a mapping with an `id`."""


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the file, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hubstack models",
        **RequestFile.model_json_schema(mode="validation"),
    }


def _id_hint(model_id: str) -> str:
    """Return a hint with the ID that was probably meant, or the expected form."""
    if not names.is_own(model_id):
        return _repo_id_hint(model_id)
    bare = model_id.rstrip("/")
    if bare != model_id and own_weights_problem(bare) is None:
        return f"did you mean `{bare}`?"
    return "name the folder that has config.json and the weights: `gs://acme-models/llama-support/v3`"


def _repo_id_hint(repo_id: str) -> str:
    """Return a hint with the ID that was probably meant, or the expected form."""
    if re.match(r"(s3|az|abfss?|file|/|gcs):?//", repo_id):
        return "own weights are read from Cloud Storage: `gs://bucket/folder`"
    path = re.sub(r"^(https?://)?(www\.)?(huggingface\.co|hf\.co)/", "", repo_id)
    found = re.match(r"([A-Za-z0-9._-]+/[A-Za-z0-9._-]+)(?:@|/tree/|/blob/|/resolve/|/?$)(.*)$", path)
    if not found or repo_id_problem(found[1]) or found[1] == repo_id:
        return "use `owner/name`, as in the URL of the model page: `Qwen/Qwen3-8B`"
    revision = found[2].split("/")[0]
    return f"did you mean `{found[1]}`{f' with `revision: {revision}`' if revision else ''}?"
