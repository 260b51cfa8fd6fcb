"""Writes segments: as a Slicer segmentation (.seg.nrrd) or as a labelmap with a colour table beside it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from KPrismCore.atomic import atomic_path
from KPrismCore.class_table import ClassEntry
from KPrismCore.errors import GeometryError, InputFileError, OutputFileError
from KPrismCore.geometry import VolumeGeometry
from KPrismCore.integrity import check_complete
from KPrismCore.nrrd import write_nrrd
from KPrismCore.terminology import UNSPECIFIED, Terminology

BoolArray = NDArray[np.bool_]
LabelArray = NDArray[np.unsignedinteger]

SEGMENTATION_ENDING = ".seg.nrrd"
LABELMAP_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha")
MAX_SEGMENTS = np.iinfo(np.uint16).max
# shift that a format may cause, in voxels; NIfTI keeps its matrix in 32 bits
GRID_TOLERANCE = 0.01


@dataclass(frozen=True, eq=False)
class Segment:
    """One structure to write.

    Args:
        name: shown to the user; need not be unique.
        mask: KJI, on the grid it is written with; anything but bool is taken as "not zero".
        colour: #rrggbb.
        terminology: codes of category, type, modifier and anatomy.
        status: Slicer's segment status: "", notstarted, inprogress, completed or flagged.
    """

    name: str
    mask: BoolArray
    colour: str = "#80ae80"
    terminology: Terminology = UNSPECIFIED
    status: str = ""

    @classmethod
    def of_class(cls, entry: ClassEntry, mask: BoolArray, status: str = "") -> Segment:
        """Build from a catalogue class: its name, colour and codes."""
        return cls(entry.name, mask, entry.colour, entry.terminology, status)

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Red, green, blue, 0 to 255."""
        red, green, blue = bytes.fromhex(self.colour.lstrip("#"))
        return red, green, blue


