"""What a model card says of what a model can do: its figures in words, and the one sentence to warn with."""

from __future__ import annotations

import io
import math
from typing import Any

import pytest
from rich.console import Console

from KPrismCore.abilities import CLICKS, EARLIER, KINDS, Grade, Score, read_abilities
from KPrismCore.catalogue import load_catalogue
from KPrismCore.commands.ability_tables import print_abilities
from KPrismCore.doubts import Asked, best_and_worst, find_doubt
from Testing.Core.tiny import CLASSES

CATALOGUE = load_catalogue(CLASSES)


def row(
    clicks: Any, by_class: Any = None, reference: Any = None, cases: Any = 8, **more: Any
) -> dict[str, Any]:
    return {
        "cases": cases,
        "dice_1": 0.5,
        "dice_5": clicks,
        "class": by_class,
        "reference": reference,
        **more,
    }


MODALITIES = {
    "CT": row(0.82, 0.74, 0.75, 40),
    "MR": row(0.64, 0.55, 0.31),
    "ultrasound": row(0.74, 0.21, 0.66),
    "X-ray": row(0.93, None, 0.80, 1),
    "angiography": row(0.31, None, 0.02, 5),
    "histology": row(0.44, 0.30, 0.20),
    "microscopy": row(0.77, 0.54, 0.71),
    "fundus": row(0.30, 0.10, 0.10, 1),
}
CARD = {
    "modalities": MODALITIES,
    "sets": {"breast_us": row(0.6, 0.31, modality="ultrasound"), "liver_ct": row(0.9, 0.8, modality="CT")},
    "classes": {
        "liver": {"dice": 0.63, "cases": 9}, "lungs": {"dice": 0.87, "cases": 5},
        "pancreas": {"dice": 0.19, "cases": 5}, "left atrium": {"dice": 0.1, "cases": 1},
    },
}  # fmt: skip
OLD_CARD = {"sets": 31, "means": {"K-Prism": {}}, "classes": CARD["classes"]}


def said(
    metrics: Any,
    modality: str | None,
    class_name: str | None = None,
    references: bool = False,
    trained_on: tuple[str, ...] = ("dermoscopy",),
) -> str | None:
    entry = CATALOGUE.by_name(class_name) if class_name else None
    asked = Asked(modality, entry, references)
    found = find_doubt(read_abilities(metrics), CATALOGUE, asked, trained_on)
    return found.text() if found else None


# figures


@pytest.mark.parametrize(
    ("dice", "grade"),
    [
        (0.7, Grade.GOOD),
        (0.69, Grade.USABLE),
        (0.5, Grade.USABLE),
        (0.49, Grade.POOR),
        (0.0, Grade.POOR),
        (None, Grade.NOT_MEASURED),
    ],
)
def test_a_figure_has_a_word(dice, grade):
    assert Score(dice, 5).grade is grade


@pytest.mark.parametrize(
    "metrics", [None, {}, [], {"modalities": 11, "sets": 31, "classes": []}, {"modalities": {"CT": 0.8}}]
)
def test_a_card_without_tables_says_that_nothing_was_measured(metrics):
    abilities = read_abilities(metrics)
    assert all(abilities.on("CT", kind)[1].grade is Grade.NOT_MEASURED for kind in KINDS)
    assert abilities.class_named("liver").grade is Grade.NOT_MEASURED


@pytest.mark.parametrize("value", [None, "0.8", True, math.nan, math.inf, -0.1, 80, {}, []])
def test_what_is_no_dice_was_not_measured(value):
    abilities = read_abilities({"modalities": {"CT": row(value, cases=value)}})
    assert abilities.on("CT", CLICKS)[1].grade is Grade.NOT_MEASURED


@pytest.mark.parametrize(("asked", "found"), [("US", "ultrasound"), ("DX", "X-ray"), ("MRI", "MR")])
def test_a_modality_is_found_under_its_other_names(asked, found):
    name, score = read_abilities(CARD).on(asked, CLICKS)
    assert (name, score.dice) == (found, MODALITIES[found]["dice_5"])


def test_of_two_that_share_a_name_the_worse_counts():
    assert read_abilities(CARD).on("microscopy", CLICKS)[0] == "histology"


