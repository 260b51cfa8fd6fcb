"""What AnnotationLogic tells its listeners. All are immutable and sent on the main thread."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from KPrismCore.errors import KPrismError
from KPrismCore.slices import Plane

if TYPE_CHECKING:
    # these load torch, which the panel does only when it is asked to
    from KPrismCore.catalogue import Catalogue
    from KPrismCore.checkpoint import ModelCard


@dataclass(frozen=True)
class ModelState:
    """The network as the panel shows it.

    Args:
        status: 'none', 'loading', 'ready' or 'failed'.
        title: name of the checkpoint, or what was asked for while it loads.
        deviceText: where it runs, such as 'CPU, 4 threads'.
        card: what the checkpoint says of itself; None unless ready.
        catalogue: its classes; None unless ready.
        warnings: sentences on the checkpoint or device; for 'failed' what went wrong.
    """

    status: str = "none"
    title: str = ""
    deviceText: str = ""
    card: ModelCard | None = None
    catalogue: Catalogue | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ActResult:
    """What an act did.

    Args:
        label: what it was; the same text as undo shows.
        segmentId: whose mask it concerns.
        plane: the slice it is about; None where it is about the whole segment.
        added, removed: pixels (rows, columns) bool of that slice that joined or left the mask; None where
            there is no plane.
        confidence: 0 to 1, None where the network was not asked.
        seconds: that the act took, without the time it waited.
        changed: how many pixels joined and left on all slices of a run; None for an act on one slice.
        knownClass: the class that references were recognised as, which answered with them.
    """

    label: str
    segmentId: str
    plane: Plane | None = None
    added: np.ndarray | None = None
    removed: np.ndarray | None = None
    confidence: float | None = None
    seconds: float = 0.0
    changed: tuple[int, int] | None = None
    knownClass: str | None = None


@dataclass(frozen=True)
class PlacedClick:
    """A click as the views show it.

    Args:
        identifier: stays the same while the click exists, is moved, undone or redone.
        ras: where it is, in world coordinates (mm).
        positive: whether it is on the object.
        planeKey: of the slice it is on, equal for equal slices.
        pending: whether it still waits for the network.
    """

    identifier: str
    ras: tuple[float, float, float]
    positive: bool
    planeKey: str
    pending: bool = False


class Event:
    """Base of all events."""


@dataclass(frozen=True)
class ModelChanged(Event):
    """The network was asked for, is there, failed, or moved to another device."""

    model: ModelState


class CaseChanged(Event):
    """Another image, segmentation or segment, or the session on them is open now."""


class PromptsChanged(Event):
    """Class, references, clicks or accepted slices of the current segment may differ."""


class HistoryChanged(Event):
    """What can be undone or redone may differ."""


@dataclass(frozen=True)
class ActStarted(Event):
    """An act left the queue."""

    label: str


@dataclass(frozen=True)
class ActDone(Event):
    """An act is finished and its mask is in the scene."""

    result: ActResult


@dataclass(frozen=True)
class ActFailed(Event):
    """An act was refused or failed; nothing changed."""

    error: KPrismError


@dataclass(frozen=True)
class Warned(Event):
    """Something was lost that no act had a part in, such as clicks on a segmentation that was moved."""

    error: KPrismError


@dataclass(frozen=True)
class RangeProgress(Event):
    """A run over many slices went on. It is over when done equals total, or at its ActDone.

    Args:
        done, total: slices.
        secondsLeft: expected; None before the first slice.
        result: of the slice just done; None for one left alone as it is accepted.
    """

    done: int
    total: int
    secondsLeft: float | None
    result: ActResult | None = field(default=None, compare=False)


@dataclass(frozen=True)
class BusyChanged(Event):
    """Work began, or all of it is done."""

    busy: bool


@dataclass(frozen=True)
class MessageShown(Event):
    """A sentence for the status line."""

    text: str
