# SPDX-License-Identifier: Apache-2.0
"""A release that cannot be compared with is refused without the password in its address."""

from pathlib import Path

import pytest

from hubstack.files.errors import InputError
from hubstack.review.diff.release import requirement


def test_the_password_of_an_address_is_not_printed(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        requirement("https://user:hunter2@pypi.acme.example/hubstack-0.1.0-py3-none-any.whl", tmp_path)
    assert "https://pypi.acme.example/hubstack" in str(caught.value)
    assert "hunter2" not in str(caught.value)
