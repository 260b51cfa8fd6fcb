"""From records to figures, tables and text, on records whose figures are known."""

from __future__ import annotations

import numpy as np
import pytest
from measured import record

from KPrismCore.evaluation.document import markdown, one_page
from KPrismCore.evaluation.figures import MEAN, curve, differences, format_figure, methods, tables
from KPrismCore.evaluation.measures import HEADLINE
from KPrismCore.evaluation.protocol import MODEL, PREVIOUS
from KPrismCore.evaluation.report import sections
from KPrismCore.evaluation.report_checks import previous_sections
from KPrismCore.evaluation.results import class_figures, results_of
from KPrismCore.evaluation.sheet import choose
from KPrismCore.evaluation.summary import case_rows, subject_rows, summary

FACTS = {"model": "tiny"}


def test_every_set_weighs_the_same_in_the_mean():
    records = [record("a", f"s{number}", [0.2] * 10) for number in range(9)] + [record("b", "s", [0.8] * 10)]
    figure = tables(records)[MEAN][MODEL, "Dice(1)"]
    assert figure.mean == pytest.approx(0.5)
    assert figure.cases == 10


def test_figures_are_taken_from_the_right_place():
    scores = [0.1 * number for number in range(1, 11)]
    found = tables([record("a", "s", scores, **{"class": [0.3, 0.6], "reference": [0.4, 0.5]})])["a"]
    expected = {
        "Dice(1)": 0.1, "Dice(3)": 0.3, "Dice(5)": 0.5, "Dice(10)": 1.0, "NoC90": 9,
        "NoC95": 10, "Mode 1": 0.3, "Mode 1 + 1 click": 0.6, "Mode 2": 0.4, "Mode 2 + 1 click": 0.5,
        "IoU Mode 1": 0.3 / 1.7, "IoU Mode 2": 0.4 / 1.6, "IoU(1)": 0.1, "IoU(5)": 0.5, "worse after 5": 0,
    }  # fmt: skip
    assert {name: figure.mean for (_, name), figure in found.items()} == pytest.approx(expected)


def test_worse_after_five_clicks_is_counted():
    found = tables([record("a", "s", [0.9, 0.9, 0.9, 0.9, 0.87]), record("a", "t", [0.5] * 5)])["a"]
    assert found[MODEL, "worse after 5"].mean == pytest.approx(0.5)


def test_class_figures_are_means_of_what_the_name_alone_gave():
    records = [record("a", "s", [], class_name="disc", **{"class": [score, 0.9]}) for score in (0.2, 0.4)]
    records.append(record("a", "s", [], **{"class": [0.7]}))
    records.append({**records[0], "method": PREVIOUS, "class": [1.0]})
    assert class_figures(records) == {"disc": {"dice": 0.3, "cases": 2}}


def test_best_median_and_worst_are_chosen():
    records = [record("a", "s", [score], identity=str(score)) for score in (0.1, 0.9, 0.5, 0.4, 0.7)]
    assert [chosen["clicks"][0] for chosen in choose(records, "clicks", 0)] == [0.9, 0.5, 0.1]


def closely(dice: float, confidence: float) -> dict:
    bins = np.zeros((3, 10))
    bins[:, 9] = 1.0, 0.95, 0.5
    return {
        "dice": dice, "confidence": confidence, "bins": bins.tolist(),
        "hd95": 4.0, "asd": 2.0, "surface_dice": 0.5,
    }  # fmt: skip


def test_clicks_until_095_are_counted():
    found = tables([record("a", "s", [0.5, 0.9, 0.95, *[0.96] * 7])])["a"]
    assert (found[MODEL, "NoC90"].mean, found[MODEL, "NoC95"].mean) == (2, 3)


def test_clicks_after_a_first_mask_begin_with_none():
    good, late = [0.91, *[0.5] * 10], [0.1, 0.2, 0.3, *[0.95] * 8]
    found = tables([record("a", "s", [], **{"class": good, "reference": late, "noisy_class": late})])["a"]
    names = ("Mode 1 refine NoC90", "Mode 2 refine NoC90", "Mode 2 refine NoC95", "noisy Mode 1 refine NoC90")
    assert [found[MODEL, name].mean for name in names] == [0, 3, 3, 3]


def test_exemplars_are_summed_up_per_case_and_averaged_per_set():
    records = [
        record("a", str(case), [], exemplars=scores) for case, scores in enumerate(([0.2, 0.6], [0.5, 0.5]))
    ]
    found = tables(records)["a"]
    values = [found[MODEL, f"exemplar {name}"].mean for name in ("mean", "std", "min", "max")]
    assert values == pytest.approx([0.45, 0.1, 0.35, 0.55])


def test_millimetres_and_pixels_are_never_averaged_together():
    details = {"class": closely(0.5, 0.5)}
    found = tables(
        [
            record("a", "s", [], unit="mm", details=details),
            record("b", "s", [], unit="pixels", details=details),
        ]
    )
    assert found[MEAN][MODEL, "HD95, Mode 1: class [mm]"].cases == 1
    assert found[MEAN][MODEL, "surface Dice, Mode 1: class"].cases == 2


