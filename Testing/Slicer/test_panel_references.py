"""Section 2 of the panel: the list of references."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import panel_fixtures
import pytest
import qt
from KPrismSlicerLib.Events import PromptsChanged
from KPrismSlicerLib.ReferenceText import referenceText
from KPrismSlicerLib.Thumbnails import outline, thumbnail, thumbnailArray
from panel_stand_ins import a_reference, press

a_logic, an_interaction, an_environment = (
    panel_fixtures.a_logic, panel_fixtures.an_interaction, panel_fixtures.an_environment,
)  # fmt: skip
a_panel, a_case = panel_fixtures.a_panel, panel_fixtures.a_case


@pytest.fixture
def three_references(a_panel, a_case, a_logic):
    """References with the first one current."""
    a_logic.shownReferences = [a_reference("first"), a_reference("second", False), a_reference("third")]
    a_logic.origins = {0: SimpleNamespace(index=4, indices=(2, 4, 7), kind="axial")}
    a_logic.tell(PromptsChanged())
    a_panel.what.list.currentRow = 0
    return a_panel.what.list


def drop(widget, urls):
    """Drop URLs on a widget as Qt would; whether they were taken."""
    data = qt.QMimeData()
    data.setUrls([qt.QUrl(url) for url in urls])
    place = qt.QPointF(5, 5)
    left, none = qt.Qt.LeftButton, qt.Qt.NoModifier
    enter = qt.QDragEnterEvent(place, qt.Qt.CopyAction, data, left, none)
    enter.ignore()
    qt.QApplication.sendEvent(widget, enter)
    if enter.isAccepted():
        qt.QApplication.sendEvent(widget, qt.QDropEvent(place, qt.Qt.CopyAction, data, left, none))
    return enter.isAccepted()


def test_an_item_of_the_data_tree_becomes_references(a_panel, a_case, a_logic, host):
    a_panel.ui.shotsSelector.value = 3
    assert drop(a_panel.what.frame, ["mrml://scene/subjecthierarchy/item?id=17"])
    host.processEvents(0.02)
    assert a_logic.acts("addReferencesFromItem") == [("addReferencesFromItem", (17, 3))]


def test_several_items_are_added_in_their_order(a_panel, a_case, a_logic, host):
    drop(a_panel.what.frame, [f"mrml://scene/subjecthierarchy/item?id={n}" for n in (5, 3, 5)])
    host.processEvents(0.02)
    assert [call[1][0] for call in a_logic.acts("addReferencesFromItem")] == [5, 3]


@pytest.mark.parametrize(
    "urls",
    [
        ["file:///data/scan.nrrd"],
        ["mrml://scene/subjecthierarchy/item?id="],
        ["mrml://scene/subjecthierarchy/item?id=-4"],
        [],
    ],
)
def test_other_drags_are_refused(a_panel, a_case, urls):
    assert not drop(a_panel.what.frame, urls)


def test_a_drop_on_the_list_goes_to_its_frame(three_references, a_logic, host):
    drop(three_references.viewport(), ["mrml://scene/subjecthierarchy/item?id=17"])
    host.processEvents(0.02)
    assert [call[1][0] for call in a_logic.acts("addReferencesFromItem")] == [17]


def test_a_drop_that_comes_after_the_panel_does_nothing(a_panel, a_case, a_logic, host):
    drop(a_panel.what.frame, ["mrml://scene/subjecthierarchy/item?id=17"])
    a_panel.cleanup()
    host.processEvents(0.02)
    assert a_logic.acts("addReferencesFromItem") == []


def test_without_references_the_frame_says_what_to_drag(a_panel, a_case):
    assert a_panel.what.frame.hint.visible
    assert not a_panel.what.list.visible


def test_references_are_shown_with_their_ticks(three_references):
    states = [three_references.item(row).checkState() == qt.Qt.Checked for row in range(3)]
    assert states == [True, False, True]


def test_a_tick_switches_the_reference(three_references, a_logic):
    three_references.item(1).setCheckState(qt.Qt.Checked)
    assert a_logic.acts("enableReference") == [("enableReference", (1, True))]


def test_delete_removes_the_current_reference(three_references, a_logic):
    press(three_references, qt.Qt.Key_Delete)
    assert a_logic.acts("removeReference") == [("removeReference", (0,))]


def test_alt_and_down_moves_the_current_reference(three_references, a_logic):
    press(three_references, qt.Qt.Key_Down, qt.Qt.AltModifier)
    assert a_logic.acts("moveReference") == [("moveReference", (0, 1))]
    assert three_references.currentRow == 1


def test_delete_in_the_list_is_no_shortcut_of_the_window(three_references, a_logic):
    taken = []
    shortcut = qt.QShortcut(qt.QKeySequence(qt.Qt.Key_Delete), three_references.window())
    shortcut.connect("activated()", lambda: taken.append(1))
    three_references.setFocus()
    press(three_references, qt.Qt.Key_Delete)
    shortcut.delete()
    assert taken == []
    assert a_logic.acts("removeReference") == [("removeReference", (0,))]


def test_down_alone_chooses_the_next_reference(three_references, a_logic):
    press(three_references, qt.Qt.Key_Down)
    assert three_references.currentRow == 1
    assert a_logic.acts("moveReference") == []


def test_the_buttons_move_and_remove(three_references, a_panel, a_logic):
    a_panel.ui.referenceDownButton.click()
    a_panel.ui.referenceRemoveButton.click()
    assert a_logic.acts("moveReference", "removeReference") == [
        ("moveReference", (0, 1)),
        ("removeReference", (1,)),
    ]


def test_the_first_reference_cannot_go_up(three_references, a_panel):
    assert not a_panel.ui.referenceUpButton.enabled
    assert a_panel.ui.referenceDownButton.enabled


def test_the_slice_of_a_reference_is_shown(three_references, a_panel):
    assert a_panel.ui.referenceSlice.value == 4


@pytest.mark.parametrize(("wanted", "taken"), [(5, 7), (3, 2), (7, 7)])
def test_another_slice_is_one_with_the_object(three_references, a_panel, a_logic, wanted, taken):
    a_panel.ui.referenceSlice.value = wanted
    assert a_logic.acts("setReferenceSlice") == [("setReferenceSlice", (0, taken))]


def test_a_reference_of_unknown_origin_offers_no_slices(three_references, a_panel, a_logic):
    three_references.currentRow = 1
    assert not a_panel.ui.referenceSlice.visible


def test_the_slice_in_view_becomes_a_reference(a_panel, a_case, a_logic, layout_manager):
    a_panel.ui.addSliceButton.click()
    node = layout_manager.sliceWidget("Red").mrmlSliceNode()
    assert a_logic.acts("addSliceAsReference") == [("addSliceAsReference", (node,))]


def test_the_thumbnail_outlines_the_mask(host):
    picture = thumbnailArray(a_reference(), "#ff0000")
    red = (picture == (255, 0, 0)).all(axis=-1)
    columns = np.nonzero(red)[1]
    # 40 x 60 mm in 112 pixels: the disc of radius 10 in the middle is 37 pixels wide
    assert 34 <= np.ptp(columns) <= 40
    assert not red[56, 56]


def test_the_thumbnail_keeps_the_shape_in_mm(host):
    thin = a_reference()
    thin.spacing, thin.value_range = (3.0, 1.0), (-100.0, 0.0)
    shown = (thumbnailArray(thin, "#ff0000") == 255).all(axis=-1)
    rows, columns = np.nonzero(shown)
    # 40 rows of 3 mm, 60 columns of 1 mm
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (112, 56)


def test_a_mask_at_the_edge_is_outlined_there(host):
    full = np.ones((9, 9), dtype=bool)
    assert outline(full)[0].all()
    assert not outline(full)[4, 4]


def test_the_picture_survives_the_way_into_qt(host):
    image = thumbnail(a_reference(), "#ff0000").toImage()
    assert (image.width(), image.height()) == (112, 112)


def a_session(spacing=(1.0, 1.0)):
    return SimpleNamespace(
        volume=SimpleNamespace(modality="CT"),
        plane=lambda _index: SimpleNamespace(pixel_spacing=spacing),
        plane_kind="axial",
    )


def test_a_reference_like_the_image_says_only_what_it_is(host):
    assert referenceText(a_reference("liver"), None, a_session()) == "liver\nCT \u00b7 1 mm pixels"


def test_another_scale_is_said(host):
    assert "the image has 0.5 mm pixels" in referenceText(a_reference(), None, a_session((0.5, 0.5)))


def test_another_modality_is_said(host):
    other = a_reference()
    other.modality = "MR"
    assert "the image is CT" in referenceText(other, None, a_session())


def test_another_orientation_is_said(host):
    origin = SimpleNamespace(kind="coronal")
    assert "the image is cut axial" in referenceText(a_reference(), origin, a_session())