@dataclass(frozen=True)
class WrittenSegmentation:
    """What was written.

    Args:
        path: the file.
        colour_table: the colour table beside a labelmap, or None.
        layers: number of layers in a .seg.nrrd; 1 for a labelmap.
        lost: for a labelmap, (segment name, its voxels that a later segment took), where there are any.
    """

    path: Path
    colour_table: Path | None
    layers: int
    lost: tuple[tuple[str, int], ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence for each segment that is not whole in the file."""
        return tuple(
            f"{name} lost {voxels} voxels to segments written after it, because a labelmap holds one label "
            f"per voxel; write {SEGMENTATION_ENDING} to keep overlaps."
            for name, voxels in self.lost
        )


def write_segmentation(
    path: str | os.PathLike[str],
    segments: Sequence[Segment],
    geometry: VolumeGeometry,
    *,
    overwrite: bool = False,
    two_dimensional: bool = False,
) -> WrittenSegmentation:
    """Write segments; the ending of the path chooses the format. The file is complete or not there.

    `.seg.nrrd` is what 3D Slicer writes and reads: names, colours, codes; overlapping segments in
    layers of their own. `.nii.gz`, `.nii`, `.nrrd` and `.mha` are labelmaps with the label values 1, 2, ...
    in the order of the segments, and a Slicer colour table `<name>.ctbl` beside them; where segments
    overlap, the later one wins.

    Args:
        path: file to write.
        segments: masks KJI on the grid.
        geometry: grid of the image that was segmented; it is written unchanged.
        overwrite: replace existing files.
        two_dimensional: write a labelmap of a 2-D image as a 2-D file. The grid has one slice, and its
            first two axes lie in the LR-AP plane, as `VolumeGeometry.from_image` gives it.

    Raises:
        OutputFileError: unknown ending, existing file, too many segments, or the file cannot be written.
        GeometryError: a mask does not fit the grid, or a 2-D file was asked for and the grid is not 2-D.
    """
    target = Path(path)
    _check_masks(segments, geometry)
    # small letters only: ITK writes .MHA and then cannot read it
    if target.name.endswith(SEGMENTATION_ENDING):
        _check_free(target, overwrite)
        return _write_layers(target, segments, geometry)
    ending = next((ending for ending in LABELMAP_ENDINGS if target.name.endswith(ending)), None)
    if ending is None:
        endings = ", ".join((SEGMENTATION_ENDING, *LABELMAP_ENDINGS))
        raise OutputFileError(
            f"{target.name} does not end like a segmentation file.", f"Use one of the endings {endings}."
        )
    table = target.with_name(target.name[: -len(ending)] + ".ctbl")
    _check_free(target, overwrite)
    _check_free(table, overwrite)
    return _write_labelmap(target, table, segments, geometry, two_dimensional)


def assign_layers(segments: Sequence[Segment]) -> list[list[int]]:
    """Return the positions of the segments of each layer, so that none overlaps another one of its layer.

    Each segment goes to the first layer that is free where it is; layer 0 is always there.
    """
    layers: list[list[int]] = [[]]
    occupied = [np.zeros_like(np.asarray(segments[0].mask), dtype=bool)] if segments else []
    for position, segment in enumerate(segments):
        mask = np.asarray(segment.mask, dtype=bool)
        free = (number for number, taken in enumerate(occupied) if not np.any(taken & mask))
        number = next(free, len(layers))
        if number == len(layers):
            layers.append([])
            occupied.append(np.zeros_like(mask))
        layers[number].append(position)
        occupied[number] |= mask
    return layers


def _write_layers(target: Path, segments: Sequence[Segment], geometry: VolumeGeometry) -> WrittenSegmentation:
    layers = assign_layers(segments)
    voxels = np.zeros((len(layers), *geometry.shape), dtype=_label_type(segments))
    for voxels_of_layer, positions in zip(voxels, layers, strict=True):
        for position in positions:
            voxels_of_layer[np.asarray(segments[position].mask, dtype=bool)] = position + 1
    layer_of = {position: number for number, positions in enumerate(layers) for position in positions}
    fields: dict[str, str] = {}
    for position, segment in enumerate(segments):
        fields |= _segment_fields(position, segment, layer_of[position], geometry)
    fields["Segmentation_ContainedRepresentationNames"] = "Binary labelmap|"
    fields["Segmentation_MasterRepresentation"] = "Binary labelmap"
    fields["Segmentation_ReferenceImageExtentOffset"] = "0 0 0"
    with atomic_path(target) as temporary:
        write_nrrd(temporary, voxels, geometry, fields)
    return WrittenSegmentation(target, None, len(layers))


def _segment_fields(position: int, segment: Segment, layer: int, geometry: VolumeGeometry) -> dict[str, str]:
    tags = {"TerminologyEntry": segment.terminology.entry_string()}
    if segment.status:
        tags = {"Segmentation.Status": segment.status} | tags
    values = {
        "Color": " ".join(f"{channel / 255:.6g}" for channel in segment.rgb),
        "ColorAutoGenerated": "0",
        # Slicer cuts a whole layer to the extent of its first segment, so the extent must be the layer's
        "Extent": " ".join(f"0 {length - 1}" for length in geometry.size),
        "ID": f"Segment_{position + 1}",
        "LabelValue": str(position + 1),
        "Layer": str(layer),
        "Name": _one_line(segment.name),
        "NameAutoGenerated": "0",
        "Tags": "".join(f"{key}:{value}|" for key, value in tags.items()),
    }
    return {f"Segment{position}_{key}": value for key, value in values.items()}


def _write_labelmap(
    target: Path, table: Path, segments: Sequence[Segment], geometry: VolumeGeometry, two_dimensional: bool
) -> WrittenSegmentation:
    labels, lost = _labelmap(segments, geometry)
    image = _image(labels, geometry, two_dimensional)
    # the labelmap is moved into place last: a colour table alone does no harm
    with atomic_path(target) as temporary, atomic_path(table) as temporary_table:
        _write_image(image, temporary, target)
        temporary_table.write_text(_colour_table(segments, table.name), encoding="utf-8", newline="\n")
    return WrittenSegmentation(target, table, 1, lost)


def _labelmap(
    segments: Sequence[Segment], geometry: VolumeGeometry
) -> tuple[LabelArray, tuple[tuple[str, int], ...]]:
    labels = np.zeros(geometry.shape, dtype=_label_type(segments))
    for position, segment in enumerate(segments):
        labels[np.asarray(segment.mask, dtype=bool)] = position + 1
    kept = np.bincount(labels.ravel(), minlength=len(segments) + 1)
    lost = tuple(
        (segment.name, int(np.count_nonzero(segment.mask) - kept[position + 1]))
        for position, segment in enumerate(segments)
    )
    return labels, tuple(item for item in lost if item[1])


def _image(labels: LabelArray, geometry: VolumeGeometry, two_dimensional: bool) -> sitk.Image:
    image = sitk.GetImageFromArray(labels)
    geometry.apply_to(image)
    if not two_dimensional:
        return image
    direction = geometry.direction
    if geometry.size[2] != 1 or np.any(direction[2, :2]) or np.any(direction[:2, 2]):
        raise GeometryError(
            "The grid is not that of a 2-D image, so no 2-D file can hold it.", "Write a 3-D file instead."
        )
    slice_image: sitk.Image = image[:, :, 0]
    return slice_image


def _write_image(image: sitk.Image, temporary: Path, target: Path) -> None:
    written = sitk.ImageFileReader()
    written.SetFileName(str(temporary))
    try:
        sitk.WriteImage(image, str(temporary), useCompression=True)
        written.ReadImageInformation()
        # of a full disk ITK's NIfTI writer tells the terminal only
        check_complete(temporary)
    except (RuntimeError, InputFileError) as error:
        told = "it was not written to its end" if isinstance(error, InputFileError) else str(error)
        lines = [line.strip() for line in told.splitlines() if line.strip()]
        raise OutputFileError(
            f"{target} cannot be written ({lines[-1] if lines else 'unknown reason'}).",
            f"Choose a folder with free space, or the ending {SEGMENTATION_ENDING}.",
        ) from error
    # NIfTI silently turns oblique axes into perpendicular ones
    if not VolumeGeometry.from_image(written).same_grid(VolumeGeometry.from_image(image), GRID_TOLERANCE):
        raise OutputFileError(
            f"The format of {target.name} cannot hold the grid of this image.",
            f"Use the ending {SEGMENTATION_ENDING} or .mha.",
        )


def _colour_table(segments: Sequence[Segment], name: str) -> str:
    lines = [f"# Color table file {name}", f"# {len(segments) + 1} values", "0 Background 0 0 0 0"]
    for position, segment in enumerate(segments):
        red, green, blue = segment.rgb
        # the name ends at the first space
        label = "_".join(segment.name.split()) or "unnamed"
        lines.append(f"{position + 1} {label} {red} {green} {blue} 255")
    return "\n".join(lines) + "\n"


def _check_masks(segments: Sequence[Segment], geometry: VolumeGeometry) -> None:
    if len(segments) > MAX_SEGMENTS:
        raise OutputFileError(
            f"{len(segments)} segments do not fit into one file.", f"Write at most {MAX_SEGMENTS}."
        )
    for segment in segments:
        if np.shape(segment.mask) != geometry.shape:
            raise GeometryError(
                f"The mask of {segment.name} has the shape {np.shape(segment.mask)}, "
                f"but the grid has {geometry.shape} (k, j, i).",
                "Give the grid that the mask was made on.",
            )


def _check_free(path: Path, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise OutputFileError(f"{path} already exists.", "Choose another name, or allow overwriting.")


def _label_type(segments: Sequence[Segment]) -> type[np.uint8] | type[np.uint16]:
    return np.uint8 if len(segments) <= np.iinfo(np.uint8).max else np.uint16


def _one_line(text: str) -> str:
    return " ".join(text.split())
