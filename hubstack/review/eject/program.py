# SPDX-License-Identifier: Apache-2.0
"""Writes the files of an ejected program, as one would write them by hand with the SDKs.

Owns the statements. Components are dropped, so resources lose their parents: an alias with the old parent tells the
engine that it is the same resource. Options that the SDKs set by default are not written.
"""

import json
import keyword
import re
from collections.abc import Iterator
from typing import Any, cast

import yaml

from hubstack.review.diff.aliases import alias_urns
from hubstack.review.eject.areas import arrange
from hubstack.review.eject.values import Ordered, Writer, snake
from hubstack.review.preview.graph import Resource
from hubstack.review.preview.trace import Call, Source, Trace, sdk_class

_LITERAL = {
    "protect": "protect",
    "retainOnDelete": "retain_on_delete",
    "ignoreChanges": "ignore_changes",
    "replaceOnChanges": "replace_on_changes",
    "deleteBeforeReplace": "delete_before_replace",
    "importId": "import_",
    "hideDiffs": "hide_diffs",
}
_RESERVED = frozenset({"pulumi", "gcp", "kubernetes", "read", "inside", "after"})
_SDKS = {"gcp": "import pulumi_gcp as gcp\n", "kubernetes": "import pulumi_kubernetes as kubernetes\n"}
_SUPPORT = '''"""Helpers shared by the other files."""

from pathlib import Path

import pulumi

_TEXTS = Path(__file__).parents[1] / "texts"


def read(name):
    """Return the content of a file in texts/."""
    return (_TEXTS / name).read_text(encoding="utf-8")


def inside(resource, name, *path):
    """Return a nested output value, resolved only once the resource exists."""

    def dig(found):
        value = found[1]
        for part in path:
            if part.isdigit() and value:
                value = value[int(part)]
            else:
                value = getattr(value, part, None) if value is not None else None
        return value or ""

    return pulumi.Output.all(resource.id, getattr(resource, name)).apply(dig)


def after(value, *resources):
    """Return a value that depends on resources."""
    return pulumi.Output.all(value, *(each.urn for each in resources)).apply(lambda found: found[0])
'''


def program_files(trace: Trace, description: str) -> dict[str, str]:
    """Return a Pulumi program that registers the traced resources without components, as path to text.

    Args:
        trace: trace of the original program.
        description: project description for Pulumi.yaml.

    Raises:
        PreviewError: a value cannot be ejected.
    """
    return _Program(trace).files(description)


