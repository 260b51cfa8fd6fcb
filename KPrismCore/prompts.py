"""A click as the user makes it; immutable."""

from __future__ import annotations

from dataclasses import dataclass

from KPrismCore.errors import ClickOutsideError


@dataclass(frozen=True)
class Click:
    """A point on a 2-D image: x is the column, y the row, the centre of the first pixel is (0, 0).

    positive: True for a pixel of the object, False for one outside it.
    """

    x: float
    y: float
    positive: bool = True

    def require_inside(self, height: int, width: int) -> None:
        """Check that the click lies on a pixel of an image of this size.

        Raises:
            ClickOutsideError: it does not.
        """
        if not (-0.5 <= self.x < width - 0.5 and -0.5 <= self.y < height - 0.5):
            raise ClickOutsideError(
                f"The click at column {self.x:g}, row {self.y:g} is outside the image "
                f"of {width} x {height} pixels.",
                f"Columns go from 0 to {width - 1}, rows from 0 to {height - 1}.",
            )
