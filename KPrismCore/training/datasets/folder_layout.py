"""A folder of images and masks: in two folders, or in pairs that their names join.

    images/a.png        masks/a.png             or labels/, and names such as a_mask.png
    a.nii.gz            a_seg.nii.gz            or _label, _mask, _gt
    anna/image.nii.gz   anna/label.nii.gz       each patient in a folder

`labels.csv` (columns value, name) or a Slicer colour table names the labels; folders below images/ are
patients.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from KPrismCore.errors import TrainingDataError
from KPrismCore.image_files import PICTURE_ENDINGS, stem
from KPrismCore.segmentations import read_colour_table
from KPrismCore.training.datasets.cases import FileCase, UnusableCase
from KPrismCore.training.datasets.content import DataCase, FileSet, Label, plain_name
from KPrismCore.training.datasets.naming import image_of_mask, is_image, is_note, subject_of
from KPrismCore.training.datasets.sets import OpenFiles, OpenSet
from KPrismCore.training.datasets.tree import Tree

IMAGE_FOLDERS = ("images", "image", "img", "imgs")
MASK_FOLDERS = ("masks", "mask", "labels", "label", "segmentations", "annotations", "gt")
LABEL_FILE = "labels.csv"
# what an image may be called beside a mask x_label
_IMAGE_WORDS = ("", "_image", "-image", "_img", "_ct", "_mr")
_JPEG = (".jpg", ".jpeg")
Pair = tuple[str, str, str]


class FolderLayout:
    """See the module."""

    def recognises(self, tree: Tree) -> bool:
        """Whether there is any image with a mask."""
        return any(True for _ in _pairs(tree))

    def sets(self, tree: Tree) -> list[OpenSet]:
        """One set, named after the folder.

        Raises:
            TrainingDataError: the file of label names is malformed.
        """
        names = label_names(tree)
        cases: list[DataCase] = []
        own_folders = False
        found = _alike(_pairs(tree))
        for pairs in found:
            subject = pairs[0][2]
            own_folders |= "/" in subject
            patient = subject.rsplit("/", 1)[0] if "/" in subject else subject_of(subject)
            cases.append(_case(tree, patient, pairs, names))
        notes = [] if own_folders else ["patients are told apart by file names"]
        if not any(isinstance(case, FileCase) and case.labels for case in cases):
            notes.append(f"{LABEL_FILE} (value,name) would name the labels")
        used = {file for pairs in found for pair in pairs for file in pair[:2]}
        alone = [name for name in tree.files if is_image(name) and name not in used]
        if alone:
            notes.append(f"{len(alone)} images without a mask, or masks without an image, such as {alone[0]}")
        files = FileSet(plain_name(tree.name), "images and masks", "", tuple(cases), "", tuple(notes))
        return [OpenFiles(files)]


def _case(tree: Tree, patient: str, pairs: Sequence[Pair], names: Mapping[int, str]) -> DataCase:
    """The case of an image and a mask, or of several of one name, of which nobody knows which is meant."""
    image, mask, _ = pairs[0]
    files = list(dict.fromkeys(file for pair in pairs for file in pair[:2]))
    if len(pairs) > 1:
        return UnusableCase(
            patient, image, f"In {tree.folder} image or mask is there more than once: {', '.join(files)}.",
            "Keep one of each.",
        )  # fmt: skip
    labels = _labels(names, tree.path(mask))
    plain = "labelmap" if labels or not mask.lower().endswith(PICTURE_ENDINGS) else "picture"
    reader = "threshold" if mask.lower().endswith(_JPEG) else plain
    return FileCase(patient, image, tree.path(image), (tree.path(mask),), labels, reader)


def label_names(tree: Tree) -> dict[int, str]:
    """Read `labels.csv`; empty where there is none.

    Raises:
        TrainingDataError: it is malformed.
    """
    if LABEL_FILE not in tree.here:
        return {}
    path = tree.path(LABEL_FILE)
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
        named = {int(row["value"]): plain_name(row["name"]) for row in rows}
        # lists often name the background too, which is no label
        return {value: name for value, name in named.items() if value}
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise TrainingDataError(
            f"{path} is no list of labels ({error}).", "It has the columns value and name."
        ) from error


def _alike(pairs: Iterable[Pair]) -> list[list[Pair]]:
    """Pairs together whose files differ in their endings alone."""
    found: dict[tuple[str, str], list[Pair]] = {}
    for pair in pairs:
        found.setdefault((_without_ending(pair[0]), _without_ending(pair[1])), []).append(pair)
    return list(found.values())


def _joined(images: Sequence[str], masks: Sequence[str], plain: str) -> Iterator[Pair]:
    """Pairs of files of one name: a mask's image is of its kind, since volumes may have a picture beside."""
    for mask in masks:
        kind = mask.lower().endswith(PICTURE_ENDINGS)
        fitting = [image for image in images if image.lower().endswith(PICTURE_ENDINGS) == kind]
        yield from ((image, mask, plain) for image in fitting or images)


