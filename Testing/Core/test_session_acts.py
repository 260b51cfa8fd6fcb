"""Strokes, moved clicks, cleared slices, protected pixels, and prompts stored without masks."""

from __future__ import annotations

import json

import numpy as np
import pytest

from KPrismCore.errors import ClickOutsideError, GeometryError, PromptError, SessionFileError
from KPrismCore.prompts import Click
from KPrismCore.session import AnnotationSession
from KPrismCore.slices import SlicePlane
from Testing.Core.tiny import FakePredictor, oblique_plane, random_volume

INSIDE, NEAR, FAR = Click(5, 4, True), Click(6, 5, True), Click(9, 8, False)
MIDDLE = Click(7, 6, True)


@pytest.fixture
def painted(session: AnnotationSession) -> AnnotationSession:
    mask = np.zeros(session.volume.geometry.shape, dtype=bool)
    mask[1:5, 4:12, 3:9] = True
    session.set_mask(mask)
    return session


def stored(session: AnnotationSession) -> dict:
    return json.loads(json.dumps(session.prompts_to_dict()))


def another(session: AnnotationSession) -> AnnotationSession:
    made = AnnotationSession(FakePredictor(), session.volume)
    made.new_segment(identifier="Segment_1", voxels=session.mask("Segment_1"))
    return made


# strokes


def test_a_stroke_is_one_act(session):
    session.add_clicks(session.plane(2), [INSIDE, NEAR])
    assert len(session.history) == 1


def test_a_stroke_keeps_all_its_clicks(session):
    session.add_clicks(session.plane(2), [INSIDE, NEAR, FAR])
    assert session.clicks(session.plane(2)) == (INSIDE, NEAR, FAR)


def test_a_stroke_that_leaves_the_slice_changes_nothing(session):
    with pytest.raises(ClickOutsideError):
        session.add_clicks(session.plane(2), [INSIDE, Click(-3, 0, True)])
    assert session.clicks(session.plane(2)) == ()


def test_a_click_removed_after_a_stroke_leaves_what_the_stroke_gave(session):
    plane = session.plane(2)
    stroke = session.add_clicks(plane, [INSIDE, NEAR]).after
    session.add_click(plane, FAR)
    assert np.array_equal(session.remove_click(plane).after, stroke)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_stroke_without_one_of_its_clicks_is_answered_at_once(session, index):
    plane, clicks = session.plane(2), [INSIDE, NEAR, FAR]
    session.add_click(plane, MIDDLE)
    others = session.add_clicks(plane, clicks[:index] + clicks[index + 1 :]).after
    session.clear_slice(plane)
    session.add_click(plane, MIDDLE)
    session.add_clicks(plane, clicks)
    assert np.array_equal(session.remove_click(plane, index + 1).after, others)


def test_a_stored_stroke_is_answered_at_once_when_a_later_click_is_removed(session):
    plane = session.plane(2)
    stroke = session.add_clicks(plane, [INSIDE, NEAR]).after
    session.add_click(plane, FAR)
    again = another(session)
    again.restore_prompts(stored(session))
    assert np.array_equal(again.remove_click(plane).after, stroke)


def test_prompts_stored_without_strokes_can_be_read(session):
    plane = session.plane(2)
    session.add_clicks(plane, [INSIDE, NEAR])
    values = stored(session)
    for one in values["segments"][0]["slices"]:
        del one["joined"]
    again = another(session)
    again.restore_prompts(values)
    assert again.clicks(plane) == (INSIDE, NEAR)


# moved clicks


def test_a_moved_click_gives_what_a_click_there_would_have_given(session):
    plane = session.plane(2)
    session.add_click(plane, INSIDE)
    moved = session.move_click(plane, 0, NEAR).after
    session.clear_slice(plane)
    assert np.array_equal(moved, session.add_click(plane, NEAR).after)


def test_a_moved_click_keeps_its_place_among_the_clicks(session):
    plane = session.plane(2)
    session.add_clicks(plane, [INSIDE, FAR])
    session.move_click(plane, 0, NEAR)
    assert session.clicks(plane) == (NEAR, FAR)


