"""Groups of modalities from the texts of image sets, DICOM codes and class tables."""

from __future__ import annotations

import pytest

from KPrismCore.modalities import GROUPS, OTHER, modality_group

TEXTS = {
    "CT": ["CT chest", "CT abdomen, non-axial planes", "CT / MR", "ct", "CT angiography"],
    "MR": [
        "MR T2w lumbar spine sagittal",
        "MR 3-D bSSFP heart",
        "MRI",
        "mr",
        "MR FLAIR brain",
        "MR angiography",
    ],
    "X-ray": ["X-ray chest PA", "xray", "DX", "CR", "x ray"],
    "ultrasound": ["ultrasound breast B-mode", "US", "ultrasound fetal"],
    "endoscopy": ["endoscopy colour", "ES"],
    "fundus": ["fundus infant", "fundus colour", "OP"],
    "microscopy": ["microscopy (fluorescence, H&E, brightfield)"],
    "histology": ["histology H&E oesophagus", "histology kidney", "SM", "pathology (PAS)"],
    "dermoscopy": ["dermoscopy"],
    "OCT": ["OCT angiography en face", "OCTA"],
    "angiography": ["X-ray angiography", "XA"],
    OTHER: ["", "PT", "something"],
}


@pytest.mark.parametrize(
    ("text", "group"), [(text, group) for group, texts in TEXTS.items() for text in texts]
)
def test_a_text_is_of_its_group(text, group):
    assert modality_group(text) == group


def test_the_groups_are_their_own_names():
    assert {modality_group(name): name for name in GROUPS} == {name: name for name in GROUPS}
    assert set(GROUPS) == set(TEXTS) - {OTHER}
