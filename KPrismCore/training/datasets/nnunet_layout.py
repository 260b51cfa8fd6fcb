"""nnU-Net (version 1 and 2) and the Medical Segmentation Decathlon: dataset.json, imagesTr, labelsTr."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from KPrismCore.errors import TrainingDataError
from KPrismCore.training.datasets.cases import FileCase
from KPrismCore.training.datasets.content import FileSet, Label, plain_name
from KPrismCore.training.datasets.naming import is_image, subject_of
from KPrismCore.training.datasets.sets import OpenFiles, OpenSet
from KPrismCore.training.datasets.tree import Tree

DESCRIPTION = "dataset.json"
IGNORE = "ignore"
_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha", ".png", ".tif", ".tiff", ".bmp")
# channels that are one file of colours
_COLOURS = ("rgb_to_0_1", "r", "g", "b")


@dataclass(frozen=True)
class _Files:
    """Files of a case: its mask, and by the number of the channel the image and which frame of it is that."""

    name: str
    mask: Path
    images: Mapping[int, tuple[Path, int | None]]


class NnUNetLayout:
    """See the module. Every channel of a case is an image of its own, all with the case's masks."""

    def recognises(self, tree: Tree) -> bool:
        """Whether the description and training masks, or a list of them, are there."""
        return DESCRIPTION in tree.here and ("labelsTr" in tree.folders or _lists_cases(tree))

    def sets(self, tree: Tree) -> list[OpenSet]:
        """One set, named after the folder.

        Raises:
            TrainingDataError: the description is malformed, or no mask has an image.
        """
        described = _description(tree)
        labels = described_labels(described)
        channels = _channels(described)
        found = list(_files(tree, described, channels))
        cases = [
            FileCase(subject_of(one.name), f"{one.name} {number}", image, (one.mask,), labels, "labelmap",
                     _modality(channels[number]), frame)
            for one in found for number, (image, frame) in one.images.items()
        ]  # fmt: skip
        if not cases:
            raise TrainingDataError(
                f"{tree.folder} has no image for any of its masks.", "Keep imagesTr and labelsTr together."
            )
        modality = " and ".join(dict.fromkeys(filter(None, map(_modality, channels))))
        notes = _notes(tree, channels, found)
        if any(str(name).lower() == IGNORE for name in described["labels"]):
            notes.append(f"what is marked '{IGNORE}' counts as background")
        files = FileSet(
            plain_name(tree.name), "nnU-Net or Decathlon", modality, tuple(cases), "", tuple(notes)
        )
        return [OpenFiles(files)]


def described_labels(described: Mapping[str, Any]) -> tuple[Label, ...]:
    """Labels of a description: name to value or to the values of a region (version 2), or value to name.

    Raises:
        TrainingDataError: they are malformed, or there are none.
    """
    try:
        pairs = [
            # a name may be a number too; of version 1 the values are names, which are texts
            (plain_name(value), int(key))
            if str(key).isdigit() and isinstance(value, str)
            else (plain_name(str(key)), value)
            for key, value in described["labels"].items()
        ]
        labels = [
            Label(name, tuple(int(one) for one in value), 0)
            if isinstance(value, list | tuple)
            else Label(name, (int(value),), int(value) if int(value) < 256 else 0)
            for name, value in pairs
        ]
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise TrainingDataError(
            f"{DESCRIPTION} has no usable labels ({error}).", "Compare it with nnU-Net's documentation."
        ) from error
    found = tuple(label for label in labels if set(label.values) - {0} and label.name.lower() != IGNORE)
    if not found:
        raise TrainingDataError(f"{DESCRIPTION} names no label but the background.", "Name the labels.")
    return found


def _description(tree: Tree) -> dict[str, Any]:
    path = tree.path(DESCRIPTION)
    try:
        described = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise TrainingDataError(f"{path} is no JSON file ({error}).", "Copy it again.") from error
    if not isinstance(described, dict):
        raise TrainingDataError(f"{path} describes no data set.", "Copy it again.")
    return described


def _channels(described: Mapping[str, Any]) -> list[str]:
    """Names of the channels in order, under the names that both versions give them."""
    named = described.get("channel_names") or described.get("modality") or {"0": ""}
    if not isinstance(named, Mapping):
        return [str(named)]
    # 10 comes after 9
    ordered = sorted(named, key=lambda key: (len(str(key)), str(key)))
    return [plain_name(str(named[key])) for key in ordered]


def _lists_cases(tree: Tree) -> bool:
    """Whether the description names the files of each case, as version 2 may."""
    try:
        return isinstance(_description(tree).get("dataset"), Mapping)
    except TrainingDataError:
        return False


def _files(tree: Tree, described: Mapping[str, Any], channels: Sequence[str]) -> Iterator[_Files]:
    listed = described.get("dataset")
    return _listed(tree, listed, channels) if isinstance(listed, Mapping) else _found(tree, channels)


def _listed(tree: Tree, listed: Mapping[str, Any], channels: Sequence[str]) -> Iterator[_Files]:
    """The files that a description names, below the folder or by whole paths."""
    for case, files in listed.items():
        try:
            images = [(tree.path(str(image)), None) for image in files["images"]][: len(channels)]
            yield _Files(plain_name(str(case)), tree.path(str(files["label"])), dict(enumerate(images)))
        except (KeyError, TypeError) as error:
            raise TrainingDataError(
                f"{DESCRIPTION} does not name images and label of {case} ({error}).",
                "Compare it with nnU-Net's documentation.",
            ) from error


def _found(tree: Tree, channels: Sequence[str]) -> Iterator[_Files]:
    """The files of every mask in labelsTr."""
    # a copy of the data may have its names in capital letters
    by_name = {name.lower(): name for name in tree.files}
    for mask in tree.below("labelsTr").files:
        ending = next((end for end in _ENDINGS if mask.lower().endswith(end)), None)
        if ending is None:
            continue
        case = mask[: -len(ending)]
        # the Decathlon keeps all channels in one file of four dimensions
        whole = by_name.get(f"imagestr/{case}{ending}".lower())
        images: dict[int, tuple[Path, int | None]] = {}
        for number in range(len(channels)):
            single = by_name.get(f"imagestr/{case}_{number:04d}{ending}".lower())
            if single is not None:
                images[number] = tree.path(single), None
            elif whole is not None:
                images[number] = tree.path(whole), number if len(channels) > 1 else None
        yield _Files(case, tree.path(f"labelsTr/{mask}"), images)


def _notes(tree: Tree, channels: Sequence[str], found: Sequence[_Files]) -> list[str]:
    """What is not there."""
    notes = []
    if without := sum(not one.images for one in found):
        notes.append(f"{without} masks have no image")
    colours = sum(channel.lower() in _COLOURS for channel in channels)
    wanted = len(channels) - max(0, colours - 1)
    if few := [one.name for one in found if 0 < len(one.images) < wanted]:
        notes.append(f"{len(few)} cases lack a channel, such as {few[0]}")
    used = {image for one in found for image, _ in one.images.values()}
    images = tree.below("imagesTr").files if "imagesTr" in tree.folders else ()
    unused = [name for name in images if is_image(name) and tree.path(f"imagesTr/{name}") not in used]
    if unused:
        notes.append(f"{len(unused)} images without a mask, such as {unused[0]}")
    return notes


def _modality(channel: str) -> str:
    """A channel's name is its modality, but for nnU-Net's words for kinds of normalisation."""
    return "" if channel.lower() in ("nonorm", "rescale_to_0_1", *_COLOURS) else channel
