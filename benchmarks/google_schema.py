# SPDX-License-Identifier: Apache-2.0
"""The rules by which the simulated Google provider checks arguments, read from the real provider's source.

    git clone https://github.com/hashicorp/terraform-provider-google-beta
    python -m benchmarks.google_schema PATH_OF_ITS_GIT_DIR COMMIT --write

The names and types of arguments are the SDK's own and are not repeated; here is what the SDK does not say: what is
required, what excludes what, what the server fills in, what replaces, and the form of an id.
"""

import re
import sys
from pathlib import Path
from typing import Any

import yaml

from benchmarks.replacement_facts import (
    FILES,
    MORE,
    called,
    clean,
    entries,
    inside,
    own,
    pulumi_path,
    schema,
    source,
)

TABLE = Path(__file__).resolve().parents[1] / "proof" / "engine" / "google_schema.yaml"
RULES = {"conflicts": "ConflictsWith", "one_of": "ExactlyOneOf", "any_of": "AtLeastOneOf", "with": "RequiredWith"}
_ID = re.compile(r'id, err := tpgresource\.ReplaceVars\w*\(d, config, "([^"]+)"\)')

Path_ = tuple[str, ...]


def literals(body: str, text: str, prefix: Path_ = ()) -> dict[Path_, str]:
    """Map each path of a schema to its literal."""
    found: dict[Path_, str] = {}
    for name, said in entries(body):
        value = said
        if said.startswith("call "):
            value = called(re.match(r"call (?:\w+\.)?(\w+)", said)[1], text) or ""  # type: ignore[index]
        found[(*prefix, name)] = value
        element = re.search(r"Elem:\s*&schema\.Resource\{", value)
        call = re.search(r"Elem:\s*(\w+)\(\)", value)
        inner = inside(value, element.end() - 1) if element else called(call[1], text) if call else None
        start = re.search(r"map\[string\]\*schema\.Schema\{", inner or "")
        if inner and start:
            found |= literals(inside(inner, start.end() - 1), text, (*prefix, name))
    return found


def _blocks(text: str) -> str:
    """Return the schema of a resource as one literal."""
    resource = re.search(r"func Resource\w+\(\) \*schema\.Resource \{", text)
    assert resource
    body = inside(text, resource.end() - 1)
    parts: list[str] = []
    for start in re.finditer(
        r"\n\t\tSchema:\s*(tpgresource\.\w+\(\s*(\w+),\s*)?map\[string\]\*schema\.Schema\{", body
    ):
        if start[2] and (merged := re.search(rf"{start[2]} = map\[string\]\*schema\.Schema\{{", text)):
            parts.append(inside(text, merged.end() - 1))
        parts.append(inside(body, start.end() - 1))
    return ",\n".join(parts)


def _named(kind: str, path: str) -> str | None:
    return pulumi_path(kind, tuple(part for part in path.split(".") if not part.isdigit()))


def _rule(literal: str, word: str) -> list[str]:
    """Return the paths that a rule of the literal's own level names; those of deeper ones are found by themselves."""
    for found in re.finditer(rf"{word}:\s*\[\]string\{{([^}}]*)\}}", literal):
        before = literal[: found.start()]
        if sum(before.count(c) for c in "{(") == sum(before.count(c) for c in "})"):
            return re.findall(r'"([\w.]+)"', found[1])
    return []


def row(kind: str, text: str, more: str, raw: str) -> dict[str, Any]:
    facts, said = schema(text, more), literals(_blocks(text), text + more)
    line: dict[str, Any] = {"source": FILES[kind]}
    if form := _ID.search(raw):
        line["id"] = form[1]
    required, replaced, kept, filled = [], [], [], []
    defaults: dict[str, Any] = {}
    rules: dict[str, dict[str, list[str]]] = {name: {} for name in RULES}
    for path, literal in said.items():
        flat, fact = own(literal), facts.get(path)
        if fact is None:
            continue
        if not fact["input"]:
            if len(path) == 1:
                filled.append(path[0])
            continue
        name = pulumi_path(kind, path)
        if name is None:
            continue
        if re.search(r"Required:\s*true", flat):
            required.append(name)
        if fact["force"]:
            replaced.append(name)
        if fact["kept"]:
            kept.append(name)
        if fact["default"] is not None:
            defaults[name] = fact["default"]
        for rule, word in RULES.items():
            others = [_named(kind, each) for each in _rule(literal, word)]
            rules[rule][name] = sorted({each for each in others if each and each != name})
    line |= {
        key: value
        for key, value in {
            "required": sorted(required),
            "replaced_by": sorted(replaced),
            "kept": sorted(kept),
            "filled": sorted(filled),
            "defaults": dict(sorted(defaults.items())),
            **{key: {k: v for k, v in sorted(value.items()) if v} for key, value in rules.items()},
        }.items()
        if value
    }
    taken = [w.lower() for w in ("Project", "Region") if re.search(rf"\btpgresource\.DefaultProvider{w}\b", text)]
    if taken:
        line["from_provider"] = taken
    return line


def main(arguments: list[str]) -> None:
    folder, commit = arguments[0], arguments[1]

    def read(name: str) -> str:
        return source(folder, commit, name)

    more = "".join(clean(read(name)) for name in MORE)
    table = {kind: row(kind, clean(read(name)), more, read(name)) for kind, name in sorted(FILES.items())}
    head = (
        "# What Google's provider says of its arguments. Written by `python -m benchmarks.google_schema`; do not edit.\n"
        "# id: form of the id. required, replaced_by: paths of arguments. kept: left out, the provider keeps what is\n"
        "# there. filled: attributes (Terraform's names) that only the server sets. conflicts, one_of, any_of, with:\n"
        "# argument to the others of its rule. from_provider: taken from the provider's argument where left out.\n"
    )
    data = {"commit": commit, "repository": "hashicorp/terraform-provider-google-beta", "types": table}
    text = head + yaml.safe_dump(data, sort_keys=False, width=110)
    if "--write" in arguments:
        TABLE.write_text(text)
    else:
        print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
