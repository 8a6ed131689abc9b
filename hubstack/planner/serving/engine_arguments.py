# SPDX-License-Identifier: Apache-2.0
"""The arguments and variables that a list gives an engine itself: `engine_args:` and `env:`.

Owns the checks against the flags of the model's engine at its version, and how values become arguments. Does not
own which flags are taken (catalog/engine_arguments.yaml).
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase

from hubstack.catalog import Engine
from hubstack.catalog.engine_arguments import Owner, Ruled, argument_rules
from hubstack.catalog.engine_flags import EngineFlags, engine_flags
from hubstack.files.problems import nearest
from hubstack.files.secrets import kind_of_secret
from hubstack.inputs.models_schema import ArgumentValue, Settings
from hubstack.kinds import EngineKind
from hubstack.planner.engines.spec import EngineSpec, Refusal

OWN_ENV = {
    "DO_NOT_TRACK": "1",
    "HF_HOME": "/tmp/huggingface",  # noqa: S108  an emptyDir of the pod
    "HF_HUB_OFFLINE": "1",
    "HOME": "/tmp",  # noqa: S108
    "USER": "hubstack",
}
"""Variables of every engine."""
JOBS_ENV = "MAX_JOBS"
"""How many compilers of kernels run at once, of engines that compile some."""
_SECRET = re.compile(r"TOKEN$|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIAL", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"^(hf_|sk-|ghp_|github_pat_|glpat-|xox[abp]-|AKIA|AIza|ya29\.|eyJ|-----BEGIN)")
_LOADER_ENV = (
    "LD_*",
    "PYTHON*",
    "PATH",
    "BASH_ENV",
    "ENV",
    "GCONV_PATH",
    "OPENSSL_*",
    "GIT_*",
    "CC",
    "CXX",
    "TRITON_*_PATH",
    "*LOGGING_CONFIG*",
    "TRANSFORMERS_*CACHE",
    "HF_*",
    "HUGGINGFACE_*",
)
_PLATFORM_ENV = (
    "NVIDIA_*",
    "CUDA_VISIBLE_DEVICES",
    "KUBERNETES_*",
    "GOOGLE_*",
    "LWS_*",
    "TPU_*",
    "RANK",
    "WORLD_SIZE",
)


def arguments_of(settings: Settings) -> tuple[str, ...]:
    """Return the arguments of `engine_args:`, in the order of the list; they were checked."""
    return tuple(word for name, value in settings.engine_args.items() for word in _words(f"--{name}", value))


def _words(flag: str, value: ArgumentValue) -> list[str]:
    if isinstance(value, bool):
        # llama.cpp and SGLang list their negative flags; vLLM has one for each switch.
        return [flag] if value else [flag.replace("--", "--no-", 1)]
    if isinstance(value, Mapping):
        return [flag, json.dumps(value, sort_keys=True)]
    if isinstance(value, list | tuple):
        return [flag, *map(str, value)]
    return [flag, str(value)]


def check_arguments(
    settings: Settings, engine: Engine, spec: EngineSpec, writes: frozenset[str]
) -> Iterator[Refusal]:
    """Yield a refusal for each argument and variable that the model's engine may not get.

    Args:
        settings: of the model.
        engine: at the model's version.
        spec: of the engine.
        writes: flags that hubstack writes for this model, besides those that it writes for every model.
    """
    for name, value in settings.engine_args.items():
        text = value if isinstance(value, str) else json.dumps(value)
        if _reveals(text):
            said = f"gives {engine.id} the argument `--{name}`, but {_REVEALED}"
            yield Refusal(why=said, hint=_KEEP_IT_ELSEWHERE, field=f"engine_args.{name}", is_secret=True)
        elif why := _refuse(f"--{name}", value, engine, spec, writes):
            yield replace(why, is_secret=bool(_SECRET.search(name.replace("-", "_"))))
    own = {
        *OWN_ENV,
        *({JOBS_ENV} if spec.compiles_kernels else ()),
        *engine.env,
        *spec.env(0),
        *(name for name, _ in spec.old_driver_env),
        spec.api_key.variable,
    }
    flags = engine_flags(engine).flags if settings.env else dict[str, str | tuple[str, ...]]()
    for name, value in settings.env.items():
        if why := _why_not_env(name, value, spec, own, flags):
            is_secret = why == _REVEALED
            hint = _KEEP_IT_ELSEWHERE if is_secret else f"remove `{name}` from `env:`"
            said = f"sets the variable `{name}`, but {why}"
            yield Refusal(why=said, hint=hint, field=f"env.{name}", is_secret=is_secret)


def _reveals(value: str) -> bool:
    return bool(_SECRET_VALUE.search(value) or kind_of_secret(value))


_REVEALED = "it looks like a secret, and the plan, the state and the pods would show it"
_KEEP_IT_ELSEWHERE = "keep secrets in Secret Manager: docs/concepts/security.md"


def memory_warnings(settings: Settings, engine: Engine) -> Iterator[str]:
    """Yield a warning for each argument whose effect on memory is not known."""
    rules = argument_rules(EngineKind(engine.id)) if settings.engine_args else None
    for name in settings.engine_args:
        if rules and rules.changes_memory(f"--{name}"):
            yield f"the effect of `--{name}` (`engine_args:`) on memory is unknown: check the first start"


def _refuse(
    flag: str, value: ArgumentValue, engine: Engine, spec: EngineSpec, writes: frozenset[str]
) -> Refusal | None:
    field = f"engine_args.{flag.removeprefix('--')}"
    flags, said = engine_flags(engine), f"{engine.id} {engine.version}"
    rule = argument_rules(EngineKind(engine.id)).ruled(flag)
    if rule or flag in writes:
        rule = rule or Ruled(Owner.HUBSTACK, "hubstack sets it for this model")
        hint = f"set `{rule.why}:` instead" if rule.owner is Owner.KEY else f"remove `{flag}` from `engine_args:`"
        because = f"`{rule.why}:` sets it" if rule.owner is Owner.KEY else rule.why
        return Refusal(why=f"passes `{flag}` to {engine.id}, but {because}", hint=hint, field=field)
    positive = flag.replace("--no-", "--", 1)
    if flag not in flags.flags:
        of = "" if flags.version == engine.version else f" (the catalogue has the flags of {flags.version} only)"
        if not flags.flags:
            of = ": the catalogue has no flags of this engine"
        near = nearest(flag, flags.flags)
        hint = f"did you mean `{near.removeprefix('--')}`?" if near else f"its flags: {engine.sources[0]}"
        if positive in flags.flags:
            hint = f"write `{positive.removeprefix('--')}: false`"
        return Refusal(why=f"passes `{flag}` to {said}, which does not have this flag{of}", hint=hint, field=field)
    words = _words(flag, value)
    if value is False and not spec.negates_flags and words[0] not in flags.flags:
        return Refusal(
            why=f"turns `{flag}` off, which is the default of {said}", hint=f"remove `{flag}`", field=field
        )
    if isinstance(value, list | tuple) and flags.flags[flag] != "words":
        return Refusal(
            why=f"passes {said} a list for `{flag}`, which takes one value", hint="give one", field=field
        )
    for fault in flags.faults(words):
        return Refusal(why=f"passes {said} an invalid argument: {fault}", hint=_kind_hint(flags, flag), field=field)
    return None


def _kind_hint(flags: EngineFlags, flag: str) -> str:
    kind = flags.flags[flag]
    if isinstance(kind, tuple):
        return f"one of {', '.join(kind)}"
    kinds = {
        "switch": "`true` or `false`",
        "words": "a list",
        "json": "a mapping, or JSON in quotes",
        "str": "text",
    }
    return f"give it {kinds.get(kind, 'a number')}"


def _why_not_env(name: str, value: str, spec: EngineSpec, own: set[str], flags: Collection[str]) -> str | None:
    rules, prefix = argument_rules(spec.kind), spec.flag_variables
    flag = "--" + name.removeprefix(prefix or "").lower().replace("_", "-")
    is_flag = prefix is not None and name.startswith(prefix) and (bool(prefix) or flag in flags)
    reasons = {
        _REVEALED: bool(_SECRET.search(name)) or _reveals(value),
        "hubstack sets it": name in own or _matches(name, rules.env_own),
        "it weakens security: it adds endpoints for developers, or lets the server load code": _matches(
            name, rules.env_unsafe
        ),
        "it changes which code or files the server loads": _matches(name, _LOADER_ENV),
        "the platform sets it": _matches(name, _PLATFORM_ENV),
        f"it is a flag in another form: `{flag.removeprefix('--')}` of `engine_args:`": is_flag,
    }
    return next((why for why, is_so in reasons.items() if is_so), None)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
