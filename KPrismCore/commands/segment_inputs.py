"""What the user wrote on the command line of `segment`, checked and turned into values."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from KPrismCore.dicom import modality_name
from KPrismCore.errors import InputFileError, OutputFileError, PromptError
from KPrismCore.geometry import VolumeGeometry
from KPrismCore.labelmaps import LABELMAP_ENDINGS, SEGMENTATION_ENDING
from KPrismCore.modalities import GROUPS
from KPrismCore.preprocess import Range
from KPrismCore.slices import SlicePlane, number_of_slices

_MODALITIES = {
    **{name.casefold(): name for name in ("CT", "MR", "US", "XR", "PT", "NM", "OCT")},
    # as `info` calls them; some have a code above
    **{name: name for name in GROUPS if name.islower()},
    **{"mri": "MR", "x-ray": "XR", "xray": "XR", "ultrasound": "US", "pet": "PT", "octa": "OCT"},
}


@dataclass(frozen=True)
class VoxelClick:
    """A click at a voxel (i, j, k) IJK."""

    ijk: tuple[float, float, float]
    positive: bool


@dataclass(frozen=True)
class ReferenceSource:
    """Files of a reference: an image and a segmentation of it; the segment's name, ID or label if given."""

    volume: Path
    segmentation: Path
    segment: str | None


def parse_click(text: str) -> VoxelClick:
    """Read 'I,J,K,+' or 'I,J,K,-'; without a sign it is positive.

    Raises:
        PromptError: it is nothing of the kind.
    """
    parts = [part.strip() for part in text.split(",")]
    sign = parts.pop() if len(parts) == 4 else "+"
    try:
        i, j, k = (float(part) for part in parts)
    except ValueError:
        sign = ""
    if sign not in ("+", "-"):
        raise PromptError(f"'{text}' is not a click.", "Write a voxel and a sign: I,J,K,+ or I,J,K,-.")
    return VoxelClick((i, j, k), sign == "+")


def parse_reference(text: str) -> ReferenceSource:
    """Read 'VOLUME=SEGMENTATION' or 'VOLUME=SEGMENTATION:SEGMENT'; paths may hold = and : themselves.

    Raises:
        InputFileError: a file is missing.
        PromptError: it is nothing of the kind.
    """
    if "=" not in text:
        raise PromptError(
            f"'{text}' is not a reference.", "Write VOLUME=SEGMENTATION or VOLUME=SEGMENTATION:SEGMENT."
        )
    splits = [(text[: at.start()], text[at.end() :]) for at in re.finditer("=", text)]
    for volume, rest in splits:
        found = _segmentation(rest)
        if found and _exists(volume):
            return ReferenceSource(Path(volume), *found)
    volume, rest = splits[0]
    missing = rest if _exists(volume) else volume
    if missing and Path(missing.rpartition(":")[0] or missing).is_dir():
        raise InputFileError(f"The reference's segmentation {missing} is a folder.", "Name a file in it.")
    raise InputFileError(f"The reference's file {missing} does not exist.", "Check the path.")


def parse_window(text: str | None) -> Range | None:
    """Read 'LOW,HIGH'.

    Raises:
        PromptError: it is not two finite numbers of which the first is lower.
    """
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low, high = 0.0, 0.0
    if not (low < high and math.isfinite(high - low)):
        raise PromptError(f"'{text}' is not a window.", "Write the lowest and the highest value: LOW,HIGH.")
    return low, high


def parse_modality(text: str | None) -> str | None:
    """Read a modality: the names used here, DICOM's codes, and everyday ones.

    Raises:
        PromptError: there is no such modality.
    """
    if text is None:
        return None
    known = _MODALITIES.get(text.casefold()) or _MODALITIES.get(
        (modality_name(text.upper()) or "").casefold()
    )
    if known is None:
        names = ", ".join(dict.fromkeys(_MODALITIES.values()))
        raise PromptError(f"'{text}' is not a modality.", f"Choose one of {names}.")
    return known


def parse_slices(text: str | None, geometry: VolumeGeometry, kind: str) -> list[SlicePlane]:
    """Read 'FIRST:LAST', both included and counted from 0 in stored order; all slices for None.

    Raises:
        PromptError: it is nothing of the kind, or there are no such slices.
        GeometryError: no such kind of slice.
    """
    count = number_of_slices(geometry, kind)
    match = re.fullmatch(r"(\d*):(\d*)|(\d+)", (text or ":").strip())
    numbers = [int(part) if part else None for part in match.groups()] if match else [1, 0, None]
    first, last = (numbers[2], numbers[2]) if numbers[2] is not None else (numbers[0] or 0, numbers[1])
    last = count - 1 if last is None else last
    if not 0 <= first <= last < count:
        raise PromptError(
            f"'{text}' are no slices of this volume.",
            f"Write FIRST:LAST, both included; its {kind} slices are 0:{count - 1}.",
        )
    return [SlicePlane(geometry, kind, index) for index in range(first, last + 1)]


def check_output(target: Path, overwrite: bool, inputs: Sequence[Path]) -> None:
    """Check, before anything is computed, that the result can be written.

    Raises:
        OutputFileError: unknown ending, existing file, no permission, or it would replace an input.
    """
    endings = (SEGMENTATION_ENDING, *LABELMAP_ENDINGS)
    ending = next((one for one in endings if target.name.endswith(one)), None)
    if ending is None or target.name == ending:
        raise OutputFileError(
            f"'{target}' does not end like a segmentation file.",
            f"Use one of the endings {', '.join(endings)}.",
        )
    written = [target]
    if ending != SEGMENTATION_ENDING:
        written.append(target.with_name(target.name[: -len(ending)] + ".ctbl"))
    for path in written:
        if path.exists() and not overwrite:
            raise OutputFileError(f"{path} already exists.", "Choose another name, or add --overwrite.")
        if path.is_dir():
            raise OutputFileError(f"{path} is a folder.", "Choose the name of a file.")
        if any(one.exists() and path.exists() and path.samefile(one) for one in inputs):
            raise OutputFileError(f"{path} is one of the inputs.", "Choose another name.")
    folder = next(parent for parent in target.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise OutputFileError(f"{folder} cannot be written to.", "Choose a folder you may write to.")


def _segmentation(text: str) -> tuple[Path, str | None] | None:
    """Split 'FILE[:SEGMENT]' at a colon that leaves a file; None where there is none."""
    if Path(text).is_file():
        return Path(text), None
    for colon in re.finditer(":", text):
        if Path(text[: colon.start()]).is_file():
            return Path(text[: colon.start()]), text[colon.end() :]
    return None


def _exists(volume: str) -> bool:
    # FOLDER#SERIES chooses one of several DICOM series
    return bool(volume) and (Path(volume).exists() or Path(volume.rpartition("#")[0] or "?").is_dir())
