"""Typed parameters in a parameter node, and their widgets."""

from __future__ import annotations

import enum
import pathlib
from typing import Annotated, Optional

import pytest
import qt
import slicer
from slicer.parameterNodeWrapper import (
    Choice,
    Default,
    Maximum,
    Minimum,
    WithinRange,
    isParameterNodeWrapper,
    parameterNodeWrapper,
)
from SlicerHost import failures


class Side(enum.Enum):
    LEFT = 1
    RIGHT = 2


@parameterNodeWrapper
class Settings:
    count: Annotated[int, WithinRange(0, 10)] = 3
    low: Annotated[float, Minimum(0.5)] = 1.5
    high: Annotated[int, Maximum(7)]
    ready: bool = True
    name: Annotated[str, Default("liver")]
    mode: Annotated[str, Choice(["slice", "range"])] = "slice"
    folder: pathlib.Path
    side: Side
    names: list[str]
    volume: slicer.vtkMRMLScalarVolumeNode
    limit: Optional[int]  # noqa: UP045  as modules for older Slicers write it


@pytest.fixture
def node(scene):
    return scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "settings")


@pytest.fixture
def settings(node):
    return Settings(node)


class TestValues:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("count", 3),
            ("low", 1.5),
            ("high", 0),
            ("ready", True),
            ("name", "liver"),
            ("side", Side.LEFT),
            ("names", []),
            ("volume", None),
            ("limit", None),
        ],
    )
    def test_a_parameter_begins_with_its_default(self, settings, name, value):
        assert getattr(settings, name) == value

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("count", 10),
            ("low", 2),
            ("ready", False),
            ("name", "a 'b' \"c\""),
            ("mode", "range"),
            ("folder", pathlib.Path("/a/b c")),
            ("side", Side.RIGHT),
            ("names", ["a,b", "c'd"]),
            ("limit", 0),
        ],
    )
    def test_another_wrapper_reads_what_was_written(self, node, settings, name, value):
        setattr(settings, name, value)
        assert getattr(Settings(node), name) == value

    @pytest.mark.parametrize(
        ("name", "value"),
        [("count", 11), ("count", -1), ("low", 0.4), ("high", 8), ("mode", "volume"), ("name", None)],
    )
    def test_a_value_that_is_not_allowed_is_refused(self, settings, name, value):
        with pytest.raises(ValueError, match=r".+"):
            setattr(settings, name, value)

    @pytest.mark.parametrize(
        ("name", "value"), [("count", "3"), ("ready", 1), ("side", 1), ("names", "abc"), ("folder", "/a")]
    )
    def test_a_value_of_another_type_is_refused(self, settings, name, value):
        with pytest.raises(TypeError):
            setattr(settings, name, value)

    def test_a_refused_value_changes_nothing(self, settings):
        with pytest.raises(ValueError, match="11"):
            settings.count = 11
        assert settings.count == 3

    def test_a_list_is_changed_in_place(self, node, settings):
        settings.names.append("liver")
        assert Settings(node).names == ["liver"]

    def test_a_node_is_a_reference(self, node, settings):
        settings.volume = volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
        assert node.GetNodeReference("volume") is volume

    def test_a_removed_node_is_none(self, settings):
        settings.volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
        slicer.mrmlScene.RemoveNode(settings.volume)
        assert settings.volume is None

    def test_a_change_modifies_the_node(self, node, settings):
        told = []
        node.AddObserver("ModifiedEvent", lambda *_: told.append(settings.count))
        settings.count = 4
        assert 4 in told


class TestDeclarations:
    def test_it_is_known_as_a_wrapper(self, settings):
        assert isParameterNodeWrapper(settings)

    def test_a_type_that_cannot_be_kept_is_refused(self, scene):
        with pytest.raises(TypeError):
            parameterNodeWrapper(type("Bad", (), {"__annotations__": {"picture": qt.QPixmap}}))

    def test_a_name_of_the_wrapper_itself_is_refused(self, scene):
        with pytest.raises(ValueError, match="Modified"):
            parameterNodeWrapper(type("Bad", (), {"__annotations__": {"Modified": int}}))


@pytest.fixture
def panel(scene):
    """A check box, a slider, a line edit and a node combo box that name their parameters."""
    parent = qt.QWidget()
    for made, parameter in (
        (qt.QCheckBox(parent), "ready"),
        (qt.QSlider(parent), "count"),
        (qt.QLineEdit(parent), "name"),
        (slicer.qMRMLNodeComboBox(parent), "volume"),
    ):
        made.setProperty("SlicerParameterName", parameter)
        made.objectName = parameter
    parent.findChild("qMRMLNodeComboBox").setMRMLScene(scene)
    return parent


class TestWidgets:
    def test_a_widget_shows_the_parameter(self, settings, panel):
        settings.connectGui(panel)
        assert panel.findChild(qt.QLineEdit).text == "liver"

    def test_a_slider_has_the_parameters_range(self, settings, panel):
        settings.connectGui(panel)
        slider = panel.findChild(qt.QSlider)
        assert (slider.minimum, slider.maximum) == (0, 10)

    def test_a_change_of_the_parameter_reaches_the_widget(self, settings, panel):
        settings.connectGui(panel)
        settings.ready = False
        assert not panel.findChild(qt.QCheckBox).checked

    def test_a_change_of_the_widget_reaches_the_parameter(self, settings, panel):
        settings.connectGui(panel)
        panel.findChild(qt.QCheckBox).click()
        assert not settings.ready

    def test_a_chosen_node_reaches_the_parameter(self, settings, panel):
        settings.connectGui(panel)
        volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
        panel.findChild("qMRMLNodeComboBox").setCurrentNode(volume)
        assert settings.volume is volume

    def test_after_disconnecting_the_widget_is_on_its_own(self, settings, panel):
        settings.disconnectGui(settings.connectGui(panel))
        panel.findChild(qt.QCheckBox).click()
        assert settings.ready

    def test_a_slider_of_a_parameter_without_range_is_refused(self, settings, panel):
        panel.findChild(qt.QSlider).setProperty("SlicerParameterName", "high")
        with pytest.raises(RuntimeError, match="range"):
            settings.connectGui(panel)

    def test_a_deleted_panel_is_left_alone_after_disconnecting(self, settings, panel):
        settings.disconnectGui(settings.connectGui(panel))
        panel.delete()
        settings.count = 5
        assert failures.recorded() == ()
