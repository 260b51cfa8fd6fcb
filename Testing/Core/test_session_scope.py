"""What a session is told of the object, how far it goes, and its parts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from KPrismCore.errors import PromptError, UnknownClassError
from KPrismCore.geometry import VolumeGeometry
from KPrismCore.oblique import ObliquePlane
from KPrismCore.prompts import Click
from KPrismCore.session import AnnotationSession, default_plane_kind
from KPrismCore.session_segment import Segment
from KPrismCore.session_state import digest, plane_key
from Testing.Core.tiny import flipped_geometry, oblique_plane, random_volume

INSIDE = Click(5, 4, True)


# what: class and references


def test_an_unknown_class_names_near_ones(session):
    with pytest.raises(UnknownClassError) as caught:
        session.set_class("livr")
    assert "liver" in caught.value.remedy


def test_without_any_prompt_nothing_is_predicted(session):
    with pytest.raises(PromptError, match="nothing to go by"):
        session.predict_slice(session.plane(2))


def test_a_slice_is_encoded_once_for_all_its_prompts(session, predictor):
    session.add_click(session.plane(2), INSIDE)
    session.new_segment(class_name="liver")
    session.predict_slice(session.plane(2))
    assert len(predictor.encoded) == 1


def test_a_class_brings_its_ct_window(predictor):
    session = AnnotationSession(predictor, random_volume("CT"))
    for name in ("lungs", "liver"):
        session.new_segment(class_name=name)
        session.predict_slice(session.plane(2))
    assert predictor.encoded == [(-1350.0, 150.0), (-160.0, 240.0)]


def test_a_window_given_goes_before_the_classes(predictor):
    session = AnnotationSession(predictor, random_volume("CT"), window=(-10, 10))
    session.new_segment(class_name="lungs")
    session.predict_slice(session.plane(2))
    assert predictor.encoded == [(-10.0, 10.0)]


def test_all_slices_share_the_range_of_the_volume(session, predictor):
    for k in range(4):
        session.add_click(session.plane(k), INSIDE)
    assert len(set(predictor.encoded)) == 1


def test_encoded_slices_keep_to_their_memory(predictor):
    session = AnnotationSession(predictor, random_volume(), cache_bytes=1000)
    session.new_segment(class_name="liver")
    list(session.predict_range([session.plane(k) for k in range(6)]))
    assert session.engine.cached_bytes <= 1000


def test_what_an_unknown_modality_means_is_said(predictor):
    assert "modality is unknown" in AnnotationSession(predictor, random_volume(None)).engine.doubt().text()


def test_a_segment_is_doubted_for_its_own_class(session):
    session.set_class("liver")
    (first,) = session.segments
    second = session.new_segment(class_name="aorta")
    assert "'liver' was trained on CT and not on MR" in session.doubt(first).text()
    assert "'liver'" not in session.doubt(second.identifier).text()


def test_only_references_that_take_part_are_judged(session, predictor):
    figures = {"cases": 8, "dice_5": 0.9, "reference": 0.2}
    predictor.model.card = replace(predictor.model.card, metrics={"modalities": {"MR": figures}})
    volume = random_volume()
    session.add_reference(volume, volume.array > 300, [session.plane(2)])
    assert "one example" in session.doubt().text()
    session.enable_reference(0, False)
    assert session.doubt() is None


# how far


def test_a_cancelled_range_keeps_what_is_finished(session):
    session.set_class("liver")
    steps = session.predict_range([session.plane(k) for k in range(6)])
    next(steps), next(steps)
    steps.close()
    assert session.mask().any(axis=(1, 2)).tolist() == [True, True, False, False, False, False]


def test_a_range_is_one_undo_step(session):
    session.set_class("liver")
    list(session.predict_range([session.plane(k) for k in range(6)]))
    session.undo()
    assert not session.mask().any()


def test_a_range_tells_how_far_it_is(session):
    session.set_class("liver")
    steps = session.predict_range([session.plane(k) for k in (1, 4)])
    assert [(step.done, step.total) for step in steps] == [(1, 2), (2, 2)]


def test_a_range_takes_the_clicks_of_a_slice_along(session, predictor):
    session.add_click(session.plane(2), INSIDE)
    session.set_class("liver")
    list(session.predict_range([session.plane(2)]))
    assert predictor.asked[-1]["clicks"] == (INSIDE,)


@pytest.mark.parametrize(
    ("spacing", "size", "kind"),
    [
        ((1, 1, 5), (9, 9, 9), "axial"),
        ((5, 1, 1), (9, 9, 9), "sagittal"),
        ((1, 1, 1), (9, 9, 9), "axial"),
        ((1, 1, 1), (9, 1, 9), "coronal"),
    ],
)
def test_the_plane_of_acquisition_is_found(spacing, size, kind):
    assert default_plane_kind(VolumeGeometry(size, np.diag([*spacing, 1.0]))) == kind


def test_the_plane_of_acquisition_has_an_anatomical_name_in_a_turned_volume():
    matrix = np.eye(4)[[2, 0, 1, 3]] @ np.diag([1.0, 1.0, 6.0, 1.0])
    assert default_plane_kind(VolumeGeometry((9, 9, 9), matrix)) == "sagittal"


def test_an_oblique_plane_made_anew_has_the_same_key():
    geometry = flipped_geometry()
    plane = oblique_plane(geometry)
    again = ObliquePlane(
        geometry, plane.origin, plane.x_direction, plane.y_direction, plane.spacing, plane.size
    )
    assert plane_key(plane) == plane_key(again)


def test_different_masks_have_different_digests():
    assert digest(np.eye(4, dtype=bool)) != digest(np.zeros((4, 4), dtype=bool))


def test_a_segment_writes_only_what_differs():
    segment = Segment("a", "a", "#000000", np.zeros(flipped_geometry().shape, dtype=bool))
    assert segment.write_volume(np.zeros_like(segment.voxels)) == []


def test_export_writes_class_codes(session, tmp_path: Path):
    session.set_class("liver")
    session.predict_slice(session.plane(2))
    written = session.export(tmp_path / "out.seg.nrrd")
    assert b"10200004" in written.path.read_bytes()
