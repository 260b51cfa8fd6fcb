"""Keeps what was computed last, as long as there is room for it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class ByteCache(Generic[Value]):
    """A bounded store from which what was not used for longest goes first.

    Args:
        limit: bytes that the values together may take; the value used last is always kept.
        size_of: bytes of a value. A value may grow: its size is taken anew after each use.
    """

    def __init__(self, limit: int, size_of: Callable[[Value], int]) -> None:
        self.limit = limit
        self._size_of = size_of
        self._values: OrderedDict[Hashable, Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

    @property
    def size(self) -> int:
        """Bytes that the values take now."""
        return sum(map(self._size_of, self._values.values()))

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Give the value of a key; made and kept if it is not there."""
        if key not in self._values:
            self._values[key] = make()
        self._values.move_to_end(key)
        self.trim()
        return self._values[key]

    def trim(self) -> None:
        """Drop what does not fit."""
        total = self.size
        while total > self.limit and len(self._values) > 1:
            total -= self._size_of(self._values.popitem(last=False)[1])

    def clear(self) -> None:
        """Drop everything."""
        self._values.clear()
