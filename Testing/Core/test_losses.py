"""The loss has the official values and punishes lost clicks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from KPrismCore.training.losses import SegmentationLoss, click_windows, matching_loss, upsample

GOLDEN = Path(__file__).parents[3] / "shared" / "network" / "golden" / "loss.npz"


def half_square() -> torch.Tensor:
    target = torch.zeros(1, 1, 16, 16)
    target[..., :8] = 1.0
    return target


def test_dice_follows_the_formula() -> None:
    logits, target = torch.randn(2, 1, 16, 16), (torch.rand(2, 1, 16, 16) > 0.5).float()
    probability = logits.sigmoid()
    sums = [(probability * target).sum((1, 2, 3)), probability.sum((1, 2, 3)), target.sum((1, 2, 3))]
    expected = (1 - (2 * sums[0] + 1) / (sums[1] + sums[2] + 1)).mean()
    torch.testing.assert_close(SegmentationLoss()([logits], target).dice, expected)


def test_the_golden_values_are_met() -> None:
    if not GOLDEN.exists():
        pytest.skip("needs ../shared: golden files of the official loss")
    golden = np.load(GOLDEN)
    shape = tuple(golden["target_shape"])
    bits = np.unpackbits(golden["target_bits"])[: int(np.prod(shape))]
    target = torch.from_numpy(bits.reshape(shape).astype(np.float32))[:, None]
    terms = SegmentationLoss()([torch.from_numpy(golden[f"logits_l{layer}"]) for layer in range(6)], target)
    assert 5 * terms.dice.item() == pytest.approx(float(golden["loss_dice"]), rel=1e-5)
    assert 5 * terms.entropy.item() == pytest.approx(float(golden["loss_ce"]), rel=1e-5)
    assert terms.total.item() == pytest.approx(float(golden["loss_dice"] + golden["loss_ce"]), rel=1e-5)


def test_every_output_counts_by_its_weight() -> None:
    target = half_square()
    first, second = torch.randn(1, 1, 4, 4), torch.randn(1, 1, 8, 8)
    single = [SegmentationLoss()([logits], target).total for logits in (first, second)]
    both = SegmentationLoss(output_weights=(0.5, 1.0))([first, second], target).total
    torch.testing.assert_close(both, 0.5 * single[0] + single[1])


def test_a_wrong_number_of_weights_is_refused() -> None:
    with pytest.raises(ValueError, match="argument 2"):
        SegmentationLoss(output_weights=(1.0,))([torch.zeros(1, 1, 4, 4)] * 2, half_square())


def test_losing_a_clicked_pixel_costs_more_than_losing_another() -> None:
    target = half_square()
    windows = click_windows(torch.tensor([[[4.0, 3.0]]]), torch.tensor([[1]]), target)
    loss = SegmentationLoss(click_factor=1.0)
    clicked, other = 10 * target - 5, 10 * target - 5
    clicked[0, 0, 4, 3] = -5.0
    other[0, 0, 12, 3] = -5.0
    assert loss([clicked], target, windows).total > loss([other], target, windows).total + 0.5


def test_a_click_window_ends_where_the_truth_changes() -> None:
    windows = click_windows(torch.tensor([[[4.0, 7.0]]]), torch.tensor([[1]]), half_square())
    assert windows.nonzero()[:, 2:].tolist() == [[r, c] for r in (3, 4, 5) for c in (6, 7)]


def test_absent_clicks_have_no_window() -> None:
    assert not click_windows(torch.tensor([[[4.0, 7.0]]]), torch.tensor([[-1]]), half_square()).any()


def test_logits_are_enlarged_bilinearly() -> None:
    row = upsample(torch.tensor([[[[0.0, 1.0]]]]).expand(1, 1, 2, 2), 4)[0, 0, 0]
    assert row.tolist() == [0.0, 0.25, 0.75, 1.0]


def half_keys(strength: float = 20.0) -> torch.Tensor:
    """Keys (1, 2, 4, 4) of two kinds, one in each half of `half_square`."""
    side = torch.zeros(1, 4, 4)
    side[..., :2] = strength
    return torch.stack((side, strength - side), 1)


def test_pixels_that_resemble_the_right_side_of_a_reference_cost_nothing():
    target = half_square()
    assert matching_loss(half_keys(), half_keys()[:, None], target[None], target) < 0.01


def test_pixels_that_resemble_the_wrong_side_of_a_reference_cost_much():
    target = half_square()
    assert matching_loss(half_keys().flip(-1), half_keys()[:, None], target[None], target) > 40


def test_matching_that_knows_nothing_costs_as_a_guess_of_one_half():
    target = half_square()
    same = torch.ones(1, 2, 4, 4)
    # 16 cells: Dice 1 - (2 * 4 + 1) / (8 + 8 + 1), cross-entropy log 2
    expected = 5 * (1 - 9 / 17) + 5 * np.log(2)
    assert matching_loss(same, same[:, None], target[None], target).item() == pytest.approx(expected)


def test_matching_teaches_image_and_reference():
    query, keys = half_keys(1.0).flip(-1).requires_grad_(), half_keys(1.0).requires_grad_()
    matching_loss(query, keys[:, None], half_square()[None], half_square()).backward()
    assert query.grad.abs().max() > 0
    assert keys.grad.abs().max() > 0
