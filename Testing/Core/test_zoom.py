"""Clicks on a small object are answered on the part of the image around it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from KPrismCore.catalogue import load_catalogue
from KPrismCore.checkpoint import Checkpoint, ModelCard, read_checkpoint, read_metadata, save_checkpoint
from KPrismCore.errors import CheckpointError
from KPrismCore.model import Model
from KPrismCore.network.kprism import KPrism
from KPrismCore.predictions import Prediction
from KPrismCore.predictor import Predictor
from KPrismCore.preprocess import Preprocessing
from KPrismCore.prompts import Click
from KPrismCore.session import AnnotationSession
from KPrismCore.slices import SlicePlane
from KPrismCore.zoom import Window, Zoom
from Testing.Core.spy import Spy
from Testing.Core.tiny import CLASSES, TINY, noise_image, random_volume, tiny_model

HEIGHT, WIDTH = 160, 200
CLICKS = [Click(60, 50), Click(80, 64, positive=False)]


@pytest.fixture
def model() -> Model:
    return tiny_model(Zoom(margin=2.0, least=0.2, least_pixels=16, alone=2))


@pytest.fixture
def predictor(model: Model) -> Predictor:
    return Predictor(model)


@pytest.fixture
def image() -> np.ndarray:
    return noise_image(HEIGHT, WIDTH)


@pytest.fixture
def mask() -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[40:60, 50:75] = True
    return mask


SHAPES = {
    "square": ((200, 200), (1.0, 1.0)), "wide": ((120, 300), (1.0, 1.0)),
    "thick slices": ((60, 256), (4.0, 0.8)), "thick columns": ((256, 60), (0.8, 4.0)),
}  # fmt: skip


def _object(shape: tuple[int, int], seed: int) -> tuple[np.ndarray, list[Click]]:
    """A small box anywhere on an image, and clicks near it."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(shape, dtype=bool)
    sides = [max(2, length // 12) for length in shape]
    top, left = (int(rng.integers(0, length - side)) for length, side in zip(shape, sides, strict=True))
    mask[top : top + sides[0], left : left + sides[1]] = True
    return mask, [Click(float(left), float(top)), Click(left + sides[1] - 0.6, top + sides[0] - 0.6, False)]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", SHAPES)
def test_the_part_holds_the_object_and_all_clicks(kind, seed):
    shape, spacing = SHAPES[kind]
    mask, clicks = _object(shape, seed)
    window = Zoom(least_pixels=8).window(mask, clicks, spacing)
    assert window is not None
    assert mask[window.cut].sum() == mask.sum()
    part = mask[window.cut].shape
    assert all(
        -0.5 <= click.y < part[0] - 0.5 and -0.5 <= click.x < part[1] - 0.5 for click in window.clicks(clicks)
    )


@pytest.mark.parametrize("kind", SHAPES)
def test_the_part_is_square_in_millimetres_as_far_as_the_image_goes(kind):
    shape, spacing = SHAPES[kind]
    mask, clicks = _object(shape, 1)
    window = Zoom(least_pixels=8).window(mask, clicks, spacing)
    rows, columns = mask[window.cut].shape
    edges = rows * spacing[0], columns * spacing[1]
    whole = rows == shape[0] or columns == shape[1]
    assert whole or abs(edges[0] - edges[1]) <= max(spacing)


def test_a_larger_margin_shows_more(mask):
    near, far = (Zoom(margin=m, least=0.05, least_pixels=1).window(mask, [], (1, 1)) for m in (1.5, 3.0))
    assert mask[far.cut].size > mask[near.cut].size


def test_a_large_object_is_seen_on_the_whole_image(mask):
    assert Zoom().window(np.ones_like(mask), CLICKS, (1, 1)) is None


def test_a_click_far_away_is_seen_on_the_whole_image(mask):
    assert Zoom().window(mask, [Click(190, 150)], (1, 1)) is None


def test_nothing_is_known_of_the_size_of_an_empty_mask(mask):
    assert Zoom().window(mask & False, CLICKS, (1, 1)) is None


def test_a_part_has_no_fewer_pixels_than_allowed(mask):
    window = Zoom(margin=1.0, least=0.01, least_pixels=70).window(mask, [], (1, 1))
    assert 70 <= mask[window.cut].shape[0] <= 70 + WIDTH / 16


def test_an_object_that_grows_a_little_is_seen_on_the_same_part(mask):
    grown = mask.copy()
    grown[60] = mask[59]
    assert Zoom().window(mask, [], (1, 1)) == Zoom().window(grown, [], (1, 1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"margin": 0.5},
        {"least": 0.9},
        {"most": 2.0},
        {"least_pixels": 0},
        {"alone": 0},
        {"sure": 1.5},
        {"whole": 1.0},
    ],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError, match="zoom"):
        Zoom(**wrong)


@pytest.mark.parametrize("share", [0.0, 0.35])
def test_the_answer_is_the_weighed_mean_of_those_to_the_part_and_to_the_whole(
    model, predictor, image, mask, share
):
    model.zoom = replace(model.zoom, whole=share)
    window = model.zoom.window(mask, CLICKS, (1, 1))
    found = predictor.predict(
        predictor.encode(image, value_range=(0, 255)), clicks=CLICKS, previous_mask=mask
    )
    model.zoom = None
    part, whole = (
        predictor.predict(
            predictor.encode(pixels, value_range=(0, 255)), clicks=clicks, previous_mask=before
        ).probability
        for pixels, clicks, before in (
            (image[window.cut], window.clicks(CLICKS), mask[window.cut]), (image, CLICKS, mask),
        )
    )  # fmt: skip
    expected = (1 - share) * part + share * whole[window.cut]
    np.testing.assert_allclose(found.probability[window.cut], expected, atol=1e-6)


def test_the_whole_image_is_not_asked_where_it_has_no_weight(model, predictor, image, mask):
    features = predictor.encode(image)
    counts = []
    for share in (0.0, 0.35):
        model.zoom = replace(model.zoom, whole=share)
        spy = Spy(model.network, "decode")
        predictor.predict(features, clicks=CLICKS, previous_mask=mask)
        counts.append(len(spy.calls))
    assert counts == [1, 2]


def test_a_drawn_spot_too_small_for_the_network_is_not_left_outside(model, predictor, image, mask):
    mask[150:152, 190:192] = True
    features, spy = predictor.encode(image), Spy(model.network, "encode_image")
    predictor.predict(features, clicks=CLICKS, previous_mask=mask)
    assert not spy.calls


def test_an_answer_of_which_only_the_square_was_kept_is_refined_on_a_part(model, predictor, image, mask):
    features = predictor.encode(image)
    probability = mask.astype(np.float32)
    square = features.letterbox.image(torch.from_numpy(probability)[None, None])
    first = Prediction(mask, probability, 1.0, square)
    kept = replace(first, probability=np.zeros((0, 0), np.float32))
    spy = Spy(model.network, "encode_image")
    one, other = (predictor.predict(features, clicks=CLICKS, previous_mask=p) for p in (first, kept))
    np.testing.assert_array_equal(one.probability, other.probability)
    assert len(spy.calls) == 1


def test_outside_the_part_there_is_nothing(model, predictor, image, mask):
    found = predictor.predict(predictor.encode(image), clicks=CLICKS, previous_mask=mask)
    outside = np.ones_like(mask)
    outside[:100, :130] = False
    assert not found.probability[outside].any()
    assert found.mask.any()


def test_the_square_shows_the_whole_image(predictor, image, mask):
    features = predictor.encode(image)
    found = predictor.predict(features, clicks=CLICKS, previous_mask=mask)
    expected = features.letterbox.image(torch.from_numpy(found.probability)[None, None])
    torch.testing.assert_close(found.square, expected)


def test_a_part_is_encoded_once_for_clicks_that_leave_it_as_it_is(model, predictor, image, mask):
    features, spy = predictor.encode(image), Spy(model.network, "encode_image")
    for column in (60, 62, 64):
        predictor.predict(features, clicks=[Click(column, 50)], previous_mask=mask)
    assert len(spy.calls) == 1


def test_a_prediction_does_not_depend_on_the_part_seen_before(predictor, image, mask):
    features = predictor.encode(image)
    first = predictor.predict(features, clicks=CLICKS, previous_mask=mask)
    predictor.predict(features, clicks=[Click(100, 90)], previous_mask=np.roll(mask, 50, (0, 1)))
    again = predictor.predict(features, clicks=CLICKS, previous_mask=mask)
    np.testing.assert_array_equal(first.probability, again.probability)


def test_the_parts_memory_is_told(predictor, image, mask):
    features = predictor.encode(image)
    before = features.bytes
    predictor.predict(features, clicks=CLICKS, previous_mask=mask)
    assert features.bytes > 1.5 * before


@pytest.mark.parametrize("prompt", ["class", "references", "no mask"])
def test_other_prompts_are_answered_on_the_whole_image(model, predictor, image, mask, prompt):
    features = predictor.encode(image)
    prompts = {
        "class": {"class_name": "liver", "previous_mask": mask},
        "references": {"references": predictor.encode_references([(image, mask)]), "previous_mask": mask},
        "no mask": {},
    }
    spy = Spy(model.network, "encode_image")
    predictor.predict(features, clicks=CLICKS, **prompts[prompt])
    assert not spy.calls


def test_a_model_without_a_zoom_looks_at_the_whole_image(model, predictor, image, mask):
    model.zoom = None
    features, spy = predictor.encode(image), Spy(model.network, "encode_image")
    predictor.predict(features, clicks=CLICKS, previous_mask=mask)
    assert not spy.calls


def test_a_part_goes_back_to_its_place():
    window = Window(2, 4, 1, 5)
    whole = window.put_back(np.ones((2, 4), dtype=np.float32), (6, 7))
    assert whole.shape == (6, 7)
    assert whole.sum() == whole[2:4, 1:5].sum() == 8


@pytest.mark.parametrize("prompt", ["class", "references"])
def test_a_mask_is_refined_by_the_clicks_alone_from_so_many_on(predictor, image, mask, prompt):
    features = predictor.encode(image)
    named = "liver" if prompt == "class" else None
    shown = predictor.encode_references([(image, mask)]) if prompt == "references" else None
    refined = [predictor.refine(features, named, shown, CLICKS[:n], mask).probability for n in (1, 2)]
    together = predictor.predict(features, named, shown, CLICKS[:1], mask).probability
    alone = predictor.predict(features, clicks=CLICKS, previous_mask=mask).probability
    np.testing.assert_array_equal(refined[0], together)
    np.testing.assert_array_equal(refined[1], alone)


def test_where_there_is_no_mask_to_refine_all_prompts_count(predictor, image):
    features = predictor.encode(image)
    refined = predictor.refine(features, "liver", None, CLICKS, None).probability
    together = predictor.predict(features, "liver", clicks=CLICKS).probability
    np.testing.assert_array_equal(refined, together)


def test_a_model_without_a_zoom_refines_with_all_prompts(model, predictor, image, mask):
    model.zoom = None
    features = predictor.encode(image)
    refined = predictor.refine(features, "liver", None, CLICKS, mask).probability
    together = predictor.predict(features, "liver", clicks=CLICKS, previous_mask=mask).probability
    np.testing.assert_array_equal(refined, together)


@pytest.fixture
def checkpoint() -> Checkpoint:
    network = KPrism(TINY)
    return Checkpoint(TINY, network.state_dict(), load_catalogue(CLASSES), Preprocessing(), ModelCard())


@pytest.mark.parametrize("zoom", [None, Zoom(margin=1.7, least=0.25)])
def test_a_checkpoint_keeps_its_zoom(checkpoint, zoom, tmp_path):
    save_checkpoint(tmp_path / "m.safetensors", replace(checkpoint, zoom=zoom))
    assert read_checkpoint(tmp_path / "m.safetensors").zoom == zoom


def test_an_older_checkpoint_has_no_zoom(checkpoint, tmp_path):
    path = tmp_path / "m.safetensors"
    save_checkpoint(path, replace(checkpoint, zoom=Zoom()))
    assert "zoom" in read_metadata(path)
    _rewrite(path, lambda metadata: metadata.pop("kprism.zoom"))
    assert read_checkpoint(path).zoom is None


def test_the_zoom_of_an_older_checkpoint_looks_at_parts_alone():
    assert Zoom.from_dict({"margin": 2.0}).whole == 0


@pytest.mark.parametrize("damage", ["3", '{"margin": 0}', '{"closer": 2}'])
def test_a_damaged_zoom_is_a_damaged_checkpoint(checkpoint, tmp_path, damage):
    path = tmp_path / "m.safetensors"
    save_checkpoint(path, checkpoint)
    _rewrite(path, lambda metadata: metadata.update({"kprism.zoom": damage}))
    with pytest.raises(CheckpointError, match="damaged"):
        read_checkpoint(path)


def _rewrite(path, change) -> None:
    metadata = {f"kprism.{name}": json.dumps(value) for name, value in read_metadata(path).items()}
    change(metadata)
    save_file(load_file(path), path, metadata=metadata)


@pytest.fixture
def session(predictor: Predictor) -> AnnotationSession:
    made = AnnotationSession(predictor, random_volume("MR", (WIDTH, HEIGHT, 3)))
    made.new_segment("one")
    return made


def _drawn_and_clicked(session: AnnotationSession, clicks: Sequence[Click]) -> SlicePlane:
    plane = SlicePlane(session.volume.geometry, "axial", 1)
    drawn = np.zeros(plane.shape, dtype=bool)
    drawn[40:60, 50:75] = True
    session.set_mask(drawn, plane)
    for click in clicks:
        session.add_click(plane, click)
    return plane


def test_a_session_undoes_and_redoes_near_answers_exactly(session, model):
    spy = Spy(model.network, "encode_image")
    _drawn_and_clicked(session, CLICKS)
    assert spy.calls  # parts were looked at
    after = session.mask().copy()
    session.undo()
    before = session.mask().copy()
    session.redo()
    np.testing.assert_array_equal(session.mask(), after)
    session.undo()
    np.testing.assert_array_equal(session.mask(), before)
    assert not np.array_equal(before, after)


def test_a_session_without_its_last_click_is_as_before_that_click(session):
    plane = _drawn_and_clicked(session, CLICKS)
    with_one_less = session.mask().copy()
    session.add_click(plane, Click(66, 44))
    session.remove_click(plane)
    np.testing.assert_array_equal(session.mask(), with_one_less)


def test_the_second_click_of_a_session_goes_by_the_mask_so_far(session, model):
    session.set_class("liver")
    spy = Spy(model.network, "decode")
    plane = _drawn_and_clicked(session, CLICKS)
    assert [call[1].class_index is None for call in spy.calls] == [False, True]
    session.predict_slice(plane, refine=True)
    assert spy.calls[-1][1].class_index is not None
