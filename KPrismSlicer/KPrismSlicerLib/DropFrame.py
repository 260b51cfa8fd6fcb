"""Accepts what is dragged from the Data tree."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import qt

from KPrismSlicerLib.PanelTools import mute

_ITEM = re.compile(r"mrml://scene/subjecthierarchy/item\?id=(\d+)")


class DropFrame(qt.QFrame):
    """A frame that takes items of the subject hierarchy, and says so while it is empty.

    Args:
        dropped: called with the ids of the items that were dropped.
    """

    def __init__(self, dropped: Callable[[list[int]], None]) -> None:
        qt.QFrame.__init__(self)
        self._dropped = dropped
        self.objectName = "dropFrame"
        self.setAcceptDrops(True)
        self.hint = qt.QLabel()
        self.hint.objectName = "dropHint"
        self.hint.setWordWrap(True)
        self.hint.setAlignment(qt.Qt.AlignCenter)
        self.hint.setMargin(10)
        mute(self.hint)
        layout = qt.QVBoxLayout(self)
        layout.setContentsMargins(1, 1, 1, 1)
        layout.addWidget(self.hint)
        self._highlight(False)

    def dragEnterEvent(self, event: Any) -> None:
        """Qt's: take drags from the Data tree only."""
        if itemIds(event.mimeData()):
            self._highlight(True)
            event.acceptProposedAction()
        else:
            event.ignore()

    def dragLeaveEvent(self, _event: Any) -> None:
        """Qt's."""
        self._highlight(False)

    def dropEvent(self, event: Any) -> None:
        """Qt's: hand the items on when the drag is over, as reading them may show something."""
        self._highlight(False)
        found = itemIds(event.mimeData())
        if found:
            event.acceptProposedAction()
            qt.QTimer.singleShot(0, lambda: self._dropped(found))

    def _highlight(self, on: bool) -> None:
        line = "2px solid palette(highlight)" if on else "1px dashed rgba(128, 128, 128, 150)"
        self.styleSheet = f"#dropFrame {{ border: {line}; border-radius: 4px; }}"


def itemIds(mimeData: Any) -> list[int]:
    """The ids of the subject hierarchy items in a drag, in its order; empty for any other drag."""
    return idsOf([url.toString() for url in mimeData.urls()])


def idsOf(urls: Sequence[str]) -> list[int]:
    """The ids in URLs mrml://scene/subjecthierarchy/item?id=N, each once."""
    matches = (_ITEM.fullmatch(url) for url in urls)
    return list(dict.fromkeys(int(match.group(1)) for match in matches if match))
