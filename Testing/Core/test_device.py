"""Where the network runs: devices by name, threads by a measurement, and what counts as lack of memory."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator

import pytest
import torch

from KPrismCore import device
from KPrismCore.device import (
    choose_device,
    is_out_of_memory,
    keep_freed_memory,
    measured_threads,
    use_threads,
)
from KPrismCore.errors import DeviceError


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_the_processor_is_chosen():
    assert choose_device("auto") == torch.device("cpu")


@pytest.mark.usefixtures("two_gpus")
def test_a_gpu_is_preferred():
    assert choose_device("auto").type == "cuda"


@pytest.mark.usefixtures("two_gpus")
def test_a_gpu_can_be_chosen_by_its_number():
    assert choose_device("cuda:1") == torch.device("cuda", 1)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize("name", ["cuda:2", "cuda:x", "cuda:-1", "tpu", "", "cpu:x"])
def test_an_unknown_device_is_an_error(name):
    with pytest.raises(DeviceError):
        choose_device(name)


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps"])
def test_an_absent_device_is_an_error_that_names_a_way_out(name):
    with pytest.raises(DeviceError, match="Choose auto or cpu"):
        choose_device(name)


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB)"),
        MemoryError(),
    ],
)
def test_lack_of_memory_is_recognised(error):
    assert is_out_of_memory(error)


def test_lack_of_memory_of_the_processor_is_recognised():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ValueError("out of memory")])
def test_another_error_is_no_lack_of_memory(error):
    assert not is_out_of_memory(error)


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[int, float]]:
    """Pretend that each number of threads takes so many seconds; four are set at first."""
    seconds = {1: 3.0, 2: 1.0, 4: 2.0}
    original = torch.get_num_threads()
    monkeypatch.setattr(device, "_trial", lambda *_: seconds[torch.get_num_threads()])
    torch.set_num_threads(4)
    measured_threads.cache_clear()
    yield seconds
    measured_threads.cache_clear()
    torch.set_num_threads(original)


@pytest.mark.parametrize("fastest", [1, 2, 4])
def test_the_fastest_number_of_threads_is_found(trials, fastest):
    trials[fastest] = 0.5
    assert measured_threads() == fastest


@pytest.mark.usefixtures("trials")
def test_the_measurement_restores_the_number_of_threads():
    measured_threads()
    assert torch.get_num_threads() == 4


def test_a_failed_measurement_restores_the_number_of_threads(trials):
    del trials[1]
    with pytest.raises(KeyError):
        measured_threads()
    assert torch.get_num_threads() == 4


def test_the_measurement_is_made_once(trials):
    measured_threads()
    trials[4] = 0.1
    assert measured_threads() == 2


def test_a_trial_takes_time():
    seconds = device._trial(
        torch.rand(1, 2, 8, 8), torch.rand(2, 2, 3, 3), torch.rand(3, 4), torch.rand(4, 5)
    )
    assert seconds > 0


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other systems keep freed memory by themselves")
def test_glibc_takes_the_order_to_keep_freed_memory():
    keep_freed_memory.cache_clear()
    assert keep_freed_memory()


def test_other_systems_are_not_asked_to_keep_freed_memory(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    keep_freed_memory.cache_clear()
    assert not keep_freed_memory()
    keep_freed_memory.cache_clear()


@pytest.mark.parametrize("asked", [-3, 0, 100_000])
def test_a_number_of_threads_that_would_bring_the_machine_down_is_not_taken(asked):
    original = torch.get_num_threads()
    try:
        use_threads(asked)
        assert 1 <= torch.get_num_threads() <= (os.cpu_count() or 1)
    finally:
        torch.set_num_threads(original)
