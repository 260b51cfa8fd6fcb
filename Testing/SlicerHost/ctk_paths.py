"""Stand-ins for CTK's fields of files and folders: same properties, signals and slots as the C++ classes."""

from __future__ import annotations

import enum
import os

from PySide6 import QtWidgets
from PySide6.QtCore import Property, QSettings, Signal

from SlicerHost.declared import forwarded, stored

HISTORY_LENGTH = 5


class Filter(enum.IntFlag):
    """Values of ctkPathLineEdit::Filter."""

    Dirs = 0x001
    Files = 0x002
    Drives = 0x004
    NoSymLinks = 0x008
    AllEntries = 0x007
    Readable = 0x010
    Writable = 0x020
    Executable = 0x040
    Modified = 0x080
    Hidden = 0x100
    System = 0x200
    NoDotAndDotDot = 0x1000
    NoDot = 0x2000
    NoDotDot = 0x4000


class Option(enum.IntFlag):
    """Values of ctkPathLineEdit::Option."""

    ShowDirsOnly = 0x01
    DontResolveSymlinks = 0x02
    DontConfirmOverwrite = 0x04
    DontUseNativeDialog = 0x10
    ReadOnly = 0x20
    HideNameFilterDetails = 0x40


class ctkPathLineEdit(QtWidgets.QWidget):
    """A field for the path of a file or folder with a browse button."""

    validInputChanged = Signal(bool)
    currentPathChanged = Signal(str)
    cppOnly = ("comboBox", "setCurrentFileExtension", "hasValidInput", "setFilters")

    def __init__(self, parent=None):
        super().__init__(parent)
        self._combo = QtWidgets.QComboBox()
        self._combo.setEditable(True)
        self._combo.setInsertPolicy(QtWidgets.QComboBox.InsertPolicy.NoInsert)
        self._combo.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)
        self._button = QtWidgets.QToolButton()
        self._button.setText("...")
        self._valid = False
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._combo)
        layout.addWidget(self._button)
        self._combo.editTextChanged.connect(self._onText)
        self._button.clicked.connect(self.browse)

    def comboBox(self):
        return self._combo

    def setCurrentPath(self, path):
        self._combo.setEditText(path)

    def hasValidInput(self):
        """Tell whether the path is there and the filters allow it; for writing, whether its folder is."""
        path, filters = self._combo.currentText(), self.filters
        if not path:
            return False
        if filters & Filter.Writable and filters & Filter.Files:
            return os.path.isdir(os.path.dirname(os.path.abspath(path)))
        isDirectory = os.path.isdir(path) and bool(filters & Filter.Dirs)
        return isDirectory or (os.path.isfile(path) and bool(filters & Filter.Files))

    def _onText(self, path):
        self.currentPathChanged.emit(path)
        valid = self.hasValidInput()
        if valid != self._valid:
            self._valid = valid
            self.validInputChanged.emit(valid)

    def browse(self):
        """Let the user choose a path in a dialog of the kind that the filters ask for."""
        dialog, start, patterns = (
            QtWidgets.QFileDialog,
            self._combo.currentText(),
            ";;".join(self.nameFilters),
        )
        if not self.filters & Filter.Files:
            chosen = dialog.getExistingDirectory(self, self.label or "Select a folder...", start)
        elif self.filters & Filter.Writable:
            chosen = dialog.getSaveFileName(self, self.label or "Save file as...", start, patterns)
        else:
            chosen = dialog.getOpenFileName(self, self.label or "Select a file...", start, patterns)
        if chosen:
            self.setCurrentPath(chosen)

    def _historyKey(self):
        return f"{self.settingKey or self.objectName()}/history"

    def _history(self):
        found = QSettings().value(self._historyKey()) or []
        return [found] if isinstance(found, str) else list(found)

    def retrieveHistory(self):
        """Offer the paths of the history; the newest becomes current, as in CTK."""
        paths = self._history()
        self._combo.blockSignals(True)
        self._combo.clear()
        self._combo.addItems(paths)
        self._combo.blockSignals(False)
        self._onText(self._combo.currentText())

    def addCurrentPathToHistory(self):
        """Put the current path first in the history."""
        path = self._combo.currentText()
        if path:
            others = [each for each in self._history() if each != path]
            QSettings().setValue(self._historyKey(), [path, *others][:HISTORY_LENGTH])

    def _onSettingKey(self):
        self.retrieveHistory()

    currentPath = Property(str, lambda self: self._combo.currentText(), setCurrentPath, user=True)
    filters = stored(int, "filters", int(Filter.AllEntries | Filter.NoDotAndDotDot | Filter.Readable))
    options = stored(int, "options", 0)
    nameFilters = stored("QStringList", "nameFilters", [])
    label = stored(str, "label", "")
    settingKey = stored(str, "settingKey", "", "_onSettingKey")
    showBrowseButton = Property(
        bool, lambda self: not self._button.isHidden(), lambda self, on: self._button.setVisible(on)
    )
    showHistoryButton = stored(bool, "showHistoryButton", True)
    minimumContentsLength = forwarded(int, "_combo", "minimumContentsLength", "setMinimumContentsLength")


# As in C++, the values stand in the class itself: ctkPathLineEdit.Files.
for _value in (*Filter.__members__.items(), *Option.__members__.items()):
    setattr(ctkPathLineEdit, *_value)


class ctkDirectoryButton(QtWidgets.QWidget):
    """A button that shows a folder and lets the user choose another one."""

    directoryChanged = Signal(str)
    directorySelected = Signal(str)

    def __init__(self, *arguments):
        texts = [each for each in arguments if isinstance(each, str)]
        parents = [each for each in arguments if isinstance(each, QtWidgets.QWidget)]
        super().__init__(parents[0] if parents else None)
        self._button = QtWidgets.QPushButton()
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._button)
        self._path = texts[0] if texts else os.getcwd()
        self._button.setText(self._path)
        self._button.clicked.connect(self.browse)

    def _setDirectory(self, path):
        if path != self._path:
            self._path = path
            self._button.setText(path)
            self.directoryChanged.emit(path)

    def browse(self):
        """Let the user choose a folder."""
        chosen = QtWidgets.QFileDialog.getExistingDirectory(self, self.caption, self._path)
        if chosen:
            self._setDirectory(chosen)
            self.directorySelected.emit(chosen)

    directory = Property(str, lambda self: self._path, _setDirectory, user=True)
    caption = stored(str, "caption", "")


class ctkFileDialog(QtWidgets.QFileDialog):
    """A file dialog with a place for one more widget."""

    fileSelectionChanged = Signal("QStringList")

    def __init__(self, parent=None, caption="", directory="", pattern=""):
        super().__init__(parent, caption, directory, pattern)
        self.setOption(QtWidgets.QFileDialog.Option.DontUseNativeDialog)
        self._bottom = None
        self.currentChanged.connect(lambda _path: self.fileSelectionChanged.emit(self.selectedFiles()))

    def setBottomWidget(self, widget, label=""):
        """Put a widget under the file type, with a label before it."""
        grid = self.layout()
        row = grid.rowCount()
        if label:
            grid.addWidget(QtWidgets.QLabel(label), row, 0)
        grid.addWidget(widget, row, 1)
        self._bottom = widget

    def bottomWidget(self):
        return self._bottom

    def setAcceptButtonEnable(self, enable):
        """Let the user accept the dialog or not."""
        box = self.findChild(QtWidgets.QDialogButtonBox)
        kinds = QtWidgets.QDialogButtonBox.StandardButton
        for kind in (kinds.Open, kinds.Save):
            button = box.button(kind)
            if button is not None:
                button.setEnabled(enable)
