# SPDX-License-Identifier: Apache-2.0
"""Translates an engine's command-line flags into keys of the model list.

Owns how flags.yaml is read and which values may be shown. Does not own which container is a server.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, cast

import yaml
from pydantic import BaseModel, ConfigDict

from hubstack.files.documents import Mark
from hubstack.inputs.init.command_line import Word
from hubstack.inputs.init.entry import Setting

_SWITCH = re.compile(r"--(no|enable|disable|skip|use|allow|enforce|return|async)-")
_SECRET = re.compile(r"key|token|secret|password|passwd|credential|auth", re.IGNORECASE)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([kKmM]?)")
_SCALE = {"": 1, "k": 1000, "K": 1024, "m": 1000**2, "M": 1024**2}
"""As vLLM parses them: lower-case suffixes are powers of ten."""
_LORA, _SPECULATIVE = "--enable-lora", "--speculative-config"
_LORA_PARTS = ("--max-loras", "--max-lora-rank")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A flag and its values."""

    name: str
    values: tuple[str, ...]
    mark: Mark

    @property
    def source(self) -> str:
        """Where it was found, for a comment."""
        return f"{self.name}, line {self.mark.line}"


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EngineFlags(_Row):
    """One engine's row in flags.yaml."""

    name: str
    images: tuple[str, ...]
    model: tuple[str, ...]
    keys: Mapping[str, Mapping[str, str]]
    modules: tuple[str, ...] = ()
    programs: Mapping[str, tuple[str, ...]] = {}
    config: tuple[str, ...] = ()
    positional: bool = False
    path: tuple[str, ...] = ()
    """Flags whose value is a file or folder."""
    names: tuple[str, ...] = ("--served-model-name",)
    variables: Mapping[str, str] = {}
    needs_engine: Mapping[str, str] = {}
    engine: str | None = None
    hub_hosts: tuple[str, ...] = ()
    tags_quantization: bool = False
    note: str | None = None


class _Table(_Row):
    engines: tuple[EngineFlags, ...]
    decided: frozenset[str]
    shown: frozenset[str]
    switches: frozenset[str]


@cache
def _table() -> _Table:
    text = files("hubstack.inputs.init").joinpath("flags.yaml").read_text(encoding="utf-8")
    return _Table.model_validate(yaml.safe_load(text))


def engine_rows() -> tuple[EngineFlags, ...]:
    """Return the known flags of each engine."""
    return _table().engines


def read_flags(words: Sequence[Word], *, many: Sequence[str] = ()) -> tuple[list[Flag], list[Word]]:
    """Return the flags and the positional arguments.

    Args:
        words: the words after the program.
        many: flags that take all words up to the next flag.
    """
    found: list[Flag] = []
    bare: list[Word] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not re.match(r"--?[A-Za-z]", word.text):
            bare.append(word)
            continue
        name, given, value = word.text.partition("=")
        # vLLM and KServe accept `_` for `-` in flag names.
        name = name.replace("_", "-") if name.startswith("--") else name
        values = [value] if given else []
        takes = not given and name not in _table().switches and not _SWITCH.match(name)
        while takes and rest and not re.match(r"--?[A-Za-z]", rest[0].text):
            values.append(rest.pop(0).text)
            takes = name in many
        found.append(Flag(name=name, values=tuple(values), mark=word.mark))
    return found, bare


def settings_of(flags: Sequence[Flag], row: EngineFlags, folder: str) -> tuple[dict[str, Setting], list[Flag]]:
    """Return the keys of the list that the flags set, and the flags that have no matching key.

    Args:
        flags: in order; the last occurrence of a flag applies.
        row: the engine's row in flags.yaml.
        folder: the model argument, to resolve files inside that folder.
    """
    found: dict[str, Setting] = {}
    rest: list[Flag] = []
    for flag in flags:
        told = row.keys.get(flag.name)
        value = _value(flag, told.get("read", "text"), folder) if told else None
        if told is None or value is None:
            rest.append(flag)
        else:
            found[told["key"]] = Setting(value=value, source=flag.source)
    for flag in rest:
        if flag.name in row.needs_engine:
            found["engine"] = Setting(value=row.needs_engine[flag.name], source=flag.source)
    return found | _features(rest), [flag for flag in rest if not _is_feature(flag, rest)]


def _value(flag: Flag, read: str, folder: str) -> Any:
    """Return a flag's value as in the list, or None if it sets nothing there."""
    text = flag.values[-1] if flag.values else ""
    if read == "switch":
        return True if text.lower() in {"", "true", "1"} else None
    if read == "size":
        match = _SIZE.fullmatch(text)
        return int(float(match[1]) * _SCALE[match[2]]) if match else None
    if read == "fp8":
        return "fp8" if text in {"fp8", "fp8_e4m3"} else None
    if read == "template":
        inside = text.removeprefix(f"{folder}/")
        return inside if folder and inside != text else None
    return text if text and "$" not in text else None


def _features(flags: Sequence[Flag]) -> dict[str, Setting]:
    """Return the settings that need several flags."""
    by_name = {flag.name: flag for flag in flags}
    found: dict[str, Setting] = {}
    if _LORA in by_name:
        numbers = {
            name: by_name[name].values[-1] for name in _LORA_PARTS if name in by_name and by_name[name].values
        }
        slots, rank = (numbers.get(name, default) for name, default in zip(_LORA_PARTS, ("1", "16"), strict=True))
        if slots.isdecimal() and rank.isdecimal():
            found["lora"] = Setting(value={"slots": int(slots), "rank": int(rank)}, source=by_name[_LORA].source)
    if (told := by_name.get(_SPECULATIVE)) and (value := _speculative(told)):
        found["speculative"] = Setting(value=value, source=told.source)
    return found


def _speculative(flag: Flag) -> dict[str, Any] | None:
    try:
        told: Any = json.loads(flag.values[-1] if flag.values else "")
    except ValueError:
        return None
    method = cast("dict[str, Any]", told).get("method") if isinstance(told, dict) else None
    tokens = cast("dict[str, Any]", told).get("num_speculative_tokens") if method else None
    return {"method": method, "tokens": tokens} if method in {"ngram", "mtp"} and isinstance(tokens, int) else None


def _is_feature(flag: Flag, flags: Sequence[Flag]) -> bool:
    held = _features(flags)
    return ("lora" in held and flag.name in {_LORA, *_LORA_PARTS}) or (
        "speculative" in held and flag.name == _SPECULATIVE
    )


def redundant_and_lost_flags(flags: Sequence[Flag]) -> tuple[list[str], list[str]]:
    """Return, safe to show, the flags that hubstack sets itself and the flags that are not carried over."""
    decided = [flag for flag in flags if flag.name in _table().decided]
    return list(_shown(decided)), list(_shown([flag for flag in flags if flag not in decided]))


def _shown(flags: Sequence[Flag]) -> Iterator[str]:
    """Yield the flags, with only the values that cannot be secrets."""
    for flag in flags:
        text = " ".join(flag.values)
        is_number = bool(re.fullmatch(r"-?\d{1,9}(\.\d{1,6})?", text)) and not _SECRET.search(flag.name)
        is_word = flag.name in _table().decided | _table().shown and bool(re.fullmatch(r"[\w.:/$()-]{1,40}", text))
        # `-pWORD` is a flag with its value attached.
        name = flag.name if flag.name.startswith("--") or len(flag.name) <= 4 else flag.name[:2]
        if not text:
            yield name
        else:
            yield f"{name} {text}" if is_number or is_word else f"{name} (value not shown)"
