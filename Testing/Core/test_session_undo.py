"""Undo and redo are exact to the voxel and keep to their memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from KPrismCore.errors import PromptError, ProtectedError
from KPrismCore.geometry import VolumeGeometry
from KPrismCore.model import load_model
from KPrismCore.predictor import Predictor
from KPrismCore.prompts import Click
from KPrismCore.session import AnnotationSession
from KPrismCore.slices import Plane, SlicePlane
from KPrismCore.volumes import Volume
from Testing.Core.tiny import FakePredictor, oblique_plane, random_volume, tiny_checkpoint

INSIDE = Click(5, 4, True)


@pytest.fixture
def predictor() -> FakePredictor:
    return FakePredictor()


@pytest.fixture
def session(predictor: FakePredictor) -> AnnotationSession:
    made = AnnotationSession(predictor, random_volume())
    made.new_segment("one")
    return made


class Robot:
    """Does random acts on a session and remembers those that still stand."""

    def __init__(self, session: AnnotationSession, seed: int) -> None:
        self.session = session
        self.rng = np.random.default_rng(seed)
        self.done: list[Callable[[AnnotationSession], Any]] = []
        self.undone: list[Callable[[AnnotationSession], Any]] = []

    def act(self) -> None:
        choice = self.rng.random()
        if choice < 0.2:
            self.move(self.session.undo, self.done, self.undone)
        elif choice < 0.3:
            self.move(self.session.redo, self.undone, self.done)
        else:
            self.attempt(self.any_act())

    def move(self, step: Callable[[], Any], source: list, goal: list) -> None:
        if step() is not None:
            goal.append(source.pop())

    def attempt(self, act: Callable[[AnnotationSession], Any]) -> None:
        newest = self.session.history._done[-1] if len(self.session.history) else None
        try:
            act(self.session)
        except (ProtectedError, PromptError):
            return
        if len(self.session.history) and self.session.history._done[-1] is not newest:
            self.done.append(act)
            self.undone.clear()

    def any_act(self) -> Callable[[AnnotationSession], Any]:
        segment = f"Segment_{self.rng.integers(1, 3)}"
        plane, click = (
            self.plane(),
            Click(int(self.rng.integers(6)), int(self.rng.integers(6)), self.rng.random() < 0.6),
        )
        noise = self.rng.random(plane.shape) < 0.5
        volume = self.rng.random(self.session.volume.geometry.shape) < 0.3
        name = [None, "liver", "aorta"][self.rng.integers(3)]
        accepted, place = bool(self.rng.random() < 0.5), int(self.rng.integers(-2, 2))
        acts = [
            *[lambda s: s.add_click(plane, click, segment)] * 5,
            lambda s: s.predict_slice(plane, segment),
            lambda s: s.predict_slice(plane, segment, refine=True),
            lambda s: list(s.predict_range([s.plane(k) for k in (0, 2, 3)], [segment])),
            lambda s: s.set_mask(noise, plane, segment),
            lambda s: s.set_mask(volume, segment=segment),
            lambda s: s.set_class(name, segment),
            lambda s: s.accept(plane, accepted, segment),
            lambda s: s.remove_click(plane, place, segment),
        ]
        return acts[self.rng.integers(len(acts))]

    def plane(self) -> Plane:
        geometry = self.session.volume.geometry
        kind = ["k", "k", "k", "axial", "i", "j", "oblique"][self.rng.integers(7)]
        return (
            oblique_plane(geometry)
            if kind == "oblique"
            else SlicePlane(geometry, kind, int(self.rng.integers(5)))
        )


def two_segments(predictor: Any) -> AnnotationSession:
    made = AnnotationSession(predictor, random_volume())
    made.new_segment("one")
    made.new_segment("two")
    return made


def assert_same(one: AnnotationSession, other: AnnotationSession) -> None:
    for name, segment in one.segments.items():
        assert np.array_equal(segment.voxels, other.segments[name].voxels)
        assert segment.state.class_name == other.segments[name].state.class_name
        assert segment.state.accepted == other.segments[name].state.accepted
        clicked = {key: state.clicks for key, state in segment.state.slices.items() if state.clicks}
        assert clicked == {k: s.clicks for k, s in other.segments[name].state.slices.items() if s.clicks}


@pytest.mark.parametrize("seed", range(4))
def test_random_acts_with_undo_and_redo_end_like_those_that_stand(seed):
    robot = Robot(two_segments(FakePredictor()), seed)
    for _ in range(200):
        robot.act()
    replay = two_segments(FakePredictor())
    for act in robot.done:
        act(replay)
    assert_same(robot.session, replay)


def test_random_acts_on_a_network_end_like_those_that_stand(tmp_path):
    predictor = Predictor(load_model(tiny_checkpoint(tmp_path / "tiny.safetensors"), "cpu"))
    robot = Robot(two_segments(predictor), 5)
    for _ in range(40):
        robot.act()
    replay = two_segments(predictor)
    for act in robot.done:
        act(replay)
    assert_same(robot.session, replay)


def test_undoing_everything_leaves_empty_segments():
    robot = Robot(two_segments(FakePredictor()), 9)
    for _ in range(100):
        robot.act()
    while robot.session.undo():
        pass
    assert_same(robot.session, two_segments(FakePredictor()))


def test_redoing_everything_brings_all_back():
    robot = Robot(two_segments(FakePredictor()), 9)
    for _ in range(100):
        robot.act()
    masks = [robot.session.mask(name) for name in robot.session.segments]
    while robot.session.undo():
        pass
    while robot.session.redo():
        pass
    assert all(map(np.array_equal, masks, [robot.session.mask(name) for name in robot.session.segments]))


def test_a_new_act_forgets_what_was_undone(session):
    session.add_click(session.plane(2), INSIDE)
    session.undo()
    session.add_click(session.plane(3), INSIDE)
    assert session.redo() is None


def test_an_undone_act_tells_where_voxels_changed(session):
    session.add_click(session.plane(2), INSIDE)
    act = session.undo()
    (box,) = act.boxes["Segment_1"]
    assert (act.label, box[0]) == ("click", slice(2, 3))


def test_a_removed_segment_leaves_the_history(session):
    session.new_segment("two")
    session.add_click(session.plane(2), INSIDE)
    session.remove_segment("Segment_2")
    assert session.undo() is None


def test_the_history_keeps_to_its_memory(predictor):
    session = AnnotationSession(predictor, random_volume(), history_bytes=2000)
    session.new_segment()
    rng = np.random.default_rng(0)
    for _ in range(50):
        session.set_mask(rng.random(session.volume.geometry.shape) < 0.5)
    assert 0 < session.history.size <= 2000


def test_a_hundred_acts_on_a_large_volume_can_be_undone(predictor):
    geometry = VolumeGeometry((512, 512, 300), np.diag([0.8, 0.8, 2.0, 1.0]))
    array = np.zeros(geometry.shape, dtype=np.int16)
    array[0, 0, 0] = 100
    session = AnnotationSession(predictor, Volume(array, geometry, "CT", "large"))
    session.new_segment()
    for number in range(120):
        session.add_click(session.plane(2 * number), INSIDE)
    assert sum(session.undo() is not None for _ in range(120)) == 120
    assert session.history.size < 16 << 20


def test_an_act_on_two_segments_of_which_one_is_locked_is_not_undone_in_part(
    session: AnnotationSession,
) -> None:
    first, other = session.current, session.new_segment("two")
    plane = session.plane(2)
    act = session.add_click(plane, INSIDE, first.identifier).act
    whole = np.ones(plane.shape, dtype=bool)
    session.set_mask(whole, plane, other.identifier, label="click", join=act)
    before = first.voxels.copy()
    other.locked = True
    with pytest.raises(ProtectedError):
        session.undo()
    assert np.array_equal(first.voxels, before)
    assert first.state.at(plane).clicks == (INSIDE,)
