# SPDX-License-Identifier: Apache-2.0
# The library's classes are wrapped by decorators that have no types.
# pyright: reportArgumentType=false, reportCallIssue=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false, reportUnknownParameterType=false
"""Writes a plan and its lock as a CycloneDX ML-BOM.

Owns the mapping of facts to fields. The official library, cyclonedx-python-lib, builds and serializes the document.
It does not support model cards yet (issue 912, still open in version 11.12), so they are added to its JSON; tests
validate the result with its strict validator. The same plan and lock give the same bytes: there is no timestamp,
and the serial number is derived from the content.
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType, Pedigree
from cyclonedx.model.license import DisjunctiveLicense, LicenseAcknowledgement
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.spdx import fixup_id
from packageurl import PackageURL

from hubstack.deploy.images import stack_charts, used_images
from hubstack.deploy.weights_job import loader_packages
from hubstack.hub.facts import ModelFacts
from hubstack.names import is_own
from hubstack.plan import CompanionPlan, ModelPlan, Plan, WeightsFile
from hubstack.plan.images import DOCKER_HUB, read_image

_IN_BILL = "named by the stack; listed here"
_NAMESPACE = uuid.UUID("5b0c0d1e-5a0f-5c3e-9a4e-6f1d0f9f2a77")
"""UUID namespace of the serial numbers; an arbitrary constant."""


def bom_text(plan: Plan, facts: Mapping[str, ModelFacts], beside: Mapping[tuple[str, str], ModelFacts]) -> str:
    """Return the bill of materials as sorted, indented CycloneDX 1.6 JSON that ends with a newline.

    Args:
        plan: what runs.
        facts: locked facts by model key.
        beside: locked facts of adapters and draft models by repository ID and commit.
    """
    bom = Bom(serial_number=_NAMESPACE, components=list(_components(plan, facts, beside)))
    stack = Component(
        name=f"hubstack-{plan.target.stack}",
        type=ComponentType.APPLICATION,
        bom_ref="stack",
        properties=[
            Property(name="hubstack:project", value=plan.target.project),
            Property(name="hubstack:region", value=plan.target.region),
        ],
    )
    bom.metadata.component = stack
    bom.register_dependency(stack, list(bom.components))
    data = json.loads(JsonV1Dot6(bom).output_as_string())
    del data["metadata"]["timestamp"]
    cards = {f"model/{model.key}": facts[model.key] for model in plan.models}
    cards |= {_companion_ref(model, each): beside[each.id, each.commit] for model, each in _companions(plan)}
    _add_cards(data["components"], cards)
    data["serialNumber"] = "urn:uuid:" + str(uuid.uuid5(_NAMESPACE, json.dumps(data, sort_keys=True)))
    return json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _companions(plan: Plan) -> Iterator[tuple[ModelPlan, CompanionPlan]]:
    """Yield each model with each of its companions; a canary uses those of its model."""
    yield from ((model, each) for model in plan.models if not model.canary_of for each in model.companions or ())


def _companion_ref(model: ModelPlan, companion: CompanionPlan) -> str:
    return f"{companion.role}/{model.key}/{companion.name}"


def _components(
    plan: Plan, facts: Mapping[str, ModelFacts], beside: Mapping[tuple[str, str], ModelFacts]
) -> Iterator[Component]:
    for model in plan.models:
        yield _model(model, facts[model.key])
    for model, companion in _companions(plan):
        yield _companion(model, companion, beside[companion.id, companion.commit])
    for used in used_images(plan):
        if used.chart is None or plan.target.images:  # else the chart's own values name them
            yield _image(used.image, used.purpose)
    for chart in stack_charts(plan):
        yield Component(
            name=chart.chart.rpartition("/")[2],
            version=chart.version,
            type=ComponentType.APPLICATION,
            bom_ref=f"chart/{chart.release}",
            properties=[
                Property(name="hubstack:helm-repository", value=chart.repository or chart.chart),
                Property(
                    name="hubstack:images",
                    value=_IN_BILL if plan.target.images else "chosen by the chart; not inspected",
                ),
            ],
        )
    copied = [(model.id, model.weights) for model in plan.models]
    copied += [(each.id, each.weights) for _, each in _companions(plan)]
    is_loading = any(weights.loader_image and not is_own(repo_id) for repo_id, weights in copied)
    for name, version, sha256 in loader_packages() if is_loading else ():
        yield Component(
            name=name,
            version=version,
            type=ComponentType.LIBRARY,
            bom_ref=f"package/{name}",
            purl=PackageURL(type="pypi", name=name, version=version),
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)],
            properties=[Property(name="hubstack:purpose", value="copies weights from the Hub")],
        )


def _model(model: ModelPlan, facts: ModelFacts) -> Component:
    return _repository(f"model/{model.key}", model.weights.files, facts, _properties(model))


def _companion(model: ModelPlan, companion: CompanionPlan, facts: ModelFacts) -> Component:
    """Return an adapter or a draft model, whose ancestors are those that its card names."""
    known = companion.provenance
    told = {
        "served-with": model.key,
        "name": companion.name,
        "revision": companion.revision,
        "gated": str(companion.gated).lower(),
        "weights-format": known.weights_format,
        "hub-scan": known.scan,
        "remote-code": str(known.runs_remote_code).lower(),
    }
    properties = (Property(name=f"hubstack:{name}", value=value) for name, value in told.items())
    return _repository(_companion_ref(model, companion), companion.weights.files, facts, properties)


def _repository(
    ref: str, files: Iterable[WeightsFile], facts: ModelFacts, properties: Iterable[Property]
) -> Component:
    owner, _, name = facts.id.rpartition("/")
    ancestors = [_ancestor(one) for one in facts.base_models]
    return Component(
        name=name,
        group=owner or None,
        version=facts.commit,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=ref,
        purl=_purl(facts.id, facts.commit),
        licenses=list(_licenses(facts)),
        properties=list(properties),
        components=[_file(ref, file) for file in files],
        pedigree=Pedigree(ancestors=ancestors) if ancestors else None,
    )


def _purl(repo_id: str, commit: str | None) -> PackageURL:
    """Return a purl of type `huggingface`, whose version is the commit (purl-spec, types/huggingface).

    Own weights are `generic`: no registry has them, and the purl says where they are.
    """
    owner, _, name = repo_id.rpartition("/")
    if is_own(repo_id):
        return PackageURL(type="generic", name=name, version=commit, qualifiers={"download_url": repo_id})
    return PackageURL(type="huggingface", namespace=owner or None, name=name, version=commit)


def _ancestor(repo_id: str) -> Component:
    """Return a base model named by the model card; cards do not record its commit."""
    owner, _, name = repo_id.rpartition("/")
    return Component(
        name=name or repo_id,
        group=owner or None,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        purl=_purl(repo_id, None) if name else None,
    )


def _licenses(facts: ModelFacts) -> Iterator[DisjunctiveLicense]:
    """Yield the SPDX ID if the Hub's licence is one, otherwise the publisher's licence name."""
    said = facts.license_name if facts.license in {None, "other"} else facts.license
    for word in (part.strip() for part in (said or facts.license or "").split(",")):
        known = fixup_id(word)
        if known:
            yield DisjunctiveLicense(id=known, acknowledgement=LicenseAcknowledgement.DECLARED)
        elif word:
            yield DisjunctiveLicense(name=word, acknowledgement=LicenseAcknowledgement.DECLARED)


def _properties(model: ModelPlan) -> Iterator[Property]:
    known = model.provenance
    told = {
        "key": model.key,
        "revision": model.revision,
        "platform": str(model.platform),
        "engine": str(model.server.engine),
        "accelerator": f"{model.accelerator_count} x {model.accelerator}",
        "gated": str(model.gated).lower(),
        "weights-format": known.weights_format,
        "hub-scan": known.scan,
        "remote-code": str(known.runs_remote_code).lower(),
    }
    if model.vertex:
        told["commit"] = "locked, but Vertex AI does not accept a commit: it may serve a different one"
    elif not model.weights.files:
        told["files"] = "not in the lock: the loader lists them on the Hub at the commit"
    yield from (Property(name=f"hubstack:{name}", value=value) for name, value in told.items())


def _file(ref: str, file: WeightsFile) -> Component:
    """Return a file. Its Git object ID is a property: it also hashes a header, so it is not a content hash."""
    hashes = {HashAlgorithm.SHA_256: file.sha256, HashAlgorithm.MD5: file.md5}
    told = {
        "git-oid": file.git_oid,
        "generation": str(file.generation) if file.generation else None,
        "crc32c": file.crc32c,
    }
    properties = [Property(name=f"hubstack:{name}", value=value) for name, value in told.items() if value]
    return Component(
        name=file.path,
        type=ComponentType.FILE,
        bom_ref=f"{ref}/{file.path}",
        hashes=[HashType(alg=alg, content=content) for alg, content in hashes.items() if content] or None,
        properties=properties or None,
    )


def _image(image: str, purpose: str) -> Component:
    read = read_image(image)
    namespace, _, name = read.path.rpartition("/")
    qualifiers = {} if read.registry == DOCKER_HUB else {"repository_url": read.registry}
    return Component(
        name=read.repository,
        version=read.tag or read.digest,
        type=ComponentType.CONTAINER,
        bom_ref=f"image/{image}",
        purl=PackageURL(
            type="docker",
            namespace=namespace or None,
            name=name,
            version=read.digest or read.tag,
            qualifiers=qualifiers,
        ),
        properties=[Property(name="hubstack:purpose", value=purpose)],
    )


def _add_cards(components: Iterable[dict[str, Any]], facts: Mapping[str, ModelFacts]) -> None:
    """Add each model's locked card data as a CycloneDX model card."""
    for component in components:
        said = facts.get(component["bom-ref"])
        if said is None:
            continue
        architectures: list[str] = list(said.config.get("architectures") or [])
        card: dict[str, Any] = {
            "task": said.pipeline_tag,
            "architectureFamily": said.config.get("model_type"),
            "modelArchitecture": ", ".join(architectures),
            "datasets": [{"type": "dataset", "name": name} for name in said.datasets],
        }
        known = {key: value for key, value in card.items() if value}
        if known:
            component["modelCard"] = {"modelParameters": known}
