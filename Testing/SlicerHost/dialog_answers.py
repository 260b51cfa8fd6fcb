"""How the host answers each kind of modal dialog, in place of the person in front of it."""

from __future__ import annotations

from pathlib import Path

from PySide6 import QtGui, QtWidgets

from SlicerHost import failures
from SlicerHost.dialogs import CANCEL, Shown, take

# Static functions of QInputDialog, and what they return when cancelled.
INPUT_FUNCTIONS = {"getText": "", "getMultiLineText": "", "getItem": "", "getInt": 0, "getDouble": 0.0}


def _className(widget):
    return widget.metaObject().className()


def _plain(text):
    """Return the text of a button or action without its mnemonic and shortcut."""
    return text.partition("\t")[0].replace("&&", "\0").replace("&", "").replace("\0", "&")


def _answerDialog(dialog):
    """Answer what has no form of its own, and pass on what has."""
    special = {
        QtWidgets.QMessageBox: _answerMessageBox,
        QtWidgets.QFileDialog: _answerFileDialog,
        QtWidgets.QInputDialog: _answerInputDialog,
    }
    for class_, function in special.items():
        if isinstance(dialog, class_):
            return function(dialog)
    labels = [_plain(button.text()) for button in dialog.findChildren(QtWidgets.QAbstractButton)]
    text = " ".join(label.text() for label in dialog.findChildren(QtWidgets.QLabel))
    value = take(Shown(_className(dialog), dialog.windowTitle(), text, tuple(filter(None, labels))))
    return _finish(dialog, value)


def _finish(dialog, value):
    """Show the dialog, let the answer act on it, and return its result as exec() would."""
    dialog.show()
    if value is CANCEL:
        dialog.reject()
    elif callable(value):
        value(dialog)
    else:
        dialog.done(int(value))
    if dialog.isVisible():
        dialog.hide()
        failures.record(failures.UNEXPECTED_DIALOG, f"the answer did not close {_className(dialog)}")
    return dialog.result()


def _answerMessageBox(box):
    # A box without buttons gets its OK when it is shown.
    box.show()
    buttons = {_plain(button.text()): button for button in box.buttons()}
    text = " ".join(filter(None, [box.text(), box.informativeText(), box.detailedText()]))
    value = take(Shown(_className(box), box.windowTitle(), text, tuple(buttons)))
    if callable(value):
        return _finish(box, value)
    button = None if value is CANCEL else _chosenButton(box, buttons, value)
    if button is not None:
        button.click()
    else:
        _cancelMessageBox(box, buttons.values())
    return box.result()


def _chosenButton(box, buttons, value):
    button = (
        buttons.get(value)
        if isinstance(value, str)
        else box.button(QtWidgets.QMessageBox.StandardButton(value))
    )
    if button is None or not button.isEnabled():
        failures.record(failures.UNEXPECTED_DIALOG, f"{value!r} is no enabled button of {list(buttons)}")
        return None
    return button


def _cancelMessageBox(box, buttons):
    """Close the box as Escape does; where Escape does nothing, by a button that refuses, or any."""
    box.close()
    if not box.isVisible():
        return
    roles = QtWidgets.QMessageBox.ButtonRole
    refusing = [each for each in buttons if box.buttonRole(each) in (roles.RejectRole, roles.NoRole)]
    for button in (refusing or list(buttons))[-1:]:
        button.click()
    box.hide()


def _answerFileDialog(dialog):
    value = take(Shown(_className(dialog), dialog.windowTitle(), dialog.directory().path()))
    if value is CANCEL or callable(value):
        return _finish(dialog, value)
    for path in _paths(value):
        dialog.selectFile(path)
    return _finish(dialog, QtWidgets.QDialog.DialogCode.Accepted.value)


def _answerInputDialog(dialog):
    value = take(Shown(_className(dialog), dialog.windowTitle(), dialog.labelText()))
    if isinstance(value, str):
        dialog.setTextValue(value)
        value = QtWidgets.QDialog.DialogCode.Accepted.value
    return _finish(dialog, value)


def _answerMenu(menu):
    actions = {_plain(action.text()): action for action in menu.actions() if not action.isSeparator()}
    value = take(Shown(_className(menu), menu.title(), "", tuple(actions)))
    if value is CANCEL:
        return None
    action = actions.get(value)
    if action is None or not action.isEnabled():
        failures.record(failures.UNEXPECTED_DIALOG, f"{value!r} is no enabled entry of {list(actions)}")
        return None
    action.trigger()
    return action


def _messageFunction(name):
    def show(parent=None, title="", text="", buttons=None, default=None):
        standard = QtWidgets.QMessageBox.StandardButton
        fallback = standard.Yes | standard.No if name == "question" else standard.Ok
        box = QtWidgets.QMessageBox(parent)
        box.setWindowTitle(title)
        box.setText(text)
        box.setStandardButtons(standard(fallback if buttons is None else buttons))
        if default is not None:
            box.setDefaultButton(standard(default))
        _answerMessageBox(box)
        clicked = box.clickedButton()
        return box.standardButton(clicked) if clicked is not None else standard.NoButton

    return show


def _paths(value):
    several = [value] if isinstance(value, (str, Path)) else value
    return [str(path) for path in several]


def _fileFunction(name):
    def show(parent=None, caption="", directory="", *_filterAndOptions):
        value = take(Shown(f"QFileDialog.{name}", caption, str(directory)))
        paths = [] if value is CANCEL else _paths(value)
        if name == "getOpenFileNames":
            return tuple(paths)
        return paths[0] if paths else ""

    return show


def _inputFunction(name, empty):
    def show(parent=None, title="", label="", *_values):
        value = take(Shown(f"QInputDialog.{name}", title, label))
        return empty if value is CANCEL else value

    return show


def _colourFunction(initial=None, parent=None, title="", *_options):
    value = take(Shown("QColorDialog.getColor", title, ""))
    return QtGui.QColor() if value is CANCEL else QtGui.QColor(value)


# What exec() of each class does, and the static functions, while nobody is there.
EXECUTED = {QtWidgets.QDialog: _answerDialog, QtWidgets.QMenu: _answerMenu}
STATIC = (
    *(
        (QtWidgets.QMessageBox, name, _messageFunction(name))
        for name in ("information", "question", "warning", "critical", "about")
    ),
    *(
        (QtWidgets.QFileDialog, name, _fileFunction(name))
        for name in ("getOpenFileName", "getOpenFileNames", "getSaveFileName", "getExistingDirectory")
    ),
    *((QtWidgets.QInputDialog, name, _inputFunction(name, empty)) for name, empty in INPUT_FUNCTIONS.items()),
    (QtWidgets.QColorDialog, "getColor", _colourFunction),
)