def test_a_click_is_not_moved_out_of_the_slice(session):
    session.add_click(session.plane(2), INSIDE)
    with pytest.raises(ClickOutsideError):
        session.move_click(session.plane(2), 0, Click(500, 0, True))


def test_a_click_that_is_not_there_is_not_moved(session):
    with pytest.raises(PromptError, match="no click"):
        session.move_click(session.plane(2), 0, INSIDE)


def test_undoing_a_move_brings_mask_and_click_back(session):
    plane = session.plane(2)
    before = session.add_click(plane, INSIDE).after
    session.move_click(plane, 0, FAR)
    session.undo()
    assert np.array_equal(session.slice_mask(plane), before)
    assert session.clicks(plane) == (INSIDE,)


# cleared slices


def test_a_cleared_slice_has_neither_mask_nor_clicks(painted):
    plane = painted.plane(2)
    painted.add_click(plane, INSIDE)
    painted.clear_slice(plane)
    assert not painted.slice_mask(plane).any()
    assert painted.clicks(plane) == ()


def test_clearing_leaves_other_slices_alone(painted):
    before = painted.mask()
    painted.clear_slice(painted.plane(2))
    before[2] = False
    assert np.array_equal(painted.mask(), before)


def test_undoing_a_clear_brings_all_back(painted):
    painted.add_click(painted.plane(2), INSIDE)
    before = painted.mask()
    painted.clear_slice(painted.plane(2))
    painted.undo()
    assert np.array_equal(painted.mask(), before)
    assert painted.clicks(painted.plane(2)) == (INSIDE,)


# protected pixels


