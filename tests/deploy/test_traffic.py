# SPDX-License-Identifier: Apache-2.0
"""The objects of a gateway as plain data. What they cannot prove: that Google's controller takes them."""

import json
from dataclasses import replace
from typing import Any

import pytest

from hubstack.deploy import manifests
from hubstack.kinds import EngineKind
from hubstack.plan import ModelPlan, Plan, Replicas
from hubstack.plan.addresses import PROXY_RANGE
from hubstack.plan.gateway import Exposure, GatewayAuth, GatewayMode, GatewayPlan
from tests.support.plans import CHAT, EMBED, GATED, RESTING, TPU, with_engine, with_gateway, with_models

INTERNAL = GatewayPlan(timeout_seconds=3600)
PICKED = replace(INTERNAL, mode=GatewayMode.INFERENCE)
EXTERNAL = replace(
    INTERNAL, exposure=Exposure.EXTERNAL, auth=GatewayAuth.API_KEYS, certificate="acme", host="models.example.com"
)
CANARY = replace(
    GATED, key="gated-canary", commit="9" * 40, canary_of="gated", canary_weight=10, replicas=Replicas(min=1, max=1)
)


def plan(gateway: GatewayPlan = INTERNAL, *more: ModelPlan) -> Plan:
    made = with_models(RESTING)
    return with_gateway(replace(made, models=(*made.models, *more)), gateway)


def route(made: Plan, model: ModelPlan) -> dict[str, Any]:
    assert made.gateway
    assert made.traffic
    canary = manifests.canary_for(made.models, model)
    return manifests.route(made.target, made.gateway, made.traffic, model, canary)


def backend_policy(made: Plan, model: ModelPlan) -> dict[str, Any]:
    assert made.gateway
    assert made.traffic
    return manifests.backend_policy(made.target, made.gateway, made.traffic, model)


def health_check(made: Plan, model: ModelPlan) -> dict[str, Any]:
    assert made.traffic
    return manifests.health_check(made.target, made.traffic, model)


def interceptor_policy(made: Plan) -> dict[str, Any]:
    assert made.gateway
    return manifests.interceptor_policy(made.target, made.gateway, manifests.max_activation_timeout(made))


def rules(model: ModelPlan, *more: ModelPlan, gateway: GatewayPlan = INTERNAL) -> list[dict[str, Any]]:
    return route(plan(gateway, *more), model)["spec"]["rules"]


@pytest.mark.parametrize("gateway", [INTERNAL, PICKED, EXTERNAL], ids=["services", "inference", "external"])
def test_every_model_is_reached_by_each_name_through_exactly_one_rule(gateway: GatewayPlan) -> None:
    made = plan(gateway, CANARY)
    headers: list[str] = []
    paths: list[str] = []
    for model in made.models:
        if model.canary_of:
            continue
        for rule in route(made, model)["spec"]["rules"]:
            for match in rule["matches"]:
                if "headers" in match:
                    assert match["path"]["value"] == "/v1"
                    assert match["headers"][0]["name"] == "X-Gateway-Model-Name"
                    headers.append(match["headers"][0]["value"])
                else:
                    paths.append(match["path"]["value"])
    assert sorted(headers) == sorted(
        name for key in ("chat", "embed", "gated", "tpu") for name in (key, f"acme/{key}")
    )
    assert sorted(paths) == ["/chat/v1", "/embed/rerank", "/embed/v1", "/gated/v1", "/tpu/v1"]


def test_a_route_has_the_names_of_the_plan_and_decides_none_itself() -> None:
    made = plan()
    assert made.traffic is not None
    other = replace(made, traffic=replace(made.traffic, names={**made.traffic.names, "gated": ("only-this",)}))
    told = route(other, GATED)["spec"]["rules"][0]["matches"]
    assert [header["value"] for match in told for header in match.get("headers", ())] == ["only-this"]


@pytest.mark.parametrize("model", [CHAT, EMBED, GATED, TPU], ids=lambda model: model.key)
def test_metrics_and_health_are_not_reachable_from_outside(model: ModelPlan) -> None:
    for rule in rules(model):
        for match in rule["matches"]:
            assert match["path"]["value"].endswith(("/v1", "/rerank")), "vLLM guards /v1 with its key and no more"


