"""A session changes what the user asked for and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from KPrismCore.errors import ClickOutsideError, GeometryError, PromptError, ProtectedError
from KPrismCore.geometry import VolumeGeometry
from KPrismCore.predictions import Prediction
from KPrismCore.prompts import Click
from KPrismCore.session import AnnotationSession
from KPrismCore.session_state import Recall
from KPrismCore.slices import Plane, SlicePlane
from Testing.Core.tiny import FakePredictor, flipped_geometry, oblique_plane

INSIDE = Click(5, 4, True)


def block(session: AnnotationSession) -> np.ndarray:
    mask = np.zeros(session.volume.geometry.shape, dtype=bool)
    mask[1:5, 4:12, 3:9] = True
    return mask


# what a click changes


def test_a_click_changes_its_slice(session):
    result = session.add_click(session.plane(2), INSIDE)
    assert result.after.any()
    assert np.array_equal(session.slice_mask(session.plane(2)), result.after)


@pytest.mark.parametrize("kind", ["axial", "sagittal", "coronal"])
def test_a_click_leaves_all_other_slices_alone(session, kind):
    session.set_mask(block(session))
    plane = SlicePlane(session.volume.geometry, kind, 3)
    before = session.mask()
    session.add_click(plane, INSIDE)
    after = session.mask()
    plane.write(np.zeros(plane.shape), before)
    plane.write(np.zeros(plane.shape), after)
    assert np.array_equal(before, after)


def test_a_click_leaves_other_segments_alone(session):
    session.set_mask(block(session))
    session.new_segment("two")
    session.add_click(session.plane(2), INSIDE)
    assert np.array_equal(session.mask("Segment_1"), block(session))


def test_the_result_tells_what_joined_and_what_left(session):
    session.set_mask(block(session))
    before = session.slice_mask(session.plane(2))
    result = session.add_click(session.plane(2), INSIDE)
    assert np.array_equal((before | result.added) & ~result.removed, result.after)


def test_a_click_at_a_voxel_lands_on_its_slice_and_pixel(session):
    plane, click = session.locate((7, 9, 4))
    assert plane.index == 4
    assert plane.pixel_to_ijk((click.x, click.y)).tolist() == [7, 9, 4]


@pytest.mark.parametrize("kind", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("place", [(-0.5, 9, 4), (7, -0.5, 4), (7, 9, -0.5)])
def test_a_click_on_the_outer_face_of_a_volume_is_inside_its_slice(session, kind, place):
    plane, click = session.locate(place, kind=kind)
    click.require_inside(*plane.shape)


def test_a_click_outside_the_volume_is_refused(session):
    with pytest.raises(ClickOutsideError, match="K 0 to 5"):
        session.add_click_at((7, 9, 6))


def test_a_click_outside_the_slice_is_refused(session):
    with pytest.raises(ClickOutsideError):
        session.add_click(session.plane(2), Click(500, 1))


def test_an_act_that_fails_changes_nothing(session):
    with pytest.raises(ClickOutsideError):
        session.add_click(session.plane(2), Click(500, 1))
    assert session.undo() is None


def test_all_clicks_of_the_slice_are_given_to_the_network(session, predictor):
    for click in (INSIDE, Click(1, 2, False)):
        session.add_click(session.plane(2), click)
    assert predictor.asked[-1]["clicks"] == (INSIDE, Click(1, 2, False))


def test_clicks_belong_to_their_slice(session, predictor):
    session.add_click(session.plane(2), INSIDE)
    session.add_click(session.plane(3), Click(1, 2))
    assert predictor.asked[-1]["clicks"] == (Click(1, 2),)


def test_clicks_belong_to_their_segment(session, predictor):
    session.add_click(session.plane(2), INSIDE)
    session.new_segment()
    session.add_click(session.plane(2), Click(1, 2))
    assert predictor.asked[-1]["clicks"] == (Click(1, 2),)


def test_a_slice_is_the_same_by_any_name_of_its_kind(session):
    session.add_click(session.plane(2), INSIDE)
    assert session.clicks(SlicePlane(session.volume.geometry, "k", 2)) == (INSIDE,)


def test_a_slice_of_another_volume_is_refused(session):
    with pytest.raises(GeometryError):
        session.add_click(SlicePlane(flipped_geometry((20, 24, 7)), "k", 2), INSIDE)


# the mask so far


def test_a_mask_drawn_by_hand_is_refined(session, predictor):
    session.set_mask(block(session))
    session.add_click(session.plane(2), INSIDE)
    assert np.array_equal(predictor.asked[-1]["previous"], session.plane(2).read_mask(block(session)))


def test_the_last_answer_is_refined_without_loss(session, predictor):
    session.add_click(session.plane(2), INSIDE)
    session.add_click(session.plane(2), Click(1, 2))
    assert isinstance(predictor.asked[-1]["previous"], Prediction)


def test_an_answer_changed_by_hand_is_refined_as_it_is_now(session, predictor):
    result = session.add_click(session.plane(2), INSIDE)
    edited = ~result.after
    session.set_mask(edited, session.plane(2))
    session.add_click(session.plane(2), Click(1, 2))
    assert np.array_equal(predictor.asked[-1]["previous"], edited)


def test_an_empty_slice_has_no_mask_so_far(session, predictor):
    session.add_click(session.plane(2), INSIDE)
    assert predictor.asked[-1]["previous"] is None


def test_a_remembered_answer_differs_by_less_than_a_grey_level():
    square = FakePredictor().predict(FakePredictor().encode(np.zeros((8, 8)), value_range=(0, 1)))
    recalled = Recall.of(square).prediction(square.mask).square
    assert float((recalled - square.square).abs().max()) <= 0.5 / 255 + 1e-6


def test_a_remembered_answer_keeps_its_side_of_one_half():
    square = FakePredictor().predict(FakePredictor().encode(np.zeros((8, 8)), value_range=(0, 1)))
    recalled = Recall.of(square).prediction(square.mask).square
    assert bool(((recalled > 0.5) == (square.square > 0.5)).all())


# removing a click


def test_removing_the_last_click_is_like_undoing_it(session):
    first = session.add_click(session.plane(2), INSIDE).after
    session.add_click(session.plane(2), Click(1, 2))
    assert np.array_equal(session.remove_click(session.plane(2)).after, first)


def test_removing_the_first_click_leaves_what_the_second_alone_gives(session):
    session.new_segment("alone")
    alone = session.add_click(session.plane(2), Click(1, 2)).after
    session.select("Segment_1")
    for click in (INSIDE, Click(1, 2)):
        session.add_click(session.plane(2), click)
    assert np.array_equal(session.remove_click(session.plane(2), 0).after, alone)


def test_removing_the_only_click_brings_the_drawn_mask_back(session):
    session.set_mask(block(session))
    session.add_click(session.plane(2), INSIDE)
    session.remove_click(session.plane(2), 0)
    assert np.array_equal(session.mask(), block(session))


def test_removing_a_click_keeps_what_was_drawn_after_it(session):
    session.add_click(session.plane(2), INSIDE)
    drawn = session.plane(2).read_mask(block(session))
    session.set_mask(drawn, session.plane(2))
    session.remove_click(session.plane(2), 0)
    assert np.array_equal(session.slice_mask(session.plane(2)), drawn)


def test_removing_a_click_made_before_a_whole_prediction_counts(session):
    session.set_class("liver")
    session.new_segment("alone", class_name="liver")
    alone = session.predict_slice(session.plane(2)).after
    session.select("Segment_1")
    session.add_click(session.plane(2), INSIDE)
    session.predict_slice(session.plane(2))
    assert np.array_equal(session.remove_click(session.plane(2), 0).after, alone)


def test_a_click_that_is_not_there_cannot_be_removed(session):
    with pytest.raises(PromptError, match="no click"):
        session.remove_click(session.plane(2))


# what must not change


def test_an_accepted_slice_refuses_a_click(session):
    session.accept(session.plane(2))
    with pytest.raises(ProtectedError, match="accepted"):
        session.add_click(session.plane(2), INSIDE)


def test_an_accepted_slice_opens_again(session):
    session.accept(session.plane(2))
    session.accept(session.plane(2), accepted=False)
    assert session.add_click(session.plane(2), INSIDE).after.any()


def test_a_range_leaves_accepted_slices_alone(session):
    accepted = session.add_click(session.plane(2), INSIDE).after
    session.accept(session.plane(2))
    session.set_class("liver")
    steps = list(session.predict_range([session.plane(k) for k in range(6)]))
    assert [step.result is None for step in steps] == [False, False, True, False, False, False]
    assert np.array_equal(session.slice_mask(session.plane(2)), accepted)


def test_a_loaded_mask_leaves_accepted_slices_alone(session):
    accepted = session.add_click(session.plane(2), INSIDE).after
    session.accept(session.plane(2))
    session.set_mask(block(session))
    assert np.array_equal(session.slice_mask(session.plane(2)), accepted)


def crossing_planes(geometry: VolumeGeometry) -> list[Plane]:
    return [SlicePlane(geometry, "i", 8), SlicePlane(geometry, "j", 9), oblique_plane(geometry)]


@pytest.mark.parametrize("number", [0, 1, 2], ids=["i", "j", "oblique"])
def test_a_click_on_a_crossing_plane_leaves_an_accepted_slice_alone(session, number):
    accepted = session.add_click(session.plane(2), INSIDE).after
    session.accept(session.plane(2))
    before = session.mask()
    session.add_click(crossing_planes(session.volume.geometry)[number], INSIDE)
    assert np.array_equal(session.slice_mask(session.plane(2)), accepted)
    assert not np.array_equal(session.mask(), before)


def test_a_click_leaves_an_accepted_oblique_slice_alone(session):
    plane = oblique_plane(session.volume.geometry)
    session.add_click(plane, INSIDE)
    session.accept(plane)
    before = session.mask()
    for k in range(6):
        session.add_click(session.plane(k), INSIDE)
    voxels = tuple(plane.voxels_of(np.ones(plane.shape)).T[::-1])
    assert np.array_equal(session.mask()[voxels], before[voxels])


def test_an_accepted_slice_of_one_segment_is_open_in_another(session):
    session.accept(session.plane(2))
    session.new_segment()
    assert session.add_click(session.plane(2), INSIDE).after.any()


@pytest.mark.parametrize(
    "act",
    [
        lambda s: s.add_click(s.plane(2), INSIDE),
        lambda s: s.set_mask(~s.mask()),
        lambda s: s.set_class("liver"),
        lambda s: s.undo(),
        lambda s: s.remove_segment("Segment_1"),
        lambda s: s.accept(s.plane(1)),
    ],
    ids=["click", "mask", "class", "undo", "remove", "accept"],
)
def test_a_locked_segment_refuses(session, act):
    session.set_mask(block(session))
    session.current.locked = True
    with pytest.raises(ProtectedError, match="locked"):
        act(session)
    assert np.array_equal(session.mask("Segment_1"), block(session))


def test_a_refused_undo_can_be_done_after_unlocking(session):
    session.set_mask(block(session))
    session.current.locked = True
    with pytest.raises(ProtectedError):
        session.undo()
    session.current.locked = False
    session.undo()
    assert not session.mask().any()
