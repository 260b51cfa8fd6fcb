"""A saved session goes on exactly where it was, and no interruption can lose it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from KPrismCore import session_store
from KPrismCore.errors import OutputFileError, SessionFileError, UnknownClassError
from KPrismCore.geometry import VolumeGeometry
from KPrismCore.model import load_model
from KPrismCore.predictor import Predictor
from KPrismCore.prompts import Click
from KPrismCore.session import AnnotationSession
from Testing.Core.tiny import CLASSES, FakePredictor, oblique_plane, random_volume, tiny_checkpoint

INSIDE = Click(5, 4, True)


@pytest.fixture
def session() -> AnnotationSession:
    """Two segments with all there is to save."""
    made = AnnotationSession(FakePredictor(), random_volume(), window=(0, 500))
    first = made.new_segment("first", class_name="liver")
    made.add_click(made.plane(2), INSIDE)
    made.add_click(made.plane(2), Click(2.5, 3, False))
    made.accept(made.plane(4))
    made.new_segment("second, by hand", colour="#123456")
    made.set_mask(made.mask(first.identifier))
    made.add_reference(made.volume, made.mask(), made.plane(2), name="a reference")
    made.add_click(oblique_plane(made.volume.geometry), INSIDE)
    made.predict_slice(made.plane(1))
    first.locked = True
    return made


@pytest.fixture
def saved(session: AnnotationSession, tmp_path: Path) -> Path:
    path = tmp_path / "case.kprism.json"
    session.save(path)
    return path


def load(path: Path, predictor: FakePredictor | None = None) -> AnnotationSession:
    return AnnotationSession.load(path, predictor or FakePredictor(), random_volume())


def test_masks_come_back(session, saved):
    loaded = load(saved)
    assert all(np.array_equal(loaded.mask(name), session.mask(name)) for name in session.segments)


def prompts(session: AnnotationSession) -> list:
    return [
        (key, one.clicks, one.accepted, one.recall, one.base, one.settled)
        for segment in session.segments.values()
        for key, one in segment.state.slices.items()
    ]


def test_prompts_come_back(session, saved):
    assert prompts(load(saved)) == prompts(session)


def test_names_colours_classes_and_locks_come_back(session, saved):
    described = [
        [(s.identifier, s.name, s.colour, s.locked, s.state.class_name) for s in one.segments.values()]
        for one in (session, load(saved))
    ]
    assert described[0] == described[1]


def test_the_current_segment_comes_back(session, saved):
    assert load(saved).current.name == session.current.name


def test_references_come_back(session, saved):
    assert [one.key for one in load(saved).references()] == [one.key for one in session.references()]


def test_accepted_slices_come_back(saved):
    loaded = load(saved)
    assert loaded.is_accepted(loaded.plane(4), "Segment_1")


def test_the_window_comes_back(saved):
    assert load(saved).engine.window == (0, 500)


def test_the_modality_comes_back(saved):
    volume = replace(random_volume(), modality=None)
    assert AnnotationSession.load(saved, FakePredictor(), volume).volume.modality == "MR"


def test_the_memory_asked_for_is_that_of_the_loaded_session(saved):
    loaded = AnnotationSession.load(saved, FakePredictor(), random_volume(), history_bytes=5000)
    assert loaded.history.limit == 5000


@pytest.mark.parametrize("part", ["name", "modality", "spacing", "value_range", "follows", "enabled"])
def test_what_is_said_of_a_reference_comes_back(session, tmp_path, part):
    image = np.arange(63, dtype=np.uint8).reshape(7, 9)
    session.add_image_reference(image, image > 40, modality="MR", spacing=(2.0, 0.5), name="drawn")
    session.enable_reference(-1, False)
    session.save(tmp_path / "case.json")
    found = [getattr(one, part) for one in load(tmp_path / "case.json").references()]
    assert found == [getattr(one, part) for one in session.references()]


def test_the_answer_of_a_network_of_another_size_is_left_out(saved):
    predictor = FakePredictor()
    predictor.model.input_size //= 2
    loaded = load(saved, predictor)
    loaded.add_click(loaded.plane(1), INSIDE)
    assert np.array_equal(predictor.asked[-1]["previous"], load(saved).slice_mask(loaded.plane(1)))


def further_acts(session: AnnotationSession) -> list[np.ndarray]:
    session.segments["Segment_1"].locked = False
    session.add_click(session.plane(2), Click(9, 9), "Segment_1")
    session.remove_click(session.plane(2), 0, "Segment_1")
    session.add_click(oblique_plane(session.volume.geometry), Click(9, 9, False))
    session.add_click(session.plane(1), Click(1, 1))
    return [session.mask(name) for name in session.segments]


def test_work_goes_on_exactly(session, saved):
    assert all(map(np.array_equal, further_acts(session), further_acts(load(saved))))


def test_work_goes_on_exactly_with_a_network(tmp_path):
    predictor = Predictor(load_model(tiny_checkpoint(tmp_path / "tiny.safetensors"), "cpu"))
    session = AnnotationSession(predictor, random_volume())
    session.new_segment(class_name="liver")
    session.add_click(session.plane(2), INSIDE)
    session.save(tmp_path / "case.json")
    loaded = AnnotationSession.load(tmp_path / "case.json", predictor, random_volume())
    results = [one.add_click(one.plane(2), Click(9, 9, False)).confidence for one in (session, loaded)]
    assert results[0] == results[1]


def test_a_session_without_segments_comes_back(tmp_path):
    AnnotationSession(FakePredictor(), random_volume()).save(tmp_path / "case.json")
    assert load(tmp_path / "case.json").segments == {}


def test_saving_again_removes_the_masks_saved_before(session, saved):
    session.set_mask(~session.mask())
    session.save(saved)
    assert len(list(saved.parent.glob("*.seg.nrrd"))) == 1


def test_saving_again_without_a_change_keeps_the_masks(session, saved):
    session.save(saved)
    assert np.array_equal(load(saved).mask(), session.mask())


def test_saving_over_a_session_that_names_another_file_leaves_that_file(session, saved):
    image = saved.with_name("image.nrrd")
    image.write_text("an image")
    changed(saved, masks={"file": image.name, "content": ""})
    session.save(saved)
    assert image.is_file()


@pytest.mark.parametrize("place", ["masks", "sidecar"])
def test_an_interrupted_save_leaves_the_session_saved_before(session, saved, monkeypatch, place):
    before = session.mask()
    session.set_mask(~before)
    step = {"masks": (session, "export"), "sidecar": (session_store, "atomic_path")}[place]

    def interrupt(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(*step, interrupt)
    with pytest.raises(KeyboardInterrupt):
        session.save(saved)
    assert np.array_equal(load(saved).mask(), before)


def test_a_folder_that_cannot_be_made_is_named(session, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputFileError):
        session.save(tmp_path / "file" / "case.json")


def changed(saved: Path, **values: object) -> None:
    saved.write_text(json.dumps({**json.loads(saved.read_text()), **values}))


def test_a_missing_session_is_named(tmp_path):
    with pytest.raises(SessionFileError, match="no session"):
        load(tmp_path / "absent.json")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "other"}'])
def test_what_is_no_session_is_named(tmp_path, text):
    (tmp_path / "case.json").write_text(text)
    with pytest.raises(SessionFileError):
        load(tmp_path / "case.json")


def test_a_newer_version_is_named(saved):
    changed(saved, version=99)
    with pytest.raises(SessionFileError, match="newer"):
        load(saved)


@pytest.mark.parametrize("key", ["segments", "masks", "volume", "window", "plane_kind", "current"])
def test_a_damaged_session_is_named(saved, key):
    changed(saved, **{key: 7})
    with pytest.raises(SessionFileError, match="damaged"):
        load(saved)


def broken(values: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Plain values in which the value at a path is another."""
    if not path:
        return value
    copy = dict(values) if isinstance(values, dict) else list(values)
    copy[path[0]] = broken(copy[path[0]], path[1:], value)
    return copy


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("window",), []),
        (("window", 0), 1e9),
        (("window", 1), float("inf")),
        (("segments", 0, "slices", 0, "plane", "index"), float("inf")),
        (("segments", 0, "slices", 0, "settled"), float("inf")),
        (("segments", 0, "slices", 0, "clicks", 0, 0), -7),
        (("segments", 0, "slices", 0, "clicks", 0, 1), 1e9),
        (("segments", 1, "references", 0, "spacing", 0), float("inf")),
        (("segments", 1, "references", 0, "range", 1), float("nan")),
        (("segments", 1, "references", 0, "image", "shape", 0), float("inf")),
        (("segments", 1, "references", 0, "mask", "shape", 1), float("inf")),
    ],
)
def test_a_damaged_value_is_named(saved, path, value):
    saved.write_text(json.dumps(broken(json.loads(saved.read_text()), path, value)))
    with pytest.raises(SessionFileError, match="damaged"):
        load(saved)


