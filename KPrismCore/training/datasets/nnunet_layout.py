"""nnU-Net (version 1 and 2) and the Medical Segmentation Decathlon: dataset.json, imagesTr, labelsTr."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from KPrismCore.errors import TrainingDataError
from KPrismCore.training.datasets.cases import FileCase
from KPrismCore.training.datasets.content import FileSet, Label, plain_name
from KPrismCore.training.datasets.naming import subject_of
from KPrismCore.training.datasets.sets import OpenFiles, OpenSet
from KPrismCore.training.datasets.tree import Tree

DESCRIPTION = "dataset.json"
IGNORE = "ignore"
_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha", ".png", ".tif", ".tiff", ".bmp")


class NnUNetLayout:
    """See the module. Every channel of a case is an image of its own, all with the case's masks."""

    def recognises(self, tree: Tree) -> bool:
        """Whether the description and training masks are there."""
        return DESCRIPTION in tree.here and "labelsTr" in tree.folders

    def sets(self, tree: Tree) -> list[OpenSet]:
        """One set, named after the folder.

        Raises:
            TrainingDataError: the description is malformed, or no mask has an image.
        """
        described = _description(tree)
        labels = described_labels(described)
        channels = _channels(described)
        cases, without = [], 0
        for mask in tree.below("labelsTr").files:
            ending = next((end for end in _ENDINGS if mask.endswith(end)), None)
            if ending is not None:
                found = _cases(tree, mask.removesuffix(ending), ending, channels, labels)
                cases += found
                without += not found
        if not cases:
            raise TrainingDataError(
                f"{tree.folder} has no image for any of its masks.", "Keep imagesTr and labelsTr together."
            )
        modality = " and ".join(dict.fromkeys(filter(None, map(_modality, channels))))
        notes = [f"{without} masks have no image"] if without else []
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
            (plain_name(str(value)), int(key)) if str(key).isdigit() else (plain_name(str(key)), value)
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


def _cases(
    tree: Tree, case: str, ending: str, channels: list[str], labels: tuple[Label, ...]
) -> list[FileCase]:
    mask, subject = tree.path(f"labelsTr/{case}{ending}"), subject_of(case)
    cases = []
    for number, channel in enumerate(channels):
        name = f"imagesTr/{case}_{number:04d}{ending}"
        # the Decathlon keeps all channels in one file of four dimensions
        whole = f"imagesTr/{case}{ending}"
        single = name if name in tree.file_set else whole if whole in tree.file_set else None
        if single is None:
            continue
        frame = number if single == whole and len(channels) > 1 else None
        cases.append(
            FileCase(subject, f"{case} {number}", tree.path(single), (mask,), labels, "labelmap",
                     _modality(channel), frame)
        )  # fmt: skip
    return cases


def _modality(channel: str) -> str:
    """A channel's name is its modality, but for nnU-Net's words for kinds of normalisation."""
    return "" if channel.lower() in ("nonorm", "rescale_to_0_1", "rgb_to_0_1", "r", "g", "b") else channel
