"""The predictor: images of any kind, prompts in the network's frame, errors, and what is computed once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from KPrismCore.catalogue import Catalogue
from KPrismCore.errors import (
    ClickOutsideError,
    ImageContentError,
    PromptError,
    ReferenceMismatchError,
    UnknownClassError,
)
from KPrismCore.model import Model
from KPrismCore.network.prompts import ReferenceFeatures
from KPrismCore.predictor import Predictor
from KPrismCore.prompts import Click
from Testing.Core.spy import Spy
from Testing.Core.tiny import TINY, noise_image, tiny_model

HEIGHT, WIDTH = 40, 80


@pytest.fixture
def model() -> Model:
    return tiny_model()


@pytest.fixture
def predictor(model: Model) -> Predictor:
    return Predictor(model)


@pytest.fixture
def image() -> np.ndarray:
    return noise_image(HEIGHT, WIDTH)


@pytest.fixture
def mask() -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[10:30, 20:50] = True
    return mask


IMAGES = {
    "wide": (40, 80), "tall": (90, 30), "large": (200, 130), "one row": (1, 50), "colour": (40, 80, 3),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
@pytest.mark.parametrize("kind", IMAGES)
def test_a_prediction_has_the_shape_of_the_image(predictor, kind, dtype):
    image = (np.random.default_rng(0).random(IMAGES[kind]) * 200).astype(dtype)
    found = predictor.predict(predictor.encode(image), class_name="liver")
    assert found.mask.shape == found.probability.shape == IMAGES[kind][:2]
    assert (found.mask.dtype, found.probability.dtype) == (bool, np.float32)


def test_the_mask_is_where_the_probability_is_above_one_half(predictor, image):
    found = predictor.predict(predictor.encode(image), clicks=[Click(30, 20)])
    assert found.mask.any()
    assert not found.mask.all()
    assert np.array_equal(found.mask, found.probability > 0.5)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_image_with_values_that_are_no_numbers_is_an_error(predictor, value):
    with pytest.raises(ImageContentError):
        predictor.encode(np.full((8, 8), value))


@pytest.mark.parametrize("shape", [(1, 1), (8,), (0, 5), (2, 8, 8, 3), (8, 8, 2)])
def test_an_array_that_is_no_image_is_an_error(predictor, shape):
    with pytest.raises(ImageContentError):
        predictor.encode(np.zeros(shape))


@pytest.mark.parametrize(
    ("shape", "click", "row", "column"),
    [
        ((64, 64), (5, 9), 9, 5),
        ((64, 64), (63, 0), 0, 63),
        ((32, 64), (5, 9), 9 + 16, 5),  # centred between 16 empty rows above and below
        ((64, 32), (5, 9), 9, 5 + 16),
        ((128, 128), (5, 9), 4.25, 2.25),
    ],
)
def test_a_click_reaches_the_network_at_its_row_and_column(model, predictor, shape, click, row, column):
    spy = Spy(model.network, "decode")
    predictor.predict(predictor.encode(np.eye(*shape)), clicks=[Click(*click)])
    assert spy.calls[0][1].clicks.points.tolist() == [[[row, column]]]


def test_the_network_sees_the_image_under_the_click(model, predictor):
    image = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    image[30:32, 50:52] = 255
    encoded, decoded = Spy(model.network, "encode_image"), Spy(model.network, "decode")
    predictor.predict(predictor.encode(image), clicks=[Click(50.5, 30.5)])
    row, column = decoded.calls[0][1].clicks.points[0, 0].round().long()
    assert encoded.calls[0][0][0, 0, row, column] == encoded.calls[0][0].max()


def test_clicks_reach_the_network_newest_first_with_their_polarity(model, predictor, image):
    spy = Spy(model.network, "decode")
    predictor.predict(predictor.encode(image), clicks=[Click(1, 2), Click(3, 4, positive=False)])
    clicks = spy.calls[0][1].clicks
    assert clicks.labels.tolist() == [[0, 1]]
    assert clicks.points[0, 0, 0] > clicks.points[0, 1, 0]


def test_clicks_are_whole_pixels_for_checkpoints_of_the_authors(image):
    model = tiny_model(config=replace(TINY, authors_rules=True))
    spy, asking = Spy(model.network, "decode"), Predictor(model)
    asking.predict(asking.encode(image), clicks=[Click(33, 17)])
    points = spy.calls[0][1].clicks.points
    assert torch.equal(points, points.round())


@pytest.mark.parametrize("place", [(-1, 0), (0, -0.6), (WIDTH, 0), (0, HEIGHT - 0.4)])
def test_a_click_outside_the_image_is_an_error(predictor, image, place):
    with pytest.raises(ClickOutsideError, match=f"0 to {WIDTH - 1}"):
        predictor.predict(predictor.encode(image), clicks=[Click(*place)])


@pytest.mark.parametrize(
    "place", [(0, 0), (-0.5, -0.5), (WIDTH - 1, HEIGHT - 1), (WIDTH - 0.6, HEIGHT - 0.6)]
)
def test_a_click_on_the_border_is_inside(predictor, image, place):
    assert predictor.predict(predictor.encode(image), clicks=[Click(*place)]).mask.shape == image.shape


@pytest.mark.parametrize("dtype", [bool, np.complex64, "U1"])
def test_an_array_of_no_real_numbers_is_an_error(predictor, dtype):
    with pytest.raises(ImageContentError, match="type"):
        predictor.encode(np.ones((8, 8), dtype))


def test_a_prediction_without_prompts_is_an_error(predictor, image, mask):
    with pytest.raises(PromptError, match="click"):
        predictor.predict(predictor.encode(image), previous_mask=mask)


def test_an_unknown_class_is_an_error_with_a_near_match(predictor, image):
    with pytest.raises(UnknownClassError, match=r"Did you mean.*liver"):
        predictor.predict(predictor.encode(image), class_name="livr")


def test_a_class_that_was_never_trained_is_an_error(model, predictor, image):
    entries = [replace(entry, trained=entry.index != 1) for entry in model.catalogue]
    model.catalogue = Catalogue(tuple(entries))
    with pytest.raises(PromptError, match="not trained"):
        predictor.predict(predictor.encode(image), class_name=entries[0].name)


def test_a_class_reaches_the_network_as_its_index(model, predictor, image):
    spy = Spy(model.network, "decode")
    predictor.predict(predictor.encode(image), class_name="Liver")
    assert spy.calls[0][1].class_index.tolist() == [model.catalogue.by_name("liver").index]


@pytest.mark.parametrize("count", [0, 10])
def test_no_reference_and_more_than_nine_are_errors(predictor, image, mask, count):
    with pytest.raises(ReferenceMismatchError, match="1 to 9"):
        predictor.encode_references([(image, mask)] * count)


def test_a_reference_with_an_empty_mask_is_an_error(predictor, image, mask):
    with pytest.raises(ReferenceMismatchError, match="empty"):
        predictor.encode_references([(image, mask), (image, mask & False)])


def test_a_reference_with_a_mask_of_another_size_is_an_error(predictor, image, mask):
    with pytest.raises(ReferenceMismatchError, match="pixels"):
        predictor.encode_references([(image, mask[:-1])])


@pytest.mark.parametrize("joined", [False, True])
def test_references_of_another_modality_are_an_error(predictor, image, mask, joined):
    references = predictor.encode_references([(image, mask)], "CT")
    if joined:
        references = ReferenceFeatures.concatenate([references, references])
    with pytest.raises(ReferenceMismatchError, match="are CT, the image is MR"):
        predictor.predict(predictor.encode(image, "MR"), references=references)


@pytest.mark.parametrize(("theirs", "modality"), [(None, "MR"), ("CT", None), ("MR", "MR")])
def test_references_whose_modality_may_be_the_images_are_taken(predictor, image, mask, theirs, modality):
    references = predictor.encode_references([(image, mask)], theirs)
    assert (
        predictor.predict(predictor.encode(image, modality), references=references).mask.shape == mask.shape
    )


def test_references_may_differ_in_size_from_the_image_and_from_each_other(predictor, image, mask):
    references = predictor.encode_references([(image, mask), (image[:, :30], mask[:, :30])])
    assert predictor.predict(predictor.encode(image[:20]), references=references).mask.shape == (20, WIDTH)


def test_a_previous_mask_changes_the_prediction(predictor, image, mask):
    features, clicks = predictor.encode(image), [Click(30, 20)]
    one, other = (predictor.predict(features, clicks=clicks, previous_mask=m) for m in (mask, ~mask))
    assert not np.array_equal(one.probability, other.probability)


def test_a_previous_mask_reaches_the_network_in_its_frame(model, predictor, image, mask):
    spy = Spy(model.network, "decode")
    predictor.predict(predictor.encode(image), clicks=[Click(30, 20)], previous_mask=mask)
    previous = spy.calls[0][1].previous[0, 0]
    # 40 x 80 pixels become 32 x 64 from row 16 on
    assert previous[16 + 16, 28] == 1
    assert not previous[:16].any()


def test_a_previous_prediction_reaches_the_network_without_a_loss(model, predictor, image):
    features, spy = predictor.encode(image), Spy(model.network, "decode")
    first = predictor.predict(features, class_name="liver")
    predictor.predict(features, class_name="liver", previous_mask=first)
    assert torch.equal(spy.calls[1][1].previous, first.square)


def test_a_previous_mask_of_another_size_is_an_error(predictor, image, mask):
    with pytest.raises(PromptError, match="previous"):
        predictor.predict(predictor.encode(image), class_name="liver", previous_mask=mask[:-1])


def test_a_prediction_of_another_image_is_no_previous_mask(predictor, image):
    other = predictor.predict(predictor.encode(image[:-1]), class_name="liver")
    with pytest.raises(PromptError, match="previous"):
        predictor.predict(predictor.encode(image), class_name="liver", previous_mask=other)


def test_a_prediction_without_its_probability_is_a_previous_mask(predictor, image):
    features = predictor.encode(image)
    first = predictor.predict(features, class_name="liver")
    kept = replace(first, probability=np.zeros((0, 0), np.float32))
    one, other = (predictor.predict(features, clicks=[Click(3, 3)], previous_mask=p) for p in (first, kept))
    assert np.array_equal(one.probability, other.probability)


@pytest.mark.parametrize("value", [255, -1, np.nan])
def test_a_previous_mask_that_is_no_probability_is_an_error(predictor, image, value):
    with pytest.raises(PromptError, match="0 to 1"):
        predictor.predict(
            predictor.encode(image), class_name="liver", previous_mask=np.full(image.shape, value)
        )


def test_the_image_is_encoded_once_for_many_predictions(model, predictor, image):
    spy = Spy(model.network, "encode_image")
    features = predictor.encode(image)
    for column in range(3):
        predictor.predict(features, clicks=[Click(column, 0)])
    assert len(spy.calls) == 1


def test_a_prediction_does_not_depend_on_those_before_it(predictor, image, mask):
    features, references = predictor.encode(image), predictor.encode_references([(image, mask)])
    first = predictor.predict(features, class_name="liver")
    predictor.predict(features, references=references, clicks=[Click(3, 3)])
    assert np.array_equal(predictor.predict(features, class_name="liver").probability, first.probability)


def test_references_are_read_out_once_for_many_predictions(model, predictor, image, mask):
    spy = Spy(model.network, "with_references")
    features, references = predictor.encode(image), predictor.encode_references([(image, mask)])
    for column in range(3):
        predictor.predict(features, references=references, clicks=[Click(column, 0)])
    assert len(spy.calls) == 1


def test_other_references_are_read_out_anew(predictor, image, mask):
    features = predictor.encode(image)
    one, other = (predictor.encode_references([(image, m)]) for m in (mask, ~mask))
    predictor.predict(features, references=one)
    found = predictor.predict(features, references=other)
    fresh = predictor.predict(predictor.encode(image), references=other)
    assert np.array_equal(found.probability, fresh.probability)


def test_features_tell_their_memory(predictor, image, mask):
    features = predictor.encode(image)
    before = features.bytes
    assert before >= sum(level.nelement() * 4 for level in features.image.levels)
    predictor.predict(features, references=predictor.encode_references([(image, mask)]))
    assert features.bytes > before


def test_what_is_told_is_on_the_line_of_the_kind_of_prompt(predictor, image):
    features = predictor.encode(image)
    prompts = {"clicks_1": {"clicks": [Click(30, 20)]}, "class": {"class_name": "liver"}}
    before = {kind: predictor.predict(features, **prompt) for kind, prompt in prompts.items()}
    assert all(found.mask.any() and found.confidence == found.expected for found in before.values())
    predictor.model.confidence_lines = {"clicks_1": (0.1, 0.5)}
    after = {kind: predictor.predict(features, **prompt) for kind, prompt in prompts.items()}
    assert after["clicks_1"].confidence == pytest.approx(0.1 + 0.5 * before["clicks_1"].expected)
    assert after["class"].confidence == before["class"].confidence


def test_an_empty_mask_is_as_sure_as_its_likeliest_pixel_says(predictor, image):
    predictor.model.confidence_lines = {"clicks_1": (0.0, 0.0)}
    for parameter in predictor.model.network.fine_head.head.last.parameters():
        torch.nn.init.constant_(parameter, 0.0 if parameter.ndim > 1 else -2.0)
    found = predictor.predict(predictor.encode(image), clicks=[Click(30, 20)])
    assert not found.mask.any()
    assert found.expected is None
    assert found.confidence == pytest.approx(1 - float(found.probability.max()))


def test_a_reference_lost_at_the_network_size_is_refused(predictor):
    image = np.zeros((600, 600), dtype=np.uint8)
    image[300:] = 200
    mask = np.zeros((600, 600), dtype=bool)
    mask[1, 1] = True
    with pytest.raises(ReferenceMismatchError, match="lost"):
        predictor.encode_references([(image, mask)])


def test_references_that_another_thread_asks_with_meanwhile_do_not_answer(monkeypatch):
    predictor, image = Predictor(tiny_model()), np.random.default_rng(0).random((40, 50)) * 255
    mask = np.zeros(image.shape, dtype=bool)
    mask[5:20, 5:20] = True
    one, other = (predictor.encode_references([(image, shown)]) for shown in (mask, ~mask))
    features = predictor.encode(image)
    expected = predictor.predict(predictor.encode(image), references=one).probability

    class Shared(type(features)):
        """Features in which another thread puts its own at once."""

        def __setattr__(self, name, value):
            super().__setattr__(name, theirs if name == "matched" and value is not None else value)

    theirs = (other, predictor._matched(predictor.encode(image), other))
    shared = Shared(features.letterbox, features.image, features.modality, image, features.value_range)
    assert np.allclose(predictor.predict(shared, references=one).probability, expected, atol=1e-6)
