"""How a parameter of each type lies in a vtkMRMLScriptedModuleNode, and the validators of parameters.

Scalars are strings in the format that Slicer writes; lists are Python literals; nodes are node references, so
that they survive saving, loading and renaming of the scene's ids.
"""

from __future__ import annotations

import ast
import enum
import pathlib
import types
import typing
from collections.abc import MutableSequence
from dataclasses import dataclass

import slicer


@dataclass(frozen=True)
class Default:
    """Annotation: the value of a parameter that was never set."""

    value: object


class Validator:
    """Base of the annotations that refuse values."""

    def validate(self, value):
        """Raise ValueError or TypeError if the parameter must not have this value."""
        raise NotImplementedError


@dataclass(frozen=True)
class WithinRange(Validator):
    """minimum <= value <= maximum."""

    minimum: float
    maximum: float

    def validate(self, value):
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"{value} is not within {self.minimum} and {self.maximum}")


@dataclass(frozen=True)
class Minimum(Validator):
    """value >= minimum."""

    minimum: float

    def validate(self, value):
        if value < self.minimum:
            raise ValueError(f"{value} is less than {self.minimum}")


@dataclass(frozen=True)
class Maximum(Validator):
    """value <= maximum."""

    maximum: float

    def validate(self, value):
        if value > self.maximum:
            raise ValueError(f"{value} is more than {self.maximum}")


@dataclass(frozen=True)
class Choice(Validator):
    """The value is one of the choices."""

    choices: list

    def validate(self, value):
        if value not in self.choices:
            raise ValueError(f"{value!r} is not one of {self.choices}")


@dataclass(frozen=True)
class Decimals:
    """Annotation: digits after the point in a connected slider or spin box."""

    value: int


@dataclass(frozen=True)
class SingleStep:
    """Annotation: step of a connected slider or spin box."""

    value: float


class TextKind:
    """A parameter that is one string in the node."""

    def __init__(self, classes, default, encode, decode):
        self.classes, self.default, self.encode, self.decode = classes, default, encode, decode

    def check(self, value):
        """Raise ValueError for None, TypeError for another type. An int is a float, a bool is an int."""
        if value is None:
            raise ValueError("Value must not be None")
        if not isinstance(value, self.classes):
            raise TypeError(f"{value!r} is {type(value).__name__}, not {self.classes}")

    def isIn(self, node, name):
        return node.HasParameter(name)

    def write(self, node, name, value):
        node.SetParameter(name, self.encode(value))

    def read(self, node, name):
        return self.decode(node.GetParameter(name))


class NodeKind:
    """A reference to a MRML node or None. The empty parameter beside it says that it was set."""

    default = None

    def __init__(self, nodeClass):
        self.nodeClass = nodeClass

    def check(self, value):
        if value is not None and not isinstance(value, self.nodeClass):
            raise TypeError(f"{value!r} is not a {self.nodeClass.__name__}")

    def isIn(self, node, name):
        return node.HasParameter(name)

    def write(self, node, name, value):
        node.SetParameter(name, "")
        node.SetNodeReferenceID(name, value.GetID() if value is not None else None)

    def read(self, node, name):
        return node.GetNodeReference(name)


class OptionalKind:
    """Another kind, or None, which is the default."""

    default = None

    def __init__(self, kind):
        self.kind = kind

    def check(self, value):
        if value is not None:
            self.kind.check(value)

    def isIn(self, node, name):
        return node.HasParameter(name)

    def write(self, node, name, value):
        node.SetParameter(f"{name}_isNone", str(value is None))
        if value is None:
            node.SetParameter(name, "")
        else:
            self.kind.write(node, name, value)

    def read(self, node, name):
        return None if node.GetParameter(f"{name}_isNone") == "True" else self.kind.read(node, name)


class ObservedList(MutableSequence):
    """A list parameter: changing it in place writes the parameter, as with Slicer's."""

    def __init__(self, items, save):
        self._items, self._save = list(items), save

    def __getitem__(self, index):
        return self._items[index]

    def __len__(self):
        return len(self._items)

    def __eq__(self, other):
        return self._items == list(other) if isinstance(other, (list, ObservedList)) else NotImplemented

    __hash__ = None

    def __setitem__(self, index, value):
        self._items[index] = value
        self._save(self._items)

    def __delitem__(self, index):
        del self._items[index]
        self._save(self._items)

    def insert(self, index, value):
        self._items.insert(index, value)
        self._save(self._items)

    def __repr__(self):
        return f"ObservedList({self._items})"


class ListKind:
    """A list of one text kind, as a Python literal of strings."""

    def __init__(self, kind):
        self.kind = kind

    @property
    def default(self):
        return []

    def check(self, value):
        if not isinstance(value, (list, tuple, ObservedList)):
            raise TypeError(f"{value!r} is not a list")
        for item in value:
            self.kind.check(item)

    def isIn(self, node, name):
        return node.HasParameter(name)

    def write(self, node, name, value):
        node.SetParameter(name, repr([self.kind.encode(item) for item in value]))

    def read(self, node, name):
        items = [self.kind.decode(text) for text in ast.literal_eval(node.GetParameter(name))]

        def save(changed):
            self.check(changed)
            self.write(node, name, changed)

        return ObservedList(items, save)


SCALARS = {
    int: TextKind(int, 0, str, int),
    float: TextKind((int, float), 0.0, str, float),
    bool: TextKind(bool, False, str, lambda text: text == "True"),
    str: TextKind(str, "", str, str),
    pathlib.Path: TextKind(pathlib.Path, pathlib.Path(), str, pathlib.Path),
}


def kindOf(hint):
    """Return the kind for a type hint without its annotations; TypeError if this host has none for it."""
    if hint in SCALARS:
        return SCALARS[hint]
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return TextKind(hint, next(iter(hint)), lambda member: member.name, hint.__getitem__)
    if isinstance(hint, type) and issubclass(hint, slicer.vtkMRMLNode):
        return NodeKind(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is list and len(arguments) == 1 and isinstance(kindOf(arguments[0]), TextKind):
        return ListKind(kindOf(arguments[0]))
    if origin in (typing.Union, types.UnionType):
        kinds = [kindOf(one) for one in arguments if one is not type(None)]
        if len(kinds) == 1 and len(arguments) == 2:
            return OptionalKind(kinds[0])
    raise TypeError(f"The host's parameter nodes cannot hold {hint}")
