"""References: which slices show an object best, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from KPrismCore.errors import PromptError, ReferenceMismatchError
from KPrismCore.prompts import Click
from KPrismCore.references import best_slices
from KPrismCore.session import AnnotationSession
from KPrismCore.volumes import Volume
from Testing.Core.tiny import FakePredictor, oblique_plane, random_volume


@pytest.fixture
def predictor() -> FakePredictor:
    return FakePredictor()


@pytest.fixture
def session(predictor: FakePredictor) -> AnnotationSession:
    made = AnnotationSession(predictor, random_volume())
    made.new_segment()
    return made


def marked(slices: range = range(1, 5)) -> np.ndarray:
    mask = np.zeros((6, 24, 20), dtype=bool)
    for k in slices:
        mask[k, 4:12, 3 : 6 + k] = True
    return mask


def test_best_slices_are_spread_over_the_object(session):
    found = best_slices(marked(), session.volume.geometry, "k", 2)
    assert [plane.index for plane in found] == [2, 4]


def test_best_slices_take_the_largest_of_each_part(session):
    mask = marked()
    mask[1, :20] = True
    assert [plane.index for plane in best_slices(mask, session.volume.geometry, "k", 2)] == [1, 4]


def test_best_slices_are_no_more_than_there_are(session):
    assert len(best_slices(marked(range(2, 4)), session.volume.geometry, "k", 5)) == 2


def another_patient(like: Volume, place: int) -> Volume:
    """Noise, but for one slice, which shows the middle slice of a volume in other units."""
    noise = random_volume(seed=9)
    noise.array[place] = 40 + 3 * like.array[3]
    return noise


@pytest.mark.parametrize("place", [1, 2, 3, 4])
def test_of_another_patient_the_slice_that_looks_alike_is_taken(session, place):
    volume = another_patient(session.volume, place)
    mask = np.zeros((6, 24, 20), dtype=bool)
    mask[1:5, 4:12, 3:9] = True
    assert [plane.index for plane in session.best_planes(volume, mask, 1)] == [place]


def test_likeness_does_not_make_the_references_crowd(session):
    volume = another_patient(session.volume, 2)
    mask = np.zeros((6, 24, 20), dtype=bool)
    mask[1:5, 4:12, 3:9] = True
    first, second = (plane.index for plane in session.best_planes(volume, mask, 2))
    assert first == 2
    assert second >= 3


def test_an_oblique_slice_is_kept_without_its_tables(session):
    plane = oblique_plane(session.volume.geometry)
    session.add_click(plane, Click(3, 3, True))
    (kept,) = session.current.state.slices.values()
    assert "_slab" not in vars(kept.plane)


def test_a_reference_is_the_slice_and_its_mask(session):
    plane = session.plane(3)
    (added,) = session.add_reference(session.volume, marked(), plane)
    assert np.array_equal(added.image, plane.extract(session.volume.array))
    assert np.array_equal(added.mask, plane.read_mask(marked()))


def test_references_are_encoded_once(session, predictor):
    session.add_reference(session.volume, marked(), count=3)
    list(session.predict_range([session.plane(k) for k in range(6)]))
    assert len(predictor.references) == 3


def test_a_reference_switched_off_and_on_is_not_encoded_again(session, predictor):
    session.add_reference(session.volume, marked(), count=2)
    session.predict_slice(session.plane(0))
    for enabled in (False, True):
        session.enable_reference(0, enabled)
        session.predict_slice(session.plane(0))
    assert len(predictor.references) == 2


def test_a_reference_switched_off_does_not_count(session):
    session.add_reference(session.volume, marked(), session.plane(3))
    session.enable_reference(0, False)
    with pytest.raises(PromptError, match="nothing to go by"):
        session.predict_slice(session.plane(0))


def test_a_reference_changes_the_answer(session):
    session.set_class("liver")
    before = session.predict_slice(session.plane(0)).after
    session.add_reference(session.volume, marked(), session.plane(3))
    assert not np.array_equal(session.predict_slice(session.plane(0)).after, before)


def test_removing_a_reference_can_be_undone(session):
    session.add_reference(session.volume, marked(), count=2)
    session.remove_reference(0)
    session.undo()
    assert len(session.references()) == 2


def test_references_of_the_same_volume_take_its_range(predictor):
    session = AnnotationSession(predictor, random_volume(), window=(3, 4))
    session.new_segment()
    session.add_reference(session.volume, marked(), session.plane(3))
    session.predict_slice(session.plane(0))
    assert predictor.references[0][1] == (3, 4)


def test_references_of_another_mr_volume_keep_their_own_range(session, predictor):
    session.add_reference(random_volume(seed=4), marked(), session.plane(3))
    session.predict_slice(session.plane(0))
    assert predictor.references[0][1] != predictor.encoded[0]


def test_references_of_another_ct_take_the_window_of_the_class(predictor):
    session = AnnotationSession(predictor, random_volume("CT"))
    session.new_segment(class_name="lungs")
    session.add_reference(random_volume("CT", seed=4), marked(), session.plane(3))
    session.predict_slice(session.plane(0))
    assert predictor.references[0][1] == (-1350.0, 150.0)


def test_a_picture_can_be_a_reference(session, predictor):
    session.add_image_reference(np.arange(80.0).reshape(8, 10), np.eye(8, 10), name="picture")
    session.predict_slice(session.plane(0))
    assert predictor.references[0][0][0][1].sum() == 8


def test_a_reference_of_another_modality_is_refused(session):
    with pytest.raises(ReferenceMismatchError, match="is CT, the image is MR"):
        session.add_reference(random_volume("CT"), marked(), session.plane(3))


def test_an_empty_mask_is_refused(session):
    with pytest.raises(ReferenceMismatchError, match="empty"):
        session.add_reference(session.volume, np.zeros((6, 24, 20)))


def test_a_slice_without_the_object_is_refused(session):
    with pytest.raises(ReferenceMismatchError, match="not marked on noise, axial slice 0"):
        session.add_reference(session.volume, marked(), session.plane(0))


def test_a_mask_on_another_grid_is_refused(session):
    with pytest.raises(ReferenceMismatchError, match="shape"):
        session.add_reference(session.volume, np.ones((5, 24, 20)))


def test_an_empty_picture_mask_is_refused(session):
    with pytest.raises(ReferenceMismatchError, match="empty"):
        session.add_image_reference(np.arange(80.0).reshape(8, 10), np.zeros((8, 10)))


def test_a_tenth_reference_is_refused(session):
    for _ in range(3):
        session.add_reference(session.volume, marked(), count=3)
    with pytest.raises(ReferenceMismatchError, match="10 references"):
        session.add_reference(session.volume, marked(), session.plane(3))
