"""Class files and catalogues: names, search, validation, and the files the project ships."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from KPrismCore.catalogue import Catalogue, ClassEntry, load_catalogue
from KPrismCore.class_table import COLUMNS
from KPrismCore.commands.terminology import CATALOGUES, CLASSES, NAME, terminology_document, write_terminology
from KPrismCore.errors import InputFileError, UnknownClassError

Row = dict[str, str]

# Verhoeff's check digit, with which every SNOMED CT identifier ends
_DIHEDRAL = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_SHIFT = (
    "0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901",
    "2793806415", "7046913258",
)  # fmt: skip


def check_digit_fits(code: str) -> bool:
    value = 0
    for position, digit in enumerate(reversed(code)):
        value = int(_DIHEDRAL[value][int(_SHIFT[position % 8][int(digit)])])
    return value == 0


def a_row(index: int, name: str, **changes: str) -> Row:
    row = {
        "index": str(index), "name": name, "synonyms": "", "region": "abdomen", "modality": "CT",
        "plane": "axial",
        "snomed_code": "10200004", "snomed_meaning": "Liver", "modifier_code": "", "modifier_meaning": "",
        "anatomy_code": "", "anatomy_meaning": "", "category_code": "123037004",
        "category_meaning": "Anatomical Structure", "colour": "#dd8265", "window": "", "sources": "a:b",
        "images": "7", "subjects": "3", "trained": "yes",
    }  # fmt: skip
    return row | changes


@pytest.fixture
def a_catalogue() -> Catalogue:
    return Catalogue.from_list(
        [
            a_row(3, "Liver Tumor", synonyms="hepatic tumour", modality="CT;MR"),
            a_row(1, "Liver", synonyms="hepar"),
            a_row(2, "Left Kidney", modality="MR"),
            a_row(5, "Lungs", modality="X-ray"),
            a_row(9, "Delivery duct"),
            a_row(33, "Brain tumor", trained="no"),
        ]
    )


@pytest.fixture(params=CATALOGUES)
def a_shipped_catalogue(request: pytest.FixtureRequest) -> Catalogue:
    return load_catalogue(CLASSES / request.param)


@pytest.fixture
def write_rows(tmp_path: Path) -> Callable[[list[Row]], Path]:
    def write(rows: list[Row]) -> Path:
        path = tmp_path / "classes.csv"
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return path

    return write


def names(entries: list[ClassEntry] | tuple[ClassEntry, ...]) -> list[str]:
    return [entry.name for entry in entries]


def test_iteration_is_in_index_order(a_catalogue: Catalogue) -> None:
    assert [entry.index for entry in a_catalogue] == [1, 2, 3, 5, 9, 33]


@pytest.mark.parametrize(
    "text", ["Left Kidney", "left kidney", "LEFT  KIDNEY", "left-kidney", "leftkidney", "Léft Kidney"]
)
def test_case_accents_spaces_and_punctuation_of_a_name_do_not_count(
    a_catalogue: Catalogue, text: str
) -> None:
    assert a_catalogue.by_name(text).index == 2


def test_a_synonym_names_its_class(a_catalogue: Catalogue) -> None:
    assert a_catalogue.by_name("Hepar").name == "Liver"


def test_an_unknown_name_is_refused_with_the_name_that_was_meant(a_catalogue: Catalogue) -> None:
    with pytest.raises(UnknownClassError) as caught:
        a_catalogue.by_name("Livre")
    assert caught.value.remedy.startswith("Did you mean Liver")


def test_an_unknown_name_like_a_synonym_is_answered_with_the_class(a_catalogue: Catalogue) -> None:
    with pytest.raises(UnknownClassError, match="Did you mean Liver Tumor"):
        a_catalogue.by_name("hepatc tumours")


def test_a_name_like_nothing_is_answered_with_all_trained_classes(a_catalogue: Catalogue) -> None:
    with pytest.raises(UnknownClassError) as caught:
        a_catalogue.by_name("zzz")
    assert caught.value.remedy == "Its classes are: Liver, Left Kidney, Liver Tumor, Lungs, Delivery duct."


def test_an_untrained_class_cannot_be_asked_for_by_name(a_catalogue: Catalogue) -> None:
    with pytest.raises(UnknownClassError, match="not trained for the class 'Brain tumor'"):
        a_catalogue.by_name("brain tumor")


def test_an_untrained_class_is_still_found_by_its_index(a_catalogue: Catalogue) -> None:
    assert a_catalogue.by_index(33).name == "Brain tumor"


def test_an_index_without_class_is_refused(a_catalogue: Catalogue) -> None:
    with pytest.raises(UnknownClassError, match="index 4"):
        a_catalogue.by_index(4)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("liver", ["Liver", "Liver Tumor", "Delivery duct"]),
        ("kid", ["Left Kidney"]),
        ("TUM", ["Liver Tumor"]),
        ("hepa", ["Liver", "Liver Tumor"]),
        ("kidnee", ["Left Kidney"]),
        ("qqq", []),
    ],
)
def test_search_ranks_equal_prefix_word_part_and_likeness(
    a_catalogue: Catalogue, text: str, expected: list[str]
) -> None:
    assert names(a_catalogue.search(text)) == expected


def test_search_for_nothing_gives_every_trained_class(a_catalogue: Catalogue) -> None:
    assert names(a_catalogue.search(" ")) == names(a_catalogue.trained)


@pytest.mark.parametrize(
    ("modality", "expected"),
    [("MR", [2, 3]), ("mri", [2, 3]), ("DX", [5]), ("x-ray", [5]), ("US", []), (None, [1, 2, 3, 5, 9])],
)
def test_classes_of_a_modality_are_found_by_its_common_names(
    a_catalogue: Catalogue, modality: str | None, expected: list[int]
) -> None:
    assert [entry.index for entry in a_catalogue.classes_for_modality(modality)] == expected


def test_a_catalogue_survives_json(a_catalogue: Catalogue) -> None:
    assert Catalogue.from_list(json.loads(json.dumps(a_catalogue.to_list()))) == a_catalogue


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"colour": "red"}, "'Spleen' has the colour 'red'"),
        ({"colour": "#12345"}, "#12345"),
        ({"snomed_code": "7896A"}, "'Spleen' has the snomed code '7896A'"),
        ({"snomed_meaning": ""}, "snomed code"),
        ({"snomed_code": "", "snomed_meaning": ""}, "'Spleen' has no SNOMED CT code"),
        ({"modifier_code": "24028007"}, "'Spleen' has the modifier code"),
        ({"index": "0"}, "'Spleen' has the index 0"),
        ({"index": "two"}, "'Spleen' has the index 'two'"),
        ({"images": "-1"}, "'Spleen' has the images '-1'"),
        ({"trained": "maybe"}, "'maybe'"),
        ({"name": " "}, "class 2 has no name"),
        ({"index": "1"}, "'Liver' and 'Spleen' have the same index 1"),
        ({"name": "LIVER"}, "share the name 'LIVER'"),
        ({"synonyms": "lien;liver"}, "share the name 'liver'"),
    ],
)
def test_a_wrong_value_in_a_class_file_is_named(
    write_rows: Callable[[list[Row]], Path], changes: Row, words: str
) -> None:
    path = write_rows([a_row(1, "Liver"), a_row(2, "Spleen") | changes])
    with pytest.raises(InputFileError) as caught:
        load_catalogue(path)
    assert words in caught.value.cause
    assert str(path) in caught.value.cause


def test_a_missing_column_is_named(write_rows: Callable[[list[Row]], Path]) -> None:
    row = a_row(1, "Liver")
    del row["colour"]
    with pytest.raises(InputFileError, match="'Liver' lacks the columns colour"):
        load_catalogue(write_rows([row]))


def test_a_missing_class_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="cannot be read"):
        load_catalogue(tmp_path / "none.csv")


def test_a_class_file_without_classes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text(",".join(COLUMNS) + "\n")
    with pytest.raises(InputFileError, match="holds no class"):
        load_catalogue(tmp_path / "empty.csv")


def test_a_file_that_is_no_text_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "noise.csv").write_bytes(bytes(range(255, 0, -1)))
    with pytest.raises(InputFileError):
        load_catalogue(tmp_path / "noise.csv")


def test_the_shipped_codes_have_right_check_digits(a_shipped_catalogue: Catalogue) -> None:
    codes = [
        code.value
        for entry in a_shipped_catalogue
        for code in (
            entry.terminology.category,
            entry.terminology.type,
            entry.terminology.modifier,
            entry.terminology.anatomy,
        )
        if code
    ]
    assert [code for code in codes if not check_digit_fits(code)] == []


def test_a_shipped_code_has_one_meaning(a_shipped_catalogue: Catalogue) -> None:
    meanings: dict[str, set[str]] = {}
    for entry in a_shipped_catalogue:
        for code in (entry.terminology.type, entry.terminology.modifier, entry.terminology.anatomy):
            if code:
                meanings.setdefault(code.value, set()).add(code.meaning)
    assert {value for value, found in meanings.items() if len(found) > 1} == set()


def test_the_small_catalogue_counts_images_of_every_class() -> None:
    assert all(entry.images >= entry.subjects > 4 for entry in load_catalogue(CLASSES / "kprism-small.csv"))


def test_the_paper_catalogue_has_28_trained_classes_and_slot_33() -> None:
    catalogue = load_catalogue(CLASSES / "kprism-paper.csv")
    assert [entry.index for entry in catalogue.trained] == list(range(1, 29))
    assert [entry.index for entry in catalogue if not entry.trained] == [33]


def test_the_shipped_terminology_file_is_what_the_command_makes(tmp_path: Path) -> None:
    write_terminology(tmp_path / NAME, [load_catalogue(CLASSES / name) for name in CATALOGUES])
    assert (CLASSES / NAME).read_text(encoding="utf-8") == (tmp_path / NAME).read_text(encoding="utf-8")


def test_sides_of_one_organ_are_modifiers_of_one_type() -> None:
    codes = terminology_document([load_catalogue(CLASSES / "kprism-paper.csv")])["SegmentationCodes"]
    kidneys = [
        kind for category in codes["Category"] for kind in category["Type"] if kind["CodeValue"] == "64033007"
    ]
    assert [modifier["CodeMeaning"] for modifier in kidneys[0]["Modifier"]] == ["Right", "Left"]
    assert len(kidneys) == 1
