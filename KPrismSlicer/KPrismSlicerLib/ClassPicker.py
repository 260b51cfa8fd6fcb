"""The class dropdown: a list with search, grouped by region or by modality."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import qt
from slicer.i18n import tr as _

from KPrismSlicerLib.ClassCombo import ClassCombo
from KPrismSlicerLib.ClassGroups import BY_MODALITY, BY_REGION, groupClasses, suits
from KPrismSlicerLib.PanelTools import Slots, swatch

if TYPE_CHECKING:
    from KPrismCore.catalogue import ClassEntry

_HEIGHT, _WIDTH = 340, 380
Search = Callable[[str], Sequence["ClassEntry"]]


class ClassPicker:
    """Opens under its `combo`; typing searches, arrows move, Enter takes, Escape leaves.

    Args:
        slots: for its connections.
        search: gives the classes that fit a typed text, best first; all of them for ''.
        chosen: called with the name of the class that the user takes.
    """

    def __init__(self, slots: Slots, search: Search, chosen: Callable[[str], None]) -> None:
        self.combo = ClassCombo(slots.guarded(self.open))
        self._search = search
        self._chosen = chosen
        self._modality: str | None = None
        self._by = BY_REGION
        self._makeWidgets()
        slots.connect(self.searchField, "textChanged(QString)", self._fill)
        slots.connect(self.searchField, "returnPressed()", self._takeCurrent)
        slots.connect(self.tree, "itemActivated(QTreeWidgetItem*,int)", self._take)
        slots.connect(self.tree, "itemClicked(QTreeWidgetItem*,int)", self._take)
        slots.connect(self.byRegion, "clicked()", lambda: self._group(BY_REGION))
        slots.connect(self.byModality, "clicked()", lambda: self._group(BY_MODALITY))
        for key, step in ((qt.Qt.Key_Down, 1), (qt.Qt.Key_Up, -1)):
            shortcut = qt.QShortcut(qt.QKeySequence(key), self.popup)
            slots.connect(shortcut, "activated()", lambda step=step: self._move(step))

    def setModality(self, modality: str | None) -> None:
        """Say of which modality the image is: its classes come first, the others are dimmed."""
        self._modality = modality

    def open(self) -> None:
        """Open the list under the dropdown, empty of old searches."""
        self.searchField.clear()
        self._fill("")
        width = max(self.combo.width, _WIDTH)
        self.popup.resize(width, _HEIGHT)
        self.popup.move(self._place(width))
        self.popup.show()
        self.searchField.setFocus()

    def shownNames(self) -> list[str]:
        """The names in the list, from top to bottom."""
        return [leaf.text(0) for leaf in self._leaves()]

    def _makeWidgets(self) -> None:
        self.popup = qt.QFrame(self.combo)
        self.popup.objectName = "classPopup"
        self.popup.setWindowFlags(qt.Qt.Popup)
        self.popup.setFrameShape(qt.QFrame.StyledPanel)
        self.searchField = qt.QLineEdit()
        self.searchField.objectName = "classSearch"
        self.searchField.placeholderText = _("Search name or synonym")
        self.searchField.clearButtonEnabled = True
        self.byRegion = self._choice("classByRegion", _("Region"))
        self.byModality = self._choice("classByModality", _("Modality"))
        self.byRegion.checked = True
        self.tree = qt.QTreeWidget()
        self.tree.objectName = "classTree"
        self.tree.setColumnCount(3)
        self.tree.rootIsDecorated = False
        self.tree.indentation = 12
        self.tree.uniformRowHeights = True
        header = self.tree.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, qt.QHeaderView.Stretch)
        header.setSectionResizeMode(1, qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(2, qt.QHeaderView.ResizeToContents)
        top = qt.QHBoxLayout()
        for widget in (self.searchField, self.byRegion, self.byModality):
            top.addWidget(widget)
        layout = qt.QVBoxLayout(self.popup)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(top)
        layout.addWidget(self.tree)

    def _choice(self, name: str, text: str) -> Any:
        button = qt.QRadioButton()
        button.objectName = name
        button.text = text
        button.toolTip = _("Group the classes by this")
        return button

    def _group(self, by: str) -> None:
        self._by = by
        self._fill(self.searchField.text)
        self.searchField.setFocus()

    def _fill(self, text: str) -> None:
        self.tree.clear()
        middle = _("Modality") if self._by == BY_REGION else _("Region")
        self.tree.setHeaderLabels([_("Class"), middle, _("SNOMED CT")])
        for group in groupClasses(self._search(text), self._by, self._modality):
            heading = qt.QTreeWidgetItem()
            self.tree.addTopLevelItem(heading)
            title = group.title or _("other")
            heading.setText(0, title[:1].upper() + title[1:])
            heading.setFlags(qt.Qt.ItemIsEnabled)
            font = heading.font(0)
            font.setBold(True)
            heading.setFont(0, font)
            for entry in group.entries:
                self._addLeaf(heading, entry)
            heading.setExpanded(True)
        self._select(0)

    def _addLeaf(self, heading: Any, entry: ClassEntry) -> None:
        leaf = qt.QTreeWidgetItem()
        heading.addChild(leaf)
        leaf.setText(0, entry.name)
        leaf.setIcon(0, swatch(entry.colour))
        leaf.setText(1, ", ".join(entry.modality if self._by == BY_REGION else entry.region))
        leaf.setText(2, entry.terminology.type.value)
        tip = [entry.terminology.type.meaning, ", ".join(entry.synonyms)]
        if not suits(entry, self._modality):
            muted = qt.QBrush(self.tree.palette.color(qt.QPalette.Disabled, qt.QPalette.Text))
            for column in range(3):
                leaf.setForeground(column, muted)
            trained = _("Not trained on images of this modality ({modality})")
            tip.append(trained.format(modality=self._modality))
        for column in range(3):
            leaf.setToolTip(column, "\n".join(line for line in tip if line))
        leaf.setData(0, qt.Qt.UserRole, entry.name)

    def _leaves(self) -> list[Any]:
        """The items of classes, from top to bottom."""
        leaves = []
        for row in range(self.tree.topLevelItemCount):
            heading = self.tree.topLevelItem(row)
            leaves += [heading.child(number) for number in range(heading.childCount())]
        return leaves

    def _move(self, step: int) -> None:
        current = self.tree.currentItem()
        places = [number for number, leaf in enumerate(self._leaves()) if leaf == current]
        self._select((places[0] + step) if places else 0)

    def _select(self, place: int) -> None:
        leaves = self._leaves()
        if leaves:
            leaf = leaves[min(max(place, 0), len(leaves) - 1)]
            self.tree.setCurrentItem(leaf)
            self.tree.scrollToItem(leaf)

    def _takeCurrent(self) -> None:
        item = self.tree.currentItem()
        if item is not None:
            self._take(item, 0)

    def _take(self, item: Any, _column: int) -> None:
        name = item.data(0, qt.Qt.UserRole)
        # a click can be an activation too: the second of the two finds the list closed
        if name and self.popup.visible:
            self.popup.hide()
            self._chosen(name)

    def _place(self, width: int) -> Any:
        """Below the dropdown, within its window where that is tall enough."""
        corner = self.combo.mapToGlobal(qt.QPoint(0, self.combo.height))
        window = self.combo.window()
        lowest = window.mapToGlobal(qt.QPoint(0, window.height)).y() - _HEIGHT
        top = window.mapToGlobal(qt.QPoint(0, 0)).y()
        return qt.QPoint(corner.x(), max(top, min(corner.y(), lowest)))
