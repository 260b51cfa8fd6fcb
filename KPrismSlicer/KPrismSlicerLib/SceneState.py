"""The prompts in the scene: a hidden text node for each image that a segmentation was made on.

Settings of the panel are in the parameter node. Masks are the segmentation itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import slicer
from slicer.i18n import tr as _

from KPrismCore.errors import SessionFileError, UnknownClassError
from KPrismCore.geometry import VolumeGeometry
from KPrismSlicerLib.SegmentationPlace import SegmentationPlace

FORMAT = "kprism-prompts"
VERSION = 1
# of every text that `PromptsText` makes
_BEGIN = f'{{"format": "{FORMAT}"'
PROMPTS_ROLE = "KPrism.Prompts"
VOLUME_ROLE = "KPrism.Volume"


class PromptsText:
    """Turns the prompts of a session into the text of the node.

    The pixels of references take long to pack, and never change: they are packed once.
    """

    def __init__(self) -> None:
        self._references: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()

    def make(
        self,
        session: Any,
        others: Iterable[dict[str, Any]] = (),
        place: SegmentationPlace | None = None,
        lackedClasses: Mapping[str, str] | None = None,
    ) -> str:
        """Give the text; on the worker, while no act is at work.

        Args:
            session: of KPrismCore.
            others: what `readPrompts` gave for segments that the session does not have.
            place: where the segmentation lay on the image.
            lackedClasses: by segment id, saved classes that the network lacks and nobody has replaced.
        """
        geometry = session.volume.geometry
        segments = [self._values(segment) for segment in session.segments.values()]
        for values in segments:
            values["class"] = values["class"] or (lackedClasses or {}).get(values["id"])
        return json.dumps(
            {
                "format": FORMAT,
                "version": VERSION,
                "size": list(geometry.size),
                "ijkToRas": geometry.ijk_to_ras.tolist(),
                "segmentationPlace": place.toDict() if place is not None else None,
                "segments": [*others, *segments],
            }
        )

    def _values(self, segment: Any) -> dict[str, Any]:
        from KPrismCore.session_values import segment_values

        state = segment.state
        values = segment_values(replace(segment, state=replace(state, references=())))
        for reference in state.references:
            if reference not in self._references:
                alone = replace(segment, state=replace(state, references=(reference,), slices={}))
                self._references[reference] = segment_values(alone)["references"][0]
            values["references"].append(self._references[reference])
        return values


def readPrompts(
    segmentationNode: Any, volumeNode: Any, geometry: VolumeGeometry
) -> dict[str, dict[str, Any]]:
    """The prompts made on an image, by segment id; {} where there are none.

    Where the image lies on another grid (it was moved or replaced), or the segmentation was moved, class and
    references are given, but not what belongs to slices: image or masks are elsewhere now.

    Raises:
        SessionFileError: they are damaged or of a newer version.
    """
    node = _node(segmentationNode, volumeNode)
    if node is None or not node.GetText():
        return {}
    try:
        values = json.loads(node.GetText())
        if values["format"] != FORMAT:
            raise _damaged(node)
        if int(values["version"]) > VERSION:
            raise SessionFileError(
                _("'{name}' was saved by a newer version.").format(name=node.GetName()),
                _("Update the extension."),
            )
        matrix = np.array(values["ijkToRas"], dtype=np.float64)
        same = values["size"] == list(geometry.size) and _close(matrix, geometry.ijk_to_ras)
        segments = {str(one["id"]): dict(one) for one in values["segments"]}
        if not same or _hasMoved(values, segmentationNode, volumeNode, geometry):
            segments = {key: {**one, "slices": []} for key, one in segments.items()}
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(node) from error
    return segments


def restorePrompts(session: Any, values: dict[str, Any]) -> None:
    """Give a segment of the session the prompts that `readPrompts` gave for it.

    Raises:
        SessionFileError: they are damaged; the segment has none then.
        UnknownClassError: the network lacks its class; the segment has all the others then.
    """
    try:
        session.restore_prompts(_wrapped(values))
    except UnknownClassError:
        session.restore_prompts(_wrapped({**values, "class": None}))
        raise


def writePrompts(segmentationNode: Any, volumeNode: Any, text: str) -> None:
    """Keep the text of `PromptsText` in the scene; the node is made when it is first needed."""
    node = _node(segmentationNode, volumeNode)
    if node is None:
        node = _newNode(segmentationNode, volumeNode)
    node.SetText(text)


def removePrompts(segmentationNode: Any) -> None:
    """Let the prompts of a segmentation go with it: they hold pictures that nobody would see in the scene.

    Call it while it is about to leave the scene. A scene that is closed, loaded or restored puts its nodes in
    order itself; and a segmentation that may come back keeps its prompts.
    """
    scene = segmentationNode.GetScene()
    if _isChanging(scene) or (scene.GetUndoFlag() and segmentationNode.GetUndoEnabled()):
        return
    _removeUnnamed(scene, _nodes(segmentationNode), segmentationNode)


def removeStrayPrompts(scene: Any) -> None:
    """Let those prompts go whose segmentation went while nobody watched the scene."""
    if _isChanging(scene) or scene.GetUndoFlag():
        return
    texts = slicer.util.getNodesByClass("vtkMRMLTextNode", scene)
    _removeUnnamed(scene, [one for one in texts if (one.GetText() or "").startswith(_BEGIN)])


def _isChanging(scene: Any) -> bool:
    """Whether a scene is closed, loaded or restored, or there is none."""
    return scene is None or scene.IsClosing() or scene.IsImporting() or scene.IsRestoring()


def _removeUnnamed(scene: Any, nodes: Iterable[Any], leaving: Any = None) -> None:
    """Remove nodes with prompts, but for those that a segmentation names which stays."""
    # a copy of a segmentation names the same nodes
    staying = [
        one for one in slicer.util.getNodesByClass("vtkMRMLSegmentationNode", scene) if one is not leaving
    ]
    kept = {id(node) for one in staying for node in _nodes(one)}
    for node in nodes:
        if id(node) not in kept:
            scene.RemoveNode(node)


def _wrapped(values: dict[str, Any]) -> dict[str, Any]:
    from KPrismCore.session_values import PROMPTS_VERSION

    return {"version": PROMPTS_VERSION, "segments": [values]}


def _node(segmentationNode: Any, volumeNode: Any) -> Any:
    fitting = (node for node in _nodes(segmentationNode) if node.GetNodeReference(VOLUME_ROLE) is volumeNode)
    return next(fitting, None)


def _nodes(segmentationNode: Any) -> list[Any]:
    """The nodes with the prompts of a segmentation, for all images."""
    count = segmentationNode.GetNumberOfNodeReferences(PROMPTS_ROLE)
    found = [segmentationNode.GetNthNodeReference(PROMPTS_ROLE, number) for number in range(count)]
    return [node for node in found if node is not None]


def _newNode(segmentationNode: Any, volumeNode: Any) -> Any:
    node = slicer.vtkMRMLTextNode()
    node.SetName(slicer.mrmlScene.GenerateUniqueName(f"{segmentationNode.GetName()} K-Prism"))
    node.SetHideFromEditors(True)
    # in the scene file itself: one file less to lose
    node.SetForceCreateStorageNode(slicer.vtkMRMLTextNode.CreateStorageNodeNever)
    slicer.mrmlScene.AddNode(node)
    node.SetNodeReferenceID(VOLUME_ROLE, volumeNode.GetID())
    segmentationNode.AddNodeReferenceID(PROMPTS_ROLE, node.GetID())
    return node


def _hasMoved(
    values: dict[str, Any], segmentationNode: Any, volumeNode: Any, geometry: VolumeGeometry
) -> bool:
    # earlier versions did not note it
    noted = values.get("segmentationPlace")
    place = SegmentationPlace.of(segmentationNode, volumeNode)
    if noted is None or place is None:
        return False
    return place.hasMovedFrom(SegmentationPlace.fromDict(noted), geometry.size)


def _close(one: np.ndarray, other: np.ndarray) -> bool:
    # a scene file keeps about six digits
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=1e-4, atol=1e-2))


def _damaged(node: Any) -> SessionFileError:
    return SessionFileError(
        _("The prompts in '{name}' are damaged.").format(name=node.GetName()),
        _("Go on without them: the masks are not concerned."),
    )
