"""Qt Designer files with qMRML and ctk widgets: loaded by Qt's own loader, checked as if compiled."""

from __future__ import annotations

import inspect
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from PySide6 import QtCore, QtUiTools, QtWidgets

from SlicerHost import signals

_widgetClasses: dict[str, type] = {}


class UiFileError(RuntimeError):
    """A .ui file that Slicer would load wrongly or not at all: the message names the file and the element."""


def registerWidgets(*classes):
    """Make stand-in widget classes known to .ui files under their class names."""
    for class_ in classes:
        _widgetClasses[class_.__name__] = class_


def registeredWidgets():
    """Return {name: class} of the stand-ins that .ui files may use."""
    return dict(_widgetClasses)


class QUiLoader(QtUiTools.QUiLoader):
    """Qt's loader that knows the host's stand-ins and makes their connections."""

    def __init__(self, parent=None):
        super().__init__(parent)
        for class_ in _widgetClasses.values():
            self.registerCustomWidget(class_)

    def load(self, device, parent=None):
        """Load a .ui file from an open QFile (or a path) and return its widget.

        Raises:
            UiFileError: An unknown widget class, property, signal or slot, or a file that is no .ui file.
        """
        name = device.fileName() if isinstance(device, QtCore.QFile) else str(device)
        root = _parse(name)
        _refuseUnknownClasses(name, root, set(self.availableWidgets()))
        own, values = _takeOwnConnections(root), _takeOwnEnums(root)
        self.setWorkingDirectory(QtCore.QDir(str(Path(name).parent)))
        buffer = QtCore.QBuffer()
        buffer.setData(ElementTree.tostring(root, encoding="utf-8"))
        buffer.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
        widget = super().load(buffer, parent)
        if widget is None:
            raise UiFileError(f"{name}: {self.errorString()}")
        widgets = _widgetsByName(widget)
        _refuseUnknownProperties(name, root, widgets)
        for owner, key, text in values:
            widgets[owner].setProperty(key, _enumValue(name, text))
        for connection in own:
            _connect(name, connection, widgets)
        return widget


def loadUI(path):
    """Load a .ui file and return its top widget. Raises UiFileError."""
    return QUiLoader().load(path)


def _parse(name):
    try:
        return ElementTree.parse(name).getroot()
    except (OSError, ElementTree.ParseError) as error:
        msg = f"{name}: {error}"
        raise UiFileError(msg) from error


def _refuseUnknownClasses(name, root, known):
    used = {element.get("class") for element in root.iter("widget")}
    # QUiLoader knows these although it does not list them.
    known = known | {"Line", "QMainWindow", "QDialog", "QMenu", "QMenuBar", "QStatusBar", "QToolBar"}
    unknown = sorted(used - known)
    if unknown:
        raise UiFileError(f"{name}: no such widget class: {', '.join(unknown)}")


def _takeOwnConnections(root):
    """Take those connections out of the tree that Qt cannot make: from or to a stand-in."""
    custom = {
        element.get("name") for element in root.iter("widget") if element.get("class") in _widgetClasses
    }
    taken = []
    for group in root.iter("connections"):
        for connection in list(group):
            ends = {connection.findtext("sender"), connection.findtext("receiver")}
            if ends & custom:
                group.remove(connection)
                taken.append(connection)
    return taken


def _takeOwnEnums(root):
    """Take (widget, property, text) of stand-ins' own enums out of the tree: Qt cannot read them."""
    taken = []
    for element in root.iter("widget"):
        class_ = _widgetClasses.get(element.get("class"))
        for each in element.findall("property") if class_ else ():
            text = each.findtext("enum") or each.findtext("set")
            if text and isinstance(inspect.getattr_static(class_, each.get("name"), None), QtCore.Property):
                element.remove(each)
                taken.append((element.get("name"), each.get("name"), text))
    return taken


def _enumValue(name, text):
    """Return the number of an enum or of flags as a .ui file writes them: Qt::AlignLeft|Qt::AlignTop."""
    value = 0
    for part in filter(None, text.split("|")):
        scope, *_kind, key = part.split("::")
        owner = next((each for each in _enumScopes(scope) if hasattr(each, key)), None)
        if owner is None:
            raise UiFileError(f"{name}: no such value: {part}")
        value |= int(getattr(owner, key))
    return value


def _enumScopes(scope):
    return filter(
        None, [_widgetClasses.get(scope), *(getattr(each, scope, None) for each in (QtCore, QtWidgets))]
    )


def _widgetsByName(widget):
    return {each.objectName(): each for each in [widget, *widget.findChildren(QtCore.QObject)]}


def _refuseUnknownProperties(name, root, widgets):
    """Qt makes a dynamic property of a misspelt one without a word; the compiled form would not compile."""
    for element in root.iter("widget"):
        widget = widgets.get(element.get("name"))
        if widget is None:
            continue
        for each in element.findall("property"):
            # the loader itself knows "buddy", which is no property of QLabel
            known = widget.metaObject().indexOfProperty(each.get("name")) >= 0 or each.get("name") == "buddy"
            if not known and each.get("stdset") != "0":
                raise UiFileError(
                    f"{name}: {element.get('class')} {element.get('name')} has no property {each.get('name')}"
                )


def _connect(name, connection, widgets):
    sender, signal, receiver, slot = (
        connection.findtext(tag) for tag in ("sender", "signal", "receiver", "slot")
    )
    missing = [end for end in (sender, receiver) if end not in widgets]
    if missing:
        raise UiFileError(f"{name}: connection with unknown widget {missing[0]}")
    signature = signals.findSignal(widgets[sender], signal)
    if signature is None:
        raise UiFileError(f"{name}: {sender} has no signal {signal}")
    target = getattr(widgets[receiver], slot.partition("(")[0], None)
    if target is None:
        raise UiFileError(f"{name}: {receiver} has no slot {slot}")
    signals.connect(widgets[sender], signal, target)


def childWidgets(widget):
    """Return {name: widget} of all named widgets below and including this one."""
    named = _widgetsByName(widget)
    return {name: each for name, each in named.items() if name and isinstance(each, QtWidgets.QWidget)}
