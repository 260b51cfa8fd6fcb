"""What file names tell: which image a mask belongs to, and which files show the same patient."""

from __future__ import annotations

import re

from KPrismCore.image_files import PICTURE_ENDINGS, VOLUME_ENDINGS

IMAGE_ENDINGS = (*VOLUME_ENDINGS, *PICTURE_ENDINGS)
_NOTES = (".txt", ".md", ".pdf", ".docx", ".rtf", ".xlsx", ".html")
# words that say that a number is a place or a time within one patient; not the end of another word, as the
# last letter of patient1 or left2 would be
_WITHIN = re.compile(
    r"(?:[_\-. ]+|^|(?<=\d))"
    r"(?:slice|frame|patch|tile|img|image|sl|fr|z|t|visit|session|ses|timepoint|tp|phase)[_\-. ]?\d+$",
    re.IGNORECASE,
)
# one side of a patient, or one phase of a heart
_SIDE = re.compile(r"(?:[_\-. ]+|(?<=\d))(?:left|right|l|r|od|os)$|[_\-. ]+(?:ed|es)$", re.IGNORECASE)
# the Brain Imaging Data Structure says whom a file shows
_BIDS = re.compile(r"sub-[a-z0-9]+(?=[_.]|$)", re.IGNORECASE)
# words that make a mask's name of its image's
_MASK = re.compile(
    r"[_\-. ]*(segmentation|seg|labels?|labelmap|masks?|gt|groundtruth|annotations?)([_\-. ]?\d+)?$",
    re.IGNORECASE,
)


def is_image(name: str) -> bool:
    """Whether a file name ends as that of an image that can be read, segmentations included."""
    return name.lower().endswith(IMAGE_ENDINGS)


def is_note(name: str) -> bool:
    """Whether a file is for people to read, and no part of the data."""
    plain = name.rpartition("/")[2].lower()
    return plain.endswith(_NOTES) or plain in ("license", "licence", "readme")


def image_of_mask(stem: str) -> str | None:
    """The stem of the image whose mask has this stem; None for a name that is not a mask's."""
    found = _MASK.search(stem)
    return stem[: found.start()] if found else None


def subject_of(stem: str) -> str:
    """The subject of a file: its name without slice, frame, patch, visit and side at the end.

    Too few subjects cost some images for validation; too many would put one patient on both sides of it.
    """
    known = _BIDS.match(stem)
    if known is not None:
        return known[0]
    subject = stem
    while shorter := _SIDE.sub("", _WITHIN.sub("", subject)):
        if shorter == subject:
            break
        subject = shorter
    return subject
