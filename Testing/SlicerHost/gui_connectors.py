"""Which widget shows which parameter type, for parameterNodeWrapper.connectGui().

The widget's class must match exactly, as in Slicer: a subclass of QCheckBox, for example, is refused.
"""

from __future__ import annotations

import enum
import pathlib
import typing

import slicer

from SlicerHost.parameter_types import Choice, Decimals, Maximum, Minimum, SingleStep, WithinRange

INT_LIMITS = (-(2**31), 2**31 - 1)


class Connector:
    """Reads and writes one property of a widget and tells when its signal came."""

    def __init__(self, widget, signal, read, write):
        self._widget, self._signal, self.read, self.write = widget, signal, read, write
        self._callback = None
        self._connected = False

    def widget(self):
        return self._widget

    def onChanged(self, callback):
        """Call back on every change of the widget; None ends it."""
        self._callback = callback
        if callback is not None and not self._connected:
            self._signal.connect(self._changed)
        elif callback is None and self._connected:
            self._signal.disconnect(self._changed)
        self._connected = callback is not None

    def _changed(self, *_):
        if self._callback is not None:
            self._callback()


def createGuiConnector(widget, parameter):
    """Return the connector of a widget for a parameter; RuntimeError where Slicer has none either."""
    hint = parameter.unalteredType
    if typing.get_origin(hint) is typing.Annotated:
        hint = typing.get_args(hint)[0]
    className = type(widget).__name__
    for classNames, types, make in CONNECTORS:
        if className in classNames and _matches(hint, types):
            return make(widget, hint, parameter.annotations)
    raise RuntimeError(f"Unable to create GUI connector from datatype '{hint}' to widget type '{className}'")


def _matches(hint, types):
    return hint in types or (
        isinstance(hint, type) and any(issubclass(hint, one) for one in types if one in BASES)
    )


def _checked(widget, hint, annotations):
    widget.setCheckable(True)
    return Connector(widget, widget.toggled, widget.isChecked, widget.setChecked)


def _text(widget, hint, annotations):
    return Connector(widget, widget.textChanged, widget.text, widget.setText)


def _plainText(widget, hint, annotations):
    return Connector(widget, widget.textChanged, widget.toPlainText, widget.setPlainText)


def _number(widget, hint, annotations):
    """Give the widget the parameter's range, as Slicer does; a slider without a range is refused."""
    found = {type(one): one for one in annotations}
    for annotation, name in ((Decimals, "decimals"), (SingleStep, "singleStep")):
        if annotation in found:
            widget.setProperty(name, found[annotation].value)
    low, high = INT_LIMITS if hint is int else (float("-inf"), float("inf"))
    within, minimum, maximum = (found.get(one) for one in (WithinRange, Minimum, Maximum))
    if within is None and (minimum is None or maximum is None) and "Slider" in type(widget).__name__:
        raise RuntimeError(f"{widget.objectName()}: a slider needs a parameter with a range")
    low = within.minimum if within else minimum.minimum if minimum else low
    high = within.maximum if within else maximum.maximum if maximum else high
    widget.setProperty("minimum", low)
    widget.setProperty("maximum", high)
    return Connector(
        widget,
        widget.valueChanged,
        lambda: hint(widget.property("value")),
        lambda value: widget.setProperty("value", value),
    )


def _choices(widget, hint, annotations):
    choices = [one.choices for one in annotations if isinstance(one, Choice)]
    if not choices:
        raise RuntimeError("A combo box needs the Choice annotation")
    return _combo(widget, list(choices[0]), [str(one) for one in choices[0]])


def _enum(widget, hint, annotations):
    label = getattr(hint, "label", lambda member: member.name)
    members = list(hint)
    return _combo(widget, members, [label(member) for member in members])


def _combo(widget, values, labels):
    widget.clear()
    widget.addItems(labels)
    return Connector(
        widget,
        widget.currentIndexChanged,
        lambda: values[widget.currentIndex()],
        lambda value: widget.setCurrentIndex(values.index(value)),
    )


def _path(widget, hint, annotations):
    return Connector(
        widget,
        widget.currentPathChanged,
        lambda: hint(widget.property("currentPath")),
        lambda value: widget.setProperty("currentPath", str(value)),
    )


def _node(widget, hint, annotations):
    widget.setProperty("nodeTypes", [hint.__name__])
    return Connector(widget, widget.currentNodeChanged, widget.currentNode, widget.setCurrentNode)


BASES = (enum.Enum, slicer.vtkMRMLNode)
CONNECTORS = (
    (("QCheckBox", "QPushButton"), (bool,), _checked),
    (("QSlider", "QSpinBox"), (int,), _number),
    (("QDoubleSpinBox", "ctkSliderWidget"), (float,), _number),
    (("QComboBox",), (int, float, str, bool), _choices),
    (("QComboBox",), (enum.Enum,), _enum),
    (("QLineEdit",), (str,), _text),
    (("QTextEdit",), (str,), _plainText),
    (("ctkPathLineEdit",), (pathlib.Path,), _path),
    (("qMRMLNodeComboBox",), (slicer.vtkMRMLNode,), _node),
)
