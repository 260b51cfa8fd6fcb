"""Volumes, segmentations and segments for the tests that read and write the scene."""

from __future__ import annotations

import numpy as np
import slicer
import vtk

SIZE = (9, 8, 7)
LABELMAP = "Binary labelmap"


def rotation(x: float, y: float, z: float) -> np.ndarray:
    """Turn about x, then y, then z, in degrees."""
    matrix = np.eye(3)
    for axis, degrees in enumerate((x, y, z)):
        c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        first, second = [(1, 2), (2, 0), (0, 1)][axis]
        turn = np.eye(3)
        turn[[first, first, second, second], [first, second, first, second]] = (c, -s, s, c)
        matrix = turn @ matrix
    return matrix


def grid(directions, spacing=(1.0, 1.0, 1.0), origin=(-100.125, 33.3, 1 / 3)) -> np.ndarray:
    """IJK to RAS of unit directions (columns), spacing and origin."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.asarray(directions) * np.asarray(spacing)
    matrix[:3, 3] = origin
    return matrix


PERMUTED = np.eye(3)[:, [2, 0, 1]]
# name: (voxels i, j, k; IJK to RAS)
GRIDS = {
    "isotropic": (SIZE, grid(np.eye(3))),
    "anisotropic": (SIZE, grid(np.eye(3), (0.7, 1 / 3, 6.5))),
    "flipped": (SIZE, grid(np.diag([-1.0, -1.0, 1.0]), (0.7, 0.8, 3.0))),
    "mirrored": (SIZE, grid(np.diag([1.0, 1.0, -1.0]), (0.7, 0.8, 3.0))),
    "permuted": (SIZE, grid(PERMUTED, (0.7, 0.8, 3.0))),
    "permuted and flipped": (SIZE, grid(PERMUTED @ np.diag([1.0, -1.0, -1.0]), (0.7, 0.8, 3.0))),
    "rotated": (SIZE, grid(rotation(20, -7, 35), (0.7, 0.8, 3.0))),
    "rotated and flipped": (SIZE, grid(rotation(-11, 40, 5) @ np.diag([1.0, -1.0, 1.0]), (0.5, 0.5, 2.5))),
    "one slice along k": ((9, 8, 1), grid(rotation(0, 0, 10), (0.7, 0.8, 5.0))),
    "one slice along i": ((1, 8, 7), grid(np.eye(3), (5.0, 0.8, 0.7))),
    "one voxel": ((1, 1, 1), grid(np.eye(3))),
}


def new_volume(size=SIZE, matrix=None, name="CT", seed=0):
    """An image of random values."""
    values = np.random.default_rng(seed).integers(0, 200, size[::-1]).astype(np.int16)
    matrix = grid(np.eye(3)) if matrix is None else matrix
    return slicer.util.addVolumeFromArray(values, ijkToRAS=matrix, name=name)


def vtk_matrix(matrix):
    """Copy an array (4, 4) to a vtkMatrix4x4."""
    copy = vtk.vtkMatrix4x4()
    copy.DeepCopy(np.asarray(matrix).ravel().tolist())
    return copy


def new_transform(matrix=None):
    """A linear transform node: turned and shifted unless given."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "transform")
    matrix = grid(rotation(5, 10, 30), origin=(50, -20, 7)) if matrix is None else matrix
    node.SetMatrixTransformToParent(vtk_matrix(matrix))
    return node


def new_bending_transform():
    """A transform node that is not linear."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode", "bending")
    bending = vtk.vtkThinPlateSplineTransform()
    source, target = vtk.vtkPoints(), vtk.vtkPoints()
    for corner in np.ndindex(2, 2, 2):
        source.InsertNextPoint(*(100.0 * n for n in corner))
        target.InsertNextPoint(*(100.0 * n + 5 * corner[0] * corner[1] for n in corner))
    bending.SetSourceLandmarks(source)
    bending.SetTargetLandmarks(target)
    node.SetAndObserveTransformToParent(bending)
    return node


def slicers_reading(segmentation, segment, volume) -> np.ndarray:
    """A segment KJI as 3D Slicer's own export gives it."""
    return slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment, volume) != 0


def layer_of(segmentation, segment):
    """The labelmap that holds a segment."""
    return segmentation.GetSegmentation().GetSegment(segment).GetRepresentation(LABELMAP)


def set_layer(segmentation, segments, labels: np.ndarray, matrix, first=(0, 0, 0)) -> None:
    """Give segments one labelmap, with label values 1, 2, ... in their order.

    Args:
        segmentation: the segmentation.
        segments: of the segments.
        labels: KJI.
        matrix: IJK to RAS.
        first: index i, j, k of the first voxel.
    """
    image = slicer.vtkOrientedImageData()
    ends = [(start, start + length - 1) for start, length in zip(first, labels.shape[::-1], strict=True)]
    image.SetExtent(*[index for pair in ends for index in pair])
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    voxels = vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    voxels[:] = np.ascontiguousarray(labels, dtype=np.uint8).ravel()
    image.SetImageToWorldMatrix(vtk_matrix(matrix))
    for value, one in enumerate(segments, start=1):
        segment = segmentation.GetSegmentation().GetSegment(one)
        segment.SetLabelValue(value)
        segment.AddRepresentation(LABELMAP, image)


def add_surface(segmentation, name, centre, radius) -> str:
    """Add a ball as closed surface to a segmentation; return the segment's id."""
    ball = vtk.vtkSphereSource()
    ball.SetCenter(*centre)
    ball.SetRadius(radius)
    ball.SetThetaResolution(24)
    ball.SetPhiResolution(24)
    ball.Update()
    return segmentation.AddSegmentFromClosedSurfaceRepresentation(ball.GetOutput(), name, [1.0, 0.0, 0.0])


def new_editor(segmentation, volume=None):
    """The settings of the Segment Editor for a segmentation."""
    editor = slicer.vtkMRMLSegmentEditorNode()
    editor.SetSingletonTag("SegmentEditor")
    editor = slicer.mrmlScene.AddNode(editor)
    editor.SetAndObserveSegmentationNode(segmentation)
    editor.SetAndObserveSourceVolumeNode(volume)
    return editor


def whole_box(shape) -> tuple[slice, slice, slice]:
    """The box of an array KJI."""
    k, j, i = shape
    return slice(0, k), slice(0, j), slice(0, i)


def item_of(node) -> int:
    """The node's item in the Data tree; made, if the host has not made it."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    return hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)


def clear_data_tree() -> None:
    """Remove the items that `item_of` made; closing the scene would leave them."""
    slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene).RemoveAllItems(False)
