"""The history of a session: what an act keeps, what it weighs, and what is dropped with a segment."""

from __future__ import annotations

import numpy as np
import pytest

from KPrismCore.history import History
from KPrismCore.prompts import Click
from KPrismCore.session import AnnotationSession
from Testing.Core.tiny import FakePredictor, random_volume

INSIDE = Click(5, 4, True)


def noise(session: AnnotationSession, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(session.volume.geometry.shape) < 0.5


def bounded(history_bytes: int) -> AnnotationSession:
    made = AnnotationSession(FakePredictor(), random_volume(), history_bytes=history_bytes)
    made.new_segment("one")
    return made


def test_redo_brings_the_prompts_of_all_slices_of_a_range_back(session):
    session.set_class("liver")
    list(session.predict_range([session.plane(k) for k in range(3)]))
    after = session.current.state
    session.undo()
    session.redo()
    assert session.current.state is after


def test_the_pixels_of_references_count_towards_the_memory(session):
    (added,) = session.add_reference(session.volume, session.volume.array > 300, session.plane(2))
    assert session.history.size >= added.image.nbytes


def test_an_act_does_not_weigh_what_was_there_before_it(session):
    session.add_click(session.plane(2), INSIDE)
    state = session.current.state
    assert state.size_beyond(state) == 0


def test_the_newest_act_is_kept_however_large_it_is():
    session = bounded(1)
    session.set_mask(noise(session, 0))
    session.undo()
    assert not session.mask().any()


def test_no_more_acts_are_dropped_than_must_be():
    one = bounded(1)
    one.set_mask(noise(one, 0))
    session = bounded(5 * one.history.size // 2)
    for seed in range(3):
        session.set_mask(noise(session, seed))
    assert len(session.history) == 2


def test_an_undone_act_takes_its_memory_on(session):
    session.add_click(session.plane(2), INSIDE)
    before = session.history.size
    session.undo()
    assert session.history.size == before


@pytest.mark.parametrize("step", ["undo", "redo"])
def test_the_label_is_that_of_the_next_step(session, step):
    session.set_class("liver")
    session.add_click(session.plane(2), INSIDE)
    if step == "redo":
        session.undo()
        session.undo()
    wanted = {"undo": "click", "redo": "class"}[step]
    assert getattr(session.history, f"{step}_label") == wanted


@pytest.mark.parametrize("accepted", [True, False])
def test_the_label_says_whether_a_slice_was_accepted_or_opened(session, accepted):
    session.accept(session.plane(2))
    if not accepted:
        session.accept(session.plane(2), accepted=False)
    assert session.history.undo_label == ("accept" if accepted else "reopen")


def test_an_undone_act_of_a_removed_segment_is_not_done_again(session):
    session.new_segment("two")
    session.add_click(session.plane(2), INSIDE)
    session.undo()
    session.remove_segment("Segment_2")
    assert session.redo() is None


def test_an_act_taken_back_is_not_done_again(session):
    session.add_click(session.plane(2), INSIDE)
    session.take_back()
    assert session.redo() is None


def test_an_act_on_two_segments_is_undone_for_the_one_that_is_left(session):
    second = session.new_segment("two").identifier
    for name in session.segments:
        session.set_class("liver", name)
    list(session.predict_range([session.plane(2)], list(session.segments)))
    session.remove_segment(second)
    session.undo()
    assert not session.mask("Segment_1").any()


def test_an_empty_history_has_no_labels():
    assert (History().undo_label, History().redo_label) == (None, None)
