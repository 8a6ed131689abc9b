# SPDX-License-Identifier: Apache-2.0
from hubstack.review.diff.render.html import _breakable


def test_a_path_may_wrap_behind_its_marks_and_is_still_escaped() -> None:
    assert _breakable("spec.containers[x].args <b>") == "spec.<wbr>containers[<wbr>x].<wbr>args &lt;b&gt;"
    assert _breakable("$1,000.50 a/b & c") == "$1,000.50 a/<wbr>b &amp; c"
