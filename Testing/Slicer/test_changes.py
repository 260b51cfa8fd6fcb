"""Changes of masks: put together, taken out of other segments, and where planes cross."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from KPrismSlicerLib.Changes import changeOf, crossing, takeEdit, takeErasure

from KPrismCore.history import Delta
from KPrismCore.session import AnnotationSession
from KPrismCore.slices import SlicePlane
from Testing.Core.tiny import FakePredictor, oblique_plane, random_volume

SHAPE = (6, 24, 20)
WHOLE = tuple(slice(0, length) for length in SHAPE)


@pytest.fixture
def session():
    made = AnnotationSession(FakePredictor(), random_volume())
    made.new_segment("one")
    made.set_mask(np.ones(SHAPE, dtype=bool))
    return made


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(SHAPE) < 0.3


def part(low: int, high: int) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[low:high, low : high + 7, low : high + 3] = True
    return mask


@pytest.mark.parametrize("order", [1, -1])
def test_a_change_of_several_steps_is_one_from_before_the_first(order):
    states = [noise(0)]
    for area in (part(1, 3), part(2, 5))[::order]:
        states.append(states[-1] ^ area)
    deltas = [Delta.between(*pair, WHOLE) for pair in pairwise(states)]
    box, before, after = changeOf(states[-1], deltas)
    for found, state in ((before, states[0]), (after, states[-1])):
        whole = states[-1].copy()
        whole[box] = found
        np.testing.assert_array_equal(whole, state)


def test_an_edit_by_another_tool_leaves_a_segment_locked(session):
    session.current.locked = True
    takeEdit(session, "Segment_1", noise(1))
    assert session.current.locked
    np.testing.assert_array_equal(session.mask(), noise(1))


def test_an_edit_opens_only_the_accepted_slices_that_it_changes(session):
    for k in (1, 4):
        session.accept(session.plane(k))
    edited = session.mask()
    edited[4] = False
    assert takeEdit(session, "Segment_1", edited)
    assert [session.is_accepted(session.plane(k)) for k in (1, 4)] == [True, False]


@pytest.mark.parametrize("is_changed", [True, False])
def test_an_edit_opens_an_accepted_oblique_slice_that_it_changes(session, is_changed):
    plane = oblique_plane(session.volume.geometry)
    session.accept(plane)
    edited, index = session.mask(), tuple(plane.voxels_of(np.ones(plane.shape)).T[::-1])
    if is_changed:
        edited[tuple(axis[:1] for axis in index)] = False
    else:
        edited[:] = False
        edited[index] = True
    assert takeEdit(session, "Segment_1", edited) == is_changed


@pytest.mark.parametrize(
    "box", [(slice(2, 3), slice(3, 9), slice(4, 9)), (slice(1, 4), slice(3, 9), slice(4, 9))]
)
def test_what_is_erased_leaves_the_segment_within_the_act(session, box):
    act = session.set_mask(part(1, 5), label="click")
    before = session.mask()
    erased = noise(2)[box]
    assert not takeErasure(session, "Segment_1", box, erased, act)
    expected = before.copy()
    expected[box] &= ~erased
    np.testing.assert_array_equal(session.mask(), expected)
    assert session.undo() is act
    assert session.mask().all()


@pytest.mark.parametrize("box", [(slice(2, 3), *WHOLE[1:]), (slice(1, 4), *WHOLE[1:])])
def test_an_accepted_slice_keeps_what_another_segment_would_erase(session, box):
    session.accept(session.plane(2))
    act = session.set_mask(part(1, 5) | (np.arange(6) == 2)[:, None, None], label="click")
    assert takeErasure(session, "Segment_1", box, np.ones_like(noise(0)[box]), act)
    assert session.slice_mask(session.plane(2)).all()


def test_a_plane_crosses_all_of_several_others():
    geometry = random_volume().geometry
    plane = SlicePlane(geometry, "j", 9)
    others = [SlicePlane(geometry, "k", 1), oblique_plane(geometry), SlicePlane(geometry, "k", 4)]
    found = np.zeros(plane.shape, dtype=bool)
    for other in others:
        mask = np.zeros(SHAPE, dtype=bool)
        other.write(np.ones(other.shape, dtype=bool), mask)
        found |= plane.read_mask(mask)
    # the oblique plane ends somewhere; what it crosses does not
    assert (crossing(plane, others) | ~found).all()
    assert [crossing(plane, [others[n]]).sum() for n in (0, 2)] == [20, 20]
