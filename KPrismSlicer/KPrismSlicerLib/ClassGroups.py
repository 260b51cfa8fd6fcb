"""How the classes of a model are grouped for reading: by body region or by modality. No Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from KPrismCore.catalogue import ClassEntry
from KPrismCore.modalities import modality_key

BY_REGION, BY_MODALITY = "region", "modality"


@dataclass(frozen=True)
class ClassGroup:
    """Classes under a heading.

    Args:
        title: region or modality, as the class file writes it.
        entries: in the order they were given.
        fits: whether one of them was trained on the image's modality, or that is not known.
    """

    title: str
    entries: tuple[ClassEntry, ...]
    fits: bool


def groupClasses(entries: Sequence[ClassEntry], by: str, modality: str | None) -> list[ClassGroup]:
    """Group classes; one of several regions or modalities is found under each.

    Groups for the image's modality come first; otherwise they keep the order of the entries, so that the
    best match of a search leads.

    Args:
        entries: best first.
        by: `BY_REGION` or `BY_MODALITY`.
        modality: of the image; None where it is not known.
    """
    found: dict[str, list[ClassEntry]] = {}
    for entry in entries:
        for title in getattr(entry, by) or ("",):
            found.setdefault(title, []).append(entry)
    groups = [
        ClassGroup(title, tuple(members), _fits(title, members, by, modality))
        for title, members in found.items()
    ]
    return sorted(groups, key=lambda group: not group.fits)


def suits(entry: ClassEntry, modality: str | None) -> bool:
    """Whether a class was trained on images of a modality; True where that is not known."""
    return not modality or modality_key(modality) in map(modality_key, entry.modality)


def _fits(title: str, members: Sequence[ClassEntry], by: str, modality: str | None) -> bool:
    if by == BY_MODALITY:
        return not modality or modality_key(title) == modality_key(modality)
    return any(suits(entry, modality) for entry in members)
