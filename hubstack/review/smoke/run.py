# SPDX-License-Identifier: Apache-2.0
"""Asks the models of a running stack, from here or in a Job, and compares the commit of their pods with the lock.

Owns the two places. The questions and the judgement are the same in both (`hubstack.review.smoke.questions`,
`hubstack.deploy.smoke_job`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from hubstack.deploy.manifests.base import COMMIT, selector
from hubstack.deploy.manifests.smoke import SMOKE_NAME, smoke_caller, smoke_objects
from hubstack.deploy.manifests.traffic import GATEWAY_NAME, base_url
from hubstack.deploy.smoke_job.ask_models import RESULT_MARK, ask_all
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem
from hubstack.hub.facts import ModelFacts
from hubstack.plan import Plan
from hubstack.planner.platforms import platform_of
from hubstack.review.callers import Address, api_key, base_without_version, identity_token, stack_outputs
from hubstack.review.kubectl import Kubectl, Tell, parsed
from hubstack.review.smoke.questions import Skipped, ask_of

_GATEWAY_KEY, _IDENTITY = "key", "identity"
_SLACK_MINUTES = 5
"""For the Job's pod to be scheduled and pull its image. Our choice."""
Asked = dict[str, Any]
Results = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked of which models."""

    plan: Plan
    facts: Mapping[str, ModelFacts]
    requests: int
    timeout: int | None

    def of(self, addresses: Mapping[str, Address]) -> tuple[Asked, list[Skipped]]:
        """Return what the script is given for these addresses, and what is not asked."""
        return ask_of(self.plan, self.facts, addresses, self.requests, self.timeout)


class Place(Protocol):
    """Where the models are asked from."""

    def asked(self) -> tuple[Asked, list[Skipped]]:
        """Return what the script is given, and what is not asked."""
        ...

    def ask(self, asked: Asked, tell: Tell) -> Results:
        """Return the result of each model that is asked."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """This machine, by the address that callers use."""

    wanted: Wanted
    project_dir: Path
    url: str | None
    """The gateway's base URL, if not that of the stack's outputs."""

    def asked(self) -> tuple[Asked, list[Skipped]]:
        """Return what the script is given, and what is not asked.

        Raises:
            InputError: the stack is not up, or none of its models can be reached from here.
        """
        plan, found = self.wanted.plan, dict[str, Address]()
        gateway, endpoints = self.url, dict[str, str]()
        is_reachable = plan.gateway is not None or any(not model.has_nodes for model in plan.models)
        if gateway is None and is_reachable:
            outputs = stack_outputs(self.project_dir, plan.target.stack)
            gateway, endpoints = outputs.gateway, outputs.endpoints
        for model in plan.models:
            if model.has_nodes and gateway:
                found[model.key] = Address(url=base_without_version(gateway), is_gateway=True, token=_GATEWAY_KEY)
            elif platform_of(model.platform).takes_identity and model.key in endpoints:
                url = base_without_version(endpoints[model.key])
                found[model.key] = Address(url=url, is_gateway=False, token=_IDENTITY)
        asked, skipped = self.wanted.of(found)
        if not asked["models"]:
            message = "no model can be reached from here: the stack has no gateway"
            hint = "use --in-cluster to send the requests from a Job, or --url with the address of a port-forward"
            raise InputError([Problem(path=plan.target.stack, message=message, hint=hint)])
        return asked, skipped

    def ask(self, asked: Asked, tell: Tell) -> Results:
        """Return the result of each model that is asked."""
        needed = {model["token"] for model in asked["models"]}
        tokens = {_GATEWAY_KEY: api_key(self.wanted.plan) if _GATEWAY_KEY in needed else ""}
        if _IDENTITY in needed:
            tokens[_IDENTITY] = identity_token()
        return ask_all(asked, tokens, tell)


@dataclass(frozen=True, slots=True, kw_only=True)
class InCluster:
    """A Job in the stack's cluster: through the gateway if there is one, otherwise by the models' own addresses."""

    wanted: Wanted
    kubectl: Kubectl
    url: str | None
    """The gateway's base URL, if not by its address in the cluster."""

    def asked(self) -> tuple[Asked, list[Skipped]]:
        """Return what the script is given, and what is not asked.

        Raises:
            InputError: the stack has no model in the cluster.
        """
        plan = self.wanted.plan
        own = {key: Address(url=base_without_version(url), is_gateway=False) for key, url in plan.endpoints.items()}
        if plan.gateway:
            url = self.url or base_url(plan.gateway, self._gateway_address())
            caller = smoke_caller(plan)
            allowed = caller.models if caller else own.keys()
            own = {key: Address(url=url, is_gateway=True) for key in own if key in allowed}
        asked, skipped = self.wanted.of(own)
        if not asked["models"]:
            message, hint = "no model of the stack runs in a cluster", "leave out --in-cluster"
            raise InputError([Problem(path=plan.target.stack, message=message, hint=hint)])
        return asked, skipped

    def objects(self, asked: Asked) -> dict[str, Any]:
        """Return a List with the Job and what it needs."""
        address = self._gateway_address() if self.wanted.plan.gateway else None
        image = next(model.weights.loader_image for model in self.wanted.plan.on_gke if model.weights.loader_image)
        return smoke_objects(self.wanted.plan, asked, image, address)

    def ask(self, asked: Asked, tell: Tell) -> Results:
        """Return the result of each model that is asked.

        Raises:
            InputError: the cluster refuses, or the Job failed or did not end in time.
        """
        longest = max(model["timeout"] for model in asked["models"])
        minutes = _SLACK_MINUTES + int(longest * 2 / 60)
        log = self.kubectl.run_job(self.objects(asked), SMOKE_NAME, minutes, tell, SMOKE_NAME)
        line = next((line for line in log.splitlines() if line.startswith(RESULT_MARK)), "")
        try:
            return cast("Results", json.loads(line.removeprefix(RESULT_MARK)))
        except ValueError:
            message = f"the log of job/{SMOKE_NAME} has no result"
            raise InputError([Problem(path=SMOKE_NAME, message=message, hint="run it again")]) from None

    def _gateway_address(self) -> str:
        fixed = self.wanted.plan.gateway and self.wanted.plan.gateway.address
        if fixed:
            return fixed
        words = ("get", "gateway.gateway.networking.k8s.io", GATEWAY_NAME, "--output", "json")
        said = parsed(self.kubectl.text("reading the Gateway", *words), "reading the Gateway")
        addresses: list[Any] = said.get("status", {}).get("addresses") or []
        if not addresses:
            message, hint = (
                f"gateway/{GATEWAY_NAME} has no address yet",
                "wait for the load balancer, a few minutes",
            )
            raise InputError([Problem(path="kubectl", message=message, hint=hint)])
        return str(addresses[0].get("value"))


def running_commits(kubectl: Kubectl, plan: Plan) -> dict[str, list[str]] | None:
    """Return the commits of each model's ready pods, shortened as their label is; None if kubectl cannot tell."""
    pods: list[dict[str, Any]] = []
    for namespace in plan.target.namespaces:
        words = ("get", "pods", "--selector", "app.kubernetes.io/name=server", "--output", "json")
        said = kubectl.within(namespace).maybe(*words)
        if said is None:
            return None
        pods += [pod for pod in parsed(said, "reading pods").get("items", []) if _is_ready(pod)]
    found: dict[str, list[str]] = {}
    for model in plan.models:
        wanted = selector(model).items()
        labels = [pod["metadata"].get("labels", {}) for pod in pods]
        mine = {label.get(COMMIT, "") for label in labels if label.items() >= wanted}
        found[model.key] = sorted(mine - {""})
    return found


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions: list[Any] = pod.get("status", {}).get("conditions") or []
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)