def test_rows_come_worst_first():
    abilities = read_abilities(CARD)
    assert [one.name for one in abilities.modalities][:2] == ["fundus", "angiography"]
    assert [one.name for one in abilities.sets] == ["breast_us", "liver_ct"]
    assert next(iter(abilities.classes)) == "left atrium"


# the sentence


@pytest.mark.parametrize(
    ("card", "modality", "class_name", "references", "sentence"),
    [
        (CARD, "CT", None, False, None),
        (CARD, "CT", "lungs", False, None),
        (CARD, "CT", None, True, None),
        (CARD, "CT", "liver", False, "Expect to correct 'liver' (Dice 0.63 on 9 cases by its name alone)."),
        (CARD, "CT", "pancreas", False,
         "This model did poorly on 'pancreas' by its name alone (Dice 0.19 on 5 cases);"
         " expect to correct it with clicks."),
        (CARD, "MR", "left atrium", False,
         "This model did poorly on 'left atrium' by its name alone (Dice 0.10 on one case);"
         " expect to correct it with many clicks."),
        (CARD, "US", "breast tumour", False,
         "This model did poorly on ultrasound with a class name (Dice 0.21 on 8 cases);"
         " expect to correct it with clicks."),
        (CARD, "MR", "right atrium", False,
         "On MR, expect to correct what a class name gives (Dice 0.55 on 8 cases)."),
        (CARD, "XR", None, False, None),
        (CARD, "MR", None, True,
         "This model did poorly on MR with one example (Dice 0.31 on 8 cases);"
         " expect to correct it with many clicks."),
        (CARD, "US", None, True,
         "On ultrasound, expect to correct what an example gives (Dice 0.66 on 8 cases)."),
        (CARD, "MR", None, False, "On MR, expect to need more than five clicks (Dice 0.64 on 8 cases)."),
        (CARD, "fundus", None, False,
         "This model did poorly on fundus even after five clicks (Dice 0.30 on one case);"
         " check every slice."),
        (CARD, "fundus", "retinal vessel", False,
         "This model did poorly on fundus with a class name (Dice 0.10 on one case);"
         " clicks helped little there."),
        (CARD, "dermoscopy", None, False, "This model was not measured on dermoscopy; check every result."),
        (CARD, "dermoscopy", None, True,
         "This model was not measured on dermoscopy with examples; check every result."),
        (CARD, "endoscopy", "polyp", False, "'polyp' was not measured; check every result."),
        (CARD, "PT", None, False, "The model was not trained on PT; expect poor results."),
        (CARD, "MR", "liver", False, "'liver' was trained on CT and not on MR."),
        (CARD, "US", "lungs", False, "'lungs' was trained on X-ray, CT and not on ultrasound."),
        (CARD, None, None, False,
         "The modality is unknown; if the image is a CT, say so, as CT is windowed differently."),
        (CARD, "rgb", None, False, None),
        (OLD_CARD, "CT", None, False, None),
        (OLD_CARD, "CT", None, True, None),
        (OLD_CARD, "CT", "lungs", False, None),
        (OLD_CARD, "CT", "pancreas", False,
         "This model did poorly on 'pancreas' by its name alone (Dice 0.19 on 5 cases);"
         " check it, add examples or click."),
        (OLD_CARD, "CT", "aorta", False, "'aorta' was not measured; check every result."),
        ({}, "CT", None, False, "This model was not measured; check every result."),
        ({}, "CT", "liver", True, "This model was not measured; check every result."),
    ],
)  # fmt: skip
def test_the_card_and_the_prompts_give_a_sentence(card, modality, class_name, references, sentence):
    assert said(card, modality, class_name, references) == sentence


XRAY_LUNGS = {"chest_xray_lungs": row(0.98, 0.96, modality="X-ray")}


