"""How sure the network may claim to be: expectation, lines, and how lines are fitted."""

from __future__ import annotations

import json

import numpy as np
import pytest
from measured import record

from KPrismCore.checkpoint import Checkpoint, ModelCard, read_checkpoint, save_checkpoint
from KPrismCore.confidence import confidence, expected_dice, prompt_kind, read_lines
from KPrismCore.evaluation.confidence_lines import FEWEST, fitted_lines
from KPrismCore.evaluation.protocol import PREVIOUS
from Testing.Core.tiny import tiny_checkpoint


def test_expected_dice_is_the_dice_of_mask_and_probability():
    probability = np.array([[0.9, 0.2], [0.7, 0.4]], dtype=np.float32)
    assert expected_dice(probability > 0.5, probability) == pytest.approx(2 * 1.6 / (2.2 + 2))


def test_an_empty_mask_is_expected_to_be_right_as_its_likeliest_pixel_says():
    assert expected_dice(np.zeros((1, 2), bool), np.array([[0.1, 0.3]], np.float32)) == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("clicks", "references", "kind"),
    [(0, False, "class"), (0, True, "reference"), (1, False, "clicks_1"), (1, True, "clicks_1"),
     (2, False, "clicks_2"), (3, False, "clicks_2"), (4, False, "clicks_4"), (10, True, "clicks_4")],
)  # fmt: skip
def test_clicks_decide_the_kind_of_a_prompt_before_references(clicks, references, kind):
    assert prompt_kind(clicks, references) == kind


@pytest.mark.parametrize(("line", "told"), [((0.1, 0.5), 0.5), ((-2.0, 1.0), 0.0), ((0.5, 1.0), 1.0)])
def test_what_is_told_is_on_the_line_and_between_zero_and_one(line, told):
    assert confidence(0.8, "class", {"class": line}) == pytest.approx(told)


def test_a_kind_without_a_line_tells_what_it_expects():
    assert confidence(0.8, "reference", {"class": (0.0, 0.1)}) == 0.8


def answered(set_name: str, subject: str, said: float, true: float) -> dict:
    """A record of a class and of one click with the same expectation and Dice."""
    details = {"class": {"expected": said, "dice": true}}
    return record(set_name, subject, [true], expected=[said], details=details)


@pytest.fixture
def half_as_good() -> list[dict]:
    """Answers that are half as good as expected."""
    said = np.linspace(0.2, 1, FEWEST)
    return [answered("a", f"s{number}", float(one), float(one) / 2) for number, one in enumerate(said)]


def test_the_line_leads_from_what_was_expected_to_what_came_true(half_as_good):
    lines = fitted_lines(half_as_good)
    assert lines == {"class": pytest.approx((0, 0.5)), "clicks_1": pytest.approx((0, 0.5))}


def test_every_set_weighs_the_same(half_as_good):
    many = [answered("b", f"s{number}", 0.6, 0.9) for number in range(1000)]
    offset, slope = fitted_lines([*half_as_good, *many])["class"]
    assert offset + slope * 0.6 == pytest.approx((0.3 + 0.9) / 2, abs=1e-3)


def test_a_line_does_not_fall(half_as_good):
    turned = [answered("a", one["subject"], 1 - one["expected"][0], one["clicks"][0]) for one in half_as_good]
    mean = np.mean([one["clicks"][0] for one in turned])
    assert fitted_lines(turned)["class"] == pytest.approx((mean, 0), abs=1e-3)


def test_too_few_answers_make_no_line(half_as_good):
    assert not fitted_lines(half_as_good[1:])


def test_answers_of_another_checkpoint_and_empty_masks_do_not_count(half_as_good):
    others = [{**one, "method": PREVIOUS} for one in half_as_good]
    empty = [answered("a", f"t{number}", 0.9, 0.0) for number in range(9)]
    for one in empty:
        one["expected"], one["details"]["class"]["expected"] = [None], None
    assert fitted_lines([*half_as_good, *others, *empty]) == fitted_lines(half_as_good)


def test_lines_come_back_from_a_checkpoint_file(tmp_path):
    checkpoint = read_checkpoint(tiny_checkpoint(tmp_path / "tiny.safetensors"))
    lines = {"class": (0.1, 0.5)}
    changed = Checkpoint(
        checkpoint.config, checkpoint.weights, checkpoint.catalogue, checkpoint.preprocessing, ModelCard(),
        confidence_lines=lines,
    )  # fmt: skip
    save_checkpoint(tmp_path / "m.safetensors", changed)
    assert read_checkpoint(tmp_path / "m.safetensors").confidence_lines == lines


def test_lines_are_two_numbers_each():
    assert read_lines(json.loads('{"class": [0, 1]}')) == {"class": (0.0, 1.0)}
    with pytest.raises(ValueError, match="unpack"):
        read_lines({"class": [1, 2, 3]})
