"""The drawings of a synthetic task: one to segment and its references."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from KPrismCore.training.deformed import deform_task
from KPrismCore.training.found import find_object
from KPrismCore.training.packs import Sample
from KPrismCore.training.synthetic import MIN_PIXELS, Picture, deformation, draw_task

PAINTED_PROBABILITY = 0.4
LARGEST_SHARE = 0.6
# a label map whose object fills the image bends into nothing useful
ATTEMPTS = 20


def made_up(rng: np.random.Generator, samples: Sequence[Sample], count: int, size: int) -> list[Picture]:
    """Draw random shapes, on a random ground or painted into images.

    Args:
        rng: source of everything random.
        samples: images to paint into.
        count: number of drawings of the same task.
        size: edge S of the drawings.
    """
    painted = rng.random() < PAINTED_PROBABILITY
    while True:
        task = draw_task(rng, size)
        drawings = []
        for _ in range(count):
            background = samples[int(rng.integers(len(samples)))].image if painted else None
            drawings.append(task.draw(rng, background))
        if usable(drawings):
            return drawings


def deformed(
    rng: np.random.Generator, draw: Callable[[], tuple[Sample, tuple[int, ...]]], count: int
) -> list[Picture] | None:
    """Draw the shapes of one image's label map, bent anew in every drawing, with another appearance.

    Args:
        rng: source of everything random.
        draw: gives an image and the labels of it that are the object, another one each time.
        count: number of drawings of the same task.

    Returns:
        The drawings; None where no label map gave any of a useful size.
    """
    for _ in range(ATTEMPTS):
        sample, target = draw()
        task = deform_task(rng, sample.mask, target, strength=float(rng.uniform(0.5, 1.5)))
        drawings = [task.draw(rng) for _ in range(count)]
        if usable(drawings):
            return drawings
    return None


def found(rng: np.random.Generator, draw: Callable[[], Sample], count: int) -> list[Picture] | None:
    """Find an unmarked object of a real image; references are the same image, bent anew each.

    Args:
        rng: source of everything random.
        draw: gives an image, another one each time.
        count: number of drawings of the same task; the first one is the image as it is.

    Returns:
        The drawings; None where no image had such an object.
    """
    for _ in range(ATTEMPTS):
        image = draw().image
        mask = find_object(rng, image)
        if mask is None:
            continue
        drawings = [(image, mask)]
        for _ in range(count - 1):
            rows, columns = deformation(rng, len(image))
            drawings.append((image[rows, columns], mask[rows, columns]))
        if usable(drawings):
            return drawings
    return None


def usable(drawings: Sequence[Picture]) -> bool:
    """Whether every drawing has an object that is neither too small nor most of the image."""
    return all(MIN_PIXELS <= mask.sum() <= LARGEST_SHARE * mask.size for _, mask in drawings)
