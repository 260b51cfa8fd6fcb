"""Products through convolutions are those of matrices, with and without oneDNN."""

from __future__ import annotations

import pytest
import torch

from KPrismCore.network import products
from KPrismCore.network.products import by_rows, times

# multiplications on either side of the limit from which products become convolutions
SHAPES = [(5, 3, 4), (300, 64, 256), (441, 257, 61), (1, 2048, 2048), (2049, 1, 2049), (2100, 2000, 1)]


@pytest.fixture(params=[True, False], ids=["oneDNN", "without"])
def one_dnn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if request.param and not torch.backends.mkldnn.is_available():
        pytest.skip("this PyTorch has no oneDNN")
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: request.param)
    return bool(request.param)


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def check(found: torch.Tensor, wanted: torch.Tensor) -> None:
    torch.testing.assert_close(found.double(), wanted, rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize(("m", "k", "n"), SHAPES)
@torch.inference_mode()
def test_by_rows_multiplies_with_the_rows_and_adds_the_bias(m, k, n, one_dnn):
    x, weight, bias = random(m, k), random(n, k), random(n)
    check(by_rows(x, weight, bias), x.double() @ weight.double().t() + bias.double())


@pytest.mark.parametrize(("m", "k", "n"), SHAPES)
@torch.inference_mode()
def test_times_is_the_product(m, k, n, one_dnn):
    weight, x = random(m, k), random(k, n)
    check(times(weight, x), weight.double() @ x.double())


@torch.inference_mode()
def test_the_rows_of_a_result_are_whole_in_memory(one_dnn):
    assert by_rows(random(441, 257), random(61, 257)).is_contiguous()


@torch.inference_mode()
def test_factors_that_are_parts_of_others_are_taken_as_they_are(one_dnn):
    wide, weight = random(257, 441), random(61, 514)[:, ::2]
    check(by_rows(wide.t(), weight), wide.double().t() @ weight.double().t())
    check(times(weight, wide), weight.double() @ wide.double())


@torch.inference_mode()
def test_large_products_are_convolutions(monkeypatch):
    if not torch.backends.mkldnn.is_available():
        pytest.skip("this PyTorch has no oneDNN")
    seen = []
    convolved = products._convolved
    monkeypatch.setattr(products, "_convolved", lambda *parts: seen.append(1) or convolved(*parts))
    by_rows(random(441, 257), random(61, 257))
    times(random(61, 257), random(257, 441))
    by_rows(random(4, 257), random(61, 257))
    assert len(seen) == 2


def test_with_gradients_a_product_is_one_of_matrices():
    x = random(441, 257).requires_grad_()
    by_rows(x, random(61, 257)).sum().backward()
    assert x.grad is not None


@torch.inference_mode()
def test_rows_may_be_those_of_many_images(one_dnn):
    x, weight = random(2, 19, 23, 257), random(61, 257)
    check(by_rows(x, weight), x.double() @ weight.double().t())


@torch.inference_mode()
def test_a_product_has_the_precision_of_autocast(one_dnn):
    with torch.autocast("cpu", torch.bfloat16):
        assert by_rows(random(441, 257), random(61, 257)).dtype == torch.bfloat16


@torch.inference_mode()
def test_double_precision_is_kept(one_dnn):
    assert by_rows(random(441, 257).double(), random(61, 257).double()).dtype == torch.float64
