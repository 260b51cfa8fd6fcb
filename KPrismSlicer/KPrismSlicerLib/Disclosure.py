"""Opens the sections of the panel when they become useful, each once: what the reader closes stays closed."""

from __future__ import annotations

from typing import Any


class Disclosure:
    """Later sections are closed until there is something to do in them.

    Args:
        sections: collapsible buttons by name; all are closed now.
    """

    def __init__(self, sections: dict[str, Any]) -> None:
        self._waiting = dict(sections)
        for section in sections.values():
            section.collapsed = True

    def open(self, *names: str) -> None:
        """Open sections, unless that was done before."""
        for name in names:
            section = self._waiting.pop(name, None)
            if section is not None:
                section.collapsed = False
