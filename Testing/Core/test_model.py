"""Loading a model by name or path, and going on with the processor when a GPU is full."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from KPrismCore import model as module
from KPrismCore.checkpoint import read_checkpoint
from KPrismCore.errors import CheckpointError, DeviceError
from KPrismCore.model import Model, load_model, model_of
from KPrismCore.network.kprism import KPrism
from KPrismCore.predictor import Predictor
from KPrismCore.prompts import Click
from Testing.Core.spy import Spy
from Testing.Core.tiny import noise_image, tiny_checkpoint

CPU = torch.device("cpu")
FULL = "CUDA out of memory."


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tiny_checkpoint(tmp_path / "tiny.safetensors")


@pytest.fixture
def image() -> np.ndarray:
    return noise_image(50, 70)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of threads that were set, instead of setting them; three would be the fastest."""
    chosen: list[int] = []
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(module, "measured_threads", lambda: 3)
    monkeypatch.setattr(torch, "set_num_threads", chosen.append)
    return chosen


@pytest.mark.usefixtures("threads")
def test_a_model_is_loaded_from_a_path(file):
    assert load_model(file, "cpu").card.name == "tiny"


@pytest.mark.usefixtures("threads")
def test_a_model_is_loaded_by_its_name(file, monkeypatch):
    monkeypatch.setattr(module, "_MODELS", file.parent)
    assert load_model("tiny", "cpu").card.name == "tiny"


@pytest.mark.usefixtures("threads")
def test_a_folder_of_the_same_name_does_not_hide_a_model(file, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_MODELS", file.parent)
    (tmp_path / "here" / "tiny").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    assert load_model("tiny", "cpu").card.name == "tiny"


def test_an_unknown_name_is_an_error_that_lists_the_models(file, monkeypatch):
    monkeypatch.setattr(module, "_MODELS", file.parent)
    with pytest.raises(CheckpointError, match="one of: tiny"):
        load_model("other", "cpu")


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_model(tmp_path / "none.safetensors", "cpu")


def test_an_unknown_device_is_an_error(file):
    with pytest.raises(DeviceError):
        load_model(file, "tpu")


def test_the_measured_number_of_threads_is_used(file, threads):
    load_model(file, "cpu")
    assert threads == [3]


def test_a_number_of_threads_set_by_the_user_is_kept(file, threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    load_model(file, "cpu")
    assert threads == []


@pytest.mark.usefixtures("threads")
def test_a_loaded_network_is_in_evaluation_mode(file):
    assert not load_model(file, "cpu").network.training


def full_gpu(network: KPrism, device: torch.device) -> KPrism:
    if device.type != "cpu":
        raise torch.cuda.OutOfMemoryError(FULL)
    return network


def test_a_model_that_does_not_fit_the_gpu_is_used_on_the_processor(file, monkeypatch):
    checkpoint = read_checkpoint(file)
    monkeypatch.setattr(KPrism, "for_inference", KPrism.eval)
    monkeypatch.setattr(KPrism, "to", full_gpu)
    model = model_of(checkpoint, torch.device("meta"))
    assert model.device == CPU
    assert "processor" in model.notes[-1]


def test_another_error_on_the_way_to_the_gpu_is_not_hidden(file, monkeypatch):
    def broken(_network: KPrism, _device: torch.device) -> KPrism:
        raise RuntimeError("driver")

    monkeypatch.setattr(KPrism, "for_inference", KPrism.eval)
    monkeypatch.setattr(KPrism, "to", broken)
    with pytest.raises(RuntimeError, match="driver"):
        model_of(read_checkpoint(file), torch.device("meta"))


@pytest.fixture
def on_processor(file: Path) -> Model:
    return model_of(read_checkpoint(file), CPU)


@pytest.fixture
def on_gpu(file: Path) -> Model:
    """A model as if on a GPU: what is computed there has no values, so it has to be computed again."""
    return replace(model_of(read_checkpoint(file), CPU), device=torch.device("meta"))


@pytest.fixture
def notices() -> list[str]:
    return []


def test_out_of_memory_while_encoding_the_processor_takes_over(on_gpu, on_processor, image, notices):
    Spy(on_gpu.network, "encode_image", torch.cuda.OutOfMemoryError(FULL))
    found = Predictor(on_gpu, notices.append).encode(image)
    wanted = Predictor(on_processor).encode(image)
    assert torch.equal(found.image.levels[0], wanted.image.levels[0])


def test_out_of_memory_while_decoding_the_processor_takes_over(on_gpu, on_processor, image, notices):
    features = Predictor(on_processor).encode(image)
    wanted = Predictor(on_processor).predict(features, clicks=[Click(30, 20)])
    Spy(on_gpu.network, "decode", torch.cuda.OutOfMemoryError(FULL))
    found = Predictor(on_gpu, notices.append).predict(features, clicks=[Click(30, 20)])
    assert np.array_equal(found.probability, wanted.probability)


def test_the_user_is_told_once_that_the_processor_took_over(on_gpu, image, notices):
    Spy(on_gpu.network, "encode_image", torch.cuda.OutOfMemoryError(FULL))
    predictor = Predictor(on_gpu, notices.append)
    for _ in range(2):
        predictor.encode(image)
    assert len(notices) == 1
    assert "going on with the processor" in notices[0]


def test_after_taking_over_the_processor_stays(on_gpu, image):
    Spy(on_gpu.network, "encode_image", RuntimeError("MPS backend out of memory"))
    Predictor(on_gpu).encode(image)
    assert on_gpu.device == CPU


def test_out_of_memory_of_the_processor_is_an_error(on_processor, image):
    Spy(on_processor.network, "encode_image", RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    with pytest.raises(DeviceError, match="memory"):
        Predictor(on_processor).encode(image)


def test_another_failure_is_not_taken_for_lack_of_memory(on_gpu, image):
    Spy(on_gpu.network, "encode_image", RuntimeError("a defect"))
    with pytest.raises(RuntimeError, match="a defect"):
        Predictor(on_gpu).encode(image)
