"""Segmentation files: what is refused, and that a failure leaves the old file alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from KPrismCore import labelmaps
from KPrismCore.errors import GeometryError, OutputFileError
from KPrismCore.geometry import VolumeGeometry
from KPrismCore.labelmaps import (
    MAX_SEGMENTS,
    Segment,
    write_segmentation,
)
from Testing.Core.labelmap_samples import (
    ALL_ENDINGS,
    GEOMETRIES,
    SIZE,
    leftovers,
)


def test_a_mask_of_another_shape_is_refused(tmp_path: Path, a_tilted_geometry: VolumeGeometry) -> None:
    with pytest.raises(GeometryError, match="mask of Liver"):
        write_segmentation(
            tmp_path / "a.mha", [Segment("Liver", np.ones(SIZE, dtype=bool))], a_tilted_geometry
        )


@pytest.mark.parametrize("name", ["case.stl", "case", "case.seg", "case.nii.bz2", "case.MHA"])
def test_an_unknown_ending_is_refused_with_the_endings_there_are(
    tmp_path: Path, a_tilted_geometry: VolumeGeometry, a_liver: Segment, name: str
) -> None:
    with pytest.raises(OutputFileError) as caught:
        write_segmentation(tmp_path / name, [a_liver], a_tilted_geometry)
    assert all(ending in caught.value.remedy for ending in ALL_ENDINGS)


def test_more_segments_than_labels_are_refused(tmp_path: Path, a_liver: Segment) -> None:
    with pytest.raises(OutputFileError, match="at most 65535"):
        write_segmentation(tmp_path / "a.mha", [a_liver] * (MAX_SEGMENTS + 1), GEOMETRIES["isotropic"])


@pytest.mark.parametrize("ending", ALL_ENDINGS)
def test_an_existing_file_is_refused_and_kept(
    tmp_path: Path, a_tilted_geometry: VolumeGeometry, a_liver: Segment, ending: str
) -> None:
    path = tmp_path / f"case{ending}"
    path.write_bytes(b"yesterday")
    with pytest.raises(OutputFileError, match="allow overwriting"):
        write_segmentation(path, [a_liver], a_tilted_geometry)
    assert path.read_bytes() == b"yesterday"


def test_an_existing_colour_table_is_refused_before_anything_is_written(
    tmp_path: Path, a_tilted_geometry: VolumeGeometry, a_liver: Segment
) -> None:
    (tmp_path / "case.ctbl").write_text("mine")
    with pytest.raises(OutputFileError, match=r"case\.ctbl already exists"):
        write_segmentation(tmp_path / "case.mha", [a_liver], a_tilted_geometry)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["case.ctbl"]


@pytest.mark.parametrize("ending", ALL_ENDINGS)
def test_an_existing_file_is_replaced_where_that_is_allowed(
    tmp_path: Path, a_tilted_geometry: VolumeGeometry, a_liver: Segment, ending: str
) -> None:
    path = tmp_path / f"case{ending}"
    path.write_bytes(b"yesterday")
    write_segmentation(path, [a_liver], a_tilted_geometry, overwrite=True)
    assert sitk.ReadImage(str(path)).GetSize() == SIZE


@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError("disk"), OSError(28, "No space left")])
@pytest.mark.parametrize("ending", ALL_ENDINGS)
def test_a_failure_in_the_middle_leaves_the_old_file_and_no_temporary(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    a_tilted_geometry: VolumeGeometry,
    a_liver: Segment,
    ending: str,
    failure: BaseException | type[BaseException],
) -> None:
    path, table = tmp_path / f"case{ending}", tmp_path / "case.ctbl"
    path.write_bytes(b"yesterday")
    table.write_bytes(b"colours of yesterday")

    def write_half(*arguments: object, **_: object) -> None:
        target = next(Path(argument) for argument in arguments if isinstance(argument, str | Path))
        target.write_bytes(b"half a f")
        raise failure

    monkeypatch.setattr(labelmaps.sitk, "WriteImage", write_half)
    monkeypatch.setattr(labelmaps, "write_nrrd", write_half)
    with pytest.raises((KeyboardInterrupt, RuntimeError, OutputFileError)):
        write_segmentation(path, [a_liver], a_tilted_geometry, overwrite=True)
    assert path.read_bytes() == b"yesterday"
    assert table.read_bytes() == b"colours of yesterday"
    assert leftovers(tmp_path) == []


def test_a_failing_library_is_an_output_error_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, a_tilted_geometry: VolumeGeometry, a_liver: Segment
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("Exception thrown\nITK ERROR: the disk is full")

    monkeypatch.setattr(labelmaps.sitk, "WriteImage", fail)
    with pytest.raises(OutputFileError, match=r"case\.mha cannot be written \(ITK ERROR: the disk is full\)"):
        write_segmentation(tmp_path / "case.mha", [a_liver], a_tilted_geometry)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".mha"])
def test_a_file_that_the_library_cut_short_without_a_word_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    a_tilted_geometry: VolumeGeometry,
    a_liver: Segment,
    ending: str,
) -> None:
    original, path = sitk.WriteImage, tmp_path / f"case{ending}"
    path.write_bytes(b"yesterday")

    def write_short(image: sitk.Image, name: str, **options: bool) -> None:
        original(image, name, **options)
        with Path(name).open("rb+") as stream:
            stream.truncate(Path(name).stat().st_size - 5)

    monkeypatch.setattr(labelmaps.sitk, "WriteImage", write_short)
    with pytest.raises(OutputFileError, match="not written to its end"):
        write_segmentation(path, [a_liver], a_tilted_geometry, overwrite=True)
    assert path.read_bytes() == b"yesterday"
    assert leftovers(tmp_path) == []