class _Program:
    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._every = {each.urn: each.plain() for each in trace.graph.resources}
        self._resources = [each for each in trace.graph.resources if each.custom]
        self._known = {each.urn for each in self._resources}
        self._names = _variables(self._resources)
        self._writer = Writer(trace=trace, variable=self._names.__getitem__)
        self._waits = self._call_waits()

    def files(self, description: str) -> dict[str, str]:
        """Return the files."""
        needs = {each.urn: self._needs(each) for each in self._resources}
        areas = arrange(self._resources, needs)
        self._home = {each.urn: area for area, held in areas.items() for each in held}
        graph = self._trace.graph
        files = {f"stack/{area}.py": self._module(area, held) for area, held in areas.items()}
        files["__main__.py"] = self._main(list(areas))
        files["stack/__init__.py"] = ""
        files["stack/support.py"] = _SUPPORT
        files["requirements.txt"] = _requirements()
        runtime = {"name": "python", "options": {"toolchain": "pip", "virtualenv": ".venv"}}
        said = {"name": graph.project, "description": description, "runtime": runtime, "main": "."}
        files["Pulumi.yaml"] = yaml.safe_dump(said, sort_keys=False)
        return files | {f"texts/{path}": text for path, text in self._writer.texts.items()}

    # Dependencies

    def _needs(self, resource: Resource) -> set[str]:
        named = {*resource.dependencies, *(urn for urns in resource.property_dependencies.values() for urn in urns)}
        sources = self._writer.sources(self._trace.inputs[resource.urn])
        named |= {source.of for source in sources if source.kind == "resource"}
        calls = {int(source.of) for source in sources if source.kind == "call"}
        for number in calls:
            named |= {self._provider_of(self._trace.calls[number].provider) or "", *self._waits[number]}
        named |= {self._provider_of(resource.provider) or "", str(resource.options.get("deletedWith", ""))}
        return (named & self._known) - {resource.urn}

    def _call_waits(self) -> dict[int, set[str]]:
        """Map each call to its dependencies: those shared by all its users and not referenced directly."""
        waits: dict[int, set[str]] = {}
        for resource in self._resources:
            for key, value in self._trace.inputs[resource.urn].items():
                sources = self._writer.sources(value)
                named = {source.of for source in sources if source.kind == "resource"}
                held = {urn for urn in resource.property_dependencies.get(key, ()) if urn in self._known} - named
                for number in {int(source.of) for source in sources if source.kind == "call"}:
                    waits[number] = waits[number] & held if number in waits else held
        return {number: waits.get(number, set()) for number in range(len(self._trace.calls))}

    def _provider_of(self, reference: str | None) -> str | None:
        urn = reference.rsplit("::", 1)[0] if reference else None
        return urn if urn in self._known else None

    # Statements

    def _module(self, area: str, held: list[Resource]) -> str:
        calls = self._calls_of(held)
        own = {each.urn for each in held}
        used = {urn for each in held for urn in self._needs(each)} - own
        statements = [self._statement(each) for each in held]
        for number in calls:  # after the statements, which may need the same resources
            used |= {
                self._provider_of(self._trace.calls[number].provider) or "",
                *self._waits[number],
            } & self._known
        used -= own
        imports = self._imports(used)
        body = "".join(f"\n{text}" for text in statements)
        for number in sorted(calls):
            body = self._before_use(body, number)
        helpers = [name for name in ("after", "inside", "read") if re.search(rf"\b{name}\(", body)]
        support = f"from stack.support import {', '.join(helpers)}\n" if helpers else ""
        sdks = "".join(line for name, line in _SDKS.items() if f"{name}." in body)
        what = f"{area.replace('_', ' ').capitalize()}: {len(held)} resource{'s' if len(held) > 1 else ''}."
        return f'"""{what}"""\n\nimport pulumi\n{sdks}{imports}{support}{body}'

    def _imports(self, used: set[str]) -> str:
        homes: dict[str, list[str]] = {}
        for urn in used:
            homes.setdefault(self._home[urn], []).append(self._names[urn])
        return "".join(f"from stack.{home} import {', '.join(sorted(homes[home]))}\n" for home in sorted(homes))

    def _calls_of(self, held: list[Resource]) -> set[int]:
        sources = {source for each in held for source in self._writer.sources(self._trace.inputs[each.urn])}
        return {int(source.of) for source in sources if source.kind == "call"}

    def _before_use(self, body: str, number: int) -> str:
        """Insert a call before the first statement that uses it."""
        statements = body.split("\n\n")
        first = next(at for at, text in enumerate(statements) if f"call_{number}." in text)
        return "\n\n".join([*statements[:first], "\n" + self._call(number), *statements[first:]])

    def _call(self, number: int) -> str:
        call: Call = self._trace.calls[number]
        package, module, name = call.token.split(":")
        given = [f"{snake(key)}={self._writer.write(value, 4)}" for key, value in call.inputs.items()]
        provider, waits = self._provider_of(call.provider), sorted(self._names[urn] for urn in self._waits[number])
        options = [f"provider={self._names[provider]}"] if provider else []
        options += [f"depends_on=[{', '.join(waits)}]"] if waits else []
        given.append(f"opts=pulumi.InvokeOutputOptions({', '.join(options)})")
        return f"call_{number} = {package}.{module.split('/')[0]}.{snake(name)}_output({', '.join(given)})"

    def _statement(self, resource: Resource) -> str:
        lines = [f"    {resource.name!r},\n"]
        lines += [f"    {name}={text},\n" for name, text in self._arguments(resource)]
        lines.append(f"    opts=pulumi.ResourceOptions(\n{self._options(resource)}    ),\n")
        return f"{self._names[resource.urn]} = {_constructor(resource)}(\n{''.join(lines)})\n"

    def _arguments(self, resource: Resource) -> Iterator[tuple[str, str]]:
        has_class = sdk_class(resource.type) is not None
        for key, value in self._trace.inputs[resource.urn].items():
            if key in {"apiVersion", "kind"} and has_class and resource.type.startswith("kubernetes:"):
                continue  # implied by the class
            held = _decoded(key, value) if resource.type.startswith("pulumi:providers:") else value
            yield snake(key), self._written(key, held, resource.property_dependencies.get(key, ()))

    def _written(self, key: str, value: Any, dependencies: tuple[str, ...]) -> str:
        """Return the expression of an argument, with the same dependencies as the original."""
        missing = sorted({urn for urn in dependencies if urn in self._known} - self._implied(value))
        outputs = {text: urn for urn in missing for text in self._texts_of(urn)}
        self._writer.same = {text: self._output(urn, text) for text, urn in outputs.items()}
        self._writer.used.clear()
        text = self._writer.write(value, 4, key)
        self._writer.same = {}
        left = sorted(self._names[urn] for urn in set(missing) - {outputs[text] for text in self._writer.used})
        return f"after({text}, {', '.join(left)})" if left else text

    def _texts_of(self, urn: str) -> list[str]:
        return [value for value in self._trace.inputs[urn].values() if isinstance(value, str)]

    def _output(self, urn: str, text: str) -> str:
        """Return the output of a resource that contains a text, such as a bucket's name."""
        held = self._trace.inputs[urn]
        return f"{self._names[urn]}.{snake(min(key for key in held if held[key] == text))}"

    def _implied(self, value: Any) -> set[str]:
        sources: set[Source] = self._writer.sources(value)
        named = {source.of for source in sources if source.kind == "resource"}
        return named.union(*(self._waits[int(source.of)] for source in sources if source.kind == "call"))

    def _options(self, resource: Resource) -> str:
        options = resource.options
        lines: list[str] = []
        if provider := self._provider_of(resource.provider):
            lines.append(f"provider={self._names[provider]}")
        by_property = {urn for urns in resource.property_dependencies.values() for urn in urns}
        if waits := sorted(
            self._names[urn] for urn in set(resource.dependencies) - by_property if urn in self._known
        ):
            lines.append(f"depends_on=[{', '.join(waits)}]")
        lines += [f"{ours}={options[theirs]!r}" for theirs, ours in _LITERAL.items() if theirs in options]
        if times := options.get("customTimeouts"):
            given = ", ".join(f"{key}={value!r}" for key, value in sorted(times.items()))
            lines.append(f"custom_timeouts=pulumi.CustomTimeouts({given})")
        if (other := options.get("deletedWith")) in self._names:
            lines.append(f"deleted_with={self._names[other]}")
        if others := [self._names[urn] for urn in options.get("replaceWith", ()) if urn in self._names]:
            lines.append(f"replace_with=[{', '.join(others)}]")
        if resource.parent and not resource.parent.endswith(f"::pulumi:pulumi:Stack::{self._stack_name()}"):
            former = "".join(f", {urn!r}" for urn in self._former(resource))
            lines.append(f"aliases=[pulumi.Alias(parent={resource.parent!r}){former}]")
        return "".join(f"        {line},\n" for line in lines)

    def _former(self, resource: Resource) -> list[str]:
        """Return the resource's URNs under earlier keys of its model, in case the rename is not deployed yet."""
        found = alias_urns(resource.urn, self._every, {})
        parent = str(resource.parent)
        for above in alias_urns(parent, self._every, {}) if parent in self._every else ():
            found += alias_urns(resource.urn, self._every, {parent: above})
        return list(dict.fromkeys(found))

    def _stack_name(self) -> str:
        return f"{self._trace.graph.project}-{self._trace.graph.stack}"

    def _main(self, areas: list[str]) -> str:
        exports = [(key, self._writer.write(value, 0, key)) for key, value in self._trace.outputs.items()]
        used = sorted(
            {source.of for source in self._writer.sources(self._trace.outputs) if source.kind == "resource"}
        )
        what = f"The stack `{self._trace.graph.stack}`, without hubstack: importing a file declares its resources."
        lines = [f'"""{what}"""\n', "import pulumi\n"]
        lines += [f"import stack.{area}  # noqa: F401" for area in sorted(areas)]
        lines += [f"from stack.{self._home[urn]} import {self._names[urn]}" for urn in used]
        if any(re.search(r"\binside\(", text) for _, text in exports):
            lines.append("from stack.support import inside")
        lines += ["", *(f"pulumi.export({key!r}, {text})" for key, text in exports)]
        return "\n".join(lines) + "\n"


