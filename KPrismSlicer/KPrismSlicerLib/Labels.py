"""What the session calls its acts, in the reader's language."""

from __future__ import annotations

from slicer.i18n import tr as _


def labelText(label: str) -> str:
    """The text for a label of the session's history."""
    known = {
        "click": _("click"),
        "clicks": _("clicks"),
        "stroke": _("stroke"),
        "move click": _("move click"),
        "remove click": _("remove click"),
        "clear slice": _("clear slice"),
        "prediction": _("prediction"),
        "edit": _("edit with another tool"),
        "class": _("class"),
        "references": _("references"),
        "accept": _("accept slice"),
        "reopen": _("reopen slice"),
        "keep connected": _("keep connected"),
    }
    return known.get(label, label)
