# SPDX-License-Identifier: Apache-2.0
"""A stack chooses the NVIDIA driver of its node pools; a pool with another driver is another pool."""

import pytest

from hubstack.files.errors import InputError
from hubstack.inputs.settings import read_settings
from hubstack.kinds import GpuDriver
from hubstack.plan import Plan
from tests.support.facts import llama, plan, target


def planned(drivers: dict[str, GpuDriver]) -> Plan:
    return plan(llama(), where=target(gpu_drivers=drivers))


def test_by_default_nothing_is_said_and_latest_is_the_same() -> None:
    assert planned({}) == planned({"l4": GpuDriver.LATEST}) == planned({"a100-40gb": GpuDriver.DEFAULT})
    assert [pool.gpu_driver for pool in planned({}).pools] == [None]


@pytest.mark.parametrize("word", ["l4", "*"])
def test_another_driver_is_another_pool_which_the_model_and_its_class_name(word: str) -> None:
    before, after = planned({}), planned({word: GpuDriver.DEFAULT})
    (old,), (new,) = before.pools, after.pools
    assert (new.gpu_driver, new.key != old.key) == (GpuDriver.DEFAULT, True)
    assert after.models[0].steps[0].pool == after.classes[0].pools[0] == new.key


def test_a_named_accelerator_goes_before_all_others() -> None:
    drivers = {"*": GpuDriver.DISABLED, "l4": GpuDriver.LATEST}
    assert [pool.gpu_driver for pool in planned(drivers).pools] == [None]


@pytest.mark.parametrize(
    ("driver", "words"), [("default", "needs NVIDIA's driver 580"), ("disabled", "install one")]
)
def test_what_the_engine_needs_of_the_driver_is_a_warning(driver: str, words: str) -> None:
    assert any(words in warning for warning in planned({"l4": GpuDriver(driver)}).warnings)


@pytest.mark.parametrize("word", ["l5", "v5e"])
def test_an_unknown_gpu_is_refused_with_the_nearest(word: str) -> None:
    with pytest.raises(InputError, match="is not a GPU in the catalogue"):
        planned({word: GpuDriver.DEFAULT})


def test_an_unknown_driver_is_refused() -> None:
    told = {"gcp:project": "acme-models", "gcp:region": "us-central1"}
    with pytest.raises(InputError, match="must be one of latest, default, disabled"):
        read_settings("dev", told | {"hubstack:gpuDrivers": '{"l4": "550"}'})
