"""Training tasks on images that do not show the class asked for."""

from __future__ import annotations

import numpy as np
import pytest

from KPrismCore.training.batches import BatchStream
from KPrismCore.training.configuration import from_plain
from KPrismCore.training.data import TaskSampler
from KPrismCore.training.packs import ImageSet, Sample
from KPrismCore.training.settings import TrainingSettings

SIZE = 32
CLASSES = {1: {"whole": ["liver"], "parts": ["liver"]}, 2: {"parts": ["lungs"]}}
LABELS = {1: "liver", 2: "lungs"}


def sample(number: int, *labels: int, pixels: int = 64) -> Sample:
    """A square whose first rows show the labels, each with so many pixels."""
    mask = np.zeros(SIZE * SIZE, dtype=np.uint8)
    for place, label in enumerate(labels):
        mask[place * pixels : (place + 1) * pixels] = label
    image = (mask * 100).astype(np.uint8).reshape(SIZE, SIZE)
    return Sample(image, mask.reshape(SIZE, SIZE), f"subject {number}", str(number), False)


def sets(*more: Sample) -> list[ImageSet]:
    """A set that shows liver and lungs, some samples one of them only; and a set with livers only."""
    parts = (sample(0, 1), sample(1, 2), sample(2, 1, 2), *more)
    return [
        ImageSet("parts", "CT", LABELS, parts),
        ImageSet("whole", "CT", {1: "liver"}, (sample(3, 1), sample(4, 1))),
    ]


def targets(mode: str, *more: Sample, share: float, complete: tuple[str, ...]) -> set[tuple[int, bool, str]]:
    """Class, whether anything is to be found, and set of many tasks."""
    settings = TrainingSettings(absent_probability=share, complete_sets=complete, union_probability=0.0)
    sampler, rng = TaskSampler(sets(*more), CLASSES, settings), np.random.default_rng(0)
    tasks = [sampler.draw(rng, mode, 1, synthetic=False, part=False, size=SIZE) for _ in range(80)]
    return {(task.class_index, bool(task.query[1].any()), task.set_name) for task in tasks}


def test_a_class_is_asked_for_where_a_complete_set_does_not_show_it():
    found = targets("class", share=1.0, complete=("parts",))
    assert found == {(1, False, "parts"), (2, False, "parts")}


def test_a_share_of_the_tasks_with_a_class_are_such():
    found = targets("class", share=0.5, complete=("parts",))
    assert {(1, True, "parts"), (1, True, "whole"), (1, False, "parts"), (2, True, "parts")} <= found


@pytest.mark.parametrize(("share", "complete"), [(0.0, ("parts",)), (1.0, ()), (1.0, ("whole",))])
def test_elsewhere_there_is_always_something_to_find(share, complete):
    assert all(shown for _, shown, _ in targets("class", share=share, complete=complete))


@pytest.mark.parametrize("mode", ["references", "clicks", "combined"])
def test_references_and_clicks_always_have_something_to_find(mode):
    assert all(shown for _, shown, _ in targets(mode, share=1.0, complete=("parts",)))


def test_a_structure_too_small_to_be_learned_is_not_absent():
    # two pixels of the lungs beside the liver: neither a target nor an absence
    settings = TrainingSettings(absent_probability=1.0, complete_sets=("parts",))
    small = sample(9, 1, 2, pixels=2)
    both = [ImageSet("parts", "CT", LABELS, (sample(2, 1, 2), small))]
    sampler, rng = TaskSampler(both, CLASSES, settings), np.random.default_rng(0)
    drawn = [sampler.draw(rng, "class", 0, synthetic=False, part=False, size=SIZE) for _ in range(20)]
    assert all(task.query[1].sum() == 64 for task in drawn)


@pytest.mark.parametrize("size", [SIZE, SIZE // 2])
def test_such_a_batch_has_empty_targets(size):
    settings = TrainingSettings(
        input_size=size, image_size=SIZE, batch_size=4, steps=4, mode_probabilities=(1.0, 0.0, 0.0, 0.0),
        absent_probability=1.0, complete_sets=("parts",),
    )  # fmt: skip
    batch = BatchStream(TaskSampler(sets(), CLASSES, settings), settings)[0]
    assert batch.class_index is not None
    assert float(batch.targets.sum()) == 0


def test_a_recipe_without_it_draws_what_it_drew_before():
    plain, named = TrainingSettings(), TrainingSettings(complete_sets=("parts",))
    first, second = (
        [
            TaskSampler(sets(), CLASSES, settings)
            .draw(np.random.default_rng(seed), "class", 0, synthetic=False, part=False, size=SIZE)
            .class_index
            for seed in range(12)
        ]
        for settings in (plain, named)
    )
    assert first == second


def test_a_probability_above_one_is_refused():
    with pytest.raises(ValueError, match="absent_probability"):
        from_plain({"absent_probability": 1.5})