@pytest.mark.parametrize("weight", [1, 10, 50, 99])
def test_the_weights_of_a_route_add_to_a_hundred(weight: int) -> None:
    for rule in rules(GATED, replace(CANARY, canary_weight=weight)):
        refs = rule["backendRefs"]
        assert [ref["name"] for ref in refs] == ["gated", "gated-canary"]
        assert [ref["weight"] for ref in refs] == [100 - weight, weight]


def test_without_a_canary_there_is_one_backend_and_no_weight() -> None:
    assert [rule["backendRefs"] for rule in rules(GATED)] == [[{"name": "gated", "port": 80}]] * 2


def test_a_canary_is_split_between_backends_of_one_kind() -> None:
    refs = rules(GATED, CANARY, gateway=PICKED)[0]["backendRefs"]
    assert {(ref["group"], ref["kind"]) for ref in refs} == {("inference.networking.k8s.io", "InferencePool")}


@pytest.mark.parametrize("gateway", [INTERNAL, PICKED], ids=["services", "inference"])
def test_a_resting_model_is_asked_for_at_the_interceptor_by_its_own_host(gateway: GatewayPlan) -> None:
    for rule in rules(RESTING, gateway=gateway):
        assert rule["backendRefs"] == [
            {"name": "keda-add-ons-http-interceptor-proxy", "namespace": "keda", "port": 8080}
        ]
        (filtered,) = rule["filters"]
        assert filtered["urlRewrite"]["hostname"] == "chat.models.svc.cluster.local"
    grant = manifests.reference_grant(plan(gateway).target)
    assert grant["metadata"]["namespace"] == "keda"
    assert grant["spec"] == {
        "from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "models"}],
        "to": [{"group": "", "kind": "Service", "name": "keda-add-ons-http-interceptor-proxy"}],
    }


def test_the_host_that_a_route_names_is_one_by_which_the_interceptor_knows_the_model() -> None:
    (filtered,) = rules(RESTING)[0]["filters"]
    (rule,) = manifests.interceptor_route(plan().target, RESTING)["spec"]["rules"]
    assert filtered["urlRewrite"]["hostname"] in rule["hosts"]


def test_a_model_that_is_scaled_by_hand_is_asked_for_itself() -> None:
    """Nobody would wake it: the interceptor is there only with autoscaling."""
    for rule in rules(CHAT):
        assert rule["backendRefs"] == [{"name": "chat", "port": 80}]


def test_the_load_balancer_waits_for_a_resting_model_as_long_as_the_interceptor_does() -> None:
    assert RESTING.scaling
    policy = interceptor_policy(plan())["spec"]["default"]
    assert policy["timeoutSec"] == INTERNAL.timeout_seconds + RESTING.scaling.activation_timeout_seconds
    longest = interceptor_policy(plan(replace(INTERNAL, timeout_seconds=86_400)))["spec"]["default"]
    assert longest["timeoutSec"] == 86_400, "Google takes no more"


def test_the_path_of_a_key_is_taken_off_before_the_server_sees_it() -> None:
    (rewrite,) = rules(GATED)[1]["filters"]
    assert rewrite == {
        "type": "URLRewrite",
        "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/v1"}},
    }


def test_the_gateway_is_private_unless_asked_otherwise() -> None:
    spec = manifests.gateway(plan().target, INTERNAL)["spec"]
    assert spec["gatewayClassName"] == "gke-l7-rilb"
    assert [(each["protocol"], each["port"]) for each in spec["listeners"]] == [("HTTP", 80)]
    assert spec["addresses"] == [{"type": "NamedAddress", "value": "hubstack-test-gateway"}]


def test_an_external_gateway_speaks_https_for_its_host_alone() -> None:
    made = plan(EXTERNAL)
    spec = manifests.gateway(made.target, EXTERNAL)["spec"]
    assert spec["gatewayClassName"] == "gke-l7-regional-external-managed"
    (listener,) = spec["listeners"]
    assert (listener["protocol"], listener["port"], listener["hostname"]) == ("HTTPS", 443, "models.example.com")
    assert listener["tls"]["options"] == {"networking.gke.io/cert-manager-certs": "acme"}
    assert route(made, GATED)["spec"]["hostnames"] == ["models.example.com"]
    assert manifests.base_url(EXTERNAL, "1.2.3.4") == "https://models.example.com"


