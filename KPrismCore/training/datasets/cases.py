"""Cases whose image and masks are files of their own, and cases of 3D Slicer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import SimpleITK as sitk

from KPrismCore.errors import TrainingDataError
from KPrismCore.geometry import VolumeGeometry
from KPrismCore.image_files import VOLUME_ENDINGS, open_image, read_image
from KPrismCore.modalities import modality_group
from KPrismCore.segmentations import BoolArray, load_layers, resample_mask_onto
from KPrismCore.training.datasets.content import (
    Content,
    DataCase,
    Label,
    Layer,
    layers_of_labelmap,
    layers_of_masks,
    plain_name,
)
from KPrismCore.training.datasets.mask_files import MASK_READERS, check_grid
from KPrismCore.volumes import Volume, read_volume


@dataclass(frozen=True)
class FileCase(DataCase):
    """An image file and its mask files.

    Args:
        image: file, or folder of one DICOM series.
        masks: files on the image's grid.
        labels: what the masks' values mean; each value is a label where empty.
        reader: key of `MASK_READERS`.
        modality: in words; empty to believe the image.
        frame: time point or component of the image; None where it has only one.
        value_range: values that become black and white; None to find them as prediction does.
    """

    image: Path
    masks: tuple[Path, ...]
    labels: tuple[Label, ...] = ()
    reader: str = "labelmap"
    modality: str = ""
    frame: int | None = None
    value_range: tuple[float, float] | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Image, then masks."""
        return (self.image, *self.masks)

    def read(self) -> list[Content]:
        """Read both; of a series of time points those that are marked. Errors as `DataCase.read`."""
        if len(self.masks) == 1 and _is_series(self.masks[0]):
            return self._time_points()
        volume = with_modality(read_volume(self.image, self.frame), self.modality)
        layers = MASK_READERS[self.reader](self.masks, volume.geometry, self.labels)
        return [Content(volume, layers, self.value_range)]

    def _time_points(self) -> list[Content]:
        series = read_image(self.masks[0])
        contents = []
        for frame, mask in enumerate(sitk.GetArrayFromImage(series)):
            if not mask.any():
                continue
            volume = with_modality(read_volume(self.image, frame), self.modality)
            check_grid(self.masks[0], VolumeGeometry.from_image(series), volume.geometry)
            contents.append(Content(volume, layers_of_labelmap(mask, self.labels), self.value_range))
        return contents


@dataclass(frozen=True)
class SegmentationCase(DataCase):
    """An image and a segmentation with named segments (.seg.nrrd, or a labelmap with its colour table)."""

    image: Path
    segmentation: Path
    modality: str = ""

    @property
    def files(self) -> tuple[Path, ...]:
        """Image and segmentation."""
        return self.image, self.segmentation

    def read(self) -> list[Content]:
        """Read both; the segmentation may be cropped or lie on another grid. Errors as `DataCase.read`."""
        volume = with_modality(read_volume(self.image), self.modality)
        return [Content(volume, segment_layers(self.segmentation, volume))]


@dataclass(frozen=True)
class UnusableCase(DataCase):
    """A case of which it is known before it is read what is wrong; it is named, or skipped, as a damaged one.

    cause, remedy: of the error.
    """

    cause: str
    remedy: str

    @property
    def files(self) -> tuple[Path, ...]:
        """None that could be read."""
        return ()

    def read(self) -> list[Content]:
        """Raise what is wrong."""
        raise TrainingDataError(self.cause, self.remedy)


def segment_layers(path: Path, volume: Volume) -> tuple[Layer, ...]:
    """Read the segments of a file onto a volume's grid.

    Raises:
        TrainingDataError: the segmentation does not overlap the image.
        InputFileError, GeometryError, ImageContentError: see `segmentations.read_segmentation`.
    """
    return layers_of_masks(_placed_segments(path, volume))


def _placed_segments(path: Path, volume: Volume) -> Iterator[tuple[Label, BoolArray]]:
    layers, geometry, segments = load_layers(path)
    for segment in segments:
        mask = layers[..., segment.layer] == segment.label
        placed = resample_mask_onto(mask, geometry, volume.geometry)
        if mask.any() and not placed.any():
            raise TrainingDataError(
                f"The segment '{segment.name}' of {path} lies outside its image {volume.name}.",
                "Put the image it was made on beside it.",
            )
        yield Label(plain_name(segment.name), terminology=segment.terminology), placed


def with_modality(volume: Volume, modality: str) -> Volume:
    """The volume with the modality that its set is known to have; only CT decides how values are taken."""
    if not modality:
        return volume
    return replace(volume, modality="CT" if modality_group(modality) == "CT" else modality)


def _is_series(path: Path) -> bool:
    """Whether a mask file has several time points."""
    if not path.name.lower().endswith(VOLUME_ENDINGS):
        return False
    size = open_image(path).GetSize()
    return len(size) == 4 and size[3] > 1
