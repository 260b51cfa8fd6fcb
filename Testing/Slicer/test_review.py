"""From slice to slice by what the model is least sure of, until all are accepted or clicked on."""

from __future__ import annotations

import numpy as np
import pytest
from KPrismSlicerLib.Events import MessageShown
from KPrismSlicerLib.Review import nextToCheck
from KPrismSlicerLib.SlicePlanes import stackOf
from logic_fixtures import *  # noqa: F403
from logic_samples import add_view, ras_at, wait

from KPrismCore.errors import ClickOutsideError
from KPrismCore.predictions import Prediction
from KPrismCore.slices import SlicePlane
from Testing.Core.tiny import flipped_geometry, oblique_plane

# of the six slices across k; slice 3 is the least sure
SURE = (0.9, 0.5, 0.7, 0.2, 0.8, 0.6)


@pytest.fixture
def unsure(logic, predictor, monkeypatch):
    """A run over the volume has left these confidences."""
    predict, answers = predictor.predict, iter(SURE)

    def answer(*arguments, **options):
        given = predict(*arguments, **options)
        return Prediction(given.mask, given.probability, next(answers, 1.0), given.square)

    monkeypatch.setattr(predictor, "predict", answer)
    made = logic.newSegment("liver")
    logic.predictVolume(add_view(logic, "k", 0))
    wait(logic)
    return made


def shown(logic, index: int) -> int | None:
    """The slice across k that is next with another one in view."""
    place = logic.checkNext(add_view(logic, "k", index))
    if place is None:
        return None
    i, j, k = logic._case.volume.geometry.ijk_from_ras(place)
    assert (i, j) == pytest.approx((9.5, 11.5))
    return round(float(k))


def test_the_slices_come_in_the_order_of_doubt_and_then_again(logic, unsure):
    found, view = [], 3
    for _ in range(7):
        found.append(view)
        view = shown(logic, view)
    assert found == [3, 1, 5, 2, 4, 0, 3]


def test_with_an_accepted_slice_in_view_the_least_sure_comes_first(logic, unsure):
    logic.accept(add_view(logic, "k", 4))
    wait(logic)
    assert shown(logic, 4) == 3


def test_an_accepted_slice_is_checked(logic, unsure):
    logic.accept(add_view(logic, "k", 3))
    wait(logic)
    assert shown(logic, 3) == 1


def test_a_slice_with_a_click_is_checked(logic, unsure):
    logic.click(ras_at(logic, (5, 9, 3)), True, add_view(logic, "k", 3))
    wait(logic)
    assert shown(logic, 3) == 1


def test_after_undo_a_slice_is_to_be_checked_again(logic, unsure):
    logic.accept(add_view(logic, "k", 3))
    logic.undo()
    wait(logic)
    assert shown(logic, 0) == 3


def test_what_is_next_is_told(logic, unsure, heard):
    shown(logic, 0)
    assert heard.of(MessageShown)[-1].text == "Slice 3: 20 % sure. 5 more to check."


def test_that_no_slice_is_left_is_told(logic, unsure, heard):
    for index in range(6):
        logic.accept(add_view(logic, "k", index))
    wait(logic)
    assert shown(logic, 3) is None
    assert heard.of(MessageShown)[-1].text.startswith("No slice is left to check")


def test_a_segment_that_was_not_segmented_has_nothing_to_check(logic, segment):
    assert shown(logic, 2) is None


def test_slices_of_another_direction_are_left_out(logic, unsure):
    assert logic.checkNext(add_view(logic, "i", 3)) is None


def test_another_segment_has_its_own_slices(logic, unsure):
    logic.newSegment()
    wait(logic)
    assert shown(logic, 2) is None


def test_a_view_beside_the_image_is_refused(logic, unsure, heard):
    assert logic.checkNext(add_view(logic, "k", 60)) is None
    assert isinstance(heard.errors[-1], ClickOutsideError)


def test_slices_of_a_tilted_view_are_found_on_it(logic, predictor):
    logic.newSegment("liver")
    view = add_view(logic, "k", 3, tilt=30)
    logic.predictRange(view, 0, 2)
    wait(logic)
    stack = logic._stack(view)
    place = logic.checkNext(view)
    ones = [stack.at(index) for index in range(3)]
    heights = [float((place - one.origin) @ one.normal) for one in ones]
    assert min(map(abs, heights)) == pytest.approx(0, abs=1e-6)


# without a scene


def test_an_oblique_slice_is_not_among_aligned_ones():
    geometry = flipped_geometry()
    assert nextToCheck([(oblique_plane(geometry), 0.1)], stackOf(SlicePlane(geometry, "k", 2))) is None


def test_an_aligned_slice_is_not_among_oblique_ones():
    geometry = flipped_geometry()
    assert nextToCheck([(SlicePlane(geometry, "k", 2), 0.1)], stackOf(oblique_plane(geometry))) is None


def test_the_same_slices_by_another_name_of_their_kind_count():
    geometry = flipped_geometry()
    found = nextToCheck([(SlicePlane(geometry, "axial", 4), 0.1)], stackOf(SlicePlane(geometry, "k", 2)))
    assert (found.index, found.confidence, found.others) == (4, 0.1, 0)


def test_the_centre_of_a_slice_is_in_its_middle():
    geometry = flipped_geometry()
    found = nextToCheck([(SlicePlane(geometry, "k", 4), 0.1)], stackOf(SlicePlane(geometry, "k", 2)))
    assert np.allclose(geometry.ijk_from_ras(found.centre), (9.5, 11.5, 4))