@pytest.mark.parametrize("kind", ["axial", "sagittal", "coronal", "oblique"])
def test_only_editable_pixels_change(painted, kind):
    geometry = painted.volume.geometry
    plane = oblique_plane(geometry) if kind == "oblique" else SlicePlane(geometry, kind, 3)
    editable = np.zeros(plane.shape, dtype=bool)
    editable[:, : plane.shape[1] // 2] = True
    before = painted.mask()
    painted.add_click(plane, Click(2, 2, True), editable=editable)
    changed = painted.mask() ^ before
    assert changed.any()
    assert not changed[tuple(plane.voxels_of(~editable).T[::-1])].any()


def test_editable_pixels_do_change(session):
    plane = session.plane(2)
    editable = np.zeros(plane.shape, dtype=bool)
    editable[4, 5] = True
    assert np.array_equal(session.add_click(plane, INSIDE, editable=editable).after, editable)


def test_clearing_spares_what_is_not_editable(painted):
    plane = painted.plane(2)
    before = painted.slice_mask(plane)
    painted.clear_slice(plane, editable=np.zeros(plane.shape, dtype=bool))
    assert np.array_equal(painted.slice_mask(plane), before)


# one act of several parts


def test_a_change_of_another_segment_can_join_an_act(painted):
    painted.new_segment("two")
    result = painted.add_click(painted.plane(2), INSIDE)
    emptied = np.zeros(painted.plane(2).shape, dtype=bool)
    painted.set_mask(emptied, painted.plane(2), "Segment_1", join=result.act)
    before = painted.mask("Segment_1")
    act = painted.undo()
    assert set(act.parts) == {"Segment_1", "Segment_2"}
    assert not np.array_equal(painted.mask("Segment_1"), before)


def test_a_mask_that_changes_nothing_is_no_act(painted):
    assert painted.set_mask(painted.mask()) is None


def test_an_existing_mask_is_taken_over_without_a_step(painted):
    made = another(painted)
    assert np.array_equal(made.mask(), painted.mask())
    assert len(made.history) == 0


def test_an_existing_mask_of_another_shape_is_refused(session):
    with pytest.raises(GeometryError, match="another shape"):
        session.new_segment(voxels=np.zeros((2, 2, 2), dtype=bool))


# references


def with_references(session: AnnotationSession) -> AnnotationSession:
    for index in (1, 2, 3):
        session.add_reference(session.volume, session.mask(), session.plane(index), name=str(index))
    return session


def test_a_reference_moves_to_another_place(painted):
    names = [one.name for one in with_references(painted).references()]
    painted.move_reference(0, 2)
    assert [one.name for one in painted.references()] == [*names[1:], names[0]]


def test_a_reference_is_replaced_in_its_place(painted):
    with_references(painted)
    last = painted.references()[2]
    painted.replace_reference(0, last)
    assert painted.references()[0] is last
    assert len(painted.references()) == 3


# prompts without masks


def test_stored_prompts_come_back_with_clicks_and_accepted_slices(painted):
    painted.add_click(painted.plane(2), INSIDE)
    painted.accept(painted.plane(3))
    made = another(painted)
    made.restore_prompts(stored(painted))
    assert made.clicks(made.plane(2)) == (INSIDE,)
    assert made.is_accepted(made.plane(3))


def test_stored_references_come_back_with_their_pixels(painted):
    with_references(painted)
    made = another(painted)
    made.restore_prompts(stored(painted))
    assert [one.key for one in made.references()] == [one.key for one in painted.references()]


def test_the_next_click_after_a_restore_is_the_one_it_would_have_been(painted):
    painted.add_click(painted.plane(2), INSIDE)
    made = another(painted)
    made.restore_prompts(stored(painted))
    expected = painted.add_click(painted.plane(2), FAR).after
    assert np.array_equal(made.add_click(made.plane(2), FAR).after, expected)


def test_prompts_of_a_segment_that_is_gone_are_left_out(painted):
    values = stored(painted)
    made = AnnotationSession(FakePredictor(), random_volume())
    made.restore_prompts(values)
    assert made.segments == {}


@pytest.mark.parametrize("damage", [{}, {"version": 1}, {"version": 1, "segments": [{"id": "Segment_1"}]}])
def test_damaged_prompts_are_refused(painted, damage):
    with pytest.raises(SessionFileError, match="damaged"):
        painted.restore_prompts(damage)


def test_prompts_of_a_newer_version_are_refused(painted):
    with pytest.raises(SessionFileError, match="newer"):
        painted.restore_prompts({"version": 99, "segments": []})


def test_damaged_prompts_leave_the_session_as_it_was(painted):
    painted.add_click(painted.plane(2), INSIDE)
    values = stored(painted)
    values["segments"].append({"id": "Segment_1"})
    with pytest.raises(SessionFileError):
        painted.restore_prompts(values)
    assert painted.clicks(painted.plane(2)) == (INSIDE,)


# clicks and masks in any order


def test_a_whole_prediction_spares_what_is_not_editable(painted):
    plane, editable = painted.plane(2), np.zeros(painted.plane(2).shape, dtype=bool)
    editable[:6] = True
    before = painted.slice_mask(plane)
    painted.set_class("liver")
    painted.predict_slice(plane, editable=editable)
    left = painted.slice_mask(plane)
    assert np.array_equal(left[6:], before[6:])
    assert not np.array_equal(left[:6], before[:6])


def test_a_click_removed_after_the_mask_was_drawn_anew_leaves_later_ones_in_place(session):
    # two clicks before the drawing, one after it: without the first, the second still belongs to the drawing
    plane = session.plane(2)
    session.add_click(plane, INSIDE)
    session.add_click(plane, NEAR)
    drawn = np.zeros(plane.shape, dtype=bool)
    drawn[4:9, 4:9] = True
    session.set_mask(drawn, plane)
    session.add_click(plane, FAR)
    removed = session.remove_click(plane, 0).after
    expected = session.engine.predict(plane, None, (), (NEAR, FAR), drawn, refining=True).mask
    assert np.array_equal(removed, expected)


def test_clicks_are_answered_again_as_refinements(session, monkeypatch):
    plane, asked = session.plane(2), []
    original = session.engine.predict

    def predict(*arguments, **options):
        asked.append(options["refining"])
        return original(*arguments, **options)

    for click in (INSIDE, NEAR, FAR):
        session.add_click(plane, click)
    monkeypatch.setattr(session.engine, "predict", predict)
    session.remove_click(plane, 0)
    assert asked == [True, True]