def _pairs(tree: Tree) -> Iterator[Pair]:
    """Image, mask, and the image's place below its folder without the ending."""
    yield from _folder_pairs(tree)
    yield from _name_pairs(tree)
    yield from _case_pairs(tree)


def _folder_pairs(tree: Tree) -> Iterator[Pair]:
    by_case = {name.lower(): name for name in tree.folders}
    images = next((by_case[name] for name in IMAGE_FOLDERS if name in by_case), None)
    masks = next((by_case[name] for name in MASK_FOLDERS if name in by_case), None)
    if images is None or masks is None:
        return
    own: dict[str, list[str]] = {}
    of_image: dict[str, list[str]] = {}
    for name in filter(is_image, tree.below(masks).files):
        plain = _without_ending(name)
        own.setdefault(plain, []).append(f"{masks}/{name}")
    for plain, files in own.items():
        marked = image_of_mask(plain)
        if marked is not None:
            of_image.setdefault(marked, files)
    of_image |= own
    by_name: dict[str, list[str]] = {}
    for name in filter(is_image, tree.below(images).files):
        by_name.setdefault(_without_ending(name), []).append(f"{images}/{name}")
    for plain, files in by_name.items():
        yield from _joined(files, of_image.get(plain, ()), plain)


def _name_pairs(tree: Tree) -> Iterator[Pair]:
    # a .seg.nrrd is a segmentation of 3D Slicer, which has a layout of its own
    names = [name for name in tree.here if is_image(name) and not name.lower().endswith(".seg.nrrd")]
    stems: dict[str, list[str]] = {}
    for name in names:
        stems.setdefault(stem(Path(name)), []).append(name)
    marked = {plain: image_of_mask(plain) for plain in stems}
    images = [plain for plain, image in marked.items() if image is None]
    for plain, image in marked.items():
        # a mask that is called nothing but mask belongs to the only image beside it
        if image == "" and len(images) == 1:
            yield from _joined(stems[images[0]], stems[plain], images[0])
        for name in (f"{image}{ending}" for ending in _IMAGE_WORDS):
            if image and name in stems:
                yield from _joined(stems[name], stems[plain], image)
                break


def _case_pairs(tree: Tree) -> Iterator[Pair]:
    """Pairs of a folder of patients; none where any of its folders holds more than one pair."""
    found = [(folder, tree.below(folder)) for folder in tree.folders]
    found = [(folder, below) for folder, below in found if not all(map(is_note, below.files))]
    pairs = [(folder, below, list(_name_pairs(below))) for folder, below in found]
    if any(
        len(_alike(inside)) > 1 or below.folders or not any(map(is_image, below.here))
        for _, below, inside in pairs
    ):
        return
    for folder, _, inside in pairs:
        for image, mask, plain in inside:
            yield f"{folder}/{image}", f"{folder}/{mask}", f"{folder}/{plain}"


def _labels(names: Mapping[int, str], mask: Path) -> tuple[Label, ...]:
    """Named labels of a mask: from the list of the folder, else from the colour table beside the mask."""
    found = dict(names)
    if not found:
        table = read_colour_table(mask.with_name(stem(mask) + ".ctbl"))
        found = {value: plain_name(name) for value, (name, _) in table.items() if value}
    return tuple(Label(name, (value,), value if value < 256 else 0) for value, name in sorted(found.items()))


def _without_ending(name: str) -> str:
    path = Path(name)
    return path.with_name(stem(path)).as_posix()
