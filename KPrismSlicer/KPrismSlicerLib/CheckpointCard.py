"""What a checkpoint says of itself, read from the head of its file without torch and before it is loaded."""

from __future__ import annotations

import html
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from KPrismCore.abilities import read_abilities
from KPrismCore.doubts import best_and_worst
from KPrismCore.errors import CheckpointError

_PREFIX = "kprism."
# a safetensors file begins with the length of its JSON head
_LENGTH = struct.Struct("<Q")
_MOST_BYTES = 100_000_000


@dataclass(frozen=True)
class CheckpointCard:
    """A checkpoint's own description.

    Args:
        name: of the checkpoint.
        classes: names of the trained classes.
        modalities: of the training images.
        licence, intendedUse, limits, description: in the words of its makers.
        data: one line for each data set.
        notes: what the reader should know beyond the makers' words.
        measured: sentences on where it did best and worst.
    """

    name: str
    classes: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    licence: str = ""
    intendedUse: str = ""
    limits: str = ""
    description: str = ""
    data: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    measured: tuple[str, ...] = ()

    def toHtml(self) -> str:
        """The card as rich text, what matters most first."""
        classes = _("Classes ({count})").format(count=len(self.classes))
        data = _("Training data ({count} sets)").format(count=len(self.data))
        parts = [
            (_("Intended use"), _paragraph(self.intendedUse)),
            (_("Measured"), _list(self.measured or (_("Not measured by modality."),))),
            (classes, _paragraph(", ".join(self.classes))),
            (_("Modalities"), _paragraph(", ".join(self.modalities))),
            (_("Licence"), _paragraph(self.licence)),
            (_("Limits"), _paragraph(self.limits)),
            (_("About"), _paragraph(self.description)),
            (_("Notes"), _list(self.notes)),
            (data, _list(self.data)),
        ]
        shown = [f"<p><b>{html.escape(title)}.</b> {text}</p>" for title, text in parts if text]
        return f"<p><b>{html.escape(self.name)}</b></p>" + "".join(shown)


def readCard(path: Path) -> CheckpointCard:
    """Read the card of a checkpoint file.

    Raises:
        CheckpointError: there is no such file, or it is no checkpoint.
    """
    if not path.is_file():
        raise CheckpointError(
            _("There is no checkpoint {path}.").format(path=path), _("Choose another file, or the default.")
        )
    if path.suffix.lower() in (".pth", ".pt"):
        note = _("An official checkpoint: its file carries no card. The classes are those of the paper.")
        return CheckpointCard(path.name, notes=(note,))
    metadata = _readMetadata(path)
    card = _part(metadata, "card", {})
    rows = _part(metadata, "catalogue", [])
    return cardOf(card, [row["name"] for row in rows if row.get("trained") == "yes"], path.stem)


def cardOf(card: Mapping[str, Any], classes: Sequence[str], name: str = "") -> CheckpointCard:
    """Make a card of the fields of KPrismCore's ModelCard and the names of the classes."""
    return CheckpointCard(
        str(card.get("name") or name),
        tuple(classes),
        tuple(card.get("modalities", ())),
        str(card.get("licence", "")),
        str(card.get("intended_use", "")),
        str(card.get("limits", "")),
        str(card.get("description", "")),
        tuple(_dataLine(one) for one in card.get("data", ())),
        measured=tuple(one.text(_) for one in best_and_worst(read_abilities(card.get("metrics")))),
    )


def _readMetadata(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as stream:
            (length,) = _LENGTH.unpack(stream.read(_LENGTH.size))
            head = json.loads(stream.read(min(length, _MOST_BYTES)))
        return dict(head.get("__metadata__", {}))
    except (OSError, struct.error, ValueError, AttributeError) as error:
        raise CheckpointError(
            _("The file {name} is no checkpoint ({reason}).").format(name=path.name, reason=error),
            _("Choose a K-Prism checkpoint (.safetensors), or an official one (.pth)."),
        ) from error


def _part(metadata: Mapping[str, Any], name: str, default: Any) -> Any:
    """One JSON part of the metadata; the default where it is missing, damaged or of another type."""
    try:
        value = json.loads(metadata.get(_PREFIX + name, "null"))
    except (TypeError, ValueError):
        return default
    return value if isinstance(value, type(default)) else default


def _dataLine(one: Mapping[str, str]) -> str:
    fields = (one.get(key, "") for key in ("origin", "modality", "images", "licence"))
    return " - ".join(field for field in fields if field)


def _paragraph(text: str) -> str:
    return html.escape(text).replace("\n", "<br>")


def _list(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in lines) + "</ul>" if lines else ""
