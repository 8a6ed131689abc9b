# SPDX-License-Identifier: Apache-2.0
"""What protects a stack is never taken away unseen: settings, flags, policy, resources, the program itself."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hubstack.inputs.settings import DEFAULT_TEXTS, KEYS
from hubstack.review.diff import protection
from hubstack.review.diff.change import Change, compare
from hubstack.review.diff.gates import tripped
from hubstack.review.diff.guards import read_guards
from hubstack.review.diff.render import report
from hubstack.review.diff.state import State, Versions
from tests.bad_input.runner import base_project

GUARDS: dict[str, Any] = {
    "settings": {},
    "plain_secrets": [],
    "models": {"chat": []},
    "limits": {},
    "levels": {"HS003": "error"},
    "waivers": [],
}
KEY = "projects/p/locations/r/keyRings/k/cryptoKeys/c"


def state(resources: list[dict[str, Any]] | None = None, **guards: Any) -> State:
    plan = {"models": [], "pools": [], "target": {}, "cost": {}}
    return State(name="x", plan=plan, graph={"resources": resources or []}, guards={**GUARDS, **guards})


def changed(before: State, after: State) -> Change:
    return compare("dev", Versions(base=before, head=after))


def weaker(before: State, after: State) -> str:
    made = changed(before, after)
    verdict = report(made).verdict
    if made.weaker:
        assert verdict.startswith(("DECIDE", "WILL NOT APPLY"))
        assert "protection is weaker" in verdict
        assert tripped(made, ("protection",))
    return "\n".join(f"{each.subject}: {each.text}" for each in made.weaker)


def test_values_that_differ_behind_what_is_shown_are_shown_from_where_they_differ() -> None:
    keys = [f"{KEY[:-1]}{'x' * 80}{end}" for end in ("mine", "yours")]
    before, after = (state(settings={"hubstack:kmsKey": key}) for key in keys)
    assert "xmine" in weaker(before, after)
    assert "xyours" in weaker(before, after)


SETTINGS = [
    ("kmsKey", KEY, None),
    ("kmsKey", KEY, f"{KEY}2"),
    ("servicePerimeter", "accessPolicies/1/servicePerimeters/a", None),
    ("images", None, '{"registry":"m.example"}'),
    ("images", '{"registry":"m.example"}', None),
    ("images", '{"registry":"m.example"}', '{"registry":"n.example"}'),
    ("cluster", '{"name":"a","facts":"c.json"}', '{"name":"b","facts":"c.json"}'),
    ("cluster", '{"name":"a","facts":"c.json"}', '{"name":"a","control_plane":["0.0.0.0/0"]}'),
    ("cluster", '{"name":"a"}', None),
    ("teams", None, '{"search":{}}'),
    ("teams", '{"search":{"quota":{"l4":4}}}', '{"search":{"quota":{"l4":400}}}'),
    ("teams", '{"search":{"quota":{"l4":4}}}', '{"search":{"quota":{"l4":4,"h100-80gb":8}}}'),
    ("teams", '{"search":{"quota":{"l4":4}}}', '{"search":{}}'),
    ("teams", '{"search":{"quota":{"l4":4}}}', "{}"),
    ("teams", '{"search":{"priority":1}}', '{"search":{"priority":1000}}'),
    ("teams", '{"search":{}}', '{"search":{"namespace":"other"}}'),
    ("teams", '{"search":{"owner":"a@b.example"}}', '{"search":{"owner":"evil@b.example"}}'),
    ("gateway", '{"exposure":"external","security_policy":"armor"}', '{"exposure":"external"}'),
    ("gateway", '{"dns_zone":"a"}', '{"dns_zone":"b"}'),
    ("binaryAuthorization", "true", None),
    ("binaryAuthorization", "true", "false"),
    ("restrictedApis", "true", None),
    ("controlPlane", "private", None),
    ("controlPlane", "private", "dns"),
    ("flowLogs", "true", None),
    ("intranodeVisibility", "true", "false"),
    ("deletionProtection", None, "false"),
    ("deletionProtection", "true", "false"),
    ("monitoring", None, "false"),
    ("alerts", '["a@b.example"]', None),
    ("alerts", '["a@b.example"]', '["evil@b.example"]'),
    ("alerts", '["a@b.example"]', '["a@b.example", "evil@b.example"]'),
    ("budget", "100", "1000"),
    ("budget", "100", None),
    ("billingBudget", "100", None),
    ("billingAccount", "1", None),
    ("billingAccount", "1", "2"),
    ("maintenanceWindow", "{}", None),
    ("releaseChannel", "STABLE", "RAPID"),
    ("runIngress", None, "all"),
    ("runIngress", "internal", "internal-and-cloud-load-balancing"),
    ("runInvokers", '["group:a"]', '["group:a", "user:evil"]'),
    ("runInvokers", '["group:a"]', None),
    ("gateway", '{"exposure": "internal"}', '{"exposure": "external", "auth": "iap"}'),
    ("gateway", None, '{"exposure": "external", "auth": "iap"}'),
    ("gateway", '{"exposure": "external", "auth": "iap"}', '{"exposure": "external", "auth": "api-keys"}'),
    ("gateway", '{"certificate": "a"}', '{"mode": "services"}'),
    ("network", None, '{"name": "shared", "subnetwork": "models"}'),
    ("network", '{"name": "a"}', '{"name": "a", "host_project": "acme-network"}'),
    ("network", '{"nat": "none"}', None),
]


@pytest.mark.parametrize(("setting", "before", "after"), SETTINGS)
def test_a_setting_that_protects_less_is_a_decision_and_stops_the_gate(
    setting: str, before: str | None, after: str | None
) -> None:
    versions = [
        state(settings={f"hubstack:{setting}": text} if text is not None else {}) for text in (before, after)
    ]
    assert f"hubstack:{setting}: " in weaker(*versions)


@pytest.mark.parametrize(
    ("setting", "before", "after"),
    [
        ("kmsKey", None, KEY),
        ("deletionProtection", "false", None),
        ("budget", "1000", "100"),
        ("budget", None, "1"),
        ("runIngress", "all", None),
        ("gateway", '{"exposure": "external", "auth": "iap"}', None),
        ("network", '{"name": "shared"}', None),
        ("network", None, '{"nodes": "10.8.0.0/20"}'),
        ("releaseChannel", "RAPID", "STABLE"),
        ("runInvokers", '["group:a", "user:b"]', '["group:a"]'),
    ],
)
def test_a_setting_that_protects_more_stops_nothing(setting: str, before: str | None, after: str | None) -> None:
    versions = [
        state(settings={f"hubstack:{setting}": text} if text is not None else {}) for text in (before, after)
    ]
    assert weaker(*versions) == ""


@pytest.mark.parametrize("flag", ["trust_remote_code", "allow_pickle", "allow_unsafe", "accept_eula"])
def test_a_flag_that_lets_pass_what_is_refused_is_told_of_a_new_model_too(flag: str) -> None:
    assert weaker(state(), state(models={"chat": [flag]})) == f"chat: `{flag}: true` is set"
    assert weaker(state(), state(models={"chat": [], "new": [flag]})) == f"new: `{flag}: true` is set"
    assert weaker(State(name="x"), state(models={"chat": [flag]})) == f"chat: `{flag}: true` is set"
    assert weaker(state(models={"chat": [flag]}), state(models={"chat": [flag]})) == ""


def waiver(until: str = "2027-01-31", **more: Any) -> dict[str, Any]:
    return {"rule": "HS003", "model": "chat", "resource": None, "until": until, **more}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"limits": {"licenses": ["mit"]}}, {"limits": {"licenses": ["mit", "other"]}}),
        ({"limits": {"licenses": ["mit"]}}, {"limits": {}}),
        ({"limits": {"registries": ["a"]}}, {"limits": {"registries": ["b"]}}),
        ({"limits": {"regions": ["a"]}}, {"limits": {"regions": None}}),
        ({"limits": {"weights_formats": ["gguf"]}}, {"limits": {"weights_formats": ["gguf", "pickle"]}}),
        ({"limits": {"spot_forbidden_in": ["prod"]}}, {"limits": {"spot_forbidden_in": []}}),
        ({"limits": {"required_labels": ["a", "b"]}}, {"limits": {"required_labels": ["a"]}}),
        ({"limits": {"max_usd_per_month": 10}}, {"limits": {"max_usd_per_month": 20}}),
        ({"limits": {"max_usd_per_month": 10}}, {"limits": {"max_usd_per_month": None}}),
        ({"limits": {"max_accelerators": {"l4": 1}}}, {"limits": {"max_accelerators": None}}),
        ({"limits": {"max_accelerators": {"l4": 1}}}, {"limits": {"max_accelerators": {"l4": 1, "h100": 8}}}),
        ({"levels": {"HS003": "error"}}, {"levels": {"HS003": "warn"}}),
        ({"levels": {"HS003": "warn"}}, {"levels": {"HS003": "off"}}),
        ({"waivers": []}, {"waivers": [waiver()]}),
        ({"waivers": [waiver()]}, {"waivers": [waiver("2099-01-01")]}),
        ({"waivers": [waiver()]}, {"waivers": [waiver(model=None)]}),
    ],
)
def test_a_looser_policy_is_a_decision_and_a_stricter_one_is_not(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert weaker(state(**before), state(**after)).startswith("policy.yaml ")
    if "waivers" not in before and after["levels" if "levels" in after else "limits"] != {"registries": ["b"]}:
        assert weaker(state(**after), state(**before)) == ""


def resource(kind: str, name: str, inputs: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {
        "urn": f"urn:pulumi:s::p::{kind}::{name}",
        "type": kind,
        "name": name,
        "custom": True,
        "inputs": inputs,
        "options": options,
    }


CLUSTER, POOL = "gcp:container/cluster:Cluster", "gcp:container/nodePool:NodePool"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
ENFORCE = "pod-security.kubernetes.io/enforce"


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        (CLUSTER, {"deletionProtection": True}, {"deletionProtection": False}),
        (CLUSTER, {"databaseEncryption": {"keyName": "k", "state": "ENCRYPTED"}}, {}),
        (CLUSTER, {"nodeConfig": {"bootDiskKmsKey": "k"}}, {"nodeConfig": {}}),
        (CLUSTER, {"binaryAuthorization": {"evaluationMode": "PROJECT_SINGLETON_POLICY_ENFORCE"}}, {}),
        (CLUSTER, {"workloadIdentityConfig": {"workloadPool": "p"}}, {}),
        (CLUSTER, {}, {"controlPlaneEndpointsConfig": {"dnsEndpointConfig": {"allowExternalTraffic": True}}}),
        (
            POOL,
            {"nodeConfig": {"shieldedInstanceConfig": {"enableSecureBoot": True}}},
            {"nodeConfig": {"shieldedInstanceConfig": {"enableSecureBoot": False}}},
        ),
        ("gcp:storage/bucket:Bucket", {"publicAccessPrevention": "enforced"}, {}),
        ("gcp:storage/bucket:Bucket", {"encryption": {"defaultKmsKeyName": "k"}}, {}),
        (
            DEPLOYMENT,
            {"spec": {"template": {"spec": {"automountServiceAccountToken": False}}}},
            {"spec": {"template": {"spec": {"automountServiceAccountToken": True}}}},
        ),
        (DEPLOYMENT, {"spec": {"template": {"spec": {}}}}, {"spec": {"template": {"spec": {"hostNetwork": True}}}}),
        (
            "kubernetes:core/v1:Namespace",
            {"metadata": {"labels": {ENFORCE: "restricted"}}},
            {"metadata": {"labels": {ENFORCE: "privileged"}}},
        ),
        ("gcp:monitoring/alertPolicy:AlertPolicy", {"notificationChannels": ["a"]}, {"notificationChannels": []}),
    ],
)
def test_a_program_that_drops_a_protection_without_a_setting_is_seen(
    kind: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    versions = [state([resource(kind, "it", inputs)]) for inputs in (before, after)]
    assert "it: `" in weaker(*versions)
    assert weaker(versions[1], versions[1]) == ""


def test_pulumi_s_own_protection_that_is_taken_off_is_seen() -> None:
    versions = [
        state([resource("gcp:storage/bucket:Bucket", "it", {}, **more)]) for more in ({"protect": True}, {})
    ]
    assert weaker(*versions) == "it: `protect` turned off"


POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
PODS = resource(
    DEPLOYMENT,
    "chat",
    {"metadata": {"namespace": "models"}, "spec": {"template": {"metadata": {"labels": {"app": "chat"}}}}},
)


def policy(**spec: Any) -> dict[str, Any]:
    held = {"podSelector": {"matchLabels": {"app": "chat"}}, "policyTypes": ["Ingress"], **spec}
    return resource(POLICY, "guard", {"metadata": {"namespace": "models"}, "spec": held})


PEER, OTHER = ({"podSelector": {"matchLabels": {"app": name}}} for name in ("proxy", "stranger"))


@pytest.mark.parametrize(
    "after",
    [
        policy(ingress=[{"from": [PEER, OTHER]}]),
        policy(ingress=[{}]),
        policy(ingress=[{"from": [PEER]}], policyTypes=["Egress"]),
        policy(ingress=[{"from": [PEER]}], podSelector={"matchLabels": {"app": "other"}}),
    ],
)
def test_a_network_policy_that_lets_more_in_is_weaker(after: dict[str, Any]) -> None:
    before = policy(ingress=[{"from": [PEER]}])
    assert "guard: a network policy " in weaker(state([PODS, before]), state([PODS, after]))


def test_a_network_policy_that_lets_less_in_is_not_weaker() -> None:
    wide, narrow = policy(ingress=[{"from": [PEER]}]), policy(ingress=[{"from": [PEER], "ports": [{"port": 80}]}])
    assert weaker(state([PODS, wide]), state([PODS, narrow])) == ""
    assert "lets in more" in weaker(state([PODS, narrow]), state([PODS, wide]))


def test_a_network_policy_may_go_with_its_pods_only() -> None:
    assert "its pods remain" in weaker(state([PODS, policy()]), state([PODS]))
    assert weaker(state([PODS, policy()]), state([])) == ""


def test_a_new_side_whose_files_cannot_be_read_is_not_trusted() -> None:
    assert "cannot be read" in weaker(state(), replace(state(), guards=None))


def test_a_changed_program_is_named_and_never_routine() -> None:
    made = compare("dev", Versions(base=state(), head=state(), program=("policy/judge.py",)))
    shown = report(made)
    assert shown.verdict.startswith("DECIDE")
    assert "policy/judge.py" in dict(shown.answers)["Protection"]
    assert tripped(made, ("program",))


def test_the_guards_of_a_stack_hold_no_secret_and_name_one_that_stands_in_plain_text(tmp_path: Path) -> None:
    base_project(tmp_path)
    config = tmp_path / "stacks" / "Pulumi.dev.yaml"
    guards = read_guards("dev", tmp_path)
    assert guards is not None
    assert guards["plain_secrets"] == []
    config.write_text(config.read_text() + "  hubstack:hfToken: hf_in_the_clear\n")
    found = read_guards("dev", tmp_path)
    if found is not None:  # refused at the door is as good
        assert found["plain_secrets"] == ["hubstack:hfToken"]
        assert "hf_in_the_clear" not in json.dumps(found)


def test_every_setting_that_is_watched_exists() -> None:
    assert set(protection._SETTINGS) <= set(KEYS)


def test_a_base_that_is_older_than_a_setting_has_its_default() -> None:
    older, newer = state(settings={}), state(settings=dict(DEFAULT_TEXTS))
    assert changed(older, newer).protection == ()
    assert changed(newer, older).protection == ()
