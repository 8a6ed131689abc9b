# SPDX-License-Identifier: Apache-2.0
"""A Pulumi program as a person writes one who has the list of resources at hand: no plan, only SDK classes in a loop.

Reads resources.jsonl beside the project's Pulumi.yaml, a resource a line (benchmarks/plain/data.py writes it).
"""

import json
from operator import attrgetter
from pathlib import Path

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

SDKS = {"gcp": gcp, "kubernetes": kubernetes}
made = {}
classes = {}


class Part(pulumi.ComponentResource):
    def __init__(self, token, name, outputs, opts):
        super().__init__(token, name, None, opts)
        self.register_outputs(outputs)


def class_of(place):
    if place not in classes:
        sdk, path = place.split(".", 1)
        classes[place] = attrgetter(path)(SDKS[sdk])
    return classes[place]


def output(said):
    if "of_project" in said:
        return getattr(made["project"], said["of_project"])
    owner, first, *rest = made[said["of"]], *said["path"]
    if not rest:
        return getattr(owner, first)
    # Known when the resource is: before, it would be taken for what was asked.
    return pulumi.Output.all(owner.id, getattr(owner, first)).apply(lambda found: dig(found[1], rest))


def dig(found, path):
    for part in path:
        found = getattr(found, part, None) if found is not None else None
    return found or ""


def computed(said):
    """Return a value in which each list under `parts` is replaced by a text built from outputs."""
    if isinstance(said, list):
        return [computed(each) for each in said]
    if not isinstance(said, dict):
        return said
    if "parts" not in said:
        return {key: computed(each) for key, each in said.items()}
    parts = [part if isinstance(part, str) else output(part) for part in said["parts"]]
    return parts[0] if len(parts) == 1 else pulumi.Output.concat(*parts)


def options(said):
    given = dict(said.get("options", {}))
    if times := given.get("custom_timeouts"):
        given["custom_timeouts"] = pulumi.CustomTimeouts(**times)
    for name in ("parent", "provider"):
        if name in said:
            given[name] = made[said[name]]
    for name in ("providers", "depends_on"):
        if name in said:
            given[name] = [made[urn] for urn in said[name]]
    return pulumi.ResourceOptions(**given)


def make(said):
    opts = options(said)
    if "token" in said:
        return Part(said["token"], said["name"], said["outputs"], opts)
    values = {key: computed(value) for key, value in said.get("computed", {}).items()}
    return class_of(said["class"])(said["name"], **said["inputs"], **values, opts=opts)


async def program():
    for line in (Path(pulumi.runtime.get_root_directory()) / "resources.jsonl").open():
        said = json.loads(line)
        if "exports" in said:
            for name, value in said["exports"].items():
                pulumi.export(name, computed(value))
        elif "ask" in said:
            opts = pulumi.InvokeOutputOptions(
                provider=made[said["provider"]], depends_on=[made[u] for u in said["depends_on"]]
            )
            made["project"] = gcp.organizations.get_project_output(project_id=said["ask"], opts=opts)
        else:
            made[said["urn"]] = make(said)
    # As hubstack's own does: without it the SDK's end takes longer than all the rest (docs/concepts/scale.md).
    await next(iter(made.values())).urn.future()


pulumi.run(program)
