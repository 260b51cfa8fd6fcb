"""Names for clicks that last: a session knows a click by its place in a list, which changes."""

from __future__ import annotations

from dataclasses import dataclass

from KPrismCore.prompts import Click


@dataclass(frozen=True, eq=False)
class KnownClick:
    """A click that was made, wherever it is now.

    Args:
        identifier: of the click; several versions of a click that was moved share it.
        click: the value that the session has; known by being that very object.
    """

    identifier: str
    click: Click


class ClickRegister:
    """Gives every click object its identifier; undo brings back old objects, and with them their names."""

    def __init__(self) -> None:
        # the objects are kept, so that no other can get their id
        self._known: dict[int, KnownClick] = {}
        self._count = 0

    def identifier(self, click: Click) -> str:
        """The name of a click; a new one if it was not seen before."""
        known = self._known.get(id(click))
        if known is None:
            self._count += 1
            known = self._known[id(click)] = KnownClick(f"click-{self._count}", click)
        return known.identifier

    def moved(self, identifier: str, click: Click) -> None:
        """Note that a click object is a known click at another place."""
        self._known[id(click)] = KnownClick(identifier, click)

    def find(self, identifier: str, clicks: tuple[Click, ...]) -> int | None:
        """The place of a click among those of a slice; None where it is not there."""
        for place, click in enumerate(clicks):
            if self.identifier(click) == identifier:
                return place
        return None
