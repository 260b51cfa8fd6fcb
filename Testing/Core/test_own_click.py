"""What a class gave is looked at once more, as after a click on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from KPrismCore.model import Model
from KPrismCore.own_click import own_click
from KPrismCore.predictions import Features, Prediction
from KPrismCore.predictor import Predictor
from KPrismCore.prompts import Click
from KPrismCore.session import AnnotationSession
from KPrismCore.slices import SlicePlane
from KPrismCore.zoom import Zoom
from Testing.Core.spy import Spy
from Testing.Core.tiny import noise_image, random_volume, tiny_model

HEIGHT, WIDTH = 160, 200
SHARE = 0.4


def _disc(centre: tuple[int, int], radius: float, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    rows, columns = np.indices(shape)
    return np.hypot(rows - centre[0], columns - centre[1]) <= radius


def test_the_click_is_in_the_middle_of_a_disc() -> None:
    assert own_click(_disc((70, 120), 20)) == (70, 120)


def test_of_several_pieces_the_largest_is_clicked() -> None:
    assert own_click(_disc((30, 30), 8) | _disc((100, 150), 14)) == (100, 150)


def test_pieces_that_meet_at_a_corner_are_two() -> None:
    mask = np.zeros((20, 20), bool)
    mask[:7, :7] = mask[7:16, 7:16] = True
    assert own_click(mask) == (11, 11)


def test_the_border_of_the_image_is_outline() -> None:
    mask = np.zeros((21, 40), bool)
    mask[:, :11] = True
    assert own_click(mask)[1] == 5


@pytest.mark.parametrize("seed", range(8))
def test_the_click_is_on_the_mask(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ring = _disc((80, 100), 50) & ~_disc((80 + int(rng.integers(-9, 9)), 100), 40)
    mask = ring & (rng.random(ring.shape) < 0.9)
    assert mask[own_click(mask)]


def test_a_single_pixel_is_clicked_on() -> None:
    mask = np.zeros((5, 7), bool)
    mask[4, 6] = True
    assert own_click(mask) == (4, 6)


def test_there_is_no_click_on_nothing() -> None:
    assert own_click(np.zeros((5, 7), bool)) is None


@pytest.fixture
def model() -> Model:
    found = tiny_model(Zoom(margin=2.0, least=0.2, least_pixels=16, own=SHARE))
    # a network with random weights is nowhere sure
    found.lowest_threshold = 0.15
    return found


@pytest.fixture
def predictor(model: Model) -> Predictor:
    return Predictor(model)


@pytest.fixture
def image() -> np.ndarray:
    return noise_image(HEIGHT, WIDTH)


def _clicks(predictor: Predictor) -> list[Sequence[Click]]:
    """The clicks of every further question to the network, in pixels of the image."""
    asked, decode = [], predictor._decode

    def noted(*arguments: Any) -> torch.Tensor:
        asked.append(arguments[3])
        return decode(*arguments)

    predictor._decode = noted  # type: ignore[method-assign]
    return asked


def _without(model: Model, predictor: Predictor, features: Features, **prompt: object) -> Prediction:
    """The answer of the same model that does not look again."""
    zoom, model.zoom = model.zoom, replace(model.zoom, own=0.0)
    try:
        return predictor.predict(features, **prompt)
    finally:
        model.zoom = zoom


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [((64, 64), (1, 1)), ((160, 200), (1, 1)), ((300, 120), (1, 1)), ((60, 256), (4, 0.8))],
)
def test_the_answer_is_the_weighed_mean_of_the_first_and_that_to_the_click(
    model: Model, predictor: Predictor, shape: tuple[int, int], spacing: tuple[float, float]
) -> None:
    pixels = noise_image(*shape)
    features = predictor.encode(pixels, spacing=spacing)
    first, clicks = _without(model, predictor, features, class_name="liver"), _clicks(predictor)
    found = predictor.predict(features, "liver")
    [click] = [click for asked in clicks for click in asked]
    model.zoom = None  # nor does the click look at a part
    again = predictor.predict(features, clicks=[click], previous_mask=first)
    assert not np.allclose(first.probability, again.probability)
    expected = (1 - SHARE) * first.probability + SHARE * again.probability
    np.testing.assert_allclose(found.probability, expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(64, 64), (160, 200), (300, 120)])
def test_the_click_is_where_the_mask_is_deepest(
    model: Model, predictor: Predictor, shape: tuple[int, int]
) -> None:
    features = predictor.encode(noise_image(*shape))
    first, clicks = _without(model, predictor, features, class_name="liver"), _clicks(predictor)
    predictor.predict(features, "liver")
    [click] = [click for asked in clicks for click in asked]
    row, column = own_click(first.mask)
    # found on the network's pixels, of which each is several of the image
    assert np.hypot(click.y - row, click.x - column) <= 1.5 * max(shape) / 64


def test_the_image_is_not_encoded_again(model: Model, predictor: Predictor, image: np.ndarray) -> None:
    features, images = predictor.encode(image), Spy(model.network, "encode_image")
    decodes = Spy(model.network, "decode")
    predictor.predict(features, "liver")
    assert (len(images.calls), len(decodes.calls)) == (0, 2)


@pytest.mark.parametrize("class_name", [None, "liver"])
def test_what_references_gave_is_not_looked_at_again(
    model: Model, predictor: Predictor, image: np.ndarray, class_name: str | None
) -> None:
    features = predictor.encode(image)
    shown = predictor.encode_references([(image, _disc((60, 60), 20))])
    prompt = {"class_name": class_name, "references": shown}
    first = _without(model, predictor, features, **prompt)
    np.testing.assert_array_equal(predictor.predict(features, **prompt).probability, first.probability)


def test_a_user_s_clicks_are_not_added_to(model: Model, predictor: Predictor, image: np.ndarray) -> None:
    features, clicks = predictor.encode(image), [Click(60, 50)]
    for prompt in ({}, {"class_name": "liver"}):
        found = predictor.predict(features, clicks=clicks, **prompt)
        plain = _without(model, predictor, features, clicks=clicks, **prompt)
        np.testing.assert_array_equal(found.probability, plain.probability)


def test_where_nothing_was_found_the_network_is_not_asked_again(
    model: Model, predictor: Predictor, image: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = predictor.encode(image)
    for module in ("predictor", "predictor_answers"):
        nothing = lambda p, _lowest: np.zeros(p.shape, bool)  # noqa: E731
        monkeypatch.setattr(f"KPrismCore.{module}.decide", nothing)
    spy = Spy(model.network, "decode")
    assert not predictor.predict(features, "liver").mask.any()
    assert len(spy.calls) == 1


@pytest.mark.parametrize("zoom", [None, Zoom(own=0.0)])
def test_a_model_without_the_rule_answers_once(zoom: Zoom | None, image: np.ndarray) -> None:
    model = tiny_model(zoom)
    predictor = Predictor(model)
    features, spy = predictor.encode(image), Spy(model.network, "decode")
    predictor.predict(features, "liver")
    assert len(spy.calls) == 1


def test_the_zoom_of_an_older_checkpoint_does_not_look_again() -> None:
    assert Zoom.from_dict({"margin": 2.0, "whole": 0.35}).own == 0


@pytest.mark.parametrize("own", [-0.1, 1.1])
def test_an_impossible_weight_is_refused(own: float) -> None:
    with pytest.raises(ValueError, match="zoom"):
        Zoom(own=own)


def test_a_session_keeps_no_click_that_the_user_did_not_make(predictor: Predictor) -> None:
    session = AnnotationSession(predictor, random_volume("MR", (WIDTH, HEIGHT, 3)))
    session.new_segment("one")
    session.set_class("liver")
    session.predict_slice(SlicePlane(session.volume.geometry, "k", 1))
    assert session.mask().any()
    assert not any(session.clicks(SlicePlane(session.volume.geometry, "k", 1)))
