"""`kprism.py terminology`: make the terminology file that 3D Slicer loads from the class files.

Source of the format: Slicer's Modules/Loadable/Terminologies and dcmqi's segment-context-schema.json.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from KPrismCore.atomic import atomic_path
from KPrismCore.catalogue import Catalogue, ClassEntry, load_catalogue
from KPrismCore.errors import OutputFileError
from KPrismCore.terminology import Code

CLASSES = Path(__file__).resolve().parents[2] / "Resources" / "Classes"
CATALOGUES = ("kprism-small.csv", "kprism-paper.csv")
NAME = "KPrism.term.json"
CONTEXT = "K-Prism"
SCHEMA = "https://raw.githubusercontent.com/qiicr/dcmqi/master/doc/schemas/segment-context-schema.json#"
# categories whose types say nothing about where they are, so that Slicer asks for the anatomic region
_NEEDS_REGION = {"49755003", "85756007"}


def terminology(
    output: Annotated[
        Path, typer.Argument(help="The .json file to write; replaced if it exists.", show_default=NAME)
    ] = CLASSES / NAME,
) -> None:
    """Write the terminology file of all classes that Resources/Classes lists."""
    if output.suffix.lower() != ".json":
        # it replaces what is there, which must not be an image
        raise OutputFileError(f"{output} has an unknown ending.", "Name a file that ends in .json.")
    write_terminology(output, [load_catalogue(CLASSES / name) for name in CATALOGUES])
    print(f"Wrote {output}")


def write_terminology(path: Path, catalogues: Iterable[Catalogue]) -> None:
    """Write `terminology_document` as JSON; an existing file is replaced whole.

    Raises:
        OutputFileError: the file cannot be written.
    """
    text = json.dumps(terminology_document(catalogues), indent=2, ensure_ascii=False) + "\n"
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def terminology_document(catalogues: Iterable[Catalogue]) -> dict[str, Any]:
    """Return Slicer's terminology context: categories, their types and the types' modifiers, with colours.

    Classes that have category, type and modifier in common, such as the tumours of several organs,
    are one entry, named and coloured after the first of them.
    """
    categories: dict[Code, dict[Code, dict[Code | None, ClassEntry]]] = {}
    for catalogue in catalogues:
        for entry in catalogue:
            codes = entry.terminology
            types = categories.setdefault(codes.category, {})
            types.setdefault(codes.type, {}).setdefault(codes.modifier, entry)
    return {
        "SegmentationCategoryTypeContextName": CONTEXT,
        "@schema": SCHEMA,
        "SegmentationCodes": {"Category": [_category(code, types) for code, types in categories.items()]},
    }


def _category(code: Code, types: dict[Code, dict[Code | None, ClassEntry]]) -> dict[str, Any]:
    return {
        **_coded(code),
        "showAnatomy": code.value in _NEEDS_REGION,
        "Type": [_type(kind, by_modifier) for kind, by_modifier in types.items()],
    }


def _type(code: Code, by_modifier: dict[Code | None, ClassEntry]) -> dict[str, Any]:
    modifiers = [
        {**_coded(modifier), **_display(entry)} for modifier, entry in by_modifier.items() if modifier
    ]
    plain = by_modifier.get(None)
    return {
        **_coded(code),
        # a type that is only known with a modifier still needs a colour of its own
        **_display(plain or next(iter(by_modifier.values())), named=plain is not None),
        **({"Modifier": modifiers} if modifiers else {}),
    }


def _coded(code: Code) -> dict[str, str]:
    return {"CodeMeaning": code.meaning, "CodingSchemeDesignator": code.scheme, "CodeValue": code.value}


def _display(entry: ClassEntry, *, named: bool = True) -> dict[str, Any]:
    colour = {"recommendedDisplayRGBValue": list(bytes.fromhex(entry.colour.lstrip("#")))}
    return colour | {"3dSlicerLabel": entry.name} if named else colour


if __name__ == "__main__":
    typer.run(terminology)
