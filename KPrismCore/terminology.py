"""What a segment is, in codes: the part of DICOM's and 3D Slicer's terminology that segments carry."""

from __future__ import annotations

from dataclasses import dataclass

SLICER_CONTEXT = "Segmentation category and type - 3D Slicer General Anatomy list"
SLICER_ANATOMY_CONTEXT = "Anatomic codes - DICOM master list"

# they separate the fields of Slicer's entry string, and the tags of a segment from one another
_SEPARATORS = str.maketrans(dict.fromkeys("~^|\n\r", " "))


@dataclass(frozen=True)
class Code:
    """One coded concept: scheme such as SCT (SNOMED CT), code value and its meaning in words."""

    value: str
    meaning: str
    scheme: str = "SCT"

    def __str__(self) -> str:
        return "^".join(part.translate(_SEPARATORS) for part in (self.scheme, self.value, self.meaning))


@dataclass(frozen=True)
class Terminology:
    """Codes of a segment.

    Args:
        category: such as Anatomical Structure.
        type: such as Liver, or Neoplasm.
        modifier: of the type, such as Left; or None.
        anatomy: where a type that is no organ lies, such as Breast for a Neoplasm; or None.
    """

    category: Code
    type: Code
    modifier: Code | None = None
    anatomy: Code | None = None

    def entry_string(self) -> str:
        """Return the value of Slicer's segment tag `TerminologyEntry`: seven fields with ~ between them."""
        parts = [SLICER_CONTEXT, self.category, self.type, self.modifier or "^^"]
        parts += [SLICER_ANATOMY_CONTEXT, self.anatomy or "^^", "^^"]
        return "~".join(str(part) for part in parts)


TISSUE = Code("85756007", "Tissue")
# what Slicer gives a segment of which nothing is known
UNSPECIFIED = Terminology(TISSUE, TISSUE)
