"""How strongly and how often training images are changed: the table [changes] of a configuration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Changes:
    """Probabilities and ranges of the random changes of an image, its mask and its references.

    Shifts, along rows and columns alike, are fractions of the image's edge; `scale` is how much more of the
    image is shown (less where negative), of each axis on its own; rotations are degrees, intensities
    fractions of the range [0, 1], blur (standard deviation) pixels; noise has a deviation from 0 to the given
    one. Ranges are (least, greatest). In class mode, where left and right have a meaning, images are mirrored
    only with `class_flips`, and rotated by at most `class_rotation`.

    `tint` scales and shifts each colour on its own. `curve` redraws the scale of intensities, still rising,
    through `curve_points` points. `field` brightens smoothly over the image, as MR coils do: by exp of a
    polynomial whose coefficients go up to `field_limit`. `coarse` takes the image down to `coarse_range` of
    its edge and back. These four are neither the paper's nor the authors'.

    The paper names the kinds of changes (section 4.1), the authors' code their values (spec section 14).
    """

    flip: float = 0.5
    class_flips: bool = False
    inversion: float = 0.08
    affine: float = 0.5
    rotation: float = 45.0
    class_rotation: float = 20.0
    shift: float = 0.06
    scale: tuple[float, float] = (-0.2, 0.25)
    shear: float = 0.08
    distortion: float = 0.15
    distortion_limit: float = 0.15
    gamma: float = 0.3
    gamma_range: tuple[float, float] = (0.6, 1.6)
    contrast: float = 0.4
    contrast_limit: float = 0.25
    brightness: float = 0.4
    brightness_limit: float = 0.12
    blur: float = 0.12
    blur_range: tuple[float, float] = (0.4, 1.4)
    noise: float = 0.2
    noise_deviation: float = 0.05
    tint: float = 0.0
    tint_limit: float = 0.25
    curve: float = 0.0
    curve_points: tuple[int, int] = (3, 6)
    field: float = 0.0
    field_limit: float = 0.2
    coarse: float = 0.0
    coarse_range: tuple[float, float] = (0.3, 0.8)

    @property
    def probabilities(self) -> dict[str, float]:
        """How often each change happens, by its field."""
        names = (
            "flip", "inversion", "affine", "distortion", "gamma", "contrast", "brightness", "blur", "noise",
            "tint", "curve", "field", "coarse",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}
