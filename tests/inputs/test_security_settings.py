# SPDX-License-Identifier: Apache-2.0
"""The settings of Binary Authorization, keys and perimeters: what they become, and what is refused."""

import pytest

from hubstack.files.errors import InputError
from hubstack.inputs.settings import StackSettings, read_settings
from hubstack.plan.settings import SecurityPlan

KEY = "projects/acme-keys/locations/us-central1/keyRings/models/cryptoKeys/hubstack"
PERIMETER = "accessPolicies/1234/servicePerimeters/models"


def read(**settings: str) -> StackSettings:
    told = {"gcp:project": "acme-models", "gcp:region": "us-central1"}
    return read_settings("dev", told | {f"hubstack:{key}": value for key, value in settings.items()})


def test_nothing_is_asked_for_by_default() -> None:
    assert read().security is None
    assert read(binaryAuthorization="false", restrictedApis="false", kmsKey="", controlPlane="dns").security is None


def test_each_setting_asks_for_one_thing() -> None:
    assert read(binaryAuthorization="true").security == SecurityPlan(binary_authorization=True)
    assert read(kmsKey=KEY).security == SecurityPlan(kms_key=KEY)
    assert read(restrictedApis="true").security == SecurityPlan(restricted_apis=True)
    assert read(controlPlane="private").security == SecurityPlan(private_control_plane=True)
    assert read(flowLogs="true").security == SecurityPlan(flow_logs=True)
    assert read(intranodeVisibility="true").security == SecurityPlan(intranode_visibility=True)


def test_a_perimeter_is_of_no_use_while_the_apis_are_reached_past_it() -> None:
    asked = SecurityPlan(perimeter=PERIMETER, restricted_apis=True)
    assert read(servicePerimeter=PERIMETER).security == asked


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        (
            "kmsKey",
            KEY.replace("us-central1", "global"),
            "is a key in `global`, but disks in us-central1 need a key",
        ),
        ("kmsKey", KEY + "/cryptoKeyVersions/1", "a Cloud KMS key"),
        ("kmsKey", "hubstack", "a Cloud KMS key"),
        ("servicePerimeter", "models", "a service perimeter"),
        ("servicePerimeter", PERIMETER + "\n", "a service perimeter"),
        ("binaryAuthorization", "yes", "true or false"),
        ("restrictedApis", "1", "true or false"),
        ("controlPlane", "public", "must be one of dns, private"),
        ("flowLogs", "on", "true or false"),
        ("intranodeVisibility", "yes", "true or false"),
    ],
)
def test_a_wrong_value_names_its_setting_and_the_form(key: str, value: str, why: str) -> None:
    with pytest.raises(InputError) as refused:
        read(**{key: value})
    (problem,) = refused.value.problems
    assert f"`hubstack:{key}`" in problem.message
    assert why in problem.message
    assert f"pulumi config set hubstack:{key}" in (problem.hint or "")
