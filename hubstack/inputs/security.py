# SPDX-License-Identifier: Apache-2.0
"""The stack settings that tighten what Google lets happen: images, keys and the perimeter. All off unless asked.

Owns their names, forms and what they become in a plan. Does not own the resources (`components`); what each does
and what it needs is docs/concepts/security.md.
"""

import re
from collections.abc import Callable, Mapping

from hubstack.plan.settings import SecurityPlan

BINARY_AUTHORIZATION, KMS_KEY = "hubstack:binaryAuthorization", "hubstack:kmsKey"
RESTRICTED_APIS, PERIMETER = "hubstack:restrictedApis", "hubstack:servicePerimeter"
SETTINGS = (BINARY_AUTHORIZATION, KMS_KEY, RESTRICTED_APIS, PERIMETER)
KEY_EXAMPLE = "projects/PROJECT/locations/REGION/keyRings/RING/cryptoKeys/KEY"
PERIMETER_EXAMPLE = "accessPolicies/NUMBER/servicePerimeters/NAME"
_KEY = r"projects/[a-z][-a-z0-9:.]{4,61}[a-z0-9]/locations/([a-z0-9-]+)/keyRings/[\w-]{1,63}/cryptoKeys/[\w-]{1,63}"
_PERIMETER = r"accessPolicies/\d{1,20}/servicePerimeters/[A-Za-z]\w{0,49}"


Refuse = Callable[[str, str, str], None]
"""Setting, what is wrong, an example."""


def read_security(
    config: Mapping[str, str], region: str, flag: Callable[[str], bool], refuse: Refuse
) -> SecurityPlan | None:
    """Read the settings.

    Args:
        config: full key (`hubstack:kmsKey`) to text.
        region: of the stack; a key elsewhere encrypts none of its disks.
        flag: reads a setting that is true or false.
        refuse: told what is wrong.

    Returns:
        None where nothing is asked for.
    """
    key, perimeter = config.get(KMS_KEY) or None, config.get(PERIMETER) or None
    if key:
        found = re.fullmatch(_KEY, key)
        if found is None:
            refuse(KMS_KEY, f"is `{key}`, which is no name of a Cloud KMS key", KEY_EXAMPLE)
        elif found[1] != region:
            refuse(KMS_KEY, f"is a key of `{found[1]}`; disks in {region} need one of {region}", KEY_EXAMPLE)
    if perimeter and not re.fullmatch(_PERIMETER, perimeter):
        refuse(PERIMETER, f"is `{perimeter}`, which is no name of a service perimeter", PERIMETER_EXAMPLE)
    asked = SecurityPlan(
        binary_authorization=flag(BINARY_AUTHORIZATION), kms_key=key,
        restricted_apis=flag(RESTRICTED_APIS) or perimeter is not None, perimeter=perimeter,
    )  # fmt: skip
    return None if asked == SecurityPlan() else asked
