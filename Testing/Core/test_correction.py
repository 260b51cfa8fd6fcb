"""A click on a mask the network is sure of changes only what the click is about."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from KPrismCore.correction import corrected
from KPrismCore.model import Model
from KPrismCore.predictions import Features, Prediction
from KPrismCore.predictor import Predictor
from KPrismCore.prompts import Click
from KPrismCore.session import AnnotationSession
from KPrismCore.slices import SlicePlane
from KPrismCore.zoom import Zoom
from Testing.Core.tiny import noise_image, random_volume, tiny_model

SHAPE = (40, 60)


def boxes(*found: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    for top, bottom, left, right in found:
        mask[top:bottom, left:right] = True
    return mask


BEFORE = boxes((5, 30, 5, 30))
# a hole, a bay cut off far away, and something new on the right
AFTER = BEFORE & ~boxes((10, 14, 10, 14), (25, 30, 5, 30)) | boxes((5, 10, 40, 50))
HOLE = Click(12, 12, positive=False)
NEW = Click(44, 7)


@pytest.mark.parametrize(
    ("clicks", "wanted"),
    [
        ([HOLE], BEFORE & ~boxes((10, 14, 10, 14))),
        ([NEW], BEFORE | boxes((5, 10, 40, 50))),
        ([NEW, HOLE], BEFORE & ~boxes((10, 14, 10, 14)) | boxes((5, 10, 40, 50))),
    ],
    ids=["negative", "positive", "both"],
)
def test_only_the_regions_that_clicks_are_in_change(clicks, wanted):
    np.testing.assert_array_equal(corrected(BEFORE, AFTER, clicks), wanted)


@pytest.mark.parametrize("click", [Click(20, 20), Click(12, 12), Click(44, 7, positive=False)])
def test_a_click_that_is_in_no_change_of_its_kind_takes_the_whole_answer(click):
    np.testing.assert_array_equal(corrected(BEFORE, AFTER, [click]), AFTER)


def test_an_older_click_in_a_change_does_not_speak_for_the_newest():
    np.testing.assert_array_equal(corrected(BEFORE, AFTER, [NEW, Click(20, 20)]), AFTER)


def test_a_change_ends_half_way_to_a_click_of_the_other_kind():
    clicks = [Click(20, 27), Click(14, 27, positive=False)]
    after = BEFORE & ~boxes((25, 30, 5, 30))
    np.testing.assert_array_equal(corrected(BEFORE, after, clicks), BEFORE & ~boxes((25, 30, 5, 18)))


@pytest.mark.parametrize("positive", [False, True])
def test_a_change_half_way_between_two_clicks_is_made(positive):
    before = boxes() if positive else boxes((0, 1, 0, 11))
    clicks = [Click(10, 0, not positive), Click(0, 0, positive)]
    wanted = boxes((0, 1, 0, 6)) if positive else boxes((0, 1, 6, 11))
    np.testing.assert_array_equal(corrected(before, boxes((0, 1, 0, 11)) & ~before, clicks), wanted)


def test_the_whole_answer_ends_half_way_to_a_click_of_the_other_kind_too():
    clicks = [Click(0, 20), Click(59, 20, positive=False)]
    after = boxes((0, 40, 25, 60))
    np.testing.assert_array_equal(corrected(boxes(), after, clicks), after & boxes((0, 40, 0, 30)))


def test_pixels_that_touch_at_a_corner_are_one_region():
    after = boxes((0, 5, 0, 5), (5, 10, 5, 10))
    np.testing.assert_array_equal(corrected(boxes(), after, [Click(2, 2)]), after)


@pytest.mark.parametrize("place", [(-0.5, -0.5), (59.5, 39.5), (59.49, -0.4)])
def test_a_click_on_the_very_border_is_in_the_outermost_pixel(place):
    after = np.ones(SHAPE, dtype=bool)
    np.testing.assert_array_equal(corrected(boxes(), after, [Click(*place)]), after)


def test_the_masks_given_stay_as_they_are():
    before, after = BEFORE.copy(), AFTER.copy()
    corrected(before, after, [HOLE])[:] = True
    np.testing.assert_array_equal(before, BEFORE)
    np.testing.assert_array_equal(after, AFTER)


@pytest.fixture
def model() -> Model:
    return tiny_model(Zoom())


@pytest.fixture
def predictor(model: Model) -> Predictor:
    return Predictor(model)


@pytest.fixture
def features(predictor: Predictor) -> Features:
    return predictor.encode(noise_image(*SHAPE))


def prediction(features: Features, mask: np.ndarray, confidence: float) -> Prediction:
    probability = mask * np.float32(0.8) + np.float32(0.1)
    square = features.letterbox.image(torch.from_numpy(probability)[None, None])
    return Prediction(mask, probability, confidence, square, confidence)


@pytest.fixture
def answering_after(predictor: Predictor, features: Features, monkeypatch: pytest.MonkeyPatch) -> Predictor:
    """A predictor whose network always answers AFTER."""
    answer = prediction(features, AFTER, 0.7)
    monkeypatch.setattr(predictor, "predict", lambda *_args, **_names: answer)
    return predictor


def test_a_sure_mask_changes_only_where_the_click_is(answering_after, features):
    before = prediction(features, BEFORE, 0.9)
    found = answering_after.refine(features, None, None, [NEW, HOLE], before)
    np.testing.assert_array_equal(found.mask, corrected(BEFORE, AFTER, [NEW, HOLE]))


def test_the_first_click_on_a_sure_mask_of_a_class_changes_only_where_it_is(answering_after, features):
    found = answering_after.refine(features, "liver", None, [HOLE], prediction(features, BEFORE, 0.9))
    np.testing.assert_array_equal(found.mask, corrected(BEFORE, AFTER, [HOLE]))


def test_an_unsure_mask_may_change_everywhere(answering_after, features):
    found = answering_after.refine(features, None, None, [NEW, HOLE], prediction(features, BEFORE, 0.8))
    np.testing.assert_array_equal(found.mask, AFTER)


def test_a_sure_answer_that_nothing_is_there_may_change_everywhere(answering_after, features):
    found = answering_after.refine(features, None, None, [HOLE, NEW], prediction(features, boxes(), 0.9))
    np.testing.assert_array_equal(found.mask, AFTER)


def test_a_mask_drawn_by_hand_may_change_everywhere(answering_after, features):
    found = answering_after.refine(features, None, None, [NEW, HOLE], BEFORE)
    np.testing.assert_array_equal(found.mask, AFTER)


def test_a_model_without_a_zoom_may_change_a_sure_mask_everywhere(answering_after, features):
    answering_after.model.zoom = None
    found = answering_after.refine(features, None, None, [NEW, HOLE], prediction(features, BEFORE, 0.9))
    np.testing.assert_array_equal(found.mask, AFTER)


def test_probabilities_are_the_old_ones_where_the_mask_was_kept(answering_after, features):
    before = prediction(features, BEFORE, 0.9)
    before = replace(before, square=before.square * 0 + 0.9)
    found = answering_after.refine(features, None, None, [HOLE], before)
    kept = found.mask != AFTER
    np.testing.assert_allclose(found.probability[kept], 0.9, atol=1e-5)
    np.testing.assert_array_equal(
        found.probability[~kept], prediction(features, AFTER, 0.7).probability[~kept]
    )


def test_the_square_shows_the_corrected_probability(answering_after, features):
    found = answering_after.refine(features, None, None, [HOLE], prediction(features, BEFORE, 0.9))
    wanted = features.letterbox.image(torch.from_numpy(found.probability)[None, None])
    torch.testing.assert_close(found.square, wanted)


def test_a_session_leaves_the_rest_of_a_sure_mask_as_it_was(predictor, monkeypatch):
    session = AnnotationSession(predictor, random_volume("MR", (SHAPE[1], SHAPE[0], 3)))
    session.new_segment("one")
    plane = SlicePlane(session.volume.geometry, "axial", 1)
    masks = iter((BEFORE, AFTER))

    def answer(features, *_prompts):
        return prediction(features, next(masks), 0.9)

    monkeypatch.setattr(predictor, "predict", answer)
    session.add_click(plane, Click(20, 20))
    session.add_click(plane, HOLE)
    np.testing.assert_array_equal(plane.read_mask(session.mask()), corrected(BEFORE, AFTER, [HOLE]))
