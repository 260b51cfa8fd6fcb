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
from KPrismCore.errors import GeometryError, ImageContentError, TrainingDataError
from KPrismCore.image_files import is_dicom
from KPrismCore.training.datasets.cases import UnusableCase
from KPrismCore.training.datasets.content import Content, DataCase, FileSet, plain_name
from KPrismCore.training.datasets.dicom_seg import dicom_segment_layers
from KPrismCore.training.datasets.naming import is_note
from KPrismCore.training.datasets.sets import OpenFiles, OpenSet
from KPrismCore.training.datasets.tree import Tree
from KPrismCore.volumes import read_volume

SEGMENTATION = "SEG"
_TAGS = ["Modality", "PatientID", "SeriesInstanceUID", "ReferencedSeriesSequence"]
# files of a scanner often end in a number, that of the instance
_SUFFIX = re.compile(r"|\.dcm|\.dicom|\.ima|\.\d+")


@dataclass(frozen=True)
class DicomCase(DataCase):
    """A folder with an image series, and a SEG file made on it; `uid` says which of several series it is."""

    series: Path
    segmentation: Path
    uid: str = ""

    @property
    def files(self) -> tuple[Path, ...]:
        """The series' folder and the SEG file."""
        return self.series, self.segmentation

    def read(self) -> list[Content]:
        """Read both; errors as `DataCase.read`."""
        try:
            volume = read_volume(f"{self.series}#{self.uid}" if self.uid else self.series)
        except (GeometryError, ImageContentError) as error:
            # these name slices only, of which every patient has some of the same names
            raise type(error)(f"{self.series}: {error.cause}", error.remedy) from error
        return [Content(volume, dicom_segment_layers(self.segmentation, volume))]


@dataclass(frozen=True)
class _Header:
    file: str
    modality: str
    patient: str
    series: str = ""
    refers_to: str = ""


class DicomLayout:
    """See the module."""

    def recognises(self, tree: Tree) -> bool:
        """Whether DICOM files, a SEG among them, are here or in every folder here but those of notes."""
        if not _has_dicom(tree, tree.here):
            below = [tree.below(name) for name in tree.folders]
            others = [one for one in below if not _has_dicom(one, one.files)]
            if len(others) == len(below) or not all(is_note(name) for one in others for name in one.files):
                return False
        return _has_segmentation(tree)

    def sets(self, tree: Tree) -> list[OpenSet]:
        """One set, named after the folder."""
        headers = list(_headers(tree))
        cases = [_usable(tree, header, headers) for header in headers if header.modality == SEGMENTATION]
        return [OpenFiles(FileSet(plain_name(tree.name), "DICOM series and SEG", "", tuple(cases)))]


def _usable(tree: Tree, segmentation: _Header, headers: list[_Header]) -> DataCase:
    try:
        return _case(tree, segmentation, headers)
    except TrainingDataError as error:
        return UnusableCase(segmentation.file, segmentation.file, error.cause, error.remedy)


def _case(tree: Tree, segmentation: _Header, headers: list[_Header]) -> DicomCase:
    """Pair a SEG with the series that it names, else in its folder, or in the nearest folder around it."""
    # a damaged file has no modality, and is named when its series is read
    images = [one for one in headers if one.modality not in NOT_IMAGES - {""}]
    named = [one for one in images if one.series and one.series == segmentation.refers_to]
    folders = sorted({_folder(one.file) for one in named or images})
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
    several = len({one.series for one in images if _folder(one.file) == series}) > 1
    if several and not named:
        raise TrainingDataError(
            f"{segmentation.file} in {tree.folder} names none of the series beside it.",
            "Put each series and what was made on it into a folder of its own.",
        )
    return DicomCase(
        subject or place or tree.name, segmentation.file, tree.path(series) if series else tree.folder,
        tree.path(segmentation.file), segmentation.refers_to if named and several else "",
    )  # fmt: skip


def _candidates(names: Sequence[str]) -> list[str]:
    """Files that may be DICOM: those without the ending of another kind of image or of text."""
    return [name for name in names if _SUFFIX.fullmatch(Path(name).suffix.lower())]


def _has_dicom(tree: Tree, names: Sequence[str]) -> bool:
    """Whether any of the files is; licences and notes without an ending may lie beside them."""
    return any(_is_dicom(tree.path(name)) for name in _candidates(names))


def _is_dicom(path: Path) -> bool:
    """Whether a file is; not what cannot be read, as a link to nothing, which is named where it is needed."""
    try:
        return is_dicom(path)
    except OSError:
        return False


def _has_segmentation(tree: Tree) -> bool:
    return any(header.modality == SEGMENTATION for header in _headers(tree))


@lru_cache(maxsize=1)
def _headers(tree: Tree) -> tuple[_Header, ...]:
    found = (_header(tree, name) for name in _candidates(tree.files))
    return tuple(header for header in found if header is not None)


def _header(tree: Tree, name: str) -> _Header | None:
    path = tree.path(name)
    if not _is_dicom(path):
        return None
    try:
        tags = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
    except (InvalidDicomError, OSError, ValueError, KeyError):
        return _Header(name, "", "")
    referred = tags.get("ReferencedSeriesSequence") or []
    uid = str(referred[0].get("SeriesInstanceUID", "")) if len(referred) == 1 else ""
    modality, patient, series = (str(tags.get(key, "")) for key in _TAGS[:3])
    return _Header(name, modality, patient, series, uid)


def _folder(name: str) -> str:
    return name.rpartition("/")[0]
