"""DICOM: an image series and segmentation objects (SEG) made on it, each case in a folder of its own.

The series and the SEG may lie in one folder or in folders of their own within the case's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError

from KPrismCore.dicom import NOT_IMAGES
from KPrismCore.errors import TrainingDataError
from KPrismCore.image_files import is_dicom
from KPrismCore.training.datasets.content import Content, DataCase, FileSet, plain_name
from KPrismCore.training.datasets.dicom_seg import dicom_segment_layers
from KPrismCore.training.datasets.sets import OpenFiles, OpenSet
from KPrismCore.training.datasets.tree import Tree
from KPrismCore.volumes import read_volume

SEGMENTATION = "SEG"
# files of a scanner often end in a number, that of the instance
_SUFFIX = re.compile(r"|\.dcm|\.dicom|\.ima|\.\d+")


@dataclass(frozen=True)
class DicomCase(DataCase):
    """A folder with one image series, and a SEG file made on it."""

    series: Path
    segmentation: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """The series' folder and the SEG file."""
        return self.series, self.segmentation

    def read(self) -> list[Content]:
        """Read both; errors as `DataCase.read`."""
        volume = read_volume(self.series)
        return [Content(volume, dicom_segment_layers(self.segmentation, volume))]


@dataclass(frozen=True)
class _Header:
    file: str
    modality: str
    patient: str


class DicomLayout:
    """See the module."""

    def recognises(self, tree: Tree) -> bool:
        """Whether DICOM files are here, or in every folder here, and a SEG is among them."""
        places = [tree] if _candidates(tree.here) else [tree.below(name) for name in tree.folders]
        return bool(places) and all(map(_begins_with_dicom, places)) and _has_segmentation(tree)

    def sets(self, tree: Tree) -> list[OpenSet]:
        """One set, named after the folder.

        Raises:
            TrainingDataError: a segmentation object has no series, or may belong to several.
        """
        headers = list(_headers(tree))
        cases = [_case(tree, header, headers) for header in headers if header.modality == SEGMENTATION]
        return [OpenFiles(FileSet(plain_name(tree.name), "DICOM series and SEG", "", tuple(cases)))]


def _case(tree: Tree, segmentation: _Header, headers: list[_Header]) -> DicomCase:
    """Pair a SEG with the series in its folder, or in the nearest folder around it."""
    # a damaged file has no modality, and is named when its series is read
    folders = sorted({_folder(one.file) for one in headers if one.modality not in NOT_IMAGES - {""}})
    place = _folder(segmentation.file)
    while True:
        inside = [one for one in folders if one == place or not place or one.startswith(f"{place}/")]
        if inside:
            break
        if not place:
            raise TrainingDataError(
                f"{segmentation.file} in {tree.folder} has no image series.", "Put it beside its series."
            )
        place = _folder(place)
    if len(inside) > 1 and place not in inside:
        raise TrainingDataError(
            f"{segmentation.file} in {tree.folder} may belong to any of {', '.join(inside)}.",
            "Put each case into a folder of its own.",
        )
    series = place if place in inside else inside[0]
    # reports and tables name subjects, so the patient's identifier itself is not kept
    subject = hashlib.sha256(segmentation.patient.encode()).hexdigest()[:8] if segmentation.patient else ""
    return DicomCase(
        subject or place or tree.name, segmentation.file, tree.path(series) if series else tree.folder,
        tree.path(segmentation.file),
    )  # fmt: skip


def _candidates(names: Sequence[str]) -> list[str]:
    """Files that may be DICOM: those without the ending of another kind of image or of text."""
    return [name for name in names if _SUFFIX.fullmatch(Path(name).suffix.lower())]


def _begins_with_dicom(tree: Tree) -> bool:
    first = _candidates(tree.files)[:1]
    return bool(first) and is_dicom(tree.path(first[0]))


def _has_segmentation(tree: Tree) -> bool:
    return any(header.modality == SEGMENTATION for header in _headers(tree))


@lru_cache(maxsize=1)
def _headers(tree: Tree) -> tuple[_Header, ...]:
    found = (_header(tree, name) for name in _candidates(tree.files))
    return tuple(header for header in found if header is not None)


def _header(tree: Tree, name: str) -> _Header | None:
    path = tree.path(name)
    if not is_dicom(path):
        return None
    try:
        tags = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["Modality", "PatientID"])
    except (InvalidDicomError, OSError, ValueError, KeyError):
        return _Header(name, "", "")
    return _Header(name, str(tags.get("Modality", "")), str(tags.get("PatientID", "")))


def _folder(name: str) -> str:
    return name.rpartition("/")[0]
