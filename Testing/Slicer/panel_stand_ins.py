"""Stand-ins for what the panel acts on: they record what they are asked for and show what the test sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
from SlicerHost.boot import boot

from KPrismCore.catalogue import load_catalogue
from KPrismCore.errors import ClickOutsideError
from KPrismCore.geometry import VolumeGeometry
from KPrismCore.session_state import plane_key
from KPrismCore.slices import SlicePlane

# the module's files import qt, slicer and slicer.i18n, which the host makes
boot()

import qt  # noqa: E402
from KPrismSlicerLib.Events import ModelState  # noqa: E402
from KPrismSlicerLib.Paths import resourcePath  # noqa: E402

# a mark that no text of the source has
MARK = "\u00a4"
ACTS = (
    "accept", "addReferencesFromItem", "addSliceAsReference", "cancel", "checkNext", "clearSlice",
    "enableReference", "keepConnected", "loadModel", "moveReference", "newSegment", "newSegmentation",
    "predictRange", "predictSlice", "predictVolume", "redo", "removeReference", "setClass", "setLocked",
    "setReferenceSlice", "takeEdits", "undo",
)  # fmt: skip


class RecordingLogic:
    """The face of AnnotationLogic: every act lands in `calls` as (name, arguments)."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.listeners: list[Any] = []
        self.model = ModelState()
        self.volumeNode = self.segmentationNode = self.segmentId = self.className = self.session = None
        self.refused: Any = None
        self.canUndo = self.canRedo = False
        self.undoLabel = self.redoLabel = ""
        self.shownReferences: list[Any] = []
        self.shownClicks: tuple[Any, ...] = ()
        self.origins: dict[int, Any] = {}
        self.shownDoubt = ""
        self.slice, self.slices, self.accepted = 4, 10, False
        self.busy = self.isRunning = False
        self.outcomesToCome = 0
        for name in ACTS:
            setattr(self, name, self._recorder(name))

    def _recorder(self, name: str) -> Any:
        return lambda *arguments: self.calls.append((name, arguments))

    def addListener(self, listener: Any) -> None:  # noqa: N802
        self.listeners.append(listener)

    def removeListener(self, listener: Any) -> None:  # noqa: N802
        if listener in self.listeners:
            self.listeners.remove(listener)

    def tell(self, event: Any) -> None:
        for listener in tuple(self.listeners):
            listener(event)

    def setVolume(self, node: Any) -> None:  # noqa: N802
        self.volumeNode = node
        self.calls.append(("setVolume", (node,)))

    def setSegmentation(self, node: Any) -> None:  # noqa: N802
        self.segmentationNode = node
        self.calls.append(("setSegmentation", (node,)))

    def setSegment(self, segmentId: str) -> None:  # noqa: N802, N803
        self.segmentId = segmentId
        self.calls.append(("setSegment", (segmentId,)))

    def poll(self) -> bool:
        return self.busy

    def isAccepted(self, _sliceNode: Any) -> bool:  # noqa: N802, N803
        return self.accepted

    def sliceIndex(self, _sliceNode: Any) -> int | None:  # noqa: N802, N803
        return self.slice

    def sliceCount(self, _sliceNode: Any) -> int:  # noqa: N802, N803
        return self.slices

    def planeOf(self, _sliceNode: Any) -> SlicePlane:  # noqa: N802, N803
        geometry = VolumeGeometry.from_parts((8, 8, 10), (1.0, 1.0, 2.0), np.eye(3), (0.0, 0.0, 0.0))
        if self.slice is None:
            raise ClickOutsideError("This view does not show the image.", "Scroll it.")
        return SlicePlane(geometry, "axial", self.slice)

    def clicks(self) -> tuple[Any, ...]:
        return self.shownClicks

    def clicksOn(self, sliceNode: Any) -> tuple[Any, ...]:  # noqa: N802, N803
        key = plane_key(self.planeOf(sliceNode))
        return tuple(one for one in self.shownClicks if one.planeKey == key)

    def references(self) -> tuple[Any, ...]:
        return tuple(self.shownReferences)

    def referenceOrigin(self, index: int) -> Any:  # noqa: N802
        return self.origins.get(index)

    def classes(self, text: str = "") -> list[Any]:
        return self.model.catalogue.search(text) if self.model.catalogue is not None else []

    def doubt(self) -> str:
        return self.shownDoubt

    def acts(self, *names: str) -> list[tuple[str, tuple[Any, ...]]]:
        """The recorded calls of these names."""
        return [call for call in self.calls if call[0] in names]


