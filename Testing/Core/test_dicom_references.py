"""A DICOM SEG beside its series as a reference of `segment`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_data_dicom import ARRAY, MASK, write_seg, write_series

from KPrismCore import read_volume
from KPrismCore.commands.reference_masks import reference_mask
from KPrismCore.commands.segment_inputs import parse_reference
from KPrismCore.errors import GeometryError, InputFileError, PromptError


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """A folder with a series and its segmentation."""
    write_series(tmp_path / "ct")
    write_seg(tmp_path / "seg.dcm")
    return tmp_path


def asked(case: Path, segment: str = ""):
    source = parse_reference(f"{case / 'ct'}={case / 'seg.dcm'}{segment}")
    return reference_mask(source, read_volume(source.volume))


def test_a_segment_lies_on_its_series(case):
    mask, name = asked(case, ":liver")
    assert (mask.shape, name) == (ARRAY.shape, "Liver")
    # the series may be stored either way up; the segment's own voxels have this value
    assert np.array_equal(read_volume(case / "ct").array == 80, mask)
    assert mask.sum() == (MASK == 1).sum()


def test_one_of_several_segments_has_to_be_chosen(case):
    with pytest.raises(PromptError, match="2 segments") as caught:
        asked(case)
    assert "Liver" in caught.value.remedy


def test_a_segment_that_is_not_there_is_refused(case):
    with pytest.raises(PromptError, match="no segment 'spleen'"):
        asked(case, ":spleen")


def test_a_segmentation_of_another_series_is_refused(case):
    write_seg(case / "seg.dcm", spacing=0.7)
    with pytest.raises(GeometryError, match="other pixels"):
        asked(case, ":Liver")


def test_an_image_is_no_segmentation(case):
    (case / "seg.dcm").write_bytes((case / "ct" / "00.dcm").read_bytes())
    with pytest.raises(InputFileError, match="segments are not read"):
        asked(case)


def test_a_folder_is_no_segmentation(case):
    with pytest.raises(InputFileError, match="is a folder"):
        parse_reference(f"{case / 'ct'}={case / 'ct'}:Liver")
