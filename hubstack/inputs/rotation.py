# SPDX-License-Identifier: Apache-2.0
"""The setting `hubstack:secretVersions`: a number for each secret, raised when its value is rotated.

Owns its keys. Pulumi sends a secret's value through a write-only argument, which it cannot compare, so the number
says that the value is new.
"""

from pydantic import BaseModel, ConfigDict, Field

from hubstack.plan.settings import SecretVersions

SETTING, EXAMPLE = "hubstack:secretVersions", '{"apiKey": 2}'
_MOST = 9_999


class SecretVersionSettings(BaseModel):
    """Numbers of the secrets' values (docs/guides/rotate-secrets.md)."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True, populate_by_name=True
    )

    api_key: int = Field(1, validation_alias="apiKey", ge=1, le=_MOST)
    """Of `hubstack:apiKey`; a new number restarts the servers one by one with the new key."""
    hf_token: int = Field(1, validation_alias="hfToken", ge=1, le=_MOST)
    """Of `hubstack:hfToken`; the next load of weights uses the new token, and no pod restarts."""
    iap_client_secret: int = Field(1, validation_alias="iapClientSecret", ge=1, le=_MOST)
    """Of `hubstack:iapClientSecret`; the load balancer takes the new secret."""

    @property
    def plan(self) -> SecretVersions | None:
        """The numbers as part of a plan; None if every secret still has its first value."""
        asked = SecretVersions(
            api_key=self.api_key, hf_token=self.hf_token, iap_client_secret=self.iap_client_secret
        )
        return None if asked == SecretVersions() else asked
