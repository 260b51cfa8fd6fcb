"""Writes the segments of a case to files: a segmentation, or labelmaps with a colour table."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from KPrismCore.errors import OutputFileError
from KPrismCore.labelmaps import SEGMENTATION_ENDING, Segment, write_segmentation
from KPrismSlicerLib.Grids import gridOf
from KPrismSlicerLib.NodeReading import readSegment
from KPrismSlicerLib.Protection import readTag, segmentOf
from KPrismSlicerLib.SegmentLayers import segmentIds
from KPrismSlicerLib.Terminologies import hexFromColour, terminologyOf

SEGMENTATION = "seg.nrrd"
FORMATS = (SEGMENTATION, "nrrd", "nii.gz")
# an image of the same name may lie in the folder; Slicer loads files with this ending as labelmaps
_LABEL = "-label"
_TABLE = ".ctbl"
# names that Windows keeps for devices
_DEVICES = re.compile(r"(?i)^(con|prn|aux|nul|com\d|lpt\d)(?=\.|$)")
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]+')
_LONGEST = 120
# of 255 that a name may have: endings, and those of files that are being written, come to it
_LONGEST_BYTES = 200


@dataclass(frozen=True)
class CaseExport:
    """What was written.

    Args:
        paths: the files.
        warnings: what is not whole in them: a labelmap keeps one segment where several overlap.
    """

    paths: tuple[Path, ...]
    warnings: tuple[str, ...] = ()


def exportPaths(
    segmentationNode: Any,
    volumeNode: Any,
    folder: str | os.PathLike[str],
    formats: Iterable[str],
    segments: Sequence[str] | None = None,
) -> list[Path]:
    """The files that an export would write, to ask about those that exist.

    Names come from the case, that is the image; one segment alone adds its name.

    Raises:
        OutputFileError: an unknown format, or there is nothing to export.
    """
    stem = _stem(segmentationNode, volumeNode, _chosen(segmentationNode, segments))
    labelmaps = []
    paths = []
    for kind in _known(formats):
        if kind == SEGMENTATION:
            paths.append(stem + SEGMENTATION_ENDING)
        else:
            labelmaps.append(f"{stem}{_LABEL}.{kind}")
    tables = [f"{stem}{_LABEL}{_TABLE}"] if labelmaps else []
    return [Path(folder) / name for name in (*paths, *labelmaps, *tables)]


def exportCase(
    segmentationNode: Any,
    volumeNode: Any,
    folder: str | os.PathLike[str],
    formats: Iterable[str],
    overwrite: bool = False,
    segments: Sequence[str] | None = None,
) -> list[Path]:
    """Give the files that `writeCase` writes."""
    return list(writeCase(segmentationNode, volumeNode, folder, formats, overwrite, segments).paths)


def writeCase(
    segmentationNode: Any,
    volumeNode: Any,
    folder: str | os.PathLike[str],
    formats: Iterable[str],
    overwrite: bool = False,
    segments: Sequence[str] | None = None,
) -> CaseExport:
    """Write segments on the image's grid; each file is complete or not there.

    The grid is that of the image's file: transforms that both are under are not in it.

    Args:
        segmentationNode: the segmentation.
        volumeNode: the image.
        folder: made if it is not there.
        formats: of `FORMATS`.
        overwrite: replace existing files.
        segments: ids of the segments to write; None for all.

    Raises:
        OutputFileError: unknown format, nothing to export, an existing file, or one that cannot be written.
        GeometryError: a transform is not linear.
    """
    kinds = _known(formats)
    paths = exportPaths(segmentationNode, volumeNode, folder, kinds, segments)
    found = existing(paths)
    if found and not overwrite:
        raise OutputFileError(
            _("{files} already exists.").format(files=", ".join(path.name for path in found)),
            _("Choose another folder, or allow overwriting."),
        )
    geometry = gridOf(volumeNode, inWorld=False)
    masks = [_read(segmentationNode, one, volumeNode) for one in _chosen(segmentationNode, segments)]
    warnings: list[str] = []
    for path in paths:
        if path.name.endswith(_TABLE):
            continue
        # what may be overwritten was asked above; two labelmaps share one colour table
        written = write_segmentation(path, masks, geometry, overwrite=True)
        warnings += [one for one in written.warnings if one not in warnings]
    return CaseExport(tuple(paths), tuple(warnings))


def existing(paths: Iterable[Path]) -> list[Path]:
    """Those of some files that are there already.

    Raises:
        OutputFileError: the system does not take such a path, for example as it is too long.
    """
    try:
        return [path for path in paths if path.exists()]
    except (OSError, ValueError) as error:
        raise OutputFileError(
            _("The files cannot be written there: {reason}.").format(
                reason=getattr(error, "strerror", None) or error
            ),
            _("Choose another folder."),
        ) from error


def safeName(text: str) -> str:
    """A name that every system takes as part of a file name; never empty."""
    name = _FORBIDDEN.sub("_", " ".join(text.split()))[:_LONGEST]
    # systems count bytes, and letters of other scripts take several
    name = name.encode("utf-8", "ignore")[:_LONGEST_BYTES].decode("utf-8", "ignore").strip(" .")
    return _DEVICES.sub(r"\1_", name) or "case"


def _known(formats: Iterable[str]) -> list[str]:
    wanted = {kind.lstrip(".") for kind in formats}
    if not wanted or wanted - set(FORMATS):
        raise OutputFileError(
            _("'{formats}' is no format to export to.").format(formats=", ".join(sorted(wanted))),
            _("Choose some of {formats}.").format(formats=", ".join(FORMATS)),
        )
    return [kind for kind in FORMATS if kind in wanted]


def _chosen(segmentationNode: Any, segments: Sequence[str] | None) -> list[str]:
    everything = segmentIds(segmentationNode.GetSegmentation())
    chosen = everything if segments is None else list(segments)
    if not chosen:
        raise OutputFileError(
            _("'{name}' has no segment to export.").format(name=segmentationNode.GetName()),
            _("Make a segment first."),
        )
    return chosen


def _stem(segmentationNode: Any, volumeNode: Any, chosen: Sequence[str]) -> str:
    case = safeName(volumeNode.GetName() or "")
    if len(chosen) > 1:
        return case
    return safeName(f"{case}_{segmentOf(segmentationNode, chosen[0]).GetName()}")


def _read(segmentationNode: Any, segmentId: str, volumeNode: Any) -> Segment:
    segment = segmentOf(segmentationNode, segmentId)
    return Segment(
        segment.GetName(),
        readSegment(segmentationNode, segmentId, volumeNode),
        hexFromColour(segment.GetColor()),
        terminologyOf(segmentationNode, segmentId),
        readTag(segment, slicer.vtkSlicerSegmentationsModuleLogic.GetStatusTagName()),
    )