def _variables(resources: list[Resource]) -> dict[str, str]:
    """Map each URN to a variable name: the logical name, plus the type if two resources share it."""
    plain = {each.urn: re.sub(r"\W", "_", each.name) for each in resources}
    names: dict[str, str] = {}
    for each in resources:
        name = plain[each.urn]
        shared = sum(other == name for other in plain.values()) > 1
        name = f"{name}_{snake(each.type.split(':')[-1])}" if shared else name
        bad = name[0].isdigit() or keyword.iskeyword(name) or name in _RESERVED
        names[each.urn] = f"r_{name}" if bad else name
    return names


def _constructor(resource: Resource) -> str:
    package, module, name = resource.type.split(":")
    if package == "pulumi":
        return f"{name}.Provider"
    if sdk_class(resource.type) is None:
        return "kubernetes.apiextensions.CustomResource"
    place = module.split("/")[0]
    if package == "kubernetes":
        place = f"{place.split('.')[0]}.{module.split('/')[1]}"
    return f"{package}.{place}.{name}"


def _decoded(key: str, value: Any) -> Any:
    """Decode a provider setting, which the protocol sends as JSON, except for a kubeconfig."""
    if not isinstance(value, str) or key == "kubeconfig":
        return value
    try:
        found: Any = json.loads(value, object_pairs_hook=Ordered)
    except ValueError:
        return value
    return cast("Any", found) if isinstance(found, bool | dict | list) else value


def _requirements() -> str:
    from importlib.metadata import version  # noqa: PLC0415

    return "".join(f"{name}=={version(name)}\n" for name in ("pulumi", "pulumi-gcp", "pulumi-kubernetes"))
