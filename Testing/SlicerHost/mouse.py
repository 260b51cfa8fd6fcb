"""Mouse and keyboard over slice views by interactor events: no display and no shown window is needed.

Positions are RAS in mm, or pixels of the view (x to the right, y up, device pixels). A view
that is due to be drawn is drawn before anything else: nobody clicks on what he does not see.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

OFF_PLANE = 0.5  # slices
BUTTONS = {"left": "LeftButton", "middle": "MiddleButton", "right": "RightButton"}
DRAG_STEPS = 5


class Mouse:
    """A hand at the slice views of a layout manager; the views are named as in sliceViewNames()."""

    def __init__(self, layoutManager):
        self._layoutManager = layoutManager

    def view(self, name):
        """Return the SliceView of that name.

        Raises:
            KeyError: there is no such view.
        """
        widget = self._layoutManager.sliceWidget(name)
        if widget is None:
            raise KeyError(f"no slice view {name!r} among {self._layoutManager.sliceViewNames()}")
        return widget.sliceView()

    def show(self, name, ras):
        """Scroll the view to the slice through this RAS position, as the slider does; the zoom stays."""
        self.view(name).mrmlSliceNode().JumpSliceByOffsetting(*map(float, ras))

    def pixel(self, name, ras):
        """Return the pixel (x, y) of the view that shows this RAS position.

        Raises:
            ValueError: it is on another slice, or outside the view.
        """
        view = self.view(name)
        view.fitWindow()
        x, y, slices = view.convertRASToXYZ(ras)
        if abs(slices) > OFF_PLANE:
            raise ValueError(f"{list(ras)} lies {slices:.2f} slices off the slice that {name} shows")
        return self._inside(name, (round(x), round(y)))

    def ras(self, name, pixel):
        """Return the RAS position (mm) in the middle of a pixel (x, y) of the view."""
        self.view(name).fitWindow()
        return tuple(self.view(name).convertXYZToRAS((*pixel, 0)))

    def _inside(self, name, pixel):
        width, height = self.view(name).renderWindow().GetSize()
        if not (0 <= pixel[0] < width and 0 <= pixel[1] < height):
            raise ValueError(f"pixel {pixel} lies outside {name}, which has {width} x {height}")
        return pixel

    def click(self, name, ras, **modifiers):
        """Click at a RAS position; keywords as for clickPixel."""
        self.clickPixel(name, self.pixel(name, ras), **modifiers)

    def clickPixel(self, name, pixel, button="left", **modifiers):
        """Move to the pixel, press and release; modifiers are ctrl, shift, alt."""
        self.press(name, pixel, button, **modifiers)
        self.release(name, pixel, button, **modifiers)

    def doubleClick(self, name, ras, button="left", **modifiers):
        """Click twice at a RAS position: the second press is a double click event, with no press event."""
        pixel = self.pixel(name, ras)
        self.clickPixel(name, pixel, button, **modifiers)
        self._tell(name, pixel, BUTTONS[button] + "DoubleClickEvent", repeat=1, **modifiers)
        self.release(name, pixel, button, **modifiers)

    def drag(self, name, points, **modifiers):
        """Drag along RAS positions (N, 3), N > 1; keywords as for dragPixels."""
        self.dragPixels(name, [self.pixel(name, ras) for ras in points], **modifiers)

    def dragPixels(self, name, pixels, button="left", **modifiers):
        """Press at the first pixel, move to the others in small steps, release at the last."""
        self.press(name, pixels[0], button, **modifiers)
        for start, end in pairwise(pixels):
            for part in np.linspace(0, 1, DRAG_STEPS + 1)[1:]:
                self.move(name, np.rint(np.add(start, np.subtract(end, start) * part)), **modifiers)
        self.release(name, pixels[-1], button, **modifiers)

    def press(self, name, pixel, button="left", **modifiers):
        """Move to the pixel, twice as a real pointer does, and press."""
        self.move(name, pixel, **modifiers)
        self.move(name, pixel, **modifiers)
        self._tell(name, pixel, BUTTONS[button] + "PressEvent", **modifiers)

    def release(self, name, pixel, button="left", **modifiers):
        """Release the button at the pixel."""
        self._tell(name, pixel, BUTTONS[button] + "ReleaseEvent", **modifiers)

    def move(self, name, pixel, **modifiers):
        """Move the pointer to the pixel."""
        self._tell(name, pixel, "MouseMoveEvent", **modifiers)

    def hover(self, name, ras, **modifiers):
        """Move the pointer to a RAS position."""
        pixel = self.pixel(name, ras)
        self.move(name, pixel, **modifiers)
        self.move(name, pixel, **modifiers)

    def enter(self, name):
        """Bring the pointer into the view."""
        self.view(name).interactor().InvokeEvent("EnterEvent")

    def leave(self, name):
        """Take the pointer out of the view."""
        self.view(name).interactor().InvokeEvent("LeaveEvent")

    def wheel(self, name, notches, pixel=(10, 10), **modifiers):
        """Turn the wheel: forward where notches > 0, backward where < 0."""
        event = "MouseWheelForwardEvent" if notches > 0 else "MouseWheelBackwardEvent"
        for _ in range(abs(notches)):
            self._tell(name, pixel, event, **modifiers)

    def key(self, name, keysym, character="\0", ctrl=False, shift=False):
        """Press and release a key in the view: its VTK name ("Delete", "Escape", "a") and its character."""
        interactor = self.view(name).interactor()
        for event in ("KeyPressEvent", "KeyReleaseEvent"):
            interactor.SetKeyEventInformation(int(ctrl), int(shift), character, 1, keysym)
            interactor.InvokeEvent(event)

    def _tell(self, name, pixel, event, repeat=0, ctrl=False, shift=False, alt=False):
        x, y = self._inside(name, (int(pixel[0]), int(pixel[1])))
        view = self.view(name)
        if view.isRenderPending():
            view.forceRender()
        interactor = view.interactor()
        interactor.SetEventInformation(x, y, int(ctrl), int(shift), chr(0), repeat, None)
        interactor.SetAltKey(int(alt))
        interactor.InvokeEvent(event)
