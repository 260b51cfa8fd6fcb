"""The groups of modalities that figures and warnings are given for, from free text or DICOM's codes."""

from __future__ import annotations

import re

OTHER = "other"
# The first line that matches counts, so that OCT angiography is OCT, X-ray angiography is angiography, and a
# set of mixed stains under a microscope is microscopy although it names H&E.
_GROUPS = (
    ("OCT", r"\bocta?\b|optical coherence|^opt$"),
    ("CT", r"\bcta?\b|computed tomography"),
    ("MR", r"\bmr(i|a)?\b|magnetic resonance|\bflair\b|\bt[12]w?\b"),
    ("fundus", r"fundus|retinal (colour|color) photo|^op$"),
    ("angiography", r"angiogra|^xa$|\bdsa\b"),
    ("X-ray", r"x-?\s?ray|radiogra|^(xr|cr|dx|dr|rg|mg|rf)$|mammogra"),
    ("ultrasound", r"ultraso|sonogra|echocardiogra|^us$"),
    ("endoscopy", r"endoscop|colonoscop|gastroscop|laparoscop|^es$"),
    ("dermoscopy", r"dermoscop|dermatoscop|^dms$|skin photo"),
    ("histology", r"histolog|histopath|patholog|^sm$"),
    ("microscopy", r"microscop|fluorescence|bright-?field|^gm$"),
    ("histology", r"\bh\s?&\s?e\b|\bpas\b"),
)
# groups that classes are not told apart by
_KIN = {"histology": "microscopy"}
GROUPS = tuple(dict.fromkeys(name for name, _ in _GROUPS))


def modality_group(text: str) -> str:
    """The group of a modality: one of `GROUPS`, or "other".

    Args:
        text: as an image set, DICOM or a user calls it: "MR T2w lumbar spine sagittal", "US", "xray".
    """
    plain = text.strip().lower().replace("_", " ")
    return next((name for name, words in _GROUPS if re.search(words, plain)), OTHER)


def modality_key(text: str) -> str:
    """What is equal for all names of a modality whose classes and images suit each other.

    MR and MRI are equal, X-ray and DICOM's DX, and a stained section and other microscopy. A name of no group
    is equal to itself, whatever its case and punctuation.
    """
    group = modality_group(text)
    return _KIN.get(group, group) if group != OTHER else re.sub(r"[\W_]+", "", text.lower())
