"""A reader at the window with a real mouse and a real keyboard, on an X server (SlicerHost.xserver).

@onDisplay
def test_a_class_is_segmented(host):
    reader = Hand(host)
    reader.openChestCt()
    reader.loadModel()
    reader.chooseClass("lungs")
    reader.segment()
"""

from __future__ import annotations

from PySide6 import QtWidgets

from SlicerHost.reader import Reader
from SlicerHost.xserver import Pointer, photograph

ENTRY = 30  # pixels from the left edge of an entry of the Data tree to where it is taken


class Hand(Reader):
    """See the module, and Reader: what that does by events of Qt is done by the pointer and by keys here."""

    def __init__(self, host, **options):
        super().__init__(host, **options)
        self.pointer = Pointer(host)
        self.window.move(0, 0)
        self.settle()
        self.pointer.focus(self.window)

    def press(self, button):
        """Press a button with the mouse."""
        self.reveal(button)
        self.pointer.click(button)

    def openClasses(self, text=""):
        """Open the class list and type into its search field."""
        picker = self.widget.panel.what.picker
        self.press(picker.combo)
        self.pointer.type(text)
        return picker

    def chooseClass(self, name):
        """Search a class, and take the first one found."""
        self.openClasses(name)
        self.keys("Return")

    def drop(self, item):
        """Drag an item of the Data tree onto the references."""
        tree, frame = self.window.dataTree(), self.widget.panel.what.frame
        self.reveal(frame)
        tree.setCurrentItem(item)
        index = tree.currentIndex()
        tree.scrollTo(index)
        self.settle()
        row = tree.visualRect(index)
        self.pointer.drag(tree.viewport(), (row.x() + ENTRY, row.center().y()), frame, None)
        self.wait()

    def click(self, view, ras, positive=True):
        """Click in a view with the tool of that polarity, and wait for the mask."""
        self.take(positive)
        self.pointer.clickRas(view, ras)
        self.wait()

    def keys(self, *keys):
        """Press keys such as "ctrl+z" one after the other, and wait for what they do."""
        self.pointer.key(*keys)
        self.wait()

    def write(self, field, text):
        """Write a text in place of the one in a field, and leave the field."""
        self.reveal(field)
        edit = field if isinstance(field, QtWidgets.QLineEdit) else field.findChild(QtWidgets.QLineEdit)
        self.pointer.click(edit)
        self.pointer.key("ctrl+a")
        self.pointer.type(text)
        self.pointer.key("Tab")

    def reveal(self, widget):
        """Scroll the panel so far that the middle of a widget is to be seen.

        Raises:
            AssertionError: it is hidden, or is not in the panel.
        """
        super().reveal(widget)
        area = self.window.findChild(QtWidgets.QScrollArea)
        middle = widget.mapTo(area.viewport(), widget.rect().center())
        if not (widget.isVisible() and area.viewport().rect().contains(middle)):
            raise AssertionError(f"{widget.metaObject().className()} cannot be seen")

    def photograph(self, name):
        """Photograph the screen into artifacts/, with the pointer out of the way; return the path."""
        self.pointer.moveTo(self.window.statusBar(), 300)
        self.settle(0.3)
        return photograph(name)
