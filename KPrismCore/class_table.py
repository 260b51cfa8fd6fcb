"""One class of a catalogue, and how it is written as a row of a class file or of a checkpoint's metadata."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from KPrismCore.errors import InputFileError
from KPrismCore.terminology import Code, Terminology

COLUMNS = (
    "index", "name", "synonyms", "region", "modality", "plane", "snomed_code", "snomed_meaning",
    "modifier_code", "modifier_meaning", "anatomy_code", "anatomy_meaning", "category_code",
    "category_meaning", "colour", "window", "sources", "images", "subjects", "trained",
)  # fmt: skip
REMEDY = "Correct the class file; Resources/Classes/kprism-small.csv shows the columns."


@dataclass(frozen=True)
class ClassEntry:
    """One class.

    Args:
        index: query slot of the network, from 1.
        name: unique within the catalogue.
        synonyms: other names; no two classes share one.
        region: body regions, in words.
        modality: modalities of the training images, such as CT, MR, X-ray.
        plane: planes of the training images, such as axial; "any" where planes have no meaning.
        terminology: SNOMED CT codes.
        colour: #rrggbb.
        window: Slicer's CT display preset that suits the class, or empty.
        sources: `set:label` of the training data.
        images: number of training images that show it; 0 where it is not known.
        subjects: number of patients they come from; 0 where it is not known.
        trained: False for a slot that was never trained; it cannot be asked for by name.
    """

    index: int
    name: str
    synonyms: tuple[str, ...]
    region: tuple[str, ...]
    modality: tuple[str, ...]
    plane: tuple[str, ...]
    terminology: Terminology
    colour: str
    window: str = ""
    sources: tuple[str, ...] = ()
    images: int = 0
    subjects: int = 0
    trained: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """The name, then the synonyms."""
        return (self.name, *self.synonyms)

    def to_row(self) -> dict[str, str]:
        """Return the columns of a class file, all as text."""
        codes = self.terminology
        row = {
            "index": str(self.index), "name": self.name, "colour": self.colour, "window": self.window,
            "images": str(self.images), "subjects": str(self.subjects),
            "trained": "yes" if self.trained else "no",
        }  # fmt: skip
        for column in ("synonyms", "region", "modality", "plane", "sources"):
            row[column] = ";".join(getattr(self, column))
        for prefix, code in (
            ("snomed", codes.type), ("modifier", codes.modifier), ("anatomy", codes.anatomy),
            ("category", codes.category),
        ):  # fmt: skip
            row[f"{prefix}_code"], row[f"{prefix}_meaning"] = (code.value, code.meaning) if code else ("", "")
        return {column: row[column] for column in COLUMNS}


def entry_from_row(row: Mapping[str, str]) -> ClassEntry:
    """Build a class from the columns of a class file.

    Raises:
        InputFileError: a column is missing or a value is wrong; the cause names the class and the value.
    """
    missing = [column for column in COLUMNS if not isinstance(row.get(column), str)]
    if missing:
        label = row.get("name") or row.get("index") or "?"
        raise broken(f"the class '{label}' lacks the columns {', '.join(missing)}")
    name = row["name"].strip()
    if not any(character.isalnum() for character in name):
        raise broken(f"the class {row['index']} has no name")
    index = _number(name, "index", row["index"])
    if index < 1:
        raise broken(f"the class '{name}' has the index {index}, which is not 1 or more")
    kind, category = _code(name, "snomed", row), _code(name, "category", row)
    if kind is None or category is None:
        raise broken(f"the class '{name}' has no SNOMED CT code or no category")
    return ClassEntry(
        index=index,
        name=name,
        synonyms=_parts(row["synonyms"]),
        region=_parts(row["region"]),
        modality=_parts(row["modality"]),
        plane=_parts(row["plane"]),
        terminology=Terminology(category, kind, _code(name, "modifier", row), _code(name, "anatomy", row)),
        colour=_colour(name, row["colour"]),
        window=row["window"].strip(),
        sources=_parts(row["sources"]),
        images=_number(name, "images", row["images"] or "0"),
        subjects=_number(name, "subjects", row["subjects"] or "0"),
        trained=_yes(name, row["trained"]),
    )


def broken(cause: str) -> InputFileError:
    """Return the error of a class file with a wrong value."""
    return InputFileError(f"The class file is broken: {cause}.", REMEDY)


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(";") if part.strip())


def _number(name: str, column: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]+", text.strip()):
        raise broken(f"the class '{name}' has the {column} '{text}', which is not a whole number")
    return int(text)


def _colour(name: str, text: str) -> str:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text.strip()):
        raise broken(f"the class '{name}' has the colour '{text}', which is not of the form #rrggbb")
    return text.strip().lower()


def _yes(name: str, text: str) -> bool:
    if text not in ("yes", "no"):
        raise broken(f"the class '{name}' has '{text}' in the column trained, which is neither yes nor no")
    return text == "yes"


def _code(name: str, prefix: str, row: Mapping[str, str]) -> Code | None:
    value, meaning = row[f"{prefix}_code"].strip(), row[f"{prefix}_meaning"].strip()
    if not value and not meaning:
        return None
    # SNOMED CT identifiers have 6 to 18 digits
    if not re.fullmatch(r"[0-9]{6,18}", value) or not meaning:
        raise broken(
            f"the class '{name}' has the {prefix} code '{value}' ({meaning}), which is not a SNOMED CT code"
        )
    return Code(value, meaning)