@dataclass
class StillInteraction:
    """The face of Interaction: it only remembers the tool."""

    tool: str = "none"
    sliceNode: Any = None  # noqa: N815
    shortcuts: Any = field(
        default_factory=lambda: SimpleNamespace(
            entries=(SimpleNamespace(keys=("P",), text="Click on the object", action=lambda: None),)
        )
    )

    showChanges: bool = True  # noqa: N815
    checks: int = 0

    def chooseView(self, sliceNode: Any) -> None:  # noqa: N802, N803
        self.sliceNode = sliceNode

    def setTool(self, tool: str) -> None:  # noqa: N802
        self.tool = tool

    def checkNext(self) -> None:  # noqa: N802
        self.checks += 1


def ready_model() -> ModelState:
    """The small model's classes without its network."""
    catalogue = load_catalogue(resourcePath("Classes", "kprism-small.csv"))
    return ModelState("ready", "kprism-small", "CPU, 2 threads", None, catalogue)


def a_reference(name: str = "liver (CTChest, axial slice 4)", enabled: bool = True) -> Any:
    """What the panel reads of KPrismCore's Reference."""
    rows, columns = np.mgrid[:40, :60]
    return SimpleNamespace(
        image=(rows + columns).astype(np.int16),
        mask=(rows - 20) ** 2 + (columns - 30) ** 2 < 100,
        name=name,
        modality="CT",
        spacing=(1.0, 1.0),
        value_range=(0.0, 100.0),
        enabled=enabled,
    )


def ready_environment() -> Any:
    """An environment that lacks nothing."""
    return SimpleNamespace(
        check=lambda: SimpleNamespace(ready=True, problems=()),
        diagnosis=lambda: "Slicer 5.12",
    )


def press(widget: Any, key: Any, modifier: Any = None) -> None:
    """Press and release a key on a widget."""
    qt.QTest.keyClick(widget, key, qt.Qt.NoModifier if modifier is None else modifier)


def finish(host: Any, panel: Any) -> None:
    """Let the panel's own timer bring everything to an end; for a panel on the real logic."""
    host.processEvents(0.02)
    host.waitUntil(lambda: not panel._context.logic.busy, 20)
    host.processEvents(0.05)


def choose_class(host: Any, panel: Any, text: str) -> None:
    """Choose the first class that fits a text."""
    picker = panel.what.picker
    picker.combo.showPopup()
    picker.searchField.text = text
    picker.searchField.returnPressed.emit()
    finish(host, panel)


def clipped(widget):
    """Shown labels and buttons whose text does not fit on them."""
    found = []
    for each in widget.findChildren(qt.QWidget):
        if not each.visible or not (each.inherits("QLabel") or each.inherits("QAbstractButton")):
            continue
        if each.inherits("QLabel") and each.wordWrap:
            if each.heightForWidth(each.width) > each.height:
                found.append(each.objectName)
        elif each.objectName and each.minimumSizeHint.width() > each.width:
            found.append(each.objectName)
    return found


def contrast(one: Any, other: Any) -> float:
    """Contrast of two colours, 1 to 21, as WCAG defines it."""
    darker, lighter = sorted(map(_luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Any) -> float:
    parts = [part / 255 for part in (colour.red(), colour.green(), colour.blue())]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
