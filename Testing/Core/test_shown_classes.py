"""A model can be asked for the classes by name that its training showed, and for no others of the table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from disc_runs import NETWORK, SETTINGS, disc_set
from test_data_command import shown

from KPrismCore.checkpoint import ModelCard
from KPrismCore.errors import UnknownClassError
from KPrismCore.training.class_tables import CLASSES, data_classes, run_classes
from KPrismCore.training.data import read_classes
from KPrismCore.training.export import run_checkpoint
from KPrismCore.training.loop import Trainer
from KPrismCore.training.sameness import DATA
from KPrismCore.training.settings import TrainingSettings
from KPrismCore.training.state import NAMED, load_state, save_state
from KPrismCore.training.warm_start import open_start

TABLE = "kprism-small.csv"
RECIPE = replace(SETTINGS, classes=TABLE, steps=1, network={**NETWORK, "classes": 32})


def a_run(folder: Path, label: str, settings: TrainingSettings = RECIPE, start: Path | None = None) -> Path:
    """A run on one set, whose discs are called by this label of the set liver_ct or pancreas_ct."""
    data = replace(disc_set(), name=f"{label}_ct", labels={1: label})
    trainer = Trainer(settings, [data], read_classes(CLASSES / TABLE), folder)
    if start is not None:
        trainer.start_from(open_start(start))
    trainer.run()
    return folder


def named(run: Path) -> list[str]:
    return [entry.name for entry in run_checkpoint(run, ModelCard()).catalogue.trained]


def test_a_class_that_no_image_showed_cannot_be_asked_for(tmp_path: Path) -> None:
    catalogue = run_checkpoint(a_run(tmp_path, "liver"), ModelCard()).catalogue
    assert [entry.name for entry in catalogue.trained] == ["liver"]
    with pytest.raises(UnknownClassError, match="not trained"):
        catalogue.by_name("pancreas")


def test_a_run_that_asked_for_no_class_knows_none(tmp_path: Path) -> None:
    clicks = (0.0, 0.0, 1.0, 0.0)
    assert named(a_run(tmp_path, "liver", replace(RECIPE, mode_probabilities=clicks))) == []


def test_classes_of_the_model_that_a_run_began_with_stay(tmp_path: Path) -> None:
    first = a_run(tmp_path / "first", "liver")
    assert named(a_run(tmp_path / "second", "pancreas", start=first)) == ["liver", "pancreas"]


def test_a_continued_run_keeps_what_it_has_shown(tmp_path: Path) -> None:
    path = a_run(tmp_path, "liver") / "state.pt"
    state = load_state(path)
    # of an earlier version, whose runs go on with any data
    del state[DATA]
    save_state(path, state)
    data = replace(disc_set(), name="pancreas_ct", labels={1: "pancreas"})
    again = Trainer(replace(RECIPE, steps=2), [data], read_classes(CLASSES / TABLE), tmp_path)
    again.resume()
    again.run()
    assert named(tmp_path) == ["liver", "pancreas"]


def test_a_state_that_does_not_tell_has_all_classes_of_its_table(tmp_path: Path) -> None:
    path = a_run(tmp_path, "liver") / "state.pt"
    state = load_state(path)
    del state[NAMED]
    save_state(path, state)
    assert {"liver", "pancreas", "aorta"} <= set(named(tmp_path))


def test_sets_without_a_class_of_the_table_are_told(tmp_path: Path) -> None:
    said: list[str] = []
    run_classes(TABLE, [shown({1: "liver"}, "liver_ct"), shown({1: "b"}, "mine")], tmp_path, said.append)
    assert said == [f"Not trained by name, since {TABLE} has no class of them: mine."]


def test_new_classes_of_a_table_are_those_whose_sets_are_there() -> None:
    sets = [shown({1: "liver"}, "liver_ct", "CT"), shown({1: "b"}, "mine")]
    assert [entry.name for entry in data_classes(TABLE, sets)] == ["liver"]
