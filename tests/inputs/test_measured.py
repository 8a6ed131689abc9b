# SPDX-License-Identifier: Apache-2.0
"""The file of measurements: written and read again, refused with a place, one row for each load."""

from pathlib import Path

import pytest

from hubstack.files.errors import InputError
from hubstack.inputs.measured import Measurement, Milliseconds, Setup, load_measured, measured_path, write_measured

SETUP = Setup(
    model="acme/chat",
    commit="a" * 40,
    accelerator="l4",
    accelerators=1,
    tensor_parallel=1,
    engine="vllm",
    version="0.33.0",
)


def row(clients: int, rate: float, setup: Setup = SETUP) -> Measurement:
    return Measurement(
        setup=setup,
        max_num_seqs=64,
        input_tokens=1000,
        output_tokens=300,
        concurrency=clients,
        requests=16,
        requests_per_second=rate,
        token_ms=Milliseconds(median=30.0, p99=40.0),
        first_token_ms=Milliseconds(median=200.0, p99=400.0),
        date="2026-11-30",
        tool="vllm bench serve 0.33.0",
    )


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "dev.measured.yaml"
    write_measured(path, (), (row(8, 2.0), row(1, 0.5)))
    assert load_measured(path, "dev.measured.yaml") == (row(1, 0.5), row(8, 2.0))


def test_an_absent_file_has_no_rows(tmp_path: Path) -> None:
    assert load_measured(tmp_path / "dev.measured.yaml", "dev.measured.yaml") == ()


def test_a_new_run_of_a_load_replaces_the_old_one_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "dev.measured.yaml"
    elsewhere = row(8, 9.0, SETUP.model_copy(update={"accelerator": "h100-80gb"}))
    write_measured(path, (row(1, 0.5), row(8, 2.0), elsewhere), (row(8, 3.0),))
    assert set(load_measured(path, "x")) == {row(1, 0.5), row(8, 3.0), elsewhere}


def test_the_file_stands_beside_the_list() -> None:
    assert measured_path(Path("stacks/shared.models.yaml"), "dev") == Path("stacks/dev.measured.yaml")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("requests_per_second: 2.0", "requests_per_second: -2.0", "must be at least"),
        ("requests_per_second: 2.0", "requests_per_second: 5.0e-324", "must be at least"),
        ("requests_per_second: 2.0", "requests_per_second: 1.0e+300", "must be at most"),
        ("concurrency: 8", f"concurrency: 1{'0' * 310}", "must be at most"),
        ("input_tokens: 1000", f"input_tokens: 1{'0' * 310}", "must be at most"),
        ("  output_tokens: 300", f"  output_tokens: 1{'0' * 310}", "must be at most"),
        ("requests_per_second: 2.0", "requests_per_second: .inf", "finite"),
        (f"commit: {'a' * 40}", "commit: main", "commit"),
        ("accelerator: l4", "acelerator: l4", "accelerator"),
        ("format: 1", "format: 2", "format"),
        ("date: '2026-11-30'", "date: yesterday", "date"),
    ],
)
def test_a_bad_row_is_refused_with_its_line(tmp_path: Path, before: str, after: str, message: str) -> None:
    path = tmp_path / "dev.measured.yaml"
    write_measured(path, (), (row(8, 2.0),))
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after, 1))
    with pytest.raises(InputError) as caught:
        load_measured(path, "dev.measured.yaml")
    assert message in str(caught.value)
    assert "dev.measured.yaml:" in str(caught.value)
    assert "hubstack bench" in str(caught.value)


def test_a_link_to_nothing_is_refused_and_not_taken_for_an_absent_file(tmp_path: Path) -> None:
    path = tmp_path / "dev.measured.yaml"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError):
        load_measured(path, "dev.measured.yaml")
