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

from KPrismCore import Predictor, load_model
from KPrismCore.commands.demo import sample
from KPrismCore.session import AnnotationSession

LUNGS = ("right lung", "left lung")
SPINE = "thoracic vertebral column"
LUNG_SLICE = (60, 60, 17)  # IJK: both lungs and the spine
VERTEBRA = (62, 44, 15)  # IJK: well inside the spine
BESIDE = {"Red": (0, 0, 0), "Green": (1, 1, 1), "Yellow": (-1, -1, -1), "tilted": (3, 2, 2)}  # from there
AXES = {"Red": 0, "Green": 1, "Yellow": 2}  # of an array KJI, across the slices of the view
ANGLE = 25.0  # degrees


@pytest.fixture
def reader(host, layout_manager):
    """At the window, with the chest CT and the model; nothing may have failed in the end."""
    from SlicerHost.hand import Hand

    reader = Hand(host)
    reader.openChestCt()
    reader.loadModel()
    yield reader
    shown = reader.ui.errorCause.text if reader.ui.errorBar.visible else ""
    reader.close()
    assert shown == ""


def mask_of(reader):
    """The current segment as the scene has it, bool KJI on the grid of the CT."""
    node, segment = reader.logic.segmentationNode, reader.logic.segmentId
    return slicer.util.arrayFromSegmentBinaryLabelmap(node, segment, reader.image) > 0


def dice(first, second):
    return 2 * (first & second).sum() / (first.sum() + second.sum())


def only_slice(index):
    """The slice of that number across the first axis, as an index into arrays KJI."""
    return np.s_[index : index + 1]


def core_mask(name, index):
    """What the supplied model says of a class on an axial slice, without the window; bool KJI."""
    volume, _truth = sample()
    session = AnnotationSession(Predictor(load_model("kprism-small", "cpu")), volume)
    session.new_segment(class_name=name)
    session.predict_slice(session.plane(index))
    assert session.mask().any()
    return session.mask()


@onDisplay
def test_a_class_typed_into_the_list_segments_the_slice_in_view(reader):
    reader.chooseClass("lungs")
    reader.show(LUNG_SLICE)
    reader.segment()
    mask, here = mask_of(reader), only_slice(LUNG_SLICE[2])
    reader.photograph("window_class.png")

    # how good the model is on this CT is not this test's question: the window shows what the model says
    assert dice(mask[here], core_mask("lungs", LUNG_SLICE[2])[here]) > 0.99
    assert mask[here].sum() == mask.sum()
    assert reader.ui.segmentSelector.currentText == "lungs"
    assert reader.ui.resultText.text.startswith(f"Prediction \u00b7 +{mask.sum()} \u22120 pixels")


@onDisplay
def test_a_segment_dragged_from_the_data_tree_shows_the_model_what_to_segment(reader):
    reader.drop(reader.itemOf(reader.example, reader.exampleId(LUNGS[0])))
    rows = reader.widget.panel.what.list
    reader.show(LUNG_SLICE)
    reader.segment()
    mask, here = mask_of(reader), only_slice(LUNG_SLICE[2])
    reader.photograph("window_references.png")

    assert rows.count == reader.ui.shotsSelector.value
    assert all(rows.item(row).text().startswith(LUNGS[0]) for row in range(rows.count))
    assert dice(mask[here], reader.truth(LUNGS[0])[here]) > 0.7
    assert mask[here].sum() == mask.sum()


@onDisplay
def test_clicks_in_all_views_change_what_they_are_made_on_and_can_be_taken_back(reader):
    masks = [np.zeros(reader.truth(SPINE).shape, dtype=bool)]
    for view in AXES:
        masks.append(clicked_on(reader, view, masks[-1]))
        masks.append(clicked_off(reader, view, masks[-1]))
    masks.append(clicked_obliquely(reader, masks[-1]))
    reader.photograph("window_clicks.png")
    assert len(reader.logic.clicks()) == 7

    assert same(taken_back(reader, len(masks) - 1), masks[-2::-1])
    assert (reader.ui.undoButton.enabled, len(reader.logic.clicks())) == (False, 0)
    reader.photograph("window_undone.png")
    assert same(done_again(reader, len(masks) - 1), masks[1:])
    assert (reader.ui.redoButton.enabled, len(reader.logic.clicks())) == (False, 7)
    reader.photograph("window_redone.png")


def clicked_on(reader, view, before):
    """The mask after a positive click on the spine: it has the voxel, and no other slice is changed."""
    voxel = np.add(VERTEBRA, BESIDE[view])
    reader.show(voxel)
    reader.click(view, reader.rasOf(voxel))
    after = mask_of(reader)
    assert after[tuple(voxel[::-1])]
    assert_only_this_slice(reader, view, voxel, before, after, "1 on the object, 0 outside")
    return after


