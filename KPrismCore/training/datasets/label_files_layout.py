"""Cases with a mask file per label, as TotalSegmentator's data set and results have them.

s0001/ct.nii.gz   s0001/segmentations/liver.nii.gz   s0001/segmentations/spleen.nii.gz ...
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from KPrismCore.image_files import stem
from KPrismCore.training.datasets.cases import with_modality
from KPrismCore.training.datasets.content import (
    Content,
    DataCase,
    FileSet,
    Label,
    layers_of_masks,
    plain_name,
)
from KPrismCore.training.datasets.mask_files import labelmap_array
from KPrismCore.training.datasets.naming import is_image
from KPrismCore.training.datasets.sets import OpenFiles, OpenSet
from KPrismCore.training.datasets.tree import Tree
from KPrismCore.volumes import read_volume

MASK_FOLDERS = ("segmentations", "masks", "labels")
_MODALITIES = {"ct": "CT", "mri": "MR", "mr": "MR"}


@dataclass(frozen=True)
class LabelFilesCase(DataCase):
    """An image and one mask file per label; a label is named after its file."""

    image: Path
    masks: tuple[Path, ...]
    modality: str = ""

    @property
    def files(self) -> tuple[Path, ...]:
        """Image, then masks."""
        return (self.image, *self.masks)

    def read(self) -> list[Content]:
        """Read the image and every mask; errors as `DataCase.read`."""
        volume = with_modality(read_volume(self.image), self.modality)
        masks = ((_label(path), labelmap_array(path, volume.geometry) != 0) for path in self.masks)
        return [Content(volume, layers_of_masks(masks))]


class LabelFilesLayout:
    """See the module."""

    def recognises(self, tree: Tree) -> bool:
        """Whether every folder that holds images is such a case."""
        found = [_case(tree.below(name), name) for name in tree.folders]
        return any(found) and all(
            case is not None or not any(map(is_image, tree.below(name).files))
            for name, case in zip(tree.folders, found, strict=True)
        )

    def sets(self, tree: Tree) -> list[OpenSet]:
        """One set, named after the folder."""
        found = (_case(tree.below(name), name) for name in tree.folders)
        cases = tuple(case for case in found if case is not None)
        modality = cases[0].modality if len({case.modality for case in cases}) == 1 else ""
        return [OpenFiles(FileSet(plain_name(tree.name), "a mask file per label", modality, cases))]


def _label(path: Path) -> Label:
    return Label(plain_name(stem(path).replace("_", " ")))


def _case(tree: Tree, subject: str) -> LabelFilesCase | None:
    """A case's folder: one image, and a folder of masks."""
    images = [name for name in tree.here if is_image(name)]
    folder = next((name for name in MASK_FOLDERS if name in tree.folders), None)
    if len(images) != 1 or folder is None:
        return None
    below = tree.below(folder)
    masks = tuple(below.path(name) for name in below.here if is_image(name))
    modality = _MODALITIES.get(stem(Path(images[0])).lower(), "")
    return LabelFilesCase(subject, subject, tree.path(images[0]), masks, modality) if masks else None
