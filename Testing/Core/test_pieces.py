"""What hangs together in space with a slice stays, and the rest can be removed."""

from __future__ import annotations

import numpy as np
import pytest

from KPrismCore.errors import GeometryError, PromptError, ProtectedError
from KPrismCore.pieces import apart_from
from KPrismCore.prompts import Click
from KPrismCore.session import AnnotationSession
from KPrismCore.slices import SlicePlane
from Testing.Core.tiny import flipped_geometry, oblique_plane

# boxes k, j, i of two pieces, and of a part that only meets the first at a corner
MAIN, STRAY, CORNER = np.s_[1:4, 4:12, 3:9], np.s_[5:6, 18:22, 12:16], np.s_[4:5, 12:14, 9:11]


def keep_connected(session, plane, segment=None):
    return session.remove_pieces(session.apart(plane, segment), segment)


def marked(*boxes: tuple[slice, ...]) -> np.ndarray:
    mask = np.zeros(flipped_geometry().shape, dtype=bool)
    for box in boxes:
        mask[box] = True
    return mask


@pytest.fixture
def painted(session: AnnotationSession) -> AnnotationSession:
    """Its segment has all three pieces."""
    session.set_mask(marked(MAIN, STRAY, CORNER))
    return session


# the pieces


def test_pieces_with_a_seed_are_not_apart():
    seeds = marked(np.s_[2:3, 5:6, 5:6])
    assert np.array_equal(apart_from(marked(MAIN, STRAY), seeds), marked(STRAY))


def test_what_meets_at_a_corner_is_one_piece():
    seeds = marked(np.s_[2:3, 5:6, 5:6])
    assert np.array_equal(apart_from(marked(MAIN, CORNER), seeds), marked())


def test_every_seed_keeps_its_piece():
    seeds = marked(np.s_[2:3, 5:6, 5:6], np.s_[5:6, 18:19, 12:13])
    assert not apart_from(marked(MAIN, STRAY), seeds).any()


def test_a_seed_outside_the_mask_keeps_nothing():
    assert np.array_equal(apart_from(marked(MAIN), marked(np.s_[0:1, 0:1, 0:1])), marked(MAIN))


def test_an_empty_mask_has_no_pieces():
    assert not apart_from(marked(), marked(MAIN)).any()


def test_the_mask_itself_is_left_as_it_is():
    mask = marked(MAIN, STRAY)
    apart_from(mask, marked())
    assert np.array_equal(mask, marked(MAIN, STRAY))


# a session's segment


def test_what_is_connected_with_a_slice_stays(painted):
    keep_connected(painted, painted.plane(2))
    assert np.array_equal(painted.mask(), marked(MAIN, CORNER))


def test_the_slice_says_which_piece_is_meant(painted):
    keep_connected(painted, painted.plane(5))
    assert np.array_equal(painted.mask(), marked(STRAY))


@pytest.mark.parametrize("kind", ["axial", "sagittal", "coronal", "i", "j", "k"])
def test_any_kind_of_slice_will_do(painted, kind):
    geometry = painted.volume.geometry
    plane = SlicePlane.through(geometry, kind, geometry.ras_from_ijk((5, 8, 2)))
    keep_connected(painted, plane)
    assert np.array_equal(painted.mask(), marked(MAIN, CORNER))


def test_an_oblique_slice_will_do(painted):
    plane = oblique_plane(painted.volume.geometry)
    shown = plane.voxels_of(plane.read_mask(painted.mask()))
    assert len(shown)
    keep_connected(painted, plane)
    whole = (MAIN, CORNER) if marked(MAIN, CORNER)[tuple(shown.T[::-1])].any() else (STRAY,)
    assert np.array_equal(painted.mask(), marked(*whole))


def test_a_piece_on_an_accepted_slice_stays(painted):
    painted.accept(painted.plane(5))
    assert keep_connected(painted, painted.plane(2)) is None
    assert np.array_equal(painted.mask(), marked(MAIN, STRAY, CORNER))


def test_a_piece_that_was_clicked_on_stays(painted):
    plane = painted.plane(5)
    x, y = np.rint(plane.ijk_to_pixel((13, 19, 5)))
    painted.add_click(plane, Click(float(x), float(y), True))
    painted.set_mask(marked(MAIN, STRAY, CORNER))
    assert keep_connected(painted, painted.plane(2)) is None


def test_a_negative_click_keeps_nothing(painted):
    plane = painted.plane(5)
    x, y = np.rint(plane.ijk_to_pixel((13, 19, 5)))
    painted.add_click(plane, Click(float(x), float(y), False))
    painted.set_mask(marked(MAIN, STRAY, CORNER))
    keep_connected(painted, painted.plane(2))
    assert np.array_equal(painted.mask(), marked(MAIN, CORNER))


def test_one_undo_brings_all_pieces_back(painted):
    keep_connected(painted, painted.plane(2))
    assert painted.history.undo_label == "keep connected"
    painted.undo()
    assert np.array_equal(painted.mask(), marked(MAIN, STRAY, CORNER))


def test_where_nothing_is_apart_there_is_nothing_to_undo(session):
    session.set_mask(marked(MAIN))
    steps = len(session.history)
    assert keep_connected(session, session.plane(2)) is None
    assert len(session.history) == steps


def test_other_segments_keep_their_pieces(painted):
    painted.new_segment("two")
    painted.set_mask(marked(STRAY))
    keep_connected(painted, painted.plane(2), "Segment_1")
    assert np.array_equal(painted.mask("Segment_2"), marked(STRAY))


def test_the_next_click_refines_what_was_left(painted, predictor):
    keep_connected(painted, painted.plane(2))
    painted.add_click(painted.plane(2), Click(5, 4, True))
    previous = predictor.asked[-1]["previous"]
    assert np.array_equal(previous, painted.plane(2).read_mask(marked(MAIN, CORNER)))


def test_a_slice_without_a_mask_is_refused(painted):
    with pytest.raises(PromptError, match="nothing of 'one'"):
        painted.apart(painted.plane(0))


def test_a_locked_segment_keeps_its_pieces(painted):
    painted.current.locked = True
    with pytest.raises(ProtectedError):
        keep_connected(painted, painted.plane(2))


def test_a_slice_of_another_volume_is_refused(painted):
    with pytest.raises(GeometryError):
        keep_connected(painted, SlicePlane(flipped_geometry((20, 24, 7)), "k", 2))