def clicked_off(reader, view, before):
    """The mask after a negative click at the edge of the mask: the voxel is gone, other slices are not."""
    middle = np.add(VERTEBRA, BESIDE[view])
    marked = np.argwhere(before)[:, ::-1]
    here = marked[marked[:, 2 - AXES[view]] == middle[2 - AXES[view]]]
    voxel = here[np.abs(here - middle).sum(axis=1).argmax()]
    reader.click(view, reader.rasOf(voxel), positive=False)
    after = mask_of(reader)
    assert not after[tuple(voxel[::-1])]
    assert_only_this_slice(reader, view, voxel, before, after, "1 on the object, 1 outside")
    return after


def assert_only_this_slice(reader, view, voxel, before, after, clicks):
    changed = np.unique(np.nonzero(after != before)[AXES[view]])
    assert changed.tolist() == [voxel[2 - AXES[view]]]
    assert reader.ui.clickText.text == f"On this slice: {clicks}"


def clicked_obliquely(reader, before):
    """The mask after a positive click in the tilted green view: only voxels that its plane cuts are new."""
    voxel = np.add(VERTEBRA, BESIDE["tilted"])
    reader.show(voxel)
    reader.tilt("Green", ANGLE)
    reader.click("Green", reader.rasOf(voxel))
    after = mask_of(reader)
    to_ras = slicer.util.arrayFromVTKMatrix(
        reader.window.layoutManager().sliceWidget("Green").mrmlSliceNode().GetSliceToRAS()
    )
    normal, spacing = to_ras[:3, 2], np.array(reader.image.GetSpacing())
    changed = np.array([reader.rasOf(one) for one in np.argwhere(after != before)[:, ::-1]])
    distances = np.abs((changed - to_ras[:3, 3]) @ normal)
    assert after[tuple(voxel[::-1])]
    assert len(np.unique(np.nonzero(after != before)[AXES["Green"]])) > 3
    assert distances.max() <= np.abs(normal * spacing).sum() / 2 + 1e-6
    return after


def taken_back(reader, number):
    """The masks after each undo, with keys and button in turn."""
    return retraced(reader, number, "ctrl+z", reader.ui.undoButton)


def done_again(reader, number):
    """The masks after each redo, with keys and button in turn."""
    return retraced(reader, number, "ctrl+y", reader.ui.redoButton)


def retraced(reader, number, keys, button):
    masks = []
    for turn in range(number):
        if turn % 2:
            reader.press(button)
            reader.wait()
        else:
            reader.keys(keys)
        masks.append(mask_of(reader))
    return masks


def same(masks, others):
    return len(masks) == len(others) and all(map(np.array_equal, masks, others))


@onDisplay
def test_exported_files_have_the_voxels_of_the_segmentation(reader, tmp_path):
    masks = two_segments(reader)
    reader.press(reader.ui.exportButton)
    reader.write(reader.ui.exportFolder, str(tmp_path))
    ticked(reader.ui.exportSegNrrd, reader)
    ticked(reader.ui.exportNifti, reader)
    reader.press(reader.ui.writeButton)
    reader.reveal(reader.ui.exportText)
    reader.photograph("window_export.png")

    assert reader.ui.exportText.text.startswith("Written: CTChest4.seg.nrrd, CTChest4-label.nii.gz")
    labels = np.where(masks[1], 2, np.where(masks[0], 1, 0))
    assert same([sitk.GetArrayFromImage(on_the_grid(tmp_path / "CTChest4-label.nii.gz"))], [labels])
    loaded = slicer.util.loadSegmentation(str(tmp_path / "CTChest4.seg.nrrd"))
    assert same(segments_of(reader, loaded), masks)


def two_segments(reader):
    """Make the lungs by their name, and a vertebra by a click on another slice; give both masks."""
    reader.chooseClass("lungs")
    reader.show(LUNG_SLICE)
    reader.segment()
    reader.press(reader.ui.newSegmentButton)
    reader.wait()
    reader.show(VERTEBRA)
    reader.click("Red", reader.rasOf(VERTEBRA))
    masks = segments_of(reader, reader.logic.segmentationNode)
    assert [mask.any() for mask in masks] == [True, True]
    return masks


def segments_of(reader, node):
    """The masks of a segmentation's segments, bool KJI on the grid of the CT."""
    return [
        slicer.util.arrayFromSegmentBinaryLabelmap(node, one, reader.image) > 0
        for one in node.GetSegmentation().GetSegmentIDs()
    ]


def ticked(check, reader):
    """Tick a box with the mouse, unless it is."""
    if not check.isChecked():
        reader.press(check)
    assert check.isChecked()


def on_the_grid(path):
    """Read an image, which must have the grid of the CT."""
    image, scan = sitk.ReadImage(str(path)), sitk.ReadImage(str(sampleFile(IMAGE)))
    assert image.GetSize() == scan.GetSize()
    for name in ("GetSpacing", "GetOrigin", "GetDirection"):
        assert getattr(image, name)() == pytest.approx(getattr(scan, name)(), abs=1e-4)
    return image