def test_differences_are_paired_by_case():
    ours = [record("a", name, [score] * 10) for name, score in (("s", 0.5), ("t", 0.9), ("alone", 0.1))]
    theirs = [
        {**record("a", name, [score] * 10), "method": PREVIOUS} for name, score in (("s", 0.4), ("t", 0.8))
    ]
    change = differences([*ours, *theirs], HEADLINE, PREVIOUS)["Dice(5)"]
    assert (change.mean, change.low, change.high) == pytest.approx((0.1, 0.1, 0.1))
    assert change.cases == 2


def test_one_subject_has_no_interval():
    alone = tables([record("a", "s", [0.5])])["a"][MODEL, "Dice(1)"]
    assert format_figure(alone, 2, interval=True) == "0.50"


def test_a_difference_of_one_subject_is_not_called_clear():
    rows = [record("a", "s", [0.5] * 10), {**record("a", "s", [0.4] * 10), "method": PREVIOUS}]
    found = results_of(rows, {})
    text = [row for grid in next(iter(previous_sections(found))).grids for row in grid.rows]
    assert {row[-1] for row in text} == {"too few subjects", "within chance"}


def test_a_curve_is_the_mean_over_sets_click_by_click():
    records = [record("a", "s", [0.2, 0.4]), record("a", "t", [0.4, 0.6]), record("b", "s", [0.9, 1.0])]
    assert [figure.mean for figure in curve(records, MODEL, "clicks")] == pytest.approx([0.6, 0.75])


def test_methods_come_in_a_fixed_order():
    rows = [{**record("a", "s", [0.5]), "method": name} for name in ("walker", PREVIOUS, MODEL)]
    rows[0]["clicks_of"] = "own"
    rows.append({**rows[0], "clicks_of": "same"})
    assert methods(tables(rows)) == [MODEL, PREVIOUS, "walker, same clicks", "walker, own clicks"]


def test_the_card_has_every_set_and_group_of_modalities():
    records = [
        record("a", "s", [0.2, 0.3, 0.4, 0.5, 0.6], **{"class": [0.7], "reference": [0.3]}),
        record("b", "s", [0.4, 0.3, 0.4, 0.5, 0.8], modality="CT / MR"),
        record("c", "s", [0.9] * 5, modality="ultrasound fetal"),
    ]
    card = summary(results_of(records, FACTS))
    assert card["sets"]["a"] == {
        "modality": "CT", "cases": 1, "dice_1": 0.2, "dice_5": 0.6, "class": 0.7, "reference": 0.3,
    }  # fmt: skip
    assert card["modalities"] == {
        "CT": {"sets": 2, "cases": 2, "dice_1": 0.3, "dice_5": 0.7, "class": 0.7, "reference": 0.3},
        "ultrasound": {"sets": 1, "cases": 1, "dice_1": 0.9, "dice_5": 0.9, "class": None, "reference": None},
    }


def test_trust_tells_the_errors_of_pixels_and_of_confidence():
    records = [
        record("a", str(case), [], details={"class": closely(dice, 0.9)})
        for case, dice in enumerate((0.5, 0.7))
    ]
    trust = results_of(records, FACTS).trust["class"]
    assert trust.pixels.error == pytest.approx(0.45)
    assert trust.confidence_error == pytest.approx(0.3)
    assert trust.masks.error == pytest.approx(0.3)


def test_parts_of_a_case_are_one_row_and_cases_of_a_patient_are_averaged():
    parts = [record("a", "s", [0.2]), {**record("a", "s", []), "part": "exemplars", "exemplars": [0.4, 0.6]}]
    second = record("a", "s", [0.4], identity="other")
    assert len(case_rows(parts)) == 1
    assert case_rows(parts)[0]["exemplar_2"] == 0.6
    rows = subject_rows([*parts, second])
    assert [(row["cases"], row["Dice(1)"]) for row in rows] == [(2, pytest.approx(0.3))]


def test_the_report_names_every_set_its_modality_and_the_mean():
    text = markdown("Evaluation", sections(results_of([record("a", "s", [0.5] * 10)], FACTS)))
    assert "| a (CT) | 1 |" in text
    assert f"| **{MEAN}** | **1** |" in text


def test_what_was_not_measured_is_left_out_of_the_report():
    titles = {section.title for section in sections(results_of([record("a", "s", [0.5] * 10)], FACTS))}
    assert {"Experts", "Calibration", "Which reference", "Speed", "Other methods, every set"}.isdisjoint(
        titles
    )
    assert {"What was measured", "Every set", "Convergence"} <= titles


def test_measures_that_no_method_has_are_no_columns_of_the_means():
    found = sections(results_of([record("a", "s", [0.5] * 10)], FACTS))
    means = next(section for section in found if section.title == "Means over the sets")
    assert not any(cell == "-" for grid in means.grids for row in grid.rows for cell in row)


def test_facts_are_told_in_words():
    text = markdown("Evaluation", sections(results_of([record("a", "s", [0.5] * 10)], {"noisy": False})))
    assert "| an imperfect person's clicks too | no |" in text


def test_text_cannot_break_out_of_the_page():
    found = results_of([record("<b>", "s", [0.5] * 10)], {"model": "<script>"})
    page = one_page("Evaluation", sections(found))
    assert "<script>" not in page
    assert "&lt;b&gt; (CT)" in page


def test_wide_tables_are_whole_on_paper():
    page = one_page("Evaluation", sections(results_of([record("a", "s", [0.5] * 10)], FACTS)))
    assert "@media print { .wide { overflow-x: visible; }" in page
