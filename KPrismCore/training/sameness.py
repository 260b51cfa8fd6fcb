"""Whether a run goes on with the data it began with.

Compared is what the images show and whose they are, not where they lie: a folder that was moved is the same
data. Who is kept for validation follows from the subjects of a set, so that with others a subject that was
trained on could be measured on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from KPrismCore.errors import TrainingDataError
from KPrismCore.training.packs import ImageSet

# in a state; absent in those of earlier versions
DATA = "data"


def data_facts(sets: Sequence[ImageSet], size: int, *, pixels: bool = True) -> dict[str, Any]:
    """What a state keeps of the data: by set one hash of subjects and labels, and one of all pixels.

    Args:
        sets: whole image sets.
        size: edge of their squares, on which it depends which slices have a mask of any use.
        pixels: whether to look at them, which takes seconds for thousands of images.
    """
    hashes = {
        one.name: {"subjects": _subjects(one), "pixels": _pixels(one) if pixels else ""} for one in sets
    }
    return {"size": size, "sets": hashes}


def compare_data(state: Mapping[str, Any], facts: Mapping[str, Any], run: Path) -> list[str]:
    """Compare data with those a run began with.

    Args:
        state: of the run; one that says nothing of its data, or has them at another size, goes with any.
        facts: see `data_facts`.
        run: folder of the run, to name it.

    Returns:
        The sets of which images or masks are others, as where masks were mended or are read in a new way.

    Raises:
        TrainingDataError: sets, subjects, their slices or the labels are others.
    """
    known, now = state.get(DATA, {}), facts["sets"]
    if known.get("size") != facts["size"]:
        return []
    before = known["sets"]
    wrong = [f"{name} is missing" for name in before if name not in now]
    wrong += [f"{name} is new" for name in now if name not in before]
    both = [name for name in now if name in before]
    others = [name for name in both if before[name]["subjects"] != now[name]["subjects"]]
    wrong += [f"{name} has other subjects, slices or labels" for name in others]
    if wrong:
        raise TrainingDataError(
            f"The run in {run} began with other data: {'; '.join(wrong)}.",
            "Name the data of that run, or begin another one with its weights: another folder, "
            f"and --init {run} instead of --resume.",
        )
    return [name for name in both if now[name]["pixels"] not in ("", before[name]["pixels"])]


def _subjects(image_set: ImageSet) -> str:
    told = (image_set.modality, sorted(image_set.labels.items()))
    return _hash([told, *((sample.subject, sample.augmented) for sample in image_set.samples)])


def _pixels(image_set: ImageSet) -> str:
    return _hash([sample.checksum() for sample in image_set.samples])


def _hash(values: Sequence[object]) -> str:
    return hashlib.sha256(repr(values).encode()).hexdigest()[:32]
