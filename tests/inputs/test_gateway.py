# SPDX-License-Identifier: Apache-2.0
"""The setting `hubstack:gateway`, rightly and wrongly said."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubstack.files.errors import InputError
from hubstack.inputs.gateway import DEFAULT_TIMEOUT_SECONDS
from hubstack.inputs.settings import StackSettings, read_settings
from hubstack.plan.gateway import Exposure, GatewayAuth, GatewayMode, GatewayPlan

LEAST = {"gcp:project": "acme-ml-prod", "gcp:region": "us-central1"}
EXTERNAL: dict[str, Any] = {
    "exposure": "external",
    "auth": "api-keys",
    "certificate": "acme",
    "host": "models.example.com",
}


def target(gateway: Any) -> StackSettings:
    return read_settings("dev", {**LEAST, "hubstack:gateway": json.dumps(gateway)})


def refused(gateway: Any) -> str:
    with pytest.raises(InputError) as caught:
        target(gateway)
    return str(caught.value)


def test_without_the_setting_there_is_no_gateway() -> None:
    assert read_settings("dev", LEAST).gateway is None


def test_an_empty_mapping_is_a_private_gateway_of_plain_services() -> None:
    assert target({}).gateway == GatewayPlan(
        mode=GatewayMode.SERVICES, exposure=Exposure.INTERNAL, timeout_seconds=DEFAULT_TIMEOUT_SECONDS
    )


def test_every_key_is_read() -> None:
    assert target(
        {**EXTERNAL, "auth": "iap", "iap_client_id": "12-ab3.apps.googleusercontent.com", "timeout_seconds": 600}
    ).gateway == GatewayPlan(
        exposure=Exposure.EXTERNAL,
        auth=GatewayAuth.IAP,
        certificate="acme",
        host="models.example.com",
        timeout_seconds=600,
        iap_client_id="12-ab3.apps.googleusercontent.com",
    )
    assert target({"mode": "inference", "address": "10.0.0.50"}).gateway == GatewayPlan(
        mode=GatewayMode.INFERENCE, address="10.0.0.50", timeout_seconds=DEFAULT_TIMEOUT_SECONDS
    )


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ([], "must be a mapping (`key: value` lines), not a list"),
        ("inference", "must be a mapping"),
        ({"modes": "inference"}, "did you mean `mode`?"),
        ({"mode": "inferense"}, "did you mean `inference`?"),
        ({"exposure": "public"}, 'must be one of internal, external, not `"public"`'),
        ({"host": "Models"}, "must be a DNS name such as models.example.com"),
        ({"host": 3}, "must be text, not `3`"),
        ({"timeout_seconds": 0}, "must be at least 1, not `0`"),
        ({"timeout_seconds": True}, "must be a whole number, not `true`"),
        ({"timeout_seconds": 100_000}, "must be at most 86,400"),
        ({"address": "10.0.0.500"}, "must be an IPv4 address, not `10.0.0.500`"),
        ({"address": 7}, "must be text, not `7`"),
        ({"address": "8.8.8.8"}, "must be a free address of the stack's subnet (10.0.0.2 to 10.0.15.253)"),
        ({"address": "192.168.0.5"}, "must be a free address of the stack's subnet"),
        ({"address": "10.0.15.254"}, "must be a free address of the stack's subnet"),
        ({"auth": "api-keys"}, "applies to an external gateway"),
        ({"certificate": "acme"}, "`hubstack:gateway.host` is missing: a certificate is issued for a name"),
        ({**EXTERNAL, "auth": None}, "without it, an external gateway is open to everyone"),
        ({**EXTERNAL, "certificate": None}, "an external gateway serves HTTPS only"),
        ({**EXTERNAL, "host": None}, "a certificate is issued for a name"),
        ({**EXTERNAL, "address": "10.0.0.10"}, "applies to an internal gateway"),
        ({**EXTERNAL, "auth": "iap", "mode": "inference"}, "is not known to protect an InferencePool"),
        ({**EXTERNAL, "iap_client_id": "12-ab3.apps.googleusercontent.com"}, "applies to `auth: iap` only"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_reason(said: Any, why: str) -> None:
    message = refused(said)
    assert message.startswith("Pulumi.dev.yaml: ")
    assert why in message


def test_all_that_is_wrong_is_told_at_once() -> None:
    message = refused({"exposure": "external"})
    assert all(f"`hubstack:gateway.{key}`" in message for key in ("auth", "certificate", "host"))
    message = refused({"mode": 1, "host": "x", "colour": "red"})
    assert all(f"`{key}`" in message for key in ("hubstack:gateway.mode", "hubstack:gateway.host", "colour"))


def test_each_host_has_an_issued_certificate_of_its_own_name_because_one_in_use_cannot_be_deleted() -> None:
    zoned = {**EXTERNAL, "certificate": None, "dns_zone": "acme"}
    found = [
        target({**zoned, "host": host}).gateway for host in ("a.example.com", "b.example.com", "a.example.com")
    ]
    names = [each.certificate for each in found if each and each.issues_certificate]
    assert names[0] == names[2] != names[1]
    assert all(name and name.startswith("hubstack-dev-gateway-") for name in names)


@given(
    st.text(max_size=40)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["external", "iap"]),
        lambda inner: st.dictionaries(
            st.sampled_from(["mode", "exposure", "host", "auth", "address", "timeout_seconds"]), inner, max_size=4
        ),
    ).map(json.dumps)
)
def test_no_setting_makes_a_traceback(text: str) -> None:
    try:
        gateway = read_settings("dev", {**LEAST, "hubstack:gateway": text}).gateway
    except InputError:
        return
    if gateway and gateway.exposure is Exposure.EXTERNAL:
        assert gateway.auth, "an open gateway would be made"
