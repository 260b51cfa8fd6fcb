"""Images of a set as they hang in use: in training, in recipes, and when a model is measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_up_packs import write_pack

from KPrismCore.errors import InputFileError, TrainingDataError
from KPrismCore.evaluation.cases import DataPlace
from KPrismCore.training.augment import Style, draw_style, to_tensors
from KPrismCore.training.batches import BatchStream
from KPrismCore.training.changes import Changes
from KPrismCore.training.configuration import from_plain, read_settings
from KPrismCore.training.data import TaskSampler
from KPrismCore.training.datasets.entries import Entries
from KPrismCore.training.datasets.hung_entries import HungEntries
from KPrismCore.training.hanging import HANGINGS, exchanges_axes, hung
from KPrismCore.training.packs import ImageSet, Sample
from KPrismCore.training.settings import TrainingSettings

CONFIGS = Path(__file__).parents[2] / "Resources" / "Configs"
# rows and columns of a square, and what becomes of it
SQUARE = np.array([[1, 2], [3, 4]])
TURNED = {
    "": [[1, 2], [3, 4]], "mirrored": [[2, 1], [4, 3]], "upside down": [[3, 4], [1, 2]],
    "turned around": [[4, 3], [2, 1]], "turned left": [[2, 4], [1, 3]], "turned right": [[3, 1], [4, 2]],
    "transposed": [[1, 3], [2, 4]], "transposed and turned around": [[4, 2], [3, 1]],
}  # fmt: skip
STILL = Changes(**dict.fromkeys(Changes().probabilities, 0.0))
SIZE = 32


def test_every_word_has_its_meaning():
    assert {word: hung(SQUARE, word).tolist() for word in HANGINGS} == TURNED


def test_colours_stay_with_their_pixels():
    colours = np.stack([SQUARE, SQUARE + 10, SQUARE + 20], axis=-1)
    assert hung(colours, "turned left")[..., 1].tolist() == [[12, 14], [11, 13]]


@pytest.mark.parametrize("word", HANGINGS)
def test_rows_become_columns_where_a_side_becomes_the_top(word):
    assert exchanges_axes(word) == ("transposed" in word or word in ("turned left", "turned right"))


def test_image_and_mask_of_a_task_hang_alike():
    image = SQUARE.astype(np.uint8)
    picture, mask = to_tensors(image, image > 3, Style("turned right"))
    assert (picture[0] * 255).round().tolist() == TURNED["turned right"]
    assert mask[0].tolist() == [[0, 0], [1, 0]]


@pytest.mark.parametrize(("share", "words"), [(0.0, {""}), (1.0, {"mirrored"}), (0.5, {"", "mirrored"})])
def test_a_class_is_shown_both_ways_as_often_as_the_recipe_says(share, words):
    rng = np.random.default_rng(0)
    drawn = [
        draw_style(rng, "CT", class_mode=True, hanging="mirrored", hanging_probability=share)
        for _ in range(40)
    ]
    assert {style.hanging for style in drawn} == words


def a_set(name: str) -> ImageSet:
    """A set of which each image has a bright object in the first corner."""
    image = np.zeros((SIZE, SIZE), dtype=np.uint8)
    image[:12, :8] = 200
    mask = (image > 0).astype(np.uint8)
    samples = tuple(Sample(image, mask, f"subject {number}", str(number), False) for number in range(4))
    return ImageSet(name, "CT", {1: "liver"}, samples)


def corners(hanging: dict[str, str], mode: tuple[float, ...]) -> set[tuple[bool, bool]]:
    """Where the object is in batches: whether at the bottom, and whether on the right."""
    settings = TrainingSettings(
        input_size=SIZE, batch_size=2, steps=8, mode_probabilities=mode, augmentation=0.0, changes=STILL,
        synthetic_probability=0.0, component_probability=0.0, hanging=hanging, hanging_probability=1.0,
        silent_probability=0.0,
    )  # fmt: skip
    stream = BatchStream(TaskSampler([a_set("ct")], {1: {"ct": ["liver"]}}, settings), settings)
    found = set()
    for step in range(8):
        for target in stream[step].targets[:, 0].numpy():
            rows, columns = np.nonzero(target)
            found.add((bool(rows.mean() > SIZE / 2), bool(columns.mean() > SIZE / 2)))
    return found


@pytest.mark.parametrize("mode", [(1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0)])
def test_the_images_of_a_named_set_are_turned_for_training(mode):
    assert corners({"ct": "turned around"}, mode) == {(True, True)}


def test_the_images_of_other_sets_stay_as_they_are():
    assert corners({"mr": "turned around"}, (1.0, 0.0, 0.0, 0.0)) == {(False, False)}


@pytest.mark.parametrize("class_mode", [True, False])
def test_a_set_that_is_not_turned_is_drawn_as_it_always_was(class_mode):
    rng, before = np.random.default_rng(0), np.random.default_rng(0)
    draw_style(rng, "CT", class_mode=class_mode, hanging_probability=0.5)
    # two for mirroring, one for inversion
    before.random(3)
    assert rng.random() == before.random()


def test_an_unknown_word_is_refused_with_those_there_are(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text('[hanging]\nliver_ct = "sideways"\n')
    with pytest.raises(InputFileError, match=r"liver_ct.*turned left"):
        read_settings(path)


def test_turned_sets_survive_the_state_file():
    settings = TrainingSettings(hanging={"liver_ct": "mirrored"})
    assert from_plain(settings.to_plain()).hanging == {"liver_ct": "mirrored"}


def test_both_phases_of_the_small_network_turn_the_same_sets():
    first, second = (read_settings(CONFIGS / f"train-small{part}.toml") for part in ("-128", ""))
    assert first.hanging == second.hanging
    assert "liver_ct" in first.hanging


class OneSlice(Entries):
    """A set of one slice of two rows and three columns, 4 mm between rows and 1 mm between columns."""

    def __init__(self) -> None:
        super().__init__("ct", "CT", {1: "liver"}, ["subject"])

    def slices(self, entry: int) -> list:
        return [(np.arange(6, dtype=np.uint8).reshape(2, 3), np.eye(2, 3, dtype=np.uint8))]

    def checksum(self, entry: int) -> tuple[object, ...]:
        return (7,)

    def spacing(self, entry: int, number: int) -> tuple[float, float]:
        return 4.0, 1.0

    def aspect(self, entry: int, number: int) -> tuple[float, float]:
        return 2.0, 1.0

    def counterparts(self, entry: int, number: int, other: int) -> tuple[int, ...]:
        return (0,)


def test_a_turned_slice_has_its_spacing_turned():
    turned = HungEntries(OneSlice(), "turned left")
    assert turned.slices(0)[0][0].tolist() == [[2, 5], [1, 4], [0, 3]]
    assert (turned.spacing(0, 0), turned.aspect(0, 0)) == ((1.0, 4.0), (1.0, 2.0))


def test_a_turned_entry_has_a_checksum_of_its_own():
    sums = {HungEntries(OneSlice(), word).checksum(0) for word in HANGINGS}
    assert len(sums) == len(HANGINGS)


def test_a_mirrored_slice_keeps_its_spacing():
    assert HungEntries(OneSlice(), "mirrored").spacing(0, 0) == (4.0, 1.0)


def test_a_model_is_measured_on_turned_images(tmp_path):
    write_pack(tmp_path, "discs")
    (plain,), (turned,) = (
        DataPlace(tmp_path, hanging=hanging).sets().values() for hanging in ({}, {"discs": "turned left"})
    )
    first, second = plain.cases()[0], turned.cases()[0]
    for before, after in zip(plain.pixels(first), turned.pixels(second), strict=True):
        assert (after == hung(before, "turned left")).all()


def test_measurements_of_turned_images_are_kept_apart(tmp_path):
    write_pack(tmp_path, "discs")
    (plain,), (turned,) = (
        DataPlace(tmp_path, hanging=hanging).sets().values() for hanging in ({}, {"discs": "turned left"})
    )
    assert plain.cases()[0].identity != turned.cases()[0].identity


def test_a_table_that_turns_none_of_the_sets_is_named(tmp_path):
    write_pack(tmp_path, "discs")
    with pytest.raises(TrainingDataError, match=r"to be turned is there: liver_ct"):
        DataPlace(tmp_path, hanging={"liver_ct": "mirrored"}).sets()
