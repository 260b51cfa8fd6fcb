"""Pieces apart from the slice in view are removed, in session and scene alike, in one undo step."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from KPrismSlicerLib.Events import MessageShown
from logic_fixtures import *  # noqa: F403
from logic_samples import add_view, overwrite_mode, paint, scene_mask, wait

from KPrismCore.errors import PromptError, ProtectedError

SHAPE = (6, 24, 20)
# boxes k, j, i of two pieces
MAIN, STRAY = np.s_[1:4, 4:12, 3:9], np.s_[5:6, 18:22, 12:16]


def marked(*boxes: tuple[slice, ...]) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    for box in boxes:
        mask[box] = True
    return mask


@pytest.fixture
def painted(logic, segment):
    """The id of the current segment, which has both pieces."""
    paint(logic, segment, marked(MAIN, STRAY))
    return segment


def test_the_piece_in_view_stays_and_the_other_goes(logic, painted, view):
    logic.keepConnected(view)
    wait(logic)
    assert np.array_equal(scene_mask(logic, painted), marked(MAIN))


def test_the_session_has_what_the_scene_has(logic, painted, view):
    logic.keepConnected(view)
    wait(logic)
    assert np.array_equal(logic.session.mask(painted), marked(MAIN))


@pytest.mark.parametrize(("kind", "index"), [("i", 5), ("j", 8), ("k", 1)])
def test_a_view_across_any_axis_will_do(logic, painted, kind, index):
    logic.keepConnected(add_view(logic, kind, index))
    wait(logic)
    assert np.array_equal(scene_mask(logic, painted), marked(MAIN))


def test_the_other_slice_keeps_the_other_piece(logic, painted):
    logic.keepConnected(add_view(logic, "k", 5))
    wait(logic)
    assert np.array_equal(scene_mask(logic, painted), marked(STRAY))


def test_undo_brings_the_pieces_back_in_one_step(logic, painted, view):
    logic.keepConnected(view)
    wait(logic)
    assert logic.undoLabel == "keep connected"
    logic.undo()
    wait(logic)
    assert np.array_equal(scene_mask(logic, painted), marked(MAIN, STRAY))


def test_redo_removes_them_again(logic, painted, view):
    for act in (lambda: logic.keepConnected(view), logic.undo, logic.redo):
        act()
        wait(logic)
    assert np.array_equal(scene_mask(logic, painted), marked(MAIN))


def test_what_was_removed_is_told(logic, painted, view, heard):
    logic.keepConnected(view)
    wait(logic)
    assert heard.results[-1].changed == (0, marked(STRAY).sum())


def test_where_nothing_is_apart_that_is_said(logic, segment, view, heard):
    paint(logic, segment, marked(MAIN))
    logic.keepConnected(view)
    wait(logic)
    assert [event.text for event in heard.of(MessageShown)] == ["Nothing lies apart from this slice."]
    assert not heard.errors


def test_a_slice_without_a_mask_is_refused(logic, painted, heard):
    logic.keepConnected(add_view(logic, "k", 0))
    wait(logic)
    assert isinstance(heard.errors[-1], PromptError)
    assert np.array_equal(scene_mask(logic, painted), marked(MAIN, STRAY))


def test_a_locked_segment_is_refused(logic, painted, view, heard):
    logic.setLocked(painted, True)
    logic.keepConnected(view)
    wait(logic)
    assert isinstance(heard.errors[-1], ProtectedError)
    assert np.array_equal(scene_mask(logic, painted), marked(MAIN, STRAY))


def test_an_accepted_slice_keeps_its_piece(logic, painted, view):
    logic.accept(add_view(logic, "k", 5))
    logic.keepConnected(view)
    wait(logic)
    assert np.array_equal(scene_mask(logic, painted), marked(MAIN, STRAY))


def test_outside_the_editable_area_nothing_is_removed(logic, painted, view):
    area = logic.newSegment()
    wait(logic)
    paint(logic, area, marked(np.s_[:, :, 14:]))
    logic.setSegment(painted)
    overwrite_mode(logic, "OverwriteNone")
    editor = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentEditorNode")
    editor.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedOutsideAllSegments)
    logic.keepConnected(view)
    wait(logic)
    kept = marked(STRAY)
    kept[:, :, :14] = False
    assert np.array_equal(scene_mask(logic, painted), marked(MAIN) | kept)


def test_other_segments_keep_their_pieces(logic, painted, view):
    other = logic.newSegment()
    wait(logic)
    overwrite_mode(logic, "OverwriteNone")
    paint(logic, other, marked(STRAY))
    logic.setSegment(painted)
    logic.keepConnected(view)
    wait(logic)
    assert np.array_equal(scene_mask(logic, other), marked(STRAY))
