"""200 random acts with undo and redo end, to the bit, where a replay of the acts that remain ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from KPrismSlicerLib.Logic import AnnotationLogic
from KPrismSlicerLib.SceneBridge import SceneBridge
from logic_samples import (
    SIZE,
    SlowPredictor,
    add_image,
    add_view,
    overwrite_mode,
    paint,
    ras_at,
    scene_mask,
    wait,
)

from KPrismCore.catalogue import load_catalogue
from KPrismCore.checkpoint import Checkpoint, ModelCard
from KPrismCore.model import model_of
from KPrismCore.network.kprism import KPrism
from KPrismCore.predictor import Predictor
from KPrismCore.preprocess import Preprocessing
from Testing.Core.tiny import CLASSES, TINY

SHAPE = SIZE[::-1]


@dataclass
class Case:
    """A logic with three segments: one that acts change, another, and a locked one."""

    logic: AnnotationLogic
    changed: str
    other: str
    locked: str

    def masks(self) -> list[np.ndarray]:
        return [scene_mask(self.logic, one) for one in (self.changed, self.other, self.locked)]

    def prompts(self) -> object:
        clicks = [(tuple(np.round(one.ras, 6)), one.positive, one.planeKey) for one in self.logic.clicks()]
        return self.logic.className, sorted(clicks), len(self.logic.references())


def tiny_predictor() -> Predictor:
    """The real network with random weights, small enough for hundreds of clicks."""
    torch.manual_seed(0)
    weights = KPrism(TINY).state_dict()
    checkpoint = Checkpoint(TINY, weights, load_catalogue(CLASSES), Preprocessing(), ModelCard(name="tiny"))
    return Predictor(model_of(checkpoint, torch.device("cpu")))


def blob(seed: int) -> np.ndarray:
    """A box at a random place, KJI."""
    random, mask = np.random.default_rng(seed), np.zeros(SHAPE, dtype=bool)
    low = [int(random.integers(0, length - 2)) for length in SHAPE]
    high = [int(random.integers(start + 1, length)) + 1 for start, length in zip(low, SHAPE, strict=True)]
    mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return mask


def opened(mode: str, predictor) -> Case:
    logic = AnnotationLogic(modelLoader=lambda *_: predictor)
    logic.loadModel()
    logic.setVolume(add_image())
    node = logic.newSegmentation()
    changed, other, locked = (SceneBridge().newSegment(node, name) for name in ("changed", "other", "locked"))
    paint(logic, other, blob(1))
    paint(logic, locked, blob(2) & ~blob(1))
    logic.setLocked(locked, True)
    overwrite_mode(logic, mode)
    for one in (other, locked, changed):
        logic.setSegment(one)
        wait(logic)
    return Case(logic, changed, other, locked)


Step = Callable[[Case], None]


def click_at(random: np.random.Generator) -> Step:
    ijk = [int(random.integers(0, length)) for length in SIZE]
    kind, positive = "ijk"[int(random.integers(3))], bool(random.integers(2))
    tilt = float(random.choice([0.0, 0.0, 25.0]))

    def step(case: Case) -> None:
        view = add_view(case.logic, kind, ijk["ijk".index(kind)], tilt)
        case.logic.click(ras_at(case.logic, ijk), positive, view)

    return step


def stroke(random: np.random.Generator) -> Step:
    k, points = int(random.integers(SIZE[2])), random.integers(1, 19, (4, 2))

    def step(case: Case) -> None:
        case.logic.stroke(
            [ras_at(case.logic, (x, y, k)) for x, y in points], True, add_view(case.logic, "k", k)
        )

    return step


def move(random: np.random.Generator) -> Step:
    number, shift = int(random.integers(1000)), random.integers(-1, 2, 3)

    def step(case: Case) -> None:
        clicks = sorted(case.logic.clicks(), key=lambda one: (one.planeKey, one.ras, one.positive))
        if clicks:
            chosen = clicks[number % len(clicks)]
            case.logic.moveClick(chosen.identifier, np.array(chosen.ras) + shift)

    return step


def remove(random: np.random.Generator) -> Step:
    number = int(random.integers(1000))

    def step(case: Case) -> None:
        clicks = sorted(case.logic.clicks(), key=lambda one: (one.planeKey, one.ras, one.positive))
        if clicks:
            case.logic.removeClick(clicks[number % len(clicks)].identifier)

    return step


def clear(random: np.random.Generator) -> Step:
    k = int(random.integers(SIZE[2]))
    return lambda case: case.logic.clearSlice(add_view(case.logic, "k", k))


def run(random: np.random.Generator) -> Step:
    kind, first = "ijk"[int(random.integers(3))], int(random.integers(5))
    return lambda case: case.logic.predictRange(add_view(case.logic, kind, 2), first, first + 2)


def classify(random: np.random.Generator) -> Step:
    name = str(random.choice(["liver", "lungs", "aorta"]))
    return lambda case: case.logic.setClass(name)


def refer(random: np.random.Generator) -> Step:
    k = int(random.integers(SIZE[2]))
    return lambda case: case.logic.addSliceAsReference(add_view(case.logic, "k", k))


def by_hand(random: np.random.Generator) -> Step:
    """Another tool flips a box; the next act, an undo, makes that a step, and redo brings it back."""
    mask = blob(int(random.integers(1 << 30)))

    def step(case: Case) -> None:
        paint(case.logic, case.changed, scene_mask(case.logic, case.changed) ^ mask)
        case.logic.undo()
        case.logic.redo()

    return step


KINDS = [click_at] * 8 + [stroke, move, remove, clear, run, classify, refer, by_hand, by_hand]


def done_by(case: Case, step: Step) -> bool:
    """Do something; whether it became a step of the history. An act that is refused does not."""
    history = case.logic.session.history
    before = len(history)
    step(case)
    wait(case.logic)
    assert len(history) - before in (0, 1)
    return len(history) > before


def play(case: Case, seed: int, count: int) -> Iterator[list[Step]]:
    """Do random acts, undo and redo; after each give the acts that remain in effect."""
    random = np.random.default_rng(seed)
    done: list[Step] = []
    undone: list[Step] = []
    for _ in range(count):
        chance = random.random()
        if chance < 0.2 and done:
            case.logic.undo()
            undone.append(done.pop())
        elif chance < 0.3 and undone:
            case.logic.redo()
            done.append(undone.pop())
        else:
            step = KINDS[int(random.integers(len(KINDS)))](random)
            if done_by(case, step):
                done.append(step)
                undone.clear()
        wait(case.logic)
        yield done


@pytest.fixture(scope="module")
def network():
    return tiny_predictor()


@pytest.mark.slow
def test_random_acts_beside_other_segments_equal_their_replay(scene, network):
    case = opened("OverwriteNone", network)
    start = case.masks()
    for done in play(case, seed=1, count=200):  # noqa: B007
        masks = case.masks()
        assert np.array_equal(masks[0], case.logic.session.mask(case.changed))
        assert np.array_equal(masks[1], start[1])
        assert np.array_equal(masks[2], start[2])
    again = opened("OverwriteNone", network)
    assert all(done_by(again, step) for step in done)
    assert all(np.array_equal(one, other) for one, other in zip(again.masks(), masks, strict=True))
    assert again.prompts() == case.prompts()
    finish(case, again)


def test_random_acts_that_take_from_other_segments_equal_their_replay(scene):
    predictor = SlowPredictor(0.0)
    case = opened("OverwriteAllSegments", predictor)
    start = case.masks()
    for done in play(case, seed=2, count=200):  # noqa: B007
        masks = case.masks()
        assert np.array_equal(masks[0], case.logic.session.mask(case.changed))
        assert np.array_equal(masks[1], case.logic.session.mask(case.other))
        assert np.array_equal(masks[2], start[2])
    assert not np.array_equal(masks[1], start[1])
    again = opened("OverwriteAllSegments", predictor)
    assert all(done_by(again, step) for step in done)
    assert all(np.array_equal(one, other) for one, other in zip(again.masks(), masks, strict=True))
    assert again.prompts() == case.prompts()
    finish(case, again)


def test_undo_of_everything_is_the_beginning_and_redo_the_end(scene):
    case = opened("OverwriteAllSegments", SlowPredictor(0.0))
    start, prompts = case.masks(), case.prompts()
    for _done in play(case, seed=3, count=60):
        pass
    # what was taken back would come too
    case.logic.click(ras_at(case.logic, (5, 9, 2)), True, add_view(case.logic))
    wait(case.logic)
    end, last = case.masks(), case.prompts()
    while case.logic.canUndo:
        case.logic.undo()
        wait(case.logic)
    assert all(np.array_equal(one, other) for one, other in zip(case.masks(), start, strict=True))
    assert case.prompts() == prompts
    while case.logic.canRedo:
        case.logic.redo()
        wait(case.logic)
    assert all(np.array_equal(one, other) for one, other in zip(case.masks(), end, strict=True))
    assert case.prompts() == last
    finish(case)


def finish(*cases: Case) -> None:
    for case in cases:
        case.logic.cleanup()
