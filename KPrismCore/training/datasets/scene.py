"""Cases in scenes of 3D Slicer (.mrb): a zip archive with one MRML file, volumes and segmentations.

Only the files that the scene's volumes and segmentations name are taken out, one by one, into a temporary
folder under names made here: what an archive calls its files cannot lead anywhere else.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import tempfile
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from KPrismCore.errors import InputFileError, TrainingDataError
from KPrismCore.image_files import VOLUME_ENDINGS
from KPrismCore.training.datasets.cases import segment_layers
from KPrismCore.training.datasets.content import Content, DataCase
from KPrismCore.volumes import read_volume

MAX_SCENE_BYTES = 64 << 20
_SEGMENTATION = "Segmentation"
_SCALAR_VOLUMES = ("Volume", "VectorVolume")


@dataclass(frozen=True)
class SceneCase(DataCase):
    """A scene: each of its segmentations with the volume that it was made on."""

    scene: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """The archive."""
        return (self.scene,)

    def read(self) -> list[Content]:
        """Read every segmentation of the scene and its volume.

        Raises:
            InputFileError: the archive or a file in it is damaged, or it is no scene.
            TrainingDataError: no segmentation; or its volume is unknown, missing, or transformed alone.
        """
        contents = []
        with _opened(self.scene) as archive, tempfile.TemporaryDirectory(prefix="kprism-scene-") as folder:
            for number, (volume_file, segmentation_file) in enumerate(_pairs(archive, self.scene)):
                place = Path(folder) / str(number)
                place.mkdir()
                volume = read_volume(_extracted(archive, volume_file, place / "volume"))
                segmentation = _extracted(archive, segmentation_file, place / "segments")
                contents.append(Content(volume, segment_layers(segmentation, volume)))
        return contents


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive; whatever is damaged in it is named."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputFileError(f"{path} is damaged or no scene ({error}).", "Save the scene again.") from error


def _pairs(archive: zipfile.ZipFile, path: Path) -> list[tuple[str, str]]:
    """Names within the archive of every segmentation's volume file and of its own file."""
    scene_name, root = _scene(archive, path)
    nodes = {node.get("id", ""): node for node in root}
    segmentations = [node for node in root if node.tag == _SEGMENTATION]
    if not segmentations:
        raise TrainingDataError(f"{path} holds no segmentation.", "Save a scene with one.")
    pairs = []
    for node in segmentations:
        volume = _volume_of(node, nodes, path)
        if _references(node).get("transform") != _references(volume).get("transform"):
            raise TrainingDataError(
                f"In {path} a transform moves '{node.get('name')}' and not its volume.",
                "Harden or remove the transform and save the scene again.",
            )
        top = posixpath.dirname(scene_name)
        pairs.append((_member(archive, volume, nodes, top, path), _member(archive, node, nodes, top, path)))
    return pairs


def _scene(archive: zipfile.ZipFile, path: Path) -> tuple[str, ElementTree.Element]:
    names = [name for name in archive.namelist() if name.lower().endswith(".mrml")]
    if len(names) != 1 or archive.getinfo(names[0]).file_size > MAX_SCENE_BYTES:
        raise InputFileError(f"{path} is no scene of 3D Slicer.", "Save it as .mrb from 3D Slicer.")
    text = archive.read(names[0])
    # a scene has no document type; entities could make a small file fill the memory
    if re.search(rb"<!(DOCTYPE|ENTITY)", text):
        raise InputFileError(f"The scene in {path} declares entities.", "Save it again from 3D Slicer.")
    try:
        return names[0], ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise InputFileError(f"The scene in {path} is damaged ({error}).", "Save it again.") from error


def _references(node: ElementTree.Element) -> dict[str, str]:
    """Identifiers of other nodes by role; 3D Slicer writes "role:id;role:id;"."""
    pairs = (part.partition(":") for part in node.get("references", "").split(";") if ":" in part)
    return {role.strip(): ids.split()[0] for role, _, ids in pairs if ids.strip()}


def _volume_of(
    node: ElementTree.Element, nodes: dict[str, ElementTree.Element], path: Path
) -> ElementTree.Element:
    wanted = _references(node).get("referenceImageGeometryRef", "")
    if wanted in nodes:
        return nodes[wanted]
    volumes = [one for one in nodes.values() if one.tag in _SCALAR_VOLUMES]
    if len(volumes) != 1:
        raise TrainingDataError(
            f"{path} does not tell on which of {len(volumes)} volumes '{node.get('name')}' was made.",
            "Set its source volume in 3D Slicer and save the scene again.",
        )
    return volumes[0]


def _member(
    archive: zipfile.ZipFile,
    node: ElementTree.Element,
    nodes: dict[str, ElementTree.Element],
    top: str,
    path: Path,
) -> str:
    """The file of a node, as the archive calls it."""
    storage = nodes.get(_references(node).get("storage", ""))
    written = storage.get("fileName", "") if storage is not None else ""
    for name in (written, unquote(written)):
        inside = posixpath.join(top, name)
        if name and inside in archive.namelist():
            return inside
    raise TrainingDataError(
        f"{path} does not hold the file of '{node.get('name')}'.", "Save the scene again as .mrb."
    )


def _extracted(archive: zipfile.ZipFile, name: str, target: Path) -> Path:
    """Take one file out under a name made here; only its ending is kept."""
    ending = next((end for end in (".seg.nrrd", *VOLUME_ENDINGS) if name.lower().endswith(end)), None)
    if ending is None:
        raise InputFileError(f"'{name}' in the scene is of no supported kind.", "Save it as .nrrd.")
    path = target.with_name(target.name + ending)
    with archive.open(name) as source, path.open("wb") as goal:
        shutil.copyfileobj(source, goal)
    return path
