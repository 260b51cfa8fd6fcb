"""Cases of 3D Slicer: volumes with .seg.nrrd files beside them, and scenes (.mrb).

All in one folder, or each case in a folder of its own, which then is the patient.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from KPrismCore.errors import TrainingDataError
from KPrismCore.image_files import VOLUME_ENDINGS, stem
from KPrismCore.training.datasets.cases import SegmentationCase, UnusableCase
from KPrismCore.training.datasets.content import DataCase, FileSet, plain_name
from KPrismCore.training.datasets.naming import image_of_mask, is_image, is_note, subject_of
from KPrismCore.training.datasets.scene import SceneCase
from KPrismCore.training.datasets.sets import OpenFiles, OpenSet
from KPrismCore.training.datasets.tree import Tree

SEGMENTATION_ENDING, SCENE_ENDING = ".seg.nrrd", ".mrb"


class SlicerLayout:
    """See the module."""

    def recognises(self, tree: Tree) -> bool:
        """Whether there are segmentations or scenes here, or in every case's own folder one."""
        return bool(_marked(tree)) or _has_case_folders(tree)

    def sets(self, tree: Tree) -> list[OpenSet]:
        """One set, named after the folder."""
        note = () if _has_case_folders(tree) else ("patients are told apart by file names",)
        files = FileSet(plain_name(tree.name), "3D Slicer cases", "", tuple(_cases(tree)), "", note)
        return [OpenFiles(files)]


def _cases(tree: Tree) -> Iterator[DataCase]:
    for name in _marked(tree):
        yield _case(tree, name, subject_of(stem(Path(name.removesuffix(SCENE_ENDING)))))
    if _has_case_folders(tree):
        for folder in tree.folders:
            below = tree.below(folder)
            for name in _marked(below):
                yield _case(below, name, folder)


def _case(tree: Tree, name: str, subject: str) -> DataCase:
    if name.lower().endswith(SCENE_ENDING):
        return SceneCase(subject, name, tree.path(name))
    try:
        image = _image_of(tree, name)
    except TrainingDataError as error:
        return UnusableCase(subject, name, error.cause, error.remedy)
    # segmentations of one image are one patient's
    subject = subject if tree.name == subject else subject_of(stem(Path(image)))
    return SegmentationCase(subject, name, tree.path(image), tree.path(name))


def _image_of(tree: Tree, segmentation: str) -> str:
    """The image beside a segmentation: the only one, or that whose name begins the segmentation's."""
    images: dict[str, list[str]] = {}
    for name in tree.here:
        plain = stem(Path(name))
        volume = name.lower().endswith(VOLUME_ENDINGS) and not name.lower().endswith(SEGMENTATION_ENDING)
        if volume and image_of_mask(plain) is None:
            images.setdefault(plain, []).append(name)
    own = stem(Path(segmentation)).casefold()
    alike = [plain for plain in images if _begins(own, plain.casefold())]
    if alike or len(images) == 1:
        fitting = images[max(alike, key=len) if alike else next(iter(images))]
        if len(fitting) > 1:
            raise TrainingDataError(
                f"{' and '.join(fitting)} in {tree.folder} may both be the image of {segmentation}.",
                "Keep the one that it was made on.",
            )
        return fitting[0]
    raise TrainingDataError(
        f"None of {len(images)} images in {tree.folder} is known to belong to {segmentation}.",
        "Give an image and its segmentation the same name: case1.nrrd, case1.seg.nrrd.",
    )


def _begins(name: str, start: str) -> bool:
    """Whether a name begins with another one as a whole: case10 does not begin with case1."""
    rest = name[len(start) :]
    return name.startswith(start) and not (start[-1:].isdigit() and rest[:1].isdigit())


def _marked(tree: Tree) -> list[str]:
    return [name for name in tree.here if name.lower().endswith((SEGMENTATION_ENDING, SCENE_ENDING))]


def _has_case_folders(tree: Tree) -> bool:
    """Whether the folders are one case each: several in one, or other things, make it a set of its own."""
    counts = [len(_marked(tree.below(folder))) for folder in tree.folders]
    plain = (
        count == 1 or _only_images(tree.below(name)) for name, count in zip(tree.folders, counts, strict=True)
    )
    return any(counts) and all(plain)


def _only_images(tree: Tree) -> bool:
    """Whether nothing but images and notes is there: a case that nobody has segmented yet."""
    plain = all(is_image(name) or is_note(name) for name in tree.here)
    return plain and not tree.folders and not _marked(tree)