@pytest.mark.parametrize(
    ("modality", "on_ct", "sentence"),
    [
        ("X-ray", 0.54, None),
        (None, 0.54, "The modality is unknown; if the image is a CT, say so, as CT is windowed differently."),
        ("CT", 0.54, "On CT, expect to correct what a class name gives (Dice 0.54 on 8 cases)."),
        ("CT", None, "'lungs' was not measured; check every result."),
    ],
)
def test_a_class_measured_on_another_modality_does_not_speak_for_this_one(modality, on_ct, sentence):
    card = {**CARD, "sets": XRAY_LUNGS, "modalities": {**MODALITIES, "CT": row(0.82, on_ct)}}
    assert said(card, modality, "lungs") == sentence


def test_the_better_of_class_and_examples_counts():
    assert said(CARD, "CT", "pancreas", references=True) is None


def test_a_poor_class_is_worse_than_an_unknown_modality():
    assert said(CARD, None, "pancreas").startswith("This model did poorly on 'pancreas'")


def test_a_class_of_one_modality_tells_that_of_a_picture():
    assert said(CARD, "rgb", "retinal vessel").startswith("This model did poorly on fundus")


def test_a_modality_that_the_card_names_is_not_foreign():
    assert "not trained" not in (said(CARD, "OCTA", trained_on=("OCTA",)) or "")


def test_a_modality_that_was_measured_is_not_foreign():
    card = {"modalities": {"OCT": row(0.9)}}
    assert said(card, "OCT") is None


def test_words_from_outside_are_no_templates():
    assert said({"modalities": {"{x}": row(0.2)}}, "{x}", trained_on=("{x}",)).startswith(
        "This model did poorly on {x} even"
    )


def test_every_word_of_a_sentence_is_translated():
    asked = Asked("US", CATALOGUE.by_name("breast tumour"))
    text = find_doubt(read_abilities(CARD), CATALOGUE, asked).text(lambda part: f"<{part}>")
    assert text.startswith(
        "<This model did poorly on <ultrasound> with a class name (<Dice 0.21 on 8 cases>); <"
    )


# where it is best and worst


def test_the_best_and_the_worst_modality_are_named_for_each_kind_of_prompt():
    assert [one.text() for one in best_and_worst(read_abilities(CARD))] == [
        "With a class name best on CT (Dice 0.74), worst on fundus (Dice 0.10).",
        "With one example best on X-ray (Dice 0.80), worst on angiography (Dice 0.02).",
        "After five clicks best on X-ray (Dice 0.93), worst on fundus (Dice 0.30).",
    ]


EARLIER_CARD = {**CARD, EARLIER: True}


def test_figures_of_earlier_weights_are_said_to_be_that():
    last = best_and_worst(read_abilities(EARLIER_CARD))[-1].text()
    assert last == "Measured before a last training, in which the measured cases took part too."


def test_the_tables_tell_that_their_cases_were_in_the_last_training():
    assert "kept out of the training before the last" in " ".join(printed(EARLIER_CARD).split())
    assert "before the last" not in " ".join(printed(CARD).split())


def test_a_single_modality_is_neither_best_nor_worst():
    (only,) = best_and_worst(read_abilities({"modalities": {"CT": row(0.8)}}))
    assert only.text() == "After five clicks measured on CT (Dice 0.80) only."


def printed(metrics: Any) -> str:
    console = Console(file=io.StringIO(), width=80)
    print_abilities(console, read_abilities(metrics))
    return console.file.getvalue()


def words(text: str, name: str) -> str:
    (line,) = [line for line in text.replace("\u2502", " ").splitlines() if line.split()[:1] == [name]]
    return " ".join(line.split())


def test_the_tables_tell_each_modality_in_words():
    assert words(printed(CARD), "ultrasound") == "ultrasound 8 poor 0.21 usable 0.66 good 0.74"


def test_the_tables_tell_each_set_in_words():
    assert words(printed(CARD), "liver_ct") == "liver_ct CT 8 good 0.80 not measured good 0.90"


def test_no_word_is_cut_in_a_narrow_terminal():
    sets = {"intracranial_haemorrhage_ct": row(0.5, modality="angiography")}
    assert "\u2026" not in printed({**CARD, "sets": sets})


@pytest.mark.parametrize("metrics", [{}, OLD_CARD, None])
def test_a_card_without_modalities_prints_that_they_were_not_measured(metrics):
    assert "By modality: not measured" in printed(metrics)
