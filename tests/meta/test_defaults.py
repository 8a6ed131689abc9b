# SPDX-License-Identifier: Apache-2.0
"""A default stands beside its key, and nowhere else: neither in the text of the key nor in what reads it."""

import re
from collections.abc import Iterator

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hubstack.inputs.gateway import GatewaySettings
from hubstack.inputs.models_schema import Canary, Lora, Replicas, Scaling, Settings, Slo, Speculative, Traffic
from hubstack.inputs.settings import StackSettings

SCHEMAS: tuple[type[BaseModel], ...] = (
    Canary,
    GatewaySettings,
    Lora,
    Replicas,
    Scaling,
    Settings,
    Slo,
    Speculative,
    StackSettings,
    Traffic,
)


def with_default() -> Iterator[tuple[str, FieldInfo]]:
    for schema in SCHEMAS:
        for name, field in schema.model_fields.items():
            if not field.is_required() and field.default not in (None, ()) and field.default_factory is None:
                yield f"{schema.__name__}.{name}", field


@pytest.mark.parametrize(
    ("name", "field"), list(with_default()), ids=lambda part: part if isinstance(part, str) else ""
)
def test_the_text_of_a_key_does_not_repeat_its_default(name: str, field: FieldInfo) -> None:
    assert not re.search(r"\bDefault\b", field.description or ""), f"{name}: the reference has a column for it"
