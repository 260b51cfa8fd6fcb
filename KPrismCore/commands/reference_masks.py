"""The mask of a reference that `segment` was given, on the grid of its image."""

from __future__ import annotations

from KPrismCore.commands.segment_inputs import ReferenceSource
from KPrismCore.dicom import modality_code
from KPrismCore.errors import ReferenceMismatchError
from KPrismCore.image_files import check_readable
from KPrismCore.segmentations import BoolArray, SegmentInfo, choose_segment
from KPrismCore.volumes import Volume, read_segmentation, resample_mask_onto

DICOM_SEGMENTATION = "SEG"


def reference_mask(source: ReferenceSource, volume: Volume) -> tuple[BoolArray, str]:
    """Read the mask of a reference: KJI on the grid of its image, and the segment's name.

    Args:
        source: its files; the segmentation may be a DICOM SEG of the image series.
        volume: its image.

    Raises:
        ReferenceMismatchError: the segment is empty, or lies outside the image.
        PromptError: no such segment, or none chosen among several.
        KPrismError: the file cannot be read; see `read_segmentation` and `dicom_segment_layers`.
    """
    if check_readable(source.segmentation) and modality_code(source.segmentation) == DICOM_SEGMENTATION:
        return _of_dicom(source, volume)
    mask, geometry, name = read_segmentation(source.segmentation, source.segment)
    if not mask.any():
        raise ReferenceMismatchError(
            f"'{name}' in {source.segmentation} is empty.", "Choose another segment."
        )
    moved = resample_mask_onto(mask, geometry, volume.geometry)
    if not moved.any():
        raise ReferenceMismatchError(
            f"'{name}' in {source.segmentation} lies outside {source.volume}.",
            "Use a segmentation of that image.",
        )
    return moved, name


def _of_dicom(source: ReferenceSource, volume: Volume) -> tuple[BoolArray, str]:
    """Segments without a voxel are not among those of the file."""
    # pydicom takes a moment to load
    from KPrismCore.training.datasets.dicom_seg import dicom_segment_layers

    layers = dicom_segment_layers(source.segmentation, volume)
    segments = [
        SegmentInfo(label.name, number, place)
        for place, layer in enumerate(layers)
        for number, label in enumerate(layer.labels, start=1)
    ]
    chosen = choose_segment(source.segmentation, segments, source.segment)
    return layers[chosen.layer].array == chosen.label, chosen.name
