# SPDX-License-Identifier: Apache-2.0
"""The settings of Binary Authorization, keys and perimeters: what they become, and what is refused."""

import re
from pathlib import Path

import pytest

from hubstack.files.errors import InputError
from hubstack.inputs import security
from hubstack.inputs.pulumi_config import UNDECLARED
from hubstack.inputs.settings import KEYS, Target, read_target
from hubstack.plan.settings import SecurityPlan

KEY = "projects/acme-keys/locations/us-central1/keyRings/models/cryptoKeys/hubstack"
PERIMETER = "accessPolicies/1234/servicePerimeters/models"


def read(**settings: str) -> Target:
    told = {"gcp:project": "acme-models", "gcp:region": "us-central1"}
    return read_target("dev", told | {f"hubstack:{key}": value for key, value in settings.items()})


def test_nothing_is_asked_for_by_default() -> None:
    assert read().security is None
    assert read(binaryAuthorization="false", restrictedApis="false", kmsKey="").security is None


def test_each_setting_asks_for_one_thing() -> None:
    assert read(binaryAuthorization="true").security == SecurityPlan(binary_authorization=True)
    assert read(kmsKey=KEY).security == SecurityPlan(kms_key=KEY)
    assert read(restrictedApis="true").security == SecurityPlan(restricted_apis=True)


def test_a_perimeter_is_of_no_use_while_the_apis_are_reached_past_it() -> None:
    asked = SecurityPlan(perimeter=PERIMETER, restricted_apis=True)
    assert read(servicePerimeter=PERIMETER).security == asked


@pytest.mark.parametrize(("key", "value", "why"), [
    ("kmsKey", KEY.replace("us-central1", "global"), "is a key of `global`; disks in us-central1 need one"),
    ("kmsKey", KEY + "/cryptoKeyVersions/1", "no name of a Cloud KMS key"),
    ("kmsKey", "hubstack", "no name of a Cloud KMS key"),
    ("servicePerimeter", "models", "no name of a service perimeter"),
    ("servicePerimeter", PERIMETER + "\n", "no name of a service perimeter"),
    ("binaryAuthorization", "yes", "true or false"),
    ("restrictedApis", "1", "true or false"),
])  # fmt: skip
def test_a_wrong_value_names_its_setting_and_the_form(key: str, value: str, why: str) -> None:
    with pytest.raises(InputError) as refused:
        read(**{key: value})
    (problem,) = refused.value.problems
    assert f"`hubstack:{key}`" in problem.message
    assert why in problem.message
    assert f"pulumi config set hubstack:{key}" in (problem.hint or "")


def test_every_setting_is_known_and_in_the_guide() -> None:
    assert set(security.SETTINGS) <= set(KEYS)
    assert {name.split(":")[1] for name in security.SETTINGS} <= set(UNDECLARED)
    guide = Path(__file__).resolve().parents[2] / "docs" / "getting-started" / "first-stack.md"
    rows = set(re.findall(r"^ *\| `(hubstack:\w+)` \|", guide.read_text(), re.MULTILINE))
    assert set(KEYS) - {"gcp:project", "gcp:region"} <= rows