def test_answers_have_the_time_that_was_asked_for_and_begun_ones_are_not_cut() -> None:
    policy = backend_policy(plan(), GATED)
    assert policy["spec"]["targetRef"] == {"group": "", "kind": "Service", "name": "gated"}
    assert policy["spec"]["default"] == {
        "timeoutSec": 3600,
        "connectionDraining": {"drainingTimeoutSec": GATED.server.termination_grace_seconds},
    }
    assert "timeouts" not in json.dumps(rules(GATED)), "GKE ignores them, and who reads them is misled"


@pytest.mark.parametrize("kind", [backend_policy, health_check])
def test_the_policies_of_a_picked_model_are_for_its_pool(kind: Any) -> None:
    assert kind(plan(PICKED), GATED)["spec"]["targetRef"]["kind"] == "InferencePool"
    assert kind(plan(PICKED), EMBED)["spec"]["targetRef"]["kind"] == "Service", "TEI has no metrics for a picker"


def test_health_is_the_engines_own() -> None:
    check = health_check(plan(), EMBED)["spec"]["default"]
    assert check["config"] == {"type": "HTTP", "httpHealthCheck": {"port": 8000, "requestPath": "/health"}}
    assert check["timeoutSec"] <= check["checkIntervalSec"], "Google refuses a limit above the interval"


def test_iap_guards_every_backend_and_the_interceptor_too() -> None:
    own = replace(EXTERNAL, auth=GatewayAuth.IAP, iap_client_id="1-a.apps.googleusercontent.com")
    made = plan(own)
    expected = {
        "enabled": True,
        "clientID": "1-a.apps.googleusercontent.com",
        "oauth2ClientSecret": {"name": "gateway-iap-client"},
    }
    policies = [backend_policy(made, model) for model in (EMBED, GATED, TPU)]
    for policy in (*policies, interceptor_policy(made)):
        assert policy["spec"]["default"]["iap"] == expected
    googles = backend_policy(plan(replace(own, iap_client_id=None)), GATED)
    assert googles["spec"]["default"]["iap"] == {"enabled": True}
    assert "iap" not in backend_policy(plan(), GATED)["spec"]["default"]


