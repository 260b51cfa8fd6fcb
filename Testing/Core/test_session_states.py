"""What a session remembers of slices and segments: keys, stored planes, drawings between clicks."""

from __future__ import annotations

import json
import zlib

import numpy as np
import pytest

from KPrismCore.errors import ProtectedError
from KPrismCore.oblique import ObliquePlane
from KPrismCore.predictions import Prediction
from KPrismCore.prompts import Click
from KPrismCore.session import AnnotationSession
from KPrismCore.session_state import inflate, plane_from_dict, plane_key, plane_to_dict
from KPrismCore.slices import SlicePlane
from Testing.Core.tiny import flipped_geometry, oblique_plane

INSIDE, NEAR, FAR = Click(5, 4, True), Click(6, 5, True), Click(9, 8, False)


def uneven_plane() -> ObliquePlane:
    """An oblique plane of which no two numbers are the same."""
    plane = oblique_plane(flipped_geometry())
    return ObliquePlane(
        plane.geometry, plane.origin, plane.x_direction, plane.y_direction, (1.5, 0.75), (13, 22), 3.25
    )


@pytest.mark.parametrize("part", ["spacing", "size", "thickness"])
def test_a_stored_oblique_plane_comes_back(part):
    plane = uneven_plane()
    again = plane_from_dict(json.loads(json.dumps(plane_to_dict(plane))), plane.geometry)
    assert getattr(again, part) == getattr(plane, part)


def test_oblique_planes_a_nanometre_apart_have_the_same_key():
    plane = oblique_plane(flipped_geometry())
    moved = ObliquePlane(
        plane.geometry, plane.origin + 1e-9, plane.x_direction, plane.y_direction, plane.spacing, plane.size
    )
    assert plane_key(moved) == plane_key(plane)


def test_data_that_unpack_to_more_than_was_said_are_refused():
    with pytest.raises(ValueError, match="expected 2 bytes"):
        inflate(zlib.compress(b"abc"), 2)


# drawings between clicks


def test_removing_a_click_made_after_a_drawing_brings_the_drawing_back(session):
    plane = session.plane(2)
    drawn = np.zeros(plane.shape, dtype=bool)
    drawn[3:9, 4:11] = True
    session.add_click(plane, INSIDE)
    session.set_mask(drawn, plane)
    session.add_click(plane, FAR)
    assert np.array_equal(session.remove_click(plane).after, drawn)


def test_removing_the_only_click_where_no_example_takes_part_empties_the_slice(session):
    plane = session.plane(2)
    session.add_reference(session.volume, session.volume.array > 300, plane)
    session.add_click(plane, INSIDE)
    session.predict_slice(plane)
    session.enable_reference(0, False)
    assert not session.remove_click(plane).after.any()


def test_an_answer_cut_by_what_may_not_change_is_refined_without_loss(session, predictor):
    plane = session.plane(2)
    editable = np.zeros(plane.shape, dtype=bool)
    editable[:, : plane.shape[1] // 2] = True
    session.add_click(plane, INSIDE, editable=editable)
    session.add_click(plane, NEAR)
    assert isinstance(predictor.asked[-1]["previous"], Prediction)


def refined(session: AnnotationSession) -> np.ndarray:
    """What the class makes of a drawing on slice 2; it differs from what the class alone would give."""
    session.set_class("liver")
    session.set_mask(np.ones(session.plane(2).shape, dtype=bool), session.plane(2))
    return session.predict_slice(session.plane(2), refine=True).after


def test_removing_the_first_click_on_a_refined_prediction_brings_that_back(session):
    before = refined(session)
    session.add_click(session.plane(2), INSIDE)
    assert np.array_equal(session.remove_click(session.plane(2)).after, before)


def test_a_moved_first_click_builds_on_the_refined_prediction(session):
    refined(session)
    expected = session.add_click(session.plane(2), NEAR).after
    session.undo()
    session.add_click(session.plane(2), INSIDE)
    assert np.array_equal(session.move_click(session.plane(2), 0, NEAR).after, expected)


def test_a_click_removed_from_before_a_prediction_leaves_the_later_click_its_answer(session):
    plane = session.plane(2)
    session.set_class("liver")
    session.predict_slice(plane)
    expected = session.add_click(plane, FAR).after
    session.clear_slice(plane)
    session.add_click(plane, INSIDE)
    session.predict_slice(plane)
    session.add_click(plane, FAR)
    assert np.array_equal(session.remove_click(plane, 0).after, expected)


@pytest.mark.parametrize("refine", [True, False])
def test_a_prediction_starts_from_the_mask_where_it_is_to_refine_it(session, predictor, refine):
    session.set_class("liver")
    drawn = np.ones(session.plane(2).shape, dtype=bool)
    session.set_mask(drawn, session.plane(2))
    session.predict_slice(session.plane(2), refine=refine)
    assert (predictor.asked[-1]["previous"] is not None) == refine


# accepted slices and segments


def test_an_accepted_slice_refuses_a_drawn_mask(session):
    plane = session.plane(2)
    session.accept(plane)
    with pytest.raises(ProtectedError, match="accepted"):
        session.set_mask(np.ones(plane.shape, dtype=bool), plane)
    assert not session.mask().any()


def test_accepting_an_accepted_slice_is_no_step(session):
    session.accept(session.plane(2))
    session.accept(session.plane(2))
    assert len(session.history) == 1


def test_a_mask_of_the_whole_segment_is_written_in_place(session):
    voxels = session.current.voxels
    session.set_mask(np.ones(session.volume.geometry.shape, dtype=bool))
    assert voxels.all()


def test_a_segment_can_be_added_after_an_earlier_one_was_removed(session):
    session.new_segment("two")
    session.remove_segment("Segment_1")
    session.new_segment("three")
    assert [one.name for one in session.segments.values()] == ["two", "three"]


def test_removing_another_segment_leaves_the_current_one(session):
    session.new_segment("two")
    session.select("Segment_1")
    session.new_segment("three")
    session.select("Segment_1")
    session.remove_segment("Segment_3")
    assert session.current.name == "one"


@pytest.mark.parametrize("axis", ["k", "i"])
def test_a_plane_that_crosses_several_accepted_slices_leaves_all_of_them_alone(session, axis):
    session.set_mask(session.volume.array > 100)
    others = {"k": "kk", "i": "ik"}[axis]
    accepted = [SlicePlane(session.volume.geometry, kind, n) for kind, n in zip(others, (1, 4), strict=True)]
    for plane in accepted:
        session.accept(plane)
    before = [session.slice_mask(plane) for plane in accepted]
    crossing = SlicePlane(session.volume.geometry, "j", 9)
    session.set_mask(~session.slice_mask(crossing), crossing)
    assert all(map(np.array_equal, before, [session.slice_mask(plane) for plane in accepted]))


# slices that the user has not looked at


def test_slices_that_only_the_network_has_answered_on_are_unchecked(session, predictor):
    session.new_segment(class_name="liver")
    list(session.predict_range([session.plane(k) for k in (1, 3, 4)]))
    session.accept(session.plane(1))
    session.add_click(session.plane(3), INSIDE)
    assert [(plane.index, sure) for plane, sure in session.unchecked()] == [(4, 0.75)]


def test_a_slice_is_unchecked_again_when_it_is_opened_again(session):
    session.new_segment(class_name="liver")
    session.predict_slice(session.plane(2))
    session.accept(session.plane(2))
    session.accept(session.plane(2), False)
    assert len(session.unchecked()) == 1


def test_a_mask_that_was_painted_is_not_unchecked(session):
    session.set_mask(np.ones(session.volume.geometry.shape))
    assert session.unchecked() == []
