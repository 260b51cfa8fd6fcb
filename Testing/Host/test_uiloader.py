"""Designer files with stand-ins: loaded, connected, and refused where Slicer would not load them."""

from __future__ import annotations

import pytest
from sample_widgets import aSceneWidget, aSelector
from SlicerHost import signals, uiloader

UI = """<?xml version="1.0" encoding="UTF-8"?>
<ui version="4.0">
 <class>Panel</class>
 <widget class="aSceneWidget" name="Panel">
  <layout class="QVBoxLayout" name="column">
   <item>
    <widget class="ctkCollapsibleButton" name="caseButton">
     <property name="text"><string>Case</string></property>
     <layout class="QFormLayout" name="form">
      <item row="0" column="1">
       <widget class="aSelector" name="volumeSelector">
        <property name="nodeTypes"><stringlist><string>vtkMRMLVolumeNode</string></stringlist></property>
        <property name="SlicerParameterName" stdset="0"><string>volume</string></property>
       </widget>
      </item>
      <item row="1" column="1">
       <widget class="ctkPathLineEdit" name="folder">
        <property name="filters"><set>ctkPathLineEdit::Dirs|ctkPathLineEdit::Writable</set></property>
       </widget>
      </item>
     </layout>
    </widget>
   </item>
   <item><widget class="QCheckBox" name="on"/></item>
   <item><widget class="QLabel" name="state"/></item>
  </layout>
 </widget>
 <connections>
  <connection>
   <sender>Panel</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>
   <receiver>volumeSelector</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot>
  </connection>
  <connection>
   <sender>on</sender><signal>toggled(bool)</signal><receiver>state</receiver><slot>setVisible(bool)</slot>
  </connection>
 </connections>
</ui>
"""


@pytest.fixture(autouse=True)
def qt(host):
    import qt

    uiloader.registerWidgets(aSceneWidget, aSelector)
    return qt


@pytest.fixture
def load(tmp_path):
    def load(text=UI):
        path = tmp_path / "Panel.ui"
        path.write_text(text, encoding="utf-8")
        return uiloader.loadUI(str(path))

    return load


@pytest.fixture
def named(load):
    return uiloader.childWidgets(load())


def test_stand_ins_are_made(named):
    assert isinstance(named["volumeSelector"], aSelector)


def test_properties_of_stand_ins_are_set(named):
    assert named["volumeSelector"].nodeTypes == ("vtkMRMLVolumeNode",)


def test_dynamic_properties_are_set(named):
    assert named["volumeSelector"].SlicerParameterName == "volume"


def test_enum_properties_of_stand_ins_are_set(named):
    folder = named["folder"]
    assert folder.filters == folder.Dirs | folder.Writable


def test_a_connection_with_a_cpp_pointer_is_made(named):
    scene = object()
    named["Panel"].setMRMLScene(scene)
    assert named["volumeSelector"].mrmlScene() is scene


def test_a_forgotten_connection_shows(load):
    before, _, after = UI.partition("<connections>")
    panel = load(before + "</ui>" if after else before)
    named = uiloader.childWidgets(panel)
    panel.setMRMLScene(object())
    assert named["volumeSelector"].mrmlScene() is None


def test_a_connection_between_qt_widgets_is_made(named):
    named["on"].checked = True
    named["on"].checked = False
    assert named["state"].visible is False
    assert named["state"].isHidden()


def test_a_ui_file_loads_as_slicer_util_does_it(qt, tmp_path):
    path = tmp_path / "Panel.ui"
    path.write_text(UI, encoding="utf-8")
    file = qt.QFile(str(path))
    file.open(qt.QFile.ReadOnly)
    assert qt.QUiLoader().load(file).name == "Panel"


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ('class="aSelector"', 'class="aSelecter"', "no such widget class: aSelecter"),
        (
            '<property name="nodeTypes">',
            '<property name="nodeType">',
            "aSelector volumeSelector has no property nodeType",
        ),
        ("mrmlSceneChanged(vtkMRMLScene*)", "mrmlSceneChanged(vtkMRMLNode*)", "Panel has no signal"),
        ("setMRMLScene(vtkMRMLScene*)", "setScene(vtkMRMLScene*)", "volumeSelector has no slot"),
        ("<receiver>volumeSelector", "<receiver>selector", "unknown widget selector"),
        ("ctkPathLineEdit::Dirs", "ctkPathLineEdit::Directories", "no such value"),
        ("</ui>", "", "no element found"),
    ],
)
def test_a_mistake_in_the_file_is_refused(load, good, bad, message):
    assert good in UI
    with pytest.raises(uiloader.UiFileError, match=message):
        load(UI.replace(good, bad))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(uiloader.UiFileError, match="Nowhere"):
        uiloader.loadUI(str(tmp_path / "Nowhere.ui"))


def test_a_pointer_signal_connects_with_its_own_type_only(load):
    panel = load()
    assert signals.findSignal(panel, "mrmlSceneChanged(vtkMRMLScene*)") is not None
    assert signals.findSignal(panel, "mrmlSceneChanged(vtkMRMLNode*)") is None
