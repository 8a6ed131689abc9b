# SPDX-License-Identifier: Apache-2.0
"""A model list with some settings changed, for `hubstack plan --what-if context=65536`. Writes nothing.

Owns the syntax of a change: `SETTING=VALUE` for every model, `KEY.SETTING=VALUE` for one. Does not own the rules of
the settings (`hubstack.inputs.models_schema`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import yaml
from pydantic import ValidationError

from hubstack.files.documents import Document
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem, nearest
from hubstack.files.schema_errors import schema_problems
from hubstack.inputs.models import ModelRequest, Request
from hubstack.inputs.models_schema import Settings

PLAIN = ("context", "concurrency", "kv_cache_dtype", "share_gpu", "expert_parallel", "engine", "platform")
SETTINGS = (*PLAIN, "accelerator", "capacity", "replicas.min", "replicas.max")
WHERE = "--what-if"


def change_request(request: Request, changes: Iterable[str]) -> Request:
    """Return the request with the changes applied.

    Raises:
        InputError: a change is malformed or invalid; lists every problem.
    """
    problems: list[Problem] = []
    models = {model.key: model for model in request.models}
    for change in changes:
        name, equals, value = change.partition("=")
        key, setting = _split(name.strip(), models)
        if not equals or setting not in SETTINGS or (key and key not in models):
            problems.append(_unknown(change, key, setting, models))
            continue
        try:
            read = _settings(setting, value)
        except (ValidationError, yaml.YAMLError) as error:
            problems.append(_refused(change, error))
            continue
        for each in [key] if key else list(models):
            models[each] = replace(models[each], settings=models[each].settings.under(read))
    for model in models.values():
        replicas = model.settings.replicas
        if replicas.min > replicas.max:
            bounds = f"min {replicas.min} is above max {replicas.max}"
            problems.append(Problem(path=WHERE, message=f"replicas of `{model.key}`: {bounds}", hint=_BOUNDS))
    if problems:
        raise InputError(problems)
    return replace(request, models=tuple(models[key] for key in sorted(models)))


_BOUNDS = "set both: `--what-if replicas.min=2 --what-if replicas.max=4`"


def _split(name: str, models: Mapping[str, ModelRequest]) -> tuple[str, str]:
    """Split a model's key from the setting; `replicas.min` is a setting, not a model's."""
    if name in SETTINGS:
        return "", name
    key, dot, setting = name.partition(".")
    return (key, setting) if dot and (key in models or setting in SETTINGS) else ("", name)


def _settings(setting: str, value: str) -> Settings:
    """Return the setting, validated as in a file."""
    read = yaml.safe_load(value)
    group, _, bound = setting.partition(".")
    return Settings.model_validate({group: {bound: read} if bound else read})


def _unknown(change: str, key: str, setting: str, models: Mapping[str, ModelRequest]) -> Problem:
    if key and key not in models:
        near = nearest(key, models)
        hint = f"did you mean `{near}`?" if near else f"models: {', '.join(sorted(models))}"
        return Problem(path=WHERE, message=f"no model in the list has the key `{key}`", hint=hint)
    near = nearest(setting, SETTINGS)
    hint = f"did you mean `{near}`?" if near else f"settings: {', '.join(SETTINGS)}"
    return Problem(
        path=WHERE, message=f"`{change}` is not a change: write SETTING=VALUE or KEY.SETTING=VALUE", hint=hint
    )


def _refused(change: str, error: ValidationError | yaml.YAMLError) -> Problem:
    hint = "for all settings see docs/reference/models.md"
    if not isinstance(error, ValidationError):
        return Problem(path=WHERE, message=f"`{change}`: the value is not valid YAML", hint=hint)
    found = schema_problems(Document("", None, {}, {}), error, Settings, hint)[0]
    return Problem(path=WHERE, message=f"`{change}`: {found.message}", hint=found.hint)
