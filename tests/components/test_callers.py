# SPDX-License-Identifier: Apache-2.0
"""The callers' proxy under the real SDK: its parts, and that no key passes through the program."""

import json
from dataclasses import replace
from functools import cache

from hubstack.plan import Plan
from hubstack.plan.gateway import Exposure, GatewayPlan
from tests.components.recorder import Recorded
from tests.components.test_gateway import INTERNAL, build, parts, plan, strings
from tests.support.plans import with_callers

READER = "group:research@example.com"


def asked(gateway: GatewayPlan = INTERNAL) -> Plan:
    return with_callers(plan(gateway))


@cache
def recorded() -> Recorded:
    return build(asked())


def children(found: Recorded) -> set[tuple[str, str]]:
    _, made = found.component("hubstack:callers:Callers")
    return {(kind.rsplit(":", 1)[-1], name.removeprefix("callers-")) for kind, name in made}


def test_it_is_made_of_exactly_these_parts() -> None:
    secrets = {
        *(
            (kind, f"{name}{suffix}")
            for name in ("research", "search")
            for kind, suffix in (
                ("Secret", ""),
                ("SecretIamMember", "-reader"),
                ("SecretProviderClass", "-class"),
                ("SecretSync", "-sync"),
            )
        ),
        ("SecretIamMember", "research-reader-a81b75"),
    }
    assert children(recorded()) == secrets | {
        ("ServiceAccount", "secrets-account"),
        ("NetworkPolicy", "policy"),
        ("NetworkPolicy", "counters-policy"),
        ("ServiceAccount", "counters-account"),
        ("Service", "counters-service"),
        ("ConfigMap", "counters-config"),
        ("StatefulSet", "counters"),
        ("ServiceAccount", "account"),
        ("ConfigMap", "config"),
        ("Deployment", "proxy"),
        ("PodDisruptionBudget", "budget"),
        ("Service", "service"),
        ("GCPBackendPolicy", "backend"),
        ("HealthCheckPolicy", "health"),
    }


def test_the_gateway_has_one_route_to_the_proxy_and_none_past_it() -> None:
    assert parts(recorded()) == {
        ("Subnetwork", "proxies"),
        ("Address", "address"),
        ("Gateway", "listener"),
        ("HTTPRoute", "callers-route"),
    }


def test_a_public_gateway_opens_only_after_the_proxy_that_checks_keys() -> None:
    public = replace(INTERNAL, exposure=Exposure.EXTERNAL, certificate="acme", host="models.example.com")
    found = build(asked(public))
    listener = found.one("kubernetes:gateway.networking.k8s.io/v1:Gateway")
    assert any("callers-proxy" in urn for urn in listener.request.dependencies)


def test_a_caller_s_secret_is_read_by_the_sync_and_its_readers_and_has_no_version_in_the_program() -> None:
    kinds = [each.type for each in recorded().resources.values()]
    assert not [kind for kind in kinds if "secretVersion" in kind]
    members = [each.inputs for each in recorded().resources.values() if "SecretIamMember" in each.type]
    assert {each["role"] for each in members} == {"roles/secretmanager.secretAccessor"}
    assert [each["secretId"] for each in members if each["member"] == READER] == ["hubstack-test-caller-research"]


def test_the_objects_of_the_proxy_hold_no_key_only_where_keys_come_from() -> None:
    found = "\n".join(text for each in recorded().resources.values() for text in strings(each.inputs))
    assert "projects/acme-models-test/secrets/hubstack-test-caller-search/versions/latest" in found
    config = json.loads(
        recorded().one("kubernetes:core/v1:ConfigMap", "callers-config").inputs["data"]["envoy.json"]
    )
    assert '"credentials"' not in json.dumps(config)
