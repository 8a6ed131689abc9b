# SPDX-License-Identifier: Apache-2.0
"""All rules of the pack by ID. Texts and levels are in rules.yaml; limits are passed as settings.

A rule is a plain function of a resource and the settings, or of all resources and the settings. Property names are
those of the Pulumi providers `gcp` 10 and `kubernetes` 4.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from buying_rules import accelerators, labels_present, regions_allowed, spot_outside_production
from container_rules import image_digest, image_registry, image_tag, no_plain_secret
from model_rules import license_allowed, license_stated, no_remote_code, scan_clean, scan_known, weights_format
from reach_rules import no_public_endpoint, no_public_grant, private_nodes
from resources import Found, Resource, Settings

RESOURCE_RULES: Mapping[str, Callable[[Resource, Settings], Iterator[str]]] = {
    "HS001": license_allowed,
    "HS002": license_stated,
    "HS003": no_remote_code,
    "HS004": weights_format,
    "HS005": scan_clean,
    "HS006": scan_known,
    "HS010": no_public_endpoint,
    "HS011": no_public_grant,
    "HS012": private_nodes,
    "HS013": regions_allowed,
    "HS014": spot_outside_production,
    "HS015": labels_present,
    "HS016": no_plain_secret,
    "HS017": image_registry,
    "HS018": image_tag,
    "HS019": image_digest,
}
STACK_RULES: Mapping[str, Callable[[Iterable[Resource], Settings], Iterator[Found]]] = {"HS020": accelerators}