def test_missing_masks_are_named(saved):
    next(saved.parent.glob("*.seg.nrrd")).unlink()
    with pytest.raises(SessionFileError, match="masks"):
        load(saved)


def test_masks_of_another_session_are_named(session, saved, tmp_path):
    masks = next(saved.parent.glob("*.seg.nrrd"))
    session.set_mask(~session.mask())
    session.export(masks, overwrite=True)
    with pytest.raises(SessionFileError, match="not the file saved"):
        load(saved)


def test_another_volume_is_named(saved):
    with pytest.raises(SessionFileError, match="noise"):
        AnnotationSession.load(saved, FakePredictor(), random_volume(seed=3))


def test_a_volume_that_lies_elsewhere_is_named(saved):
    volume = random_volume()
    matrix = volume.geometry.ijk_to_ras.copy()
    matrix[:3, 3] += 0.1
    moved = replace(volume, geometry=VolumeGeometry(volume.geometry.size, matrix))
    with pytest.raises(SessionFileError, match="differs"):
        AnnotationSession.load(saved, FakePredictor(), moved)


def test_a_volume_with_one_other_voxel_is_named(saved):
    volume = random_volume()
    volume.array[3, 11, 7] += 1
    with pytest.raises(SessionFileError, match="differs"):
        AnnotationSession.load(saved, FakePredictor(), volume)


def test_another_number_type_is_the_same_volume(session, saved):
    volume = random_volume()
    loaded = AnnotationSession.load(
        saved, FakePredictor(), replace(volume, array=volume.array.astype(np.float32))
    )
    assert np.array_equal(loaded.mask(), session.mask())


def test_a_class_that_the_model_lacks_is_named(saved, tmp_path):
    lines = CLASSES.read_text().splitlines(keepends=True)
    (tmp_path / "few.csv").write_text("".join([lines[0], *lines[2:]]))
    with pytest.raises(UnknownClassError, match="liver"):
        load(saved, FakePredictor(tmp_path / "few.csv"))
