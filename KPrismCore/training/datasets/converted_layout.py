"""The layout of the K-Prism authors: <SET>/Data/{train,test}/{image,annotations}, masks end in `_gt`.

Their values are 0 to 255 whatever the modality. Their label values are the sources in
Resources/Classes/kprism-paper.csv. Source: spec section 14.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from KPrismCore.catalogue import load_catalogue
from KPrismCore.training.datasets.cases import FileCase
from KPrismCore.training.datasets.content import FileSet, Label, plain_name
from KPrismCore.training.datasets.naming import subject_of
from KPrismCore.training.datasets.published_layout import published_sets
from KPrismCore.training.datasets.sets import OpenFiles, OpenSet
from KPrismCore.training.datasets.tree import Tree

CLASSES = Path(__file__).resolve().parents[3] / "Resources" / "Classes" / "kprism-paper.csv"
EIGHT_BIT = (0.0, 255.0)
_IMAGE = re.compile(r"Data/(train|test)/image/(?P<id>.+?)(?P<ending>\.nii\.gz|\.png)")


class ConvertedLayout:
    """See the module. Both parts are taken; which patients are measured is decided by the split here."""

    def recognises(self, tree: Tree) -> bool:
        """Whether any image has a mask."""
        return any(_mask(name) in tree.file_set for name in tree.files if _IMAGE.fullmatch(name))

    def sets(self, tree: Tree) -> list[OpenSet]:
        """One set, named after the folder."""
        labels, modality = paper_labels(tree.name)
        cases = []
        for name in tree.files:
            found = _IMAGE.fullmatch(name)
            if found and _mask(name) in tree.file_set:
                cases.append(
                    FileCase(
                        subject=subject_of(found["id"]),
                        name=name,
                        image=tree.path(name),
                        masks=(tree.path(_mask(name)),),
                        labels=labels,
                        modality=modality,
                        value_range=EIGHT_BIT,
                    )
                )
        files = FileSet(plain_name(tree.name), "converted by the authors", modality, tuple(cases))
        return [OpenFiles(files)]


@lru_cache(maxsize=32)
def paper_labels(set_name: str) -> tuple[tuple[Label, ...], str]:
    """Labels that the paper takes from a set, and the modalities of that set; none for an unknown one."""
    labels: list[Label] = []
    modalities: list[str] = []
    for entry in load_catalogue(CLASSES):
        for source in entry.sources:
            name, _, value = source.partition(":")
            if name == set_name:
                labels.append(Label(plain_name(entry.name), (int(value),), int(value)))
                modalities += entry.modality
    told = next((one.modality for one in published_sets() if one.name == set_name), None)
    return tuple(labels), told or " or ".join(dict.fromkeys(modalities))


def _mask(name: str) -> str:
    return _IMAGE.sub(r"Data/\1/annotations/\g<id>_gt\g<ending>", name)
