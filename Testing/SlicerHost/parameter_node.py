"""slicer.parameterNodeWrapper: typed parameters in a vtkMRMLScriptedModuleNode, bound to widgets.

What the host has: bool, int, float, str, Path, enums, lists of those, node types, and Optional; the
validators and defaults in parameter_types.py; connectGui() for the widgets in gui_connectors.py, matched by
exact class as in Slicer. Other types raise TypeError when the class is made.
"""

from __future__ import annotations

import typing

import vtk

from SlicerHost.parameter_types import (
    Choice,
    Decimals,
    Default,
    Maximum,
    Minimum,
    SingleStep,
    Validator,
    WithinRange,
    kindOf,
)

__all__ = [
    "Choice",
    "Decimals",
    "Default",
    "Maximum",
    "Minimum",
    "SingleStep",
    "SlicerParameterNamePropertyName",
    "Validator",
    "WithinRange",
    "findChildWidgetForParameter",
    "isParameterNodeWrapper",
    "parameterNodeWrapper",
]

SlicerParameterNamePropertyName = "SlicerParameterName"
QT_LIMITS = (Decimals, SingleStep)


class Parameter:
    """One declared parameter: name, hint, kind, validators, default."""

    def __init__(self, name, hint, owner):
        self.name = self.basename = name
        self.unalteredType = hint
        annotated = typing.get_origin(hint) is typing.Annotated
        self.annotations = list(typing.get_args(hint)[1:]) if annotated else []
        self.kind = kindOf(typing.get_args(hint)[0] if annotated else hint)
        self.validators = [one for one in self.annotations if isinstance(one, Validator)]
        self._checkAnnotations(owner)
        given = [one.value for one in self.annotations if isinstance(one, Default)]
        self.default = Default(getattr(owner, name, given[0] if given else self.kind.default))

    def _checkAnnotations(self, owner):
        for one in self.annotations:
            if not isinstance(one, (Validator, Default, *QT_LIMITS)):
                raise TypeError(f"{owner.__name__}.{self.name}: unknown annotation {one!r}")

    def write(self, node, name, value):
        """Check the value and write it; TypeError or ValueError if it must not be."""
        self.kind.check(value)
        for validator in self.validators:
            validator.validate(value)
        self.kind.write(node, name, value)


class WrappedParameterNode:
    """Base of the classes that parameterNodeWrapper makes."""

    allParameters: typing.ClassVar[dict] = {}
    _is_parameter_node_wrapper = True

    def __init__(self, parameterNode, prefix=None):
        self.__dict__.update(
            parameterNode=parameterNode, _prefix=prefix or "", _guis={}, _nextTag=0, _updating=False
        )
        for name, parameter in self.allParameters.items():
            if not parameter.kind.isIn(parameterNode, self._prefix + name):
                parameter.write(parameterNode, self._prefix + name, parameter.default.value)

    def getValue(self, name):
        """Return the parameter's value."""
        parameter = self._parameter(name)
        key = self._prefix + name
        if not parameter.kind.isIn(self.parameterNode, key):  # the scene was closed: the node lost everything
            parameter.write(self.parameterNode, key, parameter.default.value)
        return parameter.kind.read(self.parameterNode, key)

    def setValue(self, name, value):
        """Write the parameter's value; TypeError or ValueError if it must not be."""
        self._parameter(name).write(self.parameterNode, self._prefix + name, value)

    def default(self, name):
        """Return the parameter's Default."""
        return self._parameter(name).default

    @classmethod
    def dataType(cls, name):
        """Return the type hint as it was written."""
        return cls._parameter(name).unalteredType

    @classmethod
    def _parameter(cls, name):
        if name not in cls.allParameters:
            raise ValueError(
                f"Cannot find a param with the given name: {name}; found {sorted(cls.allParameters)}"
            )
        return cls.allParameters[name]

    def isCached(self, name):
        """Values are read from the node each time."""
        self._parameter(name)
        return False

    def connectGui(self, gui):
        """Bind each widget of `gui` (or of childWidgetVariables) with SlicerParameterName; return a tag."""
        return self.connectParametersToGui(_widgetsWithParameters(gui))

    def connectParametersToGui(self, mapping):
        """Bind {parameter name: widget} both ways; return a tag for disconnectGui."""
        from SlicerHost.gui_connectors import createGuiConnector

        connectors = {
            name: createGuiConnector(widget, self._parameter(name)) for name, widget in mapping.items()
        }
        for name, connector in connectors.items():
            connector.write(self.getValue(name))
            connector.onChanged(lambda name=name, connector=connector: self._readFromGui(name, connector))
        observation = self.AddObserver(vtk.vtkCommand.ModifiedEvent, self._writeToGui)
        self._guis[self._nextTag] = (connectors, observation)
        self._nextTag += 1
        return self._nextTag - 1

    def disconnectGui(self, tag):
        """End a binding; an unknown tag is nothing, as in Slicer."""
        connectors, observation = self._guis.pop(tag, ({}, None))
        for connector in connectors.values():
            connector.onChanged(None)
        if observation is not None:
            self.RemoveObserver(observation)

    def _readFromGui(self, name, connector):
        if not self._updating:
            self.setValue(name, connector.read())

    def _writeToGui(self, caller=None, event=None):
        if self._updating:
            return
        self._updating = True
        try:
            for connectors, _ in list(self._guis.values()):
                for name, connector in connectors.items():
                    connector.write(self.getValue(name))
        finally:
            self._updating = False

    def StartModify(self):
        return self.parameterNode.StartModify()

    def EndModify(self, wasModifying):
        return self.parameterNode.EndModify(wasModifying)

    def AddObserver(self, event, callback, priority=0.0):
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag):
        return self.parameterNode.RemoveObserver(tag)

    def Modified(self):
        return self.parameterNode.Modified()


def parameterNodeWrapper(classtype=None):
    """Class decorator: each annotated name becomes a typed, validated property kept in the parameter node."""
    if classtype is None:
        return parameterNodeWrapper
    if "__init__" in vars(classtype):
        raise TypeError(f"{classtype.__name__}: the wrapper makes __init__")
    hints = typing.get_type_hints(classtype, include_extras=True)
    for name in hints:
        if hasattr(WrappedParameterNode, name):
            raise ValueError(f"Cannot use reserved name '{name}' in a parameterNodeWrapper")
    parameters = {name: Parameter(name, hint, classtype) for name, hint in hints.items()}
    body = {name: _property(name) for name in parameters}
    body.update(allParameters=parameters, __module__=classtype.__module__, __doc__=classtype.__doc__)
    return type(classtype.__name__, (classtype, WrappedParameterNode), body)


def _property(name):
    return property(lambda self: self.getValue(name), lambda self, value: self.setValue(name, value))


def isParameterNodeWrapper(classOrObject):
    """Whether it came out of parameterNodeWrapper."""
    return getattr(classOrObject, "_is_parameter_node_wrapper", False)


def findChildWidgetForParameter(widget, parameter):
    """Return the descendant whose SlicerParameterName is the parameter, or None."""
    return _widgetsWithParameters(widget).get(parameter)


def _widgetsWithParameters(gui):
    """Return {parameter name: widget} of a widget's descendants or of childWidgetVariables()."""
    from PySide6.QtWidgets import QWidget

    widgets = gui.findChildren(QWidget) if isinstance(gui, QWidget) else vars(gui).values()
    named = {widget.property(SlicerParameterNamePropertyName): widget for widget in widgets}
    return {name: widget for name, widget in named.items() if name}
