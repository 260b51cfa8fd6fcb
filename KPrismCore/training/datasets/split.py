"""Checks that training and validation share nothing."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from KPrismCore.training.packs import ImageSet, Sample, split_by_subject

_NAMED = 3
_PART = re.compile(r"(train|tr|val|valid|validation|test|ts|dev)(ing)?|fold[_ -]?\d+", re.IGNORECASE)


def split_warnings(sets: Sequence[ImageSet]) -> list[str]:
    """Say which images are the same byte by byte in training and in validation, of one set or of two.

    A patient of one set cannot be on both sides; the same image under two names or in two sets can.

    Args:
        sets: whole image sets.

    Returns:
        One sentence per pair of sets, naming some of the images; empty where nothing is shared.
    """
    learned: dict[str, tuple[str, Sample]] = {}
    for image_set in sets:
        for sample in split_by_subject(image_set)[0].samples:
            learned.setdefault(fingerprint(sample), (image_set.name, sample))
    shared: dict[tuple[str, str], list[tuple[Sample, Sample]]] = defaultdict(list)
    for image_set in sets:
        for sample in split_by_subject(image_set)[1].samples:
            name, twin = learned.get(fingerprint(sample), ("", sample))
            if name:
                shared[name, image_set.name].append((twin, sample))
    return [_sentence(names, pairs) for names, pairs in shared.items()]


def part_warnings(sets: Sequence[ImageSet]) -> list[str]:
    """Say which patients may be both in training and in validation, since two parts of one set name them.

    Folders that are called after parts of a split (train, val, ...) are sets here, each of which is split
    anew. Elsewhere patients of equal names are different ones: many sets count theirs.

    Args:
        sets: whole image sets.
    """
    parts = [one for one in sets if _PART.fullmatch(one.name)]
    sides = {one.name: [_subjects(side) for side in split_by_subject(one)] for one in parts}
    found = []
    for learned, (training, _) in sides.items():
        for held, (_, validation) in sides.items():
            both = sorted(training & validation) if learned != held else []
            if both:
                more = f", and {len(both) - _NAMED} more" if len(both) > _NAMED else ""
                found.append(
                    f"Patients of the same name are in training ({learned}) and in validation ({held}): "
                    f"{', '.join(both[:_NAMED])}{more}. If they are the same people, put both parts into "
                    "one folder; they are split by patient here."
                )
    return found


def no_validation(sets: Sequence[ImageSet]) -> list[str]:
    """Say in one sentence that nothing is kept for validation; nothing where any set has enough patients."""
    subjects = {image_set.name: {sample.subject for sample in image_set.samples} for image_set in sets}
    if any(split_by_subject(image_set)[1].samples for image_set in sets) or not subjects:
        return []
    name, known = next(iter(subjects.items()))
    return [
        f"Nothing is kept for validation: no set has enough patients ({name} has {len(known)}, such as "
        f"'{min(known, default='')}'). Patients are told apart by the names of folders or files."
    ]


def fingerprint(sample: Sample) -> str:
    """A hash of the image's bytes, which kept slices carry with them."""
    known = getattr(sample, "fingerprint", None)
    return known if isinstance(known, str) else hashlib.sha256(sample.image.tobytes()).hexdigest()[:16]


def _subjects(image_set: ImageSet) -> set[str]:
    return {sample.subject for sample in image_set.samples}


def _sentence(names: tuple[str, str], pairs: Iterable[tuple[Sample, Sample]]) -> str:
    # slices of one volume say it once
    each = (f"{twin.name} of {twin.subject} = {sample.name} of {sample.subject}" for twin, sample in pairs)
    found = list(dict.fromkeys(each))
    where = names[0] if names[0] == names[1] else f"{names[0]} and {names[1]}"
    more = f", and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return (
        f"The same image is in training and in validation ({where}): {'; '.join(found[:_NAMED])}{more}. "
        "Give both the same patient, or remove one."
    )
