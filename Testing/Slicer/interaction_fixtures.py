"""Fixtures of the tests of mouse, keys, markers and outline; import * from here.

The scene, the slice views and the mouse are real; the logic records what it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from panel_stand_ins import RecordingLogic

# the stand-ins have booted the host, which makes the modules that these import
import slicer  # isort: skip
import vtk  # isort: skip
from KPrismSlicerLib.Events import PlacedClick, PromptsChanged
from KPrismSlicerLib.Interaction import Interaction
from KPrismSlicerLib.SliceViews import PRIORITY
from SlicerHost import failures
from SlicerHost.samples import DIRECTIONS, MARK, newVolume, rasOf

CLICK_ACTS = ("click", "stroke", "moveClick", "removeClick")
OBLIQUE = "oblique"
# the slice of a click that belongs to no view
CROSSING = "crossing"
PLANES = ("Red", "Green", "Yellow", OBLIQUE)
# every kind of volume with every kind of plane
TABLE = [(directions, plane) for directions in DIRECTIONS for plane in PLANES]


class ClickingLogic(RecordingLogic):
    """Records clicks too; the test says what clicks there are."""

    def __init__(self) -> None:
        super().__init__()
        for name in CLICK_ACTS:
            setattr(self, name, self._recorder(name))

    @property
    def asked(self) -> list[tuple[str, tuple[Any, ...]]]:
        """The recorded calls that are about clicks."""
        return self.acts(*CLICK_ACTS)

    def clicksOn(self, _sliceNode: Any) -> tuple[Any, ...]:  # noqa: N802, N803
        return tuple(one for one in self.shownClicks if one.planeKey != CROSSING)

    def place(self, *clicks: PlacedClick) -> None:
        """Let these be the clicks from now on."""
        self.shownClicks = clicks
        self.tell(PromptsChanged())


def placed(
    ras: Any,
    positive: bool = True,
    identifier: str = "click-1",
    pending: bool = False,
    planeKey: str = "slice",  # noqa: N803
) -> PlacedClick:
    """A click as the logic tells of it."""
    return PlacedClick(identifier, tuple(float(value) for value in ras), positive, planeKey, pending)


def moved(pixel: tuple[int, int], x: int, y: int = 0) -> tuple[int, int]:
    """A pixel that lies so far to the right and up."""
    return pixel[0] + x, pixel[1] + y


def show_oblique(layout_manager: Any, ras: Any, name: str = "Red") -> None:
    """Tilt a view by 25 and 15 degrees, about a RAS position in mm that it then shows."""
    node = layout_manager.sliceWidget(name).mrmlSliceNode()
    turn = vtk.vtkTransform()
    turn.Translate(*ras)
    turn.RotateX(25)
    turn.RotateY(15)
    turn.Translate(*(-np.asarray(ras)))
    node.JumpSliceByOffsetting(*ras)
    matrix = vtk.vtkMatrix4x4()
    vtk.vtkMatrix4x4.Multiply4x4(turn.GetMatrix(), node.GetSliceToRAS(), matrix)
    node.GetSliceToRAS().DeepCopy(matrix)
    node.UpdateMatrices()


def show_voxel(layout_manager: Any, mouse: Any, plane: str, ras: Any) -> str:
    """Show a RAS position in a view of that plane (of `PLANES`); the name of the view."""
    if plane == OBLIQUE:
        show_oblique(layout_manager, ras)
        return "Red"
    mouse.show(plane, ras)
    return plane


def observers(layout_manager: Any, name: str = "Red") -> int:
    """How many observers of a view come before Slicer's own; VTK tells it only as text."""
    return str(layout_manager.sliceWidget(name).sliceView().interactor()).count(f"Priority: {PRIORITY:g}\n")


@pytest.fixture(autouse=True)
def no_hidden_failures(host: Any) -> Iterator[None]:
    """Nothing went wrong in an observer or a slot, where no exception reaches the test."""
    failures.clear()
    yield
    failures.check()


@pytest.fixture
def a_logic(host: Any) -> ClickingLogic:
    return ClickingLogic()


@pytest.fixture
def an_interaction(layout_manager: Any, a_logic: Any) -> Iterator[Interaction]:
    """Entered, with the tool for positive clicks."""
    made = Interaction(a_logic, layout_manager)
    made.enter()
    made.setTool("positive")
    yield made
    made.cleanup()


@pytest.fixture
def a_volume(layout_manager: Any, mouse: Any) -> Any:
    """A flipped volume, its marked voxel in all views."""
    volume = newVolume("flipped")
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    for name in layout_manager.sliceViewNames():
        mouse.show(name, rasOf(volume, MARK))
    return volume


@pytest.fixture
def a_click(a_logic: Any, a_volume: Any, an_interaction: Any) -> PlacedClick:
    """A positive click on the marked voxel, with its marker."""
    click = placed(rasOf(a_volume, MARK))
    a_logic.place(click)
    return click


@pytest.fixture
def mark(mouse: Any, a_volume: Any) -> tuple[int, int]:
    """The pixel of the marked voxel in the red view."""
    return mouse.pixel("Red", rasOf(a_volume, MARK))


@pytest.fixture
def red(layout_manager: Any, a_volume: Any) -> Any:
    """The slice node of the red view."""
    return layout_manager.sliceWidget("Red").mrmlSliceNode()
