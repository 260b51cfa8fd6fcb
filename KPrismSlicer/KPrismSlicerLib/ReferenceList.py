"""The list of references: thumbnail, tick, name; reordered with the mouse or Alt and an arrow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import qt

from KPrismSlicerLib.PanelTools import quietly
from KPrismSlicerLib.Thumbnails import SIZE

_ROW = SIZE + 8
_REMOVE = (qt.Qt.Key_Delete, qt.Qt.Key_Backspace)
_MOST_ROWS = 4


@dataclass(frozen=True)
class ReferenceRow:
    """One row.

    Args:
        picture: QPixmap.
        text: what it is, in one or two lines.
        enabled: whether it takes part.
    """

    picture: Any
    text: str
    enabled: bool


@dataclass(frozen=True)
class ReferenceActions:
    """What the user can do with a row; all take its number first.

    tick(row, on), move(row, to), remove(row).
    """

    tick: Callable[[int, bool], None]
    move: Callable[[int, int], None]
    remove: Callable[[int], None]


class ReferenceList(qt.QListWidget):
    """Shows references, best place first. Space ticks, Delete removes, Alt with up or down moves.

    Args:
        actions: what to call; their callers are ready for errors.
    """

    def __init__(self, actions: ReferenceActions) -> None:
        qt.QListWidget.__init__(self)
        self._actions = actions
        self.objectName = "referenceList"
        self.setIconSize(qt.QSize(SIZE, SIZE))
        self.setFrameShape(qt.QFrame.NoFrame)
        self.setWordWrap(True)
        self.setTextElideMode(qt.Qt.ElideMiddle)
        self.setHorizontalScrollBarPolicy(qt.Qt.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(qt.QAbstractItemView.ScrollPerPixel)
        self.setDragDropMode(qt.QAbstractItemView.InternalMove)
        self.connect("itemChanged(QListWidgetItem*)", self._ticked)

    def showRows(self, rows: Sequence[ReferenceRow]) -> None:
        """Show these rows; the current one stays the current one."""
        current = self.currentRow
        with quietly(self):
            self.clear()
            for row in rows:
                icon = qt.QIcon(row.picture)
                # the current row's picture keeps its greys
                icon.addPixmap(row.picture, qt.QIcon.Selected)
                item = qt.QListWidgetItem(icon, row.text)
                item.setFlags(_FLAGS)
                item.setCheckState(qt.Qt.Checked if row.enabled else qt.Qt.Unchecked)
                item.setToolTip(row.text)
                item.setSizeHint(qt.QSize(0, _ROW))
                self.addItem(item)
            self.currentRow = min(max(current, 0), len(rows) - 1)
        self.setFixedHeight(_ROW * min(max(len(rows), 1), _MOST_ROWS) + 4)

    def event(self, event: Any) -> bool:
        """Qt's: keys that mean something here are not for the shortcuts of the window."""
        if event.type() == qt.QEvent.ShortcutOverride and self._isOurs(event):
            event.accept()
            return True
        return qt.QListWidget.event(self, event)

    def keyPressEvent(self, event: Any) -> None:
        """Qt's."""
        if not self._isOurs(event):
            qt.QListWidget.keyPressEvent(self, event)
        elif event.key() in _REMOVE:
            self._actions.remove(self.currentRow)
        else:
            self.step(1 if event.key() == qt.Qt.Key_Down else -1)

    def dragEnterEvent(self, event: Any) -> None:
        """Qt's: only the list's own rows; what comes from elsewhere is the frame's."""
        if event.source() == self:
            qt.QListWidget.dragEnterEvent(self, event)
        else:
            event.ignore()

    def dropEvent(self, event: Any) -> None:
        """Qt's: a row was dragged to another place. The rows are moved by whoever shows them."""
        point = event.position().toPoint() if hasattr(event, "position") else event.pos()
        item = self.itemAt(point)
        to = self.row(item) if item is not None else self.count - 1
        row = self.currentRow
        # a move would make the list take the dragged row away
        event.setDropAction(qt.Qt.CopyAction)
        event.accept()
        if 0 <= row != to:
            qt.QTimer.singleShot(0, lambda: self._moveTo(row, to))

    def step(self, by: int) -> None:
        """Move the current row up (-1) or down (1), as far as there is room."""
        row = self.currentRow
        if 0 <= row + by < self.count:
            self._moveTo(row, row + by)

    def _isOurs(self, event: Any) -> bool:
        """Whether a key event is about the current row."""
        if event.modifiers() & qt.Qt.AltModifier:
            return self.currentRow >= 0 and event.key() in (qt.Qt.Key_Up, qt.Qt.Key_Down)
        return self.currentRow >= 0 and event.key() in _REMOVE

    def _moveTo(self, row: int, to: int) -> None:
        self.currentRow = to
        self._actions.move(row, to)

    def _ticked(self, item: Any) -> None:
        self._actions.tick(self.row(item), item.checkState() == qt.Qt.Checked)


_FLAGS = qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled | qt.Qt.ItemIsUserCheckable | qt.Qt.ItemIsDragEnabled
