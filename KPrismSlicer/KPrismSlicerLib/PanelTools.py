"""What all parts of the panel share: what they act on, guarded connections, icons, colours, durations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import qt
from slicer.i18n import tr as _

from KPrismCore.errors import KPrismError

ADDED, REMOVED = "#3fae49", "#d9483b"
# how long Slicer's status line shows a sentence
STATUS_MILLISECONDS = 5000
_SWATCH = 16


class Slots:
    """Connections from widgets whose errors all end in one place, and which can all be undone.

    Args:
        report: gets every error raised in a slot.
    """

    def __init__(self, report: Callable[[Exception], None]) -> None:
        self._report = report
        self._made: list[tuple[Any, str, Callable[..., None]]] = []
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether the panel is gone, as it may be after something that let the window live."""
        return self._ended

    def connect(self, widget: Any, signal: str, function: Callable[..., None]) -> None:
        """Call a function on a signal such as 'clicked()', with the arguments that the signal names.

        Raises:
            AttributeError: the widget has no such signal.
        """
        slot = self.guarded(function)
        if not widget.connect(signal, slot):
            message = f"{widget.objectName} has no signal {signal}"
            raise AttributeError(message)
        self._made.append((widget, signal, slot))

    def guarded(self, function: Callable[..., None]) -> Callable[..., None]:
        """The function, with its errors shown; one that is a defect of ours is raised again, for the log."""

        def slot(*arguments: Any) -> None:
            # something that was put off, such as a drop, may come when the panel is gone
            if self._ended:
                return
            try:
                function(*arguments)
            except KPrismError as error:
                self._report(error)
            except Exception as error:
                self._report(error)
                raise

        return slot

    def disconnect(self) -> None:
        """Undo all connections; guarded functions do nothing from now on."""
        self._ended = True
        for widget, signal, slot in self._made:
            widget.disconnect(signal, slot)
        self._made = []


@dataclass
class PanelContext:
    """What the parts of the panel act on.

    Args:
        ui: the widgets of KPrismSlicer.ui, by their names.
        logic: `Logic.AnnotationLogic`.
        interaction: `Interaction.Interaction`.
        environment: `Environment.Environment`.
        slots: for all connections.
        showError: shows a KPrismError in the panel.
        clearError: takes away what is shown of an earlier attempt.
        parameters: the parameter node of the scene; None while there is none.
        ask: puts a yes-or-no question.
    """

    ui: Any
    logic: Any
    interaction: Any
    environment: Any
    slots: Slots
    showError: Callable[[Exception], None]
    clearError: Callable[[], None]
    ask: Callable[[str, str], bool]
    parameters: Any = None

    def remember(self, name: str, value: Any) -> None:
        """Write a value into the parameter node, if there is one and it differs."""
        if self.parameters is not None and getattr(self.parameters, name) != value:
            setattr(self.parameters, name, value)


@contextmanager
def quietly(*widgets: Any) -> Iterator[None]:
    """Change widgets without their signals: what the panel shows of the logic must not come back to it."""
    before = [widget.blockSignals(True) for widget in widgets]
    try:
        yield
    finally:
        for widget, blocked in zip(widgets, before, strict=True):
            widget.blockSignals(blocked)


def swatch(colour: str, shape: str = "square") -> Any:
    """A QIcon in a colour '#rrggbb': a 'square', or a disc with a 'plus' or 'minus' on it."""
    pixmap = qt.QPixmap(2 * _SWATCH, 2 * _SWATCH)
    pixmap.fill(qt.QColor(0, 0, 0, 0))
    painter = qt.QPainter()
    painter.begin(pixmap)
    painter.setRenderHint(qt.QPainter.Antialiasing)
    painter.setPen(qt.QPen(qt.QColor(128, 128, 128)))
    painter.setBrush(qt.QBrush(qt.QColor(colour)))
    if shape == "square":
        painter.drawRoundedRect(3, 3, 26, 26, 5, 5)
    else:
        painter.drawEllipse(2, 2, 28, 28)
        pen = qt.QPen(qt.QColor(255, 255, 255))
        pen.setWidth(4)
        painter.setPen(pen)
        painter.drawLine(9, 16, 23, 16)
        if shape == "plus":
            painter.drawLine(16, 9, 16, 23)
    painter.end()
    icon = qt.QIcon(pixmap)
    # in a selected row it keeps its colour
    icon.addPixmap(pixmap, qt.QIcon.Selected)
    return icon


def mute(*labels: Any) -> None:
    """Write labels in the palette's quiet text colour, light or dark."""
    for label in labels:
        label.setForegroundRole(qt.QPalette.PlaceholderText)


def tint(frame: Any, red: int, green: int, blue: int) -> None:
    """Mark a frame with a bar and a wash of colour so thin that text stays readable on light and dark."""
    frame.styleSheet = (
        f"#{frame.objectName} {{ background: rgba({red}, {green}, {blue}, 36); border: none;"
        f" border-left: 4px solid rgb({red}, {green}, {blue}); border-radius: 3px; }}"
    )


def openArrow(button: Any, opened: bool) -> None:
    """Point a disclosure button's arrow down where its part is open, to the right where it is closed."""
    button.setArrowType(qt.Qt.DownArrow if opened else qt.Qt.RightArrow)


def scrollTo(widget: Any) -> None:
    """Bring a widget into view where what it is in scrolls, as Slicer's module panel does."""
    area = widget.parentWidget()
    while area is not None and not isinstance(area, qt.QScrollArea):
        area = area.parentWidget()
    if area is not None:
        area.ensureWidgetVisible(widget)


def needText(logic: Any) -> str:
    """What has to be done before there is an image and a model to work with."""
    if logic.refused is not None:
        return f"{logic.refused.error.cause} {logic.refused.error.remedy}"
    return _("Choose an image and load the model first.")


def durationText(value: float) -> str:
    """A duration in words, rounded to what a reader cares for."""
    if value < 1:
        return _("{milliseconds} ms").format(milliseconds=round(1000 * value))
    if value < 90:
        return _("{seconds} s").format(seconds=round(value, 1) if value < 10 else round(value))
    return _("{minutes} min").format(minutes=round(value / 60))