def test_only_googles_proxies_are_let_in_and_only_to_the_ports_that_serve() -> None:
    servers, callouts = manifests.proxy_policies(plan().target, plan().on_gke)
    ranges = [{"ipBlock": {"cidr": cidr}} for cidr in (PROXY_RANGE, "35.191.0.0/16", "130.211.0.0/22")]
    assert servers["spec"]["ingress"] == [{"from": ranges, "ports": [{"protocol": "TCP", "port": 8000}]}]
    assert servers["spec"]["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "server"}}
    assert [port["port"] for port in callouts["spec"]["ingress"][0]["ports"]] == [9002, 9003, 9004, 9005]


def test_the_network_policies_find_the_pods_they_are_for() -> None:
    made = plan(PICKED)
    _, callouts = manifests.proxy_policies(made.target, made.on_gke)
    (wanted,) = callouts["spec"]["podSelector"]["matchExpressions"]
    for deployment in (manifests.body_router(made.target), manifests.picker(made.target, GATED)):
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert labels[wanted["key"]] in wanted["values"]
        assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_the_body_router_is_asked_for_v1_only_and_sets_the_header_that_routes_match() -> None:
    made = plan()
    (chain,) = manifests.routing_extension(made.target)["spec"]["extensionChains"]
    assert chain["matchCondition"] == {"celExpressions": [{"celMatcher": 'request.path.startsWith("/v1/")'}]}
    (extension,) = chain["extensions"]
    assert extension["requestBodySendMode"] == "FullDuplexStreamed"
    assert extension["backendRef"] == {"group": "", "kind": "Service", "name": "body-router", "port": 9004}
    args = manifests.body_router(made.target)["spec"]["template"]["spec"]["containers"][0]["args"]
    plugin = args[args.index("--plugin") + 1]
    assert json.loads(plugin.split(":", 2)[2]) == {"fieldName": "model", "headerName": "X-Gateway-Model-Name"}


def test_callouts_meet_the_restricted_standard_and_say_what_they_need() -> None:
    made = plan(PICKED)
    for deployment in (manifests.body_router(made.target), manifests.picker(made.target, GATED)):
        pod = deployment["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        (container,) = pod["containers"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["resources"]["requests"].keys() == {"cpu", "memory", "ephemeral-storage"}
        assert "tolerations" not in pod, "it would take room on a node with accelerators"


def test_a_pool_is_served_by_its_own_picker_on_its_own_pods() -> None:
    made = plan(PICKED, CANARY)
    pools = [manifests.inference_pool(made.target, model)["spec"] for model in (GATED, CANARY)]
    assert [pool["endpointPickerRef"]["name"] for pool in pools] == ["gated-picker", "gated-canary-picker"]
    assert [pool["selector"]["matchLabels"]["app.kubernetes.io/instance"] for pool in pools] == [
        "gated",
        "gated-canary",
    ]
    args = manifests.picker(made.target, GATED)["spec"]["template"]["spec"]["containers"][0]["args"]
    assert args[args.index("--pool-name") + 1] == "gated"


def test_a_pool_of_replicas_over_several_nodes_holds_only_those_that_answer() -> None:
    wide = replace(GATED, hosts=2)
    labels = manifests.inference_pool(plan(PICKED).target, wide)["spec"]["selector"]["matchLabels"]
    assert labels["leaderworkerset.sigs.k8s.io/worker-index"] == "0"


def test_a_picker_reads_the_metrics_of_its_engine() -> None:
    def plugins(model: ModelPlan) -> list[dict[str, Any]]:
        config = json.loads(manifests.picker_config(plan(PICKED).target, model)["data"]["plugins.yaml"])
        return [plugin for plugin in config["plugins"] if plugin["type"] == "core-metrics-extractor"]

    sglang = with_engine(GATED, EngineKind.SGLANG)
    assert plugins(GATED) == [{"type": "core-metrics-extractor"}]
    assert plugins(sglang)[0]["parameters"] == {"defaultEngine": "sglang"}


@pytest.mark.parametrize(
    ("engine", "variable", "flags"),
    [
        (EngineKind.VLLM, "VLLM_API_KEY", []),
        (EngineKind.VLLM_TPU, "VLLM_API_KEY", []),
        (EngineKind.TEI, "API_KEY", []),
        (EngineKind.LLAMA_CPP, "LLAMA_API_KEY", []),
        (EngineKind.SGLANG, "HUBSTACK_API_KEY", ["--api-key", "$(HUBSTACK_API_KEY)"]),
    ],
)
def test_each_engine_is_given_the_key_by_reference(engine: EngineKind, variable: str, flags: list[str]) -> None:
    model = with_engine(GATED, engine)

    def container(gateway: GatewayPlan) -> dict[str, Any]:
        return manifests.deployment(plan(gateway).target, model)["spec"]["template"]["spec"]["containers"][0]

    guarded, open_ = container(EXTERNAL), container(INTERNAL)
    (added,) = [entry for entry in guarded["env"] if entry not in open_["env"]]
    assert added == {
        "name": variable,
        "valueFrom": {"secretKeyRef": {"name": "gateway-api-key", "key": "API_KEY"}},
    }
    assert guarded["args"] == [*open_["args"], *flags]


def test_a_secret_is_synced_by_name_and_its_value_is_nowhere() -> None:
    made = plan(EXTERNAL)
    secret = manifests.synced_secret(made.target, made.gateway)
    assert secret is not None
    source, sync = manifests.sync_class(made.target, secret), manifests.secret_sync(made.target, secret)
    assert "secrets/hubstack-test-api-key/versions/latest" in source["spec"]["parameters"]["secrets"]
    assert sync["spec"]["secretProviderClassName"] == source["metadata"]["name"]
    assert sync["metadata"]["name"] == "gateway-api-key", "the Secret takes the name of its SecretSync"
    assert sync["spec"]["secretObject"]["data"] == [{"sourcePath": "api-key", "targetKey": "API_KEY"}]
    assert manifests.synced_secret(plan().target, plan().gateway) is None


def test_the_picker_passes_on_what_it_cannot_read() -> None:
    config = json.loads(manifests.picker_config(plan(PICKED).target, GATED)["data"]["plugins.yaml"])
    parsers = [parser["pluginRef"] for parser in config["requestHandler"]["parsers"]]
    assert parsers[-1] == "passthrough-parser", "rerank, score and transcriptions are on no list of the others"
    assert {plugin["type"] for plugin in config["plugins"]} >= set(parsers)
