"""pytest fixtures of the tests that write into segments."""

from __future__ import annotations

import numpy as np
import pytest
import slicer

from Testing.Slicer.scene_samples import SIZE, clear_data_tree, new_volume, slicers_reading, whole_box

SHAPE = SIZE[::-1]


@pytest.fixture
def bridge(scene):
    # the library needs the host, which the fixture `scene` starts
    from KPrismSlicerLib.SceneBridge import SceneBridge

    yield SceneBridge()
    clear_data_tree()


@pytest.fixture
def volume(scene):
    return new_volume()


@pytest.fixture
def hierarchy(scene):
    """The Data tree."""
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)


@pytest.fixture
def segmentation(bridge, volume):
    return bridge.newSegmentation(volume)


@pytest.fixture
def liver(bridge, segmentation):
    return bridge.newSegment(segmentation, "liver")


@pytest.fixture
def tumour(bridge, segmentation):
    return bridge.newSegment(segmentation, "tumour")


@pytest.fixture
def put(bridge, segmentation, volume):
    """Write a mask into a segment: put(segment, mask of the whole image or of the box, box)."""

    def write(segment, mask, box=None):
        box = whole_box(SHAPE) if box is None else box
        return bridge.write(segmentation, segment, volume, None, mask, box)

    return write


@pytest.fixture
def reading(segmentation, volume):
    """What Slicer itself reads of a segment, KJI."""
    return lambda segment: slicers_reading(segmentation, segment, volume)


def random_box(rng, shape):
    """A slice across a random axis, or any box."""
    box = []
    for length in shape:
        first = int(rng.integers(length))
        box.append(slice(first, int(rng.integers(first, length)) + 1))
    axis = int(rng.integers(4))
    if axis < 3:
        box = [slice(0, length) for length in shape]
        first = int(rng.integers(shape[axis]))
        box[axis] = slice(first, first + 1)
    return tuple(box)


def write_at_random(bridge, segmentation, segments, volume, count, seed=1):
    """Write random masks, and the same into numpy arrays; return those by segment."""
    rng = np.random.default_rng(seed)
    shape = slicer.util.arrayFromVolume(volume).shape
    mirror = {one: np.zeros(shape, dtype=bool) for one in segments}
    for turn in range(count):
        one, box = segments[turn % len(segments)], random_box(rng, shape)
        mask = rng.random(mirror[one][box].shape) < rng.choice([0.0, 0.3, 1.0])
        bridge.write(segmentation, one, volume, mirror[one][box].copy(), mask, box)
        mirror[one][box] = mask
    return mirror


def protect(bridge, segmentation, segment, how):
    if how == "locked":
        bridge.setLocked(segmentation, segment, True)
    else:
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        logic.SetSegmentStatus(segmentation.GetSegmentation().GetSegment(segment), logic.Completed)


def cuboid(k, j, i) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[slice(*k), slice(*j), slice(*i)] = True
    return mask


LOW, HIGH = cuboid((1, 4), (1, 6), (1, 7)), cuboid((3, 6), (3, 8), (2, 8))
